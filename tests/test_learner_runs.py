"""Runs of learners that are not networks: recorded, resumed, reported, refused."""

import html
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import jaxorder as jo
from jaxorder.cli import main
from jaxorder.data import load
from jaxorder.errors import Interrupted, RequestError
from jaxorder.progress.watch import Tick
from jaxorder.record import commits, read_commit
from jaxorder.run.folder import Run
from jaxorder.run.study import open_runs

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
    assert record.attrs["time_axis"] == forest.document.time_axis == "trees"
    assert (record.prediction < 10).all()
    assert record.finite.all()
    assert forest.correct("test")[-1].mean() > 0.6
    assert (record.prediction[0, 0] != record.prediction[0, 1]).any()
    assert forest.document.kind == "learner"
    assert forest.document.versions["scikit-learn"]
    assert forest.document.model_keys["trees"] == "12"
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
    with pytest.raises(Interrupted, match=re.escape(f'resume("{out}")')) as stopped:
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
    assert not run.document.resumed_on


def test_another_machine_is_noted(forest: Run, tmp_path: Path) -> None:
    out = tmp_path / "x"
    shutil.copytree(forest.path, out)
    (out / "commits" / "members-00002-00002.json").unlink()
    document = json.loads((out / "config.json").read_text())
    document |= {"machine": {"device": "abacus"}}
    (out / "config.json").write_text(json.dumps(document))
    (run,) = jo.resume(out)
    assert run.document.resumed_on[0]["machine"]["device"] == "cpu"


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


@pytest.mark.slow
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
    assert "Learners that are not networks: B and C" in text
    assert "the learner has no time of its own" in text
    assert "share of the training" in text
    learners = text.split("Learners that are not networks: B and C")[1].split("How ")[0]
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
    without = told.replace("Learners that are not networks", "")
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
