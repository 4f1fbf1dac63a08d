"""What became of each example on the way: when it was learned, how often forgotten.

Snapshots are taken in one after the other, of all examples or of some at a time, so
that no more than one need be held.
"""

import numpy as np
from jaxtyping import Bool, Float, Int


class Courses:
    """What became of each example, followed from snapshot to snapshot.

    Attributes:
        final: [example], TP-agreement at the last snapshot taken in, in [0, 1].
    """

    final: Float[np.ndarray, " example"]

    def __init__(self, members: int, examples: int):
        """Begin before the first snapshot.

        Args:
            members: Number of members.
            examples: Number of examples.
        """
        self.final = np.zeros(examples)
        self._right = np.zeros((members, examples), bool)
        self._since = np.zeros((members, examples), np.int32)
        self._events = np.zeros(examples, np.int64)
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
        right = self._right[:, examples]
        share = np.count_nonzero(correct, axis=0) / len(correct)
        self._events[examples] += np.count_nonzero(right & ~correct, axis=0)
        self._expected[examples] += self.final[examples] * (1 - share)
        self._since[:, examples][~correct] = snapshot + 1
        self.final[examples] = share
        right[...] = correct

    @property
    def forgetting(self) -> Float[np.ndarray, " example"]:
        """Events between snapshots, the mean over members, as `forgetting_events`."""
        return self._events / len(self._right)

    @property
    def chance_forgetting(self) -> Float[np.ndarray, " example"]:
        """How many there would be by chance.

        That is of members whose answers at each snapshot do not depend on those at the
        one before, and that are as often right: the sum over snapshots of the share
        that is right times the share that is wrong at the next.
        """
        return self._expected

    def learned(
        self, epoch: Float[np.ndarray, " snapshot"]
    ) -> Float[np.ndarray, " example"]:
        """Find the epoch from which the median member stays correct.

        Args:
            epoch: Of every snapshot taken in.

        Returns:
            [example]; NaN where the median member is wrong at the last snapshot.

        Example:
            >>> courses = Courses(members=1, examples=3)
            >>> courses.take(0, np.array([[False, True, True]]))
            >>> courses.take(1, np.array([[True, False, True]]))
            >>> courses.learned(np.array([0.5, 2.0])).tolist()
            [2.0, nan, 0.5]
            >>> courses.forgetting.tolist()
            [0.0, 1.0, 0.0]
        """
        # never comes after the last epoch, whatever that is: infinity
        epochs = np.median(np.append(epoch, np.inf)[self._since], axis=0)
        return np.where(np.isinf(epochs), np.nan, epochs)


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
