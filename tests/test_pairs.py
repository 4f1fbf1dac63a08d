"""What two members are right on together, against scikit-learn and simulations."""

import inspect
import warnings

import numpy as np
import pytest
from scipy.special import ndtri
from sklearn.metrics import cohen_kappa_score

from jaxorder.analysis import pairs
from jaxorder.analysis.intervals import Interval
from jaxorder.analysis.pairs import (
    mean_pairwise_kappa,
    mean_pairwise_kappa_between,
    pairwise_kappa,
    pairwise_kappa_between,
)
from tests.test_compare import FakeRun, fake_record

ABILITY = 0.3


def members_of(difficulty, accuracy, members, rng):
    """Draw members that differ in ability on examples that differ in difficulty.

    Difficulty, ability and luck are normal; the mean accuracy is over all of them.
    """
    spread = np.sqrt(difficulty.var() + ABILITY**2 + 1)
    ability = ABILITY * rng.normal(size=(members, 1)) + spread * ndtri(accuracy)
    return rng.normal(size=(members, len(difficulty))) + ability > difficulty


def some_members(seed=0, members=6, examples=40):
    rng = np.random.default_rng(seed)
    return members_of(rng.normal(size=examples), 0.7, members, rng)


def check_coverage(found: list[Interval], truth: float) -> None:
    """Ask for 92 to 98% of the intervals that there are, less the draws' own error."""
    defined = [each for each in found if not np.isnan(each.low)]
    assert all(-1 <= each.low <= each.high <= 1 for each in defined)
    covered = np.mean([each.low <= truth <= each.high for each in defined])
    # two binomial standard errors at 0.95
    error = 2 * np.sqrt(0.95 * 0.05 / len(defined))
    assert 0.92 - error <= covered <= 0.98 + error


def test_kappa_is_that_of_scikit_learn():
    correct = some_members()
    wanted = [[cohen_kappa_score(a, b) for b in correct] for a in correct]
    np.testing.assert_allclose(pairwise_kappa(correct), wanted, atol=1e-12)
    between = pairwise_kappa_between(correct[:2], correct[2:])
    np.testing.assert_allclose(between, np.array(wanted)[:2, 2:], atol=1e-12)


def test_the_mean_is_that_of_different_members():
    correct = some_members()
    kappa = pairwise_kappa(correct)
    upper = kappa[np.triu_indices(6, 1)]
    found = mean_pairwise_kappa(correct)
    assert found.estimate == pytest.approx(upper.mean())
    assert found.low < found.estimate < found.high
    assert found.units == 6
    between = mean_pairwise_kappa_between(correct[:2], correct[2:])
    assert between.estimate == pytest.approx(kappa[:2, 2:].mean())
    assert np.isnan(between.low)


def test_left_out_members_take_their_pairs_with_them():
    correct = some_members()
    rest = [
        mean_pairwise_kappa(np.delete(correct, i, axis=0)).estimate for i in range(6)
    ]
    error = np.sqrt(5 * np.var(rest))
    assert mean_pairwise_kappa(correct).standard_error == pytest.approx(error)
    a, b = some_members(1, members=5), correct
    found = mean_pairwise_kappa_between(a, b).standard_error
    kappa = pairwise_kappa_between(a, b)
    by_a = [np.delete(kappa, i, axis=0).mean() for i in range(5)]
    by_b = [np.delete(kappa, i, axis=1).mean() for i in range(6)]
    assert found == pytest.approx(np.sqrt(4 * np.var(by_a) + 5 * np.var(by_b)))


@pytest.mark.parametrize("constant", [True, False])
def test_a_member_without_errors_or_successes_has_no_kappa(constant):
    correct = some_members()
    correct[2] = constant
    kappa = pairwise_kappa(correct)
    assert np.isnan(kappa[2]).all()
    assert np.isnan(kappa[:, 2]).all()
    assert np.isfinite(np.delete(np.delete(kappa, 2, 0), 2, 1)).all()
    assert np.isnan(mean_pairwise_kappa(correct).estimate)
    assert np.isnan(mean_pairwise_kappa_between(correct, correct).estimate)


def test_identical_and_opposite_members():
    one = np.array([True, False, False, True])
    np.testing.assert_array_equal(pairwise_kappa(np.stack([one, one])), 1)
    assert pairwise_kappa(np.stack([one, ~one]))[0, 1] == -1
    same = mean_pairwise_kappa(np.tile(one, (6, 5)))
    assert (same.low, same.estimate, same.high) == (1, 1, 1)


def test_few_errors_have_no_interval():
    correct = np.ones((6, 40), bool)
    correct[:, :4] = False
    few = mean_pairwise_kappa(correct)
    assert few.estimate == 1
    assert np.isnan([few.low, few.high, few.standard_error]).all()
    assert np.isnan(mean_pairwise_kappa(~correct).low)
    correct[:, 4] = False
    assert mean_pairwise_kappa(correct).low == 1


def test_one_member_has_no_pair():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(mean_pairwise_kappa(some_members(members=1)).estimate)
        assert np.isfinite(mean_pairwise_kappa(some_members(members=2)).estimate)


def test_a_run_is_measured_at_its_last_snapshot_or_another():
    correct = np.stack([some_members(0), some_members(1)])
    run = FakeRun("run", {"test": fake_record(correct)})
    np.testing.assert_array_equal(pairwise_kappa(run), pairwise_kappa(correct[1]))
    first = mean_pairwise_kappa(run, snapshot=0, level=0.9)
    assert first == mean_pairwise_kappa(correct[0], 0.9)


def test_other_examples_are_refused():
    correct = some_members()
    with pytest.raises(ValueError, match="correct_b: wanted 40 examples, as in"):
        inspect.unwrap(pairwise_kappa_between)(correct, correct[:, 1:])
    with pytest.raises(ValueError, match="correct: wanted bool"):
        inspect.unwrap(pairs.pairwise_kappa)(correct * 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("members", [8, 16])
@pytest.mark.parametrize("examples", [500, 600, 800])
def test_intervals_of_few_errors_cover(members, examples):
    """At 5 to 10 errors a member; of fewer there is no interval."""
    rng = np.random.default_rng(1000 * members + examples)
    difficulty = rng.normal(size=examples)
    many = members_of(difficulty, 0.99, 1500, rng)
    truth = float(np.nanmean(pairwise_kappa_between(many[:750], many[750:])))
    draws = (members_of(difficulty, 0.99, members, rng) for _ in range(1000))
    check_coverage([mean_pairwise_kappa(correct) for correct in draws], truth)
