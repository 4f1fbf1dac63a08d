"""The numbers of a run, gathered in one pass over its snapshots.

What is held grows with members times examples at the most, and not with the number of
snapshots.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int, Integer

from jaxorder.analysis.classes import (
    accessibility_of_classes,
    between_classes,
    class_sums,
    confusion_counts,
)
from jaxorder.analysis.courses import Course, Courses
from jaxorder.analysis.covariance import Covariance, merged
from jaxorder.analysis.excluded import Excluded, excluded_members
from jaxorder.analysis.growth import Growth, growth
from jaxorder.analysis.inputs import Run
from jaxorder.analysis.intervals import FEWEST, Interval, jackknife_interval, undefined
from jaxorder.analysis.measures import (
    classification_agreement,
    common_prediction,
    epoch_weights,
    weighted_sums,
)
from jaxorder.analysis.nulls import Null, null_of_accuracy, null_of_classes
from jaxorder.analysis.reliability import correlation_of_halves, reliability
from jaxorder.analysis.snapshot_measures import SNAPSHOT_MEASURES, SnapshotMeasure
from jaxorder.analysis.streaming import (
    Piece,
    agreeing,
    fitting,
    held_at_most,
    pieces,
    spread,
    windows,
)
from jaxorder.run.folder import SPLITS, FurtherData, labels_of
from jaxorder.run.folder import Run as RunFolder

# Enough for the ends of a 95 % interval to be off by less than a line's width.
SIMULATIONS = 300
# Up to this many classes, what is taken for what at each snapshot is kept in a table,
# whose size grows with their square.
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
        order: Each member's accessibility of each example, in [0, 1]; None where
            there was no room to hold them, and `member_orders` measures them again.
        accessibility: Mean over members and, weighted by epochs, over snapshots.
        covariance: Of the members' accessibilities.
        final: What was predicted at the last snapshot.
        common: The commonest of these answers.
        final_agreement: The share of members that give it.
        courses: What became of each example on the way.
        class_sums: Each member's accessibility, summed over the examples of a class.
        confusion: Answers by label, counted over members and examples, at each
            snapshot; at none where there are no nulls, or more than 200 classes.
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
    order: Float[np.ndarray, "member example"] | None
    accessibility: Float[np.ndarray, "example"]
    covariance: Covariance
    final: Integer[np.ndarray, "member example"]
    common: Integer[np.ndarray, "example"]
    final_agreement: Float[np.ndarray, "example"]
    courses: Course
    class_sums: Float[np.ndarray, "member class"]
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
    def correct(self) -> Bool[np.ndarray, "member example"]:
        """What is correct at the last snapshot."""
        return self.final == fitting(self.label, self.final.dtype)

    @property
    def members(self) -> int:
        """Number of members."""
        return self.accuracy.shape[1]

    @property
    def mean_accuracy(self) -> Float[np.ndarray, "snapshot"]:
        """Mean accuracy over members at each snapshot."""
        return self.accuracy.mean(axis=1)

    @cached_property
    def reliability(self) -> Interval:
        """Cronbach's alpha of the order, with the jackknife's interval over members."""
        return reliability(self.covariance.variances)

    @cached_property
    def halves(self) -> float:
        """Mean correlation between the orders of random halves of the members."""
        return correlation_of_halves(self.covariance)

    @cached_property
    def growth(self) -> Growth:
        """How the reliability of the order grows with the number of members."""
        return growth(self.covariance)

    @property
    def learned_epoch(self) -> Float[np.ndarray, "example"]:
        """Epoch from which the median member stays correct; NaN where it does not."""
        return self.courses.learned_epoch

    @cached_property
    def class_accessibility(self) -> list[Interval]:
        """Mean accessibility of the examples of each class, with interval."""
        many = np.bincount(self.label, minlength=self.classes)
        return accessibility_of_classes(self.class_sums, many)

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


def measure(
    run: RunFolder,
    name: str,
    simulations: int = SIMULATIONS,
    held: int | None = None,
) -> RunNumbers:
    """Measure a run.

    Args:
        run: The run, finished or not.
        name: What reports call it.
        simulations: Draws for the intervals of the nulls; 0 leaves the nulls out.
        held: Bytes of what may be held of it when it is measured; None: 1 GiB.

    Returns:
        The numbers; None for the splits where no snapshot or no member counts.
    """
    test, train = (
        measure_split(run, split, simulations, (held or held_at_most()) // len(SPLITS))
        for split in SPLITS
    )
    further = tuple(_further(run, data, simulations) for data in run.further)
    return RunNumbers(run, name, test, train, tuple(excluded_members(run)), further)


def _further(run: RunFolder, data: FurtherData, simulations: int) -> FurtherNumbers:
    numbers = measure_split(run, data.name, simulations) if data.labelled else None
    last = run.usable(data.name)["prediction"].isel(snapshot=slice(-1, None)).values
    agreement = float(classification_agreement(last).mean()) if last.size else math.nan
    return FurtherNumbers(data, numbers, agreement)


def measure_split(
    run: Run, split: str, simulations: int = 0, held: int | None = None
) -> SplitNumbers | None:
    """Gather the numbers of one split in one pass over its snapshots.

    Where every member's accessibility of every example takes more than 1 GiB, it is
    one pass for as many examples as it can be held of.

    Args:
        run: The run.
        split: "train" or "test".
        simulations: Draws for the intervals of the nulls; 0 leaves the nulls out.
        held: Bytes that these accessibilities may take afterwards; None: 1 GiB.

    Returns:
        The numbers, or None where the split or no snapshot of it is recorded, or no
        member is finite.
    """
    if split not in run.splits:
        return None
    dataset = run.usable(split)
    if not (dataset.sizes["snapshot"] and dataset.sizes["member"]):
        return None
    gathered = _Gathered(dataset, bool(simulations))
    gathered.read()
    small = gathered.order.nbytes <= (held or held_at_most()) and gathered.whole
    return SplitNumbers(
        split=split,
        step=dataset["step"].values,
        epoch=dataset["epoch"].values,
        label=labels_of(dataset),
        example_id=dataset["example_id"].values,
        seed=dataset["seed"].values,
        order=gathered.order if small else None,
        accessibility=gathered.accessibility,
        covariance=merged(gathered.covariances),
        final=gathered.final,
        common=common_prediction(gathered.final),
        final_agreement=classification_agreement(gathered.final),
        courses=Course.joined(gathered.courses),
        class_sums=gathered.class_sums,
        confusion=gathered.confusion,
        classes=gathered.classes,
        relabelled=_relabelled(dataset),
        kind=run.kind,
        time_axis=run.time_axis,
        time_unit=run.time_unit,
        **_stacked(gathered.moments(simulations)),
    )


class _Gathered:
    """What one pass over a split's record adds up.

    Args:
        dataset: Of a run, `usable`.
        by_class: Whether to count by class, at each snapshot.
    """

    def __init__(self, dataset: xr.Dataset, by_class: bool) -> None:
        self._dataset = dataset
        self._weights = epoch_weights(dataset["epoch"].values)
        snapshots, members, examples = dataset["prediction"].shape
        self._label = labels_of(dataset)
        _, self._class, sizes = np.unique(
            self._label, return_inverse=True, return_counts=True
        )
        self._sizes = sizes.tolist()
        self._classes = len(sizes) if by_class else 0
        self._right = np.zeros((snapshots, members, self._classes), int)
        self._counts = np.zeros((snapshots, members + 1), int)
        self._own = np.zeros((snapshots, members, members + 1), int)
        names = dataset.attrs.get("class_names", ())
        # without names it is not known which further answers there may be
        self.classes = len(names) or 1 + int(self._label.max())
        confused = by_class and 0 < len(names) <= MOST_CONFUSED
        kept = snapshots if confused else 0
        self.confusion = np.zeros((kept, self.classes, self.classes), int)
        self.class_sums = np.zeros((members, self.classes))
        self.courses: list[Course] = []
        self.accessibility = np.empty(examples)
        self.final = np.empty((members, examples), dataset["prediction"].dtype)
        self.covariances: list[Covariance] = []
        self.order = np.empty((members, 0))
        self.whole = False

    def read(self) -> None:
        """Read the record, in windows of which every member's score can be held."""
        members, examples = self.final.shape
        cut = windows(members, examples)
        self.whole = len(cut) == 1
        for window in cut:
            self.order = np.zeros((members, len(self.accessibility[window])))
            epoch = self._dataset["epoch"].values
            self._courses = Courses(*self.order.shape, epoch)
            work = partial(self._tally, window)
            for first, tally in pieces(self._dataset, work, examples=window):
                own = slice(first, first + len(tally.counts))
                self._counts[own] += tally.counts
                self._own[own] += tally.own
                self._right[own] += tally.right
                if len(self.confusion):
                    self.confusion[own] += tally.confused
            self.accessibility[window] = self.order.mean(axis=0)
            self.covariances.append(Covariance.of(self.order))
            self.courses.append(self._courses.course())
            self.class_sums += class_sums(self.order, self._label[window], self.classes)

    def _tally(self, window: slice, piece: Piece) -> tuple[int, "_Tally"]:
        """Count what is correct, and add it to the members' accessibilities."""
        order = self.order[:, piece.examples]
        classes = self._class[window][piece.examples]
        tally = _Tally([], [], [], [])
        for snapshot, correct in piece.correct():
            self._courses.take(snapshot, correct, piece.examples)
            # accessibility is a weighted sum over snapshots: it needs no more than one
            if self._weights[snapshot]:
                order += self._weights[snapshot] * correct
            tally.add(correct, classes, self._classes)
            if len(self.confusion):
                given = piece.prediction[snapshot - piece.first]
                label = self._label[window][piece.examples]
                tally.confused.append(confusion_counts(given, label, self.classes))
        if piece.first + len(piece.prediction) == len(self._weights):
            self.final[:, window][:, piece.examples] = piece.prediction[-1]
        return piece.first, tally

    def moments(self, simulations: int) -> list["_Moment"]:
        """Measure each snapshot from what was counted."""
        examples = len(self.accessibility)

        def moment(snapshot: int) -> _Moment:
            own, counts = self._own[snapshot], self._counts[snapshot]
            accuracy = own.sum(axis=1) / examples
            return _Moment(
                accuracy=accuracy,
                counts=counts,
                measures=snapshot_intervals(counts, own),
                nulls=(
                    null_of_accuracy(accuracy, examples, simulations=simulations),
                    null_of_classes(
                        self._right[snapshot].T, self._sizes, simulations=simulations
                    ),
                )
                if simulations
                else None,
            )

        return list(spread(moment, range(len(self._counts))))


