"""Places, links, sea legs, ports and emission factors: one function per table, all straight from the
facts.
"""

from __future__ import annotations

from scripts.reference.facts import Fact, Facts, Row, band, derived, number, origin

#: README of the facts: "R230 replaces R200+R201 when built", so the old track of that section ends with 2026.
REPLACED_BY_ML1_UPGRADE = {"R200", "R201"}
#: In no named network; a scenario may open them.
OPTION = "option"


def named_networks(fact: Fact) -> str:
    """``in_network_2026`` and ``in_network_2035`` as the names of the networks a row is part of."""
    if fact.get("link_id") in REPLACED_BY_ML1_UPGRADE:
        return "2026"
    years = [year for year in ("2026", "2035") if fact[f"in_network_{year}"] == "1"]
    return ";".join(years) or OPTION


def nodes(facts: Facts) -> list[Row]:
    """Places; the confidence speaks of the coordinates, the only numbers of the table."""
    return [
        {
            **{column: fact[column] for column in ("node_id", "name", "country", "lat", "lon", "kind", "unlocode")},
            "source": fact["source"],
            "confidence": "published" if fact["coord_quality"] == "city_centroid" else "estimated",
            "notes": "; ".join(
                part
                for part in (
                    fact["notes"],
                    f"coordinates: {fact['coord_quality'].replace('_', ' ')}",
                    f"status 2026: {fact['status_2026'].replace('_', ' ')}",
                    f"gauges {fact['gauges_mm'].replace(';', ' and ')} mm" if fact["gauges_mm"] else "",
                    f"UN/LOCODE: {fact['unlocode_basis']}" if fact["unlocode_basis"] else "",
                )
                if part
            ),
        }
        for fact in facts.rows("nodes")
    ]


def links(facts: Facts) -> list[Row]:
    """Rail, road and ferry links with the bands of speed and trains a day."""
    return [
        {
            **{column: fact[column] for column in ("link_id", "from_node", "to_node", "mode", "gauge_mm", "tracks")},
            "length_km": number(fact, "length_km"),
            **band(fact, "commercial_speed_kmh", "speed_kmh"),
            "capacity_mt_per_year": number(fact, "capacity_mt_per_year"),
            **band(fact, "capacity_train_pairs_per_day", "capacity_trains_per_day"),
            "electrified": fact["electrified"],
            "ruling_gradient_permille": number(fact, "ruling_gradient_permille"),
            "max_train_gross_t": number(fact, "max_train_gross_t"),
            "max_train_wagons": fact["max_train_wagons"],
            "status": fact["status_2026"],
            "year_open": fact["year_open"],
            "cost_musd": number(fact, "cost_musd"),
            "networks": named_networks(fact),
            "gauge_variants": fact["gauge_variant"],
            **origin(
                fact,
                f"confidence speaks of length and status; operating figures {fact['operating_params_confidence']}",
                f"band: {fact['uncertainty_basis']}",
                "replaced by R230 in the 2035 network" if fact["link_id"] in REPLACED_BY_ML1_UPGRADE else "",
            ),
        }
        for fact in facts.rows("links")
    ]


def sea_legs(facts: Facts) -> list[Row]:
    """Sea legs; the service transit with its calls stands in for the sailing days where it is known."""
    rows = []
    for fact in facts.rows("sea_legs"):
        transit = number(fact, "service_transit_days")
        rows.append(
            {
                **{column: fact[column] for column in ("leg_id", "from_port", "to_port", "sailings_per_week")},
                "distance_nm": number(fact, "distance_nm"),
                "sailing_days_container": transit or number(fact, "sailing_days_container"),
                "sailing_days_bulk": number(fact, "sailing_days_bulk"),
                "cost_usd_per_feu": number(fact, "cost_usd_per_feu"),
                "cost_usd_per_teu": number(fact, "cost_usd_per_teu"),
                "cost_usd_per_t_bulk": number(fact, "cost_usd_per_t_bulk"),
                "chokepoints": "" if fact["chokepoints"] == "none" else fact["chokepoints"],
                "networks": named_networks(fact),
                **origin(
                    fact,
                    fact["confidence"],
                    f"container days: service transit; {fact['service_basis']}" if transit else "",
                    confidence="estimated",
                ),
            }
        )
    return rows


