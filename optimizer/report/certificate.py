"""What is claimed of a result and how it is known, for people."""

from __future__ import annotations

from optimizer.api import verify
from optimizer.families import FAMILIES
from optimizer.models.family import Problem, Table
from optimizer.result import Result, Status


def certificate(problem: Problem, result: Result) -> Table:
    """
    What is claimed of a result, how it is known, and what was found when it was checked, for people.

    The plan is checked again here: every rule and the cost, in exact arithmetic, by code that shares nothing with the
    solver.
    """
    family = FAMILIES.of(problem)
    broken = verify(problem, result)
    rows = [["status", str(result.status), _STATUS_WORDS[result.status]]]
    if result.cost is not None:
        found = f"{len(broken)} broken rules" if broken else "every rule holds, and the cost is that of the plan"
        rows.append(["plan", f"{result.cost:,.2f} USD", f"checked in exact arithmetic: {found}"])
    if result.bound is not None:
        rows.append(
            [
                "bound",
                f"{result.bound:,.2f} USD",
                f"no plan costs less: {family.proofs.get(result.method, result.method)}",
            ]
        )
    if result.cost is not None and result.bound is not None:
        most = max(result.cost - result.bound, 0.0)
        rows.append(["gap", f"{100 * (result.gap or 0.0):.3g} %", f"at most {most:,.2f} USD could still be saved"])
    by = f"{result.method} with {result.solver}, seed {result.seed}"
    rows.append(["made by", f"{result.runtime_s:.1f} s", f"{by}; instance {result.instance_hash[:12]}"])
    return Table("Certificate", ("what", "value", "how it is known"), rows)


_STATUS_WORDS = {
    Status.OPTIMAL: "proved best within the gap asked for",
    Status.FEASIBLE: "a plan; a limit came before it was proved best",
    Status.INFEASIBLE: "proved: no plan keeps every rule",
    Status.NO_SOLUTION: "a limit came before the first plan; says nothing about the problem",
}
