"""The rows of the summary: one a run, one a pair of runs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from jaxorder.analysis import Comparison, Interval, compare
from jaxorder.errors import RequestError
from jaxorder.report.numbers import (
    UNDEFINED,
    RunNumbers,
    SplitNumbers,
    comparable_bimodality,
    measure,
)
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
        kappa: Fleiss' kappa on the test examples, with interval.
        reliability: Cronbach's alpha of the order of the test examples, with interval.
        bimodality: Pearson's beta at the snapshot whose mean test accuracy is nearest
            0.5; NaN where that is not within 0.3 to 0.7.
        bimodality_accuracy: Mean test accuracy at that snapshot.
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
    kappa: Interval = UNDEFINED
    reliability: Interval = UNDEFINED
    bimodality: float = NAN
    bimodality_accuracy: float = NAN


@dataclass(frozen=True)
class PairRow:
    """How alike two runs order the examples of one split.

    Attributes:
        model_a: The one run's name.
        model_b: The other's.
        split: "train" or "test".
        comparison: The comparison, or None where the two cannot be compared.
        problem: Why they cannot, else nothing.
    """

    model_a: str
    model_b: str
    split: str
    comparison: Comparison | None
    problem: str = ""

    @property
    def spearman(self) -> Interval:
        """Rank correlation of the accessibilities; NaN where there is none."""
        return self.comparison.spearman if self.comparison else UNDEFINED

    @property
    def disattenuated(self) -> Interval:
        """The same corrected for the finite number of members, not clipped at 1."""
        if self.comparison is None:
            return UNDEFINED
        return self.comparison.disattenuated_spearman

    @property
    def matched(self) -> Interval:
        """Rank correlation up to equal test accuracy; NaN where undecided."""
        return self.comparison.matched.spearman if self.comparison else UNDEFINED


def summary(runs: Sequence[Run]) -> list[SummaryRow]:
    """Summarise runs, one row each, finished or not.

    Args:
        runs: Opened runs.

    Returns:
        The rows, in the order of the runs.
    """
    named = zip(runs, run_names(runs), strict=True)
    return [summary_row(measure(run, name, simulations=0)) for run, name in named]


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
        kappa=test.kappa[-1] if test else UNDEFINED,
        reliability=test.reliability if test else UNDEFINED,
        bimodality=_bimodality(test).estimate if test else NAN,
        bimodality_accuracy=_compared_accuracy(test) if test else NAN,
    )


def _bimodality(numbers: SplitNumbers) -> Interval:
    snapshot, comparable = comparable_bimodality(numbers)
    return numbers.bimodality[snapshot] if comparable else UNDEFINED


def _compared_accuracy(numbers: SplitNumbers) -> float:
    return float(numbers.mean_accuracy[comparable_bimodality(numbers)[0]])


def pairs(runs: Sequence[Run], split: str = "test") -> list[PairRow]:
    """Compare each run with each other.

    Args:
        runs: Opened runs.
        split: "train" or "test".

    Returns:
        The rows; a pair that cannot be compared says why.
    """
    return named_pairs(list(zip(runs, run_names(runs), strict=True)), split)


def named_pairs(named: Sequence[tuple[Run, str]], split: str) -> list[PairRow]:
    """Compare each run with each other, under names already given."""
    return [_pair(a, b, split) for a, b in combinations(named, 2)]


def _pair(a: tuple[Run, str], b: tuple[Run, str], split: str) -> PairRow:
    try:
        found, problem = compare(a[0], b[0], split=split), ""
    except RequestError as error:
        found, problem = None, str(error)
    return PairRow(a[1], b[1], split, found, problem)


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
