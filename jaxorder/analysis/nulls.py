"""What agreement would look like if members were independent, given their accuracy.

Three nulls, nested: each member has its own accuracy; its own accuracy per class; its
own accuracy at each difficulty, as it is known without a network, per class. Under
each, the examples (of a class, at a difficulty) are independent draws from one
Poisson-binomial distribution, so that the moments are exact, and simulating M examples
is one draw of a multinomial histogram.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Integer, Shaped

from jaxorder.analysis.histograms import moments_of, weighted
from jaxorder.analysis.inputs import (
    Array,
    Run,
    measured_by,
    read_snapshot,
    require,
)
from jaxorder.analysis.intervals import Interval
from jaxorder.analysis.snapshot_measures import SNAPSHOT_MEASURES


@dataclass(frozen=True, eq=False)
class Null:
    """What a null expects of one snapshot.

    Attributes:
        name: the null in words.
        members: how many, N.
        examples: how many, M.
        pmf: [N + 1], the expected share of examples at each TP-agreement k / N.
        mean: expected TP-agreement, the mean accuracy.
        variance: of the TP-agreement over examples.
        measures: each measure of the table, by its name: exact (of the expected
            histogram); the ends enclose that of M examples drawn under the null.
    """

    name: str
    members: int
    examples: int
    pmf: Float[np.ndarray, " agreeing"]
    mean: float
    variance: float
    measures: Mapping[str, Interval]

    @property
    def kappa(self) -> Interval:
        """Fleiss' kappa under the null."""
        return self.measures["kappa"]

    @property
    def bimodality(self) -> Interval:
        """Bimodality under the null."""
        return self.measures["bimodality"]

    @property
    def expected(self) -> Float[np.ndarray, " agreeing"]:
        """Expected histogram of TP-agreement: examples at each k / N, [N + 1]."""
        return self.pmf * self.examples


def _independent_of(run: Run, split: str, *, snapshot: int = -1, **given: Any) -> Null:
    found = read_snapshot(run, split, snapshot)
    return independent_null(found["correct"], **given)


def _by_class_of(run: Run, split: str, *, snapshot: int = -1, **given: Any) -> Null:
    return class_null(**{**read_snapshot(run, split, snapshot), **given})


def _by_difficulty_of(
    run: Run, split: str, *, snapshot: int = -1, **given: Any
) -> Null:
    return difficulty_null(**{**read_snapshot(run, split, snapshot), **given})


