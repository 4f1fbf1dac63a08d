"""Whether two collections of members learn the same examples first."""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int, Shaped

from jaxorder.analysis.correlation import (
    disattenuated,
    order_correlation,
    ranks,
    unit,
)
from jaxorder.analysis.inputs import Array, Run, require
from jaxorder.analysis.intervals import Interval, jackknife_interval
from jaxorder.analysis.measures import epoch_weights, member_accessibility
from jaxorder.analysis.reliability import cronbach_alpha, leave_one_out_alpha
from jaxorder.errors import RequestError

# "Undecided when the gap exceeds 2 points" of test accuracy.
MATCHED_GAP = 0.02
_UNDECIDED = Interval(math.nan, math.nan, math.nan)


@dataclass(frozen=True, kw_only=True)
class OrderComparison:
    """How alike two collections order the same examples.

    Intervals are over other members of both collections, on these examples.

    Attributes:
        pearson: correlation of the accessibilities.
        spearman: of their ranks.
        kendall: tau-b, without interval: leave-one-out values of it are not cheap.
        disattenuated_pearson: what more members would tend to; not clipped at 1.
        disattenuated_spearman: likewise, by the same reliabilities, which are those
            of the scores and not of their ranks: an approximation.
        reliability_a: Cronbach's alpha of the one's accessibilities.
        reliability_b: of the other's.
    """

    pearson: Interval
    spearman: Interval
    kendall: float
    disattenuated_pearson: Interval
    disattenuated_spearman: Interval
    reliability_a: float
    reliability_b: float


@dataclass(frozen=True, kw_only=True)
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


@dataclass(frozen=True, kw_only=True)
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

    def to_dict(self) -> dict[str, Any]:
        """Give the fields, nested, as JSON knows them: NaN becomes None."""
        return _without_nan(asdict(self))


def compare(run_a: Run, run_b: Run, split: str = "test") -> Comparison:
    """Compare the order in which two runs learn the examples that both recorded.

    Accessibilities are weighted by epochs, `epoch_weights`. Examples are joined by
    `example_id`. Accuracies are matched on the test split whatever `split` is.

    Args:
        run_a: one run, as `jaxorder.open_run` gives.
        run_b: the other run.
        split: "train", "test" or an evaluation's name.

    Returns:
        The comparison.

    Raises:
        RequestError: fewer than 3 examples are common, their labels differ, or a run
            has fewer than 2 snapshots or 2 finite members.

    Reference:
        After Hacohen et al. 2020; the intervals and the matching are jaxorder's.
    """
    a, b = _joined(run_a, run_b, split)
    tests = (a, b) if split == "test" else _joined(run_a, run_b, "test")
    orders = compare_orders(a.order(), b.order())
    return Comparison(
        **vars(orders),
        name_a=run_a.name,
        name_b=run_b.name,
        split=split,
        examples=a.correct.shape[2],
        members_a=a.correct.shape[1],
        members_b=b.correct.shape[1],
        accuracy_a=float(a.correct[-1].mean()),
        accuracy_b=float(b.correct[-1].mean()),
        shared_streams=bool(np.isin(a.seed, b.seed).any()),
        matched=_matched(a, b, *tests),
        against=run_a.labels,
    )


