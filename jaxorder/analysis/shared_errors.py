"""Whether members that are wrong on an example give the same wrong answer."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Integer

from jaxorder.analysis.inputs import Array, Run, measured_by, require
from jaxorder.analysis.intervals import (
    FEWEST,
    Interval,
    jackknife_interval,
    undefined,
)
from jaxorder.analysis.measures import commonest, is_answer
from jaxorder.analysis.scales import BEYOND_CHANCE, SHARE, Scale
from jaxorder.run.folder import labels_of

# Classes that two bytes name, beside no answer.
_MOST = 2**16 - 1
# Of fewer wrong answers a split, intervals were seen to cover 90% instead of 95%; of 8
# to 50 it was 93 to 98%.
_FEWEST_ANSWERS = 10
# Counts below this are rounding.
_ROUNDING = 1e-9


class ErrorAgreement(NamedTuple):
    """How often members that are wrong together are wrong in the same way.

    Attributes:
        share: of the wrong answers counted, those that agree, in [0, 1]; undefined
            where there is none to count.
        chance: what members would show that draw each wrong answer from their own
            errors in its class, in [0, 1].
        kappa: the share beyond chance, at most 1; undefined where chance is 1.
        answers: how many wrong answers a split counts, in the mean.
    """

    share: Interval
    chance: float
    kappa: Interval
    answers: float


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
    level: float = 0.95,
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
        level: wanted coverage of the intervals, in (0, 1).

    Returns:
        The share that agrees and what chance would give: each member's wrong answers
        dealt anew among the examples of a class that it is wrong on. With two classes
        both are 1. Undefined for one member, and where no wrong answers meet.
        Intervals are over other members on these examples; none for fewer than 5, or
        where a split counts fewer than 10 wrong answers.

    Raises:
        ValueError: `prediction` is not integer with two axes, or `label` does not fit.

    Reference:
        jaxorder's, after the agreement of Hacohen et al. 2020; the intervals by
        jackknife over members, each left out of the same halves.

    Example:
        >>> prediction = np.array([[1, 2, 0, 1], [1, 1, 2, 0]])
        >>> found = error_agreement(prediction, np.zeros(4, int))
        >>> found.share.estimate, round(found.chance, 3), found.answers
        (0.5, 0.583, 4.0)
        >>> print(found.kappa)
        -0.20, interval undefined (2 members)
    """
    answers = require("prediction", prediction, "iu", "member example")
    right = require("label", label, "iu", "example")
    if len(right) != answers.shape[1]:
        raise ValueError(
            f"label: wanted {answers.shape[1]}, one an example, got {len(right)}"
        )
    given = _Given.of(answers, right)
    whole, without = _tallies(given, _halved(given.answers, splits, seed))
    counted = float(whole[_COUNTED]) / splits
    if counted < _FEWEST_ANSWERS:
        without = np.full(without.shape, np.nan)  # which leaves no interval
    return ErrorAgreement(
        share=_interval(whole, without, _share, SHARE, level),
        chance=float(_chance(whole)),
        kappa=_interval(whole, without, _kappa, BEYOND_CHANCE, level),
        answers=counted,
    )


class _Given(NamedTuple):
    """Answers, and what is right.

    Attributes:
        answers: [member, example], of a type that knows no answer.
        label: [example], what is right, among the answers; another number where that
            is never answered.
        group: [example], the class, counted from 0.
    """

    answers: Integer[np.ndarray, "member example"]
    label: Int[np.ndarray, " example"]
    group: Int[np.ndarray, " example"]

    @classmethod
    def of(
        cls,
        answers: Integer[np.ndarray, "member example"],
        label: Integer[np.ndarray, " example"],
    ) -> "_Given":
        """Name answers by small numbers, where they are not yet."""
        _, group = np.unique(label, return_inverse=True)
        if answers.dtype in (np.uint8, np.uint16):
            return cls(answers, label.astype(np.int64), group)
        known, coded = np.unique(answers, return_inverse=True)
        if len(known) > _MOST:
            raise ValueError(
                f"prediction: wanted at most {_MOST:,} classes, got {len(known):,}"
            )
        place = np.searchsorted(known, label).clip(max=len(known) - 1)
        place[known[place] != label] = -1
        return cls(coded.astype(np.uint16), place, group)

    def wrong(
        self, answers: Integer[np.ndarray, "*some example"]
    ) -> Bool[np.ndarray, "*some example"]:
        """Mark the wrong ones of some answers to all examples."""
        return is_answer(answers) & (answers != self.label)


