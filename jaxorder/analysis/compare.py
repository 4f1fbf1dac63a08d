"""Whether two collections of members learn the same examples first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxorder.analysis.correlation import ranks
from jaxorder.analysis.inputs import Array, Run, opened, require, way_out
from jaxorder.analysis.intervals import Interval, undefined
from jaxorder.analysis.numbers import (
    SplitNumbers,
    accuracy_on,
    measure_split,
    truncated_orders,
)
from jaxorder.analysis.orders import OrderComparison, compare_orders, correlated
from jaxorder.analysis.scales import FISHER
from jaxorder.errors import RequestError
from jaxorder.notebook import html_table
from jaxorder.plain import plain

# "Undecided when the gap exceeds 2 points" of test accuracy.
MATCHED_GAP = 0.02


@dataclass(frozen=True, kw_only=True, repr=False)
class MatchedAccuracy:
    """The comparison of the two up to where they are equally accurate.

    The weaker collection's last snapshot is matched by the other's snapshot of
    nearest test accuracy, and accessibilities are taken up to there.

    Attributes:
        step_a: step of the one's matched snapshot.
        step_b: step of the other's.
        epoch_a: epoch of the one's matched snapshot.
        epoch_b: epoch of the other's.
        accuracy_a: mean test accuracy there, in [0, 1].
        accuracy_b: of the other.
        gap: between the two, in [0, 1].
        decided: whether the gap is at most 2 points (0.02).
        spearman: correlation of the truncated accessibilities; NaN if undecided.
    """

    step_a: int
    step_b: int
    epoch_a: float
    epoch_b: float
    accuracy_a: float
    accuracy_b: float
    gap: float
    decided: bool
    spearman: Interval

    def text(self, digits: int = 2, few: bool = True) -> str:
        """Write the correlation, or that it is undecided, as everywhere it stands.

        Args:
            digits: after the point, at least.
            few: as of an interval.
        """
        return self.spearman.text(digits, few) if self.decided else "undecided"

    def __repr__(self) -> str:
        """Return what was matched, and how alike the orders are up to there."""
        accuracies = f"{self.accuracy_a:.3f} and {self.accuracy_b:.3f}"
        return f"MatchedAccuracy at {accuracies}: {self.text()}"


@dataclass(frozen=True, kw_only=True, repr=False)
class Comparison(OrderComparison):
    """Two runs compared on the examples that both recorded.

    Attributes:
        name_a: of the one run.
        name_b: of the other.
        split: of which examples.
        examples: how many are common.
        members_a: how many stayed finite.
        members_b: of the other.
        accuracy_a: mean accuracy on them at the last snapshot, in [0, 1].
        accuracy_b: of the other.
        shared_streams: whether a member of one has the seed of a member of the
            other: shared mini-batches inflate agreement.
        matched: the comparison at matched accuracy.
        against: what counts as right: the `label` that members were trained towards,
            or the `original` one.
    """

    name_a: str
    name_b: str
    split: str
    examples: int
    members_a: int
    members_b: int
    accuracy_a: float
    accuracy_b: float
    shared_streams: bool
    matched: MatchedAccuracy
    against: str

    def __repr__(self) -> str:
        """Return what was compared, and how alike it is, in a line."""
        return f"Comparison of {self._title()}: " + ", ".join(
            f"{name} {value}" for name, value in self._facts().items()
        )

    def _repr_html_(self) -> str:
        """Return the same as a table, for notebooks."""
        return html_table(self._title(), list(self._facts().items()))

    def _title(self) -> str:
        examples = f"{self.examples:,} {self.split} examples"
        return f"{self.name_a} and {self.name_b} on {examples}"

    def _facts(self) -> dict[str, str]:
        """Return what one wants to know at first sight."""
        return {
            "Spearman": str(self.spearman),
            "disattenuated": str(self.disattenuated_spearman),
            "at matched accuracy": self.matched.text(),
            "members": f"{self.members_a} and {self.members_b}",
            "accuracies": f"{self.accuracy_a:.3f} and {self.accuracy_b:.3f}",
        }

    def to_dict(self) -> dict[str, Any]:
        """Give the fields, nested, as JSON knows them: NaN becomes None."""
        return plain(self)


def compare(
    run_a: Run | str | PathLike[str],
    run_b: Run | str | PathLike[str],
    split: str = "test",
) -> Comparison:
    """Compare the order in which two runs learn the examples that both recorded.

    Accessibilities are weighted by epochs, `epoch_weights`. Examples are joined by
    `example_id`. Accuracies are matched on the test split whatever `split` is.

    Args:
        run_a: one run, as `jaxorder.open_run` gives, or its folder.
        run_b: the other run.
        split: "train" or "test".

    Returns:
        The comparison.

    Raises:
        RequestError: both are one run, fewer than 3 examples are common, their labels
            differ, or a run has fewer than 2 snapshots or 2 finite members.

    Reference:
        After Hacohen et al. 2020; the intervals and the matching are jaxorder's.
    """
    runs = opened(run_a), opened(run_b)
    (found,) = compare_measured([Measured(run, _Splits(run)) for run in runs], split)
    if isinstance(found, RequestError):
        raise found
    return found


class Measured(NamedTuple):
    """A run and what was measured of its splits: as of a run's numbers, `split`."""

    run: Run
    splits: Callable[[str], SplitNumbers | None]


