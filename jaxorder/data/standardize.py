"""Shift and scale of the inputs, from the training examples alone."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from jaxorder.data.dataset import Scaling

_ROWS = 4096  # examples held as float64 at a time


@dataclass(frozen=True)
class Standardization:
    """What takes raw inputs to mean 0 and deviation 1: (inputs - mean) / deviation.

    Attributes:
        mean: Of each channel of images, or of each feature.
        deviation: Likewise; 1 where a channel or feature does not vary.
    """

    mean: Float[np.ndarray, "input_axis"]
    deviation: Float[np.ndarray, "input_axis"]


def standardization(
    inputs: Shaped[np.ndarray, "example *input"], scaling: Scaling = "each"
) -> Standardization:
    """Return the mean and deviation of each channel of images, or of each feature.

    Args:
        inputs: Training inputs, [example, height, width, channel] or
            [example, feature].
        scaling: Whether `each` has a deviation of its own; or the `whole` has one, the
            root of their mean variance, so that proportions stay; or `unit`, for
            bytes: mean 0 and deviation 255; or `none`, for words: 0 and 1.

    Returns:
        Both as float32.

    Example:
        >>> found = standardization(np.array([[0.0, 5.0], [2.0, 5.0]], np.float32))
        >>> found.mean.tolist(), found.deviation.tolist()
        ([1.0, 5.0], [1.0, 1.0])
    """
    if scaling == "none":
        return Standardization(np.zeros(1, np.float32), np.ones(1, np.float32))
    if scaling == "unit":
        return Standardization(np.zeros(1, np.float32), np.full(1, 255, np.float32))
    axes = tuple(range(inputs.ndim - 1))
    count = np.prod([inputs.shape[axis] for axis in axes])
    mean = inputs.sum(axis=axes, dtype=np.float64) / count
    squares = np.zeros_like(mean)
    for start in range(0, len(inputs), _ROWS):
        squares += np.square(inputs[start : start + _ROWS] - mean).sum(axis=axes)
    if scaling == "whole":
        squares[:] = squares.mean()
    deviation = np.sqrt(squares / count)
    constant = deviation <= 1e-6 * np.abs(mean)
    deviation[constant] = 1.0
    return Standardization(mean.astype(np.float32), deviation.astype(np.float32))