def compare_orders(
    scores_a: Float[Array, "member_a example"],
    scores_b: Float[Array, "member_b example"],
    level: float = 0.95,
) -> OrderComparison:
    """Compare two orders, given each member's own scores of the same examples.

    Args:
        scores_a: [member, example], such as `member_accessibility` of one collection.
        scores_b: of the other; other members, the same examples in the same order.
        level: wanted coverage of the intervals, in (0, 1).

    Returns:
        The comparison; values are NaN where undefined, intervals for fewer than two
        members, those of disattenuated values for fewer than three.

    Raises:
        ValueError: the scores are not real with two axes, or of other examples.

    Reference:
        Spearman 1904; intervals by jackknife over the members of both, Arvesen 1969.

    Example:
        >>> a = np.array([[0.1, 0.5, 0.9, 0.6], [0.2, 0.4, 0.9, 0.7]])
        >>> b = np.array([[0.3, 0.2, 0.8, 0.6], [0.1, 0.4, 0.9, 0.8]])
        >>> found = compare_orders(a, b)
        >>> round(found.pearson.estimate, 3), round(found.kendall, 3)
        (0.954, 1.0)
        >>> round(found.disattenuated_pearson.estimate, 3)
        1.013
    """
    a = require("scores_a", scores_a, "biuf", "member example").astype(float)
    b = require("scores_b", scores_b, "biuf", "member example").astype(float)
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"scores_b: wanted {a.shape[1]} examples, as in scores_a, got {b.shape[1]}"
        )
    alpha_a = _Jackknifed(cronbach_alpha(a), leave_one_out_alpha(a))
    alpha_b = _Jackknifed(cronbach_alpha(b), leave_one_out_alpha(b))
    pearson, spearman = _correlation(a, b, np.asarray), _correlation(a, b, ranks)
    return OrderComparison(
        pearson=pearson.interval(level),
        spearman=spearman.interval(level),
        kendall=order_correlation(a.mean(axis=0), b.mean(axis=0), "kendall"),
        disattenuated_pearson=pearson.disattenuated(alpha_a, alpha_b).interval(level),
        disattenuated_spearman=spearman.disattenuated(alpha_a, alpha_b).interval(level),
        reliability_a=alpha_a.estimate,
        reliability_b=alpha_b.estimate,
    )


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


class _Jackknifed(NamedTuple):
    """A figure of one collection, whole and with each member left out."""

    estimate: float
    without: Float[np.ndarray, " member"]


class _Correlation(NamedTuple):
    """A figure of two collections, whole and with each member of either left out."""

    estimate: float
    without_a: Float[np.ndarray, " member_a"]
    without_b: Float[np.ndarray, " member_b"]

    def interval(self, level: float = 0.95) -> Interval:
        """Add the variance over the members of both."""
        return jackknife_interval(
            self.estimate, self.without_a, self.without_b, level=level
        )

    def disattenuated(self, a: _Jackknifed, b: _Jackknifed) -> "_Correlation":
        """Correct by reliabilities, each time by those of the members left in."""
        pairs_a = zip(self.without_a, a.without, strict=True)
        pairs_b = zip(self.without_b, b.without, strict=True)
        return _Correlation(
            disattenuated(self.estimate, a.estimate, b.estimate),
            np.array([disattenuated(r, alpha, b.estimate) for r, alpha in pairs_a]),
            np.array([disattenuated(r, a.estimate, alpha) for r, alpha in pairs_b]),
        )


def _correlation(
    a: Float[np.ndarray, "member_a example"],
    b: Float[np.ndarray, "member_b example"],
    score: Callable[[np.ndarray], np.ndarray],
) -> _Correlation:
    """Correlate mean scores, whole and with each member of either left out."""
    whole_a, whole_b = unit(score(a.mean(axis=0))), unit(score(b.mean(axis=0)))
    return _Correlation(
        float(np.clip(whole_a @ whole_b, -1, 1)),
        np.array([unit(score(rest)) @ whole_b for rest in _leave_one_out(a)]),
        np.array([unit(score(rest)) @ whole_a for rest in _leave_one_out(b)]),
    )


def _leave_one_out(
    scores: Float[np.ndarray, "member example"],
) -> Iterator[Float[np.ndarray, " example"]]:
    """Give the mean scores without each member, from the sum of all."""
    total, left = scores.sum(axis=0), max(len(scores) - 1, 1)
    for own in scores:
        yield (total - own) / left


@dataclass(frozen=True, eq=False)
class _Side:
    """What one run holds of the common examples."""

    correct: Bool[np.ndarray, "snapshot member example"]
    step: Shaped[np.ndarray, " snapshot"]
    epoch: Shaped[np.ndarray, " snapshot"]
    seed: Shaped[np.ndarray, " member"]

    def order(self, last: int | None = None) -> Float[np.ndarray, "member example"]:
        """Give each member's accessibility, up to a snapshot and with it."""
        kept = slice(None if last is None else last + 1)
        return member_accessibility(self.correct[kept], epoch_weights(self.epoch[kept]))


