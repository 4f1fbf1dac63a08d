"""The numbers of a run that a report draws, gathered in one pass over its snapshots.

One snapshot is held at a time, so that memory grows with members times examples and
not with the number of snapshots.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Integer

from jaxorder import record
from jaxorder.analysis import (
    Interval,
    Null,
    class_null,
    common_prediction,
    cronbach_alpha,
    epoch_weights,
    histogram,
    histogram_bimodality,
    histogram_kappa,
    independent_null,
    jackknife_interval,
    leave_one_out_alpha,
    tp_agreement,
)
from jaxorder.report.wording import Nouns, nouns, short
from jaxorder.run.folder import Run

SPLITS = ("test", "train")
# Enough for the ends of a 95 % interval to be off by less than a line's width.
SIMULATIONS = 300
UNDEFINED = Interval(float("nan"), float("nan"), float("nan"))
# Bimodality depends on accuracy: outside this range it is not compared (Pearson's
# beta runs from 1.5 at accuracy 0.5 to 10 at 0.98 for one and the same difficulty).
COMPARABLE = (0.3, 0.7)


@dataclass(frozen=True, eq=False)
class SplitNumbers:
    """What the members that stayed finite did on one split.

    Attributes:
        split: "train" or "test".
        step: Steps of the snapshots.
        epoch: The same in epochs.
        label: What the members were trained towards.
        example_id: Positions in the source of the data.
        accuracy: Accuracy of each member at each snapshot, in [0, 1].
        counts: Examples with 0, 1, .. N of N members correct.
        kappa: Fleiss' kappa of each snapshot, with the jackknife's interval.
        bimodality: Of each snapshot, likewise.
        independent: The null of independent members of each snapshot, or nothing.
        by_class: The null of members independent within a class, or nothing.
        order: Each member's accessibility of each example, in [0, 1].
        common: The commonest answer at the last snapshot.
        relabelled: Examples whose label is not the one they came with.
        kind: What the members are, `network` or `learner`.
        time_axis: What `epoch` counts.
        time_unit: What a moment of it is called.
    """

    split: str
    step: Integer[np.ndarray, "snapshot"]
    epoch: Float[np.ndarray, "snapshot"]
    label: Integer[np.ndarray, "example"]
    example_id: Integer[np.ndarray, "example"]
    accuracy: Float[np.ndarray, "snapshot member"]
    counts: Integer[np.ndarray, "snapshot agreeing"]
    kappa: tuple[Interval, ...]
    bimodality: tuple[Interval, ...]
    independent: tuple[Null, ...]
    by_class: tuple[Null, ...]
    order: Float[np.ndarray, "member example"]
    common: Integer[np.ndarray, "example"]
    relabelled: int
    kind: str = "network"
    time_axis: str = "epoch"
    time_unit: str = "epoch"

    @property
    def nouns(self) -> Nouns:
        """What the members are called."""
        return nouns([self.kind])

    def moment(self, snapshot: int) -> str:
        """Write when a snapshot was taken: epoch 0.048, round 12."""
        return f"{self.time_unit} {short(float(self.epoch[snapshot]))}"

    def moment_step(self, snapshot: int) -> str:
        """Write the same with its step, where that says more."""
        step, moment = int(self.step[snapshot]), self.moment(snapshot)
        if self.kind == "learner" and step == self.epoch[snapshot]:
            return moment
        return f"{moment} (step {step:,})"

    @property
    def members(self) -> int:
        """Number of members."""
        return self.accuracy.shape[1]

    @property
    def mean_accuracy(self) -> Float[np.ndarray, "snapshot"]:
        """Mean accuracy over members at each snapshot."""
        return self.accuracy.mean(axis=1)

    @property
    def accessibility(self) -> Float[np.ndarray, "example"]:
        """Mean over members and, weighted by epochs, over snapshots."""
        return self.order.mean(axis=0)

    @property
    def reliability(self) -> Interval:
        """Cronbach's alpha of the order, with the jackknife's interval over members."""
        return jackknife_interval(
            cronbach_alpha(self.order), leave_one_out_alpha(self.order)
        )

    @property
    def final_deviation(self) -> float:
        """Standard deviation of the members' last accuracies; NaN for one member."""
        final = self.accuracy[-1]
        return float(final.std(ddof=1)) if len(final) > 1 else float("nan")


@dataclass(frozen=True)
class Excluded:
    """A member whose predictions do not count.

    Attributes:
        member: Its position in the ensemble.
        reason: Why, as the end of a sentence that starts with the member.
    """

    member: int
    reason: str