def compare_measured(
    runs: Sequence[Measured], split: str
) -> list[Comparison | RequestError]:
    """Compare each run with each other, from what was measured of them.

    Of a record, the snapshots up to those at which accuracies match are read, in one
    pass for all pairs. Where two runs have only a part of their examples in common,
    all is read once more, for their accuracies on each such part. What is read of all
    runs is held until the last pair is compared: members times examples for each
    snapshot that is matched.

    Args:
        runs: what was measured; the tests of all are used, whatever the split.
        split: "train" or "test".

    Returns:
        A comparison a pair, in the order of `itertools.combinations`, or why there is
        none.
    """
    sides = [_Source(each, split) for each in runs]
    planned = [_planned(a, b) for a, b in combinations(sides, 2)]
    for pair in planned:
        if isinstance(pair, _Pair):
            pair.announce()
    for side in sides:
        side.read()
    return [p.compared() if isinstance(p, _Pair) else p for p in planned]


def match_snapshots(
    accuracy_a: Float[Array, " snapshot_a"], accuracy_b: Float[Array, " snapshot_b"]
) -> tuple[int, int]:
    """Pair the weaker collection's last snapshot with the other's of nearest accuracy.

    Of all pairs, the nearest is often that of two collections that have learned
    nothing; so the pair is the latest at which both can be looked at.

    Args:
        accuracy_a: [snapshot], mean accuracy of one collection, in [0, 1].
        accuracy_b: [snapshot], of the other, as many snapshots as it has.

    Returns:
        The snapshot of the one and the snapshot of the other. The weaker is the one
        less accurate at the end; of equally near snapshots the last is taken.

    Raises:
        ValueError: an accuracy is not real with one axis.

    Reference:
        jaxorder's.

    Example:
        >>> match_snapshots(np.array([0.1, 0.5, 0.6]), np.array([0.1, 0.3, 0.61, 0.9]))
        (2, 2)
    """
    a = require("accuracy_a", accuracy_a, "biuf", "snapshot")
    b = require("accuracy_b", accuracy_b, "biuf", "snapshot")
    if a[-1] <= b[-1]:
        return len(a) - 1, _nearest(b, a[-1])
    return _nearest(a, b[-1]), len(b) - 1


def _nearest(accuracy: Float[np.ndarray, " snapshot"], wanted: float) -> int:
    """Find the last of the snapshots whose accuracy is nearest."""
    gaps = np.abs(accuracy - wanted)
    return int(np.flatnonzero(gaps == gaps.min())[-1])


