"""What a learner is given and what it gives back."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Integer, Shaped
from scipy.sparse import csr_array

Matrix = Float32[np.ndarray, "_ feature"] | csr_array  # [example feature]
Predictions = Integer[np.ndarray, "snapshot evaluated"]


class Problem(NamedTuple):
    """What one member learns and what it predicts.

    Attributes:
        inputs: Standardised training inputs, or the bags of words of texts.
        labels: Their classes; not all of the data set's need occur, two must.
        evaluated: Inputs to predict, of the same features.
    """

    inputs: Matrix
    labels: Integer[np.ndarray, "example"]
    evaluated: Matrix


# problem, steps of the snapshots (increasing, from 1 on), seed -> predictions
Fit = Callable[[Problem, Sequence[int], int], Predictions]


def at_steps(
    stages: Iterable[Shaped[np.ndarray, "evaluated"]], steps: Sequence[int]
) -> Shaped[np.ndarray, "snapshot evaluated"]:
    """Choose the stages at which a snapshot is due.

    Args:
        stages: Predictions after 1, 2, ... rounds; at least one. A boosting that ends
            early, having nothing left to correct, has fewer than asked.
        steps: Increasing rounds, from 1 on.

    Returns:
        The predictions at the steps; the last stage stands for those beyond it.

    Example:
        >>> at_steps([np.array([0]), np.array([1])], [1, 2, 5]).ravel()
        array([0, 1, 1])
    """
    chosen: list[np.ndarray] = []
    stage = np.empty(0)
    for number, stage in enumerate(stages, start=1):
        if number == steps[len(chosen)]:
            chosen.append(stage)
        if len(chosen) == len(steps):
            break
    return np.stack(chosen + [stage] * (len(steps) - len(chosen)))
