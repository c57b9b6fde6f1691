"""The map of a corridor: places, links by gauge, breaks of gauge, ports, what is closed, and how much goes over it.

Coordinates are longitude and latitude; the base map is packaged, so nothing is fetched. Every place and link carries
its figures with source and confidence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from optimizer.data.corridor import Corridor
from optimizer.data.scenario import expand, in_force
from optimizer.data.schema.settings import Closures
from optimizer.report.page import Cell, DataTable, Figure, number

MOST_LINKS = 6000
LONGEST_SOURCE = 160
OUTERMOST = 0.015
"""Share of the load that may lie outside the first view on each side."""
PLACE, PORT, BREAK, OVERSEAS = 0, 1, 2, 3
ALL = "*"

Pair = tuple[str, str]
Loads = Mapping[tuple[str, str], Mapping[str, Sequence[float]]]
"""(``link`` or ``sea``, id) -> group (a commodity, say) -> amount along the row and against it."""
Works = Mapping[str, Mapping[str, Sequence[float]]]
"""Place -> group -> amount of the two works the map's ``work_words`` name."""


@dataclass(frozen=True)
class Traffic:
    """What moves under one plan: on links and sea legs, and at places."""

    label: str
    corridor: Corridor
    loads: Loads = field(default_factory=dict)
    works: Works = field(default_factory=dict)


def corridor_map(
    traffic: Sequence[Traffic],
    *,
    title: str = "Map of the corridor",
    unit: str = "t a year",
    group_word: str = "Cargo",
    groups: Mapping[str, str] | None = None,
    work_words: tuple[str, str] = ("gauge changes", "over the quay"),
    named: Sequence[str] = (),
) -> Figure:
    """
    Figure of kind ``map``.

    Parameters
    ----------
    traffic
        One entry a plan; the first is what the others are compared with. All of one instance.
    groups
        Group id -> its name, for the filter.
    named
        Places whose name is always written, as far as there is room.
    """
    nodes, links = _places(traffic), _links(traffic)
    at_node = {node: position for position, node in enumerate(nodes["node_id"])}
    used = {key for one in traffic for key in one.loads}
    if len(links) > MOST_LINKS:  # those in use first
        keys = list(zip(links["asset_kind"], links["asset_id"], strict=True))
        links = links.iloc[sorted(sorted(range(len(keys)), key=lambda at: keys[at] not in used)[:MOST_LINKS])]
    at_link = {key: at for at, key in enumerate(zip(links["asset_kind"], links["asset_id"], strict=True))}
    breaks = _handling_words(traffic)
    ports = {row["node_id"]: row for row in traffic[0].corridor.instance.tables["ports"].to_dict("records")}
    busy = {node for one in traffic for node in one.works} | set(named)
    data = {
        "unit": unit,
        "group_word": group_word,
        "groups": [[ALL, "all"], *sorted(([str(k), str(v)] for k, v in (groups or {}).items()), key=lambda g: g[1])],
        "plans": [one.label for one in traffic],
        "work_words": list(work_words),
        "nodes": [_node(row, breaks, ports, busy) for row in nodes.to_dict("records")],
        "links": [
            [at_node[row["from_place"]], at_node[row["to_place"]], row["layer"], _link_pairs(row)]
            for row in links.to_dict("records")
        ],
        "loads": [_by_group(one.loads, at_link) for one in traffic],
        "works": [_by_group(one.works, at_node) for one in traffic],
        "closed": [[at_link[key] for key in closed_assets(one.corridor) if key in at_link] for one in traffic],
        "view": _view(nodes, traffic, links),
    }
    table = _load_table(traffic, links, dict(zip(nodes["node_id"], nodes["name"], strict=True)), unit)
    return Figure(
        "map",
        title,
        data,
        _alt(traffic, table, unit),
        table,
        "Width of a line: load. Ctrl and the wheel, the buttons or the arrow keys move the map. "
        "Borders as drawn by Natural Earth, without a statement on their status.",
        520,
    )


def closed_assets(corridor: Corridor) -> list[tuple[str, str]]:
    """(``link`` or ``sea``, id) of what the scenario closes: in force but for its closures."""
    stack = [corridor.instance.scenarios[name] for name in expand(corridor.instance.scenarios, corridor.scenario)[0]]
    if all(scenario.close == Closures() for scenario in stack):
        return []
    tables = dict(corridor.instance.tables)
    in_force(tables, corridor.selection, [scenario.model_copy(update={"close": Closures()}) for scenario in stack])
    found = []
    for kind, name, key in (("link", "links", "link_id"), ("sea", "sea_legs", "leg_id")):
        left = set(corridor.table(name)[key])
        found += [(kind, str(i)) for i in tables[name][key] if i not in left]
    return found