def _joined(run_a: Run, run_b: Run, split: str) -> tuple[_Side, _Side]:
    """Read what two runs hold of the examples they share, in the same order."""
    a, b = _correct(run_a, split), _correct(run_b, split)
    _, at_a, at_b = np.intersect1d(
        a["example_id"].values, b["example_id"].values, return_indices=True
    )
    if len(at_a) < 3:
        raise RequestError(
            f"compare {run_a.name!r} with {run_b.name!r}: wanted at least 3 common "
            f"examples in split {split!r}, got {len(at_a)}; compare runs of one data "
            "source"
        )
    label_a = run_a.record(split)["label"].values[at_a]
    label_b = run_b.record(split)["label"].values[at_b]
    if different := np.count_nonzero(label_a != label_b):
        raise RequestError(
            f"compare {run_a.name!r} with {run_b.name!r}: wanted equal labels in split "
            f"{split!r}, got {different} of {len(at_a)} different; compare runs of one "
            "data source with the same labels"
        )
    return _side(a, at_a), _side(b, at_b)


def _correct(run: Run, split: str) -> xr.DataArray:
    """Read a run's correctness, refusing one that has no order yet."""
    correct = run.correct(split)
    snapshots, members = correct.sizes["snapshot"], correct.sizes["member"]
    if snapshots < 2 or members < 2:
        raise RequestError(
            f"compare {run.name!r}: wanted at least 2 snapshots and 2 finite members "
            f"in split {split!r}, got {snapshots} and {members}; resume or grow the run"
        )
    return correct


def _side(correct: xr.DataArray, kept: Int[np.ndarray, " example"]) -> _Side:
    """Keep some examples."""
    return _Side(
        np.asarray(correct.values, bool)[:, :, kept],
        correct["step"].values,
        correct["epoch"].values,
        correct["seed"].values,
    )


def _matched(a: _Side, b: _Side, test_a: _Side, test_b: _Side) -> MatchedAccuracy:
    """Compare up to the snapshots at which test accuracies match."""
    tested_a, accuracy_a = _tested(a, test_a)
    tested_b, accuracy_b = _tested(b, test_b)
    pair_a, pair_b = match_snapshots(accuracy_a, accuracy_b)
    last_a, last_b = int(tested_a[pair_a]), int(tested_b[pair_b])
    gap = float(abs(accuracy_a[pair_a] - accuracy_b[pair_b]))
    # A gap of exactly 2 points is not more than that, whatever rounding says.
    decided = gap <= MATCHED_GAP + 1e-12
    return MatchedAccuracy(
        step_a=int(a.step[last_a]),
        step_b=int(b.step[last_b]),
        epoch_a=float(a.epoch[last_a]),
        epoch_b=float(b.epoch[last_b]),
        accuracy_a=float(accuracy_a[pair_a]),
        accuracy_b=float(accuracy_b[pair_b]),
        gap=gap,
        decided=decided,
        spearman=_spearman(a.order(last_a), b.order(last_b)) if decided else _UNDECIDED,
    )


def _spearman(
    a: Float[np.ndarray, "member_a example"], b: Float[np.ndarray, "member_b example"]
) -> Interval:
    """Correlate the ranks of mean scores."""
    return _correlation(a, b, ranks).interval()


def _tested(
    side: _Side, test: _Side
) -> tuple[Int[np.ndarray, " common"], Float[np.ndarray, " common"]]:
    """Give the snapshots that were also tested, and their mean test accuracies.

    Step 0 is no candidate for a match: no example has been learned there.
    """
    _, own, tested = np.intersect1d(side.step, test.step, return_indices=True)
    if not len(own):
        raise RequestError(
            "compare: wanted snapshots of this split and of 'test' at common steps, "
            f"got steps {side.step.tolist()} and {test.step.tolist()}; compare 'test'"
        )
    trained = side.epoch[own] > 0
    chosen = trained if trained.any() else ~trained
    return own[chosen], test.correct[tested[chosen]].mean(axis=(1, 2))


def _without_nan(value: Any) -> Any:
    """Replace NaN, which JSON lacks, by None, however deep."""
    if isinstance(value, dict):
        return {key: _without_nan(each) for key, each in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
