"""What a notebook shows of a corridor, a problem and a result: tables and a map, without scripts.

The map is an SVG drawn by matplotlib over the packaged coastlines and borders.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from markupsafe import Markup

from optimizer.data.corridor import Corridor
from optimizer.report.page import Cell, DataTable, basemap_text, number
from optimizer.report.words import figure_words
from optimizer.result import Result

COLOURS = {"1520": "#0b6bb8", "1435": "#d2600f", "1676": "#13805a", "road": "#857b6d", "ferry": "#7a63b8"}
MOST_ROWS = 12


def html(shown: Any) -> str:
    """HTML of a Corridor, a Result, or a problem of any family."""
    if isinstance(shown, Result):
        return str(_result(shown))
    if isinstance(shown, Corridor):
        return str(_corridor(shown))
    return str(_problem(shown))


def _corridor(corridor: Corridor) -> Markup:
    rows: list[list[Cell]] = [
        [name.replace("_", " "), len(table), len(corridor.instance.tables[name])]
        for name, table in corridor.tables.items()
        if len(corridor.instance.tables[name])
    ]
    words = f"{corridor.name}, scenario {', '.join(corridor.scenario) or 'base'}"
    table = DataTable("Rows in force", ["table", "in force", "in the instance"], rows)
    return _heading(words) + map_svg(corridor) + _table(table)


def _problem(problem: Any) -> Markup:
    options = ", ".join(f"{name} {value}" for name, value in problem.options.items())
    return _heading(f"{type(problem).__name__}: {options}") + _corridor(problem.corridor)


def _result(result: Result) -> Markup:
    words = (
        f"{result.family} on {result.instance_name}, scenario {', '.join(result.scenario) or 'base'}: {result.status}"
    )
    rows: list[list[Cell]] = [
        ["Cost of the plan", "USD", result.cost],
        ["No plan costs less than", "USD", result.bound],
        ["Gap", "%", None if result.gap is None else 100 * result.gap],
        ["Time", "s", result.runtime_s],
    ]
    rows += [[*figure_words(name), value] for name, value in result.kpis.items()]
    parts = [_heading(words), _table(DataTable("Key figures", ["figure", "unit", "value"], rows), len(rows))]
    parts += [Markup("<p>{}</p>").format(conflict) for conflict in result.conflicts]
    if result.solution is not None and (corridor := _corridor_of(result)) is not None:
        parts.append(map_svg(corridor, _loads(result)))
    for name, table in (result.solution or {}).items():
        cells = [
            [";".join(c) if isinstance(c, tuple) else c for c in row]
            for row in table.head(MOST_ROWS).itertuples(index=False)
        ]
        note = f"the first {MOST_ROWS} of {len(table):,} rows" if len(table) > MOST_ROWS else ""
        parts.append(_table(DataTable(name, list(table.columns), cells, note)))
    return Markup().join(parts)


def _corridor_of(result: Result) -> Corridor | None:
    """The corridor of a result, where its instance still is; a result alone has no coordinates."""
    from optimizer.data.reading import read_instance
    from optimizer.data.scenario import apply_scenario
    from optimizer.errors import OptimizerError

    if not result.instance_path:
        return None
    try:
        instance = read_instance(result.instance_path)
        return apply_scenario(instance, list(result.scenario)) if instance.hash == result.instance_hash else None
    except OptimizerError:
        return None


def _loads(result: Result) -> dict[str, float]:
    """Link -> tonnes or units over it."""
    found: dict[str, float] = {}
    solution = result.solution or {}
    if "legs" in solution and len(solution["legs"]):
        tonnes = solution["routes"].set_index("route_id")["quantity_t"]
        legs = solution["legs"][solution["legs"]["kind"] == "link"]
        found = tonnes.reindex(legs["route_id"]).groupby(legs["asset_id"].to_numpy()).sum().to_dict()
    elif "runs" in solution:
        for path, wagons in zip(solution["runs"]["path"], solution["runs"]["wagons"], strict=True):
            for asset in path:
                found[asset] = found.get(asset, 0.0) + float(wagons)
    return found


def map_svg(corridor: Corridor, loads: Mapping[str, float] | None = None) -> Markup:
    """Map of the links in force as SVG; links with a load are drawn by it."""
    from matplotlib.collections import LineCollection, PolyCollection
    from matplotlib.figure import Figure

    nodes = {row["node_id"]: row for row in corridor.table("nodes").to_dict("records")}
    links = corridor.table("links").to_dict("records")
    if not links:
        return Markup()
    ends = [
        [(float(nodes[row[end]]["lon"]), float(nodes[row[end]]["lat"])) for end in ("from_node", "to_node")]
        for row in links
    ]
    lons, lats = zip(*(point for pair in ends for point in pair), strict=True)
    side = max(0.05 * max(max(lons) - min(lons), max(lats) - min(lats)), 0.5)
    west, east, south, north = min(lons) - side, max(lons) + side, min(lats) - side, max(lats) + side
    figure = Figure(figsize=(8, 8 * min(1.2, max(0.4, (north - south) / (0.8 * (east - west))))))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(west, east), ylim=(south, north), facecolor="#dbe7f1", xticks=[], yticks=[])
    axes.set_aspect(1.25)
    near = [ring for ring, box in _rings() if box[0] < east and box[2] > west and box[1] < north and box[3] > south]
    axes.add_collection(PolyCollection(near, facecolor="#f1efe8", edgecolor="#b9b3a4", linewidth=0.6))
    most = max(loads.values(), default=0.0) if loads else 0.0
    widths = [0.6 + 5 * ((loads or {}).get(row["link_id"], 0.0) / most) ** 0.5 if most else 1.2 for row in links]
    layers = [str(int(row["gauge_mm"])) if row["mode"] == "rail" else str(row["mode"]) for row in links]
    axes.add_collection(LineCollection(ends, colors=[COLOURS[layer] for layer in layers], linewidths=widths, zorder=3))
    ports = set(corridor.table("ports")["node_id"])
    for node, row in nodes.items():
        if node in ports and west < row["lon"] < east and south < row["lat"] < north:
            axes.plot(row["lon"], row["lat"], "s", color="#8a4fb5", markersize=5, zorder=4)
            axes.annotate(
                _plain(str(row["name"])), (row["lon"], row["lat"]), (4, 2), textcoords="offset points", fontsize=7
            )
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    # Comments of the drawing repeat names.
    text = re.sub(r"<!--.*?-->", "", buffer.getvalue(), flags=re.DOTALL)
    alt = f"Map of {len(links)} links in force; blue 1520 mm, orange 1435 mm, green 1676 mm."
    drawing = Markup(text[text.index("<svg") :])  # matplotlib's own, names drawn as outlines
    return Markup('<figure role="img" aria-label="{}">{}</figure>').format(alt, drawing)


def _plain(name: str) -> str:
    return name.replace("$", "\\$")  # matplotlib would read it as a formula


@cache
def _rings() -> Sequence[tuple[list[list[float]], tuple[float, float, float, float]]]:
    found = []
    for feature in json.loads(basemap_text())["features"]:
        for polygon in feature["geometry"]["coordinates"]:
            xs, ys = zip(*polygon[0], strict=True)
            found.append((polygon[0], (min(xs), min(ys), max(xs), max(ys))))
    return found


def _heading(words: str) -> Markup:
    return Markup("<h4>{}</h4>").format(words)


def _table(table: DataTable, most: int = 40) -> Markup:
    head = Markup("").join(Markup("<th scope='col'>{}</th>").format(name) for name in table.columns)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(number(_cell(cell))) for cell in row))
        for row in list(table.rows)[:most]
    )
    note = Markup("<p>{}</p>").format(table.note) if table.note else ""
    return Markup("<table><caption>{}</caption><thead><tr>{}</tr></thead><tbody>{}</tbody></table>{}").format(
        table.title, head, body, note
    )


def _cell(cell: Any) -> Any:
    """Missing numbers are blank; booleans are words."""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return None if cell is None or cell != cell else cell
