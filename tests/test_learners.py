"""Learners that are no networks: what they learn, record, refuse and survive."""

import html
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

import jaxorder as jo
from jaxorder.cli import main
from jaxorder.config import RunConfig
from jaxorder.data import Dataset, load
from jaxorder.errors import Interrupted, RequestError, WorkError
from jaxorder.learners import LEARNERS, learner
from jaxorder.learners.apart import member, seed, what_differs
from jaxorder.learners.growing import growing_order
from jaxorder.learners.inputs import bag_of_words, matrices
from jaxorder.learners.problem import Predictions, Problem, at_steps
from jaxorder.learners.work import Member, Task, learn, learn_all, problem
from jaxorder.members.streams import seeds
from jaxorder.members.subsets import training_positions
from jaxorder.models.layers import bag_of_words as networks_bag_of_words
from jaxorder.progress.watch import Tick
from jaxorder.record import commits, read_commit
from jaxorder.run.folder import Run, open_runs

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
    recorded = {"train": np.arange(TRAIN), "test": np.arange(TEST)}
    inputs, evaluated = matrices(digits, recorded)
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

RUN = ["run", "--data=digits", "--train-examples=100", "--out=x", "--members=3"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sklearn:adabost"], "no learner adabost (did you mean adaboost?)"),
        (["sklearn:knn:j=3"], "--models sklearn:knn:j=3: no key j; there are k"),
        (["sklearn:perceptron:k=3"], "no key k; it has none"),
        (["sklearn:knn:k=0"], "k=0 must be a whole number from 1 on"),
        (["sklearn:svm:kernel=cubic"], "kernel=cubic must be one of rbf, linear"),
        (["sklearn:svm:C=0"], "C=0 must be a number from 1e-09 on"),
        (["sklearn:adaboost:depth=2"], "depth=2 must be left out, unless weak=tree"),
        (["sklearn:adaboost:weak=forest"], "weak=forest must be one of stump, tree"),
        (["sklearn:adaboost:rounds=0"], "rounds=0 must be a whole number from 1 to"),
        (["sklearn:gradient_boosting:leaves=1"], "leaves=1 must be"),
        (["sklearn:random_forest:trees=no"], "trees=no must be"),
        (["sklearn:lda:shrinkage=1"], "shrinkage=1 must be one of none, auto"),
        (["sklearn:naive_bayes:smoothing=-1"], "smoothing=-1 must be"),
        (["sklearn:sgd:alpha=0"], "alpha=0 must be"),
        *(
            ([f"sklearn:{name}"], "deterministic, so all members would be equal; give")
            for name in (
                *("adaboost", "gradient_boosting", "svm", "knn", "naive_bayes", "lda"),
            )
        ),
        (["sklearn:knn", "--subset=1"], "deterministic"),
        (["sklearn:knn", "--folds=2"], "give --members 2 at most, or more parts"),
        (
            ["sklearn:knn", "--resample=bootstrap", "--freeze=subset"],
            "all members would be equal",
        ),
        (["sklearn:sgd", "--freeze=order"], "the stream order, is shared by all"),
        (["sklearn:random_forest", "--freeze=init"], "the stream init, is shared"),
        (
            ["sklearn:sgd", "--record", "loss", "probability"],
            "--record loss probability: only predictions are recorded",
        ),
        (["sklearn:sgd", "--augment=flip"], "--augment flip: only networks see"),
        (
            ["sklearn:sgd", "--vary=learning-rate=0.1,0.2"],
            "only networks have --learning-rate; of other learners only subset",
        ),
        (["sklearn:sgd", "--disjoint=100"], "would be trained on 1 examples of 1"),
        (["sklearn:sgd", "--record-examples=3"], "--record-examples 3"),
        (["mlp", "--resample=features"], "networks take --resample bootstrap"),
    ],
)
def test_what_cannot_be_learned_is_refused_in_a_line(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*RUN, "--models", *words]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_texts_are_refused_where_bags_of_words_are_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    rows = [f"red word {i},a\nblue thing {i},b" for i in range(8)]
    path.write_text("text,label\n" + "\n".join(rows) + "\n")
    for name in ("lda", "gradient_boosting"):
        with pytest.raises(RequestError, match="needs numbers, but"):
            jo.train(
                data=f"text:{path}",
                model=f"sklearn:{name}",
                members=1,
                out=tmp_path / "x",
            )
    assert not (tmp_path / "x").exists()


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


# ---- runs

