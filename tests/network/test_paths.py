from __future__ import annotations

import itertools
import subprocess
import sys
from dataclasses import dataclass

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.network.paths import k_shortest_paths, many_to_many, path_arcs, shortest_path_tree

WEIGHTS = st.one_of(st.integers(0, 6).map(float), st.floats(0, 100), st.just(float("inf")))


@dataclass(frozen=True)
class Graph:
    """A small digraph in CSR form, with the same graph for networkx."""

    indptr: np.ndarray
    head: np.ndarray
    tail: np.ndarray
    weight: np.ndarray

    @property
    def num_vertices(self) -> int:
        return self.indptr.size - 1

    @classmethod
    def of(cls, num_vertices: int, arcs: list[tuple[int, int, float]]) -> Graph:
        arcs = sorted(arcs, key=lambda arc: arc[0])
        tail = np.array([arc[0] for arc in arcs], dtype=np.int32)
        head = np.array([arc[1] for arc in arcs], dtype=np.int32)
        weight = np.array([arc[2] for arc in arcs], dtype=float)
        indptr = np.concatenate(([0], np.cumsum(np.bincount(tail, minlength=num_vertices))))
        return cls(indptr.astype(np.int64), head, tail, weight)

    def networkx(self) -> nx.MultiDiGraph:
        graph = nx.MultiDiGraph()
        graph.add_nodes_from(range(self.num_vertices))
        for tail, head, weight in zip(self.tail, self.head, self.weight, strict=True):
            if np.isfinite(weight):
                graph.add_edge(int(tail), int(head), weight=float(weight))
        return graph

    def assert_path(self, arcs: np.ndarray, source: int, target: int) -> float:
        """The arcs lead from source to target; their weight."""
        places = [source, *self.head[arcs].tolist()]
        assert places[-1] == target
        assert self.tail[arcs].tolist() == places[:-1]
        assert len(set(places)) == len(places), "a vertex is repeated"
        return float(self.weight[arcs].sum())


@st.composite
def graphs(draw: st.DrawFn, parallel: bool = True) -> Graph:
    num_vertices = draw(st.integers(1, 8))
    vertices = st.integers(0, num_vertices - 1)
    num_arcs = draw(st.integers(0, 28))  # drawn first: lists of free length are mostly short
    arcs = draw(st.lists(st.tuples(vertices, vertices, WEIGHTS), min_size=num_arcs, max_size=num_arcs))
    if not parallel:
        arcs = list({arc[:2]: arc for arc in arcs if arc[0] != arc[1]}.values())
    return Graph.of(num_vertices, arcs)


def random_graph(num_vertices: int, num_arcs: int, seed: int) -> Graph:
    rng = np.random.default_rng(seed)
    ends = rng.integers(0, num_vertices, (num_arcs, 2))
    return Graph.of(
        num_vertices, [(int(a), int(b), float(w)) for (a, b), w in zip(ends, rng.random(num_arcs), strict=True)]
    )


@settings(deadline=None, max_examples=200)
@given(graph=graphs(), data=st.data())
def test_tree_has_the_distances_of_networkx_and_paths_that_add_up(graph: Graph, data: st.DataObject) -> None:
    source = data.draw(st.integers(0, graph.num_vertices - 1))
    distance, predecessor = shortest_path_tree(graph.indptr, graph.head, graph.weight, source)
    expected = nx.single_source_dijkstra_path_length(graph.networkx(), source)
    assert {int(v) for v in np.flatnonzero(np.isfinite(distance))} == set(expected)
    for vertex, length in expected.items():
        assert distance[vertex] == pytest.approx(length)
        arcs = path_arcs(predecessor, graph.tail, vertex)
        assert graph.assert_path(arcs, source, vertex) == pytest.approx(length)
    assert predecessor[source] == -1


@settings(deadline=None, max_examples=100)
@given(graph=graphs(), data=st.data())
def test_many_to_many_is_a_cut_out_of_the_trees(graph: Graph, data: st.DataObject) -> None:
    places = st.lists(st.integers(0, graph.num_vertices - 1), max_size=6)
    sources, targets = data.draw(places), data.draw(places)
    table = many_to_many(graph.indptr, graph.head, graph.weight, sources, targets)
    assert table.shape == (len(sources), len(targets))
    for row, source in enumerate(sources):
        distance, _ = shortest_path_tree(graph.indptr, graph.head, graph.weight, source)
        assert table[row].tolist() == distance[targets].tolist()


def test_two_threads_give_what_one_gives() -> None:
    graph = random_graph(2_000, 8_000, seed=3)
    sources = list(range(0, 2_000, 40))
    table = many_to_many(graph.indptr, graph.head, graph.weight, sources, sources)
    for row, source in enumerate(sources):
        distance, _ = shortest_path_tree(graph.indptr, graph.head, graph.weight, source)
        assert table[row].tolist() == distance[sources].tolist()


