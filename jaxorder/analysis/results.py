"""What is measured of runs, once, for every page, table and document about them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import combinations
from typing import Any

from jaxorder.analysis.agreement import Agreements, agreements
from jaxorder.analysis.compare import (
    Comparison,
    Measured,
    compare_measured,
)
from jaxorder.analysis.intervals import Interval, number, undefined
from jaxorder.analysis.numbers import SIMULATIONS, SPLITS, RunNumbers, measure
from jaxorder.analysis.snapshot_measures import SNAPSHOT_MEASURES, SnapshotMeasure
from jaxorder.analysis.snapshots import compared_snapshot
from jaxorder.analysis.streaming import held_at_most
from jaxorder.errors import RequestError
from jaxorder.notebook import html_table
from jaxorder.run.folder import Run

NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class SummaryRow:
    """What became of one run, at its last snapshot; undefined values are NaN.

    Attributes:
        model: The run's name.
        members: Members that count: finite, and as far as the foremost.
        planned: Members planned.
        snapshots: Snapshots recorded.
        total: Snapshots planned.
        train_accuracy: Mean over members, in [0, 1].
        train_deviation: Standard deviation over members.
        test_accuracy: Mean over members, in [0, 1].
        test_deviation: Standard deviation over members.
        reliability: Cronbach's alpha of the order of the test examples, with interval.
        measures: Of the table of snapshot measures, those that stand in the summary, by
            their names, on the test examples.
    """

    model: str
    members: int
    planned: int
    snapshots: int
    total: int
    train_accuracy: float = NAN
    train_deviation: float = NAN
    test_accuracy: float = NAN
    test_deviation: float = NAN
    reliability: Interval
    measures: Mapping[str, "AtSnapshot"]

    def to_dict(self) -> dict[str, Any]:
        """Give the values by name, those of measures beside the others.

        A measure that may be compared at some accuracies only is its estimate, with
        the accuracy at which it was taken; another is an interval.
        """
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        for name, value in found.pop("measures").items():
            if value.measure.comparable is None:
                found[name] = value.interval
            else:
                found[name] = value.interval.estimate
                found[f"{name}_accuracy"] = value.accuracy
        return found


@dataclass(frozen=True)
class AtSnapshot:
    """A measure at the snapshot at which it is compared.

    Attributes:
        measure: Which.
        interval: NaN where it may not be compared.
        accuracy: Mean accuracy there; NaN where nothing is recorded.
    """

    measure: SnapshotMeasure
    interval: Interval
    accuracy: float = NAN


@dataclass(frozen=True)
class PairRow:
    """How alike two runs order the examples of one split.

    Attributes:
        model_a: The one run's name.
        model_b: The other's.
        split: "train" or "test".
        comparison: The comparison, or None where the two cannot be compared.
        error: Why they cannot, else nothing.
    """

    model_a: str
    model_b: str
    split: str
    comparison: Comparison | None
    error: RequestError | None = None

    @property
    def names(self) -> str:
        """Both names, as in a sentence."""
        return f"{self.model_a} and {self.model_b}"

    @property
    def problem(self) -> str:
        """Why the two cannot be compared, in Python's words, else nothing."""
        return str(self.error or "")

    @property
    def spearman(self) -> Interval:
        """Rank correlation of the accessibilities; NaN where there is none."""
        return self.comparison.spearman if self.comparison else undefined()

    @property
    def disattenuated(self) -> Interval:
        """The same corrected for the finite number of members, not clipped at 1."""
        if self.comparison is None:
            return undefined()
        return self.comparison.disattenuated_spearman

    @property
    def matched(self) -> Interval:
        """Rank correlation up to equal test accuracy; NaN where undecided."""
        return self.comparison.matched.spearman if self.comparison else undefined()

    def matched_text(self, few: bool = True) -> str:
        """Write the same, or that it is undecided.

        Args:
            few: As of an interval.
        """
        matched = self.comparison.matched if self.comparison else undefined()
        return matched.text(few=few)


