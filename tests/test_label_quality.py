"""Which labels are likely wrong: the formula, and whole runs."""

import inspect
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxorder as jo
from jaxorder.analysis import write_probabilities
from jaxorder.analysis.label_quality import mistaken_labels
from jaxorder.errors import RequestError
from tests.conftest import cleanlab_rank
from tests.test_compare import FakeRun, fake_record


def votes_for(classes: np.ndarray, among: int, share: float = 1.0) -> np.ndarray:
    """Vote for a class by a share, and for all others alike."""
    votes = np.full((len(classes), among), (1 - share) / (among - 1))
    votes[np.arange(len(classes)), classes] = share
    return votes


def noisy(kind: str, seed: int = 0, share: float = 0.1) -> tuple[np.ndarray, ...]:
    """Return true classes of 4, of which the last two look alike, votes, labels."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 4, 2000)
    spread = np.where(true[:, None] >= 2, [0.5, 0.5, 4, 4], 0.5)
    spread[np.arange(2000), true] = 8
    votes = rng.gamma(spread)
    votes /= votes.sum(axis=1, keepdims=True)
    step = rng.integers(1, 4, 2000) if kind == "symmetric" else 1
    wrong = rng.random(2000) < share
    return true, votes, np.where(wrong, (true + step) % 4, true)


def test_mistakes_in_one_direction_are_told_from_classes_that_look_alike() -> None:
    _, votes, label = noisy("pair")
    found = mistaken_labels(votes, label)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found > 0).all()
    directed = np.array([found[true, (true + 1) % 4] for true in range(4)])
    others = found[~np.eye(4, dtype=bool) & ~np.roll(np.eye(4, dtype=bool), 1, axis=1)]
    assert directed.min() > 3 * others.max()


def test_without_a_direction_all_mistakes_are_as_likely() -> None:
    _, votes, label = noisy("symmetric")
    found = mistaken_labels(votes, label)[~np.eye(4, dtype=bool)]
    assert found.max() < 3 * found.min()


@pytest.mark.parametrize("kind", ["symmetric", "pair"])
def test_wrong_labels_come_first(kind: str) -> None:
    true, votes, label = noisy(kind)
    wrong = label != true
    quality = jo.label_quality(votes, label)
    assert ((quality >= 0) & (quality <= 1)).all()
    first = np.argsort(quality)[: wrong.sum()]
    assert wrong[first].mean() > 0.75


def test_labels_that_a_class_often_gets_by_mistake_are_doubted_more() -> None:
    """Two examples labelled 1: voted for 0, which is often called 1, and for 2."""
    _, votes, label = noisy("pair")
    votes = np.concatenate([votes, [[0.8, 0.2, 0, 0], [0, 0.2, 0.8, 0]]])
    often, seldom = jo.label_quality(votes, np.append(label, [1, 1]))[-2:]
    assert often < 0.9 * seldom


def test_what_speaks_for_a_label_raises_it() -> None:
    _, votes, label = noisy("pair")
    low, high = np.full(2000, 0.2), np.full(2000, 0.7)
    assert (
        jo.label_quality(votes, label, high) > jo.label_quality(votes, label, low)
    ).all()
    more = jo.label_quality(votes, label, low, high)
    less = jo.label_quality(votes, label, low, low)
    assert (more > less).all()
    none = jo.label_quality(votes, label, low, np.full(2000, np.nan))
    np.testing.assert_array_equal(none, jo.label_quality(votes, label, low))


@given(st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_names_and_places_do_not_matter(seed: int) -> None:
    _, votes, label = noisy("pair", seed)
    random = np.random.default_rng(seed)
    examples = random.permutation(len(label))
    classes = random.permutation(4)  # the new number of each class
    renamed = np.empty_like(votes)
    renamed[:, classes] = votes
    found = jo.label_quality(renamed[examples], classes[label][examples])
    np.testing.assert_allclose(found, jo.label_quality(votes, label)[examples])


def test_classes_that_nobody_votes_for_do_no_harm() -> None:
    votes = votes_for(np.array([0, 0, 1, 1]), 5)
    quality = jo.label_quality(votes, np.array([0, 1, 1, 4]))
    assert np.isfinite(quality).all()
    assert quality[[1, 3]].max() < quality[[0, 2]].min()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"votes": np.zeros(3)}, "votes: wanted real"),
        ({"label": np.zeros(3)}, "label: wanted integer"),
        (
            {"label": np.zeros(4, int)},
            "label: wanted one for each of 3 examples, got 4",
        ),
        ({"label": np.array([0, 1, 2])}, "label: wanted classes 0 to 1, got 0 to 2"),
        ({"held_out": np.zeros(4)}, "held_out: wanted one for each of 3"),
        ({"trained": np.zeros(2)}, "trained: wanted one for each of 3"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change: dict, message: str) -> None:
    arguments = {"votes": np.full((3, 2), 0.5), "label": np.zeros(3, int)} | change
    with pytest.raises(ValueError, match=message):
        inspect.unwrap(jo.label_quality)(**arguments)


def fake(trained_on: bool, **values: np.ndarray) -> FakeRun:
    """Two folds: of 4 examples each member left two out, and is wrong on the third."""
    correct = np.ones((3, 2, 4), bool)
    correct[:, :, 2] = False
    record = fake_record(correct, ids=np.arange(4) + 10)
    if trained_on:
        seen = np.array([[True, True, False, False], [False, False, True, True]])
        record["trained_on"] = (("member", "example"), seen)
    for name, value in values.items():
        record[name] = (("snapshot", "member", "example"), value)
    record.attrs["class_names"] = ["cat", "dog", "owl"]
    return FakeRun("folds", {"train": record, "test": record})


def test_issues_are_ranked_by_members_that_never_saw_an_example() -> None:
    found = jo.label_issues(fake(trained_on=True))
    assert found.example_id[0] == 12
    row = found.iloc[0]
    assert (row.label_name, row.suggested_name) == ("owl", "cat")
    assert found.held_out_members.tolist() == [1] * 4
    assert found.label_quality.is_monotonic_increasing
    # The member that saw it speaks less loudly than the one that did not.
    logprob = np.log(np.full((3, 2, 4), 0.5))
    logprob[:, 0, 1] = logprob[:, 1, 0] = np.log(0.1)
    ranked = jo.label_issues(fake(trained_on=True, true_logprob=logprob))
    quality = ranked.set_index("example_id").label_quality
    # The members that had not seen 10, and those that had seen 11, doubt the labels.
    assert quality[10] < quality[11] < quality[13]


def test_labels_that_all_have_seen_are_judged_by_all() -> None:
    run = fake(trained_on=False)
    assert jo.label_issues(run).held_out_members.tolist() == [0] * 4
    assert jo.label_issues(run, "test").held_out_members.tolist() == [2] * 4
    assert jo.label_issues(run).example_id[0] == 12


def test_labels_that_nobody_was_trained_towards_are_not_judged() -> None:
    run = fake(trained_on=True)
    run.labels = "original"
    with pytest.raises(RequestError, match="label issues of 'folds': members tell of"):
        jo.label_issues(run)
    run.labels, run.splits["train"] = "label", run.splits["train"].isel(snapshot=[])
    with pytest.raises(RequestError, match="wanted a snapshot and a finite member"):
        jo.label_issues(run)


def held_out(run: FakeRun, split: str = "train") -> jo.HeldOutProbabilities:
    return jo.held_out_probabilities(run, split)


def with_probability(run: FakeRun) -> np.ndarray:
    """Record probabilities at the last snapshot, [member, example, class]."""
    values = np.random.default_rng(0).dirichlet(np.ones(3), (3, 2, 4))
    values[:2] = np.nan
    axes = ("snapshot", "member", "example", "class")
    run.splits["train"]["probability"] = (axes, values.astype(np.float16))
    return values[-1]


def test_probabilities_are_those_of_members_that_never_saw_an_example() -> None:
    run = fake(trained_on=True)
    values = with_probability(run)
    found = held_out(run)
    wanted = np.concatenate([values[1, :2], values[0, 2:]])
    np.testing.assert_allclose(found.probability, wanted, atol=1e-3)
    np.testing.assert_allclose(found.probability.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(found.repeats[0], found.probability)
    assert found.example_id.tolist() == [10, 11, 12, 13]
    assert (found.class_names, found.left_out) == (("cat", "dog", "owl"), 0)


def test_each_member_is_a_repeat_where_none_saw_anything() -> None:
    run = fake(trained_on=False)
    values = with_probability(run)
    found = held_out(run, "test")
    np.testing.assert_allclose(found.repeats, values, atol=1e-3)
    np.testing.assert_allclose(found.probability, values.mean(axis=0), atol=1e-3)


def test_folds_are_repeated_and_examples_that_all_saw_left_out() -> None:
    rng, fold = np.random.default_rng(0), np.arange(7) % 3
    correct = rng.random((2, 7, 9)) < 0.5
    record = fake_record(correct)
    seen = np.arange(9) % 3 != fold[:, None]
    seen[:, 8] = True
    values = rng.dirichlet(np.ones(3), (2, 7, 9)).astype(np.float16)
    record["probability"] = (("snapshot", "member", "example", "class"), values)
    record["trained_on"] = (("member", "example"), seen)
    record.attrs["class_names"] = ["a", "b", "c"]
    run = FakeRun("folds", {"train": record.assign_coords(fold=("member", fold))})
    found = held_out(run)
    assert (len(found.label), found.left_out) == (8, 1)
    # members 0 to 2 and 3 to 5 each leave all out once; member 6 alone does not
    assert found.repeats.shape == (2, 8, 3)
    for turn in range(2):
        own = values[-1, 3 * turn + np.arange(8) % 3, np.arange(8)].astype(float)
        wanted = own / own.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found.repeats[turn], wanted)


def test_probabilities_that_are_not_there_are_refused() -> None:
    run = fake(trained_on=True)
    with pytest.raises(RequestError, match=r'with record="probability"'):
        held_out(run)
    run = fake(trained_on=False)
    with_probability(run)
    with pytest.raises(RequestError, match=r"every member was trained .* folds=5"):
        held_out(run)


def test_cleanlab_takes_the_file(tmp_path: Path) -> None:
    rank = cleanlab_rank()
    run = fake(trained_on=True)
    with_probability(run)
    write_probabilities(held_out(run), tmp_path / "held_out.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["held_out.npz"]
    with np.load(tmp_path / "held_out.npz") as file:
        labels, found = file["labels"], file["pred_probs"]
        assert file["class_names"].tolist() == ["cat", "dog", "owl"]
        assert file["example_id"].tolist() == [10, 11, 12, 13]
        lists = list(file["pred_probs_list"])
    quality = rank.get_label_quality_scores(labels, found)
    assert quality == pytest.approx(found[np.arange(4), labels])
    many = rank.get_label_quality_ensemble_scores(
        labels, lists * 2, weight_ensemble_members_by="uniform", verbose=False
    )
    assert many == pytest.approx(quality)
    for name, message in (("a.npy", "wanted .npz"), ("held_out.npz", "is there alr")):
        with pytest.raises(RequestError, match=message):
            write_probabilities(held_out(run), tmp_path / name)
