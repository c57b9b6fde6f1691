"""Commodities, tariffs, borders, emission factors and rolling-stock types of a generated corridor.

The levels follow what published tariffs of the region look like; the seed moves each rate by up to a sixth.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from optimizer.data.generator import table_of

# id, name, HS, form, USD/t, t per FEU, percent of value a day, t/m3
COMMODITIES = (
    ("machinery", "Machinery and parts", "84", "container", 6000.0, 18.0, 0.05, None),
    ("textiles", "Textiles", "52", "container", 3500.0, 16.0, 0.06, None),
    ("metals", "Copper and other refined metals", "74", "container", 8000.0, 25.0, 0.03, None),
    ("food", "Packed food", "20", "container", 1500.0, 22.0, 0.15, None),
    ("wheat", "Wheat", "1001", "hopper", 260.0, 26.0, 0.06, 0.78),
    ("cotton", "Cotton in bales", "5201", "covered", 1900.0, 22.0, 0.05, None),
    ("fertiliser", "Fertiliser", "31", "covered", 380.0, 25.0, 0.05, 0.95),
    ("fuel", "Oil products", "2710", "tank", 720.0, 24.0, 0.05, 0.8),
    ("coal", "Coal", "2701", "gondola", 110.0, 26.0, 0.05, 0.85),
    ("steel", "Steel products", "72", "flat", 700.0, 26.0, 0.05, None),
)
# form: USD a day hire, teu slots, tare t, length m, payload t by gauge (1520, 1435, 1676)
WAGONS = {
    "container": (24.0, 2, 21.0, 14.6, (69.0, 61.0, 61.0)),
    "covered": (22.0, 0, 24.0, 15.0, (68.0, 60.0, 58.0)),
    "hopper": (25.0, 0, 21.5, 14.7, (70.0, 62.0, 60.0)),
    "gondola": (19.0, 0, 23.0, 13.9, (71.0, 61.0, 60.0)),
    "tank": (28.0, 0, 26.0, 12.0, (66.0, 58.0, 54.0)),
    "flat": (21.0, 0, 22.0, 14.6, (70.0, 61.0, 60.0)),
}
SUBSTITUTES = (("gondola", "flat"), ("covered", "hopper"))  # wagon of the first form may take the second's cargo
HOME = {1520: "KZ", 1435: "AF", 1676: "PK"}
HAUL_USD_PER_T_KM = {"KZ": 0.021, "AF": 0.038, "PK": 0.027}
LOCOMOTIVES = (
    ("D1520", "KZ", 1520, "diesel", 2900.0, 440.0, 138.0, 100.0, 3200.0, 1900.0),
    ("E1520", "KZ", 1520, "electric", 6000.0, 520.0, 184.0, 120.0, 5000.0, 2400.0),
    ("D1435", "AF", 1435, "diesel", 2900.0, 430.0, 132.0, 100.0, 3000.0, 2000.0),
    ("D1676", "PK", 1676, "diesel", 2240.0, 400.0, 126.0, 110.0, 2400.0, 1800.0),
)


def make_prices(rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Tables that do not depend on the size of the instance."""
    return {
        "commodities": _commodities(),
        "tariffs": _tariffs(rng),
        "borders": _borders(rng),
        "emissions": _emissions(),
        "locomotives": _locomotives(),
    } | _wagons()


def _commodities() -> pd.DataFrame:
    columns = (
        "commodity_id", "name", "hs_code", "cargo_form", "value_usd_per_t", "load_t_per_feu",
        "value_of_time_pct_per_day", "bulk_density_t_per_m3",
    )  # fmt: skip
    return table_of("commodities", [dict(zip(columns, row, strict=True)) for row in COMMODITIES])


def _tariffs(rng: np.random.Generator) -> pd.DataFrame:
    rows: list[dict[str, object]] = []

    def add(
        kind: str, unit: str, value: float, country: str = "", mode: str | None = None, form: str | None = None
    ) -> None:
        rate = round(value * float(rng.uniform(0.85, 1.15)), 4) if unit != "factor" else value
        rows.append(
            {
                "tariff_id": f"{kind}-{len(rows)}", "kind": kind, "countries": (country,) if country else (),
                "mode": mode, "form": form, "unit": unit, "value": rate, "value_low": round(rate * 0.85, 4),
                "value_high": round(rate * 1.2, 4),
            }
        )  # fmt: skip

    for country, haul in HAUL_USD_PER_T_KM.items():
        add("line_haul", "usd_per_t_km", haul, country, "rail", "bulk")
        add("line_haul", "usd_per_feu_km", haul * 22, country, "rail", "container")
        add("line_haul", "usd_per_t_km", haul * 3, country, "road", "bulk")
        add("line_haul", "usd_per_feu_km", haul * 60, country, "road", "container")
    add("multiplier", "factor", 1.08, "PK", "rail")
    add("security", "usd_per_train_km", 6.0, "AF", "rail")
    add("entry_fee", "usd_per_t", 1.5, "AF", form="bulk")
    add("entry_fee", "usd_per_feu", 50.0, "AF", form="container")
    add("insurance", "percent_of_value", 0.25)
    add("insurance", "percent_of_value", 0.15, "AF")
    return table_of("tariffs", rows)


