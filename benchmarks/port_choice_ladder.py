"""Dated port choice at every size: certified gap over time, in seconds and in pricing passes.

Passes count processor time, of all threads, in units measured on one core in the same run. *Plain pass*:
label-setting over 60 days once for every (commodity, origin, release day), the way a pass is usually made. *Own pass*:
the engine's own first pricing pass, which labels backwards once for every (commodity, destination). Every rung runs in
a process of its own, which also gives its memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.tables import print_table
from optimizer.data.generate import generate
from optimizer.data.scenario import apply_scenario
from optimizer.flows.routes.engine import RouteFlowResult, solve_route_flow
from optimizer.flows.routes.pricing import Pricing
from optimizer.models.family import SolveOptions
from optimizer.models.port_choice import PortChoice
from optimizer.models.port_choice.routeflow import Translation, translate
from optimizer.network.layered import LINK

SIZES = {"S": (20, 28, 500), "M": (60, 120, 5_000), "L": (120, 365, 50_000), "XL": (600, 365, 250_000)}
"""Places, days, shipments."""

RUNGS = {
    "S-light": (0.01, 0.001, 1e-6), "S-heavy": (0.01, 0.001, 1e-6),
    "M-light": (0.01, 0.001, 1e-4), "M-heavy": (0.01, 0.001, 1e-4),
    "L-light": (0.01, 0.001), "L-heavy": (0.01, 0.003), "XL-light": (0.01, 0.005),
}  # fmt: skip
"""Rung -> gaps whose time is told; the last one ends the run."""

PLAIN_SAMPLE = 2000
PLAIN_WINDOW_DAYS = 60


@dataclass(frozen=True)
class Rung:
    """What one rung measured; times in seconds, of the processor but for ``reached_s`` and ``warm``."""

    name: str
    shipments: int
    rise: float
    plain_pass_s: float
    own_pass_s: float
    reached_s: dict[str, float]
    reached: dict[str, float]
    passes: int
    gap: float
    memory_gib: float
    history: list[tuple[float, float, float, float]]
    warm: dict[str, float]


def run(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks port-choice-ladder", description=__doc__)
    parser.add_argument("--rungs", default="S-light,S-heavy,M-light,M-heavy,L-light,L-heavy,XL-light")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--time-limit", type=float, default=600.0, help="seconds for each rung")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--cold", action="store_true", help="without the second scenario on L")
    parser.add_argument("--chart", type=Path, help="draw the growth from M to XL: .svg, .png or .html")
    parser.add_argument("--history", type=Path, help="write cost and bound over time of every rung here, as JSON")
    options = parser.parse_args(argv)
    if options.one:
        print(json.dumps(measure(options.one, options.seed, options.time_limit, options.cold).__dict__))
        return
    rungs = []
    for name in options.rungs.split(","):
        command = [sys.executable, "-m", "benchmarks.port_choice_ladder", "--one", name, "--seed", str(options.seed)]
        command += ["--time-limit", str(options.time_limit), *(["--cold"] if options.cold else [])]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            print(f"{name} failed: {ended.stderr.strip().splitlines()[-1:]}")
            continue
        rungs.append(Rung(**json.loads(ended.stdout.splitlines()[-1])))
    _print(rungs, options.seed)
    if options.chart and len(_lightly_loaded(rungs)) > 1:
        _draw(rungs, options.chart)
    if options.history:
        options.history.write_text(json.dumps([rung.__dict__ for rung in rungs]))


def measure(name: str, seed: int, time_limit_s: float, cold: bool = False) -> Rung:
    """Run one rung in this process."""
    size, congestion = name.split("-")
    places, days, shipments = SIZES[size]
    instance = generate(places=places, days=days, shipments=shipments, congestion=congestion, seed=seed)  # type: ignore[arg-type]
    translation = translate(PortChoice(apply_scenario(instance, None), dated=True))
    flows = translation.flows
    plain_s = plain_pass_s(translation, seed)
    own_s, uncongested = own_pass_s(translation)
    targets = RUNGS[name]
    solve_route_flow(flows, SolveOptions(), max_passes=1)  # warm: machine code loaded
    history: list[tuple[float, float, float, float]] = []
    start, start_cpu = time.perf_counter(), time.process_time()

    def note(_passes: int, cost: float, bound: float) -> None:
        history.append((time.perf_counter() - start, time.process_time() - start_cpu, cost, bound))

    options = SolveOptions(gap=targets[-1], time_limit_s=time_limit_s)
    result = solve_route_flow(flows, options, on_pass=note)
    never = (float("nan"), float("nan"))
    both = {
        f"{gap:g}": next(((s, cpu) for s, cpu, cost, bound in history if cost - bound <= gap * cost), never)
        for gap in targets
    }
    reached_s, reached = ({gap: times[at] for gap, times in both.items()} for at in (0, 1))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    warm = warm_start(translation, result, targets[-1], time_limit_s) if size == "L" and not cold else {}
    rise = result.bound / uncongested - 1
    return Rung(
        name, shipments, rise, plain_s, own_s, reached_s, reached, result.passes, result.gap, memory, history, warm
    )


def plain_pass_s(translation: Translation, seed: int) -> float:
    """One core, every (commodity, origin, release day) once; a sample is timed and scaled to all."""
    flows = translation.flows
    keys = np.unique(np.column_stack([flows.graph, flows.source, flows.release_day]), axis=0)
    chosen = np.random.default_rng(seed).permutation(len(keys))[:PLAIN_SAMPLE]

    def label(key: np.ndarray) -> None:
        spacing = translation.spacings[int(key[0])]
        assert spacing is not None
        last = min(int(key[2]) + PLAIN_WINDOW_DAYS, flows.num_days - 1)
        spacing.earliest_and_cheapest(int(key[1]), int(key[2]), last)

    label(keys[0])
    start = time.process_time()
    for row in chosen:
        label(keys[row])
    return (time.process_time() - start) * len(keys) / len(chosen)


def own_pass_s(translation: Translation) -> tuple[float, float]:
    """The engine's pricing pass on one core without prices, and the uncongested bound it gives."""
    flows = translation.flows
    pricing = Pricing(flows, threads=1)
    free = np.zeros(flows.capacity.size)
    pricing.cheapest(free, flows.penalty)
    start = time.process_time()
    cheapest, _ = pricing.cheapest(free, flows.penalty)
    return time.process_time() - start, pricing.bound(cheapest, free)


