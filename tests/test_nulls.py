"""The nulls, against enumeration, simulation and the measures themselves."""

import inspect
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import ndtr

from jaxorder import analysis
from jaxorder.analysis.histograms import (
    histogram,
    histogram_bimodality,
    histogram_kappa,
)
from jaxorder.analysis.measures import bimodality, fleiss_kappa, tp_agreement
from jaxorder.analysis.nulls import (
    class_null,
    difficulty_null,
    independent_null,
    poisson_binomial,
)
from tests.test_compare import FakeRun, fake_record

seeded = settings(derandomize=True, deadline=None, max_examples=50)


@seeded
@given(hnp.arrays(float, st.integers(1, 6), elements=st.floats(0, 1)))
def test_poisson_binomial_is_what_enumeration_gives(chances):
    wanted = np.zeros(len(chances) + 1)
    for outcome in itertools.product([0, 1], repeat=len(chances)):
        happens = np.array(outcome, bool)
        wanted[happens.sum()] += np.where(happens, chances, 1 - chances).prod()
    np.testing.assert_allclose(poisson_binomial(chances), wanted, atol=1e-12)


@seeded
@given(hnp.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 30))))
def test_a_histogram_gives_the_measures_of_what_it_counts(correct):
    members = len(correct)
    tpa = tp_agreement(correct)
    counts = histogram(tpa, members)
    assert counts.tolist() == [np.sum(correct.sum(0) == k) for k in range(members + 1)]
    np.testing.assert_allclose(
        histogram_bimodality(counts), bimodality(tpa, members), rtol=1e-6
    )
    np.testing.assert_allclose(
        histogram_kappa(counts), fleiss_kappa(correct), atol=1e-9
    )


def test_histograms_of_many_snapshots_are_counted_apart():
    tpa = np.array([[0, 0.5, 1], [1, 1, 1], [0, 0, 0]])
    counts = histogram(tpa, 2)
    assert counts.tolist() == [[1, 1, 1], [0, 0, 3], [3, 0, 0]]
    # Of the first: variance 1/6, all of it between p q = 1/4: (2 * 2/3 - 1) / 1.
    np.testing.assert_allclose(histogram_kappa(counts), [1 / 3, np.nan, np.nan])
    # Deviations -1/2 0 1/2: (2/3 / 16) / (1/6)^2.
    np.testing.assert_allclose(histogram_bimodality(counts), [1.5, np.nan, np.nan])


def test_equal_members_give_the_closed_form_of_the_binomial():
    pmf = poisson_binomial(np.full(10, 0.3))
    assert float(histogram_bimodality(pmf)) == pytest.approx(3 - 2 / 10)
    assert float(histogram_kappa(pmf)) == pytest.approx(0, abs=1e-12)


def test_the_independent_null_has_the_exact_moments():
    correct = (
        np.random.default_rng(0).random((6, 500)) < np.linspace(0.2, 0.9, 6)[:, None]
    )
    null, own = independent_null(correct), correct.mean(axis=1)
    p, spread = own.mean(), (own * (1 - own)).sum()
    assert null.mean == pytest.approx(p)
    assert null.variance == pytest.approx(spread / 6**2)
    wanted = -own.var() / (p * (1 - p)) / 5
    assert null.kappa.estimate == pytest.approx(wanted)
    # Third and fourth cumulants of a sum of Bernoulli variables add.
    variances = own * (1 - own)
    skewness = (variances * (1 - 2 * own)).sum() / spread**1.5
    excess = (variances * (1 - 6 * variances)).sum() / spread**2
    assert null.bimodality.estimate == pytest.approx(3 + excess - skewness**2)
    assert null.expected.sum() == pytest.approx(500)


def test_the_class_null_is_what_simulated_members_show():
    rng = np.random.default_rng(2)
    label = np.repeat([0, 1, 2], [100, 200, 300])
    accuracy = np.array(
        [[0.9, 0.5, 0.2], [0.8, 0.6, 0.1], [0.7, 0.9, 0.3], [1, 0.4, 0]]
    )
    # Exactly those accuracies: within a class, which examples are right is shuffled.
    drawn = np.stack([_shuffled(accuracy, label, rng) for _ in range(400)])
    null = class_null(drawn[0], label)
    shares = histogram(tp_agreement(drawn), 4).mean(axis=0) / 600
    np.testing.assert_allclose(null.pmf, shares, atol=0.005)
    kappa = fleiss_kappa(drawn)
    assert null.kappa.estimate == pytest.approx(kappa.mean(), abs=0.005)
    assert null.kappa.low < kappa.mean() < null.kappa.high
    assert null.mean == pytest.approx(drawn[0].mean())
    assert independent_null(drawn[0]).kappa.high < null.kappa.low


def _shuffled(accuracy, label, rng):
    correct = np.zeros((len(accuracy), len(label)), bool)
    for member, each in np.ndindex(accuracy.shape):
        members = rng.permutation(np.flatnonzero(label == each))
        right = round(accuracy[member, each] * len(members))
        correct[member, members[:right]] = True
    return correct


