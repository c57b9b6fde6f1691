"""What loads leave in wagons, and which load may follow which."""

from __future__ import annotations

from collections.abc import Iterator

from optimizer.models.rolling_stock.problem import RollingStock


class Residues:
    """Which load may follow which."""

    def __init__(self, problem: RollingStock) -> None:
        goods = problem.table("commodities").to_dict("records")
        self._left = {row["commodity_id"]: row["residue"] for row in goods}
        self._accepted = {row["commodity_id"]: frozenset(row["accepts_residues"]) for row in goods}

    def left_by(self, commodity_id: str) -> str:
        return str(self._left[commodity_id])

    def taken(self, commodity_id: str, layers: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        """(residue before, residue after) of the wagons that a load may go into."""
        own = self._left[commodity_id]
        for before in layers:
            if not before or before == own or before in self._accepted[commodity_id]:
                yield before, own or before
