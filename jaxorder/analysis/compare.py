"""Whether two collections of members learn the same examples first."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxorder.analysis.correlation import ranks
from jaxorder.analysis.inputs import Run, opened, way_out
from jaxorder.analysis.intervals import Interval, undefined
from jaxorder.analysis.numbers import SplitNumbers, measure_split, member_orders
from jaxorder.analysis.orders import (
    GatheredCorrelation,
    GatheredOrders,
    OrderComparison,
    Total,
)
from jaxorder.analysis.scales import FISHER
from jaxorder.analysis.streaming import done, held_at_most, spread
from jaxorder.analysis.two_runs import (
    Labelled,
    accuracy_on,
    common,
    match_snapshots,
    matches,
    refuse_itself,
)
from jaxorder.errors import RequestError
from jaxorder.notebook import html_table
from jaxorder.plain import plain


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
    held = held_at_most() // len(runs)
    measured = [Measured(run, _Splits(run, held)) for run in runs]
    (found,) = compare_measured(measured, split)
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
    all is read once more, for their accuracies on each such part. Members' scores are
    held where those of all runs take no more than 1 GiB; else the records are read a
    second time, one after the other, for as many members at a time as fit.

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
    pairs = [pair for pair in planned if isinstance(pair, _Pair)]
    held = sum(side.bytes_held for side in sides) <= held_at_most()
    for side in sides:
        side.read(held)
    for pair in pairs:
        pair.begin()
    for side in sides:
        side.hand_out(pairs)
    return [p.compared() if isinstance(p, _Pair) else p for p in planned]


class _Splits:
    """The splits of a run, each measured when it is first asked for."""

    def __init__(self, run: Run, held: int) -> None:
        self._run, self._held = run, held
        self._found: dict[str, SplitNumbers | None] = {}

    def __call__(self, split: str) -> SplitNumbers | None:
        if split not in self._found:
            self._found[split] = measure_split(self._run, split, held=self._held)
        return self._found[split]


class _Source:
    """What pairs use of one run on one split; its record is read once for all."""

    def __init__(self, measured: Measured, split: str) -> None:
        self.run, self.splits = measured
        self.split = split
        self.lasts: set[int] = set()
        self._totals: dict[int, Total] = {}
        self._held: dict[int, Float[np.ndarray, "member example"]] | None = None
        self._accuracies: dict[tuple[str, bytes], np.ndarray] = {}

    def numbers(self, split: str) -> SplitNumbers:
        """Return what was measured, refusing a run that has no order yet."""
        numbers = self.splits(split)
        if numbers is None or min(numbers.accuracy.shape) < 2:
            sizes = self.run.usable(split).sizes
            raise RequestError(
                f"compare {self.run.name!r}: wanted at least 2 snapshots and 2 finite "
                f"members in split {split!r}, got {sizes['snapshot']} and "
                f"{sizes['member']}; {way_out(sizes, split)}"
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

    @property
    def bytes_held(self) -> int:
        """How many bytes the members' scores take up to all that were announced."""
        if not self.lasts:
            return 0
        numbers = self.numbers(self.split)
        return 8 * numbers.members * len(numbers.example_id) * len(self.lasts)

    def read(self, held: bool) -> None:
        """Add up members' scores up to the snapshots that pairs have announced.

        Args:
            held: Whether there is room to hold the scores.
        """
        if held and self.lasts:
            self._held = self._scores(slice(None))
        for _, scores in self._in_parts():
            for last, own in scores.items():
                before = self._totals.get(last, Total(np.zeros(own.shape[1]), 0))
                self._totals[last] = before.with_members(own)

    def hand_out(self, pairs: "Sequence[_Pair]") -> None:
        """Hand each member's scores to the pairs that the run is of."""
        own = [
            (pair, side)
            for pair in pairs
            for side in (0, 1)
            if pair.sides[side].source is self
        ]
        for first, scores in self._in_parts():

            def work(member: int, first: int = first, scores: Any = scores) -> None:
                of_member = {last: each[member] for last, each in scores.items()}
                for pair, side in own:
                    pair.add(side, first + member, of_member)

            done(spread(work, range(len(next(iter(scores.values()))))))
        self._held = None

    def total(self, last: int) -> Total:
        """Give the sum of the members' scores up to a snapshot."""
        return self._totals[last]

    def _in_parts(
        self,
    ) -> Iterator[tuple[int, dict[int, Float[np.ndarray, "some example"]]]]:
        """Give the scores of some members at a time, and the first one's position."""
        if not self.lasts:
            return
        if self._held is not None:
            yield 0, self._held
            return
        numbers = self.numbers(self.split)
        each = self.bytes_held // numbers.members
        some = max(held_at_most() // each, 1)
        for first in range(0, numbers.members, some):
            yield first, self._scores(slice(first, first + some))

    def _scores(self, members: slice) -> dict[int, Float[np.ndarray, "some example"]]:
        numbers = self.numbers(self.split)
        known = {}
        if numbers.order is not None and len(numbers.epoch) - 1 in self.lasts:
            known = {len(numbers.epoch) - 1: numbers.order[members]}
        asked = sorted(self.lasts - set(known))
        return known | member_orders(self.run, self.split, asked, members)


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

    @property
    def last(self) -> int:
        """The last snapshot."""
        return len(self.numbers.epoch) - 1

    def total(self, last: int) -> Total:
        """Give the sum of the members' scores of these examples, up to a snapshot."""
        total = self.source.total(last)
        return total._replace(scores=total.scores[self.kept])

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


class _Pair:
    """Two runs that can be compared, and where they are equally accurate."""

    def __init__(
        self,
        sides: tuple[_Side, _Side],
        lasts: tuple[int, int],
        accuracies: tuple[float, float],
    ) -> None:
        self.sides, self._lasts, self._accuracies = sides, lasts, accuracies
        self._whole: GatheredOrders | None = None
        self._truncated: GatheredCorrelation | None = None

    @property
    def gap(self) -> float:
        return abs(self._accuracies[0] - self._accuracies[1])

    @property
    def decided(self) -> bool:
        return matches(self.gap)

    def announce(self) -> None:
        """Name the snapshots up to which accessibilities will be wanted."""
        for side, last in zip(self.sides, self._lasts, strict=True):
            side.source.lasts |= {side.last, *([last] if self.decided else [])}

    def begin(self) -> None:
        """Take the sums of members' scores, when all are known."""
        self._whole = GatheredOrders(*(side.total(side.last) for side in self.sides))
        if self.decided:
            (a, b), (last_a, last_b) = self.sides, self._lasts
            totals = a.total(last_a), b.total(last_b)
            self._truncated = GatheredCorrelation(*totals, ranks)

    def add(
        self, side: int, member: int, scores: Mapping[int, Float[np.ndarray, " _"]]
    ) -> None:
        """Take one member's scores, by the last snapshot that counts."""
        own = self.sides[side]
        if self._whole is not None:
            self._whole.add(side, member, scores[own.last][own.kept])
        if self._truncated is not None:
            last = self._lasts[side]
            self._truncated.add(side, member, scores[last][own.kept])

    def compared(self) -> Comparison:
        """Compare what was read."""
        a, b = self.sides
        assert self._whole is not None, "all scores were handed out"
        return Comparison(
            **vars(self._whole.compared()),
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
        (a, b), (last_a, last_b) = (side.numbers for side in self.sides), self._lasts
        accuracy_a, accuracy_b = self._accuracies
        return MatchedAccuracy(
            step_a=int(a.step[last_a]),
            step_b=int(b.step[last_b]),
            epoch_a=float(a.epoch[last_a]),
            epoch_b=float(b.epoch[last_b]),
            accuracy_a=accuracy_a,
            accuracy_b=accuracy_b,
            gap=self.gap,
            decided=self.decided,
            spearman=self._spearman(),
        )

    def _spearman(self) -> Interval:
        """Correlate the ranks of mean scores up to the matched snapshots."""
        if self._truncated is None:
            return undefined()
        return self._truncated.found.interval(scale=FISHER)


def _planned(a: _Source, b: _Source) -> _Pair | RequestError:
    """Find what two runs have in common and where they match, or why they do not."""
    try:
        refuse_itself(a.run, b.run)
        kept, tested = (_joined(a, b, split) for split in (a.split, "test"))
        sides = _Side(a, kept[0], tested[0]), _Side(b, kept[1], tested[1])
        return _paired(*sides)
    except RequestError as error:
        return error


def _paired(a: _Side, b: _Side) -> _Pair:
    """Match the accuracies of two runs."""
    (tested_a, accuracy_a), (tested_b, accuracy_b) = a.tested(), b.tested()
    at_a, at_b = match_snapshots(accuracy_a, accuracy_b)
    return _Pair(
        (a, b),
        (int(tested_a[at_a]), int(tested_b[at_b])),
        (float(accuracy_a[at_a]), float(accuracy_b[at_b])),
    )


def _joined(
    source_a: _Source, source_b: _Source, split: str
) -> tuple[Int[np.ndarray, " example"], Int[np.ndarray, " example"]]:
    """Find where the examples stand that two runs share, in the same order."""
    return common(_labelled(source_a, split), _labelled(source_b, split), split)


def _labelled(source: _Source, split: str) -> Labelled:
    found = source.numbers(split)
    return Labelled(source.run.name, found.example_id, found.label)
