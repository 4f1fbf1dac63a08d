"""Learners that are not networks: what they learn, what they are given and refuse."""

import os
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from jaxorder.config import RunConfig
from jaxorder.data import Dataset, load
from jaxorder.data.laid_out import LaidOut
from jaxorder.errors import WorkError
from jaxorder.learners import LEARNERS, learner
from jaxorder.learners.apart import check_members, member, seed, what_differs
from jaxorder.learners.growing import growing_order
from jaxorder.learners.inputs import bag_of_words, matrices
from jaxorder.learners.problem import Predictions, Problem, at_steps
from jaxorder.learners.work import Member, Task, learn, learn_all, problem
from jaxorder.members.streams import seeds
from jaxorder.members.subsets import training_positions
from jaxorder.models.layers import bag_of_words as networks_bag_of_words
from tests.refused import refusal

TRAIN, TEST = 200, 100
MODELS = [
    *(f"sklearn:{name}" for name in LEARNERS),
    "sklearn:adaboost:weak=tree",
    "sklearn:adaboost:weak=linear",
    "sklearn:lda:shrinkage=auto",
    "sklearn:svm:kernel=linear",
    "sklearn:random_forest:depth=3,bootstrap=false",
]


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits", train_examples=TRAIN, test_examples=TEST)


@pytest.fixture(scope="module")
def given(digits: Dataset) -> Problem:
    inputs, evaluated = matrices(LaidOut(digits))
    return Problem(inputs, digits.train.labels, evaluated)


def predicted(
    model: str, given: Problem, steps: Sequence[int], number: int = 7
) -> Predictions:
    known = learner(model)
    with threadpool_limits(1):
        return known.fit(known.options(model))(given, list(steps), number)


def steps_of(model: str) -> list[int]:
    return [12, 50, TRAIN] if learner(model).grows else [1, 3, 10]


# ---- what they learn


@pytest.mark.parametrize("model", MODELS)
def test_every_learner_learns_in_time(
    model: str, given: Problem, digits: Dataset
) -> None:
    steps = steps_of(model)
    found = predicted(model, given, steps)
    assert found.shape == (3, TRAIN + TEST)
    train = (found[:, :TRAIN] == digits.train.labels).mean(axis=1)
    test = (found[:, TRAIN:] == digits.test.labels).mean(axis=1)
    assert train[-1] > 0.25
    assert test[-1] > (0.25 if "adaboost" in model else 0.6)
    assert train[-1] > train[0] - 0.03
    np.testing.assert_array_equal(predicted(model, given, steps), found)


@pytest.mark.parametrize("model", ["random_forest", "sgd", "perceptron", "knn", "svm"])
def test_seeds_set_members_apart(model: str, given: Problem) -> None:
    steps = steps_of(f"sklearn:{model}")
    one, other = (predicted(f"sklearn:{model}", given, steps, s) for s in (1, 2))
    assert (one[0] != other[0]).any()


def test_a_nearest_neighbour_knows_what_it_has_seen(given: Problem) -> None:
    found = predicted("sklearn:knn:k=1", given, [10, TRAIN], 3)
    order = growing_order(given.labels, 3)
    right = found[:, :TRAIN] == given.labels
    assert right[0, order[:10]].all()
    assert not right[0].all()
    assert right[1].all()


def test_of_fewer_examples_than_k_all_vote(given: Problem) -> None:
    found = predicted("sklearn:knn:k=50", given, [11, TRAIN])
    # the one class with two examples among eleven
    assert len(np.unique(found[0])) == 1
    assert len(np.unique(found[1])) > 5


def test_a_forest_grown_tree_by_tree_is_scikit_learns(given: Problem) -> None:
    found = predicted("sklearn:random_forest", given, [1, 2, 5], 11)
    for row, trees in zip(found, (1, 2, 5), strict=True):
        theirs = RandomForestClassifier(trees, random_state=11)
        theirs.fit(given.inputs, given.labels)
        np.testing.assert_array_equal(row, theirs.predict(given.evaluated))


def test_boosting_is_recorded_stage_by_stage(given: Problem) -> None:
    found = predicted(
        "sklearn:adaboost:weak=tree,depth=2,rate=0.5", given, [1, 4, 6], 5
    )
    theirs = AdaBoostClassifier(
        DecisionTreeClassifier(max_depth=2),
        n_estimators=6,
        learning_rate=0.5,
        random_state=5,
    ).fit(given.inputs, given.labels)
    stages = list(theirs.staged_predict(given.evaluated))
    np.testing.assert_array_equal(found, [stages[0], stages[3], stages[5]])