def _borders(rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    for first, second in (("KZ", "AF"), ("AF", "PK"), ("KZ", "PK")):
        for mode in ("rail", "road"):
            dwell_h = round(float(rng.uniform(12, 30)), 1)
            for tail, head in ((first, second), (second, first)):
                rows.append(
                    {
                        "border_id": f"{tail}-{head}-{mode}", "from_country": tail, "to_country": head, "mode": mode,
                        "dwell_h": dwell_h, "dwell_h_low": round(dwell_h * 0.5, 1), "dwell_h_high": dwell_h * 2,
                        "cost_usd_per_feu": 40.0, "cost_usd_per_t": 1.2,
                    }
                )  # fmt: skip
    return table_of("borders", rows)


def _emissions() -> pd.DataFrame:
    columns = ("emission_id", "mode", "traction", "unit", "value")
    rows = (
        ("rail-diesel", "rail", "diesel", "g_co2e_per_tkm", 28.0),
        ("rail-electric", "rail", "electric", "g_co2e_per_tkm", 14.0),
        ("road", "road", None, "g_co2e_per_tkm", 85.0),
        ("sea", "sea", None, "g_co2e_per_tkm", 9.0),
        ("lift", "terminal", None, "kg_co2e_per_lift", 10.0),
    )
    return table_of("emissions", [dict(zip(columns, row, strict=True)) for row in rows])


def _locomotives() -> pd.DataFrame:
    columns = (
        "loco_id", "country", "gauge_mm", "traction", "power_kw", "starting_te_kn", "mass_t", "max_speed_kmh",
        "typical_trailing_gross_t", "cost_usd_per_day",
    )  # fmt: skip
    return table_of("locomotives", [dict(zip(columns, row, strict=True)) for row in LOCOMOTIVES])


def wagon_id(form: str, gauge_mm: int) -> str:
    """Id of the usual wagon of a cargo form and gauge."""
    return f"{form}-{gauge_mm}"


def _wagons() -> dict[str, pd.DataFrame]:
    """One type per cargo form and gauge, and a covered wagon whose bogies can be changed between 1520 and 1435 mm."""
    wagons, suits = [], []
    for form, (hire, teu, tare_t, length_m, payloads_t) in WAGONS.items():
        for gauge_mm, payload_t in zip((1520, 1435, 1676), payloads_t, strict=True):
            wagons.append(_wagon(wagon_id(form, gauge_mm), (gauge_mm,), form, hire, teu, tare_t, length_m, payload_t))
            for commodity in COMMODITIES:
                substitute = (form, commodity[3]) in SUBSTITUTES
                if commodity[3] == form or substitute:
                    suits.append(
                        {
                            "wagon_id": wagon_id(form, gauge_mm), "commodity_id": commodity[0],
                            "suit_form": "in container" if form == "container" else "",
                            "preference": 2 if substitute else 1,
                        }
                    )  # fmt: skip
    hire, teu, tare_t, length_m, (payload_t, *_) = WAGONS["covered"]
    wagons.append(
        _wagon("covered-1520-1435", (1520, 1435), "covered", hire * 1.3, teu, tare_t + 1, length_m, payload_t - 4)
    )
    suits += [
        {"wagon_id": "covered-1520-1435", "commodity_id": commodity, "suit_form": "", "preference": 2}
        for commodity in ("cotton", "fertiliser")
    ]
    return {"wagons": table_of("wagons", wagons), "wagon_suits": table_of("wagon_suits", suits)}


def _wagon(
    wagon: str,
    gauges_mm: tuple[int, ...],
    form: str,
    hire: float,
    teu: int,
    tare_t: float,
    length_m: float,
    payload_t: float,
) -> dict[str, object]:
    return {
        "wagon_id": wagon, "gauges_mm": tuple(map(str, gauges_mm)), "wagon_type": form, "payload_t": payload_t,
        "gauge_change": "bogie_exchange" if len(gauges_mm) > 1 else "none", "typical_load_t": round(payload_t * 0.9),
        "tare_t": tare_t, "length_m": length_m, "teu_slots": teu, "home_country": HOME[gauges_mm[0]],
        "hire_usd_per_day": round(hire, 2),
    }  # fmt: skip
