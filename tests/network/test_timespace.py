from __future__ import annotations

import math
from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import corridor_from_rows
from test_layered import TABLES

from optimizer.network import kernels
from optimizer.network.layered import LayeredNetwork
from optimizer.network.paths import shortest_path_tree
from optimizer.network.timespace import ANY_DAY, TimeSpaceNetwork, sailing_days
from optimizer.network.unrolled import HELD

Arc = tuple[int, int, float, float, float]  # tail, head, hours, cost, sailings a week


def network_of(
    num_vertices: int,
    arcs: list[Arc],
    *,
    keep: list[int] | None = None,
    chainable: bool | list[bool] = False,
    holding: float = 1.0,
    days: int = 10,
) -> TimeSpaceNetwork:
    """Without ``keep`` every vertex stays. Arcs must be sorted by tail when ``chainable`` is a list."""
    arcs = sorted(arcs, key=lambda arc: arc[0])
    columns = np.array(arcs, dtype=float).reshape(-1, 5).T
    counts = np.bincount(columns[0].astype(int), minlength=num_vertices)
    flags = np.zeros(num_vertices, dtype=bool)
    flags[list(range(num_vertices)) if keep is None else keep] = True
    return TimeSpaceNetwork.from_arrays(
        np.concatenate(([0], np.cumsum(counts))),
        columns[1].astype(int),
        columns[2],
        columns[3],
        keep=flags,
        chainable=np.broadcast_to(chainable, len(arcs)),
        sailings_per_week=columns[4],
        holding_usd_per_t_day=holding,
        horizon_days=days,
    )


def leaves_on(day: int, sailings_per_week: float) -> bool:
    """The calendar in exact arithmetic."""
    per_week = min(Fraction(str(sailings_per_week)), Fraction(7))
    return math.floor((day + 1) * per_week / 7) > math.floor(day * per_week / 7)


SAILINGS = st.sampled_from([ANY_DAY, ANY_DAY, 0.25, 0.7, 1.0, 1.4, 2.0, 3.5, 14.0])


@st.composite
def small_networks(draw: st.DrawFn) -> tuple[int, list[Arc], float]:
    num_vertices = draw(st.integers(2, 6))
    vertices = st.integers(0, num_vertices - 1)
    hours = st.sampled_from([0.0, 3.0, 11.9, 12.0, 30.0, 36.0, 60.0])
    cost = st.one_of(st.integers(0, 5).map(float), st.floats(0, 50))
    num_arcs = draw(st.integers(0, 16))  # drawn first: lists of free length are mostly short
    one_arc = st.tuples(vertices, vertices, hours, cost, SAILINGS)
    arcs = draw(st.lists(one_arc, min_size=num_arcs, max_size=num_arcs))
    return num_vertices, arcs, draw(st.sampled_from([0.0, 0.5, 2.0]))


