"""A plan's works as a flexible job shop: what cranes, bays and posts alone would allow.

Each load that goes on is a job: its train's arrival on a machine of its own, then its checks and works, each on any
worker that may do it. Onward trains and ways are the plan's; tracks, working windows, set-ups, runways, yard and
stocks are left out. So no plan with these choices ends its last work before the shortest schedule does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from optimizer.models.transshipment.choices import direct_cranes
from optimizer.models.transshipment.problem import Passage, Plan
from optimizer.models.transshipment.site import Load, Site, Worker, minutes
from optimizer.scheduling.problem import FlexibleJobShop


def chain_shop(site: Site, plan: Plan) -> FlexibleJobShop:
    """
    The chains of the plan's loads, in the order of the site; times are minutes of the horizon.

    Machines are cranes, bays and posts in the order of the site, then one per job for the arrival.
    """
    workers: tuple[Worker, ...] = (*site.cranes, *site.bays, *site.posts)
    number = {worker.name: at for at, worker in enumerate(workers)}
    jobs: list[list[list[tuple[int, int]]]] = []
    for load in site.loads:
        if (passage := plan.passages.get(load.load_id)) is not None:
            job = [[(len(workers) + len(jobs), site.call[load.call_id].arrive)]]
            for able, out in _chain(site, load, passage):
                job.append([(number[worker.name], minutes(load, worker, out)) for worker in able])
            jobs.append(job)
    return FlexibleJobShop.from_jobs(jobs, len(workers) + len(jobs))


def last_end(plan: Plan) -> int:
    """Minute by which the plan's last work or check is over."""
    works = (work for passage in plan.passages.values() for work in (*passage.works, *passage.checks))
    return max((work.end for work in works), default=0)


def _chain(site: Site, load: Load, passage: Passage) -> Iterable[tuple[Sequence[Worker], bool]]:
    """Who may do each step, and whether it takes the load out of the yard."""
    onward = site.call[passage.onward]
    yield from ((site.posts_for(check), False) for check in load.before)
    if passage.way == "bogie":
        yield site.bays, False
    elif passage.way == "direct":
        yield direct_cranes(site, load, onward), False
    else:
        yield site.cranes_for(load, site.call[load.call_id]), False
        yield from ((site.posts_for(check), False) for check in load.between)
        yield site.cranes_for(load, onward), True
    yield from ((site.posts_for(check), False) for check in load.after)