class _Tally(NamedTuple):
    """Counts of some snapshots of a block of examples.

    Attributes:
        counts: Examples with 0, 1, .. N of N members correct.
        own: Those of them on which each member is.
        right: Examples of each class on which each member is.
        confused: Answers by label.
    """

    counts: list[Integer[np.ndarray, "agreeing"]]
    own: list[Integer[np.ndarray, "member agreeing"]]
    right: list[Integer[np.ndarray, "member class"]]
    confused: list[Integer[np.ndarray, "label answer"]]

    def add(
        self,
        correct: Bool[np.ndarray, "member block"],
        classes: Integer[np.ndarray, "block"],
        many: int,
    ) -> None:
        """Count one more snapshot.

        Args:
            correct: What is correct at it.
            classes: Of the examples, from 0 on.
            many: How many classes there are; 0 counts nothing by class.
        """
        among = agreeing(correct).astype(np.intp)
        values = len(correct) + 1
        self.counts.append(np.bincount(among, minlength=values))
        self.own.append(_by_group(correct, among, values))
        self.right.append(
            _by_group(correct, classes, many)
            if many
            else np.zeros((len(correct), 0), int)
        )


def _by_group(
    correct: Bool[np.ndarray, "member block"],
    group: Integer[np.ndarray, "block"],
    groups: int,
) -> Integer[np.ndarray, "member group"]:
    """Count the examples of each group on which each member is correct."""
    counted = [np.bincount(group, weights=own, minlength=groups) for own in correct]
    return np.array(counted).astype(int)