OPTIONS = {"data": "digits", "train_examples": 150, "test_examples": 60}
FOREST = "sklearn:random_forest:trees=12"


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("forest") / "run"
    return jo.train(model=FOREST, members=4, out=out, **OPTIONS)


def assert_same(one: Run, other: Run) -> None:
    for split in ("train", "test"):
        assert one.record(split).load().identical(other.record(split).load())


def test_a_run_is_recorded_as_networks_are(forest: Run) -> None:
    assert forest.progress.finished
    record = forest.record("test")
    assert record.prediction.dtype == np.uint8
    assert record.prediction.dims == ("snapshot", "member", "example")
    assert record.step.values.tolist() == [1, 2, 3, 4, 5, 6, 8, 10, 12]
    assert record.epoch.values.tolist() == record.step.values.tolist()
    assert record.attrs["time_axis"] == forest.document["time_axis"] == "trees"
    assert (record.prediction < 10).all()
    assert record.finite.all()
    assert forest.correct("test")[-1].mean() > 0.6
    assert (record.prediction[0, 0] != record.prediction[0, 1]).any()
    assert forest.document["kind"] == "learner"
    assert forest.document["versions"]["scikit-learn"]
    assert forest.document["model_keys"]["trees"] == "12"
    assert len(commits(forest.path)) == 4
    assert not (forest.path / "checkpoints").exists()
    with pytest.raises(RequestError, match="checkpoints of steps: none"):
        forest.restore(12)


def test_a_learner_without_a_time_of_its_own_says_so(tmp_path: Path) -> None:
    run = jo.train(model="sklearn:knn", members=1, out=tmp_path / "x", **OPTIONS)
    record = run.record("train")
    assert record.step.values[[0, -1]].tolist() == [10, 150]
    np.testing.assert_allclose(record.epoch, record.step / 150)
    assert "no time of its own" in record.attrs["time_note"]
    assert record.attrs["time_axis"] == "share of the training set"


def test_a_member_has_the_same_bits_whoever_is_trained_beside(
    forest: Run, tmp_path: Path
) -> None:
    fewer = jo.train(model=FOREST, members=2, out=tmp_path / "x", **OPTIONS)
    for split in ("train", "test"):
        np.testing.assert_array_equal(
            fewer.record(split).prediction, forest.record(split).prediction[:, :2]
        )


def test_an_interrupted_run_keeps_whole_members_and_goes_on(
    forest: Run, tmp_path: Path
) -> None:
    def stop_after_one(tick: Tick) -> None:
        assert (tick.total, tick.unit) == (4, "members")
        if tick.done == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    out = tmp_path / "x"
    with pytest.raises(Interrupted, match=f"resume {out}") as stopped:
        jo.train(model=FOREST, members=4, out=out, watch=stop_after_one, **OPTIONS)
    assert stopped.value.signal == signal.SIGTERM
    run = Run(out)
    assert 1 <= run.progress.members < 4
    assert not run.progress.finished
    assert run.correct("test").sizes["member"] == run.progress.members

    (whole,) = jo.resume(out)
    assert whole.progress.finished
    assert_same(whole, forest)


def test_a_member_whose_commit_was_lost_is_trained_again(
    forest: Run, tmp_path: Path
) -> None:
    out = tmp_path / "x"
    shutil.copytree(forest.path, out)
    (out / "commits" / "members-00002-00002.json").unlink()
    before = read_commit(out, 1, 1)
    told: list[float] = []
    (run,) = jo.resume(out, watch=lambda tick: told.append(tick.done))
    assert told == [3, 4]
    assert read_commit(out, 1, 1) == before
    assert_same(run, forest)
    assert "resumed_on" not in run.document


def test_another_machine_is_noted(forest: Run, tmp_path: Path) -> None:
    out = tmp_path / "x"
    shutil.copytree(forest.path, out)
    (out / "commits" / "members-00002-00002.json").unlink()
    document = forest.document | {"machine": {"device": "abacus"}}
    (out / "config.json").write_text(json.dumps(document))
    (run,) = jo.resume(out)
    assert run.document["resumed_on"][0]["machine"]["device"] == "cpu"