def _places(traffic: Sequence[Traffic]) -> pd.DataFrame:
    """Places that something in force or closed touches, or that something happens at; all where nothing does."""
    nodes = pd.concat([one.corridor.table("nodes") for one in traffic]).drop_duplicates("node_id")
    links = _links(traffic)
    touched = {*links["from_place"], *links["to_place"], *(node for one in traffic for node in one.works)}
    return nodes[nodes["node_id"].isin(touched)] if touched else nodes


def _links(traffic: Sequence[Traffic]) -> pd.DataFrame:
    """Links and sea legs of any of the plans, closed ones too, each once."""
    parts = []
    for one in traffic:
        closed = set(closed_assets(one.corridor))
        for kind, name, key, ends in (
            ("link", "links", "link_id", ("from_node", "to_node")),
            ("sea", "sea_legs", "leg_id", ("from_port", "to_port")),
        ):
            whole = one.corridor.instance.tables[name]
            shut = whole[[(kind, i) in closed for i in whole[key]]]
            rows = pd.concat([one.corridor.table(name), shut]) if len(shut) else one.corridor.table(name)
            layer = "sea" if kind == "sea" else rows["mode"].where(rows["mode"] != "rail", rows.get("gauge_mm"))
            parts.append(
                rows.assign(
                    asset_kind=kind, asset_id=rows[key], from_place=rows[ends[0]], to_place=rows[ends[1]], layer=layer
                )
            )
    together = pd.concat(parts).drop_duplicates(["asset_kind", "asset_id"])
    text = [str(int(value)) if isinstance(value, float) else str(value) for value in together["layer"]]
    return together.assign(layer=text)


def _node(
    row: Mapping[Any, Any], breaks: Mapping[str, list[Pair]], ports: Mapping[str, Mapping[Any, Any]], busy: set[str]
) -> list[Any]:
    node = row["node_id"]
    port = ports.get(node)
    kind = BREAK if any(words.startswith("gauge") for words, _ in breaks.get(node, [])) else PLACE
    if row["kind"] == "overseas_port":
        kind = OVERSEAS
    elif port is not None or row["kind"] == "sea_port":
        kind = PORT
    pairs: list[Pair] = [("place", f"{str(row['kind']).replace('_', ' ')}, {row['country']}")]
    if port is not None:
        for key, words, unit in (
            ("capacity_mt_per_year", "capacity", "Mt a year"),
            ("capacity_teu_per_year", "boxes", "TEU a year"),
            ("max_draught_m", "draught", "m"),
        ):
            if port[key] == port[key]:
                pairs.append((words, f"{number(float(port[key]))} {unit}"))
        pairs += _trust(port, "port: ")
    pairs += breaks.get(node, [])[:6]
    named = node in busy or kind in (PORT, OVERSEAS)
    return [
        round(float(row["lon"]), 4),
        round(float(row["lat"]), 4),
        str(row["name"]),
        kind,
        pairs + _trust(row),
        named,
    ]


def _trust(row: Mapping[Any, Any], prefix: str = "") -> list[Pair]:
    confidence = row.get("confidence")
    source = str(row.get("source") or "")
    cut = source if len(source) <= LONGEST_SOURCE else f"{source[:LONGEST_SOURCE]}…"
    pairs = [(f"{prefix}confidence", str(confidence))] if isinstance(confidence, str) and confidence else []
    return pairs + ([(f"{prefix}source", cut)] if cut else [])


def _handling_words(traffic: Sequence[Traffic]) -> dict[str, list[Pair]]:
    """Place -> what is handled there, gauge changes first."""
    rows = pd.concat([one.corridor.table("handlings") for one in traffic]).drop_duplicates("handling_id")
    found: dict[str, list[tuple[int, Pair]]] = defaultdict(list)
    for row in rows.to_dict("records"):
        a, b = str(row["from_layer"]), str(row["to_layer"])
        gauge = a.startswith("rail-") and b.startswith("rail-") and a != b
        words = f"gauge {a[5:]}/{b[5:]}" if gauge else f"{a} to {b}"
        technology = str(row["technology"]).replace("_", " ")
        room = row["capacity_t_per_day"]
        limit = f", {number(float(room))} t a day" if room == room else ""
        value = f"{technology}, {number(float(row['dwell_h']))} h{limit}, {row['confidence'] or 'no confidence given'}"
        found[row["node_id"]].append((not gauge, (words, value)))
    return {node: [pair for _, pair in sorted(pairs, key=lambda p: p[0])] for node, pairs in found.items()}


