"""How notebooks show objects of this package; what draws them stands above them and is handed in."""

from __future__ import annotations

from collections.abc import Callable

draw: Callable[[object], str] = repr
"""HTML of an object; the package sets it to that of :mod:`optimizer.report.notebook`."""


class ShownInNotebooks:
    """Mixin of what shows itself as tables and map."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return draw(self)
