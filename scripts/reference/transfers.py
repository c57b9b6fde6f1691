"""The handlings: gauge changes, rail to road, quays; and the contracts that open planned terminals."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.reference.facts import Fact, Facts, Row, band, estimated, number, origin
from scripts.reference.world import OPTION, named_networks

BOX_FORMS = "container;flat"
BULK_FORMS = "covered;hopper;gondola;tank;flat"
ALL_FORMS = ""
#: Forms of the wagons that change bogies (BOGIE_EXCHANGEABLE in equipment.py); boxes are lifted over instead.
BOGIE_FORMS = "covered;hopper;gondola;tank"

#: FEU on a container train: 19 trains a day x 50 boxes in the derived capacity of layout TL1.
FEU_PER_TRAIN = 50
#: Mean load of a 40 ft box: 22.0 t over the container lanes of 2035, weighted with tonnes (loads 15 to 26 t).
T_PER_FEU = 22.0
#: Load of a 1520 mm wagon in transfer: 3,360 t from 50 wagons at Torghundi in Feb 2023 (G07).
T_PER_WAGON_1520 = 67.0
#: First through train at Zahedan, Dec 2021: 26 wagons of 23 t (G20), one box each.
T_PER_BOX_WAGON_1676 = 23.0
#: Usual load of a covered 1676 mm wagon (W1676_COV), for bulk at Zahedan.
T_PER_BULK_WAGON_1676 = 55.0
#: Net load of a bulk train where a terminal counts trains (also the planning value in corridor.toml).
T_PER_BULK_TRAIN = 2000.0
#: Factors of the facts' low/high rule for estimated terminals (cost, dwell, capacity) and for port handling.
COST_BAND, DWELL_BAND, CAPACITY_BAND, QUAY_COST_BAND = (0.65, 1.5), (0.6, 1.6), (0.7, 1.3), (0.65, 1.4)


@dataclass(frozen=True)
class Use:
    """How one row of gauge_terminals becomes one handling."""

    suffix: str
    technology: str
    forms: str
    t_per_unit: float
    capacity_factor: str  # words for the notes
    cost_column: str


BOX_TRAIN = f"{FEU_PER_TRAIN} FEU a train, {T_PER_FEU:g} t a FEU"
WAGON = f"{T_PER_WAGON_1520:g} t a wagon"
THIRD = "; a third of the row's capacity for each technology, since handlings share no limit"
HALF = "; half of the row's capacity for each technology, since two handlings share no limit"
FEU, WAGONS, TONNES = "cost_usd_per_feu", "cost_usd_per_wagon", "cost_usd_per_t"


def _boxes(technology: str) -> Use:
    return Use("", technology, BOX_FORMS, FEU_PER_TRAIN * T_PER_FEU, BOX_TRAIN, FEU)


def _bulk(suffix: str = "") -> Use:
    return Use(suffix, "bulk_transfer", BULK_FORMS, 1.0, "tonnes as given", TONNES)


#: Which technology, for which cargo, each terminal offers. Read off ``technology`` and ``notes`` of the
#: facts.
USES: dict[str, tuple[Use, ...]] = {
    "G01": (_boxes("container_gantry"),),
    "G02": (_boxes("container_gantry"),),
    "G03": (_bulk(),),
    "G04": (Use("", "bogie_exchange", BOGIE_FORMS, T_PER_WAGON_1520, WAGON, WAGONS),),
    "G05": (_bulk(),),
    # Wagon to wagon and bogie exchange; container trains to Iran change here too, so boxes get a share.
    "G06": (
        Use("-bogie", "bogie_exchange", BOGIE_FORMS, T_PER_WAGON_1520 / 3, WAGON + THIRD, WAGONS),
        Use("-bulk", "bulk_transfer", BULK_FORMS, T_PER_WAGON_1520 / 3, WAGON + THIRD, WAGONS),
        Use("-box", "reach_stacker", BOX_FORMS, T_PER_WAGON_1520 / 3, WAGON + THIRD, WAGONS),
    ),
    "G07": (Use("", "rail_road", ALL_FORMS, 1.0, "tonnes as given", TONNES),),
    "G08": (Use("", "rail_road", ALL_FORMS, 1.0, "tonnes as given", TONNES),),
    "G09": (_boxes("reach_stacker"),),
    "G10": (_boxes("container_gantry"),),
    "G11": (_bulk(),),
    "G12": (Use("", "variable_gauge", BOX_FORMS, FEU_PER_TRAIN * T_PER_FEU, BOX_TRAIN, WAGONS),),
    "G13": (_boxes("container_gantry"),),
    "G14": (_bulk(),),
    "G15": (_boxes("container_gantry"),),
    "G16": (_bulk(),),
    "G17": (_boxes("container_gantry"),),
    "G18": (_bulk(),),
    "G19": (Use("", "rail_road", ALL_FORMS, 1.0, "tonnes as given", TONNES),),
    "G20": (
        Use(
            "-box",
            "reach_stacker",
            BOX_FORMS,
            T_PER_BOX_WAGON_1676 / 2,
            f"{T_PER_BOX_WAGON_1676:g} t a wagon{HALF}",
            FEU,
        ),
        Use(
            "-bulk",
            "bulk_transfer",
            BULK_FORMS,
            T_PER_BULK_WAGON_1676 / 2,
            f"{T_PER_BULK_WAGON_1676:g} t a wagon{HALF}",
            TONNES,
        ),
    ),
    "G21": (
        Use("-box", "container_gantry", BOX_FORMS, FEU_PER_TRAIN * T_PER_FEU / 2, BOX_TRAIN + HALF, FEU),
        Use(
            "-bulk",
            "bulk_transfer",
            BULK_FORMS,
            T_PER_BULK_TRAIN / 2,
            f"{T_PER_BULK_TRAIN:g} t a train{HALF}",
            TONNES,
        ),
    ),
}

#: Charges the facts do not give for a derived row: bulk at Zahedan as at Sarakhs (G05), at Kharlachi as at
#: Spin Boldak (G16).
CHARGE_FROM = {"G20-bulk": "G05", "G21-bulk": "G16"}
#: The record day must not be planned with: "use the low value for planning".
PLAN_WITH_LOW = {"G03"}
#: 54 h at Chaman is the road border time, which the border AF-PK charges; the terminal keeps spotting and
#: waiting for a train.
BORDER_COUNTED_ELSEWHERE = {"G19": 24.0}


def _layer(gauge: str) -> str:
    return "road" if gauge == "0" else f"rail-{gauge}"


def gauge_terminals(facts: Facts) -> list[Row]:
    """Gauge changes and rail-road terminals of the facts, in tonnes a day; mixed technologies give several
    rows.
    """
    terminals = facts.by_id("gauge_terminals")
    rows = []
    for terminal_id, uses in USES.items():
        fact = terminals[terminal_id]
        for use in uses:
            handling_id = terminal_id + use.suffix
            charge = terminals[CHARGE_FROM.get(handling_id, terminal_id)]
            capacity = _capacity(fact, use)
            dwell = band(fact, "mean_dwell_h", "dwell_h")
            remarks = [
                f"{fact['technology']}; capacity: {use.capacity_factor}",
                f"band: {fact['uncertainty_basis']}",
            ]
            if charge is not fact:
                remarks.append(f"charge as {charge['terminal_id']}")
            if terminal_id in BORDER_COUNTED_ELSEWHERE:
                hours = BORDER_COUNTED_ELSEWHERE[terminal_id]
                dwell = {
                    "dwell_h": hours,
                    "dwell_h_low": hours * DWELL_BAND[0],
                    "dwell_h_high": hours * DWELL_BAND[1],
                }
                remarks.append(
                    f"estimate: {hours:g} h for spotting and the next train; the 54 h border time stands in borders"
                )
            if terminal_id in PLAN_WITH_LOW:
                remarks.append("planned with the low value; the high one is a record day")
            split = "confidence of the whole terminal; split and conversion derived" if len(uses) > 1 else ""
            rows.append(
                {
                    "handling_id": handling_id,
                    "node_id": fact["node_id"],
                    "from_layer": _layer(fact["from_gauge_mm"]),
                    "to_layer": _layer(fact["to_gauge_mm"]),
                    "both_ways": True,
                    "technology": use.technology,
                    "cargo_forms": use.forms,
                    use.cost_column: number(charge, "cost_usd"),
                    "cost_low": number(charge, "cost_low"),
                    "cost_high": number(charge, "cost_high"),
                    **dwell,
                    **capacity,
                    "networks": "2035" if fact["status_2026"] == "planned" else "2026;2035",
                    "gauge_variants": fact["gauge_variant"],
                    **origin(fact, *remarks, split, confidence="derived" if len(uses) > 1 else fact["confidence"]),
                }
            )
    return rows


def _capacity(fact: Fact, use: Use) -> Row:
    value_column = "capacity_low" if fact["terminal_id"] in PLAN_WITH_LOW else "capacity_per_day"
    return {
        "capacity_t_per_day": number(fact, value_column, use.t_per_unit),
        "capacity_t_per_day_low": number(fact, "capacity_low", use.t_per_unit),
        "capacity_t_per_day_high": number(fact, "capacity_high", use.t_per_unit),
    }


def sarakhs_boxes(facts: Facts) -> list[Row]:
    """Containers at Sarakhs go over the cranes of layout TL3; charge as at Zahedan, dwell as the bulk
    transfer there.
    """
    layout, bulk, charge = facts.by_id("terminal_layouts")["TL3"], *_terminals(facts, "G05", "G20")
    capacity = float(layout["derived_capacity_feu_per_day"]) * T_PER_FEU
    return [
        {
            "handling_id": "G05-box",
            "node_id": "IR_SRK",
            "from_layer": "rail-1520",
            "to_layer": "rail-1435",
            "both_ways": True,
            "technology": "reach_stacker",
            "cargo_forms": BOX_FORMS,
            "cost_usd_per_feu": number(charge, "cost_usd"),
            "cost_low": number(charge, "cost_low"),
            "cost_high": number(charge, "cost_high"),
            **band(bulk, "mean_dwell_h", "dwell_h"),
            "capacity_t_per_day": capacity,
            "capacity_t_per_day_low": capacity * CAPACITY_BAND[0],
            "capacity_t_per_day_high": capacity * CAPACITY_BAND[1],
            "networks": "2026;2035",
            "source": f"derived: TL3 ({layout['derived_capacity_feu_per_day']} FEU a day), G05, G20; "
            f"{layout['source']}",
            "confidence": "derived",
            "notes": f"{T_PER_FEU:g} t a FEU; charge as G20, dwell as G05",
        }
    ]


def _terminals(facts: Facts, *ids: str) -> tuple[Fact, ...]:
    terminals = facts.by_id("gauge_terminals")
    return tuple(terminals[terminal_id] for terminal_id in ids)


@dataclass(frozen=True)
class LorryYard:
    """A place where roads and rails meet and the facts name no terminal, or name it only in passing."""

    node_id: str
    layer: str
    pattern: str  # terminal whose figures it takes
    networks: str
    variants: str
    why: str


#: Needed for lorry legs of today's lanes, or named as dry ports; figures of the pattern, marked as
#: estimates. One gauge a
#: yard: with two, a pair of lorry transfers would stand in for the gauge change beside it and dodge its
#: capacity.
LORRY_YARDS = (
    LorryYard("AF_MZR", "rail-1520", "G08", "2026;2035", "", "end of the Hairatan line, roads to Kabul and Termez"),
    LorryYard("UZ_TMZ", "rail-1520", "G19", "2026;2035", "", "Termez cargo centre, lorries over the bridge"),
    LorryYard("AF_ROZ", "rail-1435", "G19", "2026;2035", "", "railhead of Khaf-Herat until stage 4 opens (T23)"),
    LorryYard("IR_MSH", "rail-1435", "G19", "2026;2035", "", "lorries to Islam Qala and Herat"),
    LorryYard("IR_ZAH", "rail-1435", "G19", "2026;2035", "", "lorries to Chabahar until its railway opens (T16)"),
    LorryYard("PK_QTA", "rail-1676", "G19", "2026;2035", "", "dry port at the start of the N-25"),
    LorryYard("PK_PEW", "rail-1676", "G19", "2026;2035", "", "dry port for Torkham"),
    LorryYard("AF_HEA", "rail-1520", "G19", "2035", "", "dry port at Herat"),
    LorryYard("AF_KDH", "rail-1435", "G19", "2035", "A", "lorry terminals begun in Mar 2025 (TL6)"),
    LorryYard("AF_KDH", "rail-1520", "G19", "2035", "B;C", "lorry terminals begun in Mar 2025 (TL6)"),
    LorryYard("AF_SPB", "rail-1676", "G19", "2035", "", "lorry lane beside the six tracks (TL5)"),
)
#: Spotting and waiting without a border: half the 48 h of Torghundi (G07), as at Chaman.
LORRY_YARD_DWELL_H = 24.0


def lorry_yards(facts: Facts) -> list[Row]:
    """Rail-road transfer at dry ports and railheads: charge and capacity of the pattern terminal, dwell
    without a border.
    """
    rows = []
    for yard in LORRY_YARDS:
        (pattern,) = _terminals(facts, yard.pattern)
        rows.append(
            {
                "handling_id": f"{yard.node_id}-{yard.layer}-road",
                "node_id": yard.node_id,
                "from_layer": yard.layer,
                "to_layer": "road",
                "both_ways": True,
                "technology": "rail_road",
                "cargo_forms": ALL_FORMS,
                "cost_usd_per_t": number(pattern, "cost_usd"),
                "cost_low": number(pattern, "cost_low"),
                "cost_high": number(pattern, "cost_high"),
                "dwell_h": LORRY_YARD_DWELL_H,
                "dwell_h_low": LORRY_YARD_DWELL_H * DWELL_BAND[0],
                "dwell_h_high": LORRY_YARD_DWELL_H * DWELL_BAND[1],
                "capacity_t_per_day": number(pattern, "capacity_per_day"),
                "capacity_t_per_day_low": number(pattern, "capacity_low"),
                "capacity_t_per_day_high": number(pattern, "capacity_high"),
                "networks": yard.networks,
                "gauge_variants": yard.variants,
                **estimated(f"charge and capacity as {yard.pattern}, dwell of a yard without a border", yard.why),
            }
        )
    return rows


def _layers_at_ports(facts: Facts) -> dict[tuple[str, str], set[str]]:
    """Networks of the land and ferry layers that reach each port, read off the links."""
    found: dict[tuple[str, str], set[str]] = {}
    for link in facts.rows("links"):
        layer = f"rail-{link['gauge_mm']}" if link["mode"] == "rail" else link["mode"]
        for end in (link["from_node"], link["to_node"]):
            found.setdefault((end, layer), set()).update(named_networks(link).split(";"))
    return found


def quays(facts: Facts) -> list[Row]:
    """Every land layer of a port to its sea and ferry layers, each of these to the door, and ship to ship; boxes and
    bulk apart.
    """
    at_port = _layers_at_ports(facts)
    with_sea = {leg[end] for leg in facts.rows("sea_legs") for end in ("from_port", "to_port")}
    rows = []
    for fact in facts.rows("ports"):
        port = fact["node_id"]
        water = [layer for layer, there in (("sea", port in with_sea), ("ferry", (port, "ferry") in at_port)) if there]
        land = [layer for (node, layer) in at_port if node == port and layer != "ferry"]
        for afloat in water:
            for ashore in (*land, "door"):
                names = at_port.get((port, ashore), {"2026", "2035"}) - {OPTION}
                rows += _quay_rows(fact, ashore, afloat, ";".join(sorted(names)))
        if port in with_sea:  # from ship to ship: one quay charge and the port's dwell
            rows += _quay_rows(fact, "sea", "sea", "2026;2035")
    return rows


def _quay_rows(fact: Fact, ashore: str, afloat: str, networks: str) -> list[Row]:
    common = {
        "node_id": fact["node_id"],
        "from_layer": ashore,
        "to_layer": afloat,
        "both_ways": True,
        "technology": "quay",
        **band(fact, "mean_dwell_days", "dwell_h", 24.0),
        "networks": networks,
    }
    tonne = number(fact, "handling_usd_per_t_bulk") or 0.0
    box = {
        **common,
        "handling_id": f"{fact['node_id']}-{ashore}-{afloat}-box",
        "cargo_forms": "container",
        "cost_usd_per_feu": number(fact, "handling_usd_per_feu"),
        "cost_low": number(fact, "handling_usd_per_feu_low"),
        "cost_high": number(fact, "handling_usd_per_feu_high"),
        **origin(fact, f"band: {fact['uncertainty_basis']}"),
    }
    bulk = {
        **common,
        "handling_id": f"{fact['node_id']}-{ashore}-{afloat}-bulk",
        "cargo_forms": BULK_FORMS,
        "cost_usd_per_t": tonne,
        "cost_low": round(tonne * QUAY_COST_BAND[0], 2),
        "cost_high": round(tonne * QUAY_COST_BAND[1], 2),
        **origin(fact, "dwell: the box dwell, no bulk figure found", "bulk charge band: x0.65-1.4"),
    }
    return [box, bulk]


def handlings(facts: Facts) -> list[Row]:
    """Every transfer between layers."""
    return [*gauge_terminals(facts), *sarakhs_boxes(facts), *lorry_yards(facts), *quays(facts)]


#: Handlings a planned terminal opens, by place, variant and what it is.
PLANNED_TERMINALS = {
    "C-AF_RBP": ("Rabat-i-Paryan interchange", ("G09",), ""),
    "C-AF_HEA-A": ("Herat gauge change", ("G10", "G11"), "A"),
    "C-AF_HEA-VG": ("variable-gauge wagons through Herat", ("G12",), "A"),
    "C-AF_SPB-A": ("Spin Boldak gauge change 1435/1676", ("G13", "G14"), "A"),
    "C-AF_SPB-B": ("Spin Boldak gauge change 1520/1676", ("G15", "G16"), "B"),
    "C-AF_KDH-C": ("Kandahar gauge change 1520/1676", ("G17", "G18"), "C"),
    "C-PK_KHR": ("Kharlachi gauge change", ("G21-box", "G21-bulk"), ""),
}
#: Dostyk TransTerminal: 49 m USD for about 700 FEU a day (TL2), per tonne a day at 22 t a FEU.
BOX_USD_PER_T_DAY = 49e6 / 700 / T_PER_FEU
#: Pit, conveyor and tracks without cranes: half of that. Ours.
BULK_USD_PER_T_DAY = BOX_USD_PER_T_DAY / 2
#: 8 % over 25 years, and 4 % of the investment a year for staff and upkeep that volume does not change. Ours.
ANNUITY = 0.08 / (1 - 1.08**-25)
FIXED_UPKEEP = 0.04
#: Guaranteed volume below which no operator stays, share of a year's capacity. Ours.
MIN_SHARE = 0.05
#: Variable gauge: a fleet of 600 flats at 25 USD a day above an ordinary flat (W_VG 45, W1520_F80 22,
#: W1435_FLT 20 USD).
VG_WAGONS, VG_EXTRA_USD_PER_DAY = 600, 25.0


def contracts(rows: list[Row]) -> list[Row]:
    """Planned gauge-change terminals: usable only when their fixed cost is paid. ``rows`` are the
    handlings.
    """
    capacity = {row["handling_id"]: row for row in rows}
    contracts_ = []
    for contract_id, (name, assets, variant) in PLANNED_TERMINALS.items():
        chosen = [capacity[asset] for asset in assets]
        if contract_id == "C-AF_HEA-VG":
            fixed = VG_WAGONS * VG_EXTRA_USD_PER_DAY * 365
            rule = f"{VG_WAGONS} variable-gauge flats at {VG_EXTRA_USD_PER_DAY:g} USD a day above ordinary ones (W_VG)"
        else:
            capex = sum(
                row["capacity_t_per_day"]
                * (BULK_USD_PER_T_DAY if row["technology"] == "bulk_transfer" else BOX_USD_PER_T_DAY)
                for row in chosen
            )
            fixed = capex * (ANNUITY + FIXED_UPKEEP)
            rule = "49 m USD for 700 FEU a day at Dostyk (TL2), half per tonne for bulk, 8 % over 25 years, 4 % upkeep"
        contracts_.append(
            {
                "contract_id": contract_id,
                "name": name,
                "assets": ";".join(assets),
                "fixed_cost_usd_per_year": float(round(fixed, -3)),
                "min_t_per_year": float(round(MIN_SHARE * 365 * sum(row["capacity_t_per_day"] for row in chosen), -3)),
                "networks": "2035",
                "gauge_variants": "A;B;C" if contract_id == "C-AF_RBP" else variant,
                **estimated(rule, "minimum: 5 % of a year's capacity"),
            }
        )
    return contracts_
