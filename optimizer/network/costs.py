"""The money and time chain of every arc for a commodity (rules 1-8 of ``docs/architecture.md``).

Money is USD per tonne, time and variability are hours; each is kept by component so that answers can say what a route
costs and why.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from optimizer.data.corridor import Corridor
from optimizer.errors import Fault, InstanceError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Objects = npt.NDArray[np.object_]

MONEY_COMPONENTS = ("haul", "security", "fees", "insurance", "handling", "port", "sea")
TIME_COMPONENTS = ("running", "border", "handling", "port", "wait", "sea")
BAND_WIDTH_IN_SD = 2.563  # a 10th to 90th percentile band of a normal distribution
DEFAULT_WAGON_LOAD_T = 60.0
_LINK, _SEA, _HANDLING = 0, 1, 2


@dataclass(frozen=True)
class ArcCosts:
    """Cost arrays of shape (num_arcs,) for one commodity.

    Attributes
    ----------
    money, time_h
        Component -> USD per tonne, hours.
    variability_h
        Standard deviation of the time, hours.
    allowed
        Whether the commodity may use the arc.
    generalised
        ``money + vot * time + vor * variability`` in USD per tonne; ``inf`` where not allowed.
    """

    money: Mapping[str, Floats]
    time_h: Mapping[str, Floats]
    variability_h: Floats
    allowed: Bools
    vot_usd_per_t_h: float
    vor_usd_per_t_h: float
    money_total: Floats = field(init=False)
    time_total: Floats = field(init=False)
    generalised: Floats = field(init=False)

    def __post_init__(self) -> None:
        money_total = np.sum([self.money[name] for name in MONEY_COMPONENTS], axis=0)
        time_total = np.sum([self.time_h[name] for name in TIME_COMPONENTS], axis=0)
        generalised = money_total + self.vot_usd_per_t_h * time_total + self.vor_usd_per_t_h * self.variability_h
        object.__setattr__(self, "money_total", money_total)
        object.__setattr__(self, "time_total", time_total)
        object.__setattr__(self, "generalised", np.where(self.allowed, generalised, np.inf))


class ChainCosts:
    """Everything of the chain that does not depend on the commodity, computed once for a network's arcs."""

    def __init__(
        self, corridor: Corridor, kind: npt.NDArray[np.int8], row: Ints, backward: Bools, *,
        starts: Bools, ends: Bools, tail_node: Objects, head_node: Objects,
    ) -> None:  # fmt: skip
        self.corridor = corridor
        self.links, self.legs, self.handlings = (corridor.table(name) for name in ("links", "sea_legs", "handlings"))
        self.tariffs = corridor.table("tariffs")
        self.is_link, self.is_sea, self.is_handling = kind == _LINK, kind == _SEA, kind == _HANDLING
        self.row, self.backward, self.starts, self.ends = row, backward, starts, ends
        country = dict(zip(corridor.table("nodes")["node_id"], corridor.table("nodes")["country"], strict=True))
        self.tail_country = np.array([country[node] for node in tail_node], dtype=object)
        self.head_country = np.array([country[node] for node in head_node], dtype=object)
        self.link_countries = tuple(
            np.array([country[node] for node in self.links[end]], dtype=object) for end in ("from_node", "to_node")
        )
        self.border_h, self.border_sd_h, self.border_usd = self._borders()
        # Which tariffs apply depends on the form of the cargo alone: found once, not for every commodity.
        self._fitting, self._matching, self._security, self._enters = (
            cache(self._rows_that_fit), cache(self._where_they_match), cache(self._security_usd_per_t),
            cache(self._where_it_enters),
        )  # fmt: skip
        self._line_haul, self._insurance = cache(self._most_specific), cache(self._insured_share)
        self._entry_fees = cache(self._entry_charges)

    def of_commodity(self, commodity_id: str) -> ArcCosts:
        """Costs of every arc for one commodity; KeyError for an unknown one."""
        commodities = self.corridor.table("commodities")
        found = commodities[commodities["commodity_id"] == commodity_id]
        if found.empty:
            raise KeyError(commodity_id)
        commodity = found.iloc[0]
        box = commodity["cargo_form"] == "container"
        form, t_per_feu = ("container" if box else "bulk"), float(commodity["load_t_per_feu"])
        num_arcs = len(self.row)
        money = {name: np.zeros(num_arcs) for name in MONEY_COMPONENTS}
        time_h = {name: np.zeros(num_arcs) for name in TIME_COMPONENTS}
        variability_h = np.zeros(num_arcs)

        links = self.row[self.is_link]
        money["haul"][self.is_link] = self._haul(form, t_per_feu)[links]
        money["security"][self.is_link] = self._security(form)[links]
        time_h["running"][self.is_link] = (self.links["length_km"] / self.links["speed_kmh"]).to_numpy(float)[links]
        time_h["border"] += self.border_h
        variability_h += self.border_sd_h
        money["fees"] += self.border_usd[0] / t_per_feu if box else self.border_usd[1]
        entry_per_feu, entry_per_t = self._entry_fees(form)
        money["fees"] += entry_per_feu / t_per_feu + entry_per_t
        money["insurance"] += self._insurance(form) * float(commodity["value_usd_per_t"])

        legs = self.row[self.is_sea]
        days = self.legs["sailing_days_container" if box else "sailing_days_bulk"].to_numpy(float)
        headway_h = 7 * 24 / self.legs["sailings_per_week"].to_numpy(float)
        per_feu = self.legs["cost_usd_per_feu"].to_numpy(float) / t_per_feu
        money["sea"][self.is_sea] = (per_feu if box else self.legs["cost_usd_per_t_bulk"].to_numpy(float))[legs]
        time_h["sea"][self.is_sea] = 24 * days[legs]
        time_h["wait"][self.is_sea] = headway_h[legs] / 2
        variability_h[self.is_sea] = headway_h[legs] / np.sqrt(12)

        rows = self.row[self.is_handling]
        charge = self._handling_charge(commodity, box)[self.is_handling]
        dwell_h = self.handlings["dwell_h"].to_numpy(float)[rows]
        quay = (self.handlings["technology"] == "quay").to_numpy(bool)[rows]
        for name, mask in (("port", quay), ("handling", ~quay)):
            money[name][self.is_handling] = np.where(mask, charge, 0.0)
            time_h[name][self.is_handling] = np.where(mask, dwell_h, 0.0)
        variability_h[self.is_handling] = _standard_deviation(self.handlings, "dwell_h")[rows]
        serves = np.array(
            [not forms or commodity["cargo_form"] in forms for forms in self.handlings["cargo_forms"]], bool
        )
        allowed = np.ones(num_arcs, bool)
        allowed[self.is_handling] = serves[rows]

        vot = float(commodity["value_usd_per_t"]) * float(commodity["value_of_time_pct_per_day"]) / 100 / 24
        vor = vot * self.corridor.config.port_choice.reliability_ratio
        costs = ArcCosts(money, time_h, variability_h, allowed, vot, vor)
        if (costs.generalised < 0).any():
            raise InstanceError(self.corridor.instance.path, self._below_zero(commodity_id, costs))
        return costs

    def _below_zero(self, commodity_id: str, costs: ArcCosts) -> list[Fault]:
        """One fault for every row whose cost is below zero: a route could go round over it for ever."""
        faults = [
            Fault("tariffs.csv", f"value is {value:g}, expected a number not below zero", int(str(line)))
            for line, value in self.tariffs["value"].items()
            if value < 0
        ]
        tables = ((self.is_link, self.links, "link"), (self.is_sea, self.legs, "sea_leg"),
                  (self.is_handling, self.handlings, "handling"))  # fmt: skip
        for mine, table, noun in tables:
            for row in np.unique(self.row[mine & (costs.generalised < 0)]).tolist():
                arc = int(np.flatnonzero(mine & (self.row == row) & (costs.generalised < 0))[0])
                parts = [f"{name} {usd[arc]:,.4g}" for name, usd in costs.money.items() if usd[arc] < 0]
                if (usd_of_time := costs.generalised[arc] - costs.money_total[arc]) < 0:
                    parts.append(f"time {usd_of_time:,.4g}")
                words = (
                    f"{noun.replace('_', ' ')} '{table.iloc[row, 0]}' costs {costs.generalised[arc]:,.4g} USD/t for "
                    f"{commodity_id} ({', '.join(parts)}), expected a cost not below zero"
                )
                faults.append(Fault(f"{noun}s.csv", words, int(str(table.index[row]))))
        return faults

    def _where_they_match(self, kind: str, form: str, side: int) -> npt.NDArray[np.bool_]:
        """Shape (tariff rows of a kind that fit the form, links): whether a row fits the link on one side of a
        border."""
        rows = self._fitting(kind, form)
        link_id, mode, country = (
            self.links["link_id"].to_numpy(),
            self.links["mode"].to_numpy(),
            self.link_countries[side],
        )
        match = np.ones((len(rows), len(self.links)), bool)
        for number, row in enumerate(rows.itertuples(index=False)):
            if row.links:
                match[number] &= np.isin(link_id.astype(str), row.links)
            if row.countries:
                match[number] &= np.isin(country.astype(str), row.countries)
            if _filled(row.mode):
                match[number] &= mode == row.mode
        return match

    def _haul(self, form: str, t_per_feu: float) -> Floats:
        """USD per tonne of each link: half its length at the rate of either end's country, times the multipliers."""
        total = np.zeros(len(self.links))
        if not len(self.links):
            return total
        half_km = self.links["length_km"].to_numpy(float) / 2
        rates = self._fitting("line_haul", form)
        value = rates["value"].to_numpy(float) / np.where(rates["unit"] == "usd_per_feu_km", t_per_feu, 1.0)
        for side in (0, 1):
            chosen, factor = self._line_haul(form, side)
            total += half_km * value[chosen] * factor
        return total

    def _most_specific(self, form: str, side: int) -> tuple[Ints, Floats]:
        """Of each link, on one side of a border: number of its line-haul row, and the product of its multipliers."""
        rates, factors = self._fitting("line_haul", form), self._fitting("multiplier", form)
        filled = [
            bool(row.links) + bool(row.countries) + _filled(row.mode) + _filled(row.form)
            for row in rates.itertuples(index=False)
        ]
        score = np.where(self._matching("line_haul", form, side), np.array(filled, int)[:, None], -1)
        self._refuse_missing_or_tied(rates, score, side, form)
        applies = self._matching("multiplier", form, side)
        factor = np.where(applies, factors["value"].to_numpy(float)[:, None], 1.0).prod(axis=0)
        return score.argmax(axis=0).astype(np.int64), factor

    def _refuse_missing_or_tied(self, rates: pd.DataFrame, score: npt.NDArray[np.int64], side: int, form: str) -> None:
        best = score.max(axis=0, initial=-1)
        tied = (score == best).sum(axis=0) > 1
        faults = []
        for number in np.flatnonzero((best < 0) | tied):
            link, line = self.links.iloc[number], int(self.links.index[number])
            where = f"link '{link['link_id']}' ({link['mode']}, {self.link_countries[side][number]})"
            if best[number] < 0:
                text = f"{where} has no line_haul tariff for {form} cargo; add a row for its country or mode to tariffs"
            else:
                names = ", ".join(rates["tariff_id"].to_numpy()[score[:, number] == best[number]])
                text = f"{where} has equally specific line_haul tariffs {names}; make one of them more specific"
            faults.append(Fault("links.csv", text, line))
        if faults:
            raise InstanceError(self.corridor.instance.path, faults)

    def _security_usd_per_t(self, form: str) -> Floats:
        settings = self.corridor.config.port_choice
        net_t = (
            (self.links["max_train_gross_t"] * settings.train_net_share).fillna(settings.train_net_t).to_numpy(float)
        )
        rows = self._fitting("security", form)
        value = rows["value"].to_numpy(float)[:, None]
        half_km = self.links["length_km"].to_numpy(float) / 2
        return sum((self._matching("security", form, side) * value).sum(axis=0) * half_km / net_t for side in (0, 1))

    def _rows_that_fit(self, kind: str, form: str) -> pd.DataFrame:
        """Tariff rows of a kind that apply to a cargo form; rates per FEU serve containers only."""
        rows = self.tariffs[self.tariffs["kind"] == kind]
        fits = [
            (not _filled(row.form) or row.form == form)
            and (form == "container" or not row.unit.startswith("usd_per_feu"))
            for row in rows.itertuples(index=False)
        ]
        return rows[np.array(fits, bool)]

    def _where_it_enters(self, countries: tuple[str, ...]) -> Bools:
        inside_tail, inside_head = (np.isin(c.astype(str), countries) for c in (self.tail_country, self.head_country))
        return (self.is_link | self.is_sea) & ~inside_tail & inside_head

    def _entry_charges(self, form: str) -> tuple[Floats, Floats]:
        """Entry fees of every arc: per FEU, and per tonne."""
        per_feu, per_t = np.zeros(len(self.row)), np.zeros(len(self.row))
        for fee in self._fitting("entry_fee", form).itertuples(index=False):
            (per_feu if fee.unit == "usd_per_feu" else per_t)[self._enters(fee.countries)] += fee.value
        return per_feu, per_t

    def _insured_share(self, form: str) -> Floats:
        """Insurance on every arc as a share of the value."""
        premium = np.zeros(len(self.row))
        for row in self._fitting("insurance", form).itertuples(index=False):
            if row.countries:
                at_origin = self.starts & np.isin(self.tail_country.astype(str), row.countries)
                charged = self._enters(row.countries) | at_origin
            else:
                charged = self.ends
            premium[charged] += row.value / 100
        return premium

    def _borders(self) -> tuple[Floats, Floats, tuple[Floats, Floats]]:
        """Dwell, its standard deviation, and charge (per FEU, per tonne) of every arc that crosses a border on land."""
        borders, num_arcs = self.corridor.table("borders"), len(self.row)
        best, chosen = np.full(num_arcs, -1), np.zeros(num_arcs, int)
        mode = np.full(num_arcs, "", dtype=object)
        mode[self.is_link] = self.links["mode"].to_numpy(object)[self.row[self.is_link]]
        crossing = self.is_link & (self.tail_country != self.head_country)
        for number, row in enumerate(borders.itertuples(index=False)):
            match, filled = crossing.copy(), 0
            for key, values in (
                (row.from_country, self.tail_country),
                (row.to_country, self.head_country),
                (row.mode, mode),
            ):
                if _filled(key):
                    match &= values == key
                    filled += 1
            better = match & (filled > best)
            best[better], chosen[better] = filled, number
        found = best >= 0

        def pick(values: npt.NDArray[np.float64]) -> Floats:
            return np.where(found, values[chosen], 0.0) if len(values) else np.zeros(num_arcs)

        charges = (
            pick(borders["cost_usd_per_feu"].to_numpy(float)),
            pick(borders["cost_usd_per_t"].to_numpy(float)),
        )
        return (
            pick(borders["dwell_h"].to_numpy(float)),
            pick(_standard_deviation(borders, "dwell_h")),
            charges,
        )

    def _handling_charge(self, commodity: pd.Series, box: bool) -> Floats:
        """USD per tonne of every arc that is a handling (zero elsewhere)."""
        table, rows = self.handlings, self.row[self.is_handling]
        charge = table["cost_usd_per_t"].to_numpy(float)[rows]
        if box:
            charge = charge + table["cost_usd_per_feu"].to_numpy(float)[rows] / float(commodity["load_t_per_feu"])
        per_wagon = table["cost_usd_per_wagon"].to_numpy(float)[rows]
        if per_wagon.any():
            loads = self._usual_wagon_loads.get(str(commodity["commodity_id"]), {})
            layers = table["from_layer"].to_numpy(object)[rows], table["to_layer"].to_numpy(object)[rows]
            left = np.where(self.backward[self.is_handling], layers[1], layers[0])
            entered = np.where(self.backward[self.is_handling], layers[0], layers[1])
            gauge = np.where([str(layer).startswith("rail-") for layer in left], left, entered)
            charge = charge + per_wagon / np.array([loads.get(str(layer), DEFAULT_WAGON_LOAD_T) for layer in gauge])
        out = np.zeros(len(self.row))
        out[self.is_handling] = charge
        return out

    @cached_property
    def _usual_wagon_loads(self) -> dict[str, dict[str, float]]:
        """Commodity -> layer -> typical load of the usual wagon: preference 1, own (first listed) gauge, smallest id on
        ties."""
        suits = self.corridor.table("wagon_suits")
        usual = suits[suits["preference"] == 1].merge(self.corridor.table("wagons"), on="wagon_id")
        found: dict[str, dict[str, float]] = defaultdict(dict)
        for row in usual.sort_values("wagon_id", ascending=False)[
            ["commodity_id", "gauges_mm", "typical_load_t"]
        ].itertuples(index=False):
            found[str(row.commodity_id)][f"rail-{row.gauges_mm[0]}"] = float(row.typical_load_t)
        return found


def _filled(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _standard_deviation(table: pd.DataFrame, column: str) -> Floats:
    band = table[f"{column}_high"].astype(float) - table[f"{column}_low"].astype(float)
    return (band.fillna(0.0) / BAND_WIDTH_IN_SD).to_numpy(float)
