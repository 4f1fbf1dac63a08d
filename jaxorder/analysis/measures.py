"""What members agree on, snapshot by snapshot, and how early they learn an example.

The axes are always in the order snapshot, member, example. `correct` is
`prediction == label`.

In place of its arrays each measure takes a run, or its folder, and a `split` ("test"
unless another is named): of the committed snapshots, of the members that stayed finite,
with the weights that reports use. All else is then given by name.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int, Integer, Shaped

from jaxorder.analysis.inputs import Array, Run, measured_by, require
from jaxorder.analysis.streaming import Piece, agreeing, blocks, done, pieces

# TPA lies on a grid of step 1/N; a spread below this is rounding, not disagreement.
_ROUNDING = 1e-12


class Learned(NamedTuple):
    """When each member learned each example.

    Attributes:
        snapshot: the first snapshot from which the member stays correct to the end,
            or the first at which it is correct, as the measure says. Where there is
            none, the number of snapshots, one past the last, so that an index used
            without the mask fails instead of naming a snapshot.
        learned: whether there is such a snapshot.
    """

    snapshot: Int[np.ndarray, "member example"]
    learned: Bool[np.ndarray, "member example"]


def read_scores(run: Run, split: str) -> dict[str, Any]:
    """Read each member's accessibility of each example."""
    return {"scores": member_accessibility(run, split=split)}


# ---- of runs, piece by piece


def _of_pieces(
    run: Run,
    split: str,
    measure: Callable[[np.ndarray], np.ndarray],
    kind: Any,
    correct: bool = True,
) -> np.ndarray:
    """Measure what members made of each example at each snapshot of a run.

    Args:
        run: the run.
        split: of which.
        measure: of [member, block]; gives one value an example.
        kind: of the values.
        correct: whether the measure is of what is correct; else of what is predicted.
    """
    dataset = run.usable(split)
    found = np.empty((dataset.sizes["snapshot"], dataset.sizes["example"]), kind)

    def work(piece: Piece) -> None:
        shown = piece.correct() if correct else enumerate(piece.prediction, piece.first)
        for snapshot, values in shown:
            found[snapshot, piece.examples] = measure(values)

    done(pieces(dataset, work, judged=correct))
    return found


def _agreement_of(run: Run, split: str) -> Float[np.ndarray, "snapshot example"]:
    return _of_pieces(run, split, tp_agreement, float)


def _classification_agreement_of(
    run: Run, split: str
) -> Float[np.ndarray, "snapshot example"]:
    return _of_pieces(run, split, classification_agreement, float, correct=False)


def _common_prediction_of(
    run: Run, split: str
) -> Integer[np.ndarray, "snapshot example"]:
    kind = run.usable(split)["prediction"].dtype
    return _of_pieces(run, split, common_prediction, kind, correct=False)


def _bimodality_of(
    run: Run, split: str, **given: Any
) -> Float[np.ndarray, " snapshot"]:
    given = {"members": run.usable(split).sizes["member"], **given}
    return np.array([bimodality(tpa, **given) for tpa in _agreement_of(run, split)])


def _fleiss_kappa_of(run: Run, split: str) -> Float[np.ndarray, " snapshot"]:
    members = run.usable(split).sizes["member"]
    return np.array([_kappa(tpa, members) for tpa in _agreement_of(run, split)])


def _member_accessibility_of(
    run: Run, split: str, weights: Float[Array, " snapshot"] | None = None
) -> Float[np.ndarray, "member example"]:
    dataset = run.usable(split)
    epoch = dataset["epoch"].values
    shares = _shares(epoch_weights(epoch) if weights is None else weights, len(epoch))
    return weighted_sums(dataset, [shares])[0]