def member_orders(
    run: Run,
    split: str,
    lasts: Sequence[int],
    members: slice = slice(None),
) -> dict[int, Float[np.ndarray, "member example"]]:
    """Measure each member's accessibility of each example up to some snapshots.

    Args:
        run: The run.
        split: "train" or "test".
        lasts: The last snapshots that count. All are measured in one pass.
        members: Of which members.

    Returns:
        By the snapshot, each member's accessibility.
    """
    if not lasts:
        return {}
    dataset = run.usable(split)
    epoch = dataset["epoch"].values
    weights = [epoch_weights(epoch[: last + 1]) for last in lasts]
    found = weighted_sums(dataset.isel(member=members), weights)
    return dict(zip(lasts, found, strict=True))


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


def snapshot_intervals(
    counts: Integer[np.ndarray, "agreeing"],
    own: Integer[np.ndarray, "member agreeing"],
) -> Mapping[str, Interval]:
    """Measure a snapshot, and again with each member left out.

    Args:
        counts: Examples with 0, 1, .. N of N members correct.
        own: Those of them on which each member is.

    Returns:
        Every measure of the table of snapshot measures, by its name.
    """
    # an example that the member got right moves down by one, the others stay
    without = (counts - own)[:, :-1] + own[:, 1:]
    return {
        measure.name: _jackknifed(measure, counts, without)
        for measure in SNAPSHOT_MEASURES
    }


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
