"""Solving for the page: every question a job of its own, with its progress, that can be stopped."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from optimizer import api
from optimizer.data.corridor import Corridor
from optimizer.errors import OptimizerError
from optimizer.models.port_choice import PortChoice
from optimizer.report.cases import Case
from optimizer.report.comparison import comparison_section
from optimizer.report.page import Chapter, KeyFigure, KeyFigures, Notice, Page, Section, render
from optimizer.report.port_choice import PlanView, binding_section, plan_map, ports_section
from optimizer.result import Progress, Result
from optimizer.serve.levers import WhatIf, apply_what_if

WORKERS = 2
MOST_WAITING = 60
MOST_KEPT = 64
"""Answers kept for reading; the oldest go first."""

State = Literal["waiting", "solving", "done", "stopped", "refused"]


@dataclass
class Job:
    """One question on its way to an answer."""

    job_id: str
    asked: WhatIf
    state: State = "waiting"
    words: str = ""
    progress: Progress | None = None
    result: Result | None = None
    solve_s: float = 0.0
    page: str = ""
    stop: threading.Event = field(default_factory=threading.Event)

    def note(self, progress: Progress) -> None:
        self.progress = progress

    def told(self, base: Result) -> dict[str, Any]:
        """What the page is told of it; JSON-ready."""
        told: dict[str, Any] = {"id": self.job_id, "state": self.state, "words": self.words, "asked": self.asked.words}
        if self.progress is not None:
            told["progress"] = {"cost": self.progress.cost, "bound": self.progress.bound}
        if self.result is not None and self.result.cost is not None:
            told |= {
                "status": str(self.result.status), "cost": self.result.cost, "bound": self.result.bound,
                "difference": self.result.cost - (base.cost or 0.0), "solve_s": round(self.solve_s, 3),
                "page": f"/answers/{self.job_id}",
            }  # fmt: skip
        return told


class BusyError(Exception):
    """More questions wait than can be answered soon."""


class Answers:
    """
    The base solved once, and jobs beside each other.

    Parameters
    ----------
    time_limit_s
        Of each solve; the best plan so far is the answer then.
    """

    def __init__(self, corridor: Corridor, time_limit_s: float = 30.0, gap: float = 1e-6) -> None:
        self.corridor, self.time_limit_s, self.gap = corridor, time_limit_s, gap
        problem = PortChoice(corridor)
        self.base = api.solve(problem, time_limit_s=time_limit_s, gap=gap)
        self.base_view = PlanView(_case("as it stands", self.base, problem))
        self.base_page = render(_page(corridor, "As it stands", [self.base_view]))
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="what-if")
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.Lock()

    def ask(self, asked: WhatIf) -> Job:
        """
        Take a question on.

        Raises
        ------
        BusyError
            Too many wait.
        """
        job = Job(secrets.token_urlsafe(12), asked)
        with self._lock:
            waiting = sum(other.state in ("waiting", "solving") for other in self._jobs.values())
            if waiting >= MOST_WAITING:
                raise BusyError
            self._jobs[job.job_id] = job
            done = [key for key, other in self._jobs.items() if other.state not in ("waiting", "solving")]
            for key in done[: max(0, len(self._jobs) - MOST_KEPT)]:
                del self._jobs[key]
        self._pool.submit(self._work, job)
        return job

    def job(self, job_id: str) -> Job | None:
        return self._jobs.get(job_id)

    def cancel(self, job_id: str) -> Job | None:
        """Stop a job; its best plan so far, if it has one, is its answer."""
        job = self._jobs.get(job_id)
        if job is not None:
            job.stop.set()
        return job

    def close(self) -> None:
        """Stop every job and take none on."""
        for job in list(self._jobs.values()):
            job.stop.set()
        self._pool.shutdown(wait=True)  # those that wait see that they are stopped, and end

    def _work(self, job: Job) -> None:
        if job.stop.is_set():
            job.state, job.words = "stopped", "stopped before it began"
            return
        job.state = "solving"
        try:
            problem = apply_what_if(self.corridor, job.asked)
            begun = time.perf_counter()
            result = api.solve(
                problem, time_limit_s=self.time_limit_s, gap=self.gap, on_progress=job.note, stop=job.stop
            )
            job.solve_s = time.perf_counter() - begun
            if result.solution is not None:
                view = PlanView(_case(job.asked.words, result, problem))
                job.page = render(_page(self.corridor, job.asked.words, [self.base_view, view]))
            job.result = result
            stopped = job.stop.is_set() and result.status != "OPTIMAL"
            job.state, job.words = ("stopped", "the best plan so far") if stopped else ("done", "")
        except OptimizerError as error:
            job.state, job.words = "refused", str(error)
        except Exception:
            # What went wrong is for the log of whoever serves; a browser learns that it did.
            job.state, job.words = "refused", "this question could not be answered; that is a defect of the program"
            raise


def _case(label: str, result: Result, problem: PortChoice) -> Case:
    """Plans that come from ``api.solve`` are verified there."""
    return Case(label, label, replace(result, progress=()), problem, ())


def _page(corridor: Corridor, subtitle: str, views: Sequence[PlanView]) -> Page:
    results = [view.case.result for view in views]
    labels = [view.case.label for view in views]
    figures = [
        KeyFigure("cost", "Cost of the plan", "USD", [result.cost for result in results]),
        KeyFigure("bound", "No plan costs less than", "USD", [result.bound for result in results]),
    ]
    blocks: list[Any] = [KeyFigures(labels, figures)]
    if len(views) > 1:
        more = (results[1].cost or 0.0) - (results[0].cost or 0.0)
        words = f"{labels[1]}: {abs(more):,.0f} USD a year {'more' if more >= 0 else 'less'} than {labels[0]}."
        blocks.insert(0, Notice("good" if more <= 0 else "caution", words))
    sections = [Section("At a glance", blocks), Section("Map", [plan_map(views)])]
    if len(views) > 1:
        from optimizer.report.cases import Extras

        sections.append(comparison_section(views, Extras(causes=False), lambda _: None))
    sections += [ports_section(views), binding_section(views)]
    return Page(corridor.name, subtitle, [Chapter("What if", sections)])