def weighted_sums(
    dataset: xr.Dataset,
    weights: Sequence[Float[np.ndarray, " _"]],
    examples: slice = slice(None),
) -> Float[np.ndarray, "weighting member example"]:
    """Add up what is correct over snapshots, by one or several weightings.

    Args:
        dataset: of a run, `usable`, or some members of it.
        weights: of each weighting, a weight for each snapshot from the first on; those
            after its last have none.
        examples: of which.

    Returns:
        [weighting, member, example].
    """
    length = len(range(*examples.indices(dataset.sizes["example"])))
    sums = np.zeros((len(weights), dataset.sizes["member"], length))

    def work(piece: Piece) -> None:
        for snapshot, correct in piece.correct():
            for own, total in zip(weights, sums, strict=True):
                if snapshot < len(own) and own[snapshot]:
                    total[:, piece.examples] += own[snapshot] * correct

    most = max(map(len, weights))
    done(pieces(dataset, work, most=most, examples=examples))
    return sums


def _accessibility_of(
    run: Run, split: str, weights: Float[Array, " snapshot"] | None = None
) -> Float[np.ndarray, " example"]:
    return _member_accessibility_of(run, split, weights).mean(axis=0)


def _learned_of(run: Run, split: str) -> Learned:
    """Find since when members are correct, by when they were last wrong."""
    dataset = run.usable(split)
    snapshots, *shape = dataset["prediction"].shape
    since = np.zeros(shape, int)

    def work(piece: Piece) -> None:
        own = since[:, piece.examples]
        for snapshot, correct in piece.correct():
            np.copyto(own, snapshot + 1, where=~correct)

    done(pieces(dataset, work))
    return Learned(since, since < snapshots)


def _first_correct_of(run: Run, split: str) -> Learned:
    dataset = run.usable(split)
    snapshots, *shape = dataset["prediction"].shape
    first = np.full(shape, snapshots)

    def work(piece: Piece) -> None:
        own = first[:, piece.examples]
        for snapshot, correct in piece.correct():
            np.copyto(own, snapshot, where=correct & (own == snapshots))

    done(pieces(dataset, work))
    return Learned(first, first < snapshots)


def _forgetting_of(run: Run, split: str) -> Int[np.ndarray, "member example"]:
    dataset = run.usable(split)
    shape = dataset["prediction"].shape[1:]
    events, before = np.zeros(shape, int), np.zeros(shape, bool)

    def work(piece: Piece) -> None:
        for _, correct in piece.correct():
            events[:, piece.examples] += before[:, piece.examples] & ~correct
            before[:, piece.examples] = correct

    done(pieces(dataset, work))
    return events


@measured_by(_agreement_of)
def tp_agreement(
    correct: Bool[Array, "*batch member example"],
) -> Float[np.ndarray, "*batch example"]:
    """Measure the share of members that classify each example correctly.

    Args:
        correct: bool [..., member, example]; or a run, of which every snapshot.

    Returns:
        float64 [..., example] in [0, 1]: exactly k / N for k of N members. Its mean
        over examples is the members' mean accuracy.

    Raises:
        ValueError: `correct` is not bool or has fewer than two axes.

    Reference:
        TP-agreement, after Hacohen et al. 2020.

    Example:
        >>> tp_agreement(np.array([[True, True, False], [True, False, False]])).tolist()
        [1.0, 0.5, 0.0]
    """
    array = require("correct", correct, "b", "... member example")
    if array.ndim == 2:
        return agreeing(array) / len(array)
    return np.count_nonzero(array, axis=-2) / array.shape[-2]