def _link_pairs(row: Mapping[Any, Any]) -> list[Pair]:
    pairs: list[Pair] = [("id", str(row["asset_id"]))]
    if row["asset_kind"] == "sea":
        pairs += [
            ("distance", f"{number(float(row['distance_nm']))} nm"),
            ("container, days", number(float(row["sailing_days_container"]))),
            ("sailings a week", number(float(row["sailings_per_week"]))),
        ]
    else:
        pairs += [
            ("length", f"{number(float(row['length_km']))} km"),
            ("speed", f"{number(float(row['speed_kmh']))} km/h"),
        ]
        for key, words, unit in (
            ("capacity_mt_per_year", "capacity", "Mt a year each way"),
            ("ruling_gradient_permille", "gradient", "‰"),
            ("max_train_gross_t", "train mass", "t"),
        ):
            if row[key] == row[key] and row[key] is not None:
                pairs.append((words, f"{number(float(row[key]))} {unit}"))
        if row["status"] and row["status"] != "operating":
            pairs.append(("status", str(row["status"]).replace("_", " ")))
    return pairs + _trust(row)


def _by_group(amounts: Mapping[Any, Mapping[str, Sequence[float]]], position: Mapping[Any, int]) -> dict[str, Any]:
    found: dict[str, list[list[float]]] = defaultdict(list)
    for key, groups in amounts.items():
        if key in position:
            for group, (first, second) in groups.items():
                if first or second:
                    found[group].append([position[key], round(first, 3), round(second, 3)])
    return dict(found)


def _view(nodes: pd.DataFrame, traffic: Sequence[Traffic], links: pd.DataFrame) -> list[float]:
    """West, south, east, north around all but the outermost of the load on land, with a margin."""
    place = {row["node_id"]: (float(row["lon"]), float(row["lat"])) for row in nodes.to_dict("records")}
    ends = {
        (row["asset_kind"], row["asset_id"]): (row["from_place"], row["to_place"])
        for row in links[links["asset_kind"] == "link"].to_dict("records")
    }
    weight: dict[str, float] = defaultdict(float)
    for one in traffic:
        for key, groups in one.loads.items():
            for end in ends.get(key, ()):
                weight[end] += sum(map(sum, groups.values()))
        for node in one.works:
            weight[node] += 0.0
    if not any(weight.values()):
        centre = [place[node] for node in weight if node in place]
        if len(centre) == 1:
            return [centre[0][0] - 9, centre[0][1] - 7, centre[0][0] + 9, centre[0][1] + 7]
        weight = {node: 1.0 for pair in ends.values() for node in pair}
    if not weight:
        return [40.0, 20.0, 90.0, 55.0]
    box = []
    total = sum(weight.values())
    for axis in (0, 1):
        seen = sorted((place[node][axis], load) for node, load in weight.items() if node in place)
        done, low, high = 0.0, seen[0][0], seen[-1][0]
        for at, load in seen:
            low = at if done < OUTERMOST * total else low
            done += load
            if done >= (1 - OUTERMOST) * total:
                high = at
                break
        box.append((low, high))
    (west, east), (south, north) = box
    side = max(0.1 * max(east - west, north - south), 0.5)
    return [west - side, south - side, east + side, north + side]


def _load_table(traffic: Sequence[Traffic], links: pd.DataFrame, names: Mapping[str, str], unit: str) -> DataTable:
    total = {
        key: [sum(sum(pair) for pair in one.loads.get(key, {}).values()) for one in traffic]
        for key in {key for one in traffic for key in one.loads}
    }
    rows: list[list[Cell]] = []
    by_key = {(row["asset_kind"], row["asset_id"]): row for row in links.to_dict("records")}
    for key, amounts in sorted(total.items(), key=lambda item: (-max(map(abs, item[1])), item[0])):
        row = by_key.get(key)
        if row is None:
            continue
        layer = f"rail {row['layer']}" if row["layer"].isdigit() else row["layer"]
        ends = f"{names[row['from_place']]} – {names[row['to_place']]}"
        rows.append([ends, layer, *(round(value) for value in amounts), str(row["confidence"] or "")])
    columns = ["link", "layer", *([unit] if len(traffic) == 1 else [f"{one.label}, {unit}" for one in traffic])]
    return DataTable("Links by load, both directions together", [*columns, "confidence"], rows)


def _alt(traffic: Sequence[Traffic], table: DataTable, unit: str) -> str:
    closed = sum(len(closed_assets(one.corridor)) for one in traffic)
    words = f"Map of the corridor: {len(traffic[0].corridor.table('links'))} links in force, drawn by gauge and load."
    if table.rows:
        first = table.rows[0]
        words += f" The busiest is {first[0]} with {number(first[2])} {unit}."
    if closed:
        words += f" {closed} links or sea legs are closed."
    return words + " The table below lists links by load."
