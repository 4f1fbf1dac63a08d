"""Reliability and intervals, against their laws and simulated members."""

import inspect
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import ndtr

from jaxorder.analysis import intervals, reliability
from jaxorder.analysis.intervals import (
    jackknife,
    jackknife_interval,
    jackknife_two_way,
)
from jaxorder.analysis.measures import fleiss_kappa
from jaxorder.analysis.reliability import (
    cronbach_alpha,
    leave_one_out_alpha,
    members_needed,
    spearman_brown,
    split_half,
)

seeded = settings(derandomize=True, deadline=None, max_examples=50)


def correlated_scores(members, examples, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=examples) + rng.normal(size=(members, examples))


def splits(members):
    for first in itertools.combinations(range(1, members), members // 2 - 1):
        one = [0, *first]
        yield one, [i for i in range(members) if i not in one]


def test_alpha_is_the_mean_of_rulons_reliability_over_all_splits():
    scores = correlated_scores(6, 40) * np.array([1, 2, 1, 3, 1, 0.5])[:, None]
    found = []
    for one, other in splits(6):
        a, b = scores[one].sum(axis=0), scores[other].sum(axis=0)
        found.append(4 * np.cov(a, b)[0, 1] / np.var(a + b, ddof=1))
    assert len(found) == 10
    assert cronbach_alpha(scores) == pytest.approx(np.mean(found))


def test_alpha_is_spearman_browns_where_halves_vary_alike():
    # Members of exactly equal variances (1.5) and covariances (0.5): every half does.
    white = np.linalg.qr(np.random.default_rng(0).normal(size=(50, 7)))[0]
    white = np.linalg.qr(white - white.mean(axis=0))[0].T
    scores = white[:6] + np.sqrt(0.5) * white[6]
    for one, other in splits(6):
        half = np.corrcoef(scores[one].sum(0), scores[other].sum(0))[0, 1]
        assert cronbach_alpha(scores) == pytest.approx(spearman_brown(half, 2))


def test_alpha_is_spearman_browns_for_like_members_and_many_examples():
    scores = correlated_scores(8, 20_000)
    stepped_up = spearman_brown(split_half(scores), 2)
    assert cronbach_alpha(scores) == pytest.approx(stepped_up, abs=0.002)
    # One part signal, one part noise: 8 / 9.
    assert stepped_up == pytest.approx(8 / 9, abs=0.01)


@seeded
@given(
    hnp.arrays(
        float, st.tuples(st.integers(2, 6), st.integers(2, 8)), elements=st.floats(0, 1)
    ),
    st.randoms(use_true_random=False),
)
def test_alpha_knows_no_order_and_is_at_most_one(scores, random):
    members, examples = (random.sample(range(n), n) for n in scores.shape)
    alpha = cronbach_alpha(scores)
    np.testing.assert_allclose(
        cronbach_alpha(scores[members][:, examples]), alpha, rtol=1e-6, atol=1e-9
    )
    assert np.isnan(alpha) or alpha <= 1 + 1e-9


def test_leaving_one_out_by_sums_is_leaving_it_out():
    scores = correlated_scores(5, 30)
    wanted = [cronbach_alpha(np.delete(scores, i, axis=0)) for i in range(5)]
    np.testing.assert_allclose(leave_one_out_alpha(scores), wanted)


def test_reliability_is_nan_where_undefined():
    for scores in (correlated_scores(1, 9), np.full((3, 4), 1 / 3), np.eye(2)):
        assert np.isnan(cronbach_alpha(scores))
        assert np.isnan(leave_one_out_alpha(scores)).all()
    assert np.isnan(split_half(correlated_scores(1, 9)))
    assert np.isnan(split_half(np.full((3, 4), 1 / 3)))


def test_identical_members_are_wholly_reliable():
    scores = np.tile(np.array([0.1, 0.4, 0.8]), (4, 1))
    assert cronbach_alpha(scores) == pytest.approx(1)
    assert split_half(scores) == pytest.approx(1)


def test_spearman_brown_and_members_needed_undo_each_other():
    assert spearman_brown(0.5, 3) == pytest.approx(0.75)
    assert members_needed(0.5, 1, 0.75) == 3
    assert members_needed(spearman_brown(0.1, 5), 5, spearman_brown(0.1, 40)) == 40
    assert members_needed(0.9, 10, 0.1) == 1
    assert members_needed(1.0, 10, 0.9) == 1


def test_where_no_number_of_members_would_do():
    assert members_needed(-0.2, 4, 0.9) is None
    assert members_needed(float("nan"), 4, 0.9) is None
    assert np.isnan(spearman_brown(-0.5, 4))


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("cronbach_alpha", [np.zeros(3)], "scores: wanted real"),
        ("leave_one_out_alpha", [np.zeros(3)], "scores: wanted real"),
        ("split_half", [np.zeros(3)], "scores: wanted real"),
        ("spearman_brown", [0.5, 0], "factor: wanted a number above 0"),
        ("members_needed", [0.5, 4, 1.0], "wanted a share between 0 and 1"),
    ],
)
def test_wrong_arguments_are_refused(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        inspect.unwrap(getattr(reliability, name))(*arguments)


def test_the_jackknife_of_a_mean_is_the_interval_of_the_textbook():
    values = np.array([2.0, 4.0, 4.0, 6.0])
    found = jackknife(lambda kept: float(values[kept].mean()), 4)
    # s = sqrt(8/3); the error s / 2; t at 0.975 with 3 degrees of freedom 3.1824.
    assert found.standard_error == pytest.approx(np.sqrt(8 / 3) / 2)
    assert found.high - found.estimate == pytest.approx(
        3.18245 * found.standard_error, rel=1e-5
    )
    assert found.estimate - found.low == pytest.approx(found.high - found.estimate)


def test_variances_of_two_collections_add():
    a, b = np.array([1.0, 2.0, 4.0]), np.array([1.0, 5.0])
    one, other = jackknife_interval(0.0, a), jackknife_interval(0.0, b)
    both = jackknife_interval(0.0, a, b)
    assert both.standard_error == pytest.approx(
        np.hypot(one.standard_error, other.standard_error)
    )


def test_intervals_are_nan_for_too_few_members():
    assert np.isnan(jackknife(lambda kept: 0.5, 1).low)
    assert jackknife(lambda kept: 0.5, 1).estimate == 0.5
    assert np.isnan(jackknife_two_way(lambda m, e: 0.5, 3, 1).high)
    # Two members leave one, of which kappa is not defined.
    correct = np.array([[True, False, True], [True, False, False]])
    found = jackknife(lambda kept: float(fleiss_kappa(correct[kept])), 2)
    assert found.estimate > 0
    assert np.isnan(found.low)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_levels_beyond_a_share_are_refused(level):
    with pytest.raises(ValueError, match="level: wanted a share"):
        intervals.jackknife_interval(0.0, np.zeros(3), level=level)


# Members with an ability, examples with a difficulty; correct where ability and luck
# exceed difficulty. Of fixed examples, any member is right with a chance each.
ABILITY = 0.3


def members_of(difficulty, members, rng):
    ability = ABILITY * rng.normal(size=(members, 1))
    return rng.normal(size=(members, len(difficulty))) + ability > difficulty


def test_the_jackknife_of_kappa_covers_what_endless_members_would_show():
    rng = np.random.default_rng(0)
    difficulty = rng.normal(size=150)
    chance = ndtr(-difficulty / np.sqrt(1 + ABILITY**2))
    truth = chance.var() / (chance.mean() * (1 - chance.mean()))
    kappa = inspect.unwrap(fleiss_kappa)
    covered, naive = [], []
    for _ in range(400):
        correct = members_of(difficulty, 16, rng)
        found = jackknife(lambda kept, c=correct: float(kappa(c[kept])), 16)
        covered.append(found.low <= truth <= found.high)
        again = float(kappa(correct[rng.integers(0, 16, 16)]))
        naive.append(again - found.estimate)
    # 0.95, and three binomial standard errors of 400 draws.
    assert np.mean(covered) == pytest.approx(0.95, abs=0.033)
    # Why members are not resampled: a member drawn twice agrees with itself.
    assert np.mean(naive) > 0.02


def test_the_two_way_jackknife_covers_what_endless_examples_would_show():
    rng = np.random.default_rng(1)
    # The chance that two members agree on a normal difficulty, in closed form.
    truth = 2 / np.pi * np.arcsin(1 / (2 + ABILITY**2))
    kappa = inspect.unwrap(fleiss_kappa)
    covered = []
    for _ in range(200):
        correct = members_of(rng.normal(size=200), 16, rng)
        found = jackknife_two_way(
            lambda m, e, c=correct: float(kappa(c[m][:, e])), 16, 200, blocks=20
        )
        covered.append(found.low <= truth <= found.high)
    # Too wide if anything: at least 0.95 less three binomial standard errors.
    assert np.mean(covered) > 0.90
