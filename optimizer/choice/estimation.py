"""Maximum likelihood of the weights, and of the scales of nests, from observed shares.

``ln L = sum_n w_n sum_i share_ni ln P_ni`` is climbed by L-BFGS-B with exact gradients and finished by Newton steps.
Standard errors come from the inverse observed information, and from the sandwich that stays valid when shippers of one
observation do not choose independently (Train 2009, ch. 8; clusters are the observations).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.choice.model import Choices, ChoiceSets, Floats, Ints
from optimizer.errors import OptimizerError, UsageError, did_you_mean

LOWEST_SCALE, HIGHEST_SCALE = 0.02, 20.0
LARGEST_WEIGHT = 200.0  # of standardised attributes: nobody chooses that surely
_STEP = 1e-5


class NotIdentifiedError(OptimizerError):
    """The observations do not tell the parameters; the text says which and why."""


@dataclass(frozen=True)
class Ratio:
    """A ratio of two weights with its delta-method standard errors (classical, robust)."""

    value: float
    standard_error: float
    robust_error: float


@dataclass(frozen=True)
class Estimate:
    """Maximum likelihood estimate.

    Attributes
    ----------
    parameters
        Names: the attributes, then ``scale of NEST`` for each nest whose scale was estimated.
    value, standard_error, robust_error
        Shape (num_parameters,).
    covariance, robust_covariance
        Shape (num_parameters, num_parameters).
    log_likelihood, null_log_likelihood
        At the estimate, and with all weights zero and all scales one.
    choices
        The model at the estimate.
    """

    parameters: tuple[str, ...]
    value: Floats
    covariance: Floats
    robust_covariance: Floats
    log_likelihood: float
    null_log_likelihood: float
    observations: int
    total_weight: float
    choices: Choices

    @property
    def standard_error(self) -> Floats:
        return np.sqrt(np.diag(self.covariance))

    @property
    def robust_error(self) -> Floats:
        return np.sqrt(np.diag(self.robust_covariance))

    @property
    def t_value(self) -> Floats:
        """Against zero for weights, against one for scales."""
        return np.asarray((self.value - self._null) / self.standard_error)

    @property
    def robust_t_value(self) -> Floats:
        return np.asarray((self.value - self._null) / self.robust_error)

    @property
    def _null(self) -> Floats:
        return np.where(np.arange(len(self.value)) < len(self.choices.sets.names), 0.0, 1.0)

    @property
    def rho_squared(self) -> float:
        """``1 - ln L / ln L0`` (McFadden 1974)."""
        return 1.0 - self.log_likelihood / self.null_log_likelihood

    def ratio(self, over: str, under: str) -> Ratio:
        """Ratio of two weights, for example of time over cost: the value of time in the units of the attributes."""
        top, bottom = self.parameters.index(over), self.parameters.index(under)
        value = float(self.value[top] / self.value[bottom])
        slope = np.zeros(len(self.value))
        slope[top] += 1 / self.value[bottom]
        slope[bottom] -= value / self.value[bottom]
        errors = [float(np.sqrt(slope @ matrix @ slope)) for matrix in (self.covariance, self.robust_covariance)]
        return Ratio(value, *errors)


def estimate(
    sets: ChoiceSets, shares: Floats, observation_weight: Floats | None = None, scaled_nests: Sequence[str] = ()
) -> Estimate:
    """
    Weights of the attributes, and scales of the nests named, that make the observed shares likeliest.

    Parameters
    ----------
    sets
        Choice sets.
    shares
        Shape (num_alternatives,): shares that add up to 1 over each observation.
    observation_weight
        Shape (num_observations,): how many independent choices stand behind the shares; 1 each when None. Classical
        standard errors fall with the root of the weights; robust ones do not depend on their unit.
    scaled_nests
        Nests whose scales are parameters; every other nest has scale 1.

    Raises
    ------
    UsageError
        For shares or weights that cannot be: negative, not adding up to 1.
    NotIdentifiedError
        When the observations cannot tell a parameter, in words.
    """
    from scipy.optimize import minimize  # heavy: only where it is needed

    weight = np.ones(sets.num_observations) if observation_weight is None else np.asarray(observation_weight, float)
    shares = np.asarray(shares, float)
    _check_shares(sets, shares, weight)
    free = _check_identified(sets, weight, scaled_nests)
    _check_bounded(sets, shares, weight)
    amount = shares * weight[sets.observation]
    spread = _spread(sets, weight)
    num_attributes = len(sets.names)
    unit = np.concatenate([1 / spread, np.ones(len(free))])

    def model(point: Floats) -> Choices:
        scales = None
        if len(free):
            scales = np.ones(len(sets.nest_names))
            scales[free] = point[num_attributes:]
        return Choices(sets, point[:num_attributes] / spread, scales)

    def scores(point: Floats) -> Floats:
        """Shape (num_observations, num_parameters), by standardised parameters."""
        return sets.sum_of(amount[:, None] * model(point).score(free)) * unit

    def objective(point: Floats) -> tuple[float, Floats]:
        return -float(amount @ model(point).log_probability) / total, -scores(point).sum(axis=0) / total

    total = float(weight.sum())
    start = np.concatenate([np.zeros(num_attributes), np.ones(len(free))])
    bounds = [(-LARGEST_WEIGHT, LARGEST_WEIGHT)] * num_attributes + [(LOWEST_SCALE, HIGHEST_SCALE)] * len(free)
    found = minimize(
        objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 2000, "ftol": 1e-13}
    )
    point = _refined(np.asarray(found.x), lambda at: scores(at).sum(axis=0), lambda at: -objective(at)[0])
    _check_inside(sets, point, free)
    hessian = _jacobian(lambda at: scores(at).sum(axis=0), point)
    own, vectors = np.linalg.eigh(-hessian / total)
    # An exact fit by extreme weights, or parameters that trade off against each other, leave a flat direction.
    if own[0] <= 1e-9 * max(own[-1], 1e-3):
        names = _names(sets, free)
        flat = [name for name, part in zip(names, vectors[:, 0], strict=True) if abs(part) > 0.1]
        raise NotIdentifiedError(
            f"the observations do not tell apart {' and '.join(flat)}: other values fit as well"
            if len(flat) > 1
            else f"the observations do not bound {flat[0]}: ever larger values fit as well"
        )
    bread = np.asarray(np.linalg.inv(-hessian), dtype=np.float64)
    by_observation = scores(point)
    correction = sets.num_observations / max(sets.num_observations - 1, 1)
    sandwich = bread @ (by_observation.T @ by_observation) @ bread * correction
    both = np.outer(unit, unit)
    null = Choices(ChoiceSets(sets.attributes, sets.names, sets.indptr), np.zeros(num_attributes))
    choices = model(point)
    return Estimate(
        parameters=_names(sets, free),
        value=point * unit,
        covariance=bread * both,
        robust_covariance=sandwich * both,
        log_likelihood=float(amount @ choices.log_probability),
        null_log_likelihood=float(amount @ null.log_probability),
        observations=sets.num_observations,
        total_weight=total,
        choices=choices,
    )


def _names(sets: ChoiceSets, free: Ints) -> tuple[str, ...]:
    return (*sets.names, *(f"scale of {sets.nest_names[nest]}" for nest in free.tolist()))


def _check_shares(sets: ChoiceSets, shares: Floats, weight: Floats) -> None:
    if shares.shape != (len(sets.attributes),) or weight.shape != (sets.num_observations,):
        raise UsageError("shares need a number for each alternative, weights one for each observation")
    if not (np.isfinite(shares).all() and (shares >= 0).all()):
        where = int(np.argmin(np.where(np.isfinite(shares), shares, -np.inf)))
        number = int(sets.observation[where])
        raise UsageError(f"a share of observation {number} is {shares[where]:g}, expected a number not below zero")
    sums = sets.sum_of(shares)
    worst = int(np.argmax(np.abs(sums - 1)))
    if abs(sums[worst] - 1) > 1e-6:
        raise UsageError(f"the shares of observation {worst} add up to {sums[worst]:g}, expected 1")
    if not (np.isfinite(weight).all() and (weight >= 0).all() and weight.sum() > 0):
        raise UsageError("weights of observations must not be negative, and one at least above zero")


def _deviations(sets: ChoiceSets) -> Floats:
    """Attributes less their mean over the choice set: all that a logit can see of them."""
    means = sets.sum_of(sets.attributes) / np.diff(sets.indptr)[:, None]
    return np.asarray(sets.attributes - means[sets.observation])


def _spread(sets: ChoiceSets, weight: Floats) -> Floats:
    seen = _deviations(sets)[weight[sets.observation] > 0]
    return np.asarray(np.sqrt((seen**2).mean(axis=0)))


def _check_identified(sets: ChoiceSets, weight: Floats, scaled_nests: Sequence[str]) -> Ints:
    """Numbers of the nests to scale; NotIdentifiedError for what can be told before any search."""
    counts = np.diff(sets.indptr)
    if not (counts[weight > 0] > 1).any():
        raise NotIdentifiedError(
            "every observation has a single alternative: nothing was chosen, nothing can be learnt"
        )
    spread = _spread(sets, weight)
    size = np.abs(sets.attributes).max(axis=0)
    for name, value, largest in zip(sets.names, spread, size, strict=True):
        if value <= 1e-9 * max(largest, 1e-12):
            raise NotIdentifiedError(
                f"{name} is the same for all alternatives of every observation: its weight cannot be told; leave it out"
            )
    seen = (_deviations(sets) / spread)[weight[sets.observation] > 0]
    _, singular, turned = np.linalg.svd(seen, full_matrices=False)
    if len(singular) < len(sets.names) or singular[-1] <= 1e-8 * singular[0]:
        tied = [name for name, part in zip(sets.names, turned[-1], strict=True) if abs(part) > 0.05]
        raise NotIdentifiedError(f"{' and '.join(tied)} move together in every observation: leave one of them out")
    numbers = []
    for name in scaled_nests:
        if sets.nest is None or name not in sets.nest_names:
            raise UsageError(f"unknown nest '{name}'{did_you_mean(name, sets.nest_names)}")
        if not _scale_shows(sets, weight, sets.nest_names.index(name)):
            raise NotIdentifiedError(
                f"nest {name} never holds two alternatives beside another nest: its scale cannot be told; "
                "leave its scale at 1"
            )
        numbers.append(sets.nest_names.index(name))
    return np.array(numbers, dtype=np.int64)


def _check_bounded(sets: ChoiceSets, shares: Floats, weight: Floats) -> None:
    """Refuse choices that some mix of the attributes explains without exception: the likelihood has no highest point.

    Such a mix ranks no rejected alternative above a chosen one, and chosen ones all alike; a linear programme finds it
    or proves that there is none (Albert and Anderson, Biometrika 71, 1984).
    """
    from scipy.optimize import linprog  # heavy: only where it is needed

    counted = weight[sets.observation] > 0
    reference = np.maximum.reduceat(np.where(shares > 0, np.arange(len(shares)), -1), sets.indptr[:-1])
    ahead = (sets.attributes[reference[sets.observation]] - sets.attributes) / _spread(sets, weight)
    rejected, chosen = ahead[counted & (shares == 0)], ahead[counted & (shares > 0)]
    if not len(rejected):
        return
    scaled = rejected.sum(axis=0) / len(rejected)
    found = linprog(
        -scaled, A_ub=-rejected, b_ub=np.zeros(len(rejected)), A_eq=chosen, b_eq=np.zeros(len(chosen)),
        bounds=[(-1, 1)] * len(sets.names), method="highs",
    )  # fmt: skip
    if found.success and -found.fun > 1e-7:
        names = [name for name, part in zip(sets.names, found.x, strict=True) if abs(part) > 1e-6]
        raise NotIdentifiedError(
            f"{' and '.join(names)} tell{'s' if len(names) == 1 else ''} every choice without exception: "
            "ever larger weights fit better; more lanes, or lanes that use several alternatives, are needed"
        )


def _scale_shows(sets: ChoiceSets, weight: Floats, nest: int) -> bool:
    if sets.nest is None:
        return False
    inside = sets.sum_of((sets.nest == nest).astype(float))
    return bool(((inside >= 2) & (inside < np.diff(sets.indptr)) & (weight > 0)).any())


def identified_nests(sets: ChoiceSets) -> tuple[str, ...]:
    """Nests that hold two alternatives beside another nest in some observation: those whose scale shows."""
    everywhere = np.ones(sets.num_observations)
    return tuple(name for number, name in enumerate(sets.nest_names) if _scale_shows(sets, everywhere, number))


def _check_inside(sets: ChoiceSets, point: Floats, free: Ints) -> None:
    for name, value in zip(sets.names, point[: len(sets.names)], strict=True):
        if abs(value) >= 0.99 * LARGEST_WEIGHT:
            raise NotIdentifiedError(f"{name} tells every choice without exception: ever larger weights fit better")
    for nest, value in zip(free.tolist(), point[len(sets.names) :], strict=True):
        if value <= 1.01 * LOWEST_SCALE or value >= 0.99 * HIGHEST_SCALE:
            end = "zero" if value < 1 else "no bound"
            raise NotIdentifiedError(f"the scale of nest {sets.nest_names[nest]} runs to {end}: the nest does not fit")


def _jacobian(gradient: Callable[[Floats], Floats], point: Floats) -> Floats:
    """Symmetric Hessian by central differences of the exact gradient."""
    columns = []
    for number in range(len(point)):
        step = np.zeros(len(point))
        step[number] = _STEP * max(1.0, abs(point[number]))
        columns.append((gradient(point + step) - gradient(point - step)) / (2 * step[number]))
    matrix = np.array(columns)
    return np.asarray((matrix + matrix.T) / 2)


def _refined(point: Floats, gradient: Callable[[Floats], Floats], log_likelihood: Callable[[Floats], float]) -> Floats:
    """Newton steps from the end of the search, as long as they do not lose likelihood."""
    for _ in range(10):
        slope = gradient(point)
        try:
            step = np.linalg.solve(-_jacobian(gradient, point), slope)
        except np.linalg.LinAlgError:
            break
        # Near the edge or in a flat direction the quadratic is no guide; the checks that follow say so in words.
        if not np.isfinite(step).all() or np.abs(step).max() > 0.1 * max(1.0, np.abs(point).max()):
            break
        if log_likelihood(point + step) < log_likelihood(point) - 1e-14:
            break
        point = point + step
        if np.abs(step).max() < 1e-11:
            break
    return point
