"""Builds the reference instance ``instances/kazakhstan-pakistan`` from the collected facts.

Run from the checkout root: ``python -m scripts.build_reference [--facts DIR] [--out DIR]``. Every table is one function of
``scripts/reference``; constants stand there with their source. The same facts and seed give the same files, byte for byte.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from scripts.reference import equipment, goods, prices, transfers, world
from scripts.reference.facts import Facts, Row
from scripts.reference.output import write_sources, write_table
from scripts.reference.scenarios import CORRIDOR_TOML, scenarios

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
    }


def build(facts_folder: Path, out: Path) -> None:
    """Writes every table, scenario and the list of sources into ``out``."""
    facts = Facts(facts_folder)
    (out / "scenarios").mkdir(parents=True, exist_ok=True)
    (out / "corridor.toml").write_text(CORRIDOR_TOML, encoding="utf-8")
    for name, text in scenarios(facts).items():
        (out / "scenarios" / f"{name}.toml").write_text(text, encoding="utf-8")
    tables = static_tables(facts)
    for name, rows in tables.items():
        write_table(out, name, rows)
    write_sources(out, facts.rows("sources"), tables)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--facts", type=Path, default=FACTS, help="folder with the collected facts")
    parser.add_argument("--out", type=Path, default=INSTANCE, help="folder of the instance")
    arguments = parser.parse_args()
    build(arguments.facts, arguments.out)


if __name__ == "__main__":
    main()