def unrolled(num_vertices: int, arcs: list[Arc], holding: float, first: int, last: int) -> nx.MultiDiGraph:
    """Straight from the definition, sharing nothing with the code under test."""
    graph = nx.MultiDiGraph()
    for day in range(first, last + 1):
        for vertex in range(num_vertices):
            graph.add_node((vertex, day))
            if day < last:
                graph.add_edge((vertex, day), (vertex, day + 1), weight=holding)
        for tail, head, hours, cost, sailings in arcs:
            arrival = day + int((Fraction(str(hours)) / 24 + Fraction(1, 2)) // 1)
            if arrival <= last and tail != head and leaves_on(day, sailings):
                graph.add_edge((tail, day), (head, arrival), weight=cost)
    return graph


@settings(deadline=None, max_examples=150)
@given(case=small_networks(), data=st.data())
def test_labels_are_the_shortest_paths_of_the_unrolled_graph(
    case: tuple[int, list[Arc], float], data: st.DataObject
) -> None:
    num_vertices, arcs, holding = case
    network = network_of(num_vertices, arcs, holding=holding)
    release = data.draw(st.integers(0, 9))
    last = data.draw(st.integers(release, 9))
    source = data.draw(st.integers(0, num_vertices - 1))
    labels = network.earliest_and_cheapest(source, release, last)
    graph = unrolled(num_vertices, arcs, holding, release, last)
    expected = nx.single_source_dijkstra_path_length(graph, (source, release))
    # A load never waits where nothing leaves: it has arrived. There the label is the best arrival on the day itself.
    ends = {v for v in range(num_vertices) if not any(arc[0] == v and arc[1] != v for arc in arcs)}
    assert labels.cost_usd_per_t.shape == (last - release + 1, num_vertices)
    for day in range(release, last + 1):
        for vertex in range(num_vertices):
            cost = labels.cost_usd_per_t[day - release, vertex]
            if vertex not in ends:
                assert cost == pytest.approx(expected.get((vertex, day), math.inf))
            else:
                arrivals = [
                    expected[tail] + weight
                    for tail, _, weight in graph.in_edges((vertex, day), data="weight")
                    if tail[0] != vertex and tail in expected
                ]
                start = [0.0] if (vertex, day) == (source, release) else []
                assert cost == pytest.approx(min(arrivals + start, default=math.inf))
            if math.isfinite(cost):
                assert cost == pytest.approx(
                    cost_of_route(network, labels.route(vertex, day), source, release, vertex, day)
                )
    for vertex in range(num_vertices):
        column = labels.cost_usd_per_t[:, vertex]
        days = [release + d for d in range(len(column)) if math.isfinite(column[d])]
        assert labels.earliest_day(vertex) == (days[0] if days else None)
        assert labels.cheapest_day(vertex) == (min(days, key=lambda d: (column[d - release], d)) if days else None)


def cost_of_route(
    network: TimeSpaceNetwork, moves: list[tuple[int, int, int]], source: int, release: int, vertex: int, day: int
) -> float:
    """Follows the moves, checking places and dates, and adds up what they and the waits between them cost."""
    cost, at, today = 0.0, source, release
    for arc, departure, arrival in moves:
        assert network.tail[arc] == at
        assert arrival == departure + network.duration_days[arc]
        assert leaves_on(departure, float(network.sailings_per_week[arc]))
        for _ in range(departure - today):
            cost += network.holding_usd_per_t_day[at]
        cost += network.cost_usd_per_t[arc]
        at, today = int(network.head[arc]), arrival
    assert at == vertex
    for _ in range(day - today):
        cost += network.holding_usd_per_t_day[at]
    return cost


@settings(deadline=None, max_examples=150)
@given(case=small_networks(), data=st.data())
def test_arrays_hold_the_same_graph_and_can_be_trimmed(case: tuple[int, list[Arc], float], data: st.DataObject) -> None:
    num_vertices, arcs, holding = case
    network = network_of(num_vertices, arcs, holding=holding)
    first = data.draw(st.integers(0, 9))
    last = data.draw(st.integers(first, 9))
    source, target = data.draw(st.integers(0, num_vertices - 1)), data.draw(st.integers(0, num_vertices - 1))
    whole = network.time_space_arrays(first, last)
    labels = network.earliest_and_cheapest(source, first, last)
    distance, _ = shortest_path_tree(whole.indptr, whole.head, whole.cost_usd_per_t, whole.number(source, first))
    assert distance.tolist() == pytest.approx(labels.cost_usd_per_t.ravel().tolist())
    assert whole.tail.tolist() == np.repeat(np.arange(len(whole.indptr) - 1), np.diff(whole.indptr)).tolist()
    assert (whole.head < whole.num_vertices * (last - first + 1)).all()

    def rows(arrays: object) -> list[tuple[int, int, int, int, float]]:
        columns = (
            getattr(arrays, name).tolist() for name in ("tail", "head", "arc", "departure_day", "cost_usd_per_t")
        )
        return list(zip(*columns, strict=True))

    graph = nx.MultiDiGraph()
    graph.add_nodes_from(range(len(whole.indptr) - 1))
    graph.add_edges_from((row[0], row[1]) for row in rows(whole))
    start = whole.number(source, first)
    after = {start} | nx.descendants(graph, start)
    goals = {whole.number(target, day) for day in range(first, last + 1)}
    before = goals.union(*(nx.ancestors(graph, goal) for goal in goals))
    expected = [row for row in rows(whole) if row[0] in after and row[1] in before]
    assert rows(network.time_space_arrays(first, last, source, target)) == expected
    for tail, head, arc, day, _ in expected:
        length = 1 if arc == HELD else int(network.duration_days[arc])
        assert head // num_vertices - tail // num_vertices == length
        assert day == first + tail // num_vertices


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_chains_change_no_cheapest_cost_between_kept_vertices(data: st.DataObject) -> None:
    num_vertices = data.draw(st.integers(2, 10))
    vertices = st.integers(0, num_vertices - 1)
    num_edges = data.draw(st.integers(0, 14))
    one_edge = st.tuples(vertices, vertices, st.integers(0, 40), st.booleans(), st.booleans())
    edges = data.draw(st.lists(one_edge, min_size=num_edges, max_size=num_edges))
    rows: list[tuple[Arc, bool]] = []
    for one, other, hours, both, joinable in edges:
        rows.append(((one, other, float(hours), hours + 1.0, ANY_DAY), joinable))
        if both:
            rows.append(((other, one, float(hours), hours + 2.0, ANY_DAY), joinable))
    rows.sort(key=lambda row: row[0][0])
    arcs = [row[0] for row in rows]
    keep = sorted(data.draw(st.sets(vertices, min_size=1, max_size=4)))
    network = network_of(num_vertices, arcs, keep=keep, chainable=[row[1] for row in rows])
    base = np.array(arcs, dtype=float).reshape(-1, 5)
    indptr = np.concatenate(([0], np.cumsum(np.bincount(base[:, 0].astype(int), minlength=num_vertices))))
    for source in keep:
        expected, _ = shortest_path_tree(indptr, base[:, 1].astype(int), base[:, 3], source)
        found, _ = shortest_path_tree(
            network.indptr, network.head, network.cost_usd_per_t, int(network.vertex_of[source])
        )
        assert found[network.vertex_of[keep]].tolist() == pytest.approx(expected[keep].tolist())
    for arc in range(network.num_arcs):
        links = network.base_arcs_of(arc)
        assert base[links[1:], 0].tolist() == base[links[:-1], 1].tolist(), "a chain hangs together"
        assert base[links[0], 0] == network.base_vertex[network.tail[arc]]
        assert base[links[-1], 1] == network.base_vertex[network.head[arc]]
        assert network.hours[arc] == pytest.approx(base[links, 2].sum())
        assert network.duration_days[arc] == int(network.hours[arc] / 24 + 0.5)
        assert len(links) == 1 or all(rows[link][1] for link in links), "only chainable arcs are joined"
        assert network.super_arc_of[links].tolist() == [arc] * len(links)
        for inside in base[links[1:], 0].astype(int):
            assert inside not in keep
            assert network.vertex_of[inside] == -1


def test_a_line_of_links_becomes_one_arc_each_way() -> None:
    """0 - 1 - 2 - 3 with a siding 2 - 4: 10 h a link would be 0 days each, 30 h are 1 day."""
    arcs: list[Arc] = []
    for one, other in ((0, 1), (1, 2), (2, 3), (2, 4)):
        arcs += [(one, other, 10.0, 5.0, ANY_DAY), (other, one, 10.0, 6.0, ANY_DAY)]
    network = network_of(5, arcs, keep=[0, 3], chainable=True)
    assert network.base_vertex.tolist() == [0, 3]
    assert list(zip(network.tail.tolist(), network.head.tolist(), strict=True)) == [(0, 1), (1, 0)]
    assert network.duration_days.tolist() == [1, 1]
    assert network.cost_usd_per_t.tolist() == [15.0, 18.0]
    assert network.super_arcs_of(np.array([0]))[0].tolist() == [0]
    assert (network.super_arc_of == -1).sum() == 2, "the siding leads nowhere"


def test_a_load_waits_for_the_sailing_and_pays_for_it() -> None:
    """One sailing a week leaves on day 6, 13, ...; released on day 2 the load waits four days."""
    network = network_of(2, [(0, 1, 50.0, 20.0, 1.0)], holding=3.0, days=20)
    labels = network.earliest_and_cheapest(0, 2, 19)
    assert labels.earliest_day(1) == 8
    assert labels.cost_usd_per_t[8 - 2, 1] == pytest.approx(4 * 3 + 20)
    assert labels.route(1, 8) == [(0, 6, 8)]
    assert labels.route(1, 15) == [(0, 13, 15)]
    with pytest.raises(ValueError, match="cannot be reached on day 9"):
        labels.route(1, 9)
    assert network.earliest_and_cheapest(0, 2, 7).earliest_day(1) is None, "nothing arrives after the window"


def test_free_cycles_inside_a_day_end() -> None:
    arcs: list[Arc] = [(0, 1, 0.0, 0.0, ANY_DAY), (1, 0, 0.0, 0.0, ANY_DAY), (1, 2, 0.0, 0.0, ANY_DAY)]
    labels = network_of(3, arcs, holding=0.0, days=3).earliest_and_cheapest(0, 0, 2)
    assert labels.cost_usd_per_t.tolist() == [[0.0, 0.0, 0.0]] * 3
    assert len(labels.route(2, 2)) == 2


@pytest.mark.parametrize("per_week", [0.0, 0.1, 0.25, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 3.3, 5.6, 7.0])
def test_sailing_days_follow_the_formula(per_week: float) -> None:
    found = sailing_days([per_week], 0, 699)[:, 0]
    assert found.tolist() == [leaves_on(day, per_week) for day in range(700)]
    assert found.sum() == Fraction(str(per_week)) * 100 // 1
    assert sailing_days([per_week], 33, 99)[:, 0].tolist() == found[33:100].tolist()


def test_more_than_seven_sailings_a_week_are_daily() -> None:
    assert sailing_days([14.0, math.inf], 5, 30).all()


def test_windows_vertices_and_numbers_are_checked() -> None:
    network = network_of(2, [(0, 1, 24.0, 1.0, ANY_DAY)])
    for window in ((-1, 3), (4, 3), (0, 10)):
        with pytest.raises(ValueError, match="no window inside 0 to 9"):
            network.earliest_and_cheapest(0, *window)
        with pytest.raises(ValueError, match="no window inside 0 to 9"):
            network.time_space_arrays(*window)
    with pytest.raises(ValueError, match="vertex is 2"):
        network.earliest_and_cheapest(2, 0, 3)
    with pytest.raises(ValueError, match="arc 0 is -1"):
        network_of(2, [(0, 1, -1.0, 1.0, ANY_DAY)])
    with pytest.raises(ValueError, match="arc 0 is nan"):
        network_of(2, [(0, 1, 1.0, float("nan"), ANY_DAY)])
    with pytest.raises(ValueError, match="hours of arc 0 are infinite"):
        network_of(2, [(0, 1, math.inf, 1.0, ANY_DAY)])
    closed = network_of(2, [(0, 1, math.inf, math.inf, ANY_DAY)])
    assert closed.num_arcs == 0


def test_a_corridor_over_days() -> None:
    """a - b by 1520 mm, bogie exchange, b - c by 1676 mm, quay, every other day a ship to o, quay.

    Boxes lose 1 USD per tonne and hour.
    """
    network = LayeredNetwork.build(corridor_from_rows(TABLES, {"port_choice": {"reliability_ratio": 0.5}}))
    costs = network.arc_costs("boxes")
    dated = TimeSpaceNetwork.build(network, "boxes", 28, ["a", "o"])
    source, sink = dated.vertex_of[[network.source("a"), network.sink("o")]].tolist()
    for place in ("b", "c"):
        assert dated.vertex_of[network.source(place)] == -1, "no load starts there"
    labels = dated.earliest_and_cheapest(source, 3, 27)
    day = labels.cheapest_day(sink)
    assert day is not None
    moves = labels.route(sink, day)
    base = np.concatenate([dated.base_arcs_of(arc) for arc, _, _ in moves])
    assert [asset for asset in network.asset[base] if asset] == ["ab", "hb", "bc", "qc", "s", "qo"]
    (at_sea,) = (move for move in moves if network.asset[dated.base_arcs_of(move[0])[0]] == "s")
    assert leaves_on(at_sea[1], 3.5)
    moving = sum(arrival - departure for _, departure, arrival in moves)
    wait_days = day - 3 - moving
    assert 0 <= wait_days < 2, "never longer than to the next ship"
    # The price of the dated route: the static one less mean wait and its variability, plus the days really waited.
    (ship,) = base[network.asset[base] == "s"]
    without_wait = costs.generalised[base].sum() - costs.time_h["wait"][ship] - 0.5 * costs.variability_h[ship]
    assert labels.cost_usd_per_t[day - 3, sink] == pytest.approx(without_wait + 24 * wait_days)
    assert TimeSpaceNetwork.build(network, "grain", 28, ["a", "o"]).vertex_of[network.sink("o")] >= 0
    (port,) = (resource for resource in network.resources() if resource.name == "port c")
    arcs, uses = dated.super_arcs_of(port.arcs)
    assert uses.tolist() == [1] * len(arcs)
    assert {str(network.asset[dated.base_arcs_of(arc)[0]]) for arc in arcs} == {"qc"}


def test_both_modules_mean_the_same_by_held() -> None:
    assert kernels.HELD == HELD


def test_parallel_links_end_a_chain() -> None:
    arcs: list[Arc] = [(0, 1, 1.0, 1.0, ANY_DAY), (1, 2, 1.0, 2.0, ANY_DAY), (1, 2, 1.0, 9.0, ANY_DAY)]
    network = network_of(3, arcs, keep=[0, 2], chainable=True)
    assert network.cost_usd_per_t.tolist() == [1.0, 2.0, 9.0]
