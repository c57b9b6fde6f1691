"""Greenhouse gas of routes: grams per tonne-km by mode, traction, country and form, kilograms per lift."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optimizer.network.layered import TEU_PER_FEU

KM_PER_NM = 1.852
Record = Mapping[Any, Any]


class Factors:
    """The emission rows that apply to a commodity; the row with the most filled keys wins, the first among equals."""

    def __init__(self, rows: list[dict[Any, Any]], commodity: Record) -> None:
        self.is_container = commodity["cargo_form"] == "container"
        self.t_per_feu = float(commodity["load_t_per_feu"])
        self.rows = [
            row
            for row in rows
            if row["form"] in ("", None, "container" if self.is_container else "bulk")
            and (self.is_container or row["unit"] == "g_co2e_per_tkm")
        ]

    def kg_per_t(self, kind: str, asset: Record, countries: tuple[str, str]) -> float:
        """Kilograms of CO2 equivalent per tonne over a link, sea leg or handling; 0 where no row applies."""
        if kind == "handling":
            return self._kg_per_t_of("terminal", "", countries[0], 0.0)
        if kind == "sea":
            return self._kg_per_t_of("sea", "", "", float(asset["distance_nm"]) * KM_PER_NM)
        traction = ""
        if asset["mode"] == "rail":
            traction = "diesel" if str(asset["electrified"]).lower() in ("", "no", "0") else "electric"
        half_km = float(asset["length_km"]) / 2
        return sum(self._kg_per_t_of(str(asset["mode"]), traction, country, half_km) for country in countries)

    def _kg_per_t_of(self, mode: str, traction: str, country: str, km: float) -> float:
        best, chosen = -1, None
        for row in self.rows:
            blank_traction, blank_country = row["traction"] in ("", None), not row["countries"]
            fits = (blank_traction or row["traction"] == traction) and (blank_country or country in row["countries"])
            filled = (not blank_traction) + (not blank_country) + (row["form"] not in ("", None))
            if row["mode"] == mode and fits and filled > best:
                best, chosen = filled, row
        if chosen is None:
            return 0.0
        value = float(chosen["value"])
        if chosen["unit"] == "kg_co2e_per_lift":
            return value / self.t_per_feu
        per_km = value * TEU_PER_FEU / self.t_per_feu if chosen["unit"] == "g_co2e_per_teu_km" else value
        return per_km * km / 1000