class _Splits:
    """The splits of a run, each measured when it is first asked for."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._found: dict[str, SplitNumbers | None] = {}

    def __call__(self, split: str) -> SplitNumbers | None:
        if split not in self._found:
            self._found[split] = measure_split(self._run, split)
        return self._found[split]


class _Source:
    """What pairs use of one run on one split; its record is read once for all."""

    def __init__(self, measured: Measured, split: str) -> None:
        self.run, self.splits = measured
        self.split = split
        self.lasts: set[int] = set()
        self._orders: dict[int, Float[np.ndarray, "member example"]] = {}
        self._accuracies: dict[tuple[str, bytes], np.ndarray] = {}

    def numbers(self, split: str) -> SplitNumbers:
        """Return what was measured, refusing a run that has no order yet."""
        numbers = self.splits(split)
        if numbers is None or min(numbers.accuracy.shape) < 2:
            sizes = self.run.usable(split).sizes
            raise RequestError(
                f"compare {self.run.name!r}: wanted at least 2 snapshots and 2 finite "
                f"members in split {split!r}, got {sizes['snapshot']} and "
                f"{sizes['member']}; {way_out(sizes)}"
            )
        return numbers

    def accuracy(
        self, split: str, kept: Int[np.ndarray, " example"]
    ) -> Float[np.ndarray, "snapshot member"]:
        """Give the accuracies on the examples kept, which mostly are all."""
        numbers = self.numbers(split)
        if len(kept) == len(numbers.example_id):
            return numbers.accuracy
        key = split, kept.tobytes()
        if key not in self._accuracies:
            self._accuracies[key] = accuracy_on(self.run, split, kept)
        return self._accuracies[key]

    def read(self) -> None:
        """Measure accessibilities up to the snapshots that pairs have announced."""
        if self.lasts:
            earlier = self.lasts - {len(self.numbers(self.split).epoch) - 1}
            self._orders = truncated_orders(self.run, self.split, earlier)

    def order(self, last: int) -> Float[np.ndarray, "member example"]:
        """Give each member's accessibilities up to a snapshot."""
        return self._orders.get(last, self.numbers(self.split).order)


