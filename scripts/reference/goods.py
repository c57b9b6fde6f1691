"""What is carried: commodities, the wagons that suit them, annual lanes."""

from __future__ import annotations

from scripts.reference.equipment import VARIABLE_GAUGE
from scripts.reference.facts import Facts, Row, number, origin

#: Cost of not serving a tonne: 500 USD plus a tenth of its value. The dearest route of any lane costs less
#: than 60 % of
#: it, so that only capacity, never price, leaves a normal flow behind.
UNSERVED_BASE_USD, UNSERVED_SHARE_OF_VALUE = 500.0, 0.1
#: Heaviest sensible load of a 40 ft box; two tank containers where the facts give only the 20 ft load.
HEAVIEST_FEU_T = 26.0


def unserved_usd_per_t(value_usd_per_t: float) -> float:
    """The documented rule for lanes, shipments and orders."""
    return round(UNSERVED_BASE_USD + UNSERVED_SHARE_OF_VALUE * value_usd_per_t, 2)


def commodities(facts: Facts) -> list[Row]:
    """Goods with value, loading and time value."""
    rows = []
    for fact in facts.rows("commodities"):
        per_teu = number(fact, "stowage_t_per_teu") or 18.0
        per_feu = number(fact, "stowage_t_per_feu")
        two_tanks = "" if per_feu else "load per FEU: two tank containers, at most 26 t"
        rows.append(
            {
                **{column: fact[column] for column in ("commodity_id", "name", "hs_code", "nhm_code", "cargo_form")},
                "value_usd_per_t": number(fact, "value_usd_per_t"),
                "load_t_per_feu": per_feu or min(HEAVIEST_FEU_T, 2 * per_teu),
                "load_t_per_teu": per_teu,
                "value_of_time_pct_per_day": number(fact, "value_of_time_pct_per_day"),
                "needs_reefer": fact["needs_reefer"] == "1",
                "imdg_class": fact["imdg_class"],
                "bulk_density_t_per_m3": number(fact, "bulk_density_t_per_m3"),
                "shelf_life_days": number(fact, "shelf_life_days"),
                **origin(fact, f"time sensitivity {fact['time_sensitivity'].replace('_', ' ')}", two_tanks),
            }
        )
    return rows


def wagon_suits(facts: Facts) -> list[Row]:
    """Which wagon takes which commodity; 1 is the usual wagon of its gauge, which the variable-gauge option
    never is.
    """
    marks = {
        "source": "estimate: trade practice, as collected with the commodities",
        "confidence": "estimated",
    }
    return [
        {
            **{column: fact[column] for column in ("wagon_id", "commodity_id", "suit_form")},
            "preference": 2 if fact["wagon_id"] == VARIABLE_GAUGE else int(fact["preference"]),
            **marks,
        }
        for fact in facts.rows("wagon_suits")
    ]


def lanes(facts: Facts) -> list[Row]:
    """The 39 origin-destination seeds of 2026, 2030 and 2035."""
    return [
        {
            "lane_id": fact["demand_id"],
            "origin": fact["origin"],
            "destination": fact["destination"],
            "commodity_id": fact["commodity_id"],
            "year": fact["year"],
            "quantity_t_per_year": number(fact, "value", 1000),
            "quantity_t_per_year_low": number(fact, "low", 1000),
            "quantity_t_per_year_high": number(fact, "high", 1000),
            "unserved_usd_per_t": unserved_usd_per_t(float(fact["value_usd_per_t"])),
            **origin(fact, fact["direction"], "unserved: 500 USD + 10 % of the value"),
        }
        for fact in facts.rows("demand")
        if fact["record_type"] == "od_seed"
    ]