@dataclass(frozen=True, eq=False, repr=False)
class Results:
    """All that was measured of some runs.

    Attributes:
        runs: What was measured of each.
        pairs: Each run compared with each other, on the test and the train examples.
    """

    runs: Sequence[RunNumbers]
    pairs: Sequence[PairRow]

    @property
    def summary(self) -> list[SummaryRow]:
        """A row a run."""
        return [summary_row(run) for run in self.runs]

    @cached_property
    def agreements(self) -> Agreements:
        """How far members are wrong on the same test examples."""
        return agreements(self.runs)

    def pairs_of(self, split: str) -> list[PairRow]:
        """Return the comparisons on one split.

        Args:
            split: "train" or "test".
        """
        return [pair for pair in self.pairs if pair.split == split]

    def __repr__(self) -> str:
        """Return what was measured, in a line a run and a pair."""
        lines = [f"{', '.join(cells)}" for cells in self._cells()]
        return "\n".join([f"Results of {len(self.runs)} runs", *lines])

    def _repr_html_(self) -> str:
        """Return the same as a table, for notebooks."""
        return html_table(f"Results of {len(self.runs)} runs", self._cells())

    def _cells(self) -> list[list[str]]:
        rows = [
            [
                row.model,
                f"{row.members} of {row.planned} members",
                f"test accuracy {number(row.test_accuracy, 3)}",
                f"reliability {row.reliability}",
            ]
            for row in self.summary
        ]
        for pair in self.pairs_of("test"):
            found = pair.problem or f"Spearman {pair.spearman}"
            rows.append([pair.names, found])
        return rows


def measure_all(runs: Sequence[Run], simulations: int = SIMULATIONS) -> Results:
    """Measure runs, finished or not, and compare each with each other.

    Each record is read once, and a second time up to the snapshots at which two runs
    are equally accurate. Where two runs have only a part of their examples in common,
    theirs are read once more, and their test records twice. Memory is bounded: where
    members' scores take more than 1 GiB, records are read in parts, and again.

    Args:
        runs: Opened runs.
        simulations: Draws for the intervals of the nulls; 0 leaves the nulls out, and
            then no page can be written.

    Returns:
        What every page, table and document about the runs is made from.
    """
    named, held = (
        zip(runs, run_names(runs), strict=True),
        held_at_most() // max(len(runs), 1),
    )
    measured = [measure(run, name, simulations, held) for run, name in named]
    return Results(
        measured, [row for split in SPLITS for row in pair_rows(measured, split)]
    )


def pair_rows(runs: Sequence[RunNumbers], split: str) -> list[PairRow]:
    """Compare each run with each other on one split.

    Args:
        runs: What was measured.
        split: "train" or "test".

    Returns:
        The rows; a pair that cannot be compared says why.
    """
    runs = [run for run in runs if split in run.run.splits]
    found = compare_measured([Measured(run.run, run.split) for run in runs], split)
    named = combinations([run.name for run in runs], 2)
    return [
        PairRow(a, b, split, None, each)
        if isinstance(each, RequestError)
        else PairRow(a, b, split, each)
        for (a, b), each in zip(named, found, strict=True)
    ]


def summary_row(numbers: RunNumbers) -> SummaryRow:
    """Summarise a run that was measured."""
    progress = numbers.run.progress
    test, train = numbers.test, numbers.train
    return SummaryRow(
        model=numbers.name,
        members=progress.finite,
        planned=progress.planned,
        snapshots=progress.snapshots,
        total=progress.total,
        train_accuracy=float(train.mean_accuracy[-1]) if train else NAN,
        train_deviation=train.final_deviation if train else NAN,
        test_accuracy=float(test.mean_accuracy[-1]) if test else NAN,
        test_deviation=test.final_deviation if test else NAN,
        reliability=test.reliability if test else undefined(),
        measures={
            measure.name: _at_snapshot(numbers, measure)
            for measure in SNAPSHOT_MEASURES
            if measure.summary
        },
    )


def _at_snapshot(numbers: RunNumbers, measure: SnapshotMeasure) -> AtSnapshot:
    test = numbers.test
    if test is None:
        return AtSnapshot(measure, undefined())
    snapshot, comparable = compared_snapshot(test, measure)
    value = test.measures[measure.name][snapshot] if comparable else undefined()
    return AtSnapshot(measure, value, float(test.mean_accuracy[snapshot]))


def run_names(runs: Sequence[Run]) -> list[str]:
    """Name runs by their models, and by their folders where models are alike.

    Args:
        runs: Opened runs.

    Returns:
        Names that differ wherever the folders do.
    """
    alike = Counter(run.name for run in runs)
    folders = [f"{run.name} ({run.path.absolute().parent.name})" for run in runs]
    nearby = Counter(folders)
    return [
        run.name
        if alike[run.name] == 1
        else folder
        if nearby[folder] == 1
        else f"{run.name} ({run.path})"
        for run, folder in zip(runs, folders, strict=True)
    ]
