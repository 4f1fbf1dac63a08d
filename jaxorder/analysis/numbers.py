"""The numbers of a run, gathered in one pass over its snapshots.

One snapshot is held at a time, so that memory grows with members times examples and
not with the number of snapshots.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int, Integer

from jaxorder.analysis.classes import (
    between_classes,
    class_accessibility,
    confusion_counts,
)
from jaxorder.analysis.courses import Courses
from jaxorder.analysis.excluded import Excluded, excluded_members
from jaxorder.analysis.growth import Growth, growth
from jaxorder.analysis.histograms import histogram
from jaxorder.analysis.inputs import Run, predictions
from jaxorder.analysis.intervals import FEWEST, Interval, jackknife_interval, undefined
from jaxorder.analysis.measures import (
    classification_agreement,
    common_prediction,
    epoch_weights,
    tp_agreement,
)
from jaxorder.analysis.nulls import Null, class_null, independent_null
from jaxorder.analysis.reliability import order_reliability, split_half
from jaxorder.analysis.snapshot_measures import SNAPSHOT_MEASURES, SnapshotMeasure
from jaxorder.run.folder import SPLITS, FurtherData
from jaxorder.run.folder import Run as RunFolder

# Enough for the ends of a 95 % interval to be off by less than a line's width.
SIMULATIONS = 300
# A table of what is taken for what, at each snapshot, is kept of so many classes: its
# size grows with their square.
MOST_CONFUSED = 200


@dataclass(frozen=True, eq=False)
class SplitNumbers:
    """What the members that stayed finite did on one split.

    Attributes:
        split: "train" or "test".
        step: Steps of the snapshots.
        epoch: The same in epochs.
        label: What the members were trained towards.
        example_id: Positions in the source of the data.
        seed: Of each member.
        accuracy: Accuracy of each member at each snapshot, in [0, 1].
        counts: Examples with 0, 1, .. N of N members correct.
        measures: Every measure of the table of snapshot measures, by its name, of
            each snapshot, with the jackknife's interval.
        independent: The null of independent members of each snapshot, or nothing.
        by_class: The null of members independent within a class, or nothing.
        order: Each member's accessibility of each example, in [0, 1].
        common: The commonest answer at the last snapshot.
        final_agreement: The share of members that give it.
        courses: What became of each example on the way.
        confusion: Answers by label, counted over members and examples, at each
            snapshot; of more than 200 classes at none.
        classes: Number of classes.
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
    seed: Integer[np.ndarray, "member"]
    accuracy: Float[np.ndarray, "snapshot member"]
    counts: Integer[np.ndarray, "snapshot agreeing"]
    measures: Mapping[str, tuple[Interval, ...]]
    independent: tuple[Null, ...]
    by_class: tuple[Null, ...]
    order: Float[np.ndarray, "member example"]
    common: Integer[np.ndarray, "example"]
    final_agreement: Float[np.ndarray, "example"]
    courses: Courses
    confusion: Int[np.ndarray, "confused label answer"]
    classes: int
    relabelled: int
    kind: str = "network"
    time_axis: str = "epoch"
    time_unit: str = "epoch"

    @property
    def kappa(self) -> tuple[Interval, ...]:
        """Fleiss' kappa of each snapshot."""
        return self.measures["kappa"]

    @property
    def bimodality(self) -> tuple[Interval, ...]:
        """Pearson's bimodality of each snapshot."""
        return self.measures["bimodality"]

    @property
    def members(self) -> int:
        """Number of members."""
        return self.accuracy.shape[1]

    @property
    def mean_accuracy(self) -> Float[np.ndarray, "snapshot"]:
        """Mean accuracy over members at each snapshot."""
        return self.accuracy.mean(axis=1)

    @cached_property
    def accessibility(self) -> Float[np.ndarray, "example"]:
        """Mean over members and, weighted by epochs, over snapshots."""
        return self.order.mean(axis=0)

    @cached_property
    def reliability(self) -> Interval:
        """Cronbach's alpha of the order, with the jackknife's interval over members."""
        return order_reliability(self.order)

    @cached_property
    def halves(self) -> float:
        """Mean correlation between the orders of random halves of the members."""
        return split_half(self.order)

    @cached_property
    def growth(self) -> Growth:
        """How the reliability of the order grows with the number of members."""
        return growth(self.order)

    @cached_property
    def learned_epoch(self) -> Float[np.ndarray, "example"]:
        """Epoch from which the median member stays correct; NaN where it does not."""
        return self.courses.learned(self.epoch)

    @cached_property
    def class_accessibility(self) -> list[Interval]:
        """Mean accessibility of the examples of each class, with interval."""
        return class_accessibility(self.order, self.label, self.classes)

    @property
    def between_classes(self) -> float:
        """How much of the differences in accessibility is between classes."""
        return between_classes(self.accessibility, self.label)

    @property
    def final_deviation(self) -> float:
        """Standard deviation of the members' last accuracies; NaN for one member."""
        final = self.accuracy[-1]
        return float(final.std(ddof=1)) if len(final) > 1 else float("nan")


