"""What the stronger has learned of what the weaker has, against loops and scipy."""

import inspect

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import contingency

from jaxorder.analysis import containment, containment_of_halves, tp_agreement
from tests.test_compare import FakeRun, fake_record

HALF = np.array([0.5])


def learners(ease, members, rng, skill=0.0):
    return rng.random((members, len(ease))) < ndtr(2 * (ease + skill))


def test_odds_of_one_class_are_those_of_scipy():
    rng = np.random.default_rng(0)
    weaker, stronger = rng.random((2, 300))
    found = containment(weaker, stronger, np.zeros(300, int), HALF)
    a, b = weaker > 0.5, stronger > 0.5
    table = [[np.sum(a & b), np.sum(a & ~b)], [np.sum(~a & b), np.sum(~a & ~b)]]
    wanted = contingency.odds_ratio(table, kind="sample").statistic
    assert found.odds_ratio[0] == pytest.approx(wanted)
    assert found.share[0] == pytest.approx(b[a].mean())
    assert found.chance[0] == pytest.approx(b.mean())
    assert (found.learned[0], found.unlearned[0]) == (a.sum(), (~b).sum())


def test_classes_are_summed_as_mantel_and_haenszel_do():
    rng = np.random.default_rng(1)
    weaker, stronger = rng.random((2, 500))
    label = rng.choice(["cat", "dog", "fox"], 500)
    found = containment(weaker, stronger, label, np.array([0.3, 0.6]))
    for index, at in enumerate((0.3, 0.6)):
        a, b = weaker > at, stronger > at
        over, under, chance = 0.0, 0.0, 0.0
        for each in np.unique(label):
            own = label == each
            over += np.sum(own & a & b) * np.sum(own & ~a & ~b) / own.sum()
            under += np.sum(own & a & ~b) * np.sum(own & ~a & b) / own.sum()
            chance += np.sum(own & a) * b[own].mean()
        assert found.odds_ratio[index] == pytest.approx(over / under)
        assert found.chance[index] == pytest.approx(chance / a.sum())


def test_what_only_classes_share_is_chance():
    """Each class is easy or hard for both, and its examples are alike."""
    rng = np.random.default_rng(2)
    label = rng.integers(0, 4, 20_000)
    ease = np.array([0.2, 0.4, 0.6, 0.8])[label]
    weaker, stronger = rng.random((2, 20_000)) < ease
    found = containment(weaker * 1.0, stronger * 1.0, label, HALF)
    assert found.share[0] == pytest.approx(found.chance[0], abs=0.02)
    assert found.odds_ratio[0] == pytest.approx(1, abs=0.1)
    # without classes it would look like containment
    blind = containment(weaker * 1.0, stronger * 1.0, np.zeros(20_000), HALF)
    assert blind.odds_ratio[0] > 1.5


def test_collections_of_one_order_contain_each_other_as_halves_do():
    rng = np.random.default_rng(3)
    ease = rng.normal(size=4000)
    label = np.zeros(4000)
    one, other = learners(ease, 8, rng), learners(ease, 8, rng)
    both = containment(tp_agreement(one), tp_agreement(other), label, HALF)
    halves = containment_of_halves(np.concatenate([one, other]), label, thresholds=HALF)
    assert halves.share[0] == pytest.approx(both.share[0], abs=0.01)
    stronger = tp_agreement(learners(ease, 8, rng, skill=1.0))
    assert containment(tp_agreement(one), stronger, label, HALF).share[0] > 0.98
    apart = tp_agreement(learners(rng.permutation(ease), 8, rng))
    found = containment(tp_agreement(one), apart, label, HALF)
    assert found.share[0] == pytest.approx(found.chance[0], abs=0.05)


def test_where_nothing_can_be_told():
    weaker, label = np.array([1.0, 1.0, 0.0, 0.0]), np.zeros(4)
    at = np.array([0.5])
    none = containment(0 * weaker, weaker, label, at)
    assert np.isnan([none.share[0], none.chance[0], none.odds_ratio[0]]).all()
    everything = containment(weaker, np.ones(4), label, at)
    assert (everything.share[0], everything.chance[0]) == (1, 1)
    assert np.isnan(everything.odds_ratio[0])
    # contained wholly, and not by chance alone
    assert containment(weaker, weaker, label, at).odds_ratio[0] == np.inf


def test_a_threshold_is_to_be_exceeded_by_more_than_rounding():
    tpa = np.array([0.1 + 0.2, 0.4])
    assert containment(tpa, tpa, np.zeros(2), np.array([0.3])).learned.tolist() == [1]


def test_halves_are_pooled_over_both_turns():
    correct = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], bool)
    found = containment_of_halves(correct, np.zeros(4), thresholds=HALF, splits=3)
    # of 3 + 2 learned, 2 + 2 are learned by the other
    assert (found.share[0], found.learned[0], found.unlearned[0]) == (0.8, 2.5, 1.5)
    assert len(containment_of_halves(correct, np.zeros(4)).share) == 9


def test_a_runs_halves_are_those_of_a_snapshot():
    correct = np.random.default_rng(4).random((2, 6, 30)) < 0.6
    label = np.arange(30, dtype=np.uint8) % 3
    run = FakeRun("run", {"test": fake_record(correct, label=label)})
    for index in (0, 1):
        wanted = containment_of_halves(correct[index], label)
        found = containment_of_halves(run, snapshot=index)
        np.testing.assert_array_equal(found.share, wanted.share)
    np.testing.assert_array_equal(containment_of_halves(run).share, wanted.share)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"stronger": np.zeros(3)}, "stronger: wanted 4, one an example as in weaker"),
        ({"label": np.zeros(3)}, "label: wanted 4, one an example as in weaker, got 3"),
        ({"thresholds": np.array([1.0])}, r"thresholds: wanted shares in \[0, 1\)"),
    ],
)
def test_wrong_arguments_are_refused(changed, message):
    given = {name: np.zeros(4) for name in ("weaker", "stronger", "label")} | changed
    with pytest.raises(ValueError, match=message):
        inspect.unwrap(containment)(**given)


def test_one_member_has_no_halves():
    with pytest.raises(ValueError, match="wanted at least 2 members to halve, got 1"):
        containment_of_halves(np.ones((1, 3), bool), np.zeros(3))


@pytest.mark.parametrize("truth", [0.5, 0.9, 0.99])
def test_intervals_of_the_share_cover_it_over_other_examples(truth):
    rng = np.random.default_rng(7)
    covered = []
    for _ in range(400):
        weaker = (rng.random(500) < 0.6) * 1.0
        stronger = (rng.random(500) < np.where(weaker > 0, truth, 0.3)) * 1.0
        found = containment(weaker, stronger, np.zeros(500), HALF)
        covered.append(found.low[0] <= truth <= found.high[0])
    # less the draws' own error, two binomial standard errors
    assert 0.92 - 0.022 <= np.mean(covered) <= 0.98 + 0.022


def test_intervals_hold_the_ends_and_are_undefined_where_the_share_is():
    one, none = np.ones(20), np.zeros(20)
    label = np.zeros(20)
    for stronger, share in ((one, 1.0), (none, 0.0)):
        found = containment(one, stronger, label, HALF)
        assert found.low[0] <= share <= found.high[0]
        assert found.share[0] == share
        assert 0.05 < found.high[0] - found.low[0] < 0.3
    found = containment(none, one, label, HALF)
    assert np.isnan([found.share[0], found.low[0], found.high[0]]).all()