def warm_start(translation: Translation, result: RouteFlowResult, gap: float, time_limit_s: float) -> dict[str, float]:
    """Close a busy link, solve cold and warm to the same gap."""
    flows = translation.without(_busy_link(translation, result))
    options = SolveOptions(gap=gap, time_limit_s=time_limit_s)
    start = time.perf_counter()
    cold = solve_route_flow(flows, options)
    cold_s = time.perf_counter() - start
    kept = result.warm
    start = time.perf_counter()
    warm = solve_route_flow(flows, options, warm=kept)
    warm_s = time.perf_counter() - start
    return {"cold_s": cold_s, "warm_s": warm_s, "cold_gap": cold.gap, "warm_gap": warm.gap,
            "cold_passes": cold.passes, "warm_passes": warm.passes}  # fmt: skip


def _busy_link(translation: Translation, result: RouteFlowResult) -> list[int]:
    """Arcs of the link of median load among those whose closure raises the uncongested bound by less than 1%."""
    network, pool = translation.network, result.pool
    used = np.repeat(result.flow > 0, np.diff(pool.move_start))
    graph = np.repeat(translation.flows.graph[pool.demand], np.diff(pool.move_start))[used]
    tonnes = np.repeat(result.flow, np.diff(pool.move_start))[used]
    load = np.zeros(network.num_arcs)
    for number, arc, amount in zip(graph.tolist(), pool.move_arc[used].tolist(), tonnes.tolist(), strict=True):
        load[translation.base_arcs(number, arc)] += amount
    uncongested = own_pass_s(translation)[1]
    links = np.flatnonzero((network.kind == LINK) & (load > 0))
    candidates = []
    for link in links[np.argsort(-load[links], kind="stable")]:
        closed = np.flatnonzero((network.kind == LINK) & (network.asset == network.asset[link])).tolist()
        flows = translation.without(closed)
        pricing, free = Pricing(flows), np.zeros(flows.capacity.size)
        if pricing.bound(pricing.cheapest(free, flows.penalty)[0], free) < 1.01 * uncongested:
            candidates.append(closed)
    return candidates[len(candidates) // 2]


def _print(rungs: list[Rung], seed: int) -> None:
    rows: list[list[object]] = []
    for rung in rungs:
        for gap, seconds in rung.reached.items():
            rows.append(
                [rung.name, rung.shipments, f"{100 * rung.rise:.2f}", f"{100 * float(gap):g}", rung.reached_s[gap],
                 seconds, seconds / rung.plain_pass_s, seconds / rung.own_pass_s, rung.plain_pass_s, rung.own_pass_s,
                 rung.memory_gib]
            )  # fmt: skip
    titles = ("rung", "shipments", "bound above uncongested %", "gap %", "s", "processor, s", "plain passes",
              "own passes", "plain pass, s", "own pass, s", "memory, GiB")  # fmt: skip
    print_table(f"Dated port choice, time to a certified gap, seed {seed}", titles, rows)
    warm = [
        [r.name, r.warm["cold_s"], r.warm["warm_s"], r.warm["cold_s"] / r.warm["warm_s"],
         f"{100 * r.warm['cold_gap']:.3f}", f"{100 * r.warm['warm_gap']:.3f}"]
        for r in rungs if r.warm
    ]  # fmt: skip
    if warm:
        warm_titles = ("rung", "cold, s", "warm, s", "cold / warm", "cold gap %", "warm gap %")
        print_table("A second scenario: one link closed", warm_titles, warm)
    sizes = _lightly_loaded(rungs)
    if len(sizes) > 1:
        power = f"shipments^{_growth(sizes):.2f}"
        print(f"\nProcessor time to 1% grows like {power} from {sizes[0].name} to {sizes[-1].name}.")


def _lightly_loaded(rungs: list[Rung]) -> list[Rung]:
    return [r for r in rungs if r.name in ("M-light", "L-light", "XL-light")]


def _growth(rungs: list[Rung]) -> float:
    """Exponent of the shipments in the processor time to 1%."""
    logs = np.log([[r.shipments, r.reached["0.01"]] for r in rungs])
    return float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])


