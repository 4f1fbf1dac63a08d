"""Which snapshots are looked at: near an accuracy, and since when members agree."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int

from jaxorder.analysis.intervals import Interval, beyond
from jaxorder.analysis.numbers import SplitNumbers
from jaxorder.analysis.snapshot_measures import SnapshotMeasure

# Fewer snapshots above chance in a row may be so by luck.
SUSTAINED = 3


def nearest_snapshot(numbers: SplitNumbers, accuracy: float) -> int:
    """Find the snapshot after step 0 whose mean accuracy is nearest to one wanted.

    Args:
        numbers: Of a split.
        accuracy: Wanted mean accuracy, in [0, 1].

    Returns:
        Its position; the earliest of equally near ones. Step 0 where there is no other:
        two classes put untrained members at 0.5 by chance.
    """
    gaps = np.abs(numbers.mean_accuracy - accuracy)
    trained = numbers.epoch > 0
    return int(np.argmin(np.where(trained, gaps, np.inf) if trained.any() else gaps))


def compared_snapshot(
    numbers: SplitNumbers, measure: SnapshotMeasure
) -> tuple[int, bool]:
    """Find the snapshot at which a measure is compared.

    Args:
        numbers: Of a split.
        measure: Of the table.

    Returns:
        The last snapshot; of a measure that may be compared between some accuracies
        only, the one whose mean accuracy is nearest 0.5. And whether that accuracy is
        between these.
    """
    last = len(numbers.epoch) - 1
    snapshot = nearest_snapshot(numbers, 0.5) if measure.comparable else last
    return snapshot, measure.compares(float(numbers.mean_accuracy[snapshot]))


def above_null(numbers: SplitNumbers) -> Bool[np.ndarray, "snapshot"]:
    """Tell where kappa's interval lies above the class null's.

    Args:
        numbers: Of a split, with nulls.

    Returns:
        bool [snapshot]; False where either is undefined.
    """
    pairs = zip(numbers.kappa, numbers.by_class, strict=True)
    return np.array([kappa.low > null.kappa.high for kappa, null in pairs])


def defined(intervals: Sequence[Interval]) -> Bool[np.ndarray, "snapshot"]:
    """Tell where an interval has ends."""
    return ~np.isnan([interval.low for interval in intervals])


Since = Literal["since", "with gaps", "not yet", "never", "undecided", "undefined"]


def agreement_since(numbers: SplitNumbers) -> tuple[Since, int | None]:
    """Find since when kappa lies above the class null, and stays there.

    Snapshots without an interval (saturated ones) neither count nor interrupt.

    Args:
        numbers: Of a split, with nulls.

    Returns:
        "since" and the first snapshot of the stretch that reaches to the last snapshot
        with an interval, where that is of at least three. Else None, and
        - "not yet" where kappa lies above the null at the last one or two alone;
        - "with gaps" where it did before, too, or does no more;
        - "never" where it lies above the null nowhere, and "undecided" where it does
          not, but is not told apart from it at some;
        - "undefined" where it has no interval at any snapshot.
    """
    counted = np.flatnonzero(defined(numbers.kappa))
    above = above_null(numbers)[counted]
    below = np.flatnonzero(~above)
    first = int(below[-1]) + 1 if len(below) else 0
    if len(above) - first >= SUSTAINED:
        return "since", int(counted[first])
    if above.any():
        return ("with gaps" if above[:first].any() else "not yet"), None
    return _nowhere(numbers, counted), None


def _nowhere(numbers: SplitNumbers, counted: Int[np.ndarray, "counted"]) -> Since:
    """Tell why kappa lies above the class null at none of the snapshots that count."""
    if not len(counted):
        return "undefined"
    verdicts = [beyond(numbers.kappa[i], numbers.by_class[i].kappa) for i in counted]
    return "undecided" if "undecided" in verdicts else "never"
