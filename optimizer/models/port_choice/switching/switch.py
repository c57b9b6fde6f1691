"""Switch points: for which values of one lever which plan of the year is best, exactly.

The least cost V is the minimum over plans of lines in a cost lever t, so it is concave and piecewise linear, with
contracts as binaries too; in a capacity, with contracts held, it is the maximum over dual solutions of lines, so it
is convex and piecewise linear. Either way its lines follow from the recursion of Eisner and Severance (Journal of the
ACM 23(4), 1976): take the lines of both ends, solve where they cross, and go on left and right of there until the
solution lies on them. The crossings that remain are the switch points.

The model of ``exact.py`` is built once and handed to HiGHS; a solve changes costs or a capacity in place and starts
from the last basis. The plan shown for an interval is solved from scratch in its middle, so that among plans
of equal cost it does not depend on what was solved before.

Contracts: a cost lever decides on them again at every solve. A capacity lever keeps those the best plan of the
instance as stated takes (with contracts free, V would no longer be convex), and says for every interval how much
choosing again would save in its middle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import highspy
import numpy as np
import numpy.typing as npt
import pulp

from optimizer.errors import InstanceError, UsageError, VerificationError, did_you_mean
from optimizer.models.family import SolveOptions
from optimizer.models.port_choice.exact import Formulation
from optimizer.models.port_choice.graph import FlowGraph, Limit, static_graph
from optimizer.models.port_choice.plan import Plan, read_plan
from optimizer.models.port_choice.problem import PortChoice
from optimizer.models.port_choice.switching.envelope import SAME, Line, crossing, envelope
from optimizer.models.port_choice.switching.levers import Lever, lane_groups
from optimizer.models.port_choice.trips import Trip
from optimizer.network.layered import LayeredNetwork
from optimizer.solvers.highs import make_highs, run_highs

Floats = npt.NDArray[np.float64]
MOST_BRANCHED = 10
OVERLAND = "no sea port"
UNSERVED = "left behind"


@dataclass(frozen=True)
class Interval:
    """
    Values between two switch points.

    Attributes
    ----------
    start, end
        Values; the cost is ``line.at(value)`` between them.
    tonnes
        (lane group, port) -> tonnes a year in the middle; ``no sea port`` over land, ``left behind`` unserved. For
        a cost lever these hold in the whole interval, for a capacity they change along it.
    lane_winner
        Lane -> port most of its tonnes take.
    taken
        Contracts taken.
    choice_saves_usd
        Saving in the middle if contracts were chosen again; 0 for cost levers.
    """

    start: float
    end: float
    line: Line
    tonnes: dict[tuple[str, str], float]
    lane_winner: dict[str, str]
    taken: tuple[str, ...]
    choice_saves_usd: float = 0.0

    def shares(self, group: str) -> dict[str, float]:
        """Port -> share of the group's tonnes, largest first."""
        mine = {port: t for (name, port), t in self.tonnes.items() if name == group}
        total = sum(mine.values())
        # Rounded, so that the tolerance of the solver does not decide between equals.
        shares = {port: round(t / total, 9) for port, t in mine.items() if t > 0}
        return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))

    def winner(self, group: str) -> str:
        """Port with most tonnes of the group; the first by name among equals."""
        return next(iter(self.shares(group)), UNSERVED)


@dataclass(frozen=True)
class Switches:
    """Answer for a lever: intervals in order, and how well the re-solves beside the switch points agree."""

    lever: Lever
    intervals: tuple[Interval, ...]
    solves: int
    largest_deviation: float

    @property
    def points(self) -> tuple[float, ...]:
        return tuple(interval.start for interval in self.intervals[1:])

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(sorted({group for interval in self.intervals for group, _ in interval.tonnes}))


