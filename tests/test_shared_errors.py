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
    assert found.kappa.low < 0 < found.kappa.high
    assert found.kappa.estimate == pytest.approx(0, abs=0.02)


def test_what_all_members_confuse_in_a_class_is_chance():
    """One wrong answer a class: all agree, and the confusion rows say so."""
    rng = np.random.default_rng(1)
    found = error_agreement(*wrong_answers(6, 200, rng, lambda label: label % 2 + 1))
    assert found.share.estimate == found.chance == 1
    assert np.isnan([found.kappa.estimate, found.kappa.low]).all()


def test_what_all_members_take_an_example_for_is_beyond_chance():
    rng = np.random.default_rng(2)
    shift = rng.integers(1, CLASSES, 2000)
    found = error_agreement(*wrong_answers(6, 2000, rng, lambda label: shift))
    assert found.chance == pytest.approx(0.25, abs=0.02)
    for sure in (found.share, found.kappa):
        assert (sure.low, sure.estimate, sure.high) == (1, 1, 1)


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
        shares.append(error_agreement(dealt, label, splits=1).share.estimate)
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
        estimates = found.share.estimate, found.chance, found.kappa.estimate
        assert np.isnan(estimates).all()
        assert found.answers == 0


@pytest.mark.parametrize("kind", [np.uint8, np.int64])
@pytest.mark.parametrize("members", [5, 6, 9])
def test_the_interval_leaves_members_out_of_the_same_halves(members, kind):
    rng = np.random.default_rng(members)
    shift = rng.integers(1, CLASSES, 80)
    prediction, label = wrong_answers(members, 80, rng, lambda label: shift)
    other = rng.integers(0, CLASSES, prediction.shape)
    prediction = np.where(rng.random(prediction.shape) < 0.5, prediction, other)
    prediction, label = prediction.astype(kind), label.astype(kind)
    found = error_agreement(prediction, label, splits=3, seed=7)
    whole = by_loops(prediction, label, splits=3, seed=7)
    assert (found.share.estimate, found.kappa.estimate) == pytest.approx(whole)
    without = [
        by_loops(prediction, label, splits=3, seed=7, left_out=each)
        for each in range(members)
    ]
    wanted = np.sqrt((members - 1) * np.var(without, axis=0))
    errors = found.share.standard_error, found.kappa.standard_error
    assert errors == pytest.approx(wanted)


def by_loops(prediction, label, splits, seed, left_out=None):
    """Work share and kappa out example by example, without a member if wanted."""
    members, rng = len(prediction), np.random.default_rng(seed)
    half, met, rates = members // 2, [], {}
    for member, answers in enumerate(prediction):
        for each in np.unique(label):
            errors = answers[(label == each) & (answers != label)]
            rates[member, each] = np.bincount(errors, minlength=256) / len(errors)
    for _ in range(splits):
        halves = rng.permutation(members)[: 2 * half].reshape(2, half)
        for voters, asked in (halves, halves[::-1]):
            voters = [each for each in voters if each != left_out]
            votes = [np.bincount(each) for each in prediction[voters].T]
            commonest = np.array([each.argmax() for each in votes])
            for member in set(asked.tolist()) - {left_out}:
                both = (commonest != label) & (prediction[member] != label)
                for example in np.flatnonzero(both):
                    answer = commonest[example]
                    chance = rates[member, label[example]][answer]
                    met.append((prediction[member, example] == answer, chance))
    share, chance = np.mean(met, axis=0)
    return share, (share - chance) / (1 - chance)


def test_few_answers_have_no_interval():
    """Every member is wrong alike on so many examples: half of eight asked, twice."""
    label, told = np.zeros(40, int), {}
    for wrong in (1, 2):
        prediction = np.zeros((8, 40), int)
        prediction[:, :wrong] = 1
        prediction[0, 0] = 2
        told[wrong] = error_agreement(prediction, label)
    assert [told[wrong].answers for wrong in (1, 2)] == [8, 16]
    assert told[1].share.estimate == pytest.approx(7 / 8, abs=0.1)
    assert np.isnan([told[1].share.low, told[1].kappa.high]).all()
    assert told[1].share.units == 8
    assert told[2].share.low < told[2].share.estimate


def test_half_of_one_member_left_out_has_no_answer():
    """Of two members one votes: without it there is nothing to agree with."""
    found = error_agreement(np.array([[1, 1, 2], [1, 2, 2]]), np.zeros(3, int))
    assert found.share.units == 2
    assert np.isnan(found.share.low)


def test_more_classes_than_two_bytes_name_are_refused():
    many = np.arange(2 * 40_000).reshape(2, -1)
    with pytest.raises(ValueError, match="at most 65,535 classes, got 80,000"):
        inspect.unwrap(error_agreement)(many, label=many[0])


def test_what_was_not_recorded_is_no_answer():
    prediction = np.array([[1, 255, 1], [1, 255, 255]], np.uint8)
    found = error_agreement(prediction, np.zeros(3, np.uint8))
    assert (found.share.estimate, found.answers) == (1, 2)


def test_a_run_is_measured_at_a_snapshot():
    rng = np.random.default_rng(4)
    prediction, label = wrong_answers(6, 30, rng)
    record = fake_record(np.zeros((2, 6, 30), bool), label=label.astype(np.uint8))
    both = np.stack([prediction, prediction[::-1] * 0]).astype(np.uint8)
    record["prediction"] = record["prediction"].copy(data=both)
    run = FakeRun("run", {"test": record})
    wanted = error_agreement(prediction, label, splits=3)
    assert error_agreement(run, snapshot=0, splits=3) == wanted
    assert error_agreement(run).share.estimate == 1


def test_labels_of_other_examples_are_refused():
    measure = inspect.unwrap(error_agreement)
    with pytest.raises(ValueError, match="label: wanted 3, one an example, got 2"):
        measure(np.zeros((2, 3), int), label=np.zeros(3, int)[:2])
