"""Linear learners that go through the examples one by one, by epoch."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from jaxorder.learners.problem import Fit, Predictions, Problem
from jaxorder.spec import Spec


def sgd(keys: Spec) -> Fit:
    """Return logistic regressions, one class against the rest, by single examples.

    Stochastic gradient descent with scikit-learn's decreasing rate, after Bottou 2012.

    Args:
        keys: `alpha` (L2 penalty, which also sets the rate).

    Raises:
        RequestError: Where a value is not allowed.
    """
    alpha = keys.number("alpha", least=1e-12)
    return partial(_by_epoch, make=partial(_logistic, alpha))


def _logistic(alpha: float) -> Any:
    from sklearn.linear_model import SGDClassifier

    return SGDClassifier(loss="log_loss", alpha=alpha, shuffle=False)


def perceptron(keys: Spec) -> Fit:
    """Return perceptrons, one class against the rest, after Rosenblatt 1958."""
    del keys  # it has none
    return partial(_by_epoch, make=_perceptron)


def _perceptron() -> Any:
    from sklearn.linear_model import Perceptron

    return Perceptron(shuffle=False)


def _by_epoch(
    problem: Problem, steps: Sequence[int], seed: int, *, make: Callable[[], Any]
) -> Predictions:
    """Go through the examples in a new order each epoch, as networks do.

    scikit-learn's own shuffling would repeat one order in every epoch of a
    `partial_fit` with a fixed seed.
    """
    model, classes = make(), np.unique(problem.labels)
    recorded = []
    for epoch in range(1, steps[-1] + 1):
        order = np.random.default_rng((seed, epoch)).permutation(len(problem.labels))
        model.partial_fit(problem.inputs[order], problem.labels[order], classes)
        if epoch == steps[len(recorded)]:
            recorded.append(model.predict(problem.evaluated))
    return np.stack(recorded)
