"""``corridor.toml`` and the scenarios: text, so that a planner can copy and change them."""

from __future__ import annotations

from scripts.reference.facts import Facts

CORRIDOR_TOML = """\
name = "Kazakhstan - Pakistan"
schema_version = 1
currency = "USD"
base_year = 2026
discount_rate = 0.08  # estimate: what multilateral banks charge a project of this risk, real terms
source = "collected facts of Nov 2026, see README.md and SOURCES.md; figures as reported by the sources, not verified"
default_scenario = ["2035", "gauge-b"]

[horizon]
start = 2035-01-01  # dated tables of year 2035; those of 2026 use the same days
days = 35  # two weeks of demand and three to arrive

[select]  # the base without any scenario: today's network
network = "2026"
gauge_variant = "B"
demand_year = 2026

[port_choice]
reliability_ratio = 0.3     # estimate: an hour of standard deviation over an hour; freight studies lie near 0.1-0.4
train_net_share = 0.7       # estimate: 67 t net in a 94 t wagon (W1520_COV) is 0.71
train_net_t = 2000.0        # estimate: net tonnes of a train where a link gives no mass limit
transfer_capacity_days = 350.0  # estimate: two weeks a year lost to closures, feasts and upkeep

[transshipment]
terminal_id = "TL5"  # Spin Boldak; exists in gauge variants A and B (TL6 Kandahar in C)

[gauge_choice]
arrival_cv = 1.0                                # estimate: freight trains without a timetable come at random
use_levels = [0.4, 0.5, 0.6, 0.7, 0.8, 0.9]     # planned shares of the working hours
wait_outside_share = 0.05                       # estimate: one train in twenty may find every track taken

[rolling_stock]
empty_usd_per_wagon_km = 0.25   # estimate: 24 t of tare at half the Kazakh bulk rate of 0.02 USD/t-km (TF071)
idle_usd_per_wagon_day = 3.0    # estimate: stabling and upkeep of an own wagon
foreign_usd_per_wagon_day = 6.0 # estimate: charge of a day abroad, about a third of the hire of a covered wagon (16-20)
load_unload_days = 2.0          # estimate: one day at either end
hire_allowed = true
path_share = 0.5                # estimate: passenger and domestic trains keep half of the paths
hours_per_day = 24.0
"""


def hormuz_legs(facts: Facts) -> list[str]:
    """Legs through the strait."""
    return [leg["leg_id"] for leg in facts.rows("sea_legs") if "Hormuz" in leg["chokepoints"].split(";")]


def legs_of(facts: Facts, *ports: str) -> list[str]:
    """Legs that touch one of ``ports``."""
    return [leg["leg_id"] for leg in facts.rows("sea_legs") if {leg["from_port"], leg["to_port"]} & set(ports)]