@settings(deadline=None, max_examples=200)
@given(graph=graphs(parallel=False), k=st.integers(1, 12), data=st.data())
def test_k_shortest_cost_what_those_of_networkx_cost(graph: Graph, k: int, data: st.DataObject) -> None:
    source = data.draw(st.integers(0, graph.num_vertices - 1))
    target = data.draw(st.integers(0, graph.num_vertices - 1))
    paths = k_shortest_paths(graph.indptr, graph.head, graph.tail, graph.weight, source, target, k)
    assert len({tuple(arcs.tolist()) for arcs in paths}) == len(paths)
    costs = [graph.assert_path(arcs, source, target) for arcs in paths]
    simple = nx.DiGraph(graph.networkx())
    expected: list[float] = []
    if source == target:
        expected = [0.0]
    elif nx.has_path(simple, source, target):
        found = itertools.islice(nx.shortest_simple_paths(simple, source, target, weight="weight"), k)
        expected = [nx.path_weight(simple, path, "weight") for path in found]
    assert costs == pytest.approx(expected)
    assert costs == pytest.approx(sorted(costs))


@settings(deadline=None, max_examples=100)
@given(graph=graphs(), data=st.data())
def test_k_shortest_list_every_arc_sequence_when_k_is_large(graph: Graph, data: st.DataObject) -> None:
    """With parallel arcs, against plain enumeration."""
    vertices = st.integers(0, graph.num_vertices - 1)
    source, target = data.draw(vertices), data.draw(vertices)
    k = 40
    costs: list[float] = []

    def extend(vertex: int, visited: frozenset[int], cost: float) -> None:
        if vertex == target:
            costs.append(cost)
            return
        for arc in range(graph.indptr[vertex], graph.indptr[vertex + 1]):
            reached = int(graph.head[arc])
            if reached not in visited and np.isfinite(graph.weight[arc]) and len(costs) < 20_000:
                extend(reached, visited | {reached}, cost + graph.weight[arc])

    extend(source, frozenset([source]), 0.0)
    paths = k_shortest_paths(graph.indptr, graph.head, graph.tail, graph.weight, source, target, k)
    found = [graph.assert_path(arcs, source, target) for arcs in paths]
    if len(costs) < 20_000:
        assert found == pytest.approx(sorted(costs)[:k])


def test_ties_fall_the_same_way_every_time() -> None:
    arcs = [(0, 1, 1.0), (0, 1, 1.0), (0, 2, 1.0), (1, 3, 1.0), (2, 3, 1.0), (0, 3, 2.0)]
    graph = Graph.of(4, arcs)
    paths = [p.tolist() for p in k_shortest_paths(graph.indptr, graph.head, graph.tail, graph.weight, 0, 3, 9)]
    assert paths == [[3], [0, 4], [1, 4], [2, 5]]  # one cost: fewer arcs first, then lower arc numbers


def test_inputs_may_be_read_only_and_are_left_alone() -> None:
    graph = random_graph(30, 90, seed=1)
    for array in (graph.indptr, graph.head, graph.tail, graph.weight):
        array.setflags(write=False)
    distance, _ = shortest_path_tree(graph.indptr, graph.head, graph.weight, 0)
    far = int(np.argmax(np.where(np.isfinite(distance), distance, -1)))
    assert k_shortest_paths(graph.indptr, graph.head, graph.tail, graph.weight, 0, far, 3)


INDPTR, HEAD, TAIL = np.array([0, 2, 3, 3]), np.array([1, 2, 2]), np.array([0, 0, 1])


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        ([1.0, -0.5, 1.0], "weight of arc 1 is -0.5"),
        ([1.0, 2.0, float("nan")], "weight of arc 2 is nan"),
        ([1.0, float("-inf"), 1.0], "weight of arc 1 is -inf"),
        ([1.0, 2.0], "one number for each of 3 arcs"),
    ],
)
def test_bad_weights_are_refused_with_their_arc(weight: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        shortest_path_tree(INDPTR, HEAD, weight, 0)
    with pytest.raises(ValueError, match=words):
        many_to_many(INDPTR, HEAD, weight, [0], [2])
    with pytest.raises(ValueError, match=words):
        k_shortest_paths(INDPTR, HEAD, TAIL, weight, 0, 2, 2)


@pytest.mark.parametrize(
    ("indptr", "head", "words"),
    [
        ([0, 2, 1, 3], HEAD, "never fall"),
        ([1, 2, 3, 3], HEAD, "begin with 0"),
        ([], HEAD, "begin with 0"),
        ([0, 2, 3, 4], HEAD, "expected the number of arcs, 3"),
        (INDPTR, [1, 3, 2], r"head\[1\] is 3"),
        (INDPTR, [1, -1, 2], r"head\[1\] is -1"),
        (INDPTR, [1.0, 2.0, 2.0], "integers"),
        ([[0, 2, 3, 3]], HEAD, "one-dimensional"),
    ],
)
def test_arrays_that_are_no_graph_are_refused(indptr: object, head: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        shortest_path_tree(indptr, head, np.ones(3), 0)  # type: ignore[arg-type]


def test_vertices_and_counts_are_checked() -> None:
    weight = np.ones(3)
    with pytest.raises(ValueError, match="source"):
        shortest_path_tree(INDPTR, HEAD, weight, 3)
    with pytest.raises(ValueError, match=r"targets\[1\] is 7"):
        many_to_many(INDPTR, HEAD, weight, [0], [1, 7])
    with pytest.raises(ValueError, match="k is 0"):
        k_shortest_paths(INDPTR, HEAD, TAIL, weight, 0, 2, 0)
    with pytest.raises(ValueError, match="tail does not fit"):
        k_shortest_paths(INDPTR, HEAD, [0, 1, 1], weight, 0, 2, 1)


def test_importing_the_module_does_not_load_numba() -> None:
    code = "import sys, optimizer.network.paths; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
