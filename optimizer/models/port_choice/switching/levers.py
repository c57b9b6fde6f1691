"""What a planner may turn: a rate, a dwell, a premium or a capacity, and what the question looks like at one value.

A lever changes one column of the tables, and every cost of an arc is linear in any one such number, so two networks
at the ends of a range give the costs of all values between. A dwell moves only its mean: the band around it keeps its
width, so that variability, and with it the cost of reliability, does not depend on the lever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from optimizer.data.columns import frame
from optimizer.data.corridor import Corridor
from optimizer.data.schema.network import Tariff
from optimizer.errors import UsageError, did_you_mean
from optimizer.models.port_choice.problem import PortChoice

KINDS = ("tariff", "haul", "dwell", "premium", "capacity")
REGION_OF_COUNTRY = {
    country: region
    for region, countries in {
        "Gulf": ("AE", "OM", "QA", "KW", "BH", "IQ"),
        "Red Sea": ("SA", "EG", "SD", "YE"),
        "Africa": ("KE", "TZ", "DJ", "ZA", "MZ", "SO"),
        "South-East Asia": ("SG", "MY", "TH", "VN", "ID", "PH"),
        "South Asia": ("IN", "LK", "BD"),
        "Europe": ("NL", "TR", "RO", "DE", "BE", "IT", "GR"),
    }.items()
    for country in countries
}


@dataclass(frozen=True)
class Lever:
    """
    A number to vary.

    Attributes
    ----------
    words, unit
        What it is, and the unit of its values.
    table, column, rows
        Cells it changes; ``rows`` has one truth value per row of the table. Blank table for a capacity.
    how
        ``set`` the cells to the value, ``factor`` times the value, ``add`` the value, ``haul`` a multiplier row of
        its own, ``limit`` a capacity.
    target
        Name of the asset, tariff, country or place it was asked for.
    group
        Lane group a premium is for; blank for all.
    """

    kind: str
    target: str
    words: str
    unit: str
    how: str
    table: str = ""
    column: str = ""
    rows: npt.NDArray[np.bool_] | None = None
    group: str = ""

    def stated(self, corridor: Corridor) -> float | None:
        """The value in the instance; None where several rows differ or a capacity is asked for."""
        if self.how in ("factor", "haul"):
            return 1.0
        if self.how == "add":
            return 0.0
        if self.how == "limit":
            return None
        values = corridor.table(self.table)[self.column].to_numpy(float)[self.rows]
        return float(values[0]) if len(set(values.tolist())) == 1 else None

    def applied(self, problem: PortChoice, value: float) -> PortChoice:
        """The problem with the lever at a value; a capacity is not in the tables and changes nothing here."""
        if self.how == "limit":
            return problem
        corridor = problem.corridor
        if self.how == "haul":
            row = Tariff(
                tariff_id="lever", kind="multiplier", countries=tuple(self.target.split("+")), mode="rail",
                unit="factor", value=max(value, 0.0), source="lever", confidence="estimated",
            ).model_dump()  # fmt: skip
            extra = frame(Tariff, {name: [cell] for name, cell in row.items()})
            changed = pd.concat([corridor.table("tariffs"), extra])
            changed.index.name = "line"
            name = "tariffs"
        else:
            assert self.rows is not None
            name, changed = self.table, corridor.table(self.table).copy()
            before = changed[self.column].to_numpy(float)
            after = {"set": value, "factor": before * value, "add": before + value}[self.how]
            changed[self.column] = np.where(self.rows, after, before)
        return replace(problem, corridor=corridor.with_tables({name: changed}))

    def check_range(self, corridor: Corridor, low: float, high: float) -> None:
        """Refuse ranges in which the lever makes no sense, naming the row."""
        if not (np.isfinite(low) and np.isfinite(high)):
            raise UsageError(f"range {low} to {high} of {self.words}: expected two finite numbers")
        if low >= high:
            kind = "empty" if low == high else "reversed"
            raise UsageError(f"range {low:g} to {high:g} of {self.words} is {kind}; expected --from below --to")
        if self.how != "add" and low < 0:
            raise UsageError(f"{self.words} cannot be negative, and the range starts at {low:g} {self.unit}")


def parse_lever(corridor: Corridor, text: str) -> Lever:
    """
    Lever from ``kind:target``.

    ``tariff:ID`` sets a tariff row (its unit). ``haul:COUNTRY`` multiplies all rail haul there. ``dwell:ID`` sets the
    hours of a handling or border; ``dwell:PLACE`` and ``dwell:gauge-changes`` multiply those of all quays (or else
    handlings) of a place, and of all gauge changes. ``premium:PORT`` and ``premium:REGION`` add USD per tonne at all
    quays of a port, or of the overseas ports of a region, with ``/GROUP`` for one lane group only. ``A+B`` takes
    countries, ports or regions together. ``capacity:NAME`` sets the annual capacity of a link (each direction),
    handling or port, in tonnes or TEU.

    Raises
    ------
    UsageError
        Unknown kind or target, with the nearest name.
    """
    kind, _, target = text.partition(":")
    if kind not in KINDS or not target:
        raise UsageError(f"unknown lever '{text}', expected one of {', '.join(k + ':NAME' for k in KINDS)}"
                         f"{did_you_mean(kind, KINDS)}")  # fmt: skip
    return _PARSERS[kind](corridor, target)


def _tariff(corridor: Corridor, target: str) -> Lever:
    table = corridor.table("tariffs")
    row = table[_known("tariff", target, table["tariff_id"])].iloc[0]
    return Lever("tariff", target, f"{row['kind']} tariff {target}", str(row["unit"]), "set", "tariffs", "value",
                 (table["tariff_id"] == target).to_numpy(bool))  # fmt: skip


def _haul(corridor: Corridor, target: str) -> Lever:
    for country in target.split("+"):
        _known("country", country, corridor.table("nodes")["country"])
    return Lever("haul", target, f"rail haul in {target.replace('+', ' and ')}", "times today's", "haul")


def _dwell(corridor: Corridor, target: str) -> Lever:
    handlings, borders = corridor.table("handlings"), corridor.table("borders")
    if target == "gauge-changes":
        rail = [handlings[end].astype(str).str.startswith("rail-") for end in ("from_layer", "to_layer")]
        rows = (rail[0] & rail[1] & (handlings["from_layer"] != handlings["to_layer"])).to_numpy(bool)
        return Lever(
            "dwell", target, "dwell at all gauge changes", "times today's", "factor", "handlings", "dwell_h", rows
        )
    for name, table, key in (("handling", handlings, "handling_id"), ("border", borders, "border_id")):
        rows = (table[key] == target).to_numpy(bool)
        if rows.any():
            return Lever("dwell", target, f"dwell of {name} {target}", "hours", "set", f"{name}s", "dwell_h", rows)
    names = [*handlings["handling_id"], *borders["border_id"], *handlings["node_id"], "gauge-changes"]
    _known("handling, border or place with handlings", target, names)
    rows = (handlings["node_id"] == target).to_numpy(bool)
    quays = rows & (handlings["technology"] == "quay").to_numpy(bool)
    rows, what = (quays, "quays of") if quays.any() else (rows, "handlings at")
    return Lever(
        "dwell", target, f"dwell of all {what} {target}", "times today's", "factor", "handlings", "dwell_h", rows
    )


def _premium(corridor: Corridor, target: str) -> Lever:
    place, _, group = target.partition("/")
    handlings, nodes = corridor.table("handlings"), corridor.table("nodes")
    quays = (handlings["technology"] == "quay").to_numpy(bool)
    overseas = nodes[nodes["kind"] == "overseas_port"]
    regions: dict[str, set[str]] = {}
    for node, country in zip(overseas["node_id"], overseas["country"], strict=True):
        regions.setdefault(region_of(country), set()).add(node)
    ports = set(handlings["node_id"][quays])
    chosen: set[str] = set()
    for name in place.split("+"):
        _known("port or region", name, [*sorted(ports), *sorted(regions)])
        chosen |= regions.get(name, {name})
    if group:
        _known("lane group", group, sorted(set(lane_groups(corridor).values())))
    rows = quays & handlings["node_id"].isin(chosen).to_numpy(bool)
    words = f"premium on {place.replace('+', ' and ')}" + (f" for cargo {group}" if group else "")
    return Lever("premium", place, words, "USD/t", "add", "handlings", "cost_usd_per_t", rows, group)


def _capacity(corridor: Corridor, target: str) -> Lever:
    return Lever("capacity", target, f"capacity of {target}", "a year", "limit")


_PARSERS = {"tariff": _tariff, "haul": _haul, "dwell": _dwell, "premium": _premium, "capacity": _capacity}


def region_of(country: str) -> str:
    """Region of a country overseas, or the country itself."""
    return REGION_OF_COUNTRY.get(str(country), str(country))


def lane_groups(corridor: Corridor) -> dict[str, str]:
    """Lane -> its group: ``to REGION`` or ``from REGION`` by its overseas end, ``to COUNTRY`` on land."""
    nodes = corridor.table("nodes").set_index("node_id")
    overseas = set(nodes.index[nodes["kind"] == "overseas_port"])
    country: Mapping[str, str] = nodes["country"].to_dict()
    found = {}
    for lane in corridor.table("lanes").itertuples(index=False):
        if lane.destination not in overseas and lane.origin in overseas:
            found[str(lane.lane_id)] = f"from {region_of(country[lane.origin])}"
        else:
            found[str(lane.lane_id)] = f"to {region_of(country[lane.destination])}"
    return found


def _known(what: str, name: str, known: Iterable[str]) -> pd.Series:
    """Where ``name`` stands among known names; UsageError with the nearest one where it does not."""
    names = pd.Series(list(known), dtype=object)
    if not (names == name).any():
        raise UsageError(f"unknown {what} '{name}'{did_you_mean(name, sorted(set(map(str, names))))}")
    return (names == name).to_numpy()
