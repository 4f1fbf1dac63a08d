"""Whether what the weaker of two has learned is part of what the stronger has."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from scipy.stats import beta

from jaxorder.analysis.inputs import Array, Run, measured_by, read_snapshot, require
from jaxorder.analysis.measures import tp_agreement
from jaxorder.analysis.two_runs import Both, takes_two_runs

# "Learned" is a majority of the members; the others are to see that it hangs on none.
THRESHOLDS = np.linspace(0.1, 0.9, 9)
HALF = 4  # where the majority stands among them


class Containment(NamedTuple):
    """What the stronger has learned of what the weaker has, by what learned means.

    Attributes:
        threshold: [threshold], learned is a TP-agreement above it.
        share: [threshold], of the examples that the weaker has learned, those that
            the stronger has, in [0, 1]; NaN where the weaker has learned none.
        chance: [threshold], what it would be if, within each class, what the one has
            learned said nothing about the other.
        odds_ratio: [threshold], how many times the odds that the stronger has learned
            an example are as high where the weaker has, within classes: 1 by chance,
            infinite where the weaker has learned nothing that the stronger has not.
            NaN where it cannot be told, as where the stronger has learned all.
        learned: [threshold], how many examples the weaker has learned.
        unlearned: [threshold], how many the stronger has not. Of fewer than some 30
            the rest says little.
        low: [threshold], lower end of the share's 95% interval over other examples,
            with these members; NaN where the share is.
        high: [threshold], its upper end.
    """

    threshold: Float[np.ndarray, " threshold"]
    share: Float[np.ndarray, " threshold"]
    chance: Float[np.ndarray, " threshold"]
    odds_ratio: Float[np.ndarray, " threshold"]
    learned: Float[np.ndarray, " threshold"]
    unlearned: Float[np.ndarray, " threshold"]
    low: Float[np.ndarray, " threshold"]
    high: Float[np.ndarray, " threshold"]


def _containment_of(both: Both, **given: Any) -> Containment:
    weaker, stronger = weaker_first(both.correct())
    agreements = tp_agreement(weaker), tp_agreement(stronger)
    return containment(*agreements, **{"label": both.label, **given})


def weaker_first(
    correct: tuple[Bool[np.ndarray, "_ example"], Bool[np.ndarray, "_ example"]],
) -> tuple[Bool[np.ndarray, "_ example"], Bool[np.ndarray, "_ example"]]:
    """Put the collection of the lower mean accuracy first."""
    a, b = correct
    return (b, a) if b.mean() < a.mean() else (a, b)


@takes_two_runs(_containment_of)
def containment(
    weaker: Float[Array, " example"],
    stronger: Float[Array, " example"],
    label: Shaped[Array, " example"],
    thresholds: Float[Array, " threshold"] = THRESHOLDS,
) -> Containment:
    """Measure how far the stronger has learned what the weaker has.

    Args:
        weaker: [example], TP-agreement of a snapshot of the weaker collection, or of
            an earlier snapshot of the same; no member of it may be in the other's. Or
            two runs, of which the last snapshots, or `at="matched"` accuracy, or `at`
            a position each; the less accurate there is the weaker.
        stronger: [example], of the stronger; the same examples in the same order.
        label: [example], classes within which chance is taken. Of runs, those that
            count as right.
        thresholds: [threshold], in [0, 1).

    Returns:
        The curve over thresholds. `containment_of_halves` gives that of two
        collections which differ in their members alone.

    Raises:
        ValueError: the values are not real with one axis, or of other examples, or a
            threshold is not in [0, 1).

    Reference:
        After Hacohen et al. 2020; the odds ratio by classes: Mantel and Haenszel 1959;
        the interval is Jeffreys', as in Brown, Cai and DasGupta 2001.

    Example:
        >>> weaker = np.array([1.0, 1.0, 0.0, 0.0, 1.0, 0.0])
        >>> stronger = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
        >>> found = containment(weaker, stronger, np.zeros(6), np.array([0.5]))
        >>> found.share.round(3).tolist(), found.chance.tolist()
        ([0.667], [0.5])
        >>> found.odds_ratio.tolist(), found.unlearned.tolist()
        ([4.0], [3.0])
        >>> found.low.round(3).tolist(), found.high.round(3).tolist()
        ([0.177], [0.961])
    """
    first = require("weaker", weaker, "biuf", "example").astype(float)
    second = require("stronger", stronger, "biuf", "example").astype(float)
    classes = require("label", label, "biufOSU", "example")
    for name, each in (("stronger", second), ("label", classes)):
        if each.shape != first.shape:
            raise ValueError(
                f"{name}: wanted {len(first)}, one an example as in weaker, got "
                f"{len(each)}"
            )
    above = require("thresholds", thresholds, "biuf", "threshold").astype(float)
    if not ((above >= 0) & (above < 1)).all():
        raise ValueError(f"thresholds: wanted shares in [0, 1), got {above.tolist()}")
    _, group = np.unique(classes, return_inverse=True)
    # 3 of 10 members are not more than 0.3, whatever rounding says
    learned = ((first > at + 1e-9, second > at + 1e-9) for at in above)
    tables = np.array([_tables(a, b, group) for a, b in learned], float)
    return _contained(above, *np.moveaxis(tables, 1, 0))


def _tables(
    a: Bool[np.ndarray, " example"],
    b: Bool[np.ndarray, " example"],
    group: Int[np.ndarray, " example"],
) -> list[Int[np.ndarray, " class"]]:
    """Count, by class, the examples learned by both, the one, the other and none."""
    cells = (a & b, a & ~b, ~a & b, ~a & ~b)
    classes = group.max() + 1
    return [np.bincount(group[cell], minlength=classes) for cell in cells]


def _contained(
    threshold: Float[np.ndarray, " threshold"],
    both: Float[np.ndarray, "threshold class"],
    one: Float[np.ndarray, "threshold class"],
    other: Float[np.ndarray, "threshold class"],
    none: Float[np.ndarray, "threshold class"],
) -> Containment:
    """Sum over classes what tables of learned by the one, and by the other, say."""
    sizes, learned = both + one + other + none, (both + one).sum(axis=1)
    by_chance = ((both + one) * (both + other) / sizes).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = (both * none / sizes).sum(axis=1) / (one * other / sizes).sum(axis=1)
        share, chance = both.sum(axis=1) / learned, by_chance / learned
    unlearned = (one + none).sum(axis=1)
    low, high = jeffreys(share, learned)
    return Containment(threshold, share, chance, odds, learned, unlearned, low, high)


def jeffreys(
    share: Float[np.ndarray, " threshold"], counted: Float[np.ndarray, " threshold"]
) -> tuple[Float[np.ndarray, " threshold"], Float[np.ndarray, " threshold"]]:
    """Give the 95% interval of a share of independent examples; it holds its ends.

    Args:
        share: in [0, 1]; NaN gives NaN.
        counted: of how many examples.
    """
    there, missing = share * counted, (1 - share) * counted
    low, high = beta.ppf([[0.025], [0.975]], there + 0.5, missing + 0.5)
    return np.where(share == 0, 0.0, low), np.where(share == 1, 1.0, high)


def _of_halves_of(
    run: Run, split: str, *, snapshot: int = -1, **given: Any
) -> Containment:
    return containment_of_halves(**{**read_snapshot(run, split, snapshot), **given})


@measured_by(_of_halves_of)
def containment_of_halves(
    correct: Bool[Array, "member example"],
    label: Shaped[Array, " example"],
    *,
    thresholds: Float[Array, " threshold"] = THRESHOLDS,
    splits: int = 20,
    seed: int = 0,
) -> Containment:
    """Measure how far one half of the members has learned what the other has.

    No two collections can be expected to contain each other better.

    Args:
        correct: bool [member, example], one snapshot; or a run, of which the last, or
            that at the position `snapshot`.
        label: [example], classes within which chance is taken. Of a run, those that
            count as right.
        thresholds: [threshold], in [0, 1).
        splits: how many random halvings are pooled, at least 1. An odd member, a
            random one, is left out of each.
        seed: of the halvings.

    Returns:
        As `containment`, each half being the weaker in turn; counts are means.

    Raises:
        ValueError: `correct` is not bool with two axes or has one member, or the rest
            does not fit.

    Reference:
        jaxorder's.

    Example:
        >>> correct = np.array([[True, True, False], [True, False, False]])
        >>> at = np.array([0.5])
        >>> found = containment_of_halves(correct, np.zeros(3), thresholds=at)
        >>> found.share.round(3).tolist(), found.learned.tolist()
        ([0.667], [1.5])
    """
    array = require("correct", correct, "b", "member example")
    half, rng = len(array) // 2, np.random.default_rng(seed)
    if not half:
        raise ValueError("correct: wanted at least 2 members to halve, got 1")
    drawn = [rng.permutation(len(array))[: 2 * half] for _ in range(splits)]
    ones = [tp_agreement(array[each[:half]]) for each in drawn]
    others = [tp_agreement(array[each[half:]]) for each in drawn]
    turns = 2 * splits
    found = containment(
        np.concatenate([*ones, *others]),
        np.concatenate([*others, *ones]),
        np.tile(np.asarray(label), turns),
        thresholds,
    )
    learned = found.learned / turns
    # the turns are of the same examples
    low, high = jeffreys(found.share, learned)
    unlearned = found.unlearned / turns
    return found._replace(learned=learned, unlearned=unlearned, low=low, high=high)
