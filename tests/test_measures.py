"""The measures, against numbers worked out by hand and the laws they obey.

The worked case has 3 members, 4 snapshots and 5 examples with labels 0 1 2 0 1, and
epochs 0 1 2 4. Answers, a row a member (correct ones are marked in CORRECT):

    snapshot 0    snapshot 1    snapshot 2    snapshot 3
    0 0 0 0 0     0 1 0 1 0     0 1 2 0 0     0 1 2 0 0
    1 1 1 1 1     0 1 1 0 1     0 1 1 0 0     0 1 2 0 0
    2 2 2 2 2     0 2 1 2 0     0 1 1 2 0     0 1 1 0 0
"""

import inspect
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jaxorder.analysis import measures
from jaxorder.analysis.measures import (
    accessibility,
    bimodality,
    classification_agreement,
    common_prediction,
    epoch_weights,
    first_correct_snapshot,
    fleiss_kappa,
    forgetting_events,
    learned_snapshot,
    member_accessibility,
    tp_agreement,
)
from jaxorder.analysis.reliability import cronbach_alpha, split_half
from jaxorder.errors import RequestError
from tests.test_compare import FakeRun, fake_record

LABEL = np.array([0, 1, 2, 0, 1], np.uint8)
EPOCH = np.array([0.0, 1.0, 2.0, 4.0])
PREDICTION = np.array(
    [
        [[0, 0, 0, 0, 0], [1, 1, 1, 1, 1], [2, 2, 2, 2, 2]],
        [[0, 1, 0, 1, 0], [0, 1, 1, 0, 1], [0, 2, 1, 2, 0]],
        [[0, 1, 2, 0, 0], [0, 1, 1, 0, 0], [0, 1, 1, 2, 0]],
        [[0, 1, 2, 0, 0], [0, 1, 2, 0, 0], [0, 1, 1, 0, 0]],
    ],
    np.uint8,
)
CORRECT = PREDICTION == LABEL

seeded = settings(derandomize=True, deadline=None, max_examples=50)


def one_snapshot(least_members=1):
    shape = st.tuples(st.integers(least_members, 6), st.integers(1, 12))
    return shape.flatmap(lambda s: hnp.arrays(bool, s))


def all_snapshots():
    shape = st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 6))
    return shape.flatmap(lambda s: hnp.arrays(bool, s))


def test_tp_agreement_of_the_worked_case():
    thirds = [[1, 1, 1, 1, 1], [3, 2, 0, 1, 1], [3, 3, 1, 2, 0], [3, 3, 2, 3, 0]]
    np.testing.assert_array_equal(tp_agreement(CORRECT), np.array(thirds) / 3)


def test_classification_agreement_of_the_worked_case():
    # Example 2 at snapshot 1 is answered 0 1 1: two of three agree, on a wrong class.
    thirds = [[1, 1, 1, 1, 1], [3, 2, 2, 1, 2], [3, 3, 2, 2, 3], [3, 3, 2, 3, 3]]
    np.testing.assert_array_equal(
        classification_agreement(PREDICTION), np.array(thirds) / 3
    )


def test_common_prediction_of_the_worked_case_gives_ties_to_the_smaller_class():
    found = common_prediction(PREDICTION)
    wanted = [[0, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 1, 1, 0, 0], [0, 1, 2, 0, 0]]
    assert found.tolist() == wanted
    assert found.dtype == np.uint8


def test_accessibility_of_the_worked_case():
    # Example 2: (1/3 + 0 + 1/3 + 2/3) / 4 = 4/12.
    wanted = np.array([10, 9, 4, 7, 2]) / 12
    np.testing.assert_allclose(accessibility(CORRECT), wanted, rtol=1e-12)


def test_epoch_weighted_accessibility_of_the_worked_case():
    # Half widths 1/2 (epochs 1 to 2) and 1 (2 to 4): weights 0, 1/2, 3/2, 1 over 3.
    weights = epoch_weights(EPOCH)
    np.testing.assert_allclose(weights, [0, 1 / 6, 1 / 2, 1 / 3])
    # Example 1: 1/6 * 2/3 + 1/2 * 1 + 1/3 * 1 = 17/18.
    wanted = np.array([18, 17, 7, 13, 1]) / 18
    np.testing.assert_allclose(accessibility(CORRECT, weights), wanted, rtol=1e-12)


