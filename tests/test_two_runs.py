"""Two runs in the place of arrays: matched by ids, at snapshots that are named."""

import inspect
from pathlib import Path

import numpy as np
import pytest

from jaxorder.analysis import (
    containment,
    exchange_test,
    mean_pairwise_kappa_between,
    mean_tetrachoric_between,
    measure_all,
    member_accessibility,
    only_stronger,
    pairwise_kappa_between,
    tetrachoric_between,
    tp_agreement,
)
from jaxorder.analysis.agreement import (
    Matched,
    PairAgreement,
    Unpaired,
    pair_agreement,
)
from jaxorder.analysis.measures import epoch_weights
from jaxorder.analysis.two_runs import both
from jaxorder.errors import RequestError
from jaxorder.run.folder import Run
from jaxorder.run.imported import from_predictions
from tests.test_compare import FakeRun, fake_record, learners

EASE = np.random.default_rng(0).normal(size=600)


def a_run(
    name: str, seed: int, speed: float = 1.0, ids: np.ndarray | None = None
) -> FakeRun:
    """A run on some of the examples, which are named by their places in EASE."""
    ids = np.arange(600) if ids is None else ids
    rng = np.random.default_rng(seed)
    correct = learners(EASE[ids], 6, 9, rng, speed)
    record = fake_record(correct, label=ids % 3, ids=ids, seed=10 * seed + np.arange(6))
    return FakeRun(name, {"test": record, "shifted": record})


def the_pair() -> tuple[FakeRun, FakeRun]:
    rng = np.random.default_rng(5)
    return a_run("a", 1, ids=rng.permutation(600)[:500]), a_run("b", 2, 0.4)


def by_hand(run: FakeRun, ids: np.ndarray, snapshot: int) -> np.ndarray:
    """Give what is correct of the examples of some ids, in their order."""
    record = run.usable("test")
    at = [int(np.flatnonzero(record["example_id"].values == each)[0]) for each in ids]
    correct = (record["prediction"] == record["label"]).values
    return correct[: snapshot + 1, :, at]


@pytest.mark.parametrize("split", ["test", "shifted"])
@pytest.mark.parametrize(
    "measure",
    [
        pairwise_kappa_between,
        tetrachoric_between,
        mean_pairwise_kappa_between,
        mean_tetrachoric_between,
    ],
)
def test_runs_are_joined_by_the_ids_of_examples(measure, split: str) -> None:
    a, b = the_pair()
    ids = np.sort(a.usable("test")["example_id"].values)
    for at, (last_a, last_b) in (("last", (8, 8)), ((4, 6), (4, 6)), ((-5, 6), (4, 6))):
        arrays = by_hand(a, ids, last_a)[-1], by_hand(b, ids, last_b)[-1]
        assert repr(measure(a, b, split, at=at)) == repr(measure(*arrays))


def test_the_less_accurate_run_is_the_weaker() -> None:
    a, b = the_pair()
    ids = np.sort(a.usable("test")["example_id"].values)
    stronger, weaker = (by_hand(run, ids, 8)[-1] for run in (a, b))
    wanted = containment(tp_agreement(weaker), tp_agreement(stronger), ids % 3)
    for given in ((a, b), (b, a)):
        np.testing.assert_equal(containment(*given), wanted)
    assert wanted.share[4] > wanted.chance[4]


def test_scores_are_those_up_to_the_snapshots() -> None:
    a, b = the_pair()
    ids = np.sort(a.usable("test")["example_id"].values)
    weights = epoch_weights(np.arange(6.0))
    scores = [member_accessibility(by_hand(run, ids, 5), weights) for run in (a, b)]
    assert exchange_test(a, b, at=(5, 5)) == exchange_test(*scores)


def test_matched_snapshots_are_those_of_nearest_test_accuracy() -> None:
    a, b = a_run("a", 1), a_run("b", 2, 1.1)
    found = both(a, b, "shifted", "matched")
    accuracies = [each.mean() for each in found.correct()]
    assert abs(accuracies[0] - accuracies[1]) <= 0.02
    assert 8 in found.snapshots


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"at": "first"}, "at='first': wanted 'last', 'matched' or the positions"),
        ({"at": (9, 0)}, "at='(9, 0)': wanted"),
        ({"at": (1,)}, "at='(1,)': wanted"),
        ({"at": "matched"}, "differ by at most 0.02, got"),
    ],
)
def test_snapshots_that_are_not_there_are_refused(asked: dict, words: str) -> None:
    a, b = a_run("a", 1), a_run("b", 2, 0.53)
    with pytest.raises(RequestError) as refused:
        containment(a, b, **asked)
    assert words in str(refused.value).replace('"', "'")
    assert "\n" not in str(refused.value)


def test_runs_that_do_not_fit_are_refused() -> None:
    a, b = the_pair()
    other = a_run("c", 3, ids=np.array([598, 599]))
    labels = a_run("d", 4)
    labels.splits["test"] = labels.splits["test"].assign(
        label=("example", np.ones(600, np.uint8))
    )
    for pair, words in (
        ((a, a), "is given twice"),
        ((b, other), "at least 3 common examples"),
        ((b, labels), "wanted equal labels"),
    ):
        with pytest.raises(RequestError, match=words):
            pairwise_kappa_between(*pair)
    with pytest.raises(TypeError, match="wanted another run beside it"):
        containment(a)
    with pytest.raises(TypeError, match="at most a split"):
        containment(a, b, "test", 0.5)