def test_other_data_are_refused(forest: Run, tmp_path: Path) -> None:
    out = tmp_path / "x"
    shutil.copytree(forest.path, out)
    (out / "commits" / "members-00002-00002.json").unlink()
    other = load("digits", train_examples=80)
    with pytest.raises(RequestError, match="not the data that"):
        jo.resume(out, data=other)


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_bits(forest: Run, tmp_path: Path) -> None:
    # enough members that some are left when the first are done
    out = tmp_path / "study"
    command = [
        *(sys.executable, "-m", "jaxorder", "run", "--data=digits", "--quiet"),
        *("--train-examples=150", "--test-examples=60", f"--models={FOREST}"),
        *("--members=16", f"--out={out}"),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    run = out / "sklearn_random_forest_trees=12"
    while len(commits(run)) < 2:
        assert process.poll() is None, "ended before it could be killed"
        time.sleep(0.01)
    process.kill()
    process.communicate()
    killed = Run(run)
    assert not killed.progress.finished
    (whole,) = jo.resume(out)
    assert whole.progress.finished
    for split in ("train", "test"):
        np.testing.assert_array_equal(
            whole.record(split).prediction[:, :4], forest.record(split).prediction
        )


# ---- beside networks


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("mixed") / "study"
    words = ["--models", "mlp:widths=16", "sklearn:knn:k=1", "sklearn:adaboost"]
    options = ["--members=4", "--epochs=8", "--resample=bootstrap", "--quiet"]
    data = ["--data=digits", "--train-examples=300", "--test-examples=100"]
    assert main(["run", *words, *data, *options, f"--out={out}"]) == 0
    return out


def text_of(page: Path) -> str:
    bare = re.sub(r"<(style|script).*?</\1>", " ", page.read_text(), flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", bare)).split())


def test_the_report_calls_members_and_times_by_their_names(study: Path) -> None:
    text = text_of(study / "report.html")
    assert "12 members of 3 models" in text
    assert "4 members each, trained on digits" in text
    assert "of sklearn:adaboost in their bootstrap samples" in text
    assert "Do the members get the same examples right, beyond chance?" in text
    assert "sklearn:adaboost: at round 100 test accuracy" in text
    assert "sklearn:knn:k=1: at training share 1 test accuracy" in text
    assert "mlp:widths=16: at epoch 8 test accuracy" in text
    assert "Networks and training: A" in text
    assert "Learners that are no networks: B and C" in text
    assert "the learner has no time of its own" in text
    assert "share of the training" in text
    learners = text.split("Learners that are no networks: B and C")[1].split("How ")[0]
    for word in ("Optimiser", "Parameters", "Epochs", "Batch size", "Architecture"):
        assert word in text
        assert word not in learners


def test_a_report_of_learners_alone_speaks_of_no_network(
    forest: Run, tmp_path: Path
) -> None:
    text = text_of(jo.write_report(forest.path, tmp_path / "report.html"))
    told, definitions = text.split("How it was made, and what the words mean")[-2:]
    assert "4 members of 1 learner" in text
    assert "1 learner, 4 members that differ in the learner's own chance" in told
    without = told.replace("Learners that are no networks", "")
    without = without.replace("networks trained under the same resampling", "")
    assert "network" not in without
    assert "epoch" not in without.replace("log:10,epoch", "").replace("epochs,", "")
    assert "scikit-learn's own" in definitions


def test_a_network_and_a_learner_are_compared_at_matched_accuracy(study: Path) -> None:
    network, neighbour, _ = open_runs(study)
    found = jo.compare(network, neighbour)
    assert not found.shared_streams
    assert found.matched.gap < 0.1
    assert found.spearman.estimate > 0.2
    frame = jo.scores(neighbour)
    assert len(frame) == 100
    assert frame.median_learned_epoch.max() <= 1


def test_plan_and_info_say_what_a_learner_would_do(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--data=digits", "--models", "sklearn:svm", "--resample=features"]
    assert main(["plan", *asked, "--members=5", "--json"]) == 0
    (planned,) = json.loads(capsys.readouterr().out)["runs"]
    assert planned["time_axis"] == "share of the training set"
    assert (planned["first_step"], planned["last_step"]) == (10, 1297)
    assert planned["fits"] == 5 * planned["snapshots"]
    assert main(["plan", *asked, "--members=5"]) == 0
    assert "support vector machine" in capsys.readouterr().out
    assert main(["info", str(study), "--verify", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["runs"]
    assert [run["verified_checkpoints"] for run in told] == [1, 0, 0]
    assert told[1]["finished"]
    assert told[1]["parameters"] is None


def test_a_study_goes_on_with_its_learners(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "study"
    shutil.copytree(study, out)
    shutil.rmtree(out / "sklearn_adaboost")
    (out / "sklearn_knn_k=1" / "commits" / "members-00000-00000.json").unlink()
    for run, whole in zip(jo.resume(out), open_runs(study), strict=True):
        assert_same(run, whole)
