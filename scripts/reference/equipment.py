"""Wagon and locomotive types, and the layouts of the gauge-change terminals."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.reference.facts import Fact, Facts, Row, estimated, number, origin

#: 1520 mm types that the bogie hall at Sarakhs takes (covered, hopper, gondola, oil tank). A choice of the
#: model: boxes are
#: lifted over instead, and LPG tanks are not seen south of Sarakhs.
BOGIE_EXCHANGEABLE = {"W1520_COV", "W1520_HOP", "W1520_GON", "W1520_TNK"}
VARIABLE_GAUGE = "W_VG"
HOME_COUNTRY = {"1520": "KZ", "1435": "IR", "1676": "PK"}
#: Types with a home railway owe it the way home: Kazakhstan, Uzbekistan and Iran are parties to the rules for wagons in
#: international traffic (PGV); for the others it is a choice of the model. The empty return of Afghan traffic (K16,
#: ariana1401) comes of it.


def wagons(facts: Facts) -> list[Row]:
    """Wagon types; which of them cross a break of gauge is a choice of the model, see the constants."""
    rows = []
    for fact in facts.rows("wagons"):
        wagon_id, gauge = fact["wagon_id"], fact["gauge_mm"]
        if wagon_id == VARIABLE_GAUGE:
            gauges, change, home = "1520;1435", "variable_gauge", ""
        elif wagon_id in BOGIE_EXCHANGEABLE:
            gauges, change, home = "1520;1435", "bogie_exchange", HOME_COUNTRY[gauge]
        else:
            gauges, change, home = gauge, "none", HOME_COUNTRY[gauge]
        choice = "runs on 1435 mm after a bogie exchange: a choice of the model" if change == "bogie_exchange" else ""
        rows.append(
            {
                "wagon_id": wagon_id,
                "gauges_mm": gauges,
                "gauge_change": change,
                **{column: fact[column] for column in ("wagon_type", "model_example", "teu_slots")},
                **{
                    column: number(fact, column)
                    for column in (
                        "payload_t",
                        "typical_load_t",
                        "tare_t",
                        "length_m",
                        "axle_load_t",
                        "volume_m3",
                        "hire_usd_per_day",
                        "mean_turnaround_days",
                        "purchase_usd",
                    )
                },
                "home_country": home,
                "return_rule": "return" if home else "none",
                **origin(fact, choice, f"suits: {fact['suits'].replace(';', ', ')}"),
            }
        )
    return rows


#: The pair on the Bolan ramp: its daily cost of 2,900 USD is that of one GEU-40 (1,600) and one ZCU-30
#: (1,300).
BANKER_PAIR = ("PK_GEU40", "PK_ZCU30")


def locomotives(facts: Facts) -> list[Row]:
    """Locomotive types; the Bolan pair is put together from its two members."""
    facts_by_id = facts.by_id("locomotives")
    rows = []
    for fact in facts_by_id.values():
        figures: Row = {
            column: number(fact, column) for column in ("power_kw", "starting_te_kn", "mass_t", "max_speed_kmh")
        }
        remarks = [f"units in service: {fact['fleet_units']}" if fact["fleet_units"] else ""]
        confidence = fact["confidence"]
        if fact["loco_id"] == "PK_BANKER":
            members = [facts_by_id[name] for name in BANKER_PAIR]
            figures = {
                column: sum(number(member, column) or 0 for member in members)
                for column in ("power_kw", "starting_te_kn", "mass_t")
            }
            figures["max_speed_kmh"] = min(number(member, "max_speed_kmh") or 0 for member in members)
            remarks.append(
                "one unit = a pair: power, tractive effort and mass of PK_GEU40 and PK_ZCU30 together (derived)"
            )
            confidence = "estimated"
        rows.append(
            {
                "loco_id": fact["loco_id"],
                "country": fact["operator_country"],
                "gauge_mm": fact["gauge_mm"],
                "model": fact["model"],
                "traction": "diesel" if fact["traction"] == "diesel" else "electric",
                **figures,
                "typical_trailing_gross_t": number(fact, "typical_trailing_gross_t"),
                "cost_usd_per_day": number(fact, "cost_usd_per_day"),
                **origin(fact, *remarks, confidence=confidence),
            }
        )
    return rows


BENCHMARKS = {"TL8", "TL9"}
#: Layouts whose first gauge depends on the variant: gauge -> variant.
GAUGE_BY_VARIANT = {"TL5": {"1435": "A", "1520": "B"}}
#: Variant of layouts that exist in one variant only.
VARIANT = {"TL6": "C"}
#: Charge of a box through the terminal (two crane moves), USD, from gauge_terminals.
CHARGE_PER_BOX = {"TL1": 329, "TL2": 329, "TL3": 40, "TL4": 110, "TL5": 50, "TL6": 50, "TL7": 40}
CHARGE_SOURCE = {
    "TL1": "G01", "TL2": "G02", "TL3": "G20", "TL4": "G07 (5 USD/t at 22 t)", "TL5": "G15", "TL6": "G17", "TL7": "G20",
}  # fmt: skip
#: Through the yard a box is lifted twice and pays the whole charge; wagon to wagon it is lifted once. Share
#: is ours.
DIRECT_SHARE = 0.6
#: G04, USD per wagon.
BOGIE_USD = {"TL3": 90.0}
#: Bulk that can lie on the ground or in a silo, t. TL6: grain silo of 50,000 t; others about a day of the
#: bulk capacity.
BULK_YARD_T = {"TL3": 9000.0, "TL4": 3000.0, "TL5": 12000.0, "TL6": 50000.0}
#: Bulk wagons an hour and where: G05 2.5 h per 20-wagon cut; G16 and G18 2.0 h per 20-wagon cut; G07 4 h
#: per 10-wagon spot.
BULK_WAGONS_PER_H = {"TL3": 8.0, "TL4": 2.5, "TL5": 10.0, "TL6": 10.0}


def _module_tracks(fact: Fact, column: str) -> int:
    return int(fact[column] or 0)


def _sides(fact: Fact) -> Iterator[tuple[str, str, str]]:
    """(side, gauge, variant) of a layout; side ``a`` appears once per gauge it may have."""
    layout = fact["layout_id"]
    by_variant = GAUGE_BY_VARIANT.get(layout)
    if by_variant:
        for gauge, variant in by_variant.items():
            yield "a", gauge, variant
    else:
        yield "a", fact["gauge_a_mm"], VARIANT.get(layout, "")
    if fact["gauge_b_mm"] != "0":
        both = ";".join(by_variant.values()) if by_variant else VARIANT.get(layout, "")
        yield "b", fact["gauge_b_mm"], both


def _layouts(facts: Facts) -> list[dict[str, str]]:
    return [fact for fact in facts.rows("terminal_layouts") if fact["layout_id"] not in BENCHMARKS]


def _variants(fact: Fact) -> str:
    return ";".join(GAUGE_BY_VARIANT.get(fact["layout_id"], {}).values()) or VARIANT.get(fact["layout_id"], "")


def terminals(facts: Facts) -> list[Row]:
    """Yard and prices of the seven terminals."""
    rows = []
    for fact in _layouts(facts):
        layout = fact["layout_id"]
        box = CHARGE_PER_BOX[layout]
        prices = f"prices derived from {CHARGE_SOURCE[layout]}: yard move half the charge, direct move 60 % of it"
        rows.append(
            {
                "terminal_id": layout,
                "node_id": fact["node_id"],
                "name": fact["name"],
                "yard_capacity_teu": number(fact, "yard_slots_teu") or 0.0,
                "yard_capacity_t": BULK_YARD_T.get(layout, 0.0),
                "direct_usd_per_move": round(DIRECT_SHARE * box, 2),
                "yard_usd_per_move": box / 2,
                "bogie_usd_per_wagon": BOGIE_USD.get(layout, 0.0),
                "networks": "2035" if fact["status"] == "planned" else "2026;2035",
                "gauge_variants": _variants(fact),
                **origin(
                    fact,
                    prices,
                    f"crane reach: {fact['crane_reach']}",
                    f"also: {fact['other_equipment'] or 'nothing'}",
                ),
            }
        )
    return rows


def track_ids(fact: Fact) -> Iterator[tuple[str, str, str, int, bool]]:
    """(track id, gauge, variant, number within its module, second module) of every track of a layout."""
    layout = fact["layout_id"]
    for side, gauge, variant in _sides(fact):
        stem = f"{layout}-{gauge}"
        first, second = (
            _module_tracks(fact, f"tracks_{side}"),
            _module_tracks(fact, f"second_module_tracks_{side}"),
        )
        for position in range(1, first + 1):
            yield f"{stem}-{position}", gauge, variant, position, False
        for position in range(1, second + 1):
            yield f"{stem}-{first + position}", gauge, variant, position, True


def terminal_tracks(facts: Facts) -> list[Row]:
    """Tracks of both modules; the second module is as long as the first."""
    rows = []
    for fact in _layouts(facts):
        lengths = {fact["gauge_b_mm"]: fact["usable_length_b_m"]}
        for track, gauge, variant, _, second in track_ids(fact):
            rows.append(
                {
                    "track_id": track,
                    "terminal_id": fact["layout_id"],
                    "gauge_mm": gauge,
                    "length_m": float(lengths.get(gauge, fact["usable_length_a_m"])),
                    "gauge_variants": variant,
                    **origin(fact, "second module, length as the first" if second else "first module", notes=""),
                }
            )
            rows[-1]["notes"] = "second module, length as the first" if second else "first module"
    return rows


def _reach(fact: Fact, variant: str, second: bool) -> list[list[str]]:
    """Track ids of each gauge of one module, in the tracks that exist under ``variant``."""
    by_gauge: dict[str, list[str]] = {}
    for track, gauge, variants, _, in_second in track_ids(fact):
        if in_second == second and (not variants or not variant or variant in variants.split(";")):
            by_gauge.setdefault(gauge, []).append(track)
    return list(by_gauge.values())


#: Gantries that straddle the first module, and how many of them; the rest stand over the second.
GANTRIES_FIRST_MODULE = {"TL1": 3, "TL5": 3, "TL6": 3}
#: "six tracks" under the gantries: three of each gauge.
TRACKS_UNDER_GANTRY = 3


def _crane(
    fact: Fact, crane_id: str, reach: list[str], handles: str, moves: float, variant: str, note: str, runway: str = ""
) -> Row:
    return {
        "crane_id": crane_id,
        "terminal_id": fact["layout_id"],
        "tracks": ";".join(reach),
        "handles": handles,
        "moves_per_h": moves,
        "shifts_h": shifts(fact),
        "runway": runway,
        "gauge_variants": variant,
        "source": fact["source"],
        "confidence": "estimated",
        "notes": note,
    }


def shifts(fact: Fact) -> str:
    """Working hours: one shift starts at 8:00, two of twelve or three of eight hours fill the day."""
    hours = int(fact["shifts_per_day"]) * int(fact["shift_hours"])
    return "0-24" if hours >= 24 else f"8-{8 + hours}"


def terminal_cranes(facts: Facts) -> list[Row]:
    """Cranes: gantries reach three tracks of each gauge in their module, machines one track of each; bulk on
    the second module.
    """
    rows = []
    for fact in _layouts(facts):
        layout, count, moves = fact["layout_id"], int(fact["cranes"]), float(fact["moves_per_crane_hour"])
        for variant in _variants(fact).split(";"):
            tag = f"-{variant}" if variant else ""
            first, second = (_reach(fact, variant, in_second) for in_second in (False, True))
            gantries = GANTRIES_FIRST_MODULE.get(layout)
            for position in range(count):
                if gantries and position < gantries:
                    reach = [track for tracks in first for track in tracks[:TRACKS_UNDER_GANTRY]]
                elif gantries:
                    reach = [track for tracks in second for track in tracks]
                else:
                    pairs = [list(pair) for pair in zip(*first, strict=False)]
                    if layout == "TL2":  # phase 2 doubled the strips
                        pairs += [list(pair) for pair in zip(*second, strict=False)]
                    reach = pairs[position % len(pairs)]
                note = f"{fact['crane_type']}; reach: {fact['crane_reach']}"
                runway = f"{layout}-{1 if position < gantries else 2}" if gantries else ""
                rows.append(
                    _crane(fact, f"{layout}-C{position + 1}{tag}", reach, "container", moves, variant, note, runway)
                )
                if runway:  # gantries of a module run on the same rails
                    rows[-1]["runway_place"] = position
            if layout in BULK_WAGONS_PER_H:
                reach = [track for tracks in (second if any(second) else first) for track in tracks]
                note = "bulk pit, conveyor or gangs; rate from the unit time of G05, G07, G16, G18"
                rows.append(_crane(fact, f"{layout}-B1{tag}", reach, "bulk", BULK_WAGONS_PER_H[layout], variant, note))
    return rows


#: Terminals with a weighbridge ("private platform of 1.68 ha with weighbridge"), and minutes to weigh a wagon. Ours.
WEIGHBRIDGES = ("TL3",)
WEIGHING_MIN = 3.0


def terminal_posts(facts: Facts) -> list[Row]:
    """The weighbridge at Sarakhs, where bulk is weighed once it is on its new wagons."""
    return [
        {
            "post_id": f"{fact['layout_id']}-W1",
            "terminal_id": fact["layout_id"],
            "check": "weighing",
            "minutes_per_wagon": WEIGHING_MIN,
            "shifts_h": shifts(fact),
            **estimated(f"weighbridge from {fact['layout_id']}; {fact['source']}", "minutes to weigh a wagon, ours"),
        }
        for fact in _layouts(facts)
        if fact["layout_id"] in WEIGHBRIDGES
    ]


#: Working day of the bogie hall behind "24 positions x (22 h / 1.75 h) = 302 wagons".
BOGIE_SHIFT = "0-22"
#: Spare bogie sets: three cycles of 24 wagons for each gauge. Ours.
BOGIE_SETS = 72


def terminal_bays(facts: Facts) -> list[Row]:
    """The bogie-exchange hall at Sarakhs."""
    return [
        {
            "bay_id": f"{fact['layout_id']}-H1",
            "terminal_id": fact["layout_id"],
            "wagons_per_cycle": fact["bogie_wagons_per_cycle"],
            "hours_per_cycle": number(fact, "bogie_hours_per_cycle"),
            "shifts_h": BOGIE_SHIFT,
            "bogie_sets_1520": BOGIE_SETS,
            "bogie_sets_1435": BOGIE_SETS,
            **estimated(
                f"positions and cycle from {fact['layout_id']}; {fact['source']}",
                "spare sets: three cycles, ours",
            ),
        }
        for fact in _layouts(facts)
        if fact["bogie_positions"] not in ("", "0")
    ]
