"""The correlation beneath what is right, on normals of known correlation."""

import inspect
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import ndtri
from scipy.stats import multivariate_normal

from jaxorder.analysis import (
    mean_tetrachoric,
    mean_tetrachoric_between,
    pairwise_kappa,
    tetrachoric,
    tetrachoric_between,
)
from jaxorder.analysis.tetrachoric import both_below
from tests.test_compare import FakeRun, fake_record


def cut_normals(correlation, accuracies, examples, seed=0):
    """Cut normals that all have one correlation where they have these accuracies."""
    rng = np.random.default_rng(seed)
    shared = np.sqrt(correlation) * rng.normal(size=examples)
    own = np.sqrt(1 - correlation) * rng.normal(size=(len(accuracies), examples))
    return shared + own < ndtri(accuracies)[:, None]


@pytest.mark.parametrize("correlation", [-0.99, -0.5, 0.0, 0.3, 0.9, 0.9999])
@pytest.mark.parametrize("bounds", [(0.0, 0.0), (0.1, 0.2), (1.3, 1.0), (2.3, -1.0)])
def test_the_normal_of_two_is_that_of_scipy(correlation, bounds):
    a, b = (np.array([each]) for each in bounds)
    found = both_below(a, b, np.arcsin(np.array([correlation])))
    # scipy's distribution is not typed for covariances
    normal: Any = multivariate_normal
    covariance = [[1, correlation], [correlation, 1]]
    wanted = normal.cdf(bounds, [0, 0], covariance)
    assert found[0] == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.6, 0.9])
def test_the_known_correlation_is_found_at_any_accuracy(correlation):
    correct = cut_normals(correlation, np.array([0.5, 0.6, 0.8, 0.9]), 200_000)
    found = tetrachoric(correct)[np.triu_indices(4, 1)]
    np.testing.assert_allclose(found, correlation, atol=0.025)


def test_kappa_of_the_same_members_falls_where_this_does_not():
    correct = cut_normals(0.6, np.array([0.5, 0.5, 0.97, 0.97]), 200_000)
    kappa, found = pairwise_kappa(correct), tetrachoric(correct)
    assert kappa[0, 1] - kappa[2, 3] > 0.1
    assert found[0, 1] == pytest.approx(found[2, 3], abs=0.03)


def test_it_is_the_likeliest():
    correct = cut_normals(0.5, np.array([0.7, 0.8]), 300)
    a, b = correct
    counts = np.array([(a & b).sum(), (a & ~b).sum(), (~a & b).sum(), (~a & ~b).sum()])

    def loss(found):
        first, second, angle = (np.array([each]) for each in found)
        both = both_below(first, second, angle)[0]
        one, other = (multivariate_normal(0, 1).cdf(each) for each in found[:2])
        return -counts @ np.log(
            [both, one - both, other - both, 1 - one - other + both]
        )

    best = minimize(
        loss, [0.5, 0.8, 0.5], method="Nelder-Mead", options={"xatol": 1e-7}
    )
    assert tetrachoric(correct)[0, 1] == pytest.approx(np.sin(best.x[2]), abs=1e-4)


def test_medians_have_the_closed_form():
    table = np.array([[1, 1], [1, 0], [0, 1], [0, 0]], bool)
    correct = np.repeat(table, [35, 15, 15, 35], axis=0).T
    assert tetrachoric(correct)[0, 1] == pytest.approx(
        np.sin(2 * np.pi * (0.35 - 0.25))
    )


def test_identical_and_opposite_members():
    one = np.arange(100) < 30
    found = tetrachoric(np.stack([one, one, ~one]))
    np.testing.assert_array_equal(found, [[1, 1, -1], [1, 1, -1], [-1, -1, 1]])


def test_between_collections_it_is_that_of_their_members():
    correct = cut_normals(0.5, np.linspace(0.4, 0.8, 7), 400)
    whole = tetrachoric(correct)
    np.testing.assert_array_equal(whole, whole.T)
    found = tetrachoric_between(correct[:3], correct[3:])
    np.testing.assert_array_equal(found, whole[:3, 3:])
    mean = mean_tetrachoric_between(correct[:3], correct[3:])
    assert mean.estimate == pytest.approx(found.mean())
    assert mean.units == 3
    with pytest.raises(ValueError, match="correct_b: wanted 400 examples"):
        inspect.unwrap(tetrachoric_between)(correct, correct[:, 1:])


def test_a_cell_expected_below_five_has_no_correlation():
    # 10 x 10 / 20 = 5 at the least; one error fewer expects 4.5
    one, other = np.arange(20) < 10, np.arange(20) % 2 == 0
    assert np.isfinite(tetrachoric(np.stack([one, other]))).all()
    fewer = other & (np.arange(20) > 0)
    found = tetrachoric(np.stack([one, other, fewer]))
    assert np.isnan(found[2]).all()
    assert np.isnan(found[:, 2]).all()
    assert np.isfinite(found[:2, :2]).all()
    assert np.isnan(mean_tetrachoric(np.stack([one, other, fewer])).estimate)
    assert np.isnan(tetrachoric(np.ones((3, 100), bool))).all()


def test_a_run_is_measured_at_a_snapshot():
    correct = cut_normals(0.5, np.full(12, 0.6), 100).reshape(2, 6, 100)
    run = FakeRun("run", {"test": fake_record(correct)})
    np.testing.assert_array_equal(tetrachoric(run), tetrachoric(correct[1]))
    assert mean_tetrachoric(run, snapshot=0) == mean_tetrachoric(correct[0])
    with pytest.raises(ValueError, match="correct: wanted bool"):
        inspect.unwrap(tetrachoric)(correct[0] * 1.0)
