"""Whether a plan of some cost exists at all for a public file: the compact model of all arcs it could use, by HiGHS.

Beside the engine's prices of trips and depots nothing of the engine is used. Prices are checked from the file's matrix:
with reduced costs ``c_ij - price_j`` the cheapest rotation of every depot is found over all arcs, so that

    bound = sum price + sum vehicles_k (depot_price_k + min(0, cheapest rotation of k))

holds for any prices. A plan of cost c uses only arcs on rotations of reduced cost c - bound at most. The whole flows on
these arcs that cost least are the best plan, or prove that none costs c or less.
"""

from __future__ import annotations

import graphlib

import highspy
import numpy as np
from scipy.sparse import csr_array

from optimizer.models.family import SolveOptions
from optimizer.result import Status
from optimizer.solvers.highs import HighsOutcome, make_highs, run_highs

ROUNDING = 1e-6


def compact_optimum(
    vehicles: np.ndarray, matrix: np.ndarray, price: np.ndarray, depot_price: np.ndarray, cost: float, limit_s: float
) -> tuple[float, int, HighsOutcome]:
    """
    Bound of the prices, number of arcs a plan of ``cost`` could use, and the best whole flows on them.

    Parameters
    ----------
    price, depot_price
        By trip in the order of the file, and by depot, not above 0; any will do.
    """
    bound, arcs, costs = _arcs_within(vehicles, matrix, price, depot_price, cost)
    if not len(arcs):  # HiGHS calls a model without columns solved
        return bound, 0, HighsOutcome(Status.INFEASIBLE, None, None, 0.0)
    depots, trips = vehicles.size, matrix.shape[0] - vehicles.size
    k, i, j = arcs.T
    at = np.arange(len(arcs))
    leaves, enters = i >= 0, j >= 0  # rows: trips, depots, then trips by depot
    flow = trips + depots + k * trips
    rows = np.concatenate([j[enters], trips + k[~leaves], (flow + i)[leaves], (flow + j)[enters]])
    columns = np.concatenate([at[enters], at[~leaves], at[leaves], at[enters]])
    signs = np.repeat([1.0, 1.0, -1.0, 1.0], [enters.sum(), (~leaves).sum(), leaves.sum(), enters.sum()])
    programme = csr_array((signs, (rows, columns)), shape=(trips + depots + depots * trips, len(arcs)))
    low, high = np.zeros(programme.shape[0]), np.zeros(programme.shape[0])
    low[:trips] = high[:trips] = 1.0
    high[trips : trips + depots] = vehicles
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(arcs), programme.shape[0]
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = costs, np.zeros(len(arcs)), np.ones(len(arcs))
    lp.row_lower_, lp.row_upper_ = low, high
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = (
        programme.indptr, programme.indices, programme.data
    )  # fmt: skip
    lp.integrality_ = [highspy.HighsVarType.kInteger] * len(arcs)
    options = SolveOptions(time_limit_s=limit_s)
    highs = make_highs(options)
    highs.passModel(lp)
    return bound, len(arcs), run_highs(highs, options, is_mip=True, constant=0.0)


def _arcs_within(
    vehicles: np.ndarray, matrix: np.ndarray, price: np.ndarray, depot_price: np.ndarray, cost: float
) -> tuple[float, np.ndarray, np.ndarray]:
    """Bound, arcs (depot, trip left or -1, trip reached or -1), and their costs."""
    depots = vehicles.size
    possible = np.where(matrix >= 0, matrix, np.inf)
    links = possible[depots:, depots:].copy()
    np.fill_diagonal(links, np.inf)
    before = {trip: np.flatnonzero(np.isfinite(links[:, trip])).tolist() for trip in range(len(price))}
    order = list(graphlib.TopologicalSorter(before).static_order())
    reduced = links - price
    bound, parts = float(price.sum() + vehicles @ depot_price), []
    for k in range(depots):
        out = possible[k, depots:] - price - depot_price[k]
        back = possible[depots:, k]
        ahead, behind = out.copy(), back.copy()
        for trip in order:
            np.minimum(ahead, ahead[trip] + reduced[trip], out=ahead)
        for trip in reversed(order):
            behind[trip] = min(behind[trip], float((reduced[trip] + behind).min()))
        least = min(0.0, float((ahead + behind).min()))
        bound += float(vehicles[k] * least)
        parts.append((out + behind, ahead[:, None] + reduced + behind, ahead + back, least))
    found, costs = list[np.ndarray](), list[np.ndarray]()
    for k, (leaving, linking, coming, least) in enumerate(parts):
        room = cost - bound + least + ROUNDING
        first, (tail, head), last = (np.flatnonzero(leaving <= room), np.nonzero(linking <= room),
                                     np.flatnonzero(coming <= room))  # fmt: skip
        for i, j, usd in (
            (np.full(first.size, -1), first, possible[k, depots + first]),
            (tail, head, links[tail, head]),
            (last, np.full(last.size, -1), possible[depots + last, k]),
        ):
            found.append(np.stack([np.full(i.size, k), i, j], axis=1))
            costs.append(usd)
    return bound, np.concatenate(found), np.concatenate(costs)
