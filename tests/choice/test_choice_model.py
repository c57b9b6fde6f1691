"""Probabilities against closed forms, elasticities and gradients against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.choice.model import Choices, ChoiceSets, path_sizes
from optimizer.choice.simulate import draw_counts
from optimizer.errors import UsageError

NAMES = ("cost", "time", "reliability")


def drawn_sets(seed: int, observations: int = 6, nests: int = 3, path_size: bool = False) -> ChoiceSets:
    """Choice sets of one to six alternatives."""
    rng = np.random.default_rng(seed)
    indptr = np.concatenate([[0], np.cumsum(rng.integers(1, 7, observations))])
    rows = int(indptr[-1])
    return ChoiceSets(
        rng.uniform(1, 5, (rows, 3)), NAMES, indptr, rng.uniform(0.2, 1, rows) if path_size else None,
        rng.integers(0, nests, rows), tuple(f"G{n}" for n in range(nests)),
    )  # fmt: skip


def test_two_alternatives_follow_the_logistic_curve() -> None:
    sets = ChoiceSets(np.array([[10.0], [13.0]]), ("cost",), np.array([0, 2]))
    choices = Choices(sets, np.array([-0.5]))
    assert choices.probability[0] == pytest.approx(1 / (1 + np.exp(-1.5)))
    assert choices.logsum[0] == pytest.approx(np.log(np.exp(-5) + np.exp(-6.5)))


def test_nested_closed_form() -> None:
    # Red bus, blue bus and car at equal utility: at scale s the buses together take 2**s / (2**s + 1).
    sets = ChoiceSets(np.zeros((3, 1)), ("cost",), np.array([0, 3]), None, np.array([0, 0, 1]), ("bus", "car"))
    for scale in (0.05, 0.5, 1.0):
        shares = Choices(sets, np.zeros(1), np.array([scale, 1.0])).probability
        assert shares[:2].sum() == pytest.approx(2**scale / (2**scale + 1))


def test_path_size_of_routes_that_are_one_and_the_same() -> None:
    same, other = np.array([1, 2]), np.array([7])
    sizes = path_sizes(np.array([0, 3]), [same, same, other], [np.array([3.0, 4.0])] * 2 + [np.array([2.0])])
    assert sizes.tolist() == [0.5, 0.5, 1.0]
    sets = ChoiceSets(np.zeros((3, 1)), ("cost",), np.array([0, 3]), sizes)
    assert Choices(sets, np.zeros(1)).probability == pytest.approx([0.25, 0.25, 0.5])


def test_path_size_counts_the_shared_part_only() -> None:
    sizes = path_sizes(
        np.array([0, 2]), [np.array([1, 2]), np.array([1, 3])], [np.array([6.0, 4.0]), np.array([6.0, 2.0])]
    )
    assert sizes == pytest.approx([0.6 / 2 + 0.4, 0.75 / 2 + 0.25])


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), size=st.floats(0.1, 300))
def test_scale_one_is_the_plain_logit_and_all_adds_up(seed: int, size: float) -> None:
    sets = drawn_sets(seed, path_size=True)
    weights = -size * np.array([1.0, 0.5, 0.2])
    nested = Choices(sets, weights, np.ones(3))
    plain = Choices(ChoiceSets(sets.attributes, NAMES, sets.indptr, sets.path_size), weights)
    assert nested.probability == pytest.approx(plain.probability, abs=1e-10)
    assert nested.logsum == pytest.approx(plain.logsum)
    uneven = Choices(sets, weights, np.array([0.1, 0.6, 1.0]))
    assert sets.sum_of(uneven.probability) == pytest.approx(np.ones(sets.num_observations))


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_scores_and_elasticities_against_finite_differences(seed: int) -> None:
    sets = drawn_sets(seed, path_size=True)
    weights, scales, step = np.array([-0.8, -0.3, -0.5]), np.array([0.4, 1.0, 0.7]), 1e-6
    here = Choices(sets, weights, scales)
    score = here.score(np.array([0, 2]))
    for number in range(5):
        ends = []
        for sign in (1, -1):
            moved, moved_scales = weights.copy(), scales.copy()
            target, at = (moved, number) if number < 3 else (moved_scales, (0, 2)[number - 3])
            target[at] += sign * step
            ends.append(Choices(sets, moved, moved_scales).log_probability)
        assert score[:, number] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-6)
    observation = int(np.argmax(np.diff(sets.indptr)))
    these = slice(sets.indptr[observation], sets.indptr[observation + 1])
    table = here.elasticities("time", observation)
    for column in range(these.stop - these.start):
        ends = []
        for sign in (1, -1):
            values = sets.attributes.copy()
            values[these.start + column, 1] *= np.exp(sign * step)
            moved_sets = ChoiceSets(values, NAMES, sets.indptr, sets.path_size, sets.nest, sets.nest_names)
            ends.append(Choices(moved_sets, weights, scales).log_probability[these])
        assert table[:, column] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-6)


def test_extreme_utilities_stay_finite() -> None:
    sets = ChoiceSets(np.array([[0.0], [1e6]]), ("cost",), np.array([0, 2]), None, np.array([0, 0]), ("G",))
    choices = Choices(sets, np.array([-1.0]), np.array([0.1]))
    assert choices.probability.tolist() == [1.0, 0.0]
    assert np.isfinite(choices.log_probability).all()
    assert np.isfinite(choices.score(np.array([0]))).all()


def test_padded_arrays_give_the_same_sets() -> None:
    values = np.arange(12.0).reshape(2, 3, 2)
    sets = ChoiceSets.padded(values, np.array([[True, True, False], [True, True, True]]), ("cost", "time"))
    assert sets.indptr.tolist() == [0, 2, 5]
    assert sets.attributes.tolist() == [[0, 1], [2, 3], [6, 7], [8, 9], [10, 11]]


def test_draws_depend_on_the_seed_alone() -> None:
    choices = Choices(drawn_sets(3), np.array([-0.5, -0.1, -0.1]))
    first = draw_counts(choices, 50, 7)
    assert (first == draw_counts(choices, 50, 7)).all()
    assert (first != draw_counts(choices, 50, 8)).any()
    assert (choices.sets.sum_of(first) == 50).all()


def test_faulty_arrays_are_refused() -> None:
    with pytest.raises(UsageError, match="no alternative"):
        ChoiceSets(np.zeros((2, 1)), ("cost",), np.array([0, 0, 2]))
    with pytest.raises(UsageError, match="not finite"):
        ChoiceSets(np.array([[np.nan]]), ("cost",), np.array([0, 1]))
    with pytest.raises(UsageError, match="path_size"):
        ChoiceSets(np.zeros((1, 1)), ("cost",), np.array([0, 1]), np.array([0.0]))
    with pytest.raises(UsageError, match="above 0"):
        Choices(drawn_sets(0), np.zeros(3), np.zeros(3))