class Parametric:
    """The annual model with one lever in it; ``line`` solves it at a value."""

    def __init__(self, problem: PortChoice, lever: Lever, low: float, high: float) -> None:
        if problem.dated or problem.serve_all:
            raise UsageError("switch points are for annual lanes that may stay unserved; leave out dated and serve_all")
        lever.check_range(problem.corridor, low, high)
        self.problem, self.lever, self.low, self.high, self.solves = problem, lever, low, high, 0
        self.groups = lane_groups(problem.corridor)
        ends = [static_graph(self._applied(value)) for value in (low, high)]
        self.graph, costs = self._merged(ends, static_graph(problem) if lever.group else None)
        self.limits = _limits_of(self.graph, lever.target) if lever.how == "limit" else ()
        self._load(costs)

    def _merged(
        self, ends: Sequence[FlowGraph], base: FlowGraph | None
    ) -> tuple[FlowGraph, list[tuple[Floats, Floats]]]:
        """One graph with every arc that is worth taking at some value, and costs per demand at both ends.

        The cheapest walk over an arc costs a concave function of the lever, so what is too dear at both ends need
        not be too dear between, but what is cheap enough between is so at one of the ends.
        """
        demands, costs = [], []
        for number, pair in enumerate(zip(*(graph.demands for graph in ends), strict=True)):
            graphs = ends
            if base is not None and self.groups[pair[0].demand_id] != self.lever.group:
                graphs = (base, base)
            arcs = np.unique(np.concatenate([graph.demands[number].arcs for graph in graphs]))
            both = tuple(graph.arc_usd_per_t(graph.demands[number])[arcs] for graph in graphs)
            costs.append((both[0], both[1]))
            demands.append(replace(graphs[0].demands[number], arcs=arcs, cost_usd_per_t=both[0]))
        return replace(ends[0], demands=tuple(demands)), costs

    def _applied(self, value: float) -> PortChoice:
        """The problem at a value; UsageError, naming the row, where something then costs less than nothing."""
        problem = self.lever.applied(self.problem, value)
        if self.lever.how == "add" and value < 0:  # nothing else can bring a cost below zero
            network = LayeredNetwork.build(problem.corridor)
            for commodity_id in sorted(set(problem.demand()["commodity_id"])):
                try:
                    network.arc_costs(commodity_id)
                except InstanceError as error:
                    raise UsageError(
                        f"{self.lever.words} at {value:g} {self.lever.unit} is too much, {error.faults[0].message}; "
                        "narrow the range"
                    ) from error
        return problem

    def _load(self, costs: Sequence[tuple[Floats, Floats]]) -> None:
        form = Formulation(self.graph)
        self.highs = make_highs(SolveOptions(), {"threads": 1, "output_flag": False})
        form.lp.solverModel = self.highs
        pulp.HiGHS(msg=False).buildSolverModel(form.lp)
        self.flow = [np.array([v.index for v in mine.values()], dtype=np.int32) for mine in form.flow]
        self.taken = np.array([y.index for y in form.taken], dtype=np.int32)
        self.upper = np.array([y.upBound for y in form.taken], dtype=float)
        self.rows = {number: row.index for number, row in form.limit_rows.items()}
        self.cost_low = np.array(self.highs.getLp().col_cost_, dtype=float)
        self.slope = np.zeros(len(self.cost_low))
        for mine, (one, other) in zip(self.flow, costs, strict=True):
            self.cost_low[mine] = one
            self.slope[mine] = (other - one) / (self.high - self.low)
        unused = not self.slope.any() if self.lever.how != "limit" else not any(n in self.rows for n in self.limits)
        if unused:
            raise UsageError(f"{self.lever.words} touches nothing any lane could use; no value of it switches anything")
        self.kept: Floats | None = None
        self.last: Floats | None = None
        self._relax(True)
        if self.lever.how == "limit" and len(self.taken):
            self.kept = self._choose()

    def _choose(self) -> Floats:
        """
        Contracts of the best plan at the costs and capacities now in the model.

        Few contracts are branched on here, depth first from the last choice: linear solves that start warm take a
        fraction of the time of a mixed-integer solve, which starts anew.
        """
        if len(self.taken) > MOST_BRANCHED:
            self._relax(False)
            self._run(is_mip=True)
            return np.round(self._values()[self.taken])
        best, chosen = np.inf, np.zeros(len(self.taken))
        todo = [(np.zeros(len(self.taken)), self.upper)]
        if self.last is not None:
            todo.append((self.last, self.last))
        while todo:
            low, high = todo.pop()
            self.highs.changeColsBounds(len(self.taken), self.taken, low, high)
            cost = self._run()
            if cost >= best - 1e-12 * abs(best):
                continue
            taken = self._values()[self.taken]
            doubt = np.abs(taken - np.round(taken))
            at = int(doubt.argmax())
            if doubt[at] > 1e-9:
                for side in (0.0, 1.0):
                    limits = low.copy(), high.copy()
                    limits[0][at] = limits[1][at] = side
                    todo.append(limits)
            elif np.array_equal(low, high):
                best, chosen = cost, low
            else:
                todo.append((np.round(taken), np.round(taken)))
        self.last = chosen
        return chosen

    def _values(self) -> Floats:
        return np.array(self.highs.getSolution().col_value)

    def _relax(self, relaxed: bool, taken: Floats | None = None) -> None:
        """Fix contracts as real numbers, or let them be decided."""
        kind = highspy.HighsVarType.kContinuous if relaxed else highspy.HighsVarType.kInteger
        count = len(self.taken)
        if count:
            self.highs.changeColsIntegrality(count, self.taken, np.array([kind] * count))
            low, high = (np.zeros(count), self.upper) if taken is None else (taken, taken)
            self.highs.changeColsBounds(count, self.taken, low, high)

    def _run(self, is_mip: bool = False) -> float:
        self.solves += 1
        found = run_highs(self.highs, SolveOptions(), is_mip, 0.0)
        return np.inf if found.objective is None else found.objective  # a contract may ask for more than there is

    def _set(self, value: float) -> None:
        if self.lever.how == "limit":
            limits = [replace(limit, capacity=value) if number in self.limits else limit
                      for number, limit in enumerate(self.graph.limits)]  # fmt: skip
            self.graph = replace(self.graph, limits=tuple(limits))
            for number in self.limits:
                if number in self.rows:
                    self.highs.changeRowBounds(self.rows[number], -highspy.kHighsInf, value)
        else:
            every = np.arange(len(self.cost_low), dtype=np.int32)
            self.highs.changeColsCost(len(every), every, self.cost_low + self.slope * (value - self.low))

    def line(self, value: float, choose: bool | None = None) -> Line:
        """Least cost at a value and its slope; the solution stays in the solver. ``choose`` decides on contracts again
        (default: for cost levers)."""
        self._set(value)
        choose = self.kept is None if choose is None else choose
        taken = self._choose() if choose and len(self.taken) else self.kept
        self._relax(True, taken)
        cost = self._run()
        solution = self.highs.getSolution()
        if self.lever.how == "limit":
            duals = solution.row_dual
            slope = sum(min(duals[self.rows[number]], 0.0) for number in self.limits if number in self.rows)
        else:
            slope = float(self.slope @ np.array(solution.col_value))
        return Line(value, cost, float(slope))

    def plan(self) -> Plan:
        """The plan of the last solve."""
        solution = self.highs.getSolution()
        values = np.array(solution.col_value)
        flows = [dict(zip(d.arcs.tolist(), values[mine].tolist(), strict=True))
                 for d, mine in zip(self.graph.demands, self.flow, strict=True)]  # fmt: skip
        prices = {number: max(-solution.row_dual[row], 0.0) for number, row in self.rows.items()}
        return read_plan(self.graph, flows, [y > 0.5 for y in values[self.taken]], prices)


