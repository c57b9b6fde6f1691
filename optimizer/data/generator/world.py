"""Places, tracks, breaks of gauge and ports of a generated corridor.

Land places lie at random in three bands from north to south: 1520 mm, 1435 mm and 1676 mm. Rail is the minimum spanning
tree of the places plus a few of the shortest other edges of their Delaunay triangulation, so it is tree-like with few
rings. A link between two bands keeps the northern or the southern gauge to its far end, and that end changes gauge. The
southernmost places are ports, each served to most of the overseas places.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from optimizer.data.generator import names, table, table_of

COUNTRIES = np.array(["KZ", "AF", "PK"], dtype=object)
GAUGES_MM = np.array([1520, 1435, 1676])
BAND_SHARES = (0.45, 0.2, 0.35)
BAND_LATITUDES = ((38.5, 52.0), (31.5, 38.0), (24.5, 31.0))
LONGITUDES = (56.0, 76.0)
OVERSEAS_COUNTRIES = ("AE", "CN", "IN", "SG", "KE", "TR", "NL", "SA", "KR", "MY", "EG", "DE")
BULK_FORMS = ("covered", "hopper", "gondola", "tank", "flat")
KM_PER_DEGREE, NM_PER_DEGREE = 111.2, 60.0
MIN_PLACES = 8


@dataclass(frozen=True)
class World:
    """Tables of the network, and what later steps ask about it."""

    tables: dict[str, pd.DataFrame]
    band: np.ndarray  # of each land place
    land: np.ndarray  # ids
    overseas: np.ndarray  # ids


def make_world(places: int, rng: np.random.Generator) -> World:
    """Network tables for ``places`` places (at least 8), overseas ones included."""
    num_overseas = int(np.clip(places // 15, 2, len(OVERSEAS_COUNTRIES)))
    num_land = places - num_overseas
    num_ports = int(np.clip(places // 20, 2, 12))
    band, lat, lon = _land_points(num_land, num_ports, rng)
    xy = np.column_stack([lon * np.cos(np.radians(38.0)), lat]) * KM_PER_DEGREE
    tree, rings, others = _edges(xy)

    land = names("P", num_land)
    ports = _southernmost(band, lat, lon, num_ports)
    rail = np.concatenate([tree, rings])
    gauge_mm = _link_gauges(rail, band, rng)
    road = _road_edges(tree, others, num_land, rng)
    links = _links(land, xy, rail, gauge_mm, road, rng)
    overseas_nodes = _overseas_nodes(num_overseas, rng)
    layers = _layers(rail, gauge_mm, road, band)
    handlings = pd.concat(
        [
            _gauge_changes(land, layers, rng),
            _rail_road(land, layers, rng),
            _quays(land[ports], [layers[port] for port in ports], overseas_nodes["node_id"].to_numpy(object), rng),
        ]
    )
    handlings.index = pd.RangeIndex(2, len(handlings) + 2, name="line")
    kind = np.full(num_land, "station", dtype=object)
    kind[[place for place in range(num_land) if len(_gauges_of(layers[place])) > 1]] = "gauge_change"
    kind[ports] = "sea_port"
    nodes = pd.concat(
        [
            table(
                "nodes", num_land, node_id=land, name=[f"Place {place}" for place in land], country=COUNTRIES[band],
                lat=lat.round(4), lon=lon.round(4), kind=kind,
            ),
            overseas_nodes,
        ]
    )  # fmt: skip
    nodes.index = pd.RangeIndex(2, len(nodes) + 2, name="line")
    tables = {
        "nodes": nodes,
        "links": links,
        "handlings": handlings,
        "ports": table(
            "ports", num_ports, node_id=land[ports], max_draught_m=rng.choice([11.0, 13.0, 15.0], num_ports)
        ),
        "sea_legs": _sea_legs(nodes, land[ports], overseas_nodes["node_id"].to_numpy(object), rng),
    }
    return World(tables=tables, band=band, land=land, overseas=overseas_nodes["node_id"].to_numpy(object))


def _land_points(num_land: int, num_ports: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Band, latitude and longitude of each land place; every band has a place, the southern one all ports."""
    counts = np.maximum((np.array(BAND_SHARES) * num_land).astype(int), [1, 1, num_ports])
    counts[0] = num_land - counts[1] - counts[2]
    band = np.repeat(np.arange(3), counts)
    low, high = np.array(BAND_LATITUDES).T
    lat = rng.uniform(low[band], high[band])
    lon = rng.uniform(*LONGITUDES, num_land)
    return band, lat, lon


