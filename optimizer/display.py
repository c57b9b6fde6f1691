"""How notebooks show objects of this package; the drawing loads when it is asked for."""

from __future__ import annotations

import importlib


class ShownInNotebooks:
    """Mixin of what shows itself as tables and map."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        # By name, as the report stands above what it shows.
        html: str = importlib.import_module("optimizer.report.notebook").html(self)
        return html
