"""How far each two members are right on the same examples.

A measure of pairs is a matrix [member, member], NaN where it is undefined. Its mean is
over pairs of different members, and undefined where one of them is: to leave out the
pairs that cannot be measured would leave the members that are seldom wrong out, too.
Whoever wants that mean leaves such members out, and says so.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from jaxorder.analysis.inputs import Array, require, takes_snapshot
from jaxorder.analysis.intervals import FEWEST, Interval, jackknife_interval
from jaxorder.analysis.scales import FISHER
from jaxorder.analysis.streaming import blocks
from jaxorder.analysis.two_runs import takes_correct

# Of fewer errors a member, kappa is mostly 0 and seldom large: its intervals were seen
# to cover 86% instead of 95%, at 4 errors a member, and 95 to 99% at 5 to 10.
_FEWEST_ERRORS = 5
# Entries that are copied at a time.
_PRODUCT = 2**22


@takes_snapshot
def pairwise_kappa(
    correct: Bool[Array, "member example"],
) -> Float[np.ndarray, "member member"]:
    """Measure Cohen's kappa of what each two members are right on.

    Known as error consistency: how far two members are right and wrong on the same
    examples, beyond what their accuracies give.

    Args:
        correct: bool [member, example], one snapshot; or a run, of which the last, or
            that at the position `snapshot`.

    Returns:
        float64 [member, member] in [-1, 1], symmetric, 1 on the diagonal. NaN in the
        row and the column of a member that is always right or always wrong.

    Raises:
        ValueError: `correct` is not bool with two axes.

    Reference:
        Cohen 1960; as error consistency, Geirhos et al. 2020.

    Example:
        >>> correct = np.array([[True, True, False, False], [True, False, False, True]])
        >>> pairwise_kappa(correct).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
        >>> float(pairwise_kappa(np.array([[True, False], [True, True]]))[0, 1])
        nan
    """
    array = require("correct", correct, "b", "member example")
    return pairwise_kappa_between(array, array)


@takes_correct
def pairwise_kappa_between(
    correct_a: Bool[Array, "member_a example"],
    correct_b: Bool[Array, "member_b example"],
) -> Float[np.ndarray, "member_a member_b"]:
    """Measure Cohen's kappa between each member of one collection and of another.

    Args:
        correct_a: bool [member, example], one snapshot of one collection; or two runs,
            of which the last snapshots, or `at="matched"` accuracy, or `at` a position
            each.
        correct_b: of the other; the same examples in the same order.

    Returns:
        float64 [member_a, member_b] in [-1, 1], as `pairwise_kappa`.

    Raises:
        ValueError: the arrays are not bool with two axes, or of other examples.

    Reference:
        Cohen 1960; as error consistency, Geirhos et al. 2020.

    Example:
        >>> a = np.array([[True, True, False, False]])
        >>> pairwise_kappa_between(a, np.array([[True, True, False, True]])).tolist()
        [[0.5]]
    """
    both, of_a, of_b, examples = right_counts(correct_a, correct_b)
    # 1 - (share of disagreement) / (that by chance), in counts
    chance = of_a * (examples - of_b) + of_b * (examples - of_a)
    defined = _mixed(of_a, examples) & _mixed(of_b, examples)
    excess = 2 * (examples * both - of_a * of_b)
    return excess / np.where(defined, chance, np.nan)


def right_counts(
    correct_a: Bool[Array, "member_a _"],
    correct_b: Bool[Array, "member_b _"],
) -> tuple[
    Float[np.ndarray, "member_a member_b"],
    Float[np.ndarray, "member_a 1"],
    Float[np.ndarray, "1 member_b"],
    int,
]:
    """Count on how many examples both, the one, and the other are right, of how many.

    The counts are of type float, in which they are exact and multiply fast.
    """
    a = require("correct_a", correct_a, "b", "member example")
    b = require("correct_b", correct_b, "b", "member example")
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"correct_b: wanted {a.shape[1]} examples, as in correct_a, got "
            f"{b.shape[1]}"
        )
    examples, both = a.shape[1], np.zeros((len(a), len(b)))
    for block in blocks(max(len(a), len(b)), examples, _PRODUCT):
        both += a[:, block].astype(float) @ b[:, block].T.astype(float)
    of_a, of_b = (np.count_nonzero(each, axis=1).astype(float) for each in (a, b))
    return both, of_a[:, None], of_b[None], examples


def _mixed(
    right: Float[np.ndarray, "*members"], examples: int
) -> Bool[np.ndarray, "*members"]:
    """Mark the members that are neither always right nor always wrong."""
    return (right > 0) & (right < examples)


@takes_snapshot
def mean_pairwise_kappa(
    correct: Bool[Array, "member example"], level: float = 0.95
) -> Interval:
    """Average Cohen's kappa over all pairs of members, with its uncertainty.

    Args:
        correct: bool [member, example], one snapshot; or a run, of which the last, or
            that at the position `snapshot`.
        level: wanted coverage of the interval, in (0, 1).

    Returns:
        The mean, in [-1, 1], and its interval over other members on these examples;
        none for fewer than 5 members, or where they are right, or wrong, on fewer
        than 5 examples in the mean. Undefined for one member, and where a member is
        always right or always wrong.

    Raises:
        ValueError: `correct` is not bool with two axes.

    Reference:
        Error consistency, Geirhos et al. 2020; the interval by jackknife over members
        on the scale of Fisher's z.

    Example:
        >>> correct = np.array([[True, True, False, False], [True, True, False, True]])
        >>> print(mean_pairwise_kappa(correct))
        0.50, interval undefined (2 members)
    """
    return _of_enough(mean_of_pairs(pairwise_kappa(correct), level), correct)


@takes_correct
def mean_pairwise_kappa_between(
    correct_a: Bool[Array, "member_a example"],
    correct_b: Bool[Array, "member_b example"],
    level: float = 0.95,
) -> Interval:
    """Average Cohen's kappa over all pairs of members of two collections.

    Args:
        correct_a: bool [member, example], one snapshot of one collection; or two runs,
            of which the last snapshots, or `at="matched"` accuracy, or `at` a position
            each.
        correct_b: of the other; the same examples in the same order.
        level: wanted coverage of the interval, in (0, 1).

    Returns:
        The mean, in [-1, 1], and its interval over other members of both on these
        examples; none where a collection has fewer than 5, or is right, or wrong, on
        fewer than 5 examples in the mean. Undefined where a member is always right
        or always wrong.

    Raises:
        ValueError: the arrays are not bool with two axes, or of other examples.

    Reference:
        Error consistency, Geirhos et al. 2020; the interval by jackknife over the
        members of both, Arvesen 1969, on the scale of Fisher's z.

    Example:
        >>> a = np.array([[True, True, False, False]])
        >>> print(mean_pairwise_kappa_between(a, np.array([[True, True, False, True]])))
        0.50, interval undefined (1 member)
    """
    values = pairwise_kappa_between(correct_a, correct_b)
    found = mean_of_pairs_between(values, level)
    return _of_enough(found, correct_a, correct_b)


def _of_enough(found: Interval, *correct: Bool[Array, "_ example"]) -> Interval:
    """Take the ends from an interval that rests on too few errors or successes."""
    right = [np.count_nonzero(each) / len(np.asarray(each)) for each in correct]
    rarer = min(min(each, np.shape(correct[0])[1] - each) for each in right)
    if rarer >= _FEWEST_ERRORS:
        return found
    nan = float("nan")
    return replace(found, low=nan, high=nan, standard_error=nan)


def mean_of_pairs(
    values: Float[np.ndarray, "member member"], level: float = 0.95
) -> Interval:
    """Average a correlation over pairs of different members.

    Args:
        values: [member, member], symmetric, in [-1, 1].
        level: wanted coverage of the interval, in (0, 1).

    Returns:
        The mean, with the jackknife's interval over members; NaN where a value is.
    """
    members = len(values)
    partners = values.sum(axis=1) - values.diagonal()
    without = partners.sum() - 2 * partners
    return jackknife_interval(
        _ratio(partners.sum(), members * (members - 1)),
        _ratio(without, (members - 1) * (members - 2)),
        level=level,
        scale=FISHER,
        fewest=FEWEST,
    )


def mean_of_pairs_between(
    values: Float[np.ndarray, "member_a member_b"], level: float = 0.95
) -> Interval:
    """Average a correlation over pairs of members of two collections.

    Args:
        values: [member_a, member_b], in [-1, 1].
        level: wanted coverage of the interval, in (0, 1).

    Returns:
        The mean, with the jackknife's interval over the members of both; NaN where a
        value is.
    """
    (members_a, members_b), total = values.shape, values.sum()
    return jackknife_interval(
        float(values.mean()),
        _ratio(total - values.sum(axis=1), (members_a - 1) * members_b),
        _ratio(total - values.sum(axis=0), members_a * (members_b - 1)),
        level=level,
        scale=FISHER,
        fewest=FEWEST,
    )


def _ratio(total: Any, pairs: int) -> Any:
    """Divide by a number of pairs; NaN where there is none."""
    return total / pairs if pairs else total * np.nan
