"""Whether members make the same errors, against cases whose answer is known."""

import inspect

import numpy as np
import pytest

from jaxorder.analysis import error_agreement
from tests.test_compare import FakeRun, fake_record

CLASSES = 5


def wrong_answers(members, examples, rng, preferred=None, accuracy=0.5):
    """Draw answers that are wrong at random, or always the preferred wrong one."""
    label = rng.integers(0, CLASSES, examples)
    shift = rng.integers(1, CLASSES, (members, examples))
    if preferred is not None:
        shift = np.broadcast_to(preferred(label), shift.shape)
    wrong = rng.random((members, examples)) > accuracy
    return (label + wrong * shift) % CLASSES, label


def test_errors_at_random_agree_as_chance_says():
    rng = np.random.default_rng(0)
    found = error_agreement(*wrong_answers(8, 4000, rng))
    assert found.chance == pytest.approx(1 / (CLASSES - 1), abs=0.01)
    assert found.kappa == pytest.approx(0, abs=0.02)


def test_what_all_members_confuse_in_a_class_is_chance():
    """One wrong answer a class: all agree, and the confusion rows say so."""
    rng = np.random.default_rng(1)
    found = error_agreement(*wrong_answers(6, 200, rng, lambda label: label % 2 + 1))
    assert found.share == found.chance == 1
    assert np.isnan(found.kappa)


def test_what_all_members_take_an_example_for_is_beyond_chance():
    rng = np.random.default_rng(2)
    shift = rng.integers(1, CLASSES, 2000)
    found = error_agreement(*wrong_answers(6, 2000, rng, lambda label: shift))
    assert found.share == 1
    assert found.chance == pytest.approx(0.25, abs=0.02)
    assert found.kappa == 1


def test_chance_is_the_mean_of_all_ways_to_deal_the_errors():
    """Of two members, each one's errors are dealt among the examples it is wrong on."""
    rng = np.random.default_rng(3)
    prediction, label = wrong_answers(2, 60, rng)
    chance = error_agreement(prediction, label).chance
    dealt, shares = prediction.copy(), []
    for _ in range(3000):
        for each in range(CLASSES):
            own = (label == each) & (prediction[1] != label)
            dealt[1, own] = rng.permutation(prediction[1, own])
        shares.append(error_agreement(dealt, label, splits=1).share)
    one = chance_of_the_second(prediction, label)
    assert np.mean(shares) == pytest.approx(one, abs=0.006)
    other = chance_of_the_second(prediction[::-1], label)
    assert chance == pytest.approx((one + other) / 2)


def chance_of_the_second(prediction, label):
    """Work out chance by loops, where the second member is asked."""
    first, second = prediction
    both = np.flatnonzero((prediction != label).all(axis=0))
    rates = []
    for example in both:
        errors = second[(label == label[example]) & (second != label)]
        rates.append(np.mean(errors == first[example]))
    return np.mean(rates)


def test_where_wrong_answers_do_not_meet_there_is_no_share():
    label = np.zeros(4, int)
    apart = np.array([[1, 1, 0, 0], [0, 0, 1, 1]])
    for prediction in (apart, apart[:1], np.zeros((4, 4), int)):
        found = error_agreement(prediction, label)
        assert np.isnan([found.share, found.chance, found.kappa]).all()
        assert found.answers == 0


def test_what_was_not_recorded_is_no_answer():
    prediction = np.array([[1, 255, 1], [1, 255, 255]], np.uint8)
    found = error_agreement(prediction, np.zeros(3, np.uint8))
    assert (found.share, found.answers) == (1, 2)


def test_a_run_is_measured_at_a_snapshot():
    rng = np.random.default_rng(4)
    prediction, label = wrong_answers(4, 30, rng)
    record = fake_record(np.zeros((2, 4, 30), bool), label=label.astype(np.uint8))
    both = np.stack([prediction, prediction[::-1] * 0]).astype(np.uint8)
    record["prediction"] = record["prediction"].copy(data=both)
    run = FakeRun("run", {"test": record})
    wanted = error_agreement(prediction, label, splits=3)
    assert error_agreement(run, snapshot=0, splits=3) == wanted
    assert error_agreement(run).share == 1


def test_labels_of_other_examples_are_refused():
    measure = inspect.unwrap(error_agreement)
    with pytest.raises(ValueError, match="label: wanted 3, one an example, got 2"):
        measure(np.zeros((2, 3), int), label=np.zeros(3, int)[:2])
