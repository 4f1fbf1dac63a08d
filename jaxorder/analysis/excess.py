"""How far members agree beyond what the classes explain, and beyond a difficulty."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from jaxorder.analysis.inputs import Array, require
from jaxorder.analysis.intervals import (
    FEWEST,
    Interval,
    deal,
    jackknife_interval,
    undefined,
)
from jaxorder.analysis.matching import reached


class Excess(NamedTuple):
    """How far members agree at an accuracy, beyond what is known without them.

    Intervals are over other members and other examples.

    Attributes:
        kappa: Fleiss' kappa less that of members which are independent within each
            class. 0 where the class is all that members agree on.
        left: what of it a difficulty leaves; undefined where none was given.
        share: of kappa, what is left; undefined where kappa is not above 0.
    """

    kappa: Interval
    left: Interval
    share: Interval


def excess_agreement(
    correct: Bool[Array, "snapshot member example"],
    label: Shaped[Array, " example"],
    *,
    accuracy: float = 0.5,
    difficulty: Float[Array, "snapshot example"] | None = None,
    blocks: int = 25,
    seed: int = 0,
    level: float = 0.95,
) -> Excess:
    """Measure how far members agree beyond their classes where they reach an accuracy.

    Args:
        correct: bool [snapshot, member, example].
        label: [example], classes within which the null is independent.
        accuracy: mean accuracy to interpolate to, as `reached`.
        difficulty: [snapshot, example], the TP-agreement that the difficulty of each
            example lets expect, as `cross_fitted` gives it; its means within classes
            count for nothing.
        blocks: into how many blocks examples are dealt, each of which is left out.
        seed: of the dealing.
        level: wanted coverage of the intervals, in (0, 1).

    Returns:
        The excess; all undefined where the accuracy is not reached. Intervals have none
        for fewer than 5 members.

    Raises:
        ValueError: arrays are of another kind or do not fit each other.

    Reference:
        The excess is the mean covariance of two members within classes over p q, the
        variance of a member of mean accuracy p: Fleiss' kappa less its class null. The
        interval: jackknife over members, and over blocks of examples (Owen 2007).

    Example:
        >>> correct = np.zeros((2, 2, 8), bool)
        >>> correct[1, :, ::2] = True
        >>> found = excess_agreement(correct, np.zeros(8), accuracy=0.5)
        >>> print(found.kappa)
        1.14, interval undefined (2 members)
    """
    array = require("correct", correct, "b", "snapshot member example")
    classes = require("label", label, "biufOSU", "example")
    if len(classes) != array.shape[2]:
        raise ValueError(
            f"label: wanted {array.shape[2]}, one an example, got {len(classes)}"
        )
    expected = None
    if difficulty is not None:
        expected = require("difficulty", difficulty, "biuf", "snapshot example")
        if expected.shape != (array.shape[0], array.shape[2]):
            raise ValueError(
                f"difficulty: wanted shape {(array.shape[0], array.shape[2])}, as of "
                f"correct, got {expected.shape}"
            )
    _, group = np.unique(classes, return_inverse=True)
    return _Given(array, group, expected, accuracy).measured(blocks, seed, level)


class _Given(NamedTuple):
    """What is measured, whole or with something left out."""

    correct: Bool[np.ndarray, "snapshot member example"]
    group: Int[np.ndarray, " example"]
    expected: Float[np.ndarray, "snapshot example"] | None
    accuracy: float

    def measured(self, blocks: int, seed: int, level: float) -> Excess:
        """Measure everything, and again with each member and each block left out."""
        _, members, examples = self.correct.shape
        whole = self.figures()
        if members < 2 or np.isnan(whole[0]):
            return Excess(*[undefined(members)] * len(whole))
        every, all_examples = np.arange(members), np.arange(examples)
        by_member = [self.of_members(np.delete(every, i)).figures() for i in every]
        by_block = [
            self.of_examples(np.delete(all_examples, block)).figures()
            for block in deal(examples, blocks, seed)
        ]
        columns = zip(whole, np.array(by_member).T, np.array(by_block).T, strict=True)
        return Excess(
            *(jackknife_interval(*each, level=level, fewest=FEWEST) for each in columns)
        )

    def of_members(self, kept: Int[np.ndarray, " kept"]) -> "_Given":
        """Keep some members."""
        return self._replace(correct=self.correct[:, kept])

    def of_examples(self, kept: Int[np.ndarray, " kept"]) -> "_Given":
        """Keep some examples."""
        expected = None if self.expected is None else self.expected[:, kept]
        return _Given(
            self.correct[..., kept], self.group[kept], expected, self.accuracy
        )

    def figures(self) -> tuple[float, float, float]:
        """Give kappa's excess, what of it is left, and the share that is; or NaN."""
        nan = float("nan")
        moment = reached(self.correct.mean(axis=(1, 2)), self.accuracy)
        if moment is None:
            return nan, nan, nan
        kappa = moment.between(self.kappa)
        if self.expected is None:
            return kappa, nan, nan
        left = moment.between(self.left)
        return kappa, left, left / kappa if kappa > 0 else nan

    def kappa(self, snapshot: int) -> float:
        """Give the excess over independence within classes."""
        return self._covariance(snapshot, self._within(self.correct[snapshot]))

    def left(self, snapshot: int) -> float:
        """Give what of it remains where the difficulty is known."""
        assert self.expected is not None
        deviation = self._within(self.expected[snapshot][None])
        own = self._within(self.correct[snapshot])
        return self._covariance(snapshot, own - deviation)

    def _within(
        self, values: Shaped[np.ndarray, "row example"]
    ) -> Float[np.ndarray, "row example"]:
        """Take each class's mean from the values of its examples."""
        sums = [np.bincount(self.group, weights=row) for row in values]
        many = np.bincount(self.group)
        means = np.array(sums) / np.maximum(many, 1)
        return values - means[:, self.group]

    def _covariance(
        self, snapshot: int, residual: Float[np.ndarray, "member example"]
    ) -> float:
        """Average the covariance of two members, over that of one with itself."""
        members, right = len(residual), self.correct[snapshot].mean()
        variance = right * (1 - right)
        if members < 2 or not variance > 0:
            return float("nan")
        # of both members a class's mean is taken, which its examples were used for
        many = np.bincount(self.group)[self.group]
        weight = many / np.maximum(many - 1, 1)
        products = residual.sum(axis=0) ** 2 - (residual**2).sum(axis=0)
        pairs = members * (members - 1)
        return float((weight * products).mean() / pairs / variance)
