"""How difficult examples are to those who know no network."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int, Shaped

from jaxorder.analysis.inputs import Array, require
from jaxorder.analysis.streaming import done, spread

# Distances that are held at a time.
_HELD = 2**22


def neighbour_consistency(
    inputs: Shaped[Array, "example *shape"],
    label: Shaped[Array, " example"],
    *,
    among: Shaped[Array, "other *shape"] | None = None,
    among_label: Shaped[Array, " other"] | None = None,
    neighbours: int = 5,
) -> Float[np.ndarray, " example"]:
    """Measure how many of an example's nearest neighbours have its label.

    Args:
        inputs: real [example, ...], flattened; distances are Euclidean, so scale them
            as members see them.
        label: [example].
        among: real [other, ...], where neighbours are looked for, such as the training
            examples for those of the test; None: among `inputs`, without the example
            itself.
        among_label: [other]; given where `among` is.
        neighbours: how many count, at least 1 and at most as many as there are.

    Returns:
        float64 [example] in [0, 1]: 1 is easy, 0 is hard. Of equally near examples
        the first count.

    Raises:
        ValueError: arrays are not real or do not fit each other, or there are not so
            many neighbours.

    Reference:
        As k-disagreeing neighbours (kDN), of which this is 1 minus: Smith et al. 2014.

    Example:
        >>> inputs = np.array([[0.0], [0.1], [0.2], [1.0], [1.1]])
        >>> label = np.array([0, 0, 1, 1, 1])
        >>> neighbour_consistency(inputs, label, neighbours=1).tolist()
        [1.0, 1.0, 0.0, 1.0, 1.0]
    """
    points, names = _points("inputs", inputs, label)
    if among is not None and among_label is not None:
        others, classes = _points("among", among, among_label)
    elif among is None and among_label is None:
        others, classes = points, names
    else:
        raise ValueError("among: wanted it and among_label, or neither, got one")
    alone = among is None
    if not 1 <= neighbours <= len(others) - alone:
        raise ValueError(
            f"neighbours: wanted 1 to {len(others) - alone}, got {neighbours}"
        )
    shares = [
        (classes[near] == names[rows, None]).mean(axis=1)
        for rows, near in _nearest(points, others, neighbours, alone)
    ]
    return np.concatenate(shares)


def distance_ratio(
    inputs: Shaped[Array, "example *shape"],
    label: Shaped[Array, " example"],
    *,
    among: Shaped[Array, "other *shape"],
    among_label: Shaped[Array, " other"],
) -> Float[np.ndarray, " example"]:
    """Measure how much nearer an example is to its class's mean than to any other's.

    Args:
        inputs: real [example, ...], flattened; distances are Euclidean.
        label: [example].
        among: real [other, ...], of which the means are taken; others than `inputs`.
        among_label: [other].

    Returns:
        float64 [example]: the distance to the mean of its own class over that to the
        nearest other; below 1 where the nearest mean is its own. NaN where its class
        is not among the others, or has no other beside it.

    Raises:
        ValueError: arrays are not real or do not fit each other.

    Reference:
        That of nearest-centroid classifiers, Hastie et al. 2009.

    Example:
        >>> others, classes = np.array([[0.0], [2.0], [9.0], [11.0]]), [0, 0, 1, 1]
        >>> inputs, label = np.array([[1.0], [4.0], [6.0]]), np.array([0, 0, 0])
        >>> given = {"among": others, "among_label": np.array(classes)}
        >>> distance_ratio(inputs, label, **given).tolist()
        [0.0, 0.5, 1.25]
    """
    points, names = _points("inputs", inputs, label)
    others, classes = _points("among", among, among_label)
    known, place = np.unique(classes, return_inverse=True)
    sums = np.zeros((len(known), others.shape[1]))
    np.add.at(sums, place, others)
    means = sums / np.bincount(place)[:, None]
    apart = np.stack([np.linalg.norm(points - mean, axis=1) for mean in means], axis=1)
    own = names[:, None] == known
    nearest = np.where(own, np.inf, apart).min(axis=1)
    mine = np.where(own, apart, np.inf).min(axis=1)
    told = np.isfinite(nearest) & np.isfinite(mine) & (nearest > 0)
    return np.where(told, mine / np.where(told, nearest, 1.0), np.nan)


def _points(
    name: str, inputs: Array, label: Array
) -> tuple[Float[np.ndarray, "example feature"], Shaped[np.ndarray, " example"]]:
    """Read examples as points, and the labels of them."""
    array = require(name, inputs, "biuf", "... feature")
    classes = require(f"labels of {name}", label, "biufOSU", "example")
    if len(array) != len(classes):
        raise ValueError(
            f"{name}: wanted {len(classes)} examples, one a label, got {len(array)}"
        )
    return array.reshape(len(array), -1).astype(float), classes


def _nearest(
    points: Float[np.ndarray, "example feature"],
    others: Float[np.ndarray, "other feature"],
    neighbours: int,
    alone: bool,
) -> Iterator[tuple[Int[np.ndarray, " row"], Int[np.ndarray, "row neighbour"]]]:
    """Find the nearest of the others, some rows at a time; alone: not the point."""
    squares, blocks = (others**2).sum(axis=1), -(-len(points) * len(others) // _HELD)
    for rows in np.array_split(np.arange(len(points)), blocks):
        # the point's own square changes no order among its neighbours
        apart = squares - 2 * points[rows] @ others.T
        if alone:
            apart[np.arange(len(rows)), rows] = np.inf
        yield rows, np.argsort(apart, axis=1, kind="stable")[:, :neighbours]


def cross_fitted(
    features: Shaped[Array, "example feature"],
    target: Shaped[Array, "*batch example"],
    *,
    folds: int = 5,
    seed: int = 0,
) -> Float[np.ndarray, "*batch example"]:
    """Predict a score of each example by features, fitted to other examples alone.

    Args:
        features: real [example, feature], what is known of each example without a
            network; NaN where it is not.
        target: real [..., example], such as TP-agreement at every snapshot; each row
            is fitted by itself.
        folds: into how many parts the examples are dealt, each of which is predicted
            from the others, at least 2.
        seed: of the dealing.

    Returns:
        float64 [..., example]: what the features let expect.

    Raises:
        ValueError: the arrays are not real or do not fit each other, or there are not
            2 to as many folds as examples.

    Reference:
        Gradient-boosted trees of scikit-learn's `HistGradientBoostingRegressor`, with
        its defaults; cross-fitting as in Chernozhukov et al. 2018.

    Example:
        >>> features = np.arange(400.0)[:, None]
        >>> found = cross_fitted(features, np.sqrt(features[:, 0]))
        >>> bool(np.abs(found - np.sqrt(features[:, 0])).max() < 4)
        True
    """
    known = require("features", features, "biuf", "example feature").astype(float)
    wanted = require("target", target, "biuf", "... example").astype(float)
    if wanted.shape[-1] != len(known):
        raise ValueError(
            f"target: wanted {len(known)} examples, as features, got {wanted.shape[-1]}"
        )
    if not 2 <= folds <= len(known):
        raise ValueError(f"folds: wanted 2 to {len(known)}, got {folds}")
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    dealt = np.random.default_rng(seed).permutation(len(known)) % folds
    found = np.empty(wanted.shape)

    def fit(part: tuple[tuple[int, ...], int]) -> None:
        row, fold = part
        own, model = dealt == fold, HistGradientBoostingRegressor(random_state=0)
        model.fit(known[~own], wanted[row][~own])
        found[(*row, own)] = model.predict(known[own])

    parts = [
        (row, fold) for row in np.ndindex(wanted.shape[:-1]) for fold in range(folds)
    ]
    # a fit is too small for the threads of its own, which wait for one another
    with threadpool_limits(1, "openmp"):
        done(spread(fit, parts))
    return found