@measured_by(_classification_agreement_of)
def classification_agreement(
    prediction: Integer[Array, "*batch member example"],
) -> Float[np.ndarray, "*batch example"]:
    """Measure the largest share of members that give the same answer, right or wrong.

    It is never less than the TP-agreement. One [member, example] slice is held at a
    time, and the cost does not grow with the number of classes.

    Args:
        prediction: integer [..., member, example]; or a run, of which every snapshot.
            In uint8 and uint16 the largest value (255, 65535) is the record's fill,
            "not recorded", and no answer: the share is of the members that answered.

    Returns:
        float64 [..., example] in [1 / N, 1]; NaN where no member answered.

    Raises:
        ValueError: `prediction` is not integer or has fewer than two axes.

    Reference:
        Classification agreement, after Hacohen et al. 2020.

    Example:
        >>> prediction = np.array([[3, 7, 1], [3, 7, 2], [3, 8, 3]], np.uint8)
        >>> classification_agreement(prediction).round(3).tolist()
        [1.0, 0.667, 0.333]
    """
    array = require("prediction", prediction, "iu", "... member example")
    shares = np.full((*array.shape[:-2], array.shape[-1]), np.nan)
    for batch in np.ndindex(array.shape[:-2]):
        _, votes, answered = commonest(array[batch])
        np.divide(votes, answered, out=shares[batch], where=answered > 0)
    return shares


@measured_by(_common_prediction_of)
def common_prediction(
    prediction: Integer[Array, "*batch member example"],
) -> Integer[np.ndarray, "*batch example"]:
    """Find the commonest answer to each example; ties go to the smaller class.

    Args:
        prediction: integer [..., member, example]; or a run, of which every snapshot.
            The fill of uint8 and uint16 ("not recorded") is no answer.

    Returns:
        The class, of the same dtype, [..., example]; the fill where no member
        answered.

    Raises:
        ValueError: `prediction` is not integer or has fewer than two axes.

    Reference:
        The class at which the classification agreement is attained, after Hacohen
        et al. 2020.

    Example:
        >>> prediction = np.array([[3, 7, 1], [3, 8, 3], [5, 8, 2]], np.uint8)
        >>> common_prediction(prediction).tolist()
        [3, 8, 1]
    """
    array = require("prediction", prediction, "iu", "... member example")
    answers = np.empty((*array.shape[:-2], array.shape[-1]), array.dtype)
    for batch in np.ndindex(array.shape[:-2]):
        answers[batch], _, _ = commonest(array[batch])
    return answers


class Votes(NamedTuple):
    """How members vote on examples.

    Attributes:
        answer: [example], the commonest; the fill where no member answered.
        votes: [example], how many gave it.
        answered: [example], how many gave any.
    """

    answer: Integer[np.ndarray, " example"]
    votes: Int[np.ndarray, " example"]
    answered: Int[np.ndarray, " example"]


def commonest(prediction: Integer[np.ndarray, "member example"]) -> Votes:
    """Find the commonest answers.

    Args:
        prediction: [member, example], one snapshot; ties go to the smaller class.
    """
    found = [_voted(prediction[:, block]) for block in blocks(*prediction.shape)]
    return Votes(*map(np.concatenate, zip(*found, strict=True)))


def _voted(prediction: Integer[np.ndarray, "member example"]) -> Votes:
    """Find the longest runs of equal answers, sorted: many classes cost no more."""
    # two bytes are sorted many at a time, one is not
    kind = np.uint16 if prediction.dtype == np.uint8 else prediction.dtype
    ranked = np.ascontiguousarray(prediction.T, kind)
    ranked.sort(axis=1)
    begins = np.ones(ranked.shape, bool)
    np.not_equal(ranked[:, 1:], ranked[:, :-1], out=begins[:, 1:])
    starts = np.flatnonzero(begins)
    answer = ranked.ravel()[starts].astype(prediction.dtype)
    run = np.where(is_answer(answer), np.diff(starts, append=ranked.size), 0)
    first = np.searchsorted(starts, np.arange(0, ranked.size, ranked.shape[1]))
    votes = np.maximum.reduceat(run, first)
    # the first of the longest is the smallest class
    longest = np.flatnonzero(
        run == np.repeat(votes, np.diff(first, append=len(starts)))
    )
    chosen = longest[np.searchsorted(longest, first)]
    return Votes(answer[chosen], votes, np.add.reduceat(run, first))


