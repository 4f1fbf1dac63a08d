"""Reliability and intervals, against their laws and simulated members."""

import inspect
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import ndtr
from scipy.stats import ttest_ind

from jaxorder.analysis import compare_orders, intervals, reliability
from jaxorder.analysis.intervals import (
    Interval,
    jackknife,
    jackknife_interval,
    jackknife_two_way,
)
from jaxorder.analysis.measures import bimodality, fleiss_kappa
from jaxorder.analysis.reliability import (
    cronbach_alpha,
    leave_one_out_alpha,
    members_needed,
    order_reliability,
    spearman_brown,
    split_half,
)
from jaxorder.analysis.scales import ALPHA, BIMODALITY, FISHER, intraclass

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


def test_the_interval_of_a_difference_of_means_is_that_of_scipy():
    """Welch's, with degrees of freedom that are no whole number."""
    a, b = np.array([1.0, 2.0, 4.0, 9.0]), np.array([1.0, 5.0, 5.5])
    left_out = [
        np.array([np.delete(a, i).mean() - b.mean() for i in range(4)]),
        np.array([a.mean() - np.delete(b, i).mean() for i in range(3)]),
    ]
    found = jackknife_interval(a.mean() - b.mean(), *left_out)
    wanted = ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    # what does not vary adds no degrees of freedom, and takes none
    alone = jackknife_interval(0.0, left_out[0], np.zeros(40))
    assert alone.high == pytest.approx(jackknife_interval(0.0, left_out[0]).high)


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


# Intervals that keep their range cover, too: of members that share a difficulty, and
# of independent ones, where the jackknife's variance is too large if anything (Efron
# and Stein 1981).
SIMULATED = pytest.mark.parametrize("members", [6, 16])


def check_coverage(found: list[Interval], truth: float, shared: bool) -> None:
    covered = np.mean([each.low <= truth <= each.high for each in found])
    assert covered >= 0.9
    if shared:
        assert covered <= 0.995


def kappa_of(correct) -> Interval:
    every = np.arange(len(correct))
    kappa = inspect.unwrap(fleiss_kappa)
    left_out = np.array([kappa(np.delete(correct, i, axis=0)) for i in every])
    scale = intraclass(len(correct))
    return jackknife_interval(float(kappa(correct)), left_out, scale=scale)


@SIMULATED
@pytest.mark.parametrize("shared", [False, True])
def test_intervals_of_kappa_cover_within_its_range(members, shared):
    rng = np.random.default_rng(2)
    chance = ndtr(shared * rng.normal(size=150))
    truth = chance.var() / (chance.mean() * (1 - chance.mean()))
    found = [kappa_of(rng.random((members, 150)) < chance) for _ in range(200)]
    check_coverage(found, truth, shared)
    assert all(-1 / (members - 1) <= f.low <= f.high <= 1 for f in found)


@SIMULATED
@pytest.mark.parametrize("shared", [False, True])
def test_intervals_of_bimodality_cover_within_its_range(members, shared):
    rng = np.random.default_rng(5)
    chance = ndtr(1.5 * shared * rng.normal(size=150))
    drawn = (rng.random((members, 150)) < chance for _ in range(200))
    found = [bimodality_of(correct) for correct in drawn]
    # of so many members, not of endless ones
    truth = 1 + np.exp(np.mean(np.log([f.estimate - 1 for f in found])))
    check_coverage(found, float(truth), shared)
    assert all(1 <= f.low <= f.high for f in found)


def bimodality_of(correct) -> Interval:
    tpa = [np.delete(correct, i, axis=0).mean(axis=0) for i in range(len(correct))]
    whole = float(bimodality(correct.mean(axis=0)))
    return jackknife_interval(
        whole, np.asarray(bimodality(np.array(tpa))), scale=BIMODALITY
    )


@SIMULATED
@pytest.mark.parametrize("shared", [False, True])
def test_intervals_of_reliability_cover_within_its_range(members, shared):
    rng = np.random.default_rng(3)
    signal = shared * rng.normal(size=60)
    truth = members * signal.var() / (members * signal.var() + 1)
    drawn = (signal + rng.normal(size=(members, 60)) for _ in range(200))
    found = [order_reliability(scores) for scores in drawn]
    check_coverage(found, truth, shared)
    assert all(f.high < 1 for f in found)


