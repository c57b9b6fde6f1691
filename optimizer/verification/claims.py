"""What a plan must hold and claim before its rules mean anything: its tables and columns, its cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

from optimizer.data.schema.kinds import Row
from optimizer.result import Solution, Violation
from optimizer.verification.numbers import differs, number, shown


def missing_columns(tables: Mapping[str, type[Row]], solution: Solution) -> tuple[Violation, ...]:
    """Columns that must be there, of the tables of a family's plans, and are not."""
    return tuple(
        Violation("missing solution table or column", f"{name}.{column}", 1, "column")
        for name, model in tables.items()
        for column in [key for key, info in model.model_fields.items() if info.is_required()]
        if name not in solution or column not in solution[name].columns
    )


def false_cost(claimed: float | None, spent: Fraction) -> Iterator[Violation]:
    """A claimed cost, USD, that differs from the recomputed one; None claims nothing."""
    cost = spent if claimed is None else number(claimed)
    if cost is None or differs(cost, spent):
        amount = shown(claimed) - float(spent)
        yield Violation("claimed cost differs from the cost of the plan", "cost", amount, "USD")
