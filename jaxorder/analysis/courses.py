"""What became of each example on the way: when it was learned, how often forgotten.

Snapshots are taken in one after the other, of all examples or of some at a time, so
that no more than one need be held.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int, Integer

from jaxorder.analysis.measures import epoch_weights
from jaxorder.analysis.streaming import (
    Piece,
    agreeing,
    blocks,
    done,
    pieces,
    windows,
)


class Course(NamedTuple):
    """What became of each example on the way.

    Attributes:
        accessibility: Weighted mean of TP-agreement over snapshots, in [0, 1].
        final: TP-agreement at the last snapshot, in [0, 1].
        forgetting: Events between snapshots, the mean over members, as
            `forgetting_events`.
        chance_forgetting: How many there would be by chance: of members whose answers
            at each snapshot do not depend on those at the one before, and that are as
            often right. That is the sum over snapshots of the share that is right
            times the share that is wrong at the next.
        learned_epoch: The epoch from which the median member stays correct; NaN where
            it is wrong at the last snapshot.
    """

    accessibility: Float[np.ndarray, " example"]
    final: Float[np.ndarray, " example"]
    forgetting: Float[np.ndarray, " example"]
    chance_forgetting: Float[np.ndarray, " example"]
    learned_epoch: Float[np.ndarray, " example"]

    @classmethod
    def joined(cls, parts: Sequence["Course"]) -> "Course":
        """Join those of some examples each."""
        return cls(*(np.concatenate(values) for values in zip(*parts, strict=True)))


class Courses:
    """What becomes of each example, followed from snapshot to snapshot."""

    def __init__(
        self, members: int, examples: int, epoch: Float[np.ndarray, " snapshot"]
    ):
        """Begin before the first snapshot.

        Args:
            members: Number of members.
            examples: Number of examples.
            epoch: Of every snapshot that will be taken in.
        """
        self._epoch, self._weights = epoch, epoch_weights(epoch)
        self._members = members
        self._right = np.zeros((members, examples), bool)
        # 0 is before all snapshots, and the position after a wrong answer else
        self._since = np.zeros((members, examples), np.min_scalar_type(len(epoch)))
        self._accessibility = np.zeros(examples)
        self._final = np.zeros(examples)
        self._forgotten = np.zeros(examples)
        self._expected = np.zeros(examples)

    def take(
        self,
        snapshot: int,
        correct: Bool[np.ndarray, "member block"],
        examples: slice = slice(None),
    ) -> None:
        """Take in a snapshot; of an example they come in their order.

        Args:
            snapshot: Its position.
            correct: What is correct there.
            examples: Of which examples.
        """
        right, before = self._right[:, examples], self._final[examples]
        share = agreeing(correct) / self._members
        if self._weights[snapshot]:
            self._accessibility[examples] += self._weights[snapshot] * share
        self._forgotten[examples] += agreeing(right & ~correct) / self._members
        self._expected[examples] += before * (1 - share)
        np.copyto(self._since[:, examples], snapshot + 1, where=~correct)
        before[...], right[...] = share, correct

    def course(self) -> Course:
        """Return what became of each example, all snapshots taken in.

        Example:
            >>> courses = Courses(1, 3, np.array([0.5, 2.0]))
            >>> courses.take(0, np.array([[False, True, True]]))
            >>> courses.take(1, np.array([[True, False, True]]))
            >>> course = courses.course()
            >>> course.learned_epoch.tolist(), course.forgetting.tolist()
            ([2.0, nan, 0.5], [0.0, 1.0, 0.0])
        """
        cut = blocks(*self._since.shape)
        learned = np.concatenate([self._learned(self._since[:, each]) for each in cut])
        counted = self._accessibility, self._final, self._forgotten, self._expected
        return Course(*counted, learned)

    def _learned(
        self, since: Integer[np.ndarray, "member block"]
    ) -> Float[np.ndarray, " block"]:
        # never comes after the last epoch, whatever that is: infinity
        epochs = np.median(np.append(self._epoch, np.inf)[since], axis=0)
        return np.where(np.isinf(epochs), np.nan, epochs)


# Told the position of a snapshot, what is correct there, and of which examples.
Told = Callable[[int, Bool[np.ndarray, "member block"], slice], None]


def followed(dataset: xr.Dataset, told: Told | None = None) -> Course:
    """Follow the examples of a record, in windows that can be held.

    Args:
        dataset: Of a run, `usable`.
        told: Is shown the same, so that the record is read once; of several threads at
            once, but of an example the snapshots come in their order.
    """
    epoch, parts = dataset["epoch"].values, []
    members, examples = dataset.sizes["member"], dataset.sizes["example"]
    for window in windows(members, examples):
        courses = Courses(members, len(range(*window.indices(examples))), epoch)

        def take(
            piece: Piece, courses: Courses = courses, window: slice = window
        ) -> None:
            first = window.start
            place = slice(first + piece.examples.start, first + piece.examples.stop)
            for snapshot, correct in piece.correct():
                courses.take(snapshot, correct, piece.examples)
                if told is not None:
                    told(snapshot, correct, place)

        done(pieces(dataset, take, examples=window))
        parts.append(courses.course())
    return Course.joined(parts)


def learning_means(
    accessibility: Float[np.ndarray, " example"],
    values: Float[np.ndarray, " example"],
    bins: int = 20,
) -> tuple[Float[np.ndarray, " bin"], Int[np.ndarray, " bin"]]:
    """Average values of examples that are about as accessible.

    Args:
        accessibility: In [0, 1].
        values: Of the same examples.
        bins: Into how many equal parts accessibility is cut.

    Returns:
        The mean in each part, NaN where it holds no example; and how many it holds.

    Example:
        >>> accessibility, values = np.array([0, 0.1, 1]), np.array([1, 3, 5.0])
        >>> means, many = learning_means(accessibility, values, bins=2)
        >>> means.tolist(), many.tolist()
        ([2.0, 5.0], [2, 1])
    """
    place = np.minimum((accessibility * bins).astype(int), bins - 1)
    many = np.bincount(place, minlength=bins)
    sums = np.bincount(place, weights=values, minlength=bins)
    means = np.full(bins, np.nan)
    np.divide(sums, many, out=means, where=many > 0)
    return means, many
