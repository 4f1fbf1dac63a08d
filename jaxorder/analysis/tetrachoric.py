"""How alike members are beneath what is right and wrong, whatever their accuracies.

Each member is right where something hidden and normal, of which it has a share in
common with the others (one factor), exceeds a threshold of its own. The tetrachoric
correlation is that of what is hidden. Kappa falls towards accuracies of 0 and 1 for one
and the same correlation; this does not.
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import ndtr, ndtri

from jaxorder.analysis.inputs import Array, require, takes_snapshot
from jaxorder.analysis.intervals import Interval
from jaxorder.analysis.pairs import mean_of_pairs, mean_of_pairs_between, right_counts
from jaxorder.analysis.two_runs import takes_correct

# An expected cell of the table below this says too little, as in tests of such tables:
# Cochran 1954.
_FEWEST_EXPECTED = 5
# Gauss-Legendre, exact to 1e-10 up to correlations of 0.9999.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
# Halvings of an interval of length pi, to 3e-9.
_BISECTIONS = 30


@takes_snapshot
def tetrachoric(
    correct: Bool[Array, "member example"],
) -> Float[np.ndarray, "member member"]:
    """Measure the tetrachoric correlation of what each two members are right on.

    Args:
        correct: bool [member, example], one snapshot; or a run, of which the last, or
            that at the position `snapshot`.

    Returns:
        float64 [member, member] in [-1, 1], symmetric: the correlation of two normals
        that, cut at thresholds, give the table of both right, one right, none right,
        which is the one of maximum likelihood. -1 or 1 where no other is as likely:
        where a cell is empty. NaN where a cell is expected to hold fewer than 5
        examples if the two were independent: at an accuracy of 0.9 that needs 500
        examples, at 0.99 it needs 50,000.

    Raises:
        ValueError: `correct` is not bool with two axes.

    Reference:
        Pearson 1900; maximum likelihood: Olsson 1979.

    Example:
        >>> table = np.array([[1, 1], [1, 0], [0, 1], [0, 0]], bool)
        >>> correct = np.repeat(table, [20, 10, 10, 20], axis=0).T
        >>> tetrachoric(correct).round(3).tolist()
        [[1.0, 0.5], [0.5, 1.0]]
        >>> float(tetrachoric(correct[:, ::10])[0, 1])
        nan
    """
    array = require("correct", correct, "b", "member example")
    return tetrachoric_between(array, array)


@takes_correct
def tetrachoric_between(
    correct_a: Bool[Array, "member_a example"],
    correct_b: Bool[Array, "member_b example"],
) -> Float[np.ndarray, "member_a member_b"]:
    """Measure the tetrachoric correlation of members of one collection and of another.

    Args:
        correct_a: bool [member, example], one snapshot of one collection; or two runs,
            of which the last snapshots, or `at="matched"` accuracy, or `at` a position
            each.
        correct_b: of the other; the same examples in the same order.

    Returns:
        float64 [member_a, member_b] in [-1, 1], as `tetrachoric`.

    Raises:
        ValueError: the arrays are not bool with two axes, or of other examples.

    Reference:
        Pearson 1900; maximum likelihood: Olsson 1979.

    Example:
        >>> table = np.array([[1, 1], [1, 0], [0, 1], [0, 0]], bool)
        >>> a, b = np.repeat(table, [20, 10, 10, 20], axis=0).T[:, None]
        >>> tetrachoric_between(a, b).round(3).tolist()
        [[0.5]]
    """
    both, of_a, of_b, examples = right_counts(correct_a, correct_b)
    rarer_a, rarer_b = (np.minimum(each, examples - each) for each in (of_a, of_b))
    told = rarer_a * rarer_b >= _FEWEST_EXPECTED * examples
    a, b = np.nonzero(told)
    found = np.full(both.shape, np.nan)
    found[a, b] = _correlation(both[a, b], of_a[a, 0], of_b[0, b], examples)
    return found


@takes_snapshot
def mean_tetrachoric(
    correct: Bool[Array, "member example"], level: float = 0.95
) -> Interval:
    """Average the tetrachoric correlation over all pairs of members.

    Args:
        correct: bool [member, example], one snapshot; or a run, of which the last, or
            that at the position `snapshot`.
        level: wanted coverage of the interval, in (0, 1).

    Returns:
        The mean, in [-1, 1], and its interval over other members on these examples;
        none for fewer than 5 members. Undefined for one member, and where it is of a
        pair.

    Raises:
        ValueError: `correct` is not bool with two axes.

    Reference:
        Pearson 1900; the interval by jackknife over members on the scale of Fisher's
        z.

    Example:
        >>> table = np.array([[1, 1], [1, 0], [0, 1], [0, 0]], bool)
        >>> print(mean_tetrachoric(np.repeat(table, [20, 10, 10, 20], axis=0).T))
        0.50, interval undefined (2 members)
    """
    return mean_of_pairs(tetrachoric(correct), level)


@takes_correct
def mean_tetrachoric_between(
    correct_a: Bool[Array, "member_a example"],
    correct_b: Bool[Array, "member_b example"],
    level: float = 0.95,
) -> Interval:
    """Average the tetrachoric correlation over pairs of members of two collections.

    Args:
        correct_a: bool [member, example], one snapshot of one collection; or two runs,
            of which the last snapshots, or `at="matched"` accuracy, or `at` a position
            each.
        correct_b: of the other; the same examples in the same order.
        level: wanted coverage of the interval, in (0, 1).

    Returns:
        The mean, in [-1, 1], and its interval over other members of both on these
        examples; none where a collection has fewer than 5. Undefined where it is of a
        pair.

    Raises:
        ValueError: the arrays are not bool with two axes, or of other examples.

    Reference:
        Pearson 1900; the interval by jackknife over the members of both, Arvesen
        1969, on the scale of Fisher's z.

    Example:
        >>> table = np.array([[1, 1], [1, 0], [0, 1], [0, 0]], bool)
        >>> a, b = np.repeat(table, [20, 10, 10, 20], axis=0).T[:, None]
        >>> print(mean_tetrachoric_between(a, b))
        0.50, interval undefined (1 member)
    """
    return mean_of_pairs_between(tetrachoric_between(correct_a, correct_b), level)


def _correlation(
    both: Float[np.ndarray, " pair"],
    of_a: Float[np.ndarray, " pair"],
    of_b: Float[np.ndarray, " pair"],
    examples: int,
) -> Float[np.ndarray, " pair"]:
    """Find the correlation at which both are right as often as counted.

    The table has three free numbers and the model, too: the most likely correlation
    meets it exactly, or is -1 or 1, where both are right as seldom or as often as can
    be.
    """
    a, b, share = ndtri(of_a / examples), ndtri(of_b / examples), both / examples
    low, high = np.full(both.shape, -np.pi / 2), np.full(both.shape, np.pi / 2)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        below = both_below(a, b, middle) < share
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    found = np.sin((low + high) / 2)
    found[both == np.minimum(of_a, of_b)] = 1
    found[both == np.maximum(of_a + of_b - examples, 0)] = -1
    return found


def both_below(
    a: Float[np.ndarray, " pair"],
    b: Float[np.ndarray, " pair"],
    angle: Float[np.ndarray, " pair"],
) -> Float[np.ndarray, " pair"]:
    """Give the probability that two standard normals lie below a and b.

    Args:
        a: [pair], of the one.
        b: [pair], of the other.
        angle: [pair], the arcsine of their correlation, in [-pi / 2, pi / 2].

    Returns:
        float64 [pair], in [0, 1].

    Reference:
        Plackett 1954; by the angle: Drezner and Wesolowsky 1990.
    """
    sine = np.sin(angle[:, None] * (1 + _NODES) / 2)
    square = (a**2 + b**2)[:, None] - 2 * (a * b)[:, None] * sine
    density = np.exp(-square / (2 * (1 - sine**2))) @ _WEIGHTS
    return ndtr(a) * ndtr(b) + angle * density / (4 * np.pi)