# ---- what is counted

# Of wrong answers: how many agree, how many would by chance, how many there are.
_AGREEING, _EXPECTED, _COUNTED = range(3)
Tally = Float[np.ndarray, "3 *case"]  # of a case, or of several


def _share(tally: Tally) -> Any:
    return _ratio(tally[_AGREEING], tally[_COUNTED])


def _chance(tally: Tally) -> Any:
    return _ratio(tally[_EXPECTED], tally[_COUNTED])


def _kappa(tally: Tally) -> Any:
    agreeing, expected, counted = tally
    return _ratio(agreeing - expected, counted - expected)


def _ratio(above: Any, below: Any) -> Any:
    """Divide; NaN where there is nothing to divide by, but for rounding."""
    return above / np.where(below > _ROUNDING, below, np.nan)


def _interval(
    whole: Float[np.ndarray, " 3"],
    without: Float[np.ndarray, "3 member"],
    figure: Callable[[Tally], Any],
    scale: Scale,
    level: float,
) -> Interval:
    estimate, left_out = float(figure(whole)), figure(without)
    if np.isnan(estimate):
        return undefined(len(left_out))
    return jackknife_interval(
        estimate, left_out, level=level, scale=scale, fewest=FEWEST
    )


# ---- halves


class _Halves(NamedTuple):
    """Halves of the members, each asked for what is commonest among the others.

    Attributes:
        asked: [turn, member], who is.
        voting: [turn, member], whose answers are counted.
        first: [turn, example], the commonest of these.
        after: [turn, example], what it were if one who gave it had not voted.
    """

    asked: Bool[np.ndarray, "turn member"]
    voting: Bool[np.ndarray, "turn member"]
    first: Integer[np.ndarray, "turn example"]
    after: Integer[np.ndarray, "turn example"]


def _halved(
    answers: Integer[np.ndarray, "member example"], splits: int, seed: int
) -> _Halves:
    members, rng = len(answers), np.random.default_rng(seed)
    half = members // 2
    voting, votes = [], []
    for _ in range(splits if half else 0):
        halves = rng.permutation(members)[: 2 * half].reshape(2, half)
        for voters in halves:
            voting.append(np.isin(np.arange(members), voters))
            votes.append(_votes(answers[voters]))
    shape = len(votes), answers.shape[1]
    first, after = np.empty((2, *shape), answers.dtype)
    for turn, found in enumerate(votes):
        first[turn], after[turn] = found
    counted = np.array(voting, bool).reshape(-1, 2, members)
    return _Halves(
        counted[:, ::-1].reshape(-1, members),
        counted.reshape(-1, members),
        first,
        after,
    )


def _votes(
    answers: Integer[np.ndarray, "voter example"],
) -> tuple[Integer[np.ndarray, " example"], Integer[np.ndarray, " example"]]:
    """Give the commonest answers, and what they were with one vote less for them."""
    first, none = commonest(answers), np.iinfo(answers.dtype).max
    others = np.where(answers == first.answer, none, answers).astype(answers.dtype)
    second = commonest(others)
    left = first.votes - 1
    # of equally common answers the smaller is taken; no votes are no answer
    wins = (second.votes == left) & ((second.answer < first.answer) | (left == 0))
    turned = (second.votes > left) | wins
    return first.answer, np.where(turned, second.answer, first.answer)