def test_member_accessibility_of_the_worked_case():
    # Member 0 is right on example 3 at snapshots 0, 2 and 3: 3/4.
    wanted = np.array([[4, 3, 2, 3, 0], [3, 4, 1, 3, 2], [3, 2, 1, 1, 0]]) / 4
    np.testing.assert_allclose(member_accessibility(CORRECT), wanted, rtol=1e-12)


def test_bimodality_of_the_worked_case():
    # TPA of snapshot 3 is 15 15 10 15 0 over 15, mean 11/15; deviations in fifteenths
    # 4 4 -1 4 -11; moments 170/5 = 34, -1140/5 = -228, 15410/5 = 3082.
    found = bimodality(tp_agreement(CORRECT)[3])
    assert float(found) == pytest.approx(3082 / 34**2 - 228**2 / 34**3)


def test_fleiss_kappa_of_the_worked_case():
    # p = 11/15, V = 31/45 - (11/15)^2 = 34/225, pq = 44/225: (3 * 34/44 - 1) / 2.
    assert float(fleiss_kappa(CORRECT)[3]) == pytest.approx(29 / 44)
    # At snapshot 0 every example has TPA 1/3: V = 0, the least kappa of 3 members.
    assert float(fleiss_kappa(CORRECT)[0]) == pytest.approx(-1 / 2)


def test_learned_snapshot_of_the_worked_case():
    found = learned_snapshot(CORRECT)
    wanted = [[0, 1, 2, 2, 4], [1, 0, 3, 1, 4], [1, 2, 4, 3, 4]]
    assert found.snapshot.tolist() == wanted
    assert (found.learned == (np.array(wanted) < 4)).all()


def test_first_correct_snapshot_of_the_worked_case():
    found = first_correct_snapshot(CORRECT)
    wanted = [[0, 1, 2, 0, 4], [1, 0, 3, 1, 0], [1, 2, 0, 3, 4]]
    assert found.snapshot.tolist() == wanted
    assert (found.learned == (np.array(wanted) < 4)).all()


def test_forgetting_events_of_the_worked_case():
    # Member 0 loses example 3, member 1 example 4, member 2 example 2, once each.
    wanted = [[0, 0, 0, 1, 0], [0, 0, 0, 0, 1], [0, 0, 1, 0, 0]]
    assert forgetting_events(CORRECT).tolist() == wanted


@seeded
@given(one_snapshot(), st.randoms(use_true_random=False))
def test_order_of_members_and_examples_does_not_matter(correct, random):
    members, examples = (random.sample(range(n), n) for n in correct.shape)
    shuffled = correct[members][:, examples]
    np.testing.assert_array_equal(
        tp_agreement(shuffled), tp_agreement(correct)[examples]
    )
    np.testing.assert_array_equal(
        classification_agreement(shuffled * 1),
        classification_agreement(correct * 1)[examples],
    )
    for measure in (fleiss_kappa, lambda c: bimodality(tp_agreement(c))):
        np.testing.assert_allclose(measure(shuffled), measure(correct), rtol=1e-9)


@seeded
@given(one_snapshot())
def test_mean_tp_agreement_is_accuracy(correct):
    assert tp_agreement(correct).mean() == pytest.approx(correct.mean())


@seeded
@given(all_snapshots())
def test_accessibility_is_the_mean_of_tp_agreement_and_of_members(correct):
    weights = np.arange(1, len(correct) + 1.0)
    found = accessibility(correct, weights)
    direct = np.average(tp_agreement(correct), axis=0, weights=weights)
    np.testing.assert_allclose(found, direct, atol=1e-12)
    members = member_accessibility(correct, weights)
    np.testing.assert_allclose(members.mean(axis=0), found, atol=1e-12)


@seeded
@given(hnp.arrays(np.uint16, (2, 5, 7), elements=st.integers(0, 3)))
def test_classification_agreement_counts_votes_and_bounds_tp_agreement(prediction):
    votes = np.stack([(prediction == k).mean(axis=1) for k in range(4)])
    found = classification_agreement(prediction)
    np.testing.assert_allclose(found, votes.max(axis=0))
    assert (common_prediction(prediction) == votes.argmax(axis=0)).all()
    assert (found >= tp_agreement(prediction == np.arange(7) % 4)).all()


@seeded
@given(one_snapshot())
def test_identical_members_have_kappa_one_or_are_saturated(correct):
    alike = np.repeat(correct[:1], 4, axis=0)
    saturated = alike.all() or not alike.any()
    np.testing.assert_allclose(
        fleiss_kappa(alike), np.nan if saturated else 1.0, rtol=1e-9
    )


