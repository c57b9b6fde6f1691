"""The sizes a site can be built in: servers, tracks and planned use, with what each can pass, costs and lets wait.

Trains call at random and are worked first come, first served by ``c`` servers, one train each. A train holds its server
for ``s = setup + units / rate`` working hours. Planned for the use ``u`` (share of working hours), a site passes
``u c / s`` trains an hour, and a train waits on average

    W = (ca^2 + cs^2) / 2 * u^(sqrt(2 (c + 1)) - 1) / (c (1 - u)) * s

working hours: Sakasegawa's approximation for GI/G/c (Annals of the Institute of Statistical Mathematics 29, 1977,
67-75), with ``ca`` and ``cs`` the standard deviation over the mean of the times between trains and of the work. For one
server and ca = cs = 1 it is exact (M/M/1); ``docs/gauge-choice.md`` compares it with Erlang C and with simulation.

Tracks: those of the trains under work, and room for those that wait. As in M/M/c, an arriving train finds ``n`` or more
waiting with probability ``u^(sqrt(2 (c + 1)) - 1 + n)``, whose first factor is the probability of waiting that the
approximation rests on; ``n`` is the least for which that is at most ``wait_outside_share``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from optimizer.models.gauge_choice.problem import GaugeChoice

HOURS_OF_A_DAY = 24.0
USD_PER_MUSD = 1e6


@dataclass(frozen=True)
class Design:
    """A size of a site.

    Attributes
    ----------
    servers, use_level, tracks
        As in the plan's ``terminals``.
    units_per_year
        What it passes at that use.
    wait_h, service_h
        Mean waiting and work of a train, in hours of the clock.
    usd_per_year
        Annualised cost of what is not installed yet; sets come on top.
    """

    servers: int
    use_level: float
    tracks: int
    units_per_year: float
    wait_h: float
    service_h: float
    usd_per_year: float

    @property
    def hours(self) -> float:
        """Waiting and work."""
        return self.wait_h + self.service_h


def annuity(rate: float, years: float) -> float:
    """Share of a price to pay at the end of every year of its life."""
    return rate / -math.expm1(-years * math.log1p(rate)) if rate > 0 else 1.0 / years


def waiting_share(use: float, servers: int) -> float:
    """Probability that a train waits, as Sakasegawa's approximation has it."""
    return float(use ** (math.sqrt(2 * (servers + 1)) - 1))


def mean_wait(use: float, servers: int, service: float, arrival_cv: float, service_cv: float) -> float:
    """Mean wait, in the unit of ``service``."""
    variability = (arrival_cv**2 + service_cv**2) / 2
    return variability * waiting_share(use, servers) / (servers * (1 - use)) * service


def waiting_tracks(use: float, servers: int, outside_share: float) -> int:
    """Least number of waiting tracks that a train finds all taken with probability ``outside_share`` at most."""
    tracks, share = 0, waiting_share(use, servers)
    while share > outside_share:
        tracks, share = tracks + 1, share * use
    return tracks


def service_hours(site: Any) -> float:
    """Working hours for which a train holds its server."""
    return float(site.setup_h_per_train + site.units_per_train / site.units_per_server_h)


def set_usd_per_year(problem: GaugeChoice, site: Any) -> float:
    """Cost of one set a year."""
    return float(site.set_usd) * annuity(problem.corridor.config.discount_rate, site.set_life_years)


def sets_per_unit(problem: GaugeChoice, site: Any) -> float:
    """Sets that one unit a year binds, on average over the days a site works."""
    return float(site.set_days) / problem.corridor.config.port_choice.transfer_capacity_days


def option_usd_per_year(problem: GaugeChoice) -> dict[str, float]:
    """Option -> annualised construction and upkeep."""
    rate = problem.corridor.config.discount_rate
    return {
        str(row.option_id): USD_PER_MUSD * (row.cost_musd * annuity(rate, row.life_years) + row.upkeep_musd_per_year)
        for row in problem.corridor.table("gauge_options").itertuples(index=False)
    }


def all_designs(problem: GaugeChoice, site: Any) -> Iterator[Design]:
    """Every size of a site (a row of ``problem.sites``)."""
    config = problem.corridor.config
    settings = config.gauge_choice
    service = service_hours(site)
    clock = HOURS_OF_A_DAY / site.hours_per_day
    hours_per_year = config.port_choice.transfer_capacity_days * site.hours_per_day
    a_year = annuity(config.discount_rate, site.life_years)
    for servers in range(max(int(site.installed_servers), 1), int(site.max_servers) + 1):
        added = servers - int(site.installed_servers)
        for use in settings.use_levels:
            tracks = math.ceil(servers * site.tracks_per_server)
            tracks += waiting_tracks(use, servers, settings.wait_outside_share)
            musd = site.opening_musd + added * site.server_musd
            musd += max(tracks - int(site.installed_tracks), 0) * site.track_musd
            yield Design(
                servers=servers,
                use_level=use,
                tracks=tracks,
                units_per_year=use * servers / service * hours_per_year * site.units_per_train,
                wait_h=clock * mean_wait(use, servers, service, settings.arrival_cv, site.service_cv),
                service_h=clock * service,
                usd_per_year=USD_PER_MUSD * (a_year * musd + added * site.server_musd_per_year),
            )


def efficient(designs: Iterable[Design], most_units: float = math.inf) -> Sequence[Design]:
    """Designs that no other one beats in cost, room (as far as ``most_units`` can use it) and wait, cheapest first."""
    kept: list[Design] = []
    for design in sorted(designs, key=lambda d: (d.usd_per_year, d.wait_h, -d.units_per_year)):
        room = min(design.units_per_year, most_units)
        if not any(min(one.units_per_year, most_units) >= room and one.wait_h <= design.wait_h for one in kept):
            kept.append(design)
    return kept