@dataclass(frozen=True, eq=False)
class FurtherNumbers:
    """What was measured of data beside those of the training.

    Attributes:
        data: What they are.
        numbers: As of a split; None where they have no labels, or nothing counts yet.
        final_agreement: Mean classification agreement at the last snapshot; NaN where
            nothing counts yet.
    """

    data: FurtherData
    numbers: SplitNumbers | None
    final_agreement: float


@dataclass(frozen=True, eq=False)
class RunNumbers:
    """What was measured of one run.

    Attributes:
        run: The run.
        name: What reports call it: the model, and the folder where two are alike.
        test: Numbers of the test split; None where nothing counts yet.
        train: Numbers of the train split, likewise.
        excluded: Members that do not count.
        further: Of data beside those of the training.
    """

    run: RunFolder
    name: str
    test: SplitNumbers | None
    train: SplitNumbers | None
    excluded: tuple[Excluded, ...]
    further: tuple[FurtherNumbers, ...] = ()

    @property
    def kind(self) -> str:
        """What the members are, `network`, `learner` or `imported`."""
        return self.run.kind

    def split(self, name: str) -> SplitNumbers | None:
        """Return the numbers of `test` or `train`."""
        return self.test if name == "test" else self.train


def measure(run: RunFolder, name: str, simulations: int = SIMULATIONS) -> RunNumbers:
    """Measure a run.

    Args:
        run: The run, finished or not.
        name: What reports call it.
        simulations: Draws for the intervals of the nulls; 0 leaves the nulls out.

    Returns:
        The numbers; None for the splits where no snapshot or no member counts.
    """
    test, train = (measure_split(run, split, simulations) for split in SPLITS)
    further = tuple(_further(run, data) for data in run.further)
    return RunNumbers(run, name, test, train, tuple(excluded_members(run)), further)


def _further(run: RunFolder, data: FurtherData) -> FurtherNumbers:
    numbers = measure_split(run, data.name) if data.labelled else None
    last = run.usable(data.name)["prediction"].isel(snapshot=slice(-1, None)).values
    agreement = float(classification_agreement(last).mean()) if last.size else math.nan
    return FurtherNumbers(data, numbers, agreement)


def measure_split(run: Run, split: str, simulations: int = 0) -> SplitNumbers | None:
    """Gather the numbers of one split in one pass over its snapshots.

    Args:
        run: The run.
        split: "train" or "test".
        simulations: Draws for the intervals of the nulls; 0 leaves the nulls out.

    Returns:
        The numbers, or None where the split or no snapshot of it is recorded, or no
        member is finite.
    """
    if split not in run.splits:
        return None
    dataset = run.usable(split)
    if not (dataset.sizes["snapshot"] and dataset.sizes["member"]):
        return None
    epoch, label = dataset["epoch"].values, dataset["label"].values
    order = np.zeros((dataset.sizes["member"], dataset.sizes["example"]))
    courses, classes = Courses(*order.shape), len(dataset.attrs["class_names"])
    moments, confused, prediction = [], [], np.empty(0)
    weighted = zip(epoch_weights(epoch), predictions(dataset), strict=True)
    for snapshot, (weight, prediction) in enumerate(weighted):
        correct = prediction == label
        # accessibility is a weighted sum over snapshots: it needs no more than one
        order += weight * correct
        courses.take(snapshot, correct)
        if classes <= MOST_CONFUSED:
            confused.append(confusion_counts(prediction, label, classes))
        moments.append(_moment(correct, label, simulations))
    return SplitNumbers(
        split=split,
        step=dataset["step"].values,
        epoch=epoch,
        label=label,
        example_id=dataset["example_id"].values,
        seed=dataset["seed"].values,
        order=order,
        common=common_prediction(prediction),
        final_agreement=classification_agreement(prediction),
        courses=courses,
        confusion=np.array(confused, int).reshape(-1, classes, classes),
        classes=classes,
        relabelled=_relabelled(dataset),
        kind=run.kind,
        time_axis=run.time_axis,
        time_unit=run.time_unit,
        **_stacked(moments),
    )