def is_answer(
    prediction: Integer[np.ndarray, "*shape"],
) -> Bool[np.ndarray, "*shape"]:
    """Mark what is an answer: all but the record's fill value."""
    if prediction.dtype in (np.uint8, np.uint16):
        return prediction != np.iinfo(prediction.dtype).max
    return np.ones(prediction.shape, bool)


@measured_by(_accessibility_of)
def accessibility(
    correct: Bool[Array, "snapshot member example"],
    weights: Float[Array, " snapshot"] | None = None,
) -> Float[np.ndarray, " example"]:
    """Measure how early, and how surely, the members learn each example.

    Args:
        correct: bool [snapshot, member, example]; or a run.
        weights: [snapshot], not negative, of any sum above 0, such as
            `epoch_weights(epoch)`. None is the plain mean over the snapshots given,
            step 0 among them; of a run it is `epoch_weights`, which leave it out, as
            `scores` and reports do.

    Returns:
        float64 [example] in [0, 1]: the mean over snapshots of the TP-agreement.

    Raises:
        ValueError: `correct` is not bool with three axes, or `weights` do not fit.

    Reference:
        Accessibility score, after Hacohen et al. 2020; the weights are ours.

    Example:
        >>> correct = np.array([[[False, False]], [[True, False]], [[True, True]]])
        >>> accessibility(correct).round(3).tolist()
        [0.667, 0.333]
        >>> accessibility(correct, np.array([0.0, 0.5, 0.5])).tolist()
        [1.0, 0.5]
    """
    array = require("correct", correct, "b", "snapshot member example")
    return _shares(weights, len(array)) @ tp_agreement(array)


@measured_by(_member_accessibility_of)
def member_accessibility(
    correct: Bool[Array, "snapshot member example"],
    weights: Float[Array, " snapshot"] | None = None,
) -> Float[np.ndarray, "member example"]:
    """Measure each member's own accessibility of each example.

    Args:
        correct: bool [snapshot, member, example]; or a run.
        weights: [snapshot], as for `accessibility`.

    Returns:
        float64 [member, example] in [0, 1]: the member's mean over snapshots. Its
        mean over members is the accessibility.

    Raises:
        ValueError: `correct` is not bool with three axes, or `weights` do not fit.

    Reference:
        Accessibility score of a single network, after Hacohen et al. 2020.

    Example:
        >>> correct = np.array([[[False], [True]], [[True], [True]]])
        >>> member_accessibility(correct).tolist()
        [[0.5], [1.0]]
    """
    array = require("correct", correct, "b", "snapshot member example")
    return _weighted_sum(_shares(weights, len(array)), array)


def _weighted_sum(
    shares: Float[np.ndarray, " snapshot"],
    snapshots: Iterable[Bool[np.ndarray, "member example"]],
) -> Float[np.ndarray, "member example"]:
    """Add snapshot by snapshot, so that no float copy of the whole is made."""
    pairs = zip(shares, snapshots, strict=True)
    return np.asarray(sum(share * each for share, each in pairs))


def _shares(
    weights: Float[Array, " snapshot"] | None, snapshots: int
) -> Float[np.ndarray, " snapshot"]:
    """Scale weights to sum 1; none given are equal ones."""
    if weights is None:
        return np.full(snapshots, 1 / snapshots)
    array = np.asarray(weights, float)
    if array.shape != (snapshots,) or not (array.min() >= 0 and array.sum() > 0):
        raise ValueError(
            f"weights: wanted {snapshots}, one a snapshot, none negative and not all "
            f"0, got shape {array.shape}, values {array.tolist()}"
        )
    return array / array.sum()