class _Entries(NamedTuple):
    """Wrong answers of halves.

    Attributes:
        turn: [entry], of which.
        example: [entry], to which.
        answer: [entry], which.
    """

    turn: Int[np.ndarray, " entry"]
    example: Int[np.ndarray, " entry"]
    answer: Integer[np.ndarray, " entry"]

    @classmethod
    def of(
        cls,
        given: _Given,
        answers: Integer[np.ndarray, "turn example"],
        some: Bool[np.ndarray, "turn example"] | bool = True,
    ) -> "_Entries":
        """Collect the wrong ones of the answers, or of some of them."""
        turn, example = np.nonzero(given.wrong(answers) & some)
        return cls(turn, example, answers[turn, example])


def _tallies(
    given: _Given, halves: _Halves
) -> tuple[Float[np.ndarray, " 3"], Float[np.ndarray, "3 member"]]:
    """Count what agrees, of all members and with each left out.

    A member that is left out neither is asked nor votes; where its vote decided, those
    who were asked meet another answer.
    """
    turned = halves.first != halves.after
    met = _Entries.of(given, halves.first)
    lost = _Entries.of(given, halves.first, turned)
    found = _Entries.of(given, halves.after, turned)
    own, less, more = (
        np.zeros((3, size))
        for size in (len(given.answers), len(lost.turn), len(found.turn))
    )
    for member, asked in enumerate(halves.asked.T):
        told = _Asked.of(given, member, asked)
        own[:, member] = told.tally(met).sum(axis=1)
        less += told.tally(lost)
        more += told.tally(found)
    whole = own.sum(axis=1)
    without = whole[:, None] - own
    for member, voting in enumerate(halves.voting.T):
        decided = given.answers[member] == halves.first
        for entries, tally, sign in ((lost, less, -1), (found, more, 1)):
            turns = voting[entries.turn] & decided[entries.turn, entries.example]
            without[:, member] += sign * tally[:, turns].sum(axis=1)
    return whole, without


class _Asked(NamedTuple):
    """A member that is asked in some turns.

    Attributes:
        turns: [turn], in which.
        answers: [example].
        wrong: [example], which answers are.
        rates: [class, answer], shares of its wrong answers in a class.
        group: [example], the class.
    """

    turns: Bool[np.ndarray, " turn"]
    answers: Integer[np.ndarray, " example"]
    wrong: Bool[np.ndarray, " example"]
    rates: Float[np.ndarray, "class answer"]
    group: Int[np.ndarray, " example"]

    @classmethod
    def of(cls, given: _Given, member: int, turns: Bool[np.ndarray, " turn"]):
        """Take a member's answers, and how it errs."""
        answers = given.answers[member]
        wrong = given.wrong(answers)
        rates = _error_rates(given, answers[wrong], given.group[wrong])
        return cls(turns, answers, wrong, rates, given.group)

    def tally(self, met: _Entries) -> Tally:
        """Count of each answer that is met: agrees, would by chance, is counted."""
        counted = self.turns[met.turn] & self.wrong[met.example]
        tally = np.zeros((3, len(counted)))
        tally[_AGREEING] = counted & (self.answers[met.example] == met.answer)
        chance = self.rates[self.group[met.example[counted]], met.answer[counted]]
        tally[_EXPECTED, counted] = chance
        tally[_COUNTED] = counted
        return tally


def _error_rates(
    given: _Given, answer: Integer[np.ndarray, " error"], group: Int[np.ndarray, "_"]
) -> Float[np.ndarray, "class answer"]:
    """Give the shares of a class's wrong answers that name each other class."""
    known = given.answers
    answers = int(known.max(where=is_answer(known), initial=0)) + 1
    classes = int(given.group.max(initial=0)) + 1
    counts = np.bincount(group * answers + answer, minlength=classes * answers)
    confused = counts.reshape(classes, answers)
    return confused / np.maximum(confused.sum(axis=1, keepdims=True), 1)