def _edges(xy: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Spanning tree, ring edges (a tenth as many, the shortest) and the other triangulation edges by length."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import minimum_spanning_tree
    from scipy.spatial import Delaunay

    corners = Delaunay(xy).simplices
    pairs = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [0, 2]]])
    pairs = np.unique(np.sort(pairs, axis=1), axis=0).astype(np.int64)
    length = np.linalg.norm(xy[pairs[:, 0]] - xy[pairs[:, 1]], axis=1)
    graph = coo_array((length, (pairs[:, 0], pairs[:, 1])), shape=(len(xy), len(xy)))
    kept = minimum_spanning_tree(graph.tocsr()).tocoo()
    tree = np.column_stack([kept.row, kept.col]).astype(np.int64)
    codes = pairs[:, 0] * len(xy) + pairs[:, 1]
    tree_codes = np.sort(tree, axis=1) @ np.array([len(xy), 1])
    spare = np.flatnonzero(~np.isin(codes, tree_codes))
    spare = spare[np.argsort(length[spare], kind="stable")]
    num_rings = max(2, len(xy) // 10)
    return pairs[np.isin(codes, tree_codes)], pairs[spare[:num_rings]], pairs[spare[num_rings:]]


def _southernmost(band: np.ndarray, lat: np.ndarray, lon: np.ndarray, num_ports: int) -> np.ndarray:
    """One port in each strip of equally many southern places: the southernmost of the strip."""
    south = np.flatnonzero(band == 2)
    strips = np.array_split(south[np.argsort(lon[south], kind="stable")], num_ports)
    return np.array([strip[np.argmin(lat[strip])] for strip in strips])


def _link_gauges(rail: np.ndarray, band: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gauge of each link; between bands that of the northern end in two of three cases."""
    ends = np.sort(band[rail], axis=1)
    southern = rng.random(len(rail)) < 1 / 3
    return GAUGES_MM[np.where(southern, ends[:, 1], ends[:, 0])]


def _road_edges(tree: np.ndarray, others: np.ndarray, num_land: int, rng: np.random.Generator) -> np.ndarray:
    """Roads: beside some of the railway and where the railway is missing."""
    beside = tree[rng.random(len(tree)) < 0.1]
    return np.concatenate([beside, others[: max(1, num_land // 12)]])


def _links(
    land: np.ndarray, xy: np.ndarray, rail: np.ndarray, gauge_mm: np.ndarray, road: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:
    ends = np.concatenate([rail, road])
    is_rail = np.arange(len(ends)) < len(rail)
    crow_km = np.linalg.norm(xy[ends[:, 0]] - xy[ends[:, 1]], axis=1)
    length_km = np.maximum(crow_km * rng.uniform(1.1, 1.35, len(ends)), 5.0).round(1)
    speed_kmh = np.where(is_rail, rng.choice([28.0, 34.0, 40.0, 48.0], len(ends)), rng.choice([35.0, 42.0], len(ends)))
    gauge = np.concatenate([gauge_mm.astype(float), np.full(len(road), np.nan)])
    wired = is_rail & (gauge == 1520) & (rng.random(len(ends)) < 0.5)
    return table(
        "links", len(ends), link_id=names("L", len(ends)), from_node=land[ends[:, 0]], to_node=land[ends[:, 1]],
        mode=np.where(is_rail, "rail", "road").astype(object), gauge_mm=gauge, length_km=length_km, speed_kmh=speed_kmh,
        speed_kmh_low=speed_kmh * 0.75, speed_kmh_high=speed_kmh * 1.25,
        capacity_trains_per_day=np.where(is_rail, rng.choice([16.0, 24.0, 48.0], len(ends)), np.nan),
        tracks=np.where(is_rail, 1.0 + (rng.random(len(ends)) < 0.2), np.nan),
        electrified=np.where(is_rail, np.where(wired, "25kV", "no"), "").astype(object),
        ruling_gradient_permille=np.where(is_rail, rng.choice([6.0, 9.0, 12.0, 20.0], len(ends)), np.nan),
        max_train_gross_t=np.where(is_rail, rng.choice([2500.0, 3500.0, 5000.0], len(ends)), np.nan),
        max_train_wagons=np.where(is_rail, rng.choice([45.0, 57.0, 65.0], len(ends)), np.nan),
    )  # fmt: skip


def _layers(rail: np.ndarray, gauge_mm: np.ndarray, road: np.ndarray, band: np.ndarray) -> list[list[str]]:
    """Layers met at each land place, sorted."""
    met: list[set[str]] = [set() for _ in band]
    for (tail, head), gauge in zip(rail, gauge_mm, strict=True):
        met[tail].add(f"rail-{gauge}")
        met[head].add(f"rail-{gauge}")
    for place in np.unique(road):
        met[place].add("road")
    return [sorted(layers) for layers in met]


def _gauges_of(layers: list[str]) -> list[str]:
    return [layer for layer in layers if layer.startswith("rail")]


def _band(rng: np.random.Generator, low: float, high: float) -> dict[str, float]:
    """A dwell with its 10th and 90th percentile."""
    dwell_h = round(float(rng.uniform(low, high)), 1)
    return {"dwell_h": dwell_h, "dwell_h_low": round(dwell_h * 0.6, 1), "dwell_h_high": round(dwell_h * 1.8, 1)}


def _gauge_changes(land: np.ndarray, layers: list[list[str]], rng: np.random.Generator) -> pd.DataFrame:
    """Container gantry and bulk transfer wherever gauges meet; bogie exchange at one in three such places."""
    rows = []
    for place, met in enumerate(layers):
        gauges = _gauges_of(met)
        for first, second in itertools.pairwise(gauges):
            base = {"node_id": land[place], "from_layer": first, "to_layer": second}
            ends = f"{land[place]}-{first[5:]}-{second[5:]}"
            rows.append(
                base | _band(rng, 10, 24) | {
                    "handling_id": f"G-{ends}", "technology": "container_gantry", "cargo_forms": ("container",),
                    "cost_usd_per_t": 0.0, "cost_usd_per_feu": float(rng.integers(60, 120)), "cost_usd_per_wagon": 0.0,
                }
            )  # fmt: skip
            rows.append(
                base | _band(rng, 18, 48) | {
                    "handling_id": f"T-{ends}", "technology": "bulk_transfer", "cargo_forms": BULK_FORMS,
                    "cost_usd_per_t": round(float(rng.uniform(3, 6)), 2), "cost_usd_per_feu": 0.0,
                    "cost_usd_per_wagon": 0.0,
                }
            )  # fmt: skip
            if rng.random() < 1 / 3:
                rows.append(
                    base | _band(rng, 8, 16) | {
                        "handling_id": f"B-{ends}", "technology": "bogie_exchange", "cargo_forms": (),
                        "cost_usd_per_t": 0.0, "cost_usd_per_feu": 0.0,
                        "cost_usd_per_wagon": float(rng.integers(250, 400)),
                    }
                )  # fmt: skip
    return table_of("handlings", rows)


def _rail_road(land: np.ndarray, layers: list[list[str]], rng: np.random.Generator) -> pd.DataFrame:
    rows = [
        _band(rng, 8, 16)
        | {
            "handling_id": f"R-{land[place]}-{rail[5:]}", "node_id": land[place], "from_layer": rail,
            "to_layer": "road", "technology": "rail_road", "cost_usd_per_t": round(float(rng.uniform(2, 4)), 2),
        }
        for place, met in enumerate(layers)
        if "road" in met
        for rail in _gauges_of(met)
    ]  # fmt: skip
    return table_of("handlings", rows)


def _quays(ports: np.ndarray, layers: list[list[str]], overseas: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Quays of the land ports by cargo, and the hand-over at the overseas ports."""
    rows = []
    for port, met in zip(ports, layers, strict=True):
        for layer in met:
            base = {"node_id": port, "from_layer": layer, "to_layer": "sea", "technology": "quay"}
            rows.append(
                base | _band(rng, 60, 120) | {
                    "handling_id": f"QC-{port}-{layer}", "cargo_forms": ("container",), "cost_usd_per_t": 0.0,
                    "cost_usd_per_feu": float(rng.integers(140, 260)),
                }
            )  # fmt: skip
            rows.append(
                base | _band(rng, 72, 144) | {
                    "handling_id": f"QB-{port}-{layer}", "cargo_forms": BULK_FORMS, "cost_usd_per_feu": 0.0,
                    "cost_usd_per_t": round(float(rng.uniform(4, 9)), 2),
                }
            )  # fmt: skip
    for port in overseas:
        base = {"node_id": port, "from_layer": "sea", "to_layer": "door", "technology": "quay"}
        rows.append(
            base | _band(rng, 24, 48) | {
                "handling_id": f"QD-{port}", "cargo_forms": (), "cost_usd_per_feu": float(rng.integers(80, 160)),
                "cost_usd_per_t": 0.0,
            }
        )  # fmt: skip
    return table_of("handlings", rows)


def _overseas_nodes(count: int, rng: np.random.Generator) -> pd.DataFrame:
    ids = names("X", count)
    return table(
        "nodes", count, node_id=ids, name=[f"Overseas {place}" for place in ids],
        country=np.array(OVERSEAS_COUNTRIES[:count], dtype=object), kind="overseas_port",
        lat=rng.uniform(-5.0, 22.0, count).round(4), lon=rng.uniform(42.0, 110.0, count).round(4),
    )  # fmt: skip


def _sea_legs(nodes: pd.DataFrame, ports: np.ndarray, overseas: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Most pairs of a port and an overseas place; every overseas place keeps at least two ports."""
    place = nodes.set_index("node_id")[["lon", "lat"]]
    first, second = (
        grid.ravel() for grid in np.meshgrid(np.arange(len(ports)), np.arange(len(overseas)), indexing="ij")
    )
    draw = rng.random((len(ports), len(overseas)))
    served = (draw < 0.7) | (draw.argsort(axis=0).argsort(axis=0) < 2)
    first, second = first[served.ravel()], second[served.ravel()]
    ends = place.loc[ports[first]].to_numpy() - place.loc[overseas[second]].to_numpy()
    nautical_miles = (np.linalg.norm(ends, axis=1) * NM_PER_DEGREE * 1.2).round()
    count = len(first)
    return table(
        "sea_legs", count, leg_id=[f"S-{ports[a]}-{overseas[b]}" for a, b in zip(first, second, strict=True)],
        from_port=ports[first], to_port=overseas[second], distance_nm=nautical_miles,
        sailing_days_container=(nautical_miles / (15 * 24) + 1).round(1),
        sailing_days_bulk=(nautical_miles / (12 * 24) + 1).round(1),
        sailings_per_week=rng.choice([0.5, 1.0, 2.0, 3.5], count),
        cost_usd_per_feu=(350 + nautical_miles * rng.uniform(0.12, 0.2, count)).round(),
        cost_usd_per_t_bulk=(8 + nautical_miles * rng.uniform(0.003, 0.005, count)).round(2),
    )  # fmt: skip