def _limits_of(graph: FlowGraph, name: str) -> tuple[int, ...]:
    """Limits of a name: as plans call them, or the id of the asset where that is plain."""
    found = [n for n, limit in enumerate(graph.limits) if name in (limit.resource, _asset(limit))]
    units = {graph.limits[n].unit for n in found}
    if len(units) == 1:
        return tuple(found)
    if found:
        names = " and ".join(f"'{graph.limits[n].resource}'" for n in found)
        raise UsageError(f"'{name}' has capacities in tonnes and TEU; name one of {names}")
    known = {limit.resource for limit in graph.limits} | {_asset(limit) for limit in graph.limits}
    raise UsageError(f"no capacity limits '{name}'{did_you_mean(name, sorted(known))}")


def _asset(limit: Limit) -> str:
    return limit.resource.split(" ")[1]


def switch_points(problem: PortChoice, lever: Lever, low: float, high: float, lanes: Collection[str] = ()) -> Switches:
    """
    Intervals of a lever between its switch points.

    Parameters
    ----------
    low, high
        Values in the lever's unit, ``low < high``.
    lanes
        Lanes to report; all compete for capacity whatever is reported. Empty: all.

    Raises
    ------
    UsageError
        A range or target that does not fit, costs below zero, a lever without any effect, lanes none of which can
        be served, or a contract whose least volume only tonnes that circle would fill.
    VerificationError
        Solves beside a switch point disagree with its lines: a defect.
    """
    model = Parametric(problem, lever, low, high)
    wanted = set(lanes or model.groups)
    lines = envelope(model.line, low, high, concave=lever.how != "limit")
    edges = [low, *(crossing(one, other) for one, other in pairwise(lines)), high]
    deviation, intervals = 0.0, []
    for line, start, end in zip(lines, edges[:-1], edges[1:], strict=True):
        for share in (0.001, 0.999):
            value = start + share * (end - start)
            cost = model.line(value).cost
            deviation = max(deviation, abs(cost - line.at(value)) / max(1.0, abs(cost)))
        intervals.append(_interval(model, line, start, end, wanted))
    if deviation > 100 * SAME:
        raise VerificationError(f"solves beside the switch points differ by {deviation:.1e} from the lines")
    if not any(port != UNSERVED for interval in intervals for _, port in interval.tonnes):
        raise UsageError("all lanes asked for stay unserved at every value of the range; there is nothing to switch")
    return Switches(lever, tuple(intervals), model.solves, deviation)


