"""What is wrong with the tables of a wagon or locomotive problem, all faults at once."""

from __future__ import annotations

from itertools import pairwise

from optimizer.data.columns import is_blank
from optimizer.data.corridor import Corridor
from optimizer.errors import Fault


def _without_rows(corridor: Corridor, names: tuple[str, ...]) -> list[Fault]:
    return [
        Fault(f"{n}.csv", "no rows in force, rolling stock needs at least one")
        for n in names
        if corridor.table(n).empty
    ]


def wagon_faults(corridor: Corridor) -> list[Fault]:
    faults = _without_rows(corridor, ("wagons", "fleet", "orders", "wagon_suits"))
    days = corridor.config.horizon.days
    gauges: dict[str, set[int]] = {}
    for line, wagon in corridor.table("wagons").iterrows():
        texts = wagon["gauges_mm"]
        bad = [g for g in texts if g not in ("1520", "1435", "1676")]
        if bad or not texts:
            faults.append(
                Fault(
                    "wagons.csv",
                    f"gauges_mm is '{';'.join(texts)}', expected 1520, 1435 or 1676, ';'-separated",
                    int(line),
                )
            )
            continue
        gauges[wagon["wagon_id"]] = {int(g) for g in texts}
        if len(set(texts)) > 1 and wagon["gauge_change"] == "none":
            faults.append(
                Fault(
                    "wagons.csv",
                    f"wagon '{wagon['wagon_id']}' has several gauges but gauge_change 'none', "
                    "expected bogie_exchange or variable_gauge",
                    int(line),
                )
            )
    on_hand: dict[tuple[str, int], int] = {}
    for line, stock in corridor.table("fleet").iterrows():
        allowed = gauges.get(stock["type_id"])
        if allowed is not None and int(stock["gauge_mm"]) not in allowed:
            known = ", ".join(str(g) for g in sorted(allowed))
            faults.append(
                Fault(
                    "fleet.csv",
                    f"gauge_mm is {int(stock['gauge_mm'])}, expected a gauge of wagon '{stock['type_id']}': {known}",
                    int(line),
                )
            )
        if stock["type_id"] in gauges:
            for night in range(int(stock["from_day"]), days):
                on_hand[stock["node_id"], night] = on_hand.get((stock["node_id"], night), 0) + int(stock["units"])
    orders = corridor.table("orders")
    wrong = (orders["due_day"] < orders["release_day"]) | (orders["release_day"] >= days)
    for line, order in orders[wrong].iterrows():
        if order["due_day"] < order["release_day"]:
            faults.append(
                Fault(
                    "orders.csv",
                    f"due_day is {order['due_day']}, expected release_day {order['release_day']} or later",
                    int(line),
                )
            )
        else:
            faults.append(
                Fault(
                    "orders.csv",
                    f"release_day is {order['release_day']}, expected a day of the horizon, at most {days - 1}",
                    int(line),
                )
            )
    for line, node in corridor.table("nodes").iterrows():
        room, most = (
            node["yard_capacity_wagons"],
            max((on_hand.get((node["node_id"], t), 0) for t in range(days)), default=0),
        )
        if not is_blank(room) and most > room:
            faults.append(
                Fault(
                    "nodes.csv",
                    f"yard_capacity_wagons of '{node['node_id']}' is {int(room)}, "
                    f"but the fleet table puts {most} wagons there",
                    int(line),
                )
            )
    return faults


def train_faults(corridor: Corridor) -> list[Fault]:
    faults = _without_rows(corridor, ("locomotives", "fleet", "train_services"))
    gauge = dict(zip(corridor.table("locomotives")["loco_id"], corridor.table("locomotives")["gauge_mm"], strict=True))
    for line, stock in corridor.table("fleet").iterrows():
        if stock["type_id"] in gauge and int(stock["gauge_mm"]) != int(gauge[stock["type_id"]]):
            faults.append(
                Fault(
                    "fleet.csv",
                    f"gauge_mm is {int(stock['gauge_mm'])}, expected the gauge of locomotive '{stock['type_id']}': "
                    f"{int(gauge[stock['type_id']])}",
                    int(line),
                )
            )
    faults += _window_faults(corridor)
    links = corridor.table("links").set_index("link_id")
    for line, train in corridor.table("train_services").iterrows():
        name, at = train["service_id"], train["from_node"]
        if train["depart_day"] >= corridor.config.horizon.days:
            faults.append(
                Fault(
                    "train_services.csv",
                    f"depart_day is {train['depart_day']}, expected a day of the horizon, "
                    f"at most {corridor.config.horizon.days - 1}",
                    int(line),
                )
            )
        if not train["links"]:
            faults.append(Fault("train_services.csv", f"train '{name}' has no links", int(line)))
        for link_id in train["links"]:
            if link_id not in links.index:
                continue  # closed in this scenario: the train is cancelled, and the plan says so
            link = links.loc[link_id]
            if link["mode"] != "rail" or int(link["gauge_mm"]) != int(train["gauge_mm"]):
                faults.append(
                    Fault(
                        "train_services.csv",
                        f"link '{link_id}' of train '{name}' is not rail of {int(train['gauge_mm'])} mm",
                        int(line),
                    )
                )
                break
            if at not in (link["from_node"], link["to_node"]):
                faults.append(
                    Fault(
                        "train_services.csv",
                        f"link '{link_id}' of train '{name}' does not touch '{at}', where the train stands before it",
                        int(line),
                    )
                )
                break
            at = link["to_node"] if at == link["from_node"] else link["from_node"]
    return faults


def _window_faults(corridor: Corridor) -> list[Fault]:
    """Shop windows that end before they start, or of which two of a type and place overlap."""
    faults = []
    windows = corridor.table("shop_windows")
    for line, row in windows[windows["until_min"] <= windows["from_min"]].iterrows():
        words = f"until_min is {row['until_min']}, expected more than from_min {row['from_min']}"
        faults.append(Fault("shop_windows.csv", words, int(line)))
    for (loco_id, node), group in windows.groupby(["loco_id", "node_id"]):
        rows = list(group.sort_values(["from_min", "until_min"], kind="stable").iterrows())
        for (_, before), (line, after) in pairwise(rows):
            if after["from_min"] < before["until_min"]:
                words = (
                    f"windows '{before['window_id']}' and '{after['window_id']}' of '{loco_id}' at '{node}' overlap "
                    f"in minutes {after['from_min']} to {min(before['until_min'], after['until_min'])}, expected one "
                    "after the other, or one window with more units"
                )
                faults.append(Fault("shop_windows.csv", words, int(line)))
    return faults
