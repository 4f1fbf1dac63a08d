"""How often members are right on examples that they were not trained on."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped

from jaxorder.analysis.inputs import Array, Run, read_snapshot, require, takes_run
from jaxorder.errors import RequestError


def _read(run: Run, split: str) -> dict[str, Any]:
    return read_seen("held_out_accuracy", run, split)


def read_seen(measure: str, run: Run, split: str) -> dict[str, Any]:
    """Read what members are right on at the last snapshot, and what they have seen.

    Args:
        measure: what is measured, for the message.
        run: the run.
        split: which must have been seen in parts.

    Raises:
        RequestError: members were not trained on examples of their own.
    """
    usable = run.usable(split)
    if "trained_on" not in usable:
        raise RequestError(
            f"{measure} of {run.name!r}: wanted members that were trained on "
            f"examples of their own, got none in split {split!r}; give split='train' "
            "of a run with subsets, folds or parts"
        )
    return {
        "correct": read_snapshot(run, split)["correct"],
        "trained_on": usable["trained_on"].values,
        "groups": usable["subset"].values if "subset" in usable.coords else None,
    }


@takes_run(_read)
def held_out_accuracy(
    correct: Bool[Array, "member example"],
    trained_on: Bool[Array, "_ _"],
    groups: Shaped[Array, " _"] | None = None,
) -> Float[np.ndarray, " example"]:
    """Measure how often each example is predicted right by members that never saw it.

    With groups of members trained on subsets of 10%, 20% .. 90% of the data this is
    the consistency score (C-score) of each example: a high one is as its neighbours
    are, a low one must be memorised.

    Args:
        correct: bool [member, example], at one snapshot; or a run with `split="train"`,
            of which the last snapshot, and what it recorded of the others.
        trained_on: bool [member, example], as the record holds it.
        groups: [member], such as each member's share of the training examples; the
            mean is taken within a group first, so that groups count alike. None: all
            members are one group.

    Returns:
        float64 [example] in [0, 1]; a group of which no member left an example out
        does not count for it, and NaN where no group counts.

    Raises:
        ValueError: the arrays are not bool with two axes, or of other shapes.

    Reference:
        The empirical consistency profile of Jiang et al. 2021 (arXiv:2002.03206),
        averaged over the sizes of the subsets.

    Example:
        >>> correct = np.array([[True, False, True], [False, True, True]])
        >>> trained_on = np.array([[True, False, False], [False, True, False]])
        >>> held_out_accuracy(correct, trained_on).tolist()
        [0.0, 0.0, 1.0]
    """
    right, seen, of = by_group(correct, trained_on, groups)
    total, counted = np.zeros((2, right.shape[1]))
    for group in np.unique(of):
        own = of == group
        left_out = np.count_nonzero(~seen[own], axis=0)
        hits = np.count_nonzero(right[own] & ~seen[own], axis=0)
        total += hits / np.maximum(left_out, 1)
        counted += left_out > 0
    return np.divide(
        total, counted, out=np.full(total.shape, np.nan), where=counted > 0
    )


def by_group(
    correct: Bool[Array, "member example"],
    trained_on: Bool[Array, "_ _"],
    groups: Shaped[Array, " _"] | None,
) -> tuple[
    Bool[np.ndarray, "member example"],
    Bool[np.ndarray, "member example"],
    Shaped[np.ndarray, " member"],
]:
    """Check what members were right on, what they saw, and which group they are of.

    Args:
        correct: bool [member, example].
        trained_on: bool [member, example].
        groups: [member]; None: all are of one.

    Returns:
        The three as numpy's.

    Raises:
        ValueError: the arrays are not bool with two axes, or of other shapes.
    """
    right = require("correct", correct, "b", "member example")
    seen = require("trained_on", trained_on, "b", "member example")
    if seen.shape != right.shape:
        raise ValueError(
            f"trained_on: wanted the shape of correct, {right.shape}, got {seen.shape}"
        )
    of = np.zeros(len(right)) if groups is None else np.asarray(groups)
    if of.shape != right.shape[:1]:
        raise ValueError(
            f"groups: wanted one a member, {right.shape[:1]}, got {of.shape}"
        )
    return right, seen, of