def _draw(rungs: list[Rung], path: Path) -> None:
    """Processor time over shipments, both on scales of powers, beside growth by n^1.2."""
    from matplotlib.figure import Figure

    from optimizer.cli.charts import write_chart

    figure = Figure(figsize=(7, 4), layout="constrained")
    axis = figure.subplots()
    sizes = _lightly_loaded(rungs)
    many = np.array([r.shipments for r in sizes], dtype=float)
    taken = np.array([r.reached["0.01"] for r in sizes])
    axis.loglog(many, taken, marker="o", color="#4477aa", label=f"light, to 1%: n^{_growth(sizes):.2f}")
    heavy = [r for r in rungs if r.name in ("M-heavy", "L-heavy")]
    axis.loglog([r.shipments for r in heavy], [r.reached["0.01"] for r in heavy], marker="s", color="#ee6677",
                label="heavy, to 1%")  # fmt: skip
    axis.loglog(many, taken[0] * (many / many[0]) ** 1.2, linestyle="--", color="black", label="n^1.2")
    for rung in sizes:
        axis.annotate(rung.name, (rung.shipments, rung.reached["0.01"]), (6, -10), textcoords="offset points")
    axis.set_xlabel("shipments")
    axis.set_ylabel("processor time, s")
    axis.legend(frameon=False)
    write_chart(figure, path, "Growth of the processor time")


if __name__ == "__main__":
    run(sys.argv[1:])