@SIMULATED
@pytest.mark.parametrize("shared", [False, True])
def test_intervals_of_correlations_cover_within_their_range(members, shared):
    rng = np.random.default_rng(4)
    signal = shared * rng.normal(size=(2, 1, 60))
    signal[1] += signal[0]
    pairs = [signal + rng.normal(size=(2, members, 60)) for _ in range(100)]
    found = [compare_orders(a, b).spearman for a, b in pairs]
    # of so many members each, not of endless ones
    truth = np.tanh(np.mean(np.arctanh([f.estimate for f in found])))
    check_coverage(found, float(truth), shared)
    assert all(-1 <= f.low <= f.high <= 1 for f in found)


@pytest.mark.parametrize(
    ("scale", "estimate", "left_out", "ends"),
    [
        # all at the end: nothing varies
        (FISHER, 1.0, [1.0] * 6, (1, 1)),
        # some at the end: the plain interval, cut there
        (FISHER, 0.9, [1.0, 0.9, 0.9, 0.9, 0.9, 0.8], (0.53, 1)),
        (FISHER, 0.99, [0.99, 0.98, 0.995, 0.99, 0.99, 0.97], (0.757, 1.0)),
        (ALPHA, 0.2, [0.5, -3.0, 0.4, 0.1, 0.2, 0.3], (-39.85, 0.984)),
        (BIMODALITY, 1.0, [1.0, 1.0, 1.1, 1.0, 1.0, 1.2], (1, 1.45)),
        (intraclass(6), -0.2, [-0.25, -0.2, -0.2, -0.1, -0.2, -0.2], (-0.2, 0.08)),
        # rounding put it beyond the end
        (FISHER, 1 + 1e-15, [1.0, 1 + 1e-15, 1.0, 1.0, 1.0, 1.0], (1, 1)),
        # nothing is known where a value is missing
        (FISHER, 0.5, [0.5, float("nan"), 0.4, 0.6, 0.5, 0.5], (np.nan, np.nan)),
    ],
)
def test_intervals_end_within_the_range(scale, estimate, left_out, ends):
    found = jackknife_interval(estimate, np.array(left_out), scale=scale, fewest=5)
    assert (found.low, found.high) == pytest.approx(ends, abs=0.1, nan_ok=True)
    assert not found.low < scale.low
    assert not found.high > scale.high


def test_the_interval_of_orders_may_be_over_other_examples_too():
    rng = np.random.default_rng(7)
    signal = rng.normal(size=60)
    a, b = signal + rng.normal(size=(2, 6, 60))
    dealt = np.array_split(np.random.default_rng(3).permutation(60), 5)
    rest = [np.delete(np.arange(60), block) for block in dealt]
    blocks = [compare_orders(a[:, kept], b[:, kept]) for kept in rest]
    members, both = compare_orders(a, b), compare_orders(a, b, blocks=5, seed=3)
    for name in ("pearson", "disattenuated_spearman"):
        of_members, of_both = getattr(members, name), getattr(both, name)
        more = 4 * np.var([getattr(each, name).estimate for each in blocks])
        wanted = np.sqrt(of_members.standard_error**2 + more)
        assert of_both.standard_error == pytest.approx(wanted)
        assert of_both.estimate == of_members.estimate
    with pytest.raises(ValueError, match="blocks: wanted 0 or 5 to 60, one an example"):
        compare_orders(a, b, blocks=4)


def test_few_members_have_no_interval():
    scores = correlated_scores(4, 30)
    found = order_reliability(scores)
    assert found.estimate == pytest.approx(cronbach_alpha(scores))
    assert np.isnan([found.low, found.high, found.standard_error]).all()
    assert str(found).endswith("interval undefined (4 members)")
    assert np.isfinite(order_reliability(correlated_scores(5, 30)).low)
    # two that contradict each other: alpha is -288, and says nothing
    against = np.stack([scores[0], 0.01 * scores[1] - scores[0]])
    assert cronbach_alpha(against) < -100
    assert str(order_reliability(against)) == "undefined (2 members)"
