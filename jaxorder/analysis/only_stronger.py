"""Which examples the stronger of two has learned, and the weaker has not."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Shaped

from jaxorder.analysis.containment import jeffreys, weaker_first
from jaxorder.analysis.inputs import Array, require
from jaxorder.analysis.measures import tp_agreement
from jaxorder.analysis.two_runs import Both, takes_two_runs

# 3 of 10 members are not more than 0.3, whatever rounding says.
_ROUNDING = 1e-9


class OnlyStronger(NamedTuple):
    """Examples that the stronger alone has learned, found twice.

    Attributes:
        example: of the examples confirmed: their ids, of runs, else their positions.
        selected: how many examples one half of the members names.
        confirmed: how many of them the other half names, too.
        share: confirmed of those selected, in [0, 1]; NaN where none are.
        chance: what the share would be if, within each class, what the one half names
            said nothing about what the other does.
        low: lower end of the share's 95% interval over other examples, with these
            members; NaN where the share is.
        high: its upper end.
    """

    example: Shaped[np.ndarray, " confirmed"]
    selected: int
    confirmed: int
    share: float
    chance: float
    low: float
    high: float


def _of_both(both: Both, **given: Any) -> OnlyStronger:
    weaker, stronger = weaker_first(both.correct())
    found = only_stronger(weaker, stronger, **{"label": both.label, **given})
    return found._replace(example=both.example_id[found.example])


@takes_two_runs(_of_both)
def only_stronger(
    weaker: Bool[Array, "member_a example"],
    stronger: Bool[Array, "member_b example"],
    label: Shaped[Array, " example"],
    *,
    threshold: float = 0.5,
    seed: int = 0,
) -> OnlyStronger:
    """Find the examples that the stronger has learned and the weaker has not.

    Whoever looks for extremes finds luck, too. So one random half of the members of
    each selects, and the other half has to confirm: what is left is what other members
    of these collections would name again.

    Args:
        weaker: bool [member, example], one snapshot of the weaker collection; or two
            runs, of which the last snapshots, or `at="matched"` accuracy, or `at` a
            position each; the less accurate there is the weaker. Of a single member
            there are no halves: it selects and confirms.
        stronger: of the stronger, at least 2 members; the same examples in the same
            order.
        label: [example], classes within which chance is taken. Of runs, those that
            count as right.
        threshold: learned is a TP-agreement above it, in [0, 1).
        seed: of the halving. An odd member, a random one, is left out.

    Returns:
        The examples confirmed, how many were selected, and what chance would confirm.

    Raises:
        ValueError: the arrays are not bool with two axes, or of other examples, the
            stronger has one member, or the threshold is not in [0, 1).

    Reference:
        After Hacohen et al. 2020; the halving is jaxorder's. The interval is
        Jeffreys', as in Brown, Cai and DasGupta 2001.

    Example:
        >>> weaker = np.array([[True, False, False, False]] * 2)
        >>> stronger = np.array([[True, True, True, False], [True, True, False, False]])
        >>> found = only_stronger(weaker, stronger, np.zeros(4))
        >>> found.example.tolist(), found.confirmed, found.chance
        ([1], 1, 0.25)
        >>> found.selected, round(found.low, 3), round(found.high, 3)
        (2, 0.061, 0.939)
    """
    first = require("weaker", weaker, "b", "member example")
    second = require("stronger", stronger, "b", "member example")
    classes = require("label", label, "biufOSU", "example")
    for name, length in (("stronger", second.shape[1]), ("label", len(classes))):
        if length != first.shape[1]:
            raise ValueError(
                f"{name}: wanted {first.shape[1]} examples, as in weaker, got {length}"
            )
    if len(second) < 2:
        raise ValueError("stronger: wanted at least 2 members to halve, got 1")
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold: wanted a share in [0, 1), got {threshold}")
    rng = np.random.default_rng(seed)
    above = threshold + _ROUNDING
    learned = [tp_agreement(half) > above for half in _halves(second, rng)]
    missed = [tp_agreement(half) <= above for half in _halves(first, rng)]
    one, other = (a & b for a, b in zip(learned, missed, strict=True))
    _, group = np.unique(classes, return_inverse=True)
    return _found(one, other, group)


def _halves(
    correct: Bool[np.ndarray, "member example"], rng: np.random.Generator
) -> list[Bool[np.ndarray, "half example"]]:
    """Halve the members at random; a single one is both halves."""
    members, half = rng.permutation(len(correct)), len(correct) // 2
    if not half:
        return [correct, correct]
    return [correct[members[:half]], correct[members[half : 2 * half]]]


def _found(
    one: Bool[np.ndarray, " example"],
    other: Bool[np.ndarray, " example"],
    group: Int[np.ndarray, " example"],
) -> OnlyStronger:
    """Count what both halves name, and what they would by chance within classes."""
    confirmed, selected = np.flatnonzero(one & other), int(np.count_nonzero(one))
    by_class = [np.bincount(group, weights=each) for each in (one, other)]
    expected = float((by_class[0] * by_class[1] / np.bincount(group)).sum())
    share = len(confirmed) / selected if selected else float("nan")
    (low,), (high,) = jeffreys(np.array([share]), np.array([float(selected)]))
    return OnlyStronger(
        example=confirmed,
        selected=selected,
        confirmed=len(confirmed),
        share=share,
        chance=expected / selected if selected else float("nan"),
        low=float(low),
        high=float(high),
    )
