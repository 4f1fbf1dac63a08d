"""Records in parts: whatever the parts, the numbers are those of the whole."""

import threading
from dataclasses import fields

import numpy as np
import pytest

from jaxorder.analysis import (
    accessibility,
    classification_agreement,
    common_prediction,
    compare,
    first_correct_snapshot,
    fleiss_kappa,
    forgetting_events,
    learned_snapshot,
    member_accessibility,
    orders,
    scores,
    streaming,
    tp_agreement,
)
from jaxorder.analysis.covariance import Covariance, merged
from jaxorder.analysis.measures import epoch_weights
from jaxorder.analysis.numbers import SplitNumbers, measure_split
from jaxorder.analysis.reliability import cronbach_alpha, split_half
from tests.test_compare import fake_run

EXAMPLES = 1300


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read two snapshots at a time, in small blocks, by three threads."""
    monkeypatch.setattr(streaming, "_READ", 2 * 6 * EXAMPLES)
    monkeypatch.setattr(streaming, "_BLOCK", 1)
    monkeypatch.setattr(streaming, "cores", lambda: 3)


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch, parts: None) -> None:
    """Let no more than some of the members' scores be held."""
    few = 8 * 6 * 500
    monkeypatch.setattr(streaming, "HELD", few)


def a_run(seed: int = 1, speed: float = 1.0, first_seed: int = 0):
    difficulty = np.random.default_rng(0).normal(size=EXAMPLES)
    name = f"run {seed}"
    return fake_run(
        name, seed, difficulty=difficulty, speed=speed, first_seed=first_seed
    )


def test_pieces_make_up_the_record(parts: None) -> None:
    dataset = a_run().usable("test")
    whole, seen = dataset["prediction"].values, np.zeros((9, 6, EXAMPLES), int)
    order, threads = [], set()

    def work(piece: streaming.Piece) -> int:
        threads.add(threading.get_ident())
        for snapshot, correct in piece.correct():
            seen[snapshot][:, piece.examples] += correct
        return piece.first

    order = list(streaming.pieces(dataset, work))
    assert (seen == (whole == dataset["label"].values)).all()
    assert order == sorted(order)
    assert set(order) == {0, 2, 4, 6, 8}
    assert threading.get_ident() not in threads


def test_measures_of_a_run_are_those_of_its_arrays(parts: None) -> None:
    run = a_run()
    dataset = run.usable("test")
    prediction = dataset["prediction"].values
    correct = prediction == dataset["label"].values
    for measure in (
        tp_agreement,
        fleiss_kappa,
        learned_snapshot,
        first_correct_snapshot,
        forgetting_events,
    ):
        np.testing.assert_array_equal(measure(run), measure(correct))
    for measure in (classification_agreement, common_prediction):
        np.testing.assert_array_equal(measure(run), measure(prediction))
    weights = epoch_weights(dataset["epoch"].values)
    wanted = member_accessibility(correct, weights)
    np.testing.assert_array_equal(member_accessibility(run), wanted)
    np.testing.assert_array_equal(accessibility(run), wanted.mean(axis=0))


# sums over examples, which are taken in parts where memory is short
ROUNDED = ("covariance", "class_sums")


def test_little_memory_changes_no_number(
    request: pytest.FixtureRequest,
) -> None:
    runs = a_run(1), a_run(2, 0.95, first_seed=50)
    wanted, table = compare(*runs), scores(runs[0])
    whole = measure_split(runs[0], "test", 3)
    request.getfixturevalue("little_memory")
    found = compare(*runs)
    for each in ("pearson", "spearman", "disattenuated_spearman"):
        a, b = getattr(found, each), getattr(wanted, each)
        assert (a.estimate, a.low, a.high) == pytest.approx(
            (b.estimate, b.low, b.high), abs=1e-12
        )
    assert found.matched == wanted.matched
    assert scores(runs[0]).equals(table)
    again = measure_split(runs[0], "test", 3)
    assert whole
    assert again
    assert whole.order is not None
    assert again.order is None
    _check_equal(again, whole)


def _check_equal(again: SplitNumbers, whole: SplitNumbers) -> None:
    for field in fields(SplitNumbers):
        if field.name not in (*ROUNDED, "order", "independent", "by_class"):
            a, b = getattr(again, field.name), getattr(whole, field.name)
            np.testing.assert_equal(a, b, err_msg=field.name)
    np.testing.assert_allclose(again.class_sums, whole.class_sums, rtol=1e-12)
    for a, b in zip(again.by_class, whole.by_class, strict=True):
        np.testing.assert_array_equal(a.pmf, b.pmf)
    assert again.halves == pytest.approx(whole.halves, abs=1e-12)
    assert str(again.reliability) == str(whole.reliability)


def test_covariances_of_parts_are_those_of_all() -> None:
    values = np.random.default_rng(3).random((5, 400)) + 7
    parts = [Covariance.of(values[:, own]) for own in (slice(90), slice(90, 400))]
    found = merged(parts)
    wanted = np.cov(values, bias=True)
    np.testing.assert_allclose(found.products / 400, wanted, rtol=1e-9)
    assert found.variances.whole == pytest.approx(values.sum(axis=0).var())


def test_halves_that_cancel_out_have_no_correlation() -> None:
    scores = np.random.default_rng(0).random(50)
    opposite = np.stack([scores, 1 - scores, scores, 1 - scores])
    found = split_half(opposite, splits=20)
    assert np.isnan(cronbach_alpha(opposite))
    # halves that are alike correlate by -1, halves that cancel out count for nothing
    assert found == pytest.approx(-1)


def test_a_failed_reading_is_not_swallowed(parts: None) -> None:
    dataset = a_run().usable("test")

    def work(piece: streaming.Piece) -> None:
        raise ArithmeticError(piece.first)

    with pytest.raises(ArithmeticError):
        streaming.done(streaming.pieces(dataset, work))


def test_labels_that_do_not_fit_stay_as_they_are() -> None:
    label = np.array([1, 300])
    assert streaming.fitting(label, np.dtype(np.uint8)) is label
    assert streaming.fitting(label, np.dtype(np.uint16)).dtype == np.uint16


def test_members_are_handed_out_once_each() -> None:
    values = np.random.default_rng(1).random((4, 30))
    total = orders.Total.of(values[:2]).with_members(values[2:])
    np.testing.assert_allclose(total.mean, values.mean(axis=0))
    rest = total.without(values[1])
    np.testing.assert_allclose(rest, np.delete(values, 1, axis=0).mean(axis=0))
