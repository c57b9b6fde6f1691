"""Tables of gauge choice: undecided sections and their gauges, transfer technologies, and places where they can work.

Operating figures of terminals come from the facts (gauge_terminals ``Gnn``, terminal_layouts ``TLn``). Prices of
equipment are ours, chosen so that a first module adds up to the one published total: 49 m USD for 700 FEU a day at
Dostyk (TL2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scripts.reference.facts import Facts, Row, derived, estimated, number, spread

#: Section -> name and the links of variants A, B, C it stands for; C and B share 1520 mm as far as Kandahar.
SECTIONS = {
    "herat-shindand": ("Herat - Shindand", "R121", "R131", "R141"),
    "shindand-farah": ("Shindand - Farah Rud", "R122", "R132", "R142"),
    "farah-delaram": ("Farah Rud - Delaram", "R123", "R133", "R143"),
    "delaram-girishk": ("Delaram - Girishk", "R124", "R134", "R144"),
    "girishk-kandahar": ("Girishk - Kandahar", "R125", "R135", "R145"),
    "kandahar-boldak": ("Kandahar - Spin Boldak", "R126", "R136", "R146"),
}
#: Cost of a gauge over the facts' cost of the section. A wider formation and heavier sleepers: ours.
COST_FACTOR = {1520: 1.0, 1435: 1.0, 1676: 1.03}
#: How far one gauge may turn out dearer or cheaper than the others. The level itself (x0.6-1.8) moves all alike.
COST_OF_GAUGE_BAND = (0.95, 1.10)
UPKEEP_MUSD_PER_KM = 0.02
LINE_LIFE_YEARS = 40


def gauge_sections(facts: Facts) -> list[Row]:
    """The stretches between Herat and Spin Boldak whose gauge the variants A, B and C dispute."""
    links = facts.by_id("links")
    rows = []
    for section, (name, _, link, _) in SECTIONS.items():
        fact = links[link]
        speed = {f"speed_kmh{end}": number(fact, f"commercial_speed_kmh{end}") for end in ("", "_low", "_high")}
        rows.append(
            {
                "section_id": section,
                "name": name,
                "from_node": fact["from_node"],
                "to_node": fact["to_node"],
                "length_km": number(fact, "length_km"),
                **speed,
                "capacity_mt_per_year": number(fact, "capacity_mt_per_year"),
                "max_train_gross_t": number(fact, "max_train_gross_t"),
                "networks": "2035",
                **derived(f"link {link}: {fact['source']}", fact["notes"]),
            }
        )
    return rows


def gauge_options(facts: Facts) -> list[Row]:
    """Every section in every gauge of the corridor."""
    links = facts.by_id("links")
    rows = []
    for section, (_, *of_variants) in SECTIONS.items():
        length = number(links[of_variants[1]], "length_km") or 0.0
        cost = number(links[of_variants[1]], "cost_musd") or 0.0
        gauges = {variant: links[link]["gauge_mm"] for variant, link in zip("ABC", of_variants, strict=True)}
        for gauge, factor in COST_FACTOR.items():
            named = [variant for variant, its in gauges.items() if its == str(gauge)]
            rows.append(
                {
                    "option_id": f"{section}-{gauge}",
                    "section_id": section,
                    "gauge_mm": gauge,
                    **spread(cost * factor, *COST_OF_GAUGE_BAND, "cost_musd"),
                    "life_years": LINE_LIFE_YEARS,
                    "upkeep_musd_per_year": round(length * UPKEEP_MUSD_PER_KM, 4),
                    "variants": ";".join(named),
                    **estimated(
                        f"cost of link {of_variants[1]} times {factor:g}; {1000 * UPKEEP_MUSD_PER_KM:g} thousand USD a "
                        f"km and year of upkeep; {LINE_LIFE_YEARS} years",
                        "band: how far this gauge may differ from the others; x0.6-1.8 for all gauges alike",
                    ),
                }
            )
    return rows


#: Rates for what volume causes (energy, staff by the lift, wear): 40 % of the charge in the facts, the rest of which
#: pays for capital and standing staff, which stand apart here. Ours.
BY_VOLUME = 0.4
#: Band of the charges of planned terminals in the facts, and of our prices of equipment.
CHARGE_BAND, PRICE_BAND = (0.6, 1.8), (0.65, 1.5)
#: A covered or tank wagon carries about 60 t; 3.5 USD/t (G11) are 210 USD a wagon.
T_PER_WAGON = 60.0


@dataclass(frozen=True)
class Technology:
    """Figures of one technology; see ``transfer_technologies``."""

    technology: str
    server: str
    forms: str
    unit: str
    rate: tuple[float, float, float]
    train: float
    setup_h: float
    cv: float
    hours: float
    usd: float
    server_musd: float
    server_musd_per_year: float
    tracks: float
    track_musd: float
    set_usd: tuple[float, float, float]
    set_days: tuple[float, float, float]
    source: str
    notes: str


NO_SETS = (0.0, 0.0, 0.0)
TECHNOLOGIES = {
    "gantry": Technology(
        "container_gantry", "gantry", "container", "feu", (16, 12, 20), 50, 1.0, 0.35, 20, BY_VOLUME * 50, 3.5, 0.35, 2,
        2.3, NO_SETS, NO_SETS,
        "TL5 (16 moves a crane hour, 20 h a day), G10 (50 USD); price, staff, shunting, variability",
        "direct from wagon to wagon; three gantries, eight tracks and 20 m USD of opening make the 49 m USD of Dostyk "
        "(TL2); staff: 250 people for three cranes (TL5) at 4,000 USD a year",
    ),
    "stacker": Technology(
        "reach_stacker", "reach stacker", "container", "feu", (7, 5, 9), 50, 1.0, 0.45, 20, 28.0, 0.65, 0.15, 2, 2.3,
        NO_SETS, NO_SETS,
        "TL2 (14 moves an hour, two a box; six machines make 840 FEU in 20 h, 700 published); cost, price, staff",
        "each box is set down and lifted again",
    ),
    "bulk": Technology(
        "bulk_transfer", "transfer front", "covered;hopper;gondola;tank;flat", "wagon", (10, 8, 12), 40, 1.0, 0.5, 20,
        BY_VOLUME * 3.5 * T_PER_WAGON, 6.0, 0.3, 2, 1.5, NO_SETS, NO_SETS,
        "G11 (2.0 h per 20 wagons, 3.5 USD/t), G05 (2.5 h); price, staff, shunting, variability",
        "pit, conveyor or pumps; losses of goods not counted, no source",
    ),
    "bogie": Technology(
        "bogie_exchange", "bay of 12 jacks", "covered;hopper;gondola;tank", "wagon", (6.86, 5, 9), 40, 1.0, 0.3, 22,
        BY_VOLUME * 90, 5.0, 0.3, 2, 1.5, (18_000, 12_000, 26_000), (20, 12, 30),
        "TL3 (24 positions in 1.75 h, 22 h a day), G04 (90 USD a wagon); days a set is bound: 22 days of turnround of "
        "a Pakistani wagon; price of a bay and of two bogies",
        "a wagon takes two bogies of the other gauge and leaves its own behind until it returns",
    ),
    "variable": Technology(
        "variable_gauge", "gauge changer", "container;flat", "wagon", (160, 100, 200), 40, 0.25, 0.2, 22, 12.0, 2.0,
        0.05, 1, 1.5, (66_000, 42_000, 96_000), (40, 25, 60),
        "G12 (15 min a train, 12 USD a wagon, 84,000 USD for two bogies less 18,000 for ordinary ones); days: a turn "
        "of the whole corridor; price of the changer",
        "existing systems cover two gauges only, 1435 and 1520 mm",
    ),
}  # fmt: skip


def transfer_technologies(facts: Facts) -> list[Row]:
    """The five technologies."""
    return [
        {
            "technology_id": name,
            "technology": one.technology,
            "server": one.server,
            "cargo_forms": one.forms,
            "unit": one.unit,
            **_three("units_per_server_h", one.rate),
            "units_per_train": one.train,
            **spread(one.setup_h, 0.5, 2.0, "setup_h_per_train"),
            **spread(one.cv, 0.6, 1.8, "service_cv"),
            "hours_per_day": one.hours,
            **spread(one.usd, *CHARGE_BAND, "usd_per_unit"),
            **spread(one.server_musd, *PRICE_BAND, "server_musd"),
            "server_musd_per_year": one.server_musd_per_year,
            "tracks_per_server": one.tracks,
            "track_musd": one.track_musd,
            "life_years": 25,
            **_three("set_usd", one.set_usd),
            **_three("set_days", one.set_days),
            "set_life_years": 20,
            **estimated(one.source, one.notes),
        }
        for name, one in TECHNOLOGIES.items()
    ]


def _three(name: str, values: tuple[float, float, float]) -> Row:
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))


@dataclass(frozen=True)
class Place:
    """A place where gauges can meet: pairs of gauges and, by kind of work, the terminal whose dwell it takes."""

    pairs: tuple[tuple[int, int], ...]
    dwell_of: dict[str, str]
    opening_factor: float = 1.0
    tracks: int = 0
    networks: str = "2035"


ANY_TWO = ((1520, 1435), (1520, 1676), (1435, 1676))
#: Herat, Kandahar and Spin Boldak have dwell in the facts; Delaram, a junction inland, takes that of Kandahar.
PLACES = {
    "AF_RBP": Place(((1520, 1435),), {"box": "G09", "bulk": "G11", "variable": "G12"}),
    "AF_HEA": Place(ANY_TWO, {"box": "G10", "bulk": "G11", "variable": "G12"}),
    "AF_DEL": Place(ANY_TWO, {"box": "G17", "bulk": "G18", "variable": "G12"}),
    "AF_KDH": Place(ANY_TWO, {"box": "G17", "bulk": "G18", "variable": "G12"}),
    "AF_SPB": Place(ANY_TWO, {"box": "G15", "bulk": "G16", "variable": "G12"}),
    "PK_KHR": Place(((1520, 1676),), {"box": "G21", "bulk": "G21"}),
    "IR_ZAH": Place(((1435, 1676),), {"box": "G20", "bulk": "G20"}, opening_factor=0.5, tracks=6, networks="2026;2035"),
    "IR_SRK": Place(((1520, 1435),), {"box": "G05", "bulk": "G05", "bogie": "G04"}, networks="2026;2035"),
}
#: Terminals of the facts whose boxes are not lifted by gantries: their dwell holds the work of stackers.
WORKED_BY = {"G05": "stacker", "G09": "stacker", "G20": "stacker"}
#: At Sarakhs bogies take 6 h less than bulk (G04 30 h, G05 36 h); so everywhere else.
BOGIE_SAVES_H = 6.0
#: Opening a technology at a new place (yard, access, power, customs), million USD, and most servers. Ours.
OPENING_MUSD = {"gantry": 20.0, "stacker": 12.0, "bulk": 8.0, "bogie": 8.0, "variable": 3.0}
MOST_SERVERS = {"gantry": 6, "stacker": 12, "bulk": 6, "bogie": 6, "variable": 2}
#: What stands at Sarakhs: two cranes of 10 moves (TL3), the bulk front of G05, 24 bogie positions (TL3); charges of
#: today.
SARAKHS = {
    "stacker": {"installed_servers": 2, "installed_tracks": 8, "usd_per_unit": 40.0},
    "bulk": {"installed_servers": 1, "installed_tracks": 6, "usd_per_unit": 3.5 * T_PER_WAGON},
    "bogie": {"installed_servers": 2, "installed_tracks": 6, "installed_sets": 600, "usd_per_unit": 90.0},
}
#: Use and servers for which the dwell of the facts is read: it holds waiting and work, which the model adds itself.
USE_OF_FACTS, SERVERS_OF_FACTS = 0.6, 2


def transfer_sites(facts: Facts) -> list[Row]:
    """Where each technology can work between which gauges, new or as it stands."""
    terminals = facts.by_id("gauge_terminals")
    rows = []
    for node, place in PLACES.items():
        for pair in place.pairs:
            for name, technology in TECHNOLOGIES.items():
                kind = "variable" if name == "variable" else "box" if technology.unit == "feu" else "bulk"
                if kind not in place.dwell_of or (name == "variable" and pair != (1520, 1435)):
                    continue
                there = SARAKHS.get(name) if node == "IR_SRK" else None
                of = place.dwell_of.get(name, place.dwell_of[kind])
                saved = BOGIE_SAVES_H if name == "bogie" and of == place.dwell_of[kind] else 0.0
                worked = TECHNOLOGIES[WORKED_BY.get(of, "gantry") if kind == "box" else name]
                rest = 1 - (hours_of_work(worked) + saved) / float(terminals[of]["mean_dwell_h"])
                dwell = [
                    round(rest * float(terminals[of][f"mean_dwell_h{end}"]), 1) if kind != "variable" else
                    float(terminals[of][f"mean_dwell_h{end}"])
                    for end in ("", "_low", "_high")
                ]  # fmt: skip
                opening = 0.0 if there else OPENING_MUSD[name] * place.opening_factor
                rows.append(
                    {
                        "site_id": f"{node}-{name}-{pair[0]}-{pair[1]}",
                        "node_id": node,
                        "technology_id": name,
                        "gauge_a_mm": pair[0],
                        "gauge_b_mm": pair[1],
                        "installed_servers": 0,
                        "installed_tracks": place.tracks,
                        "installed_sets": 0,
                        "usd_per_unit": None,
                        **(there or {}),
                        "max_servers": MOST_SERVERS[name],
                        **spread(opening, *PRICE_BAND, "opening_musd"),
                        **dict(zip(("dwell_h", "dwell_h_low", "dwell_h_high"), dwell, strict=True)),
                        "networks": place.networks,
                        **estimated(
                            f"dwell of {of} ({terminals[of]['source']})"
                            + (" less what variable wheels do not need" if kind == "variable" and of != "G12" else "")
                            + (f", {saved:g} h less for bogies as at Sarakhs" if saved else "")
                            + (", without work and the wait at 60 % use" if kind != "variable" else "")
                            + "; opening and most servers",
                            "stands already; charges of today (G04, G05, G20), sets estimated" if there else "",
                        ),
                    }
                )
    return rows


def hours_of_work(technology: Technology) -> float:
    """Work of a train and its wait at two servers used 60 %, in hours of the clock (Sakasegawa 1977)."""
    work = (technology.setup_h + technology.train / technology.rate[0]) * 24 / technology.hours
    power = math.sqrt(2 * (SERVERS_OF_FACTS + 1)) - 1
    share = USE_OF_FACTS**power / (SERVERS_OF_FACTS * (1 - USE_OF_FACTS))
    return work * (1 + (1 + technology.cv**2) / 2 * share)