def test_steps_in_common_are_needed_to_match() -> None:
    a, b = a_run("a", 1), a_run("b", 2)
    record = a.splits["shifted"]
    a.splits["shifted"] = record.assign_coords(step=("snapshot", np.arange(9) + 1000))
    with pytest.raises(RequestError, match="at common steps in 'a', got none"):
        containment(a, b, "shifted", at="matched")


# ---- what only the stronger learns


def drawn(chances: np.ndarray, members: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.random((members, len(chances))) < chances


def test_what_only_the_stronger_knows_is_confirmed() -> None:
    kinds = np.repeat([0, 1, 2], 100)
    weaker = drawn(np.array([0.99, 0.01, 0.01])[kinds], 8, 0)
    stronger = drawn(np.array([0.99, 0.99, 0.01])[kinds], 8, 1)
    found = only_stronger(weaker, stronger, np.zeros(300))
    assert set(found.example) == set(np.flatnonzero(kinds == 1))
    assert found.selected == found.confirmed == 100
    assert found.chance == pytest.approx(1 / 3)


def test_luck_is_not_confirmed() -> None:
    even = np.full(20_000, 0.5)
    label = np.random.default_rng(3).integers(0, 5, 20_000)
    found = only_stronger(drawn(even, 9, 0), drawn(even, 9, 1), label)
    assert found.selected > 1000
    assert found.share == pytest.approx(found.chance, abs=0.03)


def test_where_nothing_is_selected_the_share_is_undefined() -> None:
    same = np.ones((4, 10), bool)
    found = only_stronger(same, same, np.zeros(10))
    assert (found.selected, found.confirmed) == (0, 0)
    assert np.isnan([found.share, found.chance]).all()


def test_a_single_weaker_member_selects_and_confirms() -> None:
    stronger = np.ones((2, 3), bool)
    weaker = np.array([[True, False, False]])
    found = only_stronger(weaker, stronger, np.zeros(3))
    assert found.example.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weaker": np.zeros((2, 3))}, "weaker: wanted bool"),
        ({"stronger": np.ones((2, 4), bool)}, "stronger: wanted 3 examples"),
        ({"label": np.zeros(2)}, "label: wanted 3 examples"),
        ({"stronger": np.ones((1, 3), bool)}, "stronger: wanted at least 2 members"),
        ({"threshold": 1.0}, "threshold: wanted a share"),
    ],
)
def test_wrong_arguments_are_refused(change: dict, words: str) -> None:
    right = np.ones((2, 3), bool)
    given = {"weaker": right, "stronger": right, "label": np.zeros(3)} | change
    with pytest.raises(ValueError, match=words):
        inspect.unwrap(only_stronger)(**given)


def test_ids_of_runs_name_the_examples() -> None:
    a, b = the_pair()
    found = only_stronger(a, b)
    ids = np.sort(a.usable("test")["example_id"].values)
    positions = only_stronger(
        by_hand(b, ids, 8)[-1], by_hand(a, ids, 8)[-1], ids % 3
    ).example
    assert found.example.tolist() == ids[positions].tolist()
    assert 0 < found.confirmed <= found.selected


# ---- all of it, of runs that were measured


def written(run: FakeRun, folder: Path) -> Run:
    """Write a run's test examples as those of a real one."""
    record = run.usable("test")
    return from_predictions(
        record["prediction"].values,
        record["label"].values,
        example_id=record["example_id"].values,
        step=record["step"].values,
        seed=record["seed"].values,
        name=run.name,
        out=folder / run.name,
    )


def test_what_was_measured_gives_the_same_as_the_records(tmp_path: Path) -> None:
    a, b = (written(run, tmp_path) for run in the_pair())
    found = measure_all([a, b], 0).agreements
    assert [run.name for run in found.runs] == ["a", "b"]
    wanted = pair_agreement(Matched.of_runs(both(a, b)))
    (pair,) = found.pairs
    assert isinstance(pair, PairAgreement)
    assert pair.to_dict() == wanted.to_dict()
    assert wanted.to_dict()["containment"]["share"] == wanted.containment.share.tolist()
    assert (wanted.weaker, wanted.stronger) == ("b", "a")
    assert repr(wanted.kappa) == repr(mean_pairwise_kappa_between(a, b))
    with pytest.raises(RequestError, match="wanted a snapshot and a finite member"):
        Matched.of_numbers(*measure_all([a, b], 0).runs, "train")


def test_pairs_that_cannot_be_compared_say_why(tmp_path: Path) -> None:
    runs = a_run("a", 1), a_run("c", 3, ids=np.array([598, 599]))
    found = measure_all([written(run, tmp_path) for run in runs], 0).agreements
    assert len(found.runs) == 2
    (pair,) = found.pairs
    assert isinstance(pair, Unpaired)
    assert "at least 3 common examples" in str(pair.error)
