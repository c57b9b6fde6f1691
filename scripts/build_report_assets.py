"""Packaged files of the report: the chart library as published, and coastlines and borders cut down from Natural Earth.

``npm install --no-save echarts@6.1.0 world-atlas@2.0.2`` in an empty folder, then
``python -m scripts.build_report_assets FOLDER/node_modules``; ``optimizer/report/assets/README.md`` says what came of
it.

Natural Earth is in the public domain; ``world-atlas`` holds it as TopoJSON, in which neighbours share their border as
an arc. Arcs are simplified, so that neighbours still meet: finely along the corridor, coarsely elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

ASSETS = Path(__file__).resolve().parent.parent / "optimizer" / "report" / "assets"
WINDOW = (-15.0, -40.0, 150.0, 66.0)
"""West, south, east, north: what is kept."""
CORE = (44.0, 21.0, 90.0, 56.0)
"""Along the corridor: borders as fine as at the scale of one to fifty million."""
FINE_DEG, COARSE_DEG = 0.02, 0.15
LEAST_ISLAND_DEG2 = 0.15

Points = npt.NDArray[np.float64]


def arcs_of(topology: dict[str, Any]) -> list[Points]:
    """Arcs in degrees: deltas summed, then scaled."""
    scale, shift = (np.array(topology["transform"][key]) for key in ("scale", "translate"))
    return [np.cumsum(np.array(arc, float), axis=0) * scale + shift for arc in topology["arcs"]]


def simplified(points: Points, tolerance: float) -> Points:
    """Fewer points, none moved by more than the tolerance (D. Douglas and T. Peucker, Cartographica 10, 1973)."""
    keep = np.zeros(len(points), bool)
    keep[[0, -1]] = True
    open_ = [(0, len(points) - 1)]
    while open_:
        first, last = open_.pop()
        if last - first < 2:
            continue
        start, way = points[first], points[last] - points[first]
        offset = points[first + 1 : last] - start
        length = float(np.hypot(*way))
        away = np.abs(offset @ [-way[1], way[0]]) / length if length else np.hypot(*offset.T)
        worst = first + 1 + int(away.argmax())
        if away.max() > tolerance:
            keep[worst] = True
            open_ += [(first, worst), (worst, last)]
    return points[keep]


def inside(points: Points, box: Sequence[float]) -> bool:
    """Whether the bounding box of the points meets a box."""
    west, south, east, north = box
    (low_x, low_y), (high_x, high_y) = points.min(axis=0), points.max(axis=0)
    return bool(low_x <= east and high_x >= west and low_y <= north and high_y >= south)


def area_deg2(ring: Points) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def base_map(topology: dict[str, Any]) -> dict[str, Any]:
    """GeoJSON of every country that reaches into the window; small islands far from the corridor left out."""
    arcs = [simplified(arc, FINE_DEG if inside(arc, CORE) else COARSE_DEG) for arc in arcs_of(topology)]
    features = []
    for country in topology["objects"]["countries"]["geometries"]:
        polygons = {"Polygon": [country.get("arcs")], "MultiPolygon": country.get("arcs")}.get(country["type"], [])
        kept = []
        for polygon in polygons or []:
            rings = [np.vstack([arcs[a] if a >= 0 else arcs[~a][::-1] for a in ring]) for ring in polygon]
            outer = rings[0]
            if inside(outer, WINDOW) and (inside(outer, CORE) or area_deg2(outer) >= LEAST_ISLAND_DEG2):
                kept.append([_short(ring) for ring in rings if len(_short(ring)) >= 4])
        if kept:
            geometry = {"type": "MultiPolygon", "coordinates": kept}
            features.append({"type": "Feature", "properties": {"name": country["properties"]["name"]},
                             "geometry": geometry})  # fmt: skip
    return {"type": "FeatureCollection", "features": features}


def _short(ring: Points) -> list[list[float]]:
    """Two decimals (a kilometre), repeated points once, closed."""
    rounded = np.round(ring, 2).tolist()
    points = [point for at, point in enumerate(rounded) if at == 0 or point != rounded[at - 1]]
    return points if points[0] == points[-1] else [*points, points[0]]


def main(modules: Path) -> None:
    """Write the assets and print their checksums."""
    atlas = modules / "world-atlas" / "countries-50m.json"
    drawn = base_map(json.loads(atlas.read_text(encoding="utf-8")))
    (ASSETS / "basemap.json").write_text(json.dumps(drawn, separators=(",", ":"), ensure_ascii=False), encoding="utf-8")
    shutil.copyfile(modules / "echarts" / "dist" / "echarts.min.js", ASSETS / "echarts.min.js")
    shutil.copyfile(modules / "echarts" / "LICENSE", ASSETS / "LICENSE-echarts")
    shutil.copyfile(modules / "echarts" / "NOTICE", ASSETS / "NOTICE-echarts")
    for file in (atlas, ASSETS / "basemap.json", ASSETS / "echarts.min.js"):
        print(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}  {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