@seeded
@given(one_snapshot(least_members=2))
def test_fleiss_kappa_is_that_of_the_textbook(correct):
    # Fleiss' own form: agreeing pairs of raters, over what the margins give.
    members, examples = correct.shape
    counts = np.stack([(~correct).sum(0), correct.sum(0)], axis=1)
    pairs = ((counts**2).sum(1) - members) / (members * (members - 1))
    margin = ((counts.sum(0) / (members * examples)) ** 2).sum()
    if margin < 1:
        wanted = (pairs.mean() - margin) / (1 - margin)
        assert float(fleiss_kappa(correct)) == pytest.approx(wanted, abs=1e-9)
    else:
        assert np.isnan(fleiss_kappa(correct))


@seeded
@given(all_snapshots())
def test_learned_and_forgotten_agree_with_a_loop(correct):
    found, forgotten = learned_snapshot(correct), forgetting_events(correct)
    first = first_correct_snapshot(correct)
    for member, example in np.ndindex(correct.shape[1:]):
        path = correct[:, member, example]
        stays = [t for t in range(len(path)) if path[t:].all()]
        assert found.snapshot[member, example] == (stays or [len(path)])[0]
        assert found.learned[member, example] == bool(stays)
        assert first.snapshot[member, example] == [*path, True].index(True)
        assert first.learned[member, example] == path.any()
        losses = sum(path[t] and not path[t + 1] for t in range(len(path) - 1))
        assert forgotten[member, example] == losses


def test_independent_members_have_no_kappa_and_beta_of_3_less_2_over_n():
    correct = np.random.default_rng(1).random((8, 100_000)) < 0.6
    # The standard errors at this size, about 0.0006 and 0.01, four times over.
    assert abs(float(fleiss_kappa(correct))) < 0.0025
    assert float(bimodality(tp_agreement(correct))) == pytest.approx(
        3 - 2 / 8, abs=0.04
    )


@pytest.mark.parametrize("value", [0.0, 1.0, 1 / 3, 0.1 + 0.2])
def test_bimodality_is_nan_where_nothing_varies(value):
    values = np.full((2, 7), value)
    values[1, 3] += 1e-16
    assert np.isnan(bimodality(values)).all()


def test_bimodality_of_one_member_is_nan_where_it_is_told_so():
    tpa = np.array([0.0, 1.0, 1.0])
    assert float(bimodality(tpa)) == pytest.approx(1)
    assert np.isnan(bimodality(tpa, members=1))


def test_fleiss_kappa_is_nan_where_undefined():
    assert np.isnan(fleiss_kappa(CORRECT[3][:1]))
    assert np.isnan(fleiss_kappa(np.ones((2, 3, 4), bool))).all()
    assert np.isnan(fleiss_kappa(np.zeros((3, 4), bool)))


def test_what_is_not_recorded_is_no_answer():
    prediction = np.array([[255, 255, 4], [255, 7, 4], [255, 255, 2]], np.uint8)
    agreement = classification_agreement(prediction)
    np.testing.assert_allclose(agreement, [np.nan, 1, 2 / 3])
    assert common_prediction(prediction).tolist() == [255, 7, 4]
    # In a type that is not the record's, 255 is a class like any other.
    assert classification_agreement(prediction.astype(int)).tolist()[0] == 1


@pytest.mark.parametrize(
    ("epoch", "wanted"),
    [
        ([0, 0.5], [0, 1]),
        ([3], [1]),
        ([0], [1]),
        ([0, 0], [0.5, 0.5]),
        ([0, 2, 2], [0, 0.5, 0.5]),
        ([1, 2, 3], [0.25, 0.5, 0.25]),
    ],
)
def test_epoch_weights_at_the_edges(epoch, wanted):
    assert epoch_weights(np.array(epoch)).tolist() == wanted


def test_arrays_of_xarray_are_taken_too():
    axes = ("snapshot", "member", "example")
    correct, answers = xr.DataArray(CORRECT, dims=axes), xr.DataArray(PREDICTION)
    assert (tp_agreement(correct) == tp_agreement(CORRECT)).all()
    assert classification_agreement(answers).shape == (4, 5)
    assert accessibility(correct, epoch_weights(xr.DataArray(EPOCH))).shape == (5,)


