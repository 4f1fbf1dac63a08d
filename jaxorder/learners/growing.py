"""Learners without a time of their own, fitted to growing training sets.

A snapshot is a fit to the first so many examples of the member's own order.
"""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Int, Integer
from scipy.sparse import issparse

from jaxorder.learners.problem import Fit, Predictions, Problem
from jaxorder.spec import Spec

# problem, number of training examples -> a classifier that is not fitted yet
Make = Callable[[Problem, int], Any]


def svm(keys: Spec) -> Fit:
    """Return a support vector machine, after Cortes and Vapnik 1995.

    Args:
        keys: `kernel` (`rbf`, of a width that follows the features' variance, or
            `linear`), `C` (price of an example on the wrong side).

    Raises:
        RequestError: Where a value is not allowed.
    """
    kernel = keys.choice("kernel", {"rbf": "rbf", "linear": "linear"})
    return partial(_growing, make=partial(_svm, kernel, keys.number("C", least=1e-9)))


def _svm(kernel: str, price: float, problem: Problem, examples: int) -> Any:
    del problem, examples
    from sklearn.svm import SVC

    return SVC(C=price, kernel=kernel)


def knn(keys: Spec) -> Fit:
    """Return the vote of the k nearest neighbours, after Fix and Hodges 1951.

    Args:
        keys: `k`; of fewer training examples all vote.

    Raises:
        RequestError: Where a value is not allowed.
    """
    return partial(_growing, make=partial(_knn, keys.whole("k")))


def _knn(k: int, problem: Problem, examples: int) -> Any:
    del problem
    from sklearn.neighbors import KNeighborsClassifier

    # trees of neighbours do not pay in as many dimensions as these
    return KNeighborsClassifier(min(k, examples), algorithm="brute")


def naive_bayes(keys: Spec) -> Fit:
    """Return naive Bayes: Gaussian features, or of texts multinomial words.

    Args:
        keys: `smoothing` (what is added: to variances, as a share of the largest; to
            counts of words; `auto` is 1e-9 and 1).

    Raises:
        RequestError: Where a value is not allowed.
    """
    own = keys["smoothing"] != "auto"
    smoothing = keys.number("smoothing", least=1e-12) if own else None
    return partial(_growing, make=partial(_naive_bayes, smoothing))


def _naive_bayes(smoothing: float | None, problem: Problem, examples: int) -> Any:
    del examples
    from sklearn.naive_bayes import GaussianNB, MultinomialNB

    if issparse(problem.inputs):
        return MultinomialNB(alpha=smoothing or 1.0)
    return GaussianNB(var_smoothing=smoothing or 1e-9)


def lda(keys: Spec) -> Fit:
    """Return linear discriminants, after Fisher 1936 and Rao 1948.

    Args:
        keys: `shrinkage` (`none`, or `auto`: of the covariance, after Ledoit and Wolf
            2004, for fewer examples than features).

    Raises:
        RequestError: Where a value is not allowed.
    """
    shrinkage = keys.choice("shrinkage", {"none": None, "auto": "auto"})
    return partial(_growing, make=partial(_lda, shrinkage))


def _lda(shrinkage: str | None, problem: Problem, examples: int) -> Any:
    del problem, examples
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    solver = "lsqr" if shrinkage else "svd"
    return LinearDiscriminantAnalysis(solver=solver, shrinkage=shrinkage)


def _growing(
    problem: Problem, steps: Sequence[int], seed: int, *, make: Make
) -> Predictions:
    """Fit to growing sets; one with fewer examples than a step repeats its last."""
    order = growing_order(problem.labels, seed)
    recorded: list[np.ndarray] = []
    for number, step in enumerate(steps):
        if number and steps[number - 1] >= len(order):
            recorded.append(recorded[-1])
            continue
        at = order[:step]
        model = make(problem, len(at))
        with warnings.catch_warnings():
            # few examples in many dimensions span no more: that is what is measured
            warnings.filterwarnings("ignore", "Variables are collinear")
            warnings.filterwarnings("ignore", "Only one sample available")
            warnings.filterwarnings("ignore", "The number of unique classes is greater")
            model.fit(problem.inputs[at], problem.labels[at])
        recorded.append(model.predict(problem.evaluated))
    return np.stack(recorded)


def growing_order(
    labels: Integer[np.ndarray, "example"], seed: int
) -> Int[np.ndarray, "example"]:
    """Return a random order in which one example of each class comes first.

    So a fit to as many examples as there are classes sees all of them.

    Args:
        labels: Classes of a member's training examples.
        seed: The member's.

    Returns:
        Positions.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    _, firsts = np.unique(labels[order], return_index=True)
    return np.concatenate([order[np.sort(firsts)], np.delete(order, firsts)])