def epoch_weights(
    epoch: Shaped[Array, " snapshot"],
) -> Float[np.ndarray, " snapshot"]:
    """Weigh snapshots by the training they stand for, since they are not evenly spaced.

    The trapezoid rule over epochs, with step 0 left out. Where that leaves no width
    (one snapshot left, or several at one epoch), those left share the weight
    equally; where step 0 is all there is, so does step 0.

    Args:
        epoch: [snapshot], epochs trained, not decreasing; 0 is before training.

    Returns:
        float64 [snapshot], summing to 1.

    Raises:
        ValueError: there is no snapshot, or the epochs decrease.

    Reference:
        jaxorder's default for accessibility; the trapezoid rule is textbook.

    Example:
        >>> epoch_weights(np.array([0.0, 1.0, 2.0, 5.0])).tolist()
        [0.0, 0.125, 0.5, 0.375]
        >>> epoch_weights(np.array([0.0, 1.0])).tolist()
        [0.0, 1.0]
    """
    epochs = require("epoch", epoch, "biuf", "snapshot").astype(float)
    if not (np.diff(epochs) >= 0).all():
        raise ValueError(f"epoch: wanted none below the last, got {epochs.tolist()}")
    trained = epochs > 0 if epochs[-1] > 0 else np.ones(epochs.shape, bool)
    half_widths = np.diff(epochs[trained]) / 2
    widths = np.append(half_widths, 0) + np.append(0, half_widths)
    weights = np.zeros(epochs.shape)
    weights[trained] = _shares(widths if widths.any() else None, len(widths))
    return weights


@measured_by(_bimodality_of)
def bimodality(
    tpa: Float[Array, "*batch example"], members: int | None = None
) -> Float[Any, "*batch"]:
    """Measure how far TP-agreement splits the examples into learned and not learned.

    Lower is more bimodal. It depends on accuracy: compare it only at matched accuracy
    between 0.3 and 0.7, and look at the histogram.

    Args:
        tpa: [..., example], TP-agreement in [0, 1]; or a run, of which every snapshot.
        members: how many members `tpa` is a share of, where known. The TP-agreement
            of one member is two-valued whatever it learned, so 1 gives NaN; the
            values alone cannot tell one member from members that all agree.

    Returns:
        Pearson's kurtosis - skewness^2 from population moments, [...] (a scalar for
        one axis). At least 1, attained by two-point distributions; 3 for a normal;
        3 - 2/N for N independent members of one accuracy. NaN where the values are
        all alike.

    Raises:
        ValueError: `tpa` is not real or has no example.

    Reference:
        Pearson 1916; used on TP-agreement after Hacohen et al. 2020.

    Example:
        >>> round(float(bimodality(np.array([0.0, 0.0, 1.0, 1.0]))), 3)
        1.0
        >>> round(float(bimodality(np.array([0.0, 0.5, 0.5, 1.0]))), 3)
        2.0
        >>> float(bimodality(np.array([0.5, 0.5, 0.5])))
        nan
    """
    values = require("tpa", tpa, "biuf", "... example").astype(float)
    deviations = values - values.mean(axis=-1, keepdims=True)
    spread = np.ptp(values, axis=-1) > _ROUNDING
    scale = np.where(spread & (members != 1), deviations.std(axis=-1), np.nan)
    standard = deviations / scale[..., np.newaxis]
    return (standard**4).mean(axis=-1) - (standard**3).mean(axis=-1) ** 2


@measured_by(_fleiss_kappa_of)
def fleiss_kappa(
    correct: Bool[Array, "*batch member example"],
) -> Float[Any, "*batch"]:
    """Measure how far members agree on what is correct, beyond what chance gives.

    Args:
        correct: bool [..., member, example]; or a run, of which every snapshot.

    Returns:
        (N V / (p q) - 1) / (N - 1), [...] (a scalar for two axes), with V the
        variance of the TP-agreement over examples, p the mean accuracy and q = 1 - p.
        1 where all members are correct on the same examples, near 0 where they are
        independent, never below -1 / (N - 1). NaN for one member, and where every
        member is always right or every member always wrong ("saturated").

    Raises:
        ValueError: `correct` is not bool or has fewer than two axes.

    Reference:
        Fleiss 1971, for two categories.

    Example:
        >>> correct = np.array([[True, True, False, False], [True, False, False, True]])
        >>> float(fleiss_kappa(correct))
        0.0
        >>> float(fleiss_kappa(correct[[0, 0]]))
        1.0
    """
    return _kappa(tp_agreement(correct), np.shape(correct)[-2])


