"""Learners that add one weak learner after another: boosting, and random forests.

A snapshot is what the first so many of them say together.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Shaped

from jaxorder.learners.problem import Fit, Matrix, Predictions, Problem, at_steps
from jaxorder.spec import Spec

WEAK = ("stump", "tree", "linear")
DEPTH = "3"  # of AdaBoost's trees, unless given


# ---- AdaBoost


def adaboost(keys: Spec) -> Fit:
    """Return AdaBoost over weak learners, by rounds.

    SAMME, its form for several classes, after Zhu et al. 2009. A weak learner is a
    tree of one split (`stump`), a tree of `depth` splits from root to leaf, or a linear
    classifier by least squares.

    Args:
        keys: `weak`, `depth` (of trees), `rate` (shrinks each round's vote), `rounds`.

    Raises:
        RequestError: Where a value is not allowed.
    """
    weak = keys.choice("weak", dict(zip(WEAK, WEAK, strict=True)))
    depth = keys.whole("depth", most=64)
    if weak != "tree" and keys["depth"] != DEPTH:
        raise keys.refused("depth", "left out, unless weak=tree")
    rate = keys.number("rate", least=1e-6)
    return partial(_adaboost, weak=weak, depth=depth, rate=rate)


def _adaboost(
    problem: Problem,
    steps: Sequence[int],
    seed: int,
    *,
    weak: str,
    depth: int,
    rate: float,
) -> Predictions:
    from sklearn.ensemble import AdaBoostClassifier

    boosted = AdaBoostClassifier(
        weak_learner(weak, depth, len(problem.labels)),
        n_estimators=steps[-1],
        learning_rate=rate,
        random_state=seed,
    ).fit(problem.inputs, problem.labels)
    return at_steps(boosted.staged_predict(problem.evaluated), steps)


def weak_learner(weak: str, depth: int, examples: int) -> Any:
    """Return what AdaBoost boosts.

    Args:
        weak: `stump`, `tree` or `linear`.
        depth: Of a tree.
        examples: Training examples.
    """
    from sklearn.linear_model import RidgeClassifier
    from sklearn.tree import DecisionTreeClassifier

    if weak == "linear":
        # boosting's weights sum to 1: this is a penalty of 1 beside plain examples
        return RidgeClassifier(alpha=1 / examples)
    return DecisionTreeClassifier(max_depth=1 if weak == "stump" else depth)


# ---- gradient boosting


def gradient_boosting(keys: Spec) -> Fit:
    """Return gradient boosting of trees over binned features, by rounds.

    Histogram gradient boosting after Ke et al. 2017 (LightGBM); it never stops early.

    Args:
        keys: `leaves` of a tree, `rate` (shrinks each round), `rounds`.

    Raises:
        RequestError: Where a value is not allowed.
    """
    leaves = keys.whole("leaves", least=2, most=4096)
    rate = keys.number("rate", least=1e-6, most=1.0)
    return partial(_gradient_boosting, leaves=leaves, rate=rate)


def _gradient_boosting(
    problem: Problem, steps: Sequence[int], seed: int, *, leaves: int, rate: float
) -> Predictions:
    from sklearn.ensemble import HistGradientBoostingClassifier

    boosted = HistGradientBoostingClassifier(
        max_iter=steps[-1],
        max_leaf_nodes=leaves,
        learning_rate=rate,
        early_stopping=False,  # pyright: ignore[reportArgumentType]  # "auto" is its type
        random_state=seed,
    ).fit(problem.inputs, problem.labels)
    return at_steps(boosted.staged_predict(problem.evaluated), steps)


# ---- random forest


def random_forest(keys: Spec) -> Fit:
    """Return a random forest, by trees, after Breiman 2001.

    The first so many trees vote by the mean of their class shares, as scikit-learn's
    forest of that size does.

    Args:
        keys: `trees`, `depth` (`none`, or at most so many splits from root to leaf),
            `bootstrap` (whether each tree draws its own sample of the examples).

    Raises:
        RequestError: Where a value is not allowed.
    """
    depth = None if keys["depth"] == "none" else keys.whole("depth", most=64)
    return partial(_random_forest, depth=depth, bootstrap=keys.flag("bootstrap"))


def _random_forest(
    problem: Problem,
    steps: Sequence[int],
    seed: int,
    *,
    depth: int | None,
    bootstrap: bool,
) -> Predictions:
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(
        n_estimators=steps[-1], max_depth=depth, bootstrap=bootstrap, random_state=seed
    ).fit(problem.inputs, problem.labels)
    return at_steps(_votes(forest, problem.evaluated), steps)


def _votes(forest: Any, inputs: Matrix) -> Iterator[Shaped[np.ndarray, "evaluated"]]:
    """Yield what the first 1, 2, ... trees say together."""
    shares = 0.0
    for tree in forest.estimators_:
        shares = shares + tree.predict_proba(inputs)
        yield forest.classes_[np.argmax(shares, axis=1)]
