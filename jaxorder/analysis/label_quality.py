"""How likely a label is right, by what members that never saw the example say."""

import numpy as np
from jaxtyping import Float, Int, Integer

from jaxorder.analysis.inputs import Array, require

# Chosen on half of the cells of experiments/label_noise.py, judged on the other half
# (docs/label_noise.md says what else was tried).
UNSURE = 0.1  # share of each probability that is spread evenly over all classes
TRAINED = 0.25  # weight of those that saw the label, of 1 for those that did not
SURE = 0.5  # share of each class's examples that tell which labels it is given
ERRORS = 2.0  # standard errors that an excess in one direction must exceed


def label_quality(
    votes: Float[Array, "example class"],
    label: Integer[Array, " example"],
    held_out: Float[Array, " example"] | None = None,
    trained: Float[Array, " example"] | None = None,
) -> Float[np.ndarray, " example"]:
    """Measure how likely each label is right; the lowest are likely errors.

    The odds that a label is right are those by which members that never saw it give
    it, less where another class that they vote for is one whose examples often get
    this label by mistake, and more where those that were trained on it learned it
    early.

    Args:
        votes: [example, class], shares of the predictions of members that never saw
            an example, over the training.
        label: integer [example], as given.
        held_out: [example], the mean probability of the label by these members over
            the training, which tells more than votes; None: the votes for it.
        trained: [example], that by the members that were trained on it; NaN where
            there are none. None: there are none at all.

    Returns:
        float64 [example] in [0, 1], not a calibrated probability.

    Raises:
        ValueError: arrays do not fit each other.

    Reference:
        jaxorder's own. Classes mistaken for each other are counted as by the
        confident joint of Northcutt et al. 2021, of which only what exceeds the
        opposite direction counts: classes that look alike are mistaken both ways.
        That what is learned late is likely an error is after Pleiss et al. 2020.

    Example:
        >>> votes = np.array([[0.9, 0.1], [0.2, 0.8], [1.0, 0.0], [0.0, 1.0]])
        >>> label_quality(votes, np.array([0, 0, 0, 1])).round(2).tolist()
        [0.95, 0.47, 0.98, 0.98]
    """
    shares, given = _checked(votes, label)
    rows, classes = np.arange(len(given)), shares.shape[1]
    own = shares[rows, given]
    if held_out is not None:
        own = _of_each("held_out", held_out, len(given))
    others = shares + 1 / len(given)
    others[rows, given] = 0
    others /= others.sum(axis=1, keepdims=True)
    mistaken = mistaken_labels(shares, given)
    doubt = np.sum(others * mistaken[:, given].T, axis=1) / mistaken[given, given]
    odds = _log_odds(own, classes) - np.log(doubt)
    if trained is not None:
        seen = _of_each("trained", trained, len(given))
        more = TRAINED * _log_odds(np.nan_to_num(seen), classes)
        odds += np.where(np.isnan(seen), 0, more)
    return 1 / (1 + np.exp(-odds))


def _checked(
    votes: Array, label: Array
) -> tuple[Float[np.ndarray, "example class"], Int[np.ndarray, " example"]]:
    shares = require("votes", votes, "biuf", "example class").astype(float)
    given = require("label", label, "iu", "example").astype(int)
    classes = shares.shape[1]
    _of_each("label", given, len(shares))
    if given.min() < 0 or given.max() >= classes:
        raise ValueError(
            f"label: wanted classes 0 to {classes - 1}, got {given.min()} to "
            f"{given.max()}"
        )
    return shares, given


def _of_each(name: str, values: Array, examples: int) -> Float[np.ndarray, " example"]:
    array = np.asarray(values, float)
    if array.shape != (examples,):
        raise ValueError(
            f"{name}: wanted one for each of {examples} examples, got "
            f"{array.shape[0] if array.ndim == 1 else array.shape}"
        )
    return array


def _log_odds(
    probability: Float[np.ndarray, " example"], classes: int
) -> Float[np.ndarray, " example"]:
    spread = (1 - UNSURE) * probability + UNSURE / classes
    return np.log(spread) - np.log1p(-spread)


def mistaken_labels(
    votes: Float[np.ndarray, "example class"], label: Integer[np.ndarray, " example"]
) -> Float[np.ndarray, "true given"]:
    """Estimate how often examples of each class are given each label.

    Args:
        votes: as for `label_quality`.
        label: as there.

    Returns:
        float64 [true, given], rows of sum 1 and no 0: of the surest half of the
        examples that are voted to be of a class, those with each label. Only what one
        direction has more than the other, by two standard errors at least, is of a
        pair's own; the rest of both is spread evenly over all pairs.
    """
    counts, shares = _sure_counts(votes, label)
    back = np.minimum(shares, shares.T)
    of = counts.sum(axis=1, keepdims=True) + 1
    error = np.sqrt(shares / of + shares.T / of.T)
    classes = len(shares)
    apart = ~np.eye(classes, dtype=bool)
    excess = np.maximum(shares - back - ERRORS * error, 0)
    given = np.where(apart, excess + back[apart].mean(), 0)
    right = np.maximum(1 - given.sum(axis=1), 1 / classes)
    np.fill_diagonal(given, right)
    return given / given.sum(axis=1, keepdims=True)


def _sure_counts(
    votes: Float[np.ndarray, "example class"], label: Integer[np.ndarray, " example"]
) -> tuple[Float[np.ndarray, "true given"], Float[np.ndarray, "true given"]]:
    """Count the labels of the surest examples of each class, and give their shares."""
    classes = votes.shape[1]
    voted, counts = votes.argmax(axis=1), np.zeros((classes, classes))
    for true in range(classes):
        own = np.flatnonzero(voted == true)
        if len(own):
            sure = votes[own, true] >= np.quantile(votes[own, true], 1 - SURE)
            counts[true] = np.bincount(label[own[sure]], minlength=classes)
    # One example more, with any label, so that no share is 0.
    shares = (counts + 1 / classes) / (counts.sum(axis=1, keepdims=True) + 1)
    return counts, shares
