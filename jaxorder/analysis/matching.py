"""Where a collection has reached an accuracy, and its order up to there.

Collections learn at different speeds and to different ends. What they have in common
is compared where they are equally accurate.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float, Int

from jaxorder.analysis.inputs import Array, require

_T = TypeVar("_T", float, np.ndarray)


class Reached(NamedTuple):
    """Where a mean accuracy is first reached, between two snapshots.

    Attributes:
        before: position of the snapshot of the highest accuracy until then.
        after: position of the first snapshot that has reached it.
        share: of the way from the one to the other, in (0, 1].
    """

    before: int
    after: int
    share: float

    def between(self, measure: Callable[[int], _T]) -> _T:
        """Interpolate a measure of a snapshot.

        Args:
            measure: gives it, a number or an array, of the snapshot at a position.

        Example:
            >>> Reached(0, 2, 0.25).between(lambda snapshot: 1.0 + 2 * snapshot)
            2.0
        """
        after = measure(self.after)
        if self.share == 1:  # what is undefined before has no weight
            return after
        return (1 - self.share) * measure(self.before) + self.share * after


def reached(accuracy: Float[Array, " snapshot"], wanted: float) -> Reached | None:
    """Find where a collection first reaches an accuracy.

    Args:
        accuracy: [snapshot], mean accuracy, in [0, 1].
        wanted: the accuracy to reach, above that of the first snapshot.

    Returns:
        The moment, by linear interpolation between the snapshot of the highest accuracy
        so far and the first whose accuracy is as high as wanted; None where none is, or
        the first snapshot already is.

    Raises:
        ValueError: `accuracy` is not real with one axis.

    Reference:
        jaxorder's.

    Example:
        >>> reached(np.array([0.1, 0.5, 0.4, 0.7]), 0.6)
        Reached(before=1, after=3, share=0.5)
        >>> reached(np.array([0.1, 0.5, 0.4, 0.7]), 0.8) is None
        True
    """
    values = require("accuracy", accuracy, "biuf", "snapshot").astype(float)
    rising = _rising(values)
    at = int(np.argmax(values[rising] >= wanted))
    if not values[rising[-1]] >= wanted or at == 0:
        return None
    before, after = rising[at - 1 : at + 1].tolist()
    low, high = values[[before, after]].tolist()
    return Reached(before, after, (wanted - low) / (high - low))


def rise_weights(
    accuracy: Float[Array, " snapshot"], upto: float
) -> Float[np.ndarray, " snapshot"]:
    """Weigh snapshots by how much the mean accuracy rises around them.

    Accessibility with these weights is the mean of TP-agreement over the accuracies
    that a collection passes on its way, whenever it passes them: weighted by epochs,
    most of it is what the end of a long training says.

    Args:
        accuracy: [snapshot], mean accuracy, in [0, 1]. Snapshots that are not more
            accurate than all before count nothing.
        upto: accuracy up to which snapshots count, above that of the first.

    Returns:
        float64 [snapshot], summing to 1: the trapezoid rule over accuracy, cut where
        `upto` is reached. All NaN where it is not.

    Raises:
        ValueError: `accuracy` is not real with one axis.

    Reference:
        jaxorder's; the trapezoid rule is textbook.

    Example:
        >>> rise_weights(np.array([0.1, 0.3, 0.2, 0.7]), 0.5).round(3).tolist()
        [0.25, 0.625, 0.0, 0.125]
    """
    values = require("accuracy", accuracy, "biuf", "snapshot").astype(float)
    end = reached(values, upto)
    if end is None:
        return np.full(len(values), np.nan)
    rising = _rising(values)
    widths = np.diff(np.minimum(values[rising], upto))
    weights = np.zeros(len(values))
    weights[rising] = (np.append(widths, 0) + np.append(0, widths)) / 2
    # the last width ends before its snapshot, which is the less in the mean for it
    late = (upto - values[end.before]) / 2 * (1 - end.share)
    weights[end.before] += late
    weights[end.after] -= late
    return weights / widths.sum()


def _rising(accuracy: Float[np.ndarray, " snapshot"]) -> Int[np.ndarray, " rising"]:
    """Find the snapshots that are more accurate than all before."""
    before = np.append(-np.inf, np.maximum.accumulate(accuracy)[:-1])
    return np.flatnonzero(accuracy > before)
