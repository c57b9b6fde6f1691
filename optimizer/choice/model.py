"""Logit and two-level nested logit over choice sets of any size.

Utility ``V_i = attributes_i . weights + ln(path size_i)``. With nests ``m`` and their scales ``s_m`` (0 < s <= 1; 1
everywhere is the plain logit)::

    I_m = ln sum_{j in m} exp(V_j / s_m)
    P_i = exp(V_i / s_m - I_m) * exp(s_m I_m) / sum_l exp(s_l I_l)

McFadden, *Conditional logit analysis of qualitative choice behavior*, 1974; nests as in Train, *Discrete Choice Methods
with Simulation*, 2009, ch. 4; path size as in Ben-Akiva and Bierlaire, *Handbook of Transportation Science*, 1999.
See ``docs/estimation.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from optimizer.errors import UsageError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ChoiceSets:
    """Alternatives of every observation, one after the other.

    Attributes
    ----------
    attributes
        Shape (num_alternatives, num_attributes), in the units their names state.
    names
        Of the attributes.
    indptr
        Shape (num_observations + 1,): observation ``n`` has the alternatives ``indptr[n]:indptr[n + 1]``, at least one.
    path_size
        Shape (num_alternatives,), 0 < path size <= 1; None: no correction.
    nest
        Shape (num_alternatives,): number of the nest in ``nest_names``; None: no nests.

    Raises
    ------
    UsageError
        When an array has the wrong shape or a number that is not finite.
    """

    attributes: Floats
    names: tuple[str, ...]
    indptr: Ints
    path_size: Floats | None = None
    nest: Ints | None = None
    nest_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        rows = len(self.attributes)
        if self.attributes.ndim != 2 or self.attributes.shape[1] != len(self.names):
            raise UsageError(
                f"attributes have shape {self.attributes.shape}, expected a column for each of {self.names}"
            )
        if self.indptr.ndim != 1 or len(self.indptr) < 2 or self.indptr[0] != 0 or self.indptr[-1] != rows:
            raise UsageError(f"indptr must begin with 0 and end with the number of alternatives, {rows}")
        if (np.diff(self.indptr) < 1).any():
            raise UsageError(f"observation {int(np.argmin(np.diff(self.indptr)))} has no alternative")
        if not np.isfinite(self.attributes).all():
            raise UsageError(
                f"{self.names[int(np.argwhere(~np.isfinite(self.attributes))[0, 1])]} has a value not finite"
            )
        if self.path_size is not None and (
            self.path_size.shape != (rows,) or not ((self.path_size > 0) & (self.path_size <= 1 + 1e-9)).all()
        ):
            raise UsageError("path_size must hold a number above 0 and up to 1 for each alternative")
        if self.nest is not None and (
            self.nest.shape != (rows,) or self.nest.min() < 0 or self.nest.max() >= len(self.nest_names)
        ):
            raise UsageError("nest must hold the number of a nest in nest_names for each alternative")

    @classmethod
    def padded(
        cls,
        attributes: Floats,
        available: npt.NDArray[np.bool_],
        names: tuple[str, ...],
        path_size: Floats | None = None,
        nest: Ints | None = None,
        nest_names: tuple[str, ...] = (),
    ) -> ChoiceSets:
        """From arrays of shape (observations, alternatives[, attributes]) of which ``available`` marks what counts."""
        return cls(
            attributes[available],
            names,
            np.concatenate([[0], np.cumsum(available.sum(axis=1))]).astype(np.int64),
            None if path_size is None else path_size[available],
            None if nest is None else nest[available],
            nest_names,
        )

    @property
    def num_observations(self) -> int:
        return len(self.indptr) - 1

    @cached_property
    def observation(self) -> Ints:
        """Shape (num_alternatives,): observation of each alternative."""
        return np.repeat(np.arange(self.num_observations), np.diff(self.indptr))

    @cached_property
    def group(self) -> Ints:
        """Shape (num_alternatives,): number of its nest within its observation, counted over all observations."""
        if self.nest is None:
            return self.observation
        return np.unique(self.observation * len(self.nest_names) + self.nest, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def first_of_group(self) -> Ints:
        """Shape (num_groups,): one alternative of each group."""
        return np.unique(self.group, return_index=True)[1].astype(np.int64)

    def sum_of(self, values: Floats) -> Floats:
        """Sums over each observation of values of shape (num_alternatives, ...)."""
        return np.asarray(np.add.reduceat(values, self.indptr[:-1], axis=0))


def log_sum_exp(values: Floats, segment: Ints, num_segments: int) -> Floats:
    """``ln sum exp`` of the values of each segment, without overflow."""
    highest = np.full(num_segments, -np.inf)
    np.maximum.at(highest, segment, values)
    return np.asarray(highest + np.log(np.bincount(segment, np.exp(values - highest[segment]), num_segments)))


@dataclass(frozen=True)
class Choices:
    """Probabilities of choice sets under given weights.

    Parameters
    ----------
    sets
        Alternatives.
    weights
        Shape (num_attributes,): utility per unit of each attribute.
    scales
        Shape (number of nests,), above 0; None: 1 everywhere, the plain logit.
    """

    sets: ChoiceSets
    weights: Floats
    scales: Floats | None = None

    def __post_init__(self) -> None:
        if np.shape(self.weights) != (len(self.sets.names),):
            raise UsageError(f"weights must hold a number for each of {self.sets.names}")
        if self.scales is not None and (
            np.shape(self.scales) != (len(self.sets.nest_names),) or not (np.asarray(self.scales) > 0).all()
        ):
            raise UsageError("scales must hold a number above 0 for each nest")

    @cached_property
    def utility(self) -> Floats:
        value = self.sets.attributes @ self.weights
        return np.asarray(value if self.sets.path_size is None else value + np.log(self.sets.path_size))

    @cached_property
    def scale(self) -> Floats:
        """Shape (num_alternatives,): scale of the nest of each."""
        if self.scales is None or self.sets.nest is None:
            return np.ones(len(self.utility))
        return np.asarray(self.scales[self.sets.nest])

    @cached_property
    def inclusive(self) -> Floats:
        """Shape (num_groups,): ``I_m`` of each nest in each observation."""
        return log_sum_exp(self.utility / self.scale, self.sets.group, len(self.sets.first_of_group))

    @cached_property
    def logsum(self) -> Floats:
        """Shape (num_observations,): expected highest utility, up to a constant."""
        first = self.sets.first_of_group
        return log_sum_exp(self.scale[first] * self.inclusive, self.sets.observation[first], self.sets.num_observations)

    @cached_property
    def log_within(self) -> Floats:
        """Shape (num_alternatives,): log probability given the nest."""
        return np.asarray(self.utility / self.scale - self.inclusive[self.sets.group])

    @cached_property
    def log_probability(self) -> Floats:
        upper = self.scale * self.inclusive[self.sets.group] - self.logsum[self.sets.observation]
        return np.asarray(self.log_within + upper)

    @cached_property
    def probability(self) -> Floats:
        """Shape (num_alternatives,); adds up to 1 over each observation."""
        return np.asarray(np.exp(self.log_probability))

    def score(self, free_nests: Ints) -> Floats:
        """
        Derivatives of the log probabilities.

        Parameters
        ----------
        free_nests
            Nests whose scales count as parameters.

        Returns
        -------
        Shape (num_alternatives, num_attributes + len(free_nests)): by the weights, then by the scales of those nests.
        """
        sets, scale = self.sets, self.scale
        steep = self.utility / scale
        own = sets.attributes / scale[:, None]
        by_scale = np.zeros((len(own), len(free_nests)))
        if len(free_nests) and sets.nest is not None:
            by_scale = np.where(sets.nest[:, None] == free_nests[None, :], 1.0, 0.0)
        own = np.hstack([own, -by_scale * (steep / scale)[:, None]])
        weighted = np.exp(self.log_within)[:, None] * own
        in_group = np.zeros((len(self.inclusive), own.shape[1]))
        np.add.at(in_group, sets.group, weighted)
        inclusive = in_group[sets.group]
        upper = scale[:, None] * inclusive
        upper[:, len(sets.names) :] += by_scale * self.inclusive[sets.group][:, None]
        expected = sets.sum_of(self.probability[:, None] * upper)[sets.observation]
        return np.asarray(own - inclusive + upper - expected)

    def elasticities(self, attribute: str, observation: int) -> Floats:
        """
        Elasticities of the probabilities of one observation.

        Returns
        -------
        Shape (J, J): relative change of the probability of row ``i`` over that of ``attribute`` of column ``j``; own on
        the diagonal, cross elsewhere.
        """
        sets = self.sets
        if attribute not in sets.names:
            raise UsageError(f"attribute '{attribute}' is none of {', '.join(sets.names)}")
        number = sets.names.index(attribute)
        these = slice(int(sets.indptr[observation]), int(sets.indptr[observation + 1]))
        scale, group, within = self.scale[these], sets.group[these], np.exp(self.log_within[these])
        same = group[:, None] == group[None, :]
        by_utility = np.diag(1 / scale) - self.probability[these][None, :]
        by_utility += same * ((scale - 1) / scale * within)[None, :]
        return np.asarray(by_utility * self.weights[number] * sets.attributes[these, number][None, :])


def path_sizes(indptr: Ints, arcs: list[Ints], length: list[Floats]) -> Floats:
    """
    Path size of each route: the share of it that is its own, counting what ``n`` routes of the set share as ``1 / n``.

    Parameters
    ----------
    indptr
        Choice sets, as in :class:`ChoiceSets`.
    arcs, length
        Of each route: its arcs (each once) and their lengths in any unit.

    Returns
    -------
    Shape (num_routes,): ``sum_a (l_a / L_i) / N_a``; Ben-Akiva and Bierlaire 1999.
    """
    sizes = np.ones(len(arcs))
    for start, end in zip(indptr[:-1].tolist(), indptr[1:].tolist(), strict=True):
        passed, count = np.unique(np.concatenate(arcs[start:end]), return_counts=True)
        for route in range(start, end):
            total = length[route].sum()
            if total > 0:
                sharing = count[np.searchsorted(passed, arcs[route])]
                sizes[route] = float((length[route] / total / sharing).sum())
    return sizes
