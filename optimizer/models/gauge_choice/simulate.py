"""A year at a site, train by train: whether the waits of the plan come out when trains really arrive at random.

Trains arrive with independent gamma-distributed times between them and are worked first come, first served, for
gamma-distributed times; means and variations are those of the plan (variation 1: exponential). Each replication starts
empty and forgets its first tenth. The intervals are Student's over the replications.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import simpy
from scipy import stats

from optimizer.models.gauge_choice.designs import HOURS_OF_A_DAY, mean_wait, service_hours
from optimizer.models.gauge_choice.traffic import SiteTraffic

WARM_UP = 0.1


@dataclass(frozen=True)
class Simulated:
    """Predicted and simulated waiting and work of one site at one use, in hours of the clock.

    Attributes
    ----------
    predicted_h
        Mean wait by the approximation, and mean work.
    wait_h, wait_half_width_h
        Simulated mean wait and half of its 95 % interval.
    dwell_h
        Papers, simulated wait and simulated work.
    outside
        Share of trains that found every waiting track of the plan taken.
    trains
        Trains measured.
    """

    site: SiteTraffic
    use: float
    predicted_wait_h: float
    wait_h: float
    wait_half_width_h: float
    dwell_h: float
    outside: float
    trains: int

    @property
    def predicted_dwell_h(self) -> float:
        return float(self.site.row.dwell_h + self.site.design.service_h + self.predicted_wait_h)

    @property
    def inside(self) -> bool:
        """Whether the approximation lies in the interval."""
        return abs(self.predicted_wait_h - self.wait_h) <= self.wait_half_width_h


def simulate_site(
    site: SiteTraffic, use: float, *, trains: int = 2000, replications: int = 20, seed: int = 0
) -> Simulated:
    """
    Simulate a site at a use of its servers.

    Parameters
    ----------
    use
        Share of their working hours for which servers are busy, below 1.
    trains
        Trains of one replication.
    """
    row, servers = site.row, site.design.servers
    service = service_hours(row)
    clock = HOURS_OF_A_DAY / row.hours_per_day
    room = waiting_room(site)
    waits, works, outside = [], [], []
    for stream in np.random.SeedSequence(seed).spawn(replications):
        rng = np.random.default_rng(stream)
        gaps = _gamma(rng, service / (use * servers), site.arrival_cv, trains)
        work = _gamma(rng, service, float(row.service_cv), trains)
        wait, found = _run(gaps, work, servers)
        kept = slice(int(WARM_UP * trains), None)
        waits.append(float(wait[kept].mean()))
        works.append(float(work[kept].mean()))
        outside.append(float((found[kept] >= servers + room).mean()))
    spread = float(np.std(waits, ddof=1)) / math.sqrt(replications) if replications > 1 else math.inf
    half = float(stats.t.ppf(0.975, replications - 1)) * spread if replications > 1 else math.inf
    predicted = mean_wait(use, servers, service, site.arrival_cv, float(row.service_cv))
    mean, work_h = float(np.mean(waits)), float(np.mean(works))
    return Simulated(
        site, use, clock * predicted, clock * mean, clock * half, row.dwell_h + clock * (mean + work_h),
        float(np.mean(outside)), replications * (trains - int(WARM_UP * trains)),
    )  # fmt: skip


def waiting_room(site: SiteTraffic) -> int:
    """Waiting tracks of the plan."""
    return site.design.tracks - math.ceil(site.design.servers * site.row.tracks_per_server)


def _gamma(rng: np.random.Generator, mean: float, variation: float, count: int) -> np.ndarray:
    if variation == 0:
        return np.full(count, mean)
    shape = 1 / variation**2
    return rng.gamma(shape, mean / shape, count)


def _run(gaps: np.ndarray, work: np.ndarray, servers: int) -> tuple[np.ndarray, np.ndarray]:
    """Wait of each train, and how many trains it found at the site."""
    environment = simpy.Environment()
    places = simpy.Resource(environment, servers)
    wait, found = np.zeros(len(gaps)), np.zeros(len(gaps))

    def train(number: int) -> Generator[simpy.Event, Any, None]:
        arrived = environment.now
        found[number] = places.count + len(places.queue)
        with places.request() as place:
            yield place
            wait[number] = environment.now - arrived
            yield environment.timeout(work[number])

    def arrivals() -> Generator[simpy.Event, Any, None]:
        for number, gap in enumerate(gaps):
            yield environment.timeout(gap)
            environment.process(train(number))

    environment.process(arrivals())
    environment.run()
    return wait, found