#: Published or announced capacity is a limit only where the facts give one that is meant as a limit.
CAPACITY_IS_ORDER_OF_MAGNITUDE = {"CN_LYG"}


def ports(facts: Facts) -> list[Row]:
    """Port limits; today's throughput takes capacity first. Overseas ports never limit."""
    kinds = {fact["node_id"]: fact["kind"] for fact in facts.rows("nodes")}
    rows = []
    for fact in facts.rows("ports"):
        port = fact["node_id"]
        limited = kinds[port] == "sea_port" and port not in CAPACITY_IS_ORDER_OF_MAGNITUDE
        remark = (
            f"background = throughput of {fact['actual_year']}"
            if limited
            else "no limit: capacity is an order of magnitude from memory"
        )
        rows.append(
            {
                "node_id": port,
                "max_draught_m": number(fact, "max_draught_m"),
                "capacity_teu_per_year": number(fact, "capacity_teu_per_year") if limited else None,
                "capacity_mt_per_year": number(fact, "capacity_mt_per_year") if limited else None,
                "background_teu_per_year": (number(fact, "actual_teu") or 0) if limited else 0,
                "background_mt_per_year": (number(fact, "actual_mt") or 0) if limited else 0,
                "free_days": number(fact, "free_days"),
                "berth_moves_per_h": number(fact, "berth_moves_per_hour"),
                "port_dues_usd_50k_grt": number(fact, "port_dues_usd_50k_grt"),
                **origin(fact, remark, f"sourced fields: {fact['sourced_fields'] or 'none'}"),
            }
        )
    return rows


#: (mode, traction, countries, form) of the MODEL rows, the only ones that may be mixed (E20-E28).
EMISSION_KEYS = {
    "E20": ("rail", "diesel", "", ""),
    "E21": ("rail", "electric", "KZ", ""),
    "E22": ("rail", "electric", "UZ", ""),
    "E23": ("rail", "electric", "CN", ""),
    "E24": ("road", "", "", ""),
    "E25": ("sea", "", "", "container"),
    "E26": ("sea", "", "", "bulk"),
    "E27": ("terminal", "", "", "container"),
    "E28": ("ferry", "", "", ""),
}


def emissions(facts: Facts) -> list[Row]:
    """MODEL factors. Diesel rail and lorry factors serve every country; other electric railways take the
    mean of three.
    """
    rows: list[Row] = []
    for fact in facts.rows("emissions"):
        if fact["emission_id"] not in EMISSION_KEYS:
            continue
        mode, traction, countries, form = EMISSION_KEYS[fact["emission_id"]]
        keys = {"mode": mode, "traction": traction, "countries": countries, "form": form}
        values = {
            "value": number(fact, "value"),
            "value_low": number(fact, "low"),
            "value_high": number(fact, "high"),
        }
        scope = f"{fact['scope']}; {fact['boundary']}"
        rows.append(
            {
                "emission_id": fact["emission_id"],
                **keys,
                "unit": fact["unit"],
                **values,
                **origin(fact, scope),
            }
        )
    electric = [row for row in rows if row["traction"] == "electric"]
    mean = {
        end: round(sum(row[end] for row in electric) / len(electric), 1) for end in ("value", "value_low", "value_high")
    }
    other = {"emission_id": "E21-other", "mode": "rail", "traction": "electric", "countries": "", "form": ""}
    return [*rows, {**other, "unit": "g_co2e_per_tkm", **mean, **derived("mean of E21, E22 and E23")}]