@dataclass(frozen=True, eq=False)
class RunNumbers:
    """What a report says of one run.

    Attributes:
        run: The run.
        name: What the report calls it: the model, and the folder where two are alike.
        test: Numbers of the test split; None where nothing counts yet.
        train: Numbers of the train split, likewise.
        excluded: Members that do not count.
    """

    run: Run
    name: str
    test: SplitNumbers | None
    train: SplitNumbers | None
    excluded: tuple[Excluded, ...]

    @property
    def nouns(self) -> Nouns:
        """What the members are called."""
        return nouns([self.run.kind])

    def split(self, name: str) -> SplitNumbers | None:
        """Return the numbers of `test` or `train`."""
        return self.test if name == "test" else self.train


def page_nouns(runs: Sequence[RunNumbers]) -> Nouns:
    """Choose what the members of all runs are called together."""
    return nouns(run.run.kind for run in runs)


def measure(run: Run, name: str, simulations: int = SIMULATIONS) -> RunNumbers:
    """Gather what a report says of a run.

    Args:
        run: The run, finished or not.
        name: What the report calls it.
        simulations: Draws for the intervals of the nulls; 0 leaves the nulls out.

    Returns:
        The numbers; None for the splits where no snapshot or no member counts.
    """
    test, train = (measure_split(run, split, simulations) for split in SPLITS)
    return RunNumbers(run, name, test, train, tuple(excluded_members(run)))


def measure_split(run: Run, split: str, simulations: int = 0) -> SplitNumbers | None:
    """Gather the numbers of one split in one pass over its snapshots.

    Args:
        run: The run.
        split: "train" or "test".
        simulations: Draws for the intervals of the nulls; 0 leaves the nulls out.

    Returns:
        The numbers, or None where no snapshot is recorded or no member is finite.
    """
    dataset = run.usable(split)
    if not (dataset.sizes["snapshot"] and dataset.sizes["member"]):
        return None
    epoch, label = dataset["epoch"].values, dataset["label"].values
    order = np.zeros((dataset.sizes["member"], dataset.sizes["example"]))
    moments, prediction = [], np.empty(0)
    for weight, prediction in zip(
        epoch_weights(epoch), _snapshots(dataset), strict=True
    ):
        correct = prediction == label
        # accessibility is a weighted sum over snapshots: it needs no more than one
        order += weight * correct
        moments.append(_moment(correct, label, simulations))
    return SplitNumbers(
        split=split,
        step=dataset["step"].values,
        epoch=epoch,
        label=label,
        example_id=dataset["example_id"].values,
        order=order,
        common=common_prediction(prediction),
        relabelled=_relabelled(dataset),
        kind=run.kind,
        time_axis=run.time_axis,
        time_unit=run.time_unit,
        **_stacked(moments),
    )


def _snapshots(dataset: xr.Dataset) -> Iterator[Integer[np.ndarray, "member example"]]:
    for snapshot in range(dataset.sizes["snapshot"]):
        yield np.asarray(dataset["prediction"][snapshot])


def _relabelled(dataset: xr.Dataset) -> int:
    other = {"original_label", "trained_label"} & set(map(str, dataset.data_vars))
    return sum(int((dataset[name] != dataset["label"]).sum()) for name in other)


@dataclass(frozen=True, eq=False)
class _Moment:
    """One snapshot of one split."""

    accuracy: Float[np.ndarray, "member"]
    counts: Integer[np.ndarray, "agreeing"]
    kappa: Interval
    bimodality: Interval
    nulls: tuple[Null, Null] | None


def _moment(
    correct: Bool[np.ndarray, "member example"],
    label: Integer[np.ndarray, "example"],
    simulations: int,
) -> _Moment:
    counts = histogram(tp_agreement(correct), len(correct))
    without = _leave_one_out_counts(correct)
    kappa, bimodality = histogram_kappa(counts), histogram_bimodality(counts)
    return _Moment(
        accuracy=correct.mean(axis=1),
        counts=counts,
        kappa=_jackknifed(float(kappa), without, histogram_kappa),
        bimodality=_jackknifed(float(bimodality), without, histogram_bimodality),
        nulls=_nulls(correct, label, simulations) if simulations else None,
    )


