"""Agreement beyond classes and difficulty, of members whose difficulty is known."""

import inspect

import numpy as np
import pytest
from scipy.special import ndtr

from jaxorder.analysis.excess import excess_agreement
from jaxorder.analysis.matching import reached, rise_weights
from jaxorder.analysis.measures import accessibility, fleiss_kappa
from jaxorder.analysis.nulls import class_null

CLASSES, EXAMPLES = 4, 1000


def members_that_learn(members, rng, *, within=1.0, between=0.5, examples=EXAMPLES):
    """Members right by chance, with a probability that is known of each example."""
    label = rng.integers(0, CLASSES, examples)
    ease = between * np.array([-1.5, -0.5, 0.5, 1.5])[label]
    ease = ease + within * rng.normal(size=examples)
    paces = np.array([-2.0, -0.3, 0.3, 1.5])
    chance = ndtr(ease + paces[:, None])
    correct = rng.random((len(paces), members, examples)) < chance[:, None]
    return correct, label, chance


def within_classes(values, label):
    means = np.bincount(label, weights=values) / np.bincount(label)
    return values - means[label]


def test_at_a_snapshot_it_is_kappa_less_its_class_null():
    rng = np.random.default_rng(0)
    correct, label, _ = members_that_learn(6, rng)
    at = 2
    accuracy = float(correct[at].mean())
    found = excess_agreement(correct, label, accuracy=accuracy).kappa
    null = class_null(correct[at], label, simulations=20).kappa.estimate
    wanted = float(fleiss_kappa(correct)[at]) - null
    # of class means that the same examples gave, the null takes no notice
    assert found.estimate == pytest.approx(wanted, abs=0.003)


@pytest.mark.parametrize("within", [0.0, 1.0])
def test_intervals_hold_what_endless_members_and_examples_would_show(within):
    rng = np.random.default_rng(1)
    drawn = [members_that_learn(8, rng, within=within) for _ in range(100)]
    found = [excess_agreement(*each[:2]).kappa for each in drawn]
    _, label, chance = members_that_learn(1, rng, within=within, examples=400_000)
    moment = reached(chance.mean(axis=1), 0.5)
    assert moment is not None

    def excess(snapshot):
        p = chance[snapshot]
        return within_classes(p, label).var() / (p.mean() * (1 - p.mean()))

    truth = moment.between(excess)
    covered = np.mean([each.low <= truth <= each.high for each in found])
    assert covered >= 0.9
    mean = np.mean([each.estimate for each in found])
    assert mean == pytest.approx(truth, abs=0.004)


def test_a_difficulty_that_is_all_leaves_nothing():
    rng = np.random.default_rng(2)
    correct, label, chance = members_that_learn(8, rng)
    known = excess_agreement(correct, label, difficulty=chance)
    assert known.left.low < 0 < known.left.high
    assert known.share.estimate == pytest.approx(0, abs=0.05)
    # the class's part of it counts for nothing
    shifted = chance + 0.3 * label
    again = excess_agreement(correct, label, difficulty=shifted)
    assert again.left.estimate == pytest.approx(known.left.estimate)
    # a half of the variance, known
    nothing = excess_agreement(correct, label, difficulty=0 * chance)
    assert nothing.left == nothing.kappa
    assert nothing.share.estimate == 1


def test_left_out_members_and_examples_make_the_interval():
    rng = np.random.default_rng(3)
    correct, label, _ = members_that_learn(5, rng, examples=60)

    def estimate(members, examples):
        given = correct[:, members][..., examples], label[examples]
        return excess_agreement(*given, blocks=6).kappa.estimate

    every, whole = np.arange(5), np.arange(60)
    blocks = np.array_split(np.random.default_rng(0).permutation(60), 6)
    by_member = [estimate(np.delete(every, i), whole) for i in every]
    by_block = [estimate(every, np.delete(whole, block)) for block in blocks]
    wanted = np.sqrt(4 * np.var(by_member) + 5 * np.var(by_block))
    found = excess_agreement(correct, label, blocks=6).kappa
    assert found.standard_error == pytest.approx(wanted)


def test_an_accuracy_that_is_not_reached_is_undefined():
    rng = np.random.default_rng(4)
    correct, label, chance = members_that_learn(5, rng)
    for accuracy in (0.01, 0.99):
        found = excess_agreement(correct, label, accuracy=accuracy, difficulty=chance)
        assert np.isnan([each.estimate for each in found]).all()


def test_what_does_not_fit_is_refused():
    measure = inspect.unwrap(excess_agreement)
    correct = np.zeros((2, 3, 4), bool)
    with pytest.raises(ValueError, match="label: wanted 4, one an example, got 3"):
        measure(correct, label=np.zeros(3))
    with pytest.raises(ValueError, match=r"difficulty: wanted shape \(2, 4\)"):
        measure(correct, label=np.zeros(4), difficulty=np.zeros((2, 3)))


def test_accuracies_that_fall_back_are_passed_once():
    accuracy = np.array([0.1, 0.4, 0.3, 0.4, 0.6])
    assert reached(accuracy, 0.4) == (0, 1, pytest.approx(1.0))
    assert reached(accuracy, 0.5) == (1, 4, pytest.approx(0.5))
    assert reached(accuracy, 0.1) is None
    weights = rise_weights(accuracy, 0.6)
    assert weights[2] == weights[3] == 0
    assert weights.sum() == pytest.approx(1)
    assert np.isnan(rise_weights(accuracy, 0.7)).all()


def test_accessibility_by_rise_is_the_mean_over_accuracies_passed():
    """Examples learned at accuracies a: right over 1 - a of the way."""
    steps = 200
    learned = (np.arange(steps) + 0.5) / steps
    accuracy = np.linspace(0, 1, steps + 1)
    correct = (learned <= accuracy[:, None])[:, None]
    for upto in (0.5, 0.73, 1.0):
        weights = rise_weights(correct.mean(axis=(1, 2)), upto)
        found = accessibility(correct, weights)
        wanted = np.maximum(upto - learned, 0) / upto
        np.testing.assert_allclose(found, wanted, atol=1 / steps)