@pytest.mark.parametrize(
    ("name", "argument", "message"),
    [
        ("tp_agreement", PREDICTION, "correct: wanted bool"),
        ("tp_agreement", CORRECT[0, 0], "correct: wanted bool"),
        ("tp_agreement", CORRECT[:, :0], "correct: wanted bool"),
        ("classification_agreement", CORRECT, "prediction: wanted integer"),
        ("common_prediction", CORRECT, "prediction: wanted integer"),
        ("accessibility", CORRECT[0], "snapshot, member, example"),
        ("member_accessibility", CORRECT[0], "snapshot, member, example"),
        ("bimodality", np.zeros((2, 0)), "tpa: wanted real"),
        ("learned_snapshot", CORRECT[0], "snapshot, member, example"),
        ("first_correct_snapshot", CORRECT[0], "snapshot, member, example"),
        ("forgetting_events", CORRECT[0], "snapshot, member, example"),
        ("epoch_weights", np.array([2.0, 1.0]), "none below the last"),
        ("epoch_weights", np.array([]), "epoch: wanted real"),
    ],
)
def test_wrong_arrays_are_refused_in_one_line(name, argument, message):
    # Unwrapped: the tests' own checks of shapes would refuse some of them first.
    measure = inspect.unwrap(getattr(measures, name))
    with pytest.raises(ValueError, match=message) as error:
        measure(argument)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "weights", [np.ones(3), np.zeros(4), np.array([-1.0, 1, 1, 1]), np.full(4, np.nan)]
)
def test_weights_that_do_not_fit_are_refused(weights):
    with pytest.raises(ValueError, match="weights: wanted 4, one a snapshot"):
        inspect.unwrap(accessibility)(CORRECT, weights)


@pytest.fixture
def worked():
    record = fake_record(CORRECT, label=LABEL, epoch=EPOCH)
    record["prediction"] = record["prediction"].copy(data=PREDICTION.copy())
    return FakeRun("worked", {"test": record})


def test_of_a_run_measures_are_those_of_what_it_recorded(worked):
    weights = epoch_weights(EPOCH)
    wanted = {
        tp_agreement: tp_agreement(CORRECT),
        classification_agreement: classification_agreement(PREDICTION),
        common_prediction: common_prediction(PREDICTION),
        fleiss_kappa: fleiss_kappa(CORRECT),
        bimodality: bimodality(tp_agreement(CORRECT), 3),
        accessibility: accessibility(CORRECT, weights),
        member_accessibility: member_accessibility(CORRECT, weights),
        forgetting_events: forgetting_events(CORRECT),
        cronbach_alpha: cronbach_alpha(member_accessibility(CORRECT, weights)),
        split_half: split_half(member_accessibility(CORRECT, weights)),
    }
    for measure, value in wanted.items():
        np.testing.assert_allclose(measure(worked), value, rtol=1e-12)
    learned = learned_snapshot(worked)
    np.testing.assert_array_equal(learned.snapshot, learned_snapshot(CORRECT).snapshot)
    equal = np.full(4, 0.25)
    np.testing.assert_allclose(
        accessibility(worked, split="test", weights=equal),
        accessibility(correct=CORRECT),
    )


def test_the_split_of_a_run_may_stand_beside_it_and_nothing_else(worked):
    both = {"test": worked.splits["test"], "train": fake_record(CORRECT[:2])}
    run = FakeRun("both", both)
    np.testing.assert_array_equal(
        accessibility(run, "train"), accessibility(run, split="train")
    )
    assert not np.array_equal(accessibility(run, "train"), accessibility(run))
    further: list[Any]  # as of one who has not read what is allowed
    for further in ([np.ones(4)], ["train", np.ones(4)]):
        with pytest.raises(TypeError, match=r"accessibility of a run.* by name, got"):
            accessibility(run, *further)
    called: Any = accessibility
    with pytest.raises(TypeError, match="by name, got str, str"):
        called(run, "train", split="train")


def test_members_that_went_infinite_are_left_out_of_a_runs_measures(worked):
    worked.splits["test"]["finite"][3, 2] = False
    np.testing.assert_array_equal(
        tp_agreement(worked), tp_agreement(CORRECT[:, [0, 1]])
    )


def test_a_run_without_a_snapshot_is_refused(worked):
    empty = FakeRun("empty", {"test": worked.splits["test"].isel(snapshot=[])})
    with pytest.raises(RequestError, match="wanted a snapshot and a finite member"):
        accessibility(empty)
    with pytest.raises(RequestError, match="not a study or a run"):
        accessibility("nowhere")
