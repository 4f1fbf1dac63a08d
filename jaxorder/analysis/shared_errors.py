"""Whether members that are wrong on an example give the same wrong answer."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Integer

from jaxorder.analysis.inputs import Array, Run, measured_by, require
from jaxorder.analysis.measures import common_prediction, is_answer
from jaxorder.run.folder import labels_of


class ErrorAgreement(NamedTuple):
    """How often members that are wrong together are wrong in the same way.

    Attributes:
        share: of the wrong answers counted, those that agree, in [0, 1]; NaN where
            there is none to count.
        chance: what members would show that draw each wrong answer from their own
            errors in its class, in [0, 1].
        answers: how many wrong answers a split counts, in the mean.
    """

    share: float
    chance: float
    answers: float

    @property
    def kappa(self) -> float:
        """The share beyond chance, at most 1; NaN where chance leaves no other."""
        if not self.chance < 1:
            return float("nan")
        return (self.share - self.chance) / (1 - self.chance)


def _error_agreement_of(
    run: Run, split: str, *, snapshot: int = -1, **given: Any
) -> ErrorAgreement:
    found = run.usable(split).isel(snapshot=snapshot)
    return error_agreement(found["prediction"].values, labels_of(found), **given)


@measured_by(_error_agreement_of)
def error_agreement(
    prediction: Integer[Array, "member example"],
    label: Integer[Array, " example"],
    *,
    splits: int = 20,
    seed: int = 0,
) -> ErrorAgreement:
    """Measure how often members agree with the commonest answer where both are wrong.

    The commonest answer is that of a random half of the members, and the other half
    is asked whether it gives the same, so that no answer agrees with itself. Each half
    is asked in turn. What is counted are the wrong answers to the examples on which
    the commonest answer is wrong, too: that errors fall on the same examples does not
    raise the share, only that they are the same errors.

    Args:
        prediction: integer [member, example], one snapshot; or a run, of which the
            last, or that at the position `snapshot`. The fill of uint8 and uint16
            ("not recorded") is no answer.
        label: [example], what is right. Of a run, what counts as right.
        splits: how many random halvings are averaged, at least 1. An odd member, a
            random one, is left out of each.
        seed: of the halvings.

    Returns:
        The share that agrees and what chance would give: each member's wrong answers
        dealt anew among the examples of a class that it is wrong on. With two classes
        both are 1. NaN for one member, and where no wrong answers meet.

    Raises:
        ValueError: `prediction` is not integer with two axes, or `label` does not fit.

    Reference:
        jaxorder's, after the agreement of Hacohen et al. 2020.

    Example:
        >>> prediction = np.array([[1, 2, 0, 1], [1, 1, 2, 0]])
        >>> found = error_agreement(prediction, np.zeros(4, int))
        >>> found.share, round(found.chance, 3), found.answers
        (0.5, 0.583, 4.0)
    """
    answers = require("prediction", prediction, "iu", "member example")
    right = require("label", label, "iu", "example")
    if len(right) != answers.shape[1]:
        raise ValueError(
            f"label: wanted {answers.shape[1]}, one an example, got {len(right)}"
        )
    asked, commonest = _halved(answers, splits, seed)
    tallies = np.zeros(3)
    for own, turns in zip(answers, asked.T, strict=True):
        if turns.any():
            tallies += _tally(own, right, commonest[turns])
    agreeing, expected, counted = tallies.tolist()
    if not counted:
        return ErrorAgreement(float("nan"), float("nan"), 0.0)
    return ErrorAgreement(agreeing / counted, expected / counted, counted / splits)


def _halved(
    prediction: Integer[np.ndarray, "member example"], splits: int, seed: int
) -> tuple[Bool[np.ndarray, "turn member"], Integer[np.ndarray, "turn example"]]:
    """Halve the members: who is asked in each turn, and what the others answer."""
    members, rng = len(prediction), np.random.default_rng(seed)
    half = members // 2
    asked = np.zeros((2 * splits, members), bool)
    commonest = np.empty((2 * splits, prediction.shape[1]), prediction.dtype)
    for turn in range(0, 2 * splits if half else 0, 2):
        halves = rng.permutation(members)[: 2 * half].reshape(2, half)
        for this, (one, other) in enumerate((halves, halves[::-1]), start=turn):
            asked[this, other] = True
            commonest[this] = common_prediction(prediction[one])
    return asked, commonest


def _tally(
    own: Integer[np.ndarray, " example"],
    label: Integer[np.ndarray, " example"],
    commonest: Integer[np.ndarray, "turn example"],
) -> Float[np.ndarray, " 3"]:
    """Count a member's wrong answers that agree, would by chance, and are counted."""
    wrong = is_answer(own[None])[0] & (own != label)
    both = wrong & is_answer(commonest) & (commonest != label)
    classes, coded = np.unique(np.stack([own, label, *commonest]), return_inverse=True)
    of_own, of_label, *_ = coded
    rates = _error_rates(of_own[wrong], of_label[wrong], len(classes))
    expected = rates[np.broadcast_to(of_label, both.shape)[both], coded[2:][both]]
    agreeing = np.count_nonzero(both & (commonest == own))
    return np.array([agreeing, expected.sum(), np.count_nonzero(both)])


def _error_rates(
    answer: Int[np.ndarray, " error"], label: Int[np.ndarray, " error"], classes: int
) -> Float[np.ndarray, "class class"]:
    """Give the shares of a class's wrong answers that name each other class."""
    counts = np.bincount(label * classes + answer, minlength=classes**2)
    confused = counts.reshape(classes, classes)
    return confused / np.maximum(confused.sum(axis=1, keepdims=True), 1)