@measured_by(_independent_of)
def independent_null(
    correct: Bool[Array, "member example"],
    *,
    simulations: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Null:
    """Expect of a snapshot what independent members of the same accuracies would show.

    Args:
        correct: bool [member, example], one snapshot; or a run, of which the last, or
            that at the position `snapshot`.
        simulations: how many collections are drawn for the intervals.
        seed: of the draws.
        level: share of the draws that the intervals enclose, in (0, 1).

    Returns:
        The null. Its kappa is not above 0: -variance of the accuracies over
        p q (N - 1).

    Raises:
        ValueError: `correct` is not bool with two axes.

    Reference:
        After Hacohen et al. 2020; the Poisson-binomial is textbook.

    Example:
        >>> correct = np.array([[True, True, False, False], [True, False, True, False]])
        >>> null = independent_null(correct)
        >>> null.pmf.tolist(), null.kappa.estimate, null.bimodality.estimate
        ([0.25, 0.5, 0.25], 0.0, 2.0)
    """
    array = require("correct", correct, "b", "member example")
    given = {"simulations": simulations, "seed": seed, "level": level}
    return null_of_accuracy(array.mean(axis=1), array.shape[1], **given)


def null_of_accuracy(
    accuracy: Float[np.ndarray, " member"],
    examples: int,
    *,
    simulations: int,
    seed: int = 0,
    level: float = 0.95,
) -> Null:
    """Expect the same as `independent_null`, of members of known accuracies.

    Args:
        accuracy: [member], in [0, 1].
        examples: on how many.
        simulations: as there.
        seed: as there.
        level: as there.
    """
    given = "independent members", [accuracy], [examples]
    return _null(*given, simulations, seed, level)


@measured_by(_by_class_of)
def class_null(
    correct: Bool[Array, "member example"],
    label: Shaped[Array, " example"],
    *,
    simulations: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Null:
    """Expect what independent members of the same accuracies per class would show.

    Args:
        correct: bool [member, example], one snapshot; or a run, of which the last, or
            that at the position `snapshot`.
        label: [example], the classes by which accuracies are taken. Their sizes are
            kept. Of a run, those that count as right.
        simulations: how many collections are drawn for the intervals.
        seed: of the draws.
        level: share of the draws that the intervals enclose, in (0, 1).

    Returns:
        The null. Classes that are harder for every member make its kappa positive.

    Raises:
        ValueError: `correct` is not bool with two axes, or `label` is not of one axis
            and as many examples.

    Reference:
        jaxorder's; compare the class-conditional chance of Geirhos et al. 2020.

    Example:
        >>> correct = np.array([[True, True, False, False], [True, True, True, False]])
        >>> null = class_null(correct, np.array([0, 0, 1, 1]))
        >>> null.pmf.tolist(), round(null.kappa.estimate, 3)
        ([0.25, 0.25, 0.5], 0.467)
    """
    array = require("correct", correct, "b", "member example")
    classes = _one_each("label", label, "biufOSU", array)
    groups = [array[:, classes == each] for each in np.unique(classes)]
    right = np.array([group.sum(axis=1) for group in groups])
    given = {"simulations": simulations, "seed": seed, "level": level}
    return null_of_classes(right, [group.shape[1] for group in groups], **given)


def null_of_classes(
    right: Integer[np.ndarray, "class member"],
    sizes: Sequence[int],
    *,
    simulations: int,
    seed: int = 0,
    level: float = 0.95,
) -> Null:
    """Expect the same as `class_null`, of known numbers of right answers.

    Args:
        right: [class, member], on how many examples of a class each member is right.
        sizes: [class], how many examples there are, at least 1.
        simulations: as there.
        seed: as there.
        level: as there.
    """
    chances = [own / size for own, size in zip(right, sizes, strict=True)]
    given = "independent members per class", chances, sizes
    return _null(*given, simulations, seed, level)


@measured_by(_by_difficulty_of)
def difficulty_null(
    correct: Bool[Array, "member example"],
    difficulty: Shaped[Array, " example"],
    label: Shaped[Array, " example"] | None = None,
    *,
    groups: int = 10,
    simulations: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Null:
    """Expect what independent members would show, given a difficulty of the examples.

    The difficulty is to be one that needs no network, such as `neighbour_consistency`
    or a linear classifier's margin. Measured with error, as each is, it explains too
    little: members above this null agree on more than this measure of difficulty, not
    on more than any. The accessibility of other members in its place shows how much
    any could explain.

    Args:
        correct: bool [member, example], one snapshot; or a run, of which the last, or
            that at the position `snapshot`.
        difficulty: [example], of which the order alone counts, in either direction.
        label: [example], classes within which examples are grouped by difficulty;
            None: all are one. Of a run, those that count as right.
        groups: how many groups of about equal size a class is cut into, at least 1;
            examples of equal difficulty stay together. Within a group accuracies are
            those of independent members, so few groups explain less.
        simulations: how many collections are drawn for the intervals.
        seed: of the draws.
        level: share of the draws that the intervals enclose, in (0, 1).

    Returns:
        The null. Its kappa is what the difficulty explains of the members'.

    Raises:
        ValueError: `correct` is not bool with two axes, `difficulty` or `label` is
            not of one axis and as many examples, or holds NaN, or `groups` is below 1.

    Reference:
        jaxorder's; grouping by a score: Cochran 1968.

    Example:
        >>> correct = np.array([[True, True, False, False], [True, True, True, False]])
        >>> null = difficulty_null(correct, np.array([0.1, 0.3, 0.6, 0.7]), groups=2)
        >>> null.pmf.tolist(), round(null.kappa.estimate, 3)
        ([0.25, 0.25, 0.5], 0.467)
    """
    array = require("correct", correct, "b", "member example")
    ease = _one_each("difficulty", difficulty, "biuf", array).astype(float)
    if groups < 1 or np.isnan(ease).any():
        raise ValueError(
            f"difficulty: wanted numbers in at least 1 group, got {groups} groups and "
            f"{np.count_nonzero(np.isnan(ease))} NaN"
        )
    given = np.zeros(len(ease)) if label is None else label
    classes = _one_each("label", given, "biufOSU", array)
    alike = [array[:, each] for each in _grouped(ease, classes, groups)]
    given = (
        "independent members per difficulty",
        [group.mean(axis=1) for group in alike],
        [group.shape[1] for group in alike],
    )
    return _null(*given, simulations, seed, level)


def _one_each(
    name: str, values: Array, kinds: str, correct: Bool[np.ndarray, "member example"]
) -> Shaped[np.ndarray, " example"]:
    """Read what there is to be one of for each example."""
    found, examples = require(name, values, kinds, "example"), correct.shape[1]
    if len(found) != examples:
        raise ValueError(f"{name}: wanted {examples}, one an example, got {len(found)}")
    return found


def _grouped(
    difficulty: Float[np.ndarray, " example"],
    classes: Shaped[np.ndarray, " example"],
    groups: int,
) -> Iterator[Int[np.ndarray, " _"]]:
    """Give the examples of each class in groups of like difficulty, ties together."""
    for each in np.unique(classes):
        own = np.flatnonzero(classes == each)
        cuts = np.quantile(difficulty[own], np.arange(1, groups) / groups)
        group = np.searchsorted(cuts, difficulty[own], side="right")
        yield from (own[group == among] for among in np.unique(group))


def poisson_binomial(
    probabilities: Float[Array, " member"],
) -> Float[np.ndarray, " agreeing"]:
    """Give the distribution of how many of independent events happen.

    Args:
        probabilities: [N], of each event, in [0, 1].

    Returns:
        float64 [N + 1], the probability of each count 0..N, exact by convolution.

    Raises:
        ValueError: `probabilities` have another shape or range.

    Reference:
        Poisson 1837; convolution as in Hong 2013.

    Example:
        >>> poisson_binomial(np.array([0.5, 0.2])).round(3).tolist()
        [0.4, 0.5, 0.1]
    """
    chances = require("probabilities", probabilities, "biuf", "member")
    if not ((chances >= 0) & (chances <= 1)).all():
        raise ValueError(f"probabilities: wanted [0, 1], got {chances.tolist()}")
    pmf = np.ones(1)
    for chance in chances:
        pmf = np.convolve(pmf, (1 - chance, chance))
    return pmf


def _null(
    name: str,
    chances: Sequence[Float[np.ndarray, " member"]],
    sizes: Sequence[int],
    simulations: int,
    seed: int,
    level: float,
) -> Null:
    """Mix the groups' distributions by their sizes; draw for the intervals."""
    pmfs = [poisson_binomial(each) for each in chances]
    pmf = np.average(pmfs, axis=0, weights=sizes)
    moments = moments_of(*weighted(pmf))
    draws = _draws(pmfs, sizes, simulations, seed)
    return Null(
        name=name,
        members=len(chances[0]),
        examples=sum(sizes),
        pmf=pmf,
        mean=float(moments[1]),
        variance=float(moments[2]),
        measures={
            measure.name: _range(measure.of, pmf, draws, level)
            for measure in SNAPSHOT_MEASURES
        },
    )


def _draws(
    pmfs: Sequence[Float[np.ndarray, " agreeing"]],
    sizes: Sequence[int],
    simulations: int,
    seed: int,
) -> Integer[np.ndarray, "simulation agreeing"]:
    """Draw histograms of TP-agreement under the null."""
    rng = np.random.default_rng(seed)
    drawn = np.zeros((simulations, len(pmfs[0])), int)
    for pmf, size in zip(pmfs, sizes, strict=True):
        drawn += rng.multinomial(size, pmf / pmf.sum(), simulations)
    return drawn


def _range(
    measure: Callable[[np.ndarray], Any],
    pmf: Float[np.ndarray, " agreeing"],
    draws: Integer[np.ndarray, "simulation agreeing"],
    level: float,
) -> Interval:
    """Enclose the middle share of a measure of the draws, where it is defined."""
    exact, drawn = measure(pmf), measure(draws)
    defined = drawn[~np.isnan(drawn)]
    if not len(defined):
        nan = float("nan")
        return Interval(float(exact), nan, nan, nan, level)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(exact), float(low), float(high), float(defined.std()), level)