def truncated_orders(
    run: Run, split: str, lasts: Collection[int]
) -> dict[int, Float[np.ndarray, "member example"]]:
    """Measure each member's accessibility of each example up to some snapshots.

    Args:
        run: The run.
        split: "train" or "test".
        lasts: The last snapshots that count. All are measured in one pass.

    Returns:
        By the snapshot, each member's accessibility.
    """
    if not lasts:
        return {}
    dataset = run.usable(split)
    label, epoch = dataset["label"].values, dataset["epoch"].values
    shape = dataset.sizes["member"], dataset.sizes["example"]
    orders = {last: np.zeros(shape) for last in lasts}
    weights = {last: epoch_weights(epoch[: last + 1]) for last in lasts}
    for snapshot, prediction in enumerate(predictions(dataset, max(lasts) + 1)):
        correct = prediction == label
        for last, order in orders.items():
            if snapshot <= last:
                order += weights[last][snapshot] * correct
    return orders


def accuracy_on(
    run: Run, split: str, kept: Integer[np.ndarray, "chosen"]
) -> Float[np.ndarray, "snapshot member"]:
    """Measure each member's accuracy on some of the examples, in one pass.

    Args:
        run: The run.
        split: "train" or "test".
        kept: Positions of the examples.
    """
    dataset = run.usable(split)
    label = dataset["label"].values[kept]
    shares = [(each[:, kept] == label).mean(axis=1) for each in predictions(dataset)]
    return np.stack(shares)


def _relabelled(dataset: xr.Dataset) -> int:
    other = {"original_label", "trained_label"} & set(map(str, dataset.data_vars))
    return sum(int((dataset[name] != dataset["label"]).sum()) for name in other)


@dataclass(frozen=True, eq=False)
class _Moment:
    """One snapshot of one split."""

    accuracy: Float[np.ndarray, "member"]
    counts: Integer[np.ndarray, "agreeing"]
    measures: Mapping[str, Interval]
    nulls: tuple[Null, Null] | None


def _moment(
    correct: Bool[np.ndarray, "member example"],
    label: Integer[np.ndarray, "example"],
    simulations: int,
) -> _Moment:
    counts = histogram(tp_agreement(correct), len(correct))
    without = _leave_one_out_counts(correct)
    return _Moment(
        accuracy=correct.mean(axis=1),
        counts=counts,
        measures={
            measure.name: _jackknifed(measure, counts, without)
            for measure in SNAPSHOT_MEASURES
        },
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
    measure: SnapshotMeasure,
    counts: Integer[np.ndarray, "agreeing"],
    without: Integer[np.ndarray, "member fewer"],
) -> Interval:
    members = len(without)
    if members < 2:  # of a single member nothing is left
        return undefined(members)
    return jackknife_interval(
        float(measure.of(counts)),
        np.asarray(measure.of(without), float),
        scale=measure.scale(members),
        fewest=FEWEST,
    )


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
        "measures": {
            measure.name: tuple(moment.measures[measure.name] for moment in moments)
            for measure in SNAPSHOT_MEASURES
        },
        "independent": tuple(independent for independent, _ in nulls),
        "by_class": tuple(by_class for _, by_class in nulls),
    }
