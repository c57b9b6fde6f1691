"""One type of wagon laid out: its places, its loaded and empty runs with days and exact cost, what it has spent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from optimizer.data.columns import is_blank
from optimizer.errors import UsageError
from optimizer.models.rolling_stock.problem import RollingStock
from optimizer.models.rolling_stock.routes import Place, Way, exact
from optimizer.models.rolling_stock.wagons.data import Move, Orders, Spot, WagonType
from optimizer.models.rolling_stock.wagons.homeward import Homeward
from optimizer.models.rolling_stock.wagons.past import Past
from optimizer.models.rolling_stock.wagons.residues import Residues
from optimizer.models.rolling_stock.wagons.ways import Rails, Ways
from optimizer.models.rolling_stock.wagons.works import works_of


@dataclass(frozen=True)
class Cargo:
    """An order as the table has it."""

    order_id: str
    origin: str
    destination: str
    commodity_id: str
    form: str
    quantity_t: Fraction
    unserved_usd: Fraction
    days: tuple[int, int]
    suited: tuple[str, ...]


class Desk:
    """Lays out one type of wagon."""

    def __init__(
        self,
        problem: RollingStock,
        ways: Ways,
        row: Mapping[str, Any],
        asked: list[Cargo],
        orders: Mapping[str, Orders],
        past: Past,
    ) -> None:
        self.problem, self.ways, self.row, self.asked, self.past = problem, ways, row, asked, past
        self.form_of = {cargo.order_id: cargo.form for cargo in asked} if past.tables is not None else {}
        self.mine = [(cargo, orders[cargo.order_id]) for cargo in asked if cargo.order_id in orders]
        self.settings, self.wagon_id = problem.corridor.config.rolling_stock, row["wagon_id"]
        self.gauges = tuple(sorted(int(g) for g in row["gauges_mm"]))
        self.home = "" if is_blank(row["home_country"]) else row["home_country"]
        self.rails = Rails(self.gauges, row["gauge_change"])
        self.fleet = [r for r in problem.table("fleet").to_dict("records") if r["type_id"] == self.wagon_id]
        self.supply = past.supply(self.wagon_id, problem.days)
        self.residues = Residues(problem)
        self.soiled_from = self._soiled_from()
        self.layers = ("", *sorted(self.soiled_from))
        soils = any(self.residues.left_by(cargo.commodity_id) for cargo in asked)
        soils = soils or any(stock["residue"] for stock in self.fleet)
        self.works = works_of(problem, self.wagon_id, "cleaning") if soils else []
        if not (is_blank(row["maintenance_km"]) and is_blank(row["maintenance_days"])):
            self.works += works_of(problem, self.wagon_id, "maintenance")

    def _soiled_from(self) -> dict[str, int]:
        """Residue -> first day on which a wagon can hold it."""
        first: dict[str, int] = {}
        for cargo, order in self.mine:
            residue = self.residues.left_by(cargo.commodity_id)
            if residue:
                first[residue] = min(order.window.start + 1, first.get(residue, self.problem.days))
        for spot, day in self.supply:
            if spot.residue:
                first[spot.residue] = min(day, first.get(spot.residue, self.problem.days))
        return first

    def abroad_usd(self, node_id: str) -> Fraction:
        """Charge of a day at a node outside the home country."""
        abroad = self.home and self.ways.book.country[node_id] != self.home
        return exact(self.settings.foreign_usd_per_wagon_day) if abroad else Fraction(0)

    def wagon_type(self, with_orders: bool = True) -> WagonType:
        days, first, supply = self.problem.days, self.past.first, dict(self.supply)
        stands: dict[Place, int] = {}
        for stock in self.fleet:
            place = stock["node_id"], int(stock["gauge_mm"])
            stands[place] = min(max(int(stock["from_day"]), first), stands.get(place, days))
        network = self.ways.book.graph(*self.rails)
        homeward = Homeward(self.problem, self.ways.book, self.row, network)
        lent_at = [place for place in stands if not homeward.owed or homeward.at_home(place)]
        hire_places = tuple(sorted(lent_at)) if self.settings.hire_allowed else ()
        starts = {place: first if place in hire_places else day for place, day in stands.items()}
        for spot, day in supply:
            starts[spot.place] = min(day, starts.get(spot.place, days))
        reached = {place: day for place, day in starts.items() if day < days}
        for place in self._places() if with_orders else ():
            for start, day in starts.items():
                way = network.way(start, place)
                if way is not None:
                    there = day + self.ways.terms(way, self.home, loaded=False)[0]
                    if there < min(days, reached.get(place, days)):
                        reached[place] = there
        first_day = {
            Spot(*place, residue): max(day, self.soiled_from.get(residue, 0))
            for residue in self.layers
            for place, day in reached.items()
        }
        first_day = {spot: day for spot, day in first_day.items() if day < days}
        own, load = sum(supply.values()), exact(self.row["typical_load_t"])
        for spot, units in self.past.hired.get(self.wagon_id, {}).items():
            if units:
                supply[spot, first] = supply.get((spot, first), 0) - units  # due back, or on hire for longer
        idle = exact(self.settings.idle_usd_per_wagon_day)
        return WagonType(
            wagon_id=self.wagon_id,
            load_t=load,
            tare_t=exact(self.row["tare_t"]),
            length_m=exact(self.row["length_m"]),
            hire_usd=exact(self.row["hire_usd_per_day"]),
            own=own,
            most=own + (sum(_wagons(order.quantity_t, load) + 1 for _, order in self.mine) if with_orders else 0),
            first_day=first_day,
            supply=supply,
            hire_places=tuple(Spot(*place) for place in hire_places),
            night_usd={spot: idle + self.abroad_usd(spot.node_id) for spot in first_day},
            homeward=homeward,
        )

    def _places(self) -> list[Place]:
        """Ends of its orders, and where it is cleaned or maintained."""
        nodes = {node for cargo in self.asked for node in (cargo.origin, cargo.destination)}
        nodes |= {work["node_id"] for work in self.works}
        return sorted((node, gauge) for node in nodes for gauge in self.gauges)

    def loaded(self, kind: WagonType) -> Iterator[Move]:
        priced: dict[tuple[str, ...], list[tuple[Place, Place, Way, int, Fraction, frozenset[int] | None]]] = {}
        layers: dict[str, list[tuple[str, str]]] = {}
        for cargo, order in self.mine:
            ends = cargo.origin, cargo.destination, cargo.form
            if ends not in priced:
                priced[ends] = list(self._loaded_ways(kind, *ends))
            if cargo.commodity_id not in layers:
                layers[cargo.commodity_id] = list(self.residues.taken(cargo.commodity_id, self.layers))
            for start, end, way, length, usd, on in priced[ends]:
                if on is not None and on.isdisjoint(order.window):
                    continue
                for before, after in layers[cargo.commodity_id]:
                    spots = Spot(*start, before), Spot(*end, after)
                    if kind.first_day.get(spots[0], self.problem.days) <= order.window[-1]:
                        yield Move(self.wagon_id, order.order_id, *spots, way, length, usd, "loaded", on)

    def _loaded_ways(
        self, kind: WagonType, origin: str, destination: str, form: str
    ) -> Iterator[tuple[Place, Place, Way, int, Fraction, frozenset[int] | None]]:
        for start in ((origin, g) for g in self.gauges):
            for end in ((destination, g) for g in self.gauges):
                if not kind.homeward.allows(start, end, loaded=True):
                    continue
                for way, on in self.ways.between(self.rails.with_load(form), start, end):
                    length, usd = self.ways.terms(way, self.home, loaded=True)
                    yield start, end, way, length, usd + kind.homeward.more_usd(start, end), on

    def empty(self, kind: WagonType) -> Iterator[Move]:
        by_layer: dict[str, list[tuple[Spot, Place]]] = {}
        for spot in kind.first_day:
            by_layer.setdefault(spot.residue, []).append((spot, spot.place))
        homeward = kind.homeward if kind.homeward.owed else None
        for start, first in kind.first_day.items():
            place, last = start.place, self.problem.days - first
            for end, there in by_layer[start.residue]:
                if homeward is not None and not homeward.allows(place, there, loaded=False):
                    continue
                for way, on in self.ways.between(self.rails, place, there):
                    length, usd = self.ways.terms(way, self.home, loaded=False)
                    if length < last and (on is None or max(on) >= first):
                        usd = usd if homeward is None else usd + homeward.more_usd(place, there)
                        yield Move(self.wagon_id, "", start, end, way, length, usd, "empty", on)

    # --- what is spent before planning begins -------------------------------------------------------------------------

    def spent_usd(self, kind: WagonType) -> Fraction:
        """Runs, nights and hires of a running plan until now, and what its wagons owe where they come to stand."""
        first, days, usd = self.past.first, self.problem.days, Fraction(0)
        idle = exact(self.settings.idle_usd_per_wagon_day)
        for (spot, day), units in self.past.stock.get(self.wagon_id, {}).items():
            if day < first:
                usd += (idle + self.abroad_usd(spot.node_id)) * units * (first - day)
            if day < days:
                usd += (kind.homeward.usd(spot.place) or 0) * units
        usd += exact(self.row["hire_usd_per_day"]) * self.past.hire_days.get(self.wagon_id, 0)
        return usd + sum((self._run_usd(kind, run) * int(run["wagons"]) for run in self._gone), Fraction(0))

    @property
    def _gone(self) -> Sequence[Mapping[str, Any]]:
        return self.past.runs.get(self.wagon_id, ())

    def _run_usd(self, kind: WagonType, run: Mapping[str, Any]) -> Fraction:
        """Cost of one wagon of a run that has left, and what it owes where it comes out after the horizon."""
        days = int(run["arrive_day"]) - int(run["depart_day"])
        if run["kind"] in ("cleaning", "maintenance"):
            work = next(w for w in self.works if w["work_id"] == run["path"][0])
            return exact(work["cost_usd_per_wagon"]) + self.abroad_usd(run["from_node"]) * days
        way = self._gone_way(run)
        usd = way.change_usd + self.ways.abroad_usd(way, self.home, days)
        if int(run["arrive_day"]) >= self.problem.days:
            usd += kind.homeward.usd(run["end"].place) or 0
        return usd if run["order_id"] else usd + self.ways.per_km * way.length_km

    def km(self, run: Mapping[str, Any]) -> Fraction:
        """Length of the way of a run that has left."""
        return self._gone_way(run).length_km

    def _gone_way(self, run: Mapping[str, Any]) -> Way:
        form = self.form_of[run["order_id"]] if run["order_id"] else ""
        closed = frozenset(c.link_id for c in self.problem.closed if c.first_day <= run["depart_day"] <= c.last_day)
        way = self.ways.around(closed, self.rails.with_load(form), run["start"].place, run["end"].place)
        if way is None or way.path != tuple(run["path"]):
            raise UsageError(f"run {run['run_id']} of the running plan does not go the fastest way; verify it first")
        return way


def _wagons(quantity_t: Fraction, load_t: Fraction) -> int:
    """Wagons that carry some tonnes."""
    return -(-quantity_t.numerator * load_t.denominator // (quantity_t.denominator * load_t.numerator))
