"""Known weights come back from simulated choices, with honest standard errors; what cannot be told is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from optimizer.choice.estimation import Estimate, NotIdentifiedError, estimate, identified_nests
from optimizer.choice.model import Choices, ChoiceSets
from optimizer.choice.simulate import draw_counts
from optimizer.errors import UsageError

NAMES = ("cost", "time", "reliability")
TRUE = np.array([-0.05, -0.01, -0.02])
SCALES = np.array([0.5, 1.0])


def lanes(seed: int = 1, count: int = 60) -> ChoiceSets:
    """Four routes on every lane: three through gateway A, one through B."""
    rng = np.random.default_rng(seed)
    values = rng.uniform([50, 100, 10], [150, 600, 90], (4 * count, 3))
    return ChoiceSets(values, NAMES, np.arange(0, 4 * count + 1, 4), None, np.tile([0, 0, 0, 1], count), ("A", "B"))


def estimated(choices: Choices, trials: int, seed: int, nested: bool = False) -> Estimate:
    counts = draw_counts(choices, trials, seed)
    weight = np.full(choices.sets.num_observations, float(trials))
    return estimate(choices.sets, counts / trials, weight, ("A",) if nested else ())


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("nested", [False, True])
def test_recovers_known_weights(seed: int, nested: bool) -> None:
    found = estimated(Choices(lanes(), TRUE, SCALES if nested else None), 40, seed, nested)
    truth = np.append(TRUE, SCALES[:1]) if nested else TRUE
    assert (np.abs(found.value - truth) < 3 * found.standard_error).all()
    ratio = found.ratio("time", "cost")
    assert abs(ratio.value - 0.2) < 3 * ratio.standard_error
    assert 0 < found.rho_squared < 1


def test_standard_errors_match_the_spread_of_replications() -> None:
    choices = Choices(lanes(), TRUE, SCALES)
    found = [estimated(choices, 40, seed, nested=True) for seed in range(80)]
    spread = np.std([each.value for each in found], axis=0, ddof=1)
    # The spread of 80 draws is itself known to about 8 %.
    assert np.mean([e.standard_error for e in found], axis=0) / spread == pytest.approx(np.ones(4), abs=0.3)
    assert np.mean([e.robust_error for e in found], axis=0) / spread == pytest.approx(np.ones(4), abs=0.3)
    ratios = [each.ratio("time", "cost") for each in found]
    ratio_spread = np.std([ratio.value for ratio in ratios], ddof=1)
    assert np.mean([ratio.standard_error for ratio in ratios]) / ratio_spread == pytest.approx(1, abs=0.3)


def test_exact_shares_give_the_weights_exactly() -> None:
    choices = Choices(lanes(), TRUE, SCALES)
    found = estimate(choices.sets, choices.probability, scaled_nests=("A",))
    assert found.value == pytest.approx([*TRUE, 0.5], rel=1e-6)
    assert found.parameters == (*NAMES, "scale of A")
    assert found.null_log_likelihood == pytest.approx(-60 * np.log(4))


def test_one_attribute_closed_form() -> None:
    # Two alternatives a unit apart: the weight is the log odds, its variance 1 / (n p (1 - p)).
    sets = ChoiceSets(np.array([[0.0], [1.0]]), ("cost",), np.array([0, 2]))
    found = estimate(sets, np.array([0.8, 0.2]), np.array([100.0]))
    assert found.value[0] == pytest.approx(np.log(0.2 / 0.8), rel=1e-8)
    assert found.covariance[0, 0] == pytest.approx(1 / (100 * 0.16), rel=1e-5)


def test_robust_errors_do_not_depend_on_the_unit_of_the_weights() -> None:
    choices = Choices(lanes(), TRUE)
    shares = draw_counts(choices, 10, 5) / 10
    small, large = (estimate(choices.sets, shares, np.full(60, size)) for size in (1.0, 1e6))
    assert large.value == pytest.approx(small.value, rel=1e-6)
    assert large.robust_error == pytest.approx(small.robust_error, rel=1e-4)
    assert large.standard_error == pytest.approx(small.standard_error / 1e3, rel=1e-4)


def test_units_of_attributes_do_not_matter() -> None:
    choices = Choices(lanes(), TRUE)
    shares = draw_counts(choices, 10, 5) / 10
    other = replace(choices.sets, attributes=choices.sets.attributes * [1000.0, 1 / 24, 1e-4])
    first, second = estimate(choices.sets, shares), estimate(other, shares)
    assert second.value * [1000.0, 1 / 24, 1e-4] == pytest.approx(first.value, rel=1e-5)
    assert second.t_value == pytest.approx(first.t_value, rel=1e-4)


def test_what_cannot_be_told_is_refused_in_words() -> None:
    sets = lanes()
    shares = Choices(sets, TRUE).probability
    constant = sets.attributes.copy()
    constant[:, 2] = np.repeat(np.arange(60.0), 4)
    with pytest.raises(NotIdentifiedError, match="reliability is the same for all alternatives"):
        estimate(replace(sets, attributes=constant), shares)
    tied = sets.attributes.copy()
    tied[:, 2] = 3 * tied[:, 1] + constant[:, 2]
    with pytest.raises(NotIdentifiedError, match="time and reliability move together"):
        estimate(replace(sets, attributes=tied), shares)
    with pytest.raises(NotIdentifiedError, match="single alternative"):
        estimate(replace(sets, indptr=np.arange(241)), np.ones(240))
    assert identified_nests(sets) == ("A",)
    with pytest.raises(NotIdentifiedError, match="nest B never holds two alternatives"):
        estimate(sets, shares, scaled_nests=("B",))
    with pytest.raises(UsageError, match="unknown nest 'AA'"):
        estimate(sets, shares, scaled_nests=("AA",))
    cheapest = np.zeros(240)
    cheapest[np.arange(0, 240, 4) + sets.attributes[:, 0].reshape(-1, 4).argmin(axis=1)] = 1
    with pytest.raises(NotIdentifiedError, match="without exception"):
        estimate(sets, cheapest)


def test_shares_that_cannot_be_are_refused() -> None:
    sets = lanes()
    shares = Choices(sets, TRUE).probability
    with pytest.raises(UsageError, match="observation 0 add up to 2"):
        estimate(sets, np.where(np.arange(240) < 4, 2 * shares, shares))
    with pytest.raises(UsageError, match=r"observation 1 is -0\.5"):
        estimate(sets, np.where(np.arange(240) == 5, -0.5, shares))
    with pytest.raises(UsageError, match="weights of observations"):
        estimate(sets, shares, -np.ones(60))