def test_the_difficulty_null_is_what_members_show_that_share_no_more():
    rng = np.random.default_rng(6)
    label = rng.integers(0, 3, 4000)
    known, hidden = rng.normal(size=(2, 4000))
    chance = ndtr(known + label - 1)
    null = difficulty_null(rng.random((8, 4000)) < chance, known, label, groups=20)
    drawn = fleiss_kappa(rng.random((50, 8, 4000)) < chance)
    assert null.kappa.estimate == pytest.approx(drawn.mean(), abs=0.01)
    assert null.kappa.low < drawn.mean() < null.kappa.high
    # what is hidden is beyond it, and the known difficulty beyond class alone
    more = rng.random((8, 4000)) < ndtr(known + hidden + label - 1)
    beyond = difficulty_null(more, known, label, groups=20)
    assert beyond.kappa.high < fleiss_kappa(more)
    assert class_null(more, label).kappa.high < beyond.kappa.low
    # nothing lies beyond the difficulty that members really have
    whole = difficulty_null(more, known + hidden, label, groups=20).kappa
    assert whole.low < fleiss_kappa(more) < whole.high + 0.01


def test_one_group_of_difficulty_is_the_null_before():
    rng = np.random.default_rng(7)
    correct, label = rng.random((5, 90)) < 0.6, rng.integers(0, 3, 90)
    same = np.zeros(90)
    for null, wanted in (
        (difficulty_null(correct, same), independent_null(correct)),
        (difficulty_null(correct, same, label), class_null(correct, label)),
        (difficulty_null(correct, label), class_null(correct, label)),
        (difficulty_null(correct, rng.random(90), groups=1), independent_null(correct)),
    ):
        np.testing.assert_allclose(null.pmf, wanted.pmf)
    # either direction, as long as it cuts no ties
    ease = rng.permutation(90)
    up, down = (difficulty_null(correct, each, groups=9) for each in (ease, -ease))
    np.testing.assert_allclose(up.pmf, down.pmf)


def test_the_interval_of_the_null_covers_independent_members():
    rng = np.random.default_rng(3)
    covered = []
    for _ in range(200):
        correct = rng.random((5, 400)) < 0.5
        null = independent_null(correct, simulations=200)
        kappa = float(fleiss_kappa(correct))
        covered.append(null.kappa.low <= kappa <= null.kappa.high)
    # 0.95, and three binomial standard errors of 200 draws.
    assert np.mean(covered) == pytest.approx(0.95, abs=0.05)


def test_one_class_is_the_independent_null():
    correct = np.random.default_rng(4).random((5, 50)) < 0.5
    one = class_null(correct, np.zeros(50, np.uint8))
    np.testing.assert_array_equal(one.pmf, independent_null(correct).pmf)
    assert one.kappa == independent_null(correct).kappa


def test_saturated_and_single_members_have_an_undefined_null():
    for correct in (np.ones((3, 4), bool), np.array([[True, False, True]])):
        null = independent_null(correct)
        for found in (null.kappa, null.bimodality):
            assert np.isnan([found.estimate, found.low, found.high]).all()


def test_a_draw_that_is_saturated_is_left_out_of_the_interval():
    correct = np.array([[True, True, False], [True, True, True]])
    null = independent_null(correct)
    assert np.isfinite([null.bimodality.low, null.bimodality.high]).all()


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("independent_null", [np.ones(3, bool)], "correct: wanted bool"),
        ("class_null", [np.ones((2, 3), bool), np.zeros(4)], "label: wanted 3"),
        ("class_null", [np.ones((2, 3), bool), np.zeros((3, 1))], "label: wanted"),
        ("difficulty_null", [np.ones((2, 3), bool), np.zeros(4)], "difficulty: wanted"),
        (
            "difficulty_null",
            [np.ones((2, 3), bool), np.array([0, np.nan, 1])],
            "got 10 groups and 1 NaN",
        ),
        (
            "difficulty_null",
            [np.ones((2, 3), bool), np.zeros(3), np.zeros(4)],
            "label: wanted 3",
        ),
        ("poisson_binomial", [np.array([0.5, 1.5])], r"wanted \[0, 1\]"),
        ("poisson_binomial", [np.zeros((2, 2))], "probabilities: wanted real"),
        ("histogram", [np.array([0.4]), 3], "multiples of 1/3"),
        ("histogram", [np.array([-1.0]), 3], "multiples of 1/3"),
        ("histogram", [np.array([2.0]), 3], "multiples of 1/3"),
        ("histogram_kappa", [np.array([3])], r"wanted \[..., N \+ 1\]"),
        ("histogram_bimodality", [np.array([3])], r"wanted \[..., N \+ 1\]"),
    ],
)
def test_wrong_arrays_are_refused(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        inspect.unwrap(getattr(analysis, name))(*arguments)


def test_of_a_run_the_nulls_are_those_of_its_last_snapshot_or_another():
    rng = np.random.default_rng(0)
    correct = rng.random((3, 4, 30)) < 0.6
    record = fake_record(correct)
    run = FakeRun("run", {"test": record})
    label = record["label"].values
    for at in (-1, 0):
        found = [null(run, snapshot=at) for null in (independent_null, class_null)]
        wanted = independent_null(correct[at]), class_null(correct[at], label)
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one.pmf, other.pmf)
            assert one.measures == other.measures
    last = class_null(correct[-1], label)
    np.testing.assert_array_equal(class_null(run).pmf, last.pmf)
    ease = rng.random(30)
    found = difficulty_null(run, difficulty=ease)
    np.testing.assert_array_equal(
        found.pmf, difficulty_null(correct[-1], ease, label).pmf
    )