def _interval(model: Parametric, line: Line, start: float, end: float, wanted: set[str]) -> Interval:
    middle = (start + end) / 2
    saving = 0.0
    if model.kept is not None:
        saving = max(line.at(middle) - model.line(middle, choose=True).cost, 0.0)
    model.highs.clearSolver()
    model.last = None
    model.line(middle)
    plan = model.plan()
    if short := plan.short_contracts():
        names = ", ".join(f"'{model.graph.services[number].contract_id}'" for number in sorted(short))
        raise UsageError(
            f"at {middle:g} {model.lever.unit} the best plan would send tonnes in a circle to fill the least volume of "
            f"contract {names}; leave it out or lower its min_t_per_year"
        )
    tonnes: dict[tuple[str, str], float] = defaultdict(float)
    winners = {}
    rows = {row["demand_id"]: row for row in model.problem.demand().to_dict("records")}
    for demand, mine, left in zip(plan.graph.demands, plan.routes, plan.unserved_t, strict=True):
        if demand.demand_id not in wanted:
            continue
        ports: dict[str, float] = defaultdict(float)
        for arcs, amount in mine:
            trip = Trip(rows[demand.demand_id], amount, plan.graph.legs(demand, arcs), list(arcs), {}, 0.0, 0.0, 0.0)
            ports[trip.port or OVERLAND] += amount
        if left > 0:
            ports[UNSERVED] += left
        for port, amount in ports.items():
            tonnes[model.groups[demand.demand_id], port] += amount
        winners[demand.demand_id] = min(ports, key=lambda port: (-round(ports[port], 6), port), default=UNSERVED)
    taken = tuple(s.contract_id for s, y in zip(plan.graph.services, plan.taken, strict=True) if y)
    return Interval(start, end, line, dict(tonnes), winners, taken, saving)