def test_a_boosting_with_nothing_left_to_correct_repeats_its_last(
    given: Problem,
) -> None:
    found = predicted("sklearn:adaboost:weak=tree,depth=20", given, [1, 2, 9])
    assert (found[0, :TRAIN] == given.labels).all()
    np.testing.assert_array_equal(found[1:], [found[0]] * 2)
    stages = [np.array([number]) for number in (4, 5)]
    assert at_steps(stages, [2, 3]).tolist() == [[5], [5]]


def test_growing_sets_are_nested_and_begin_with_every_class(given: Problem) -> None:
    order = growing_order(given.labels, 9)
    assert sorted(given.labels[order[:10]]) == list(range(10))
    assert sorted(order) == list(range(TRAIN))
    found = predicted("sklearn:svm:C=2", given, [40, TRAIN, 2 * TRAIN], 9)
    at = order[:40]
    theirs = SVC(C=2).fit(given.inputs[at], given.labels[at])
    np.testing.assert_array_equal(found[0], theirs.predict(given.evaluated))
    # a member with fewer examples than others stays at its last
    np.testing.assert_array_equal(found[2], found[1])


@pytest.mark.parametrize("model", ["svm", "knn", "naive_bayes"])
def test_many_classes_of_one_example_each_are_classes(model: str) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(60, 5)).astype(np.float32)
    given = Problem(inputs, np.arange(60) % 30, inputs)
    assert predicted(f"sklearn:{model}", given, [30, 40]).shape == (2, 60)


def test_each_epoch_has_an_order_of_its_own(given: Problem) -> None:
    few = predicted("sklearn:sgd", given, [1, 2], 4)
    many = predicted("sklearn:sgd", given, [2, 6], 4)
    np.testing.assert_array_equal(few[1], many[0])


# ---- what they are given


def test_inputs_are_standardised_as_for_networks(given: Problem) -> None:
    assert given.inputs.shape == (TRAIN, 64)
    assert given.inputs.dtype == np.float32
    assert np.asarray(given.inputs).mean() == pytest.approx(0, abs=1e-5)
    assert np.asarray(given.inputs).std() == pytest.approx(1, abs=1e-5)


def test_texts_are_the_bags_of_words_of_networks() -> None:
    tokens = np.random.default_rng(0).integers(0, 9, (6, 12))
    tokens[5] = 0  # a text without a word
    ours = bag_of_words(tokens, 9).toarray()
    np.testing.assert_allclose(
        ours, networks_bag_of_words(jnp.asarray(tokens), 9), atol=1e-6
    )


@pytest.mark.parametrize(
    "model", ["adaboost", "random_forest", "sgd", "perceptron", "svm", "knn"]
)
def test_texts_can_be_learned(model: str) -> None:
    rng = np.random.default_rng(1)
    labels = np.arange(60) % 3
    tokens = rng.integers(4, 30, (60, 8))
    tokens[:, 0] = labels + 1
    bags = bag_of_words(tokens, 30)
    found = predicted(
        f"sklearn:{model}", Problem(bags, labels, bags), steps_of(f"sklearn:{model}")
    )
    assert (found[-1] == labels).mean() > 0.6


def config(model: str, **options: object) -> RunConfig:
    return RunConfig(**{"data": "digits", "model": model, "members": 4, **options})  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    "options",
    [{"resample": "bootstrap"}, {"subset": 0.25}, {"folds": 4}, {"disjoint": 4}],
)
def test_members_have_the_examples_that_networks_would_have(
    options: dict, digits: Dataset
) -> None:
    asked = config("sklearn:knn", **options)
    known, labels = learner(asked.model), digits.train.labels
    own = [member(asked, known, labels, 64, i).positions for i in range(4)]
    for ours, theirs in zip(own, training_positions(asked, labels, 0, 4), strict=True):
        assert ours is not None
        np.testing.assert_array_equal(ours, theirs)


def test_a_bootstrap_sample_is_drawn_with_replacement(
    given: Problem, digits: Dataset
) -> None:
    asked = config("sklearn:knn", resample="bootstrap")
    own = member(asked, learner(asked.model), digits.train.labels, 64, 2)
    assert own.positions is not None
    part = problem(task(given), own)
    assert len(part.labels) == TRAIN
    assert 0.5 < len(np.unique(own.positions)) / TRAIN < 0.75
    np.testing.assert_array_equal(part.inputs, given.inputs[own.positions])
    np.testing.assert_array_equal(part.labels, given.labels[own.positions])