class _Side(NamedTuple):
    """A run and the examples of it that the other has, too."""

    source: _Source
    kept: Int[np.ndarray, " example"]
    kept_test: Int[np.ndarray, " example"]

    @property
    def numbers(self) -> SplitNumbers:
        return self.source.numbers(self.source.split)

    @property
    def accuracy(self) -> Float[np.ndarray, "snapshot member"]:
        return self.source.accuracy(self.source.split, self.kept)

    def order(self, last: int | None = None) -> Float[np.ndarray, "member example"]:
        """Give each member's accessibilities of these examples, up to a snapshot."""
        every = self.numbers.order if last is None else self.source.order(last)
        return every[:, self.kept]

    def tested(
        self,
    ) -> tuple[Int[np.ndarray, " common"], Float[np.ndarray, " common"]]:
        """Give the snapshots that were also tested, and their mean test accuracies.

        Step 0 is no candidate for a match: no example has been learned there.
        """
        own, test = self.numbers, self.source.numbers("test")
        _, at, tested = np.intersect1d(own.step, test.step, return_indices=True)
        if not len(at):
            raise RequestError(
                "compare: wanted snapshots of this split and of 'test' at common "
                f"steps, got steps {own.step.tolist()} and {test.step.tolist()}; "
                "compare 'test'"
            )
        trained = own.epoch[at] > 0
        chosen = trained if trained.any() else ~trained
        accuracy = self.source.accuracy("test", self.kept_test).mean(axis=1)
        return at[chosen], accuracy[tested[chosen]]


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two runs that can be compared, and where they are equally accurate."""

    a: _Side
    b: _Side
    last_a: int
    last_b: int
    accuracy_a: float
    accuracy_b: float

    @property
    def gap(self) -> float:
        return abs(self.accuracy_a - self.accuracy_b)

    @property
    def decided(self) -> bool:
        # A gap of exactly 2 points is not more than that, whatever rounding says.
        return self.gap <= MATCHED_GAP + 1e-12

    def announce(self) -> None:
        """Name the snapshots up to which accessibilities will be wanted."""
        if self.decided:
            self.a.source.lasts.add(self.last_a)
            self.b.source.lasts.add(self.last_b)

    def compared(self) -> Comparison:
        """Compare what was read."""
        a, b = self.a, self.b
        return Comparison(
            **vars(compare_orders(a.order(), b.order())),
            name_a=a.source.run.name,
            name_b=b.source.run.name,
            split=a.source.split,
            examples=len(a.kept),
            members_a=a.numbers.members,
            members_b=b.numbers.members,
            accuracy_a=float(a.accuracy[-1].mean()),
            accuracy_b=float(b.accuracy[-1].mean()),
            shared_streams=bool(np.isin(a.numbers.seed, b.numbers.seed).any()),
            matched=self._matched(),
            against=a.source.run.labels,
        )

    def _matched(self) -> MatchedAccuracy:
        a, b = self.a.numbers, self.b.numbers
        return MatchedAccuracy(
            step_a=int(a.step[self.last_a]),
            step_b=int(b.step[self.last_b]),
            epoch_a=float(a.epoch[self.last_a]),
            epoch_b=float(b.epoch[self.last_b]),
            accuracy_a=self.accuracy_a,
            accuracy_b=self.accuracy_b,
            gap=self.gap,
            decided=self.decided,
            spearman=self._spearman() if self.decided else undefined(),
        )

    def _spearman(self) -> Interval:
        """Correlate the ranks of mean scores up to the matched snapshots."""
        a, b = self.a.order(self.last_a), self.b.order(self.last_b)
        return correlated(a, b, ranks).interval(scale=FISHER)


def _planned(a: _Source, b: _Source) -> _Pair | RequestError:
    """Find what two runs have in common and where they match, or why they do not."""
    try:
        _refuse_itself(a.run, b.run)
        kept, tested = (_joined(a, b, split) for split in (a.split, "test"))
        sides = _Side(a, kept[0], tested[0]), _Side(b, kept[1], tested[1])
        return _paired(*sides)
    except RequestError as error:
        return error


def _paired(a: _Side, b: _Side) -> _Pair:
    """Match the accuracies of two runs."""
    (tested_a, accuracy_a), (tested_b, accuracy_b) = a.tested(), b.tested()
    pair_a, pair_b = match_snapshots(accuracy_a, accuracy_b)
    return _Pair(
        a,
        b,
        last_a=int(tested_a[pair_a]),
        last_b=int(tested_b[pair_b]),
        accuracy_a=float(accuracy_a[pair_a]),
        accuracy_b=float(accuracy_b[pair_b]),
    )


def _refuse_itself(run_a: Run, run_b: Run) -> None:
    if Path(run_a.path).resolve() == Path(run_b.path).resolve():
        raise RequestError(
            f"compare {run_a.name!r} with itself: {run_a.path} is given twice; name "
            "two runs"
        )


def _joined(
    source_a: _Source, source_b: _Source, split: str
) -> tuple[Int[np.ndarray, " example"], Int[np.ndarray, " example"]]:
    """Find where the examples stand that two runs share, in the same order."""
    a, b = source_a.numbers(split), source_b.numbers(split)
    _, at_a, at_b = np.intersect1d(a.example_id, b.example_id, return_indices=True)
    names = f"compare {source_a.run.name!r} with {source_b.run.name!r}"
    if len(at_a) < 3:
        raise RequestError(
            f"{names}: wanted at least 3 common examples in split {split!r}, got "
            f"{len(at_a)}; compare runs of one data source"
        )
    if different := np.count_nonzero(a.label[at_a] != b.label[at_b]):
        raise RequestError(
            f"{names}: wanted equal labels in split {split!r}, got {different} of "
            f"{len(at_a)} different; compare runs of one data source with the same "
            "labels"
        )
    return at_a, at_b
