"""Builds the reference instance ``instances/kazakhstan-pakistan`` from the collected facts.

Run from the checkout root: ``python -m scripts.build_reference [--facts DIR] [--out DIR]``. Every table is one function
of ``scripts/reference``; constants stand there with their source. The same facts and seed give the same files, byte for
byte. Files of other names in the folder (README.md) are left alone.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario
from scripts.reference import dated, equipment, gauge_choice, goods, prices, transfers, world
from scripts.reference.facts import Facts, Row
from scripts.reference.output import write_sources, write_table
from scripts.reference.routes import cheapest_routes
from scripts.reference.scenarios import CORRIDOR_TOML, scenarios
from scripts.reference.terminal_day import DAYS, terminal_day

ROOT = Path(__file__).resolve().parents[1]
FACTS = ROOT.parent / "shared" / "corridor-facts"
INSTANCE = ROOT / "instances" / "kazakhstan-pakistan"


def static_tables(facts: Facts) -> dict[str, list[Row]]:
    """The world, the goods, the prices and the equipment: all but the dated tables."""
    handlings = transfers.handlings(facts)
    return {
        "nodes": world.nodes(facts),
        "links": world.links(facts),
        "handlings": handlings,
        "ports": world.ports(facts),
        "sea_legs": world.sea_legs(facts),
        "borders": prices.borders(facts),
        "tariffs": prices.tariffs(facts),
        "commodities": goods.commodities(facts),
        "wagon_suits": goods.wagon_suits(facts),
        "emissions": world.emissions(facts),
        "lanes": goods.lanes(facts),
        "contracts": transfers.contracts(handlings),
        "wagons": equipment.wagons(facts),
        "locomotives": equipment.locomotives(facts),
        "terminals": equipment.terminals(facts),
        "terminal_tracks": equipment.terminal_tracks(facts),
        "terminal_cranes": equipment.terminal_cranes(facts),
        "terminal_bays": equipment.terminal_bays(facts),
        "terminal_posts": equipment.terminal_posts(facts),
        "gauge_sections": gauge_choice.gauge_sections(facts),
        "gauge_options": gauge_choice.gauge_options(facts),
        "transfer_technologies": gauge_choice.transfer_technologies(facts),
        "transfer_sites": gauge_choice.transfer_sites(facts),
    }


def dated_tables(folder: Path) -> dict[str, list[Row]]:
    """Shipments, orders, fleet, trains and terminal days, from the static tables just written to
    ``folder``.
    """
    instance = read_instance(folder)
    terminals = {f"2035,gauge-{variant},without-kabul" for variant in "abc"}
    corridors = {name: apply_scenario(instance, name) for name in sorted({"2026", "2035,gauge-b"} | terminals)}
    routes = {name: cheapest_routes(corridor) for name, corridor in corridors.items()}
    tables: dict[str, list[Row]] = {"shipments": [], "orders": [], "fleet": []}
    for year, name in ((2035, "2035,gauge-b"), (2026, "2026")):
        corridor = corridors[name]
        shipments = dated.shipments(routes[name], corridor, year)
        orders = dated.orders(shipments, routes[name], year)
        tables["shipments"] += shipments
        tables["fleet"] += dated.wagon_fleet(orders, corridor, year)
        tables["orders"] += [{key: row[key] for key in row if not key.startswith("_")} for row in orders]
    tables["fleet"] += dated.locomotive_fleet(corridors["2035,gauge-b"])
    tables["train_services"] = dated.train_services(corridors["2035,gauge-b"])
    tables["train_calls"], tables["terminal_loads"] = [], []
    for day in DAYS:
        # Spin Boldak and Kandahar without the rival line, which would take most of their boxes; Sarakhs
        # with everything.
        variant = f"2035,gauge-{day.variant.lower()},without-kabul" if day.variant else "2035,gauge-b"
        calls, loads = terminal_day(day, routes["2026" if day.year == 2026 else variant])
        tables["train_calls"] += calls
        tables["terminal_loads"] += loads
    return tables


def build(facts_folder: Path, out: Path) -> None:
    """Writes every table, scenario and the list of sources into ``out``, once all of them are there."""
    facts = Facts(facts_folder)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "scenarios").mkdir()
        (folder / "corridor.toml").write_text(CORRIDOR_TOML, encoding="utf-8")
        for scenario, text in scenarios(facts).items():
            (folder / "scenarios" / f"{scenario}.toml").write_text(text, encoding="utf-8")
        static = static_tables(facts)
        for table, rows in static.items():
            write_table(folder, table, rows)
        for table, rows in dated_tables(folder).items():
            write_table(folder, table, rows)
        write_sources(folder, facts.rows("sources"), static)
        shutil.copytree(folder, out, dirs_exist_ok=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--facts", type=Path, default=FACTS, help="folder with the collected facts")
    parser.add_argument("--out", type=Path, default=INSTANCE, help="folder of the instance")
    arguments = parser.parse_args()
    build(arguments.facts, arguments.out)


if __name__ == "__main__":
    main()