def test_each_member_sees_its_own_half_of_the_features(
    given: Problem, digits: Dataset
) -> None:
    asked = config("sklearn:lda", resample="features")
    known, labels = learner(asked.model), digits.train.labels
    halves = [member(asked, known, labels, 64, i).features for i in range(4)]
    assert all(half is not None and len(np.unique(half)) == 32 for half in halves)
    assert len({tuple(half) for half in halves if half is not None}) == 4
    part = problem(task(given), member(asked, known, labels, 64, 0))
    np.testing.assert_array_equal(part.inputs, given.inputs[:, halves[0]])
    np.testing.assert_array_equal(part.evaluated, given.evaluated[:, halves[0]])


def test_a_member_is_the_same_alone_and_among_others(digits: Dataset) -> None:
    few = config("sklearn:random_forest", resample="features", members=2)
    many = config("sklearn:random_forest", resample="features", members=9)
    known, labels = learner(few.model), digits.train.labels
    one, other = (member(asked, known, labels, 64, 1) for asked in (few, many))
    assert one.seed == other.seed
    np.testing.assert_array_equal(one.features, other.features)
    np.testing.assert_array_equal(seeds(few), seeds(many)[:2])
    assert len({seed(many, "init", i) for i in range(9)}) == 9


def test_a_frozen_stream_is_shared() -> None:
    own, frozen = config("sklearn:sgd"), config("sklearn:sgd", freeze=("order",))
    shared = config("sklearn:sgd", order="shared")
    assert len({seed(own, "order", i) for i in range(4)}) == 4
    for asked in (frozen, shared):
        assert len({seed(asked, "order", i) for i in range(4)}) == 1


def test_it_is_told_what_sets_members_apart() -> None:
    def told(model: str, **options: object) -> str:
        asked = config(model, **options)
        return what_differs(asked, learner(model))

    assert told("sklearn:random_forest") == "the learner's own chance"
    assert told("sklearn:sgd") == "the order of their examples"
    assert "halves of the features" in told("sklearn:lda", resample="features")
    assert "parts of the training" in told("sklearn:adaboost", folds=4)
    assert told("sklearn:adaboost", members=1) == "nothing"


# ---- what is refused


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("adabost", "no learner adabost (did you mean adaboost?); there are adaboost"),
        ("knn:j=3", "no key j; there are k"),
        ("perceptron:k=3", "no key k; it has none"),
        ("", "must be NAME or NAME:key=value"),
    ],
)
def test_an_unknown_learner_or_key_says_what_there_is(model: str, said: str) -> None:
    found = refusal(learner, f"sklearn:{model}")
    assert found.startswith(f'model="sklearn:{model}": {said}')


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        ("knn", {}, "the learner is deterministic, so all members would be equal; giv"),
        ("knn", {"subset": 1.0}, "so all members would be equal"),
        (
            "knn",
            {"folds": 2},
            "parts of folds=2 would be equal; give members=2 at most",
        ),
        ("knn", {"resample": "bootstrap", "freeze": ["subset"]}, "would be equal"),
        ("sgd", {"freeze": ["order"]}, "its only chance, the stream order, is shared"),
        ("random_forest", {"freeze": ["init"]}, "the stream init, is shared by all"),
    ],
)
def test_members_that_would_be_equal_are_refused(
    model: str, options: dict, said: str
) -> None:
    asked = config(f"sklearn:{model}", **options)
    found = refusal(check_members, asked, learner(asked.model))
    assert found.startswith(f'model="sklearn:{model}" members=4: ')
    assert said in found


# ---- processes


def task(given: Problem) -> Task:
    known = learner("sklearn:knn")
    fit = known.fit(known.options("sklearn:knn"))
    return Task(fit, [10, TRAIN], *given, np.dtype(np.uint8))


def test_a_learner_that_fails_says_which_member(given: Problem) -> None:
    wrong = Member(5, np.zeros(0, int), None, 1)
    with pytest.raises(WorkError, match="member 5 failed: "):
        learn(task(given), wrong)


def test_a_lost_process_is_a_failure_of_the_work(given: Problem) -> None:
    def end(given: Problem, steps: Sequence[int], seed: int) -> Predictions:
        os._exit(9)

    lost = task(given)._replace(fit=end)
    everyone = [Member(i, None, None, i) for i in range(2)]
    with pytest.raises(WorkError, match="a process that trained members was lost"):
        list(learn_all(lost, everyone, 1, stopped=lambda: False))


def test_a_process_keeps_to_one_thread(given: Problem) -> None:
    def count(given: Problem, steps: Sequence[int], seed: int) -> Predictions:
        from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: F401
        from threadpoolctl import threadpool_info

        return np.array([[pool["num_threads"] for pool in threadpool_info()]])

    alone = [Member(0, None, None, 0)]
    (found,) = learn_all(task(given)._replace(fit=count), alone, 1, lambda: False)
    assert found.predictions.size >= 2
    assert (found.predictions == 1).all()