def _kappa(tpa: Float[np.ndarray, "*batch example"], members: int) -> Any:
    """Give kappa of the TP-agreements of a number of members."""
    accuracy = tpa.mean(axis=-1)
    if members == 1:
        return np.full_like(accuracy, np.nan)[()]
    saturated = (tpa == 0).all(axis=-1) | (tpa == 1).all(axis=-1)
    chance = np.where(saturated, np.nan, accuracy * (1 - accuracy))
    return ((members * tpa.var(axis=-1) / chance - 1) / (members - 1))[()]


@measured_by(_learned_of)
def learned_snapshot(correct: Bool[Array, "snapshot member example"]) -> Learned:
    """Find the snapshot from which each member stays correct to the end.

    Args:
        correct: bool [snapshot, member, example]; or a run.

    Returns:
        `snapshot` int [member, example], and the mask `learned` bool
        [member, example]. Never learned is the mask; the index there is the number
        of snapshots, one past the last.

    Raises:
        ValueError: `correct` is not bool with three axes.

    Reference:
        After the iteration learned of Baldock et al. 2021, at snapshots.

    Example:
        >>> correct = np.array([[[True, False]], [[False, False]], [[True, False]]])
        >>> found = learned_snapshot(correct)
        >>> found.snapshot.tolist(), found.learned.tolist()
        ([[2, 3]], [[True, False]])
    """
    array = require("correct", correct, "b", "snapshot member example")
    stays = np.logical_and.accumulate(array[::-1], axis=0)
    return Learned(len(array) - np.count_nonzero(stays, axis=0), array[-1].copy())


@measured_by(_first_correct_of)
def first_correct_snapshot(
    correct: Bool[Array, "snapshot member example"],
) -> Learned:
    """Find the first snapshot at which each member is correct, whatever comes after.

    A guess counts: of K classes, members that know nothing are right on one example
    in K at each snapshot. `learned_snapshot` is later wherever members forget.

    Args:
        correct: bool [snapshot, member, example]; or a run.

    Returns:
        As `learned_snapshot`; `learned` is whether it is ever correct.

    Raises:
        ValueError: `correct` is not bool with three axes.

    Reference:
        After the first learning of Toneva et al. 2019, at snapshots.

    Example:
        >>> correct = np.array([[[True, False]], [[False, False]], [[True, False]]])
        >>> found = first_correct_snapshot(correct)
        >>> found.snapshot.tolist(), found.learned.tolist()
        ([[0, 3]], [[True, False]])
    """
    array = require("correct", correct, "b", "snapshot member example")
    ever = np.asarray(array.any(axis=0))
    return Learned(np.where(ever, array.argmax(axis=0), len(array)), ever)


@measured_by(_forgetting_of)
def forgetting_events(
    correct: Bool[Array, "snapshot member example"],
) -> Int[np.ndarray, "member example"]:
    """Count how often each member goes from correct to wrong between snapshots.

    This is not the count of Toneva et al. 2019, who look at an example each time it
    is presented in training: here both splits count, weights are frozen while
    predicting, and what is forgotten and relearned between two snapshots is unseen.
    Compare counts only under one schedule of snapshots.

    Args:
        correct: bool [snapshot, member, example]; or a run.

    Returns:
        int [member, example], from 0 to half the number of snapshots.

    Raises:
        ValueError: `correct` is not bool with three axes.

    Reference:
        After Toneva et al. 2019, at snapshots.

    Example:
        >>> correct = np.array([[[True, False]], [[False, True]], [[True, True]]])
        >>> forgetting_events(correct).tolist()
        [[1, 0]]
    """
    array = require("correct", correct, "b", "snapshot member example")
    return np.count_nonzero(array[:-1] & ~array[1:], axis=0)