def _quoted(ids: list[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in ids) + "]"


def _change(table: str, column: str, where: str, step: str) -> str:
    return f'\n[[change]]\ntable = "{table}"\ncolumn = "{column}"\nwhere = {{ {where} }}\n{step}\n'


def _text(description: str, source: str, body: str) -> str:
    return f'description = "{description}"\nsource = "{source}"\n{body}'


def scenarios(facts: Facts) -> dict[str, str]:
    """Name -> text of every scenario."""
    hormuz = f"leg_id = {_quoted(hormuz_legs(facts))}"
    iran = f"leg_id = {_quoted(legs_of(facts, 'IR_BND', 'IR_CBH'))}"
    gwadar = f"leg_id = {_quoted(legs_of(facts, 'PK_GWD'))}"
    # Direct carriage between India and Pakistan: legs with one end in each.
    barred = [
        leg["leg_id"] for leg in facts.rows("sea_legs") if {leg["from_port"][:2], leg["to_port"][:2]} == {"IN", "PK"}
    ]
    quays = 'node_id = ["PK_KHI", "PK_PQA"], technology = "quay"'
    boldak = 'node_id = "AF_SPB", technology_id = ["gantry", "stacker", "bulk", "bogie"]'
    iranian_ports = 'node_id = ["IR_BND", "IR_CBH"]'
    return {
        "2026": _text(
            "Today: the network and the demand of 2026.",
            "flags in_network_2026 and the 2026 rows of the demand seeds",
            "select = { network = '2026', demand_year = 2026 }\n",
        ),
        "2030": _text(
            "Demand of 2030 on the network of 2035: an upper case, as if everything announced were open "
            "five years early.",
            "2030 rows of the demand seeds; network flags exist for 2026 and 2035 only",
            "extends = ['2035']\nselect = { demand_year = 2030 }\n",
        ),
        "2035": _text(
            "Everything announced is built, the Kabul line and the Gwadar line included: an upper case. "
            "Box capacity of "
            "Chabahar and Aktau as announced.",
            "flags in_network_2035; ports: 500,000 TEU planned at Chabahar by mid-2026, 240,000 TEU hub "
            "at Aktau (I28, titr_hub)",
            "select = { network = '2035', demand_year = 2035 }\n"
            + _change("ports", "capacity_teu_per_year", 'node_id = "IR_CBH"', "set = 500000")
            + _change("ports", "capacity_teu_per_year", 'node_id = "KZ_AKU"', "set = 240000"),
        ),
        "gauge-a": _text(
            "1520 mm to Herat, 1435 mm Herat - Kandahar - Spin Boldak, 1676 mm from Chaman: two changes.",
            "gauge variant A of the facts",
            "select = { gauge_variant = 'A' }\n",
        ),
        "gauge-b": _text(
            "1520 mm through to Spin Boldak, 1676 mm from Chaman: one change, at the border.",
            "gauge variant B of the facts",
            "select = { gauge_variant = 'B' }\n",
        ),
        "gauge-c": _text(
            "1520 mm to Kandahar, 1676 mm Kandahar - Chaman: one change, away from the border. The "
            "Afghan border time, part "
            "of the terminal dwell at Spin Boldak in A and B, comes back at the crossing.",
            "gauge variant C of the facts; 6 h for the Afghan side: estimate, as for borders without a sample",
            "select = { gauge_variant = 'C' }\n"
            + _change("borders", "dwell_h", 'border_id = ["AF-PK-rail", "PK-AF-rail"]', "add = 6.0"),
        ),
        "gauge-open": _text(
            "For gauge choice, which decides the gauges itself: the 6 h of Afghan border time that are part of the "
            "dwell at Spin Boldak belong to the crossing, whichever gauge reaches it.",
            "as in gauge-c; 6 h for the Afghan side: estimate",
            _change("borders", "dwell_h", 'border_id = ["AF-PK-rail", "PK-AF-rail"]', "add = 6.0")
            + _change("transfer_sites", "dwell_h", boldak, "add = -6.0"),
        ),
        "with-kabul": _text(
            "The 2035 network with the rival line Mazar - Kabul - Kharlachi, as in 2035 itself. Changes "
            "nothing; says so.",
            "R150-R154 are part of the 2035 network",
            "",
        ),
        "without-kabul": _text(
            "The 2035 network without the rival line Mazar - Kabul - Kharlachi - Kohat.",
            "R150-R153 (573 km, 4.6 bn USD, UAP) and R154 left out",
            '\n[close]\nlinks = ["R150", "R151", "R152", "R153", "R154"]\n',
        ),
        "hormuz-shut": _text(
            "Hormuz as in spring 2026: 5 % of the sailings are left, and those that sail carry the war "
            "risk. Hull war risk "
            "of 7.5 % a call: 37.5 USD/t on a 25 m USD bulk carrier of 50,000 t, 2,000 USD a 40 ft box "
            "on a 40 m USD feeder "
            "with 1,500 boxes.",
            "K14, X25 (transits down 95 %); TF127 (7.5-10 % for exposed ships inside); hull values and loads: estimate",
            _change("sea_legs", "sailings_per_week", hormuz, "multiply = 0.05")
            + _change("sea_legs", "cost_usd_per_t_bulk", hormuz, "add = 37.5")
            + _change("sea_legs", "cost_usd_per_feu", hormuz, "add = 2000.0")
            + _change("sea_legs", "cost_usd_per_teu", hormuz, "add = 1000.0"),
        ),
        "black-sea-shut": _text(
            "Novorossiysk shut: shows the corridor without the rival that takes most Kazakh bulk in this instance.",
            "what-if; war risk in the Black Sea is noted with the port, no figure found",
            '\n[close]\nnodes = ["RU_NVS"]\n',
        ),
        "chaman-torkham-shut": _text(
            "Chaman and Torkham shut for road and rail, as in October 2025.",
            "X01, X02, X06: T04, T11 and R148",
            '\n[close]\nlinks = ["T04", "T11", "R148"]\n',
        ),
        "afghan-pakistan-shut": _text(
            "Every crossing between Afghanistan and Pakistan shut, Kharlachi too.",
            "X06: T04, T11, R148, R153",
            "extends = ['chaman-torkham-shut']\n\n[close]\nlinks = [\"R153\"]\n",
        ),
        "bolan-washed-out": _text(
            "The Hirok bridge is gone (230 days in 2022-23) and the plain below lost 45 days of its "
            "capacity to the flood.",
            "X15: R195 shut; X20: R198 and the Rohri - Hyderabad section at 10 % for 45 of 365 days, so "
            "0.89 of the year",
            '\n[close]\nlinks = ["R195"]\n'
            + _change("links", "capacity_mt_per_year", 'link_id = ["R198", "R200", "R230"]', "multiply = 0.89")
            + _change("links", "capacity_trains_per_day", 'link_id = ["R198", "R200", "R230"]', "multiply = 0.89"),
        ),
        "bolan-new-line": _text(
            "The new Bolan alignment Sibi - Spezand is built (an investment option, in no named network).",
            "R231, ML-3 feasibility",
            '\n[open]\nlinks = ["R231"]\n',
        ),
        "sanctions-lifted": _text(
            "The sanctions add-on in the Iranian sea rates goes away. Rates are 140 + 0.17 USD/nm per "
            "TEU plus add-ons; what "
            "is left over at Bandar Abbas is 40 USD per TEU (68 per 40 ft), at Chabahar 60, of which 20 "
            "are read as feeder.",
            "published formula in the source column of sea_legs; split at Chabahar: estimate",
            _change("sea_legs", "cost_usd_per_feu", iran, "add = -68.0")
            + _change("sea_legs", "cost_usd_per_teu", iran, "add = -40.0"),
        ),
        "sanctions-enforced": _text(
            "The waiver is withdrawn: Iranian ports serve half of what they could, for everybody.",
            "X32 (capacity left 0.5); own traffic of the ports shrinks alike",
            "".join(
                _change("ports", column, iranian_ports, "multiply = 0.5")
                for column in (
                    "capacity_teu_per_year",
                    "capacity_mt_per_year",
                    "background_teu_per_year",
                    "background_mt_per_year",
                )
            ),
        ),
        "karachi-fast-dwell": _text(
            "Karachi and Port Qasim reach their target of two days in port instead of seven.",
            "target in the notes of PK_KHI (arab_dwell); band: estimate 1.5-3 days",
            _change("handlings", "dwell_h", quays, "set = 48.0")
            + _change("handlings", "dwell_h_low", quays, "set = 36.0")
            + _change("handlings", "dwell_h_high", quays, "set = 72.0"),
        ),
        "gwadar-weekly-feeder": _text(
            "A feeder calls at Gwadar every week instead of every seven weeks.",
            "what-if; today about 50 ships a year call, hardly any with boxes",
            _change("sea_legs", "sailings_per_week", gwadar, "set = 1.0"),
        ),
        "india-pakistan-closed": _text(
            "No direct carriage between Indian and Pakistani ports, the state since 2025.",
            "note on S003 (from memory)",
            f"\n[close]\nsea_legs = {_quoted(barred)}\n",
        ),
    }
