"""What others read off one network's training, over the record of each member.

The measures take [snapshot, member, example] at the snapshots that are to count, and
give each member's own, [member, example], as the originals do of one network.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped

from jaxorder.analysis.inputs import Array, require, snapshots


def epoch_ends(epoch: Shaped[Array, " snapshot"]) -> Bool[np.ndarray, " snapshot"]:
    """Tell which snapshots the originals would have taken: those after whole epochs.

    Args:
        epoch: [snapshot], epochs trained; 0 is before training.

    Returns:
        bool [snapshot]: true after 1, 2, .. epochs. Where there are fewer than two of
        these, all but step 0; and all, where step 0 is all there is.

    Raises:
        ValueError: there is no snapshot.

    Example:
        >>> epoch_ends(np.array([0.0, 0.1, 0.5, 1.0, 2.0])).tolist()
        [False, False, False, True, True]
        >>> epoch_ends(np.array([0.0, 0.1, 0.5, 1.0])).tolist()
        [False, True, True, True]
    """
    epochs = require("epoch", epoch, "biuf", "snapshot").astype(float)
    trained = epochs > 0
    # Thirds of an epoch add up to one but for rounding.
    whole = trained & (np.abs(epochs - np.round(epochs)) < 1e-6)
    if np.count_nonzero(whole) > 1:
        return whole
    return trained if trained.any() else np.ones(epochs.shape, bool)


def confidence(
    true_logprob: Float[Array, "snapshot member example"],
) -> Float[np.ndarray, "member example"]:
    """Measure how probable each member holds an example's label, over its training.

    Args:
        true_logprob: [snapshot, member, example], logarithms of the label's
            probability, none above 0, at the snapshots that count.

    Returns:
        float64 [member, example] in [0, 1]: the mean of the probability.

    Raises:
        ValueError: `true_logprob` is not real with three axes.

    Reference:
        Swayamdipta et al. 2020, section 2, after each epoch. Theirs is in training
        mode; here weights are frozen, nothing is dropped or augmented.

    Example:
        >>> confidence(np.log([[[0.2, 0.9]], [[0.4, 0.9]]])).round(3).tolist()
        [[0.3, 0.9]]
    """
    return _moments(true_logprob)[0]


def variability(
    true_logprob: Float[Array, "snapshot member example"],
) -> Float[np.ndarray, "member example"]:
    """Measure how much the probability of an example's label moves over the training.

    Args:
        true_logprob: as for `confidence`.

    Returns:
        float64 [member, example] in [0, 0.5]: the standard deviation of the
        probability over the snapshots, of which each counts alike.

    Raises:
        ValueError: `true_logprob` is not real with three axes.

    Reference:
        Swayamdipta et al. 2020, section 2, after each epoch; as for `confidence`.

    Example:
        >>> variability(np.log([[[0.2, 0.9]], [[0.4, 0.9]]])).round(3).tolist()
        [[0.1, 0.0]]
    """
    return _moments(true_logprob)[1]


def _moments(
    true_logprob: Array,
) -> tuple[Float[np.ndarray, "member example"], Float[np.ndarray, "member example"]]:
    """Find the mean and deviation of a probability, one snapshot after the other."""
    mean: Any = 0.0
    squares, count = mean, 0
    for logprob in snapshots("true_logprob", true_logprob):
        # Welford's update, which loses no digits where all are near 1.
        count += 1
        step = np.exp(logprob) - mean
        mean = mean + step / count
        squares = squares + step**2 * ((count - 1) / count)
    return mean, np.sqrt(squares / count)


def area_under_margin(
    margin: Float[Array, "snapshot member example"],
) -> Float[np.ndarray, "member example"]:
    """Measure how far an example's label stays ahead of the other classes.

    Args:
        margin: [snapshot, member, example], the label's logit minus the largest other
            one, at the snapshots that count.

    Returns:
        float64 [member, example], of any sign: the mean margin over the snapshots.
        Low where what is learned of other examples speaks against the label.

    Raises:
        ValueError: `margin` is not real with three axes.

    Reference:
        Pleiss et al. 2020, equation 2, on logits as there. Theirs is of the training's
        own passes, before each step; here weights are frozen at each snapshot.

    Example:
        >>> area_under_margin(np.array([[[1.0, -2.0]], [[3.0, -1.0]]])).tolist()
        [[2.0, -1.5]]
    """
    total = sum(snapshots("margin", margin))
    return np.asarray(total) / margin.shape[0]
