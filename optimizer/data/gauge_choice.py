"""Checks of the tables of gauge choice: sections that nothing can be built on, sites that can pass nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from optimizer.errors import Fault

Tables = Mapping[str, pd.DataFrame]


def gauge_choice_faults(tables: Tables) -> list[Fault]:
    """Faults of sections, options and sites beyond single cells and references."""
    return [*_sections(tables), *_variants(tables), *_technologies(tables), *_sites(tables)]


def _sections(tables: Tables) -> Iterator[Fault]:
    sections, options = tables["gauge_sections"], tables["gauge_options"]
    offered = set(options["section_id"])
    for line, section in sections["section_id"].items():
        if section not in offered:
            words = f"section '{section}' has no gauge option, expected at least one row of gauge_options.csv"
            yield Fault.of_row("gauge_sections", line, words)
    twice = options[options.duplicated(["section_id", "gauge_mm"])]
    for line, section, gauge in zip(twice.index, twice["section_id"], twice["gauge_mm"], strict=True):
        yield Fault.of_row("gauge_options", line, f"section '{section}' has {gauge} mm twice, expected each gauge once")


def _variants(tables: Tables) -> Iterator[Fault]:
    """A named variant says what every section is built in, or says nothing."""
    options = tables["gauge_options"]
    sections = set(tables["gauge_sections"]["section_id"])
    named: dict[str, dict[str, int]] = {}
    for line, section, names in zip(options.index, options["section_id"], options["variants"], strict=True):
        for name in names:
            chosen = named.setdefault(name, {})
            if section in chosen:
                words = f"variant '{name}' builds section '{section}' here and in line {chosen[section]}"
                yield Fault.of_row("gauge_options", line, f"{words}, expected one option")
            chosen.setdefault(section, int(str(line)))
    for name, chosen in sorted(named.items()):
        if missing := sorted(sections - set(chosen)):
            words = f"variant '{name}' names no option of {', '.join(missing)}, expected one of each section"
            yield Fault.of_row("gauge_options", min(chosen.values()), words)


def _technologies(tables: Tables) -> Iterator[Fault]:
    table = tables["transfer_technologies"]
    for line, unit, forms in zip(table.index, table["unit"], table["cargo_forms"], strict=True):
        if unit == "feu" and forms != ("container",):
            words = (
                f"cargo_forms is '{';'.join(forms)}' with the unit feu, expected 'container': nothing else has boxes"
            )
            yield Fault.of_row("transfer_technologies", line, words)


def _sites(tables: Tables) -> Iterator[Fault]:
    technologies = tables["transfer_technologies"].set_index("technology_id")
    for line, site in tables["transfer_sites"].iterrows():
        if site["installed_servers"] > site["max_servers"]:
            words = f"max_servers is {site['max_servers']}, below the {site['installed_servers']} installed_servers"
            yield Fault.of_row("transfer_sites", line, words)
        if pd.notna(site["max_sets"]) and site["installed_sets"] > site["max_sets"]:
            words = f"max_sets is {site['max_sets']:g}, below the {site['installed_sets']} installed_sets"
            yield Fault.of_row("transfer_sites", line, words)
        if site["technology_id"] not in technologies.index:
            continue  # told as a reference without a row
        days = technologies["set_days"].loc[[site["technology_id"]]].iloc[0]
        if days > 0 and site["max_sets"] == 0:
            words = (
                f"max_sets is 0, but '{site['technology_id']}' binds a set for {days:g} days with every unit: the site "
                "could pass nothing; expected a number above 0, blank for no limit, or no such row"
            )
            yield Fault.of_row("transfer_sites", line, words)
