"""How much more often members are right on examples for having seen them."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped

from jaxorder.analysis.held_out import by_group, read_seen
from jaxorder.analysis.inputs import Array, Run, takes_run

LEAST_MEMBERS = 4  # in and out, of which a difference is told


class Memorisation(NamedTuple):
    """How much each example is memorised, [example].

    Attributes:
        estimate: the share of members right on it among those that were trained on
            it, minus that among the others, in [-1, 1].
        standard_error: of the estimate, above 0.
    """

    estimate: Float[np.ndarray, " example"]
    standard_error: Float[np.ndarray, " example"]


def _read(run: Run, split: str) -> dict[str, Any]:
    return read_seen("memorisation", run, split)


@takes_run(_read)
def memorisation(
    correct: Bool[Array, "member example"],
    trained_on: Bool[Array, "_ _"],
    groups: Shaped[Array, " _"] | None = None,
) -> Memorisation:
    """Measure how much more often members are right on an example for having seen it.

    Near 0 what others teach suffices, or nothing does; near 1 the example is only
    known by heart, as where its label is wrong or its kind is rare.

    Args:
        correct: bool [member, example], at one snapshot; or a run with `split="train"`,
            of which the last snapshot, and what it recorded of the others.
        trained_on: bool [member, example], as the record holds it.
        groups: [member], such as each member's share of the training examples: those
            that were trained on more are right more often, and have seen an example
            more often. In and out are therefore compared within a group, and the
            differences weighted by in x out / (in + out) members (Mantel and Haenszel).
            None: all members are one group.

    Returns:
        `estimate` and `standard_error`, float64 [example]; both NaN where fewer than
        4 members were trained on an example, or fewer than 4 were not.

        The error is that of independent members. Each share's variance is taken after
        adding a right and a wrong member, so that it is not 0 where all agree.

    Raises:
        ValueError: the arrays are not bool with two axes, or of other shapes.

    Reference:
        Feldman and Zhang 2020 (arXiv:2008.03703), equation 1. Theirs come from
        thousands of networks on random 70% of the examples; here any members count
        that saw different ones, at the last snapshot. The variance is after Agresti
        and Caffo 2000.

    Example:
        >>> trained_on = np.repeat([[True], [False]], 4, axis=0)
        >>> correct = trained_on | np.repeat([[False], [True]], [7, 1], axis=0)
        >>> found = memorisation(correct, trained_on)
        >>> found.estimate.tolist(), found.standard_error.round(3).tolist()
        ([0.75], [0.3])
    """
    right, seen, of = by_group(correct, trained_on, groups)
    difference, weights, squares = np.zeros((3, right.shape[1]))
    v_in, v_out = (_variance(right, among) for among in (seen, ~seen))
    for group in np.unique(of):
        hits, met = right[of == group], seen[of == group]
        inside, outside = (np.count_nonzero(a, axis=0) for a in (met, ~met))
        both = inside * outside > 0
        i, o = np.maximum(inside, 1), np.maximum(outside, 1)
        gap = (hits & met).sum(axis=0) / i - (hits & ~met).sum(axis=0) / o
        weight = both * i * o / (i + o)
        difference += weight * gap
        squares += weight**2 * (v_in / i + v_out / o)
        weights += weight
    told = np.minimum(seen.sum(axis=0), (~seen).sum(axis=0)) >= LEAST_MEMBERS
    total = np.where(told & (weights > 0), weights, np.nan)
    return Memorisation(difference / total, np.sqrt(squares) / total)


def _variance(
    right: Bool[np.ndarray, "member example"], among: Bool[np.ndarray, "member example"]
) -> Float[np.ndarray, " example"]:
    """Estimate the variance of being right, of one right and one wrong member more."""
    share = ((right & among).sum(axis=0) + 1) / (among.sum(axis=0) + 2)
    return share * (1 - share)