def _leave_one_out_counts(
    correct: Bool[np.ndarray, "member example"],
) -> Integer[np.ndarray, "member fewer"]:
    """Count, with each member left out, the examples that k of the others get right."""
    agreeing, values = correct.sum(axis=0), len(correct) + 1
    whole = np.bincount(agreeing, minlength=values)
    own = [np.bincount(agreeing[right], minlength=values) for right in correct]
    # an example that the member got right moves down by one, the others stay
    return (whole - own)[:, :-1] + np.array(own)[:, 1:]


def _jackknifed(
    estimate: float, without: np.ndarray, measure: Callable[[np.ndarray], Any]
) -> Interval:
    if len(without) < 2:  # of a single member nothing is left
        return UNDEFINED
    return jackknife_interval(estimate, np.asarray(measure(without), float))


def _nulls(correct: np.ndarray, label: np.ndarray, draws: int) -> tuple[Null, Null]:
    return (
        independent_null(correct, simulations=draws),
        class_null(correct, label, simulations=draws),
    )


def _stacked(moments: list[_Moment]) -> dict[str, Any]:
    nulls = [moment.nulls for moment in moments if moment.nulls]
    return {
        "accuracy": np.stack([moment.accuracy for moment in moments]),
        "counts": np.stack([moment.counts for moment in moments]),
        "kappa": tuple(moment.kappa for moment in moments),
        "bimodality": tuple(moment.bimodality for moment in moments),
        "independent": tuple(independent for independent, _ in nulls),
        "by_class": tuple(by_class for _, by_class in nulls),
    }


# ---- members that do not count


def excluded_members(run: Run) -> Iterator[Excluded]:
    """Find the members that are not finite, or not as far as the foremost.

    Args:
        run: The run.

    Yields:
        The members, in their order; none where nothing is recorded.
    """
    blocks = record.commits(run.path)
    most = max((commit.snapshots for commit in blocks), default=0)
    if not most:
        return
    dataset = run.record("train")
    finite = np.asarray(dataset["finite"])
    done = record.committed(blocks, most, dataset.sizes["member"])
    for member in np.flatnonzero(~finite[-1]):
        yield Excluded(
            int(member),
            _not_finite(dataset, finite[:, member])
            if done[-1, member]
            else f"has {done[:, member].sum()} of the {most} snapshots recorded so far",
        )


def _not_finite(dataset: xr.Dataset, finite: Bool[np.ndarray, "snapshot"]) -> str:
    # the last run of snapshots that are not finite is what excludes it
    last = np.flatnonzero(finite)
    first = int(last[-1]) + 1 if len(last) else 0
    step, epoch = int(dataset["step"][first]), float(dataset["epoch"][first])
    return f"diverged: not finite from step {step:,} (epoch {epoch:.3g}) on"


# ---- which snapshots


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


def comparable_bimodality(numbers: SplitNumbers) -> tuple[int, bool]:
    """Find the snapshot at which bimodality is compared.

    Args:
        numbers: Of a split.

    Returns:
        The snapshot whose mean accuracy is nearest 0.5, and whether that is within
        0.3 to 0.7, where bimodality may be compared at all.
    """
    snapshot = nearest_snapshot(numbers, 0.5)
    low, high = COMPARABLE
    return snapshot, bool(low <= numbers.mean_accuracy[snapshot] <= high)


def above_null(numbers: SplitNumbers) -> Bool[np.ndarray, "snapshot"]:
    """Tell where kappa's interval lies above the class null's.

    Args:
        numbers: Of a split, with nulls.

    Returns:
        bool [snapshot]; False where either is undefined.
    """
    pairs = zip(numbers.kappa, numbers.by_class, strict=True)
    return np.array([kappa.low > null.kappa.high for kappa, null in pairs])


def agreement_spell(numbers: SplitNumbers) -> tuple[int, int] | None:
    """Find when kappa lies above the class null without interruption.

    Args:
        numbers: Of a split, with nulls.

    Returns:
        The first and the last snapshot of the longest such stretch, or None where
        there is none. Snapshots without an interval (saturated ones) neither count
        nor interrupt.
    """
    above = above_null(numbers)
    best: tuple[int, int] | None = None
    first, length, longest = 0, 0, 0
    for snapshot, kappa in enumerate(numbers.kappa):
        if np.isnan(kappa.low):
            continue
        length = length + 1 if above[snapshot] else 0
        first = snapshot if length == 1 else first
        if length > longest:
            longest, best = length, (first, snapshot)
    return best


def last_defined(intervals: tuple[Interval, ...]) -> int:
    """Find the last snapshot whose interval is defined; -1 where none is."""
    defined = [i for i, interval in enumerate(intervals) if not np.isnan(interval.low)]
    return defined[-1] if defined else -1
