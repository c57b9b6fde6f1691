"""Seeded draws from a choice model."""

from __future__ import annotations

import numpy as np

from optimizer.choice.model import Choices, Floats
from optimizer.errors import UsageError


def draw_counts(choices: Choices, trials: int, seed: int) -> Floats:
    """
    Choices of ``trials`` shippers in every choice set.

    Returns
    -------
    Shape (num_alternatives,): how many took each alternative; the same for the same seed.
    """
    if trials < 1:
        raise UsageError(f"trials is {trials}, expected at least 1")
    generator = np.random.default_rng(seed)
    sets, counts = choices.sets, np.zeros(len(choices.probability))
    for start, end in zip(sets.indptr[:-1].tolist(), sets.indptr[1:].tolist(), strict=True):
        probability = choices.probability[start:end]
        counts[start:end] = generator.multinomial(trials, probability / probability.sum())
    return counts
