"""The command line: what it prints, what it returns, and that it leaves nothing."""

import dataclasses
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import jaxorder as jo
from jaxorder.cli import main
from jaxorder.cli.app import app
from jaxorder.config import SCHEMA, StudyOptions
from jaxorder.errors import on_command_line, option_name
from jaxorder.learners import LEARNERS
from jaxorder.models import ARCHITECTURES
from jaxorder.run.folder import Run
from jaxorder.run.study import open_runs

RUN = ["run", "--data=digits", "--models=mlp"]
TINY = [
    "--data=digits",
    "--models",
    "mlp:widths=8",
    "mlp:widths=none",
    "--members=2",
    "--epochs=1",
    "--train-examples=100",
    "--test-examples=50",
]


def everything_in(folder: Path) -> dict[Path, bytes | None]:
    paths = folder.rglob("*")
    return {path: path.read_bytes() if path.is_file() else None for path in paths}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def complaint(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[[Sequence[object]], str]:
    """Return a function that gives the line with which a request is refused."""

    def run(words: Sequence[object]) -> str:
        before = everything_in(here)
        assert main([str(word) for word in words]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith("jaxorder: ")
        assert printed.err.endswith("\n")
        assert printed.err.count("\n") == 1
        assert everything_in(here) == before
        return printed.err

    return run


Complaint = Callable[[Sequence[object]], str]

# ---- requests that are refused


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fly"], ["fly", "run, resume, grow"]),
        (["data", "fly"], ["fly", "list, info"]),
        ([*RUN, "--out=x", "--speed=3"], ["--speed"]),
        ([*RUN, "--out=x", "more"], ["more"]),
        ([*RUN], ["--out"]),
        (["run", "--data=digits", "--out=x"], ["--models"]),
        (["run", "--models=mlp", "--out=x"], ["--data"]),
        (["plan", "--models=mlp"], ["--data"]),
        (["resume"], ["PATH"]),
        (["scores", "x"], ["--out"]),
        (["report"], ["report", "folder of a study or a run"]),
        (["compare", "x"], ["B"]),
        ([*RUN, "--out=x", "--members"], ["--members"]),
        ([*RUN, "--out=x", "--members=1", "--members=2"], ["--members"]),
        ([*RUN, "--out=x", "--members=three"], ["--members", "three", "int"]),
        ([*RUN, "--out=x", "--members=2.5"], ["--members", "2.5", "int"]),
        ([*RUN, "--out=x", "--batch-size=7."], ["--batch-size", "7.", "int"]),
        ([*RUN, "--out=x", "--momentum=much"], ["--momentum", "much", "float"]),
        ([*RUN, "--out=x", "--optimizer=best"], ["--optimizer", "best", "adamw"]),
        ([*RUN, "--out=x", "--record=all"], ["--record", "all", "margin"]),
        (["import", "x", "--out=a", "--split=dev"], ["--split", "dev", "train"]),
    ],
)
def test_what_cannot_be_parsed_is_refused_in_a_line(
    complaint: Complaint, words: list[str], said: list[str]
) -> None:
    line = complaint(words)
    assert all(part in line for part in said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([*RUN, "--out=x", "--members=0"], "--members 0: must be a whole number"),
        ([*RUN, "--out=x", "--momentum=1"], "--momentum 1.0: must be a finite number"),
        ([*RUN, "--out=x", "--snapshots=often"], "--snapshots often: each rule must"),
        ([*RUN, "--out=x", "--record", "loss", "loss"], "--record loss loss: must"),
        (["run", "--data=digit", "--models=mlp", "--out=x"], "did you mean digits?"),
        (["run", "--data=digits", "--models=mlb", "--out=x"], "--models mlb: no model"),
        (["run", "--data=digits", "--models=mlp:w=8", "--out=x"], "no key w"),
        (["run", "--data=digits", "--models=mlp:w", "--out=x"], "--models mlp:w: must"),
        ([*RUN, "mlp", "--out=a/b/x"], "--models mlp mlp: both would be written"),
        (["run", "--data=digits", "--models", "--out=x"], "at least one model"),
        ([*RUN, "--out=x", "--train-examples=3"], "--train-examples 3: the train"),
        ([*RUN, "--out=x", "--test-examples=501"], "--test-examples 501: the test"),
        ([*RUN, "--out=x", "--record-examples=9"], "--record-examples 9: the labels"),
        (
            ["run", "--data=npz:no.npz", "--models=mlp", "--out=x"],
            "--data npz:no.npz: cannot read no.npz as an npz file",
        ),
        (["plan", "--data=digits", "--models=mlb"], "--models mlb: no model mlb"),
        ([*RUN, "--out=x", "--vary=speed=1,2"], "--vary speed=1,2: must be NAME=value"),
        ([*RUN, "--out=x", "--vary=dropout=0.1"], "at least two different numbers"),
        ([*RUN, "--out=x", "--subset=0"], "--subset 0.0: must be a finite number"),
        ([*RUN, "--out=x", "--folds=1"], "--folds 1: must be a whole number, at least"),
        ([*RUN, "--out=x", "--folds=2", "--subset=0.5"], "--subset --folds: each says"),
        ([*RUN, "--out=x", "--resample=features"], "networks take --resample bootst"),
        (["data", "info", "digit"], "did you mean digits?"),
    ],
)
def test_what_is_not_allowed_is_refused_in_a_line(
    complaint: Complaint, words: list[str], said: str
) -> None:
    assert said in complaint(words)


@pytest.mark.parametrize("command", [["run", "--out=x"], ["plan"]])
def test_data_that_are_not_prepared_are_refused(
    complaint: Complaint, here: Path, command: list[str]
) -> None:
    data = ["--data=fashion_mnist", f"--data-dir={here}", "--models=mlp"]
    line = complaint([*command, *data])
    assert f"--data fashion_mnist: not prepared in {here}" in line
    assert "--data-dir" in line


def test_an_existing_folder_is_never_written_into(
    complaint: Complaint, here: Path
) -> None:
    (here / "x").mkdir()
    (here / "x" / "precious").write_text("1")
    assert "--out x: exists already" in complaint([*RUN, "--out=x"])
    assert "--out .: exists already" in complaint([*RUN, "--out=."])
    (here / "file").write_text("1")
    assert "--out file: exists already" in complaint([*RUN, "--out=file"])
    line = complaint([*RUN, "--out=file/a/b"])
    assert f"--out file/a/b: {here / 'file'} is not a folder" in line


@pytest.mark.parametrize(
    "words",
    [
        ["resume", "x"],
        ["report", "x"],
        ["info", "x"],
        ["scores", "x", "--out=a.csv"],
        ["compare", "x", "x"],
    ],
)
def test_a_folder_that_is_not_a_run_is_refused(
    complaint: Complaint, here: Path, words: list[str]
) -> None:
    expected = "jaxorder: x: not a study or a run (no study.json or config.json in it)"
    assert complaint(words).rstrip() == expected
    (here / "x").mkdir()
    assert complaint(words).rstrip() == expected


# ---- npz files that are refused

ARRAYS: dict[str, Any] = {
    "train_inputs": np.random.default_rng(0).random((12, 4, 4, 1), np.float32),
    "train_labels": np.arange(12) % 3,
    "test_inputs": np.random.default_rng(1).random((6, 4, 4, 1), np.float32),
    "test_labels": np.arange(6) % 3,
}


def changed(name: str, at: int, value: float) -> dict[str, np.ndarray]:
    array = ARRAYS[name].copy()
    array.flat[at] = value
    return {name: array}


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        (changed("train_inputs", 17, np.nan), "train_inputs hold 1 values that are"),
        (changed("test_inputs", 0, np.inf), "test_inputs hold 1 values that are not"),
        (changed("train_labels", 0, 9), "train_labels lack class 3"),
        (changed("test_labels", 0, 3), "test_labels hold class 3, which train_labels"),
        (changed("train_labels", 0, -1), "train_labels run from -1 to 2"),
        ({"train_labels": np.arange(12) % 3 * 1.0}, "train_labels have dtype float64"),
        ({"train_labels": np.arange(12) % 3 * 2}, "train_labels lack class 1"),
        ({"train_labels": np.arange(11) % 3}, "count 12 examples, labels 11"),
        ({"test_inputs": ARRAYS["test_inputs"][:0]}, "test_inputs are empty"),
        ({"train_inputs": ARRAYS["train_inputs"][..., 0]}, "add the channel axis"),
        ({"test_labels": np.array([{}] * 6)}, "test_labels holds Python objects"),
    ],
)
def test_npz_files_that_no_model_can_use_are_refused(
    complaint: Complaint, here: Path, arrays: dict[str, np.ndarray], said: str
) -> None:
    np.savez(here / "it.npz", **ARRAYS | arrays)
    line = complaint(["run", "--data=npz:it.npz", "--models=mlp", "--out=x"])
    assert line.startswith("jaxorder: --data npz:it.npz: ")
    assert said in line


@pytest.mark.parametrize("left", [0, 100, 2000])
def test_a_truncated_npz_file_is_refused(
    complaint: Complaint, here: Path, left: int
) -> None:
    np.savez(here / "it.npz", **ARRAYS)
    content = (here / "it.npz").read_bytes()
    assert len(content) > 2000
    (here / "it.npz").write_bytes(content[:left])
    line = complaint(["run", "--data=npz:it.npz", "--models=mlp", "--out=x"])
    assert "--data npz:it.npz: cannot read it.npz as an npz file" in line


# ---- a study


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the folder of a tiny study, not to be changed, and what was printed."""
    out = tmp_path_factory.mktemp("cli") / "studies" / "study"
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert main(["run", *TINY, f"--out={out}", "--quiet"]) == 0
    return out, printed.getvalue()


@pytest.fixture(scope="module")
def study(made: tuple[Path, str]) -> Path:
    return made[0]


@pytest.fixture
def done(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return a function that runs a command line and gives what it prints."""

    def run(*words: object) -> str:
        assert main([str(word) for word in words]) == 0
        printed = capsys.readouterr()
        # what lasts a second is named, as it may on a busy machine
        assert printed.err.replace("writing the report\n", "") == ""
        return printed.out

    return run


Done = Callable[..., str]


def document(text: str) -> dict[str, Any]:
    found = json.loads(text)
    assert found["schema"] == SCHEMA
    return found


def test_run_prints_what_became_of_each_model(made: tuple[Path, str]) -> None:
    study, printed = made
    assert "At the last snapshot [95% interval]" in printed
    for model in ("mlp:widths=8", "mlp:widths=none"):
        assert f" {model} " in printed
    assert printed.count(" 2/2 ") == 2
    assert printed.splitlines()[-1] == f"report: {study / 'report.html'}"


def test_run_leaves_a_study(study: Path) -> None:
    assert sorted(path.name for path in study.iterdir()) == [
        "mlp_widths=8",
        "mlp_widths=none",
        "report.html",
        "study.json",
    ]
    assert [p.name for p in study.parent.iterdir()] == ["study"]
    for run in open_runs(study):
        assert run.progress.finished
        assert run.record("train").sizes == {"snapshot": 3, "member": 2, "example": 100}
        assert run.record("test").sizes == {"snapshot": 3, "member": 2, "example": 50}
        kernel = run.restore(2)["output"]["kernel"]
        assert kernel.shape[0::2] == (2, 10)


def test_the_report_is_one_page(study: Path) -> None:
    page = (study / "report.html").read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    assert "mlp:widths=none" in page


def test_nothing_to_resume_is_no_error(study: Path, done: Done) -> None:
    kept = {p: c for p, c in everything_in(study).items() if p.suffix != ".html"}
    found = document(done("resume", study, "--json"))
    assert found["path"] == str(study)
    assert found["report"] == str(study / "report.html")
    assert [row["model"] for row in found["runs"]] == [
        "mlp:widths=8",
        "mlp:widths=none",
    ]
    for row in found["runs"]:
        assert (row["members"], row["planned"], row["snapshots"]) == (2, 2, 3)
        assert 0 <= row["test_accuracy"] <= 1
    assert len(found["pairs"]) == 1
    after = everything_in(study)
    assert {p: c for p, c in after.items() if p.suffix != ".html"} == kept


def test_a_run_of_a_study_resumes_alone(study: Path, done: Done, here: Path) -> None:
    shutil.copytree(study / "mlp_widths=none", here / "run")
    assert done("resume", "run").splitlines()[-1] == "report: run/report.html"


def test_a_study_grows(study: Path, done: Done, here: Path) -> None:
    shutil.copytree(study, here / "study")
    printed = done("grow", "study", "--members=3", "--quiet")
    assert printed.count(" 3/3 ") == 2
    for run in open_runs(here / "study"):
        test = run.record("test")
        before = Run(study / run.path.name).record("test")
        np.testing.assert_array_equal(test.prediction[:, :2], before.prediction)
    assert "jaxorder grow study/mlp_widths=8 --members 3" in (
        here / "study" / "report.html"
    ).read_text(encoding="utf-8")


@pytest.mark.slow
def test_members_that_differ_are_told_in_the_report(done: Done, here: Path) -> None:
    varied = ["--vary", "learning-rate=0.01,0.1", "subset=0.2,0.8", "--members=4"]
    done(
        "run",
        *(w for w in TINY if "members" not in w),
        *varied,
        "--out=varied",
        "--quiet",
    )
    page = (here / "varied" / "report.html").read_text(encoding="utf-8")
    assert "learning-rate=0.01,0.1" in page
    frame = done("scores", "varied/mlp_widths=8", "--split=train", "--out=scores.csv")
    assert "100 examples" in frame
    columns = pd.read_csv(here / "scores.csv").columns
    assert {"held_out_accuracy", "accessibility"} <= set(columns)
    info = document(done("info", "varied", "--verify", "--json"))
    assert info["runs"][0]["verified_snapshots"] == 3


def test_info_says_what_a_study_is(study: Path, done: Done) -> None:
    printed = done("info", study)
    assert all(model in printed for model in ("mlp:widths=8", "mlp:widths=none"))
    found = document(done("info", study, "--json"))
    first, second = found["runs"]
    assert first["path"] == str(study / "mlp_widths=8")
    assert first["parameters"] == 64 * 8 + 8 + 8 * 10 + 10
    assert second["parameters"] == 64 * 10 + 10
    assert first["finished"] is True
    assert (first["snapshots"], first["members"]) == ("3 of 3", "2 of 2")
    assert first["bytes"] > 0
    assert first["options"]["train_examples"] == 100
    assert "verified_snapshots" not in first


def test_info_verifies(study: Path, done: Done) -> None:
    found = document(done("info", study, "--verify", "--json"))
    assert [run["verified_snapshots"] for run in found["runs"]] == [3, 3]
    assert [run["verified_checkpoints"] for run in found["runs"]] == [1, 1]
    one = document(done("info", study / "mlp_widths=8", "--verify", "--json"))
    assert len(one["runs"]) == 1


def chunk(run: Path) -> Path:
    return run / "record.zarr" / "test" / "prediction" / "c" / "1" / "0" / "0"


def remove_chunk(run: Path) -> None:
    chunk(run).unlink()


def cut_chunk_short(run: Path) -> None:
    chunk(run).write_bytes(chunk(run).read_bytes()[:10])


def change_fingerprint(run: Path) -> None:
    (path,) = run.glob("checkpoints/*/2/meta/metadata")
    path.write_text('{"fingerprint": 1}')


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (remove_chunk, "run: 100 test predictions of snapshot 1 are not classes"),
        (cut_chunk_short, "run: the test record cannot be read; it is damaged"),
        (change_fingerprint, "the checkpoint of step 2 is damaged"),
    ],
)
def test_info_finds_damage(
    study: Path,
    here: Path,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[Path], None],
    said: str,
) -> None:
    shutil.copytree(study / "mlp_widths=8", here / "run")
    damage(here / "run")
    assert main(["info", "run", "--verify"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert printed.err.count("\n") == 1


def test_plan_says_what_run_would_do_and_writes_nothing(
    study: Path, done: Done, here: Path
) -> None:
    found = document(done("plan", *TINY, "--json"))
    printed = done("plan", *TINY)
    assert everything_in(here) == {}
    for run, planned in zip(open_runs(study), found["runs"], strict=True):
        assert planned["model"] == run.name
        assert planned["model"] in printed
        assert planned["parameters"] == run.document.parameters
        assert planned["snapshots"] == len(run.document.steps)
        assert planned["steps_per_epoch"] == run.document.steps_per_epoch
        assert planned["learning_rate"] == run.config.learning_rate
        assert (planned["train_examples"], planned["evaluated_examples"]) == (100, 150)
        predictions = run.record("train").prediction.nbytes
        predictions += run.record("test").prediction.nbytes
        assert planned["record_bytes_uncompressed"] == predictions


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_scores_are_written_one_row_an_example(
    study: Path, done: Done, here: Path, split: str, suffix: str
) -> None:
    out = here / f"scores{suffix}"
    run = Run(study / "mlp_widths=8")
    printed = done("scores", run.path, f"--split={split}", f"--out={out.name}")
    size = run.record(split).sizes["example"]
    assert printed == f"scores: {out.name} ({size} examples)\n"
    assert list(here.iterdir()) == [out]
    table = pd.read_csv(out) if suffix == ".csv" else pd.read_parquet(out)
    assert list(table.columns[:9]) == [
        "example_id",
        "label",
        "accessibility",
        "final_tpa",
        "final_ca",
        "common_prediction",
        "median_learned_epoch",
        "share_never_learned",
        "forgetting",
    ]
    record = run.record(split)
    np.testing.assert_array_equal(table.example_id, record.example_id)
    np.testing.assert_array_equal(table.label, record.label)
    np.testing.assert_allclose(table.final_tpa, run.correct(split)[-1].mean("member"))


def test_scores_are_refused_where_they_cannot_be_written(
    study: Path, complaint: Complaint, here: Path
) -> None:
    run = study / "mlp_widths=8"
    assert "a.txt: wanted .parquet or .csv" in complaint(["scores", run, "--out=a.txt"])
    assert "wanted a folder that exists" in complaint(["scores", run, "--out=a/b.csv"])
    (here / "a.csv").write_text("precious")
    assert "a.csv: is there already" in complaint(["scores", run, "--out=a.csv"])
    line = complaint(["scores", study, "--out=b.csv"])
    assert "a study of 2 runs; open one of them: mlp_widths=8, mlp_widths=none" in line


@pytest.fixture(scope="module")
def folds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run of two pairs of members, each pair without one of two folds."""
    out = tmp_path_factory.mktemp("folds") / "run"
    options: dict[str, Any] = {
        "data": "digits",
        "train_examples": 90,
        "test_examples": 50,
        "members": 4,
        "folds": 2,
        "epochs": 2,
        "record": ["true_logprob", "error_norm", "probability"],
    }
    return jo.train(model="mlp:widths=8", out=out, **options).path


def test_label_issues_and_probabilities_are_written(
    folds: Path, done: Done, here: Path
) -> None:
    words = ["--label-issues", "--out=issues.csv", "--probabilities=held_out.npz"]
    assert done("scores", folds, *words) == (
        "label issues: issues.csv (90 examples)\n"
        "probabilities: held_out.npz (90 examples)\n"
    )
    names = {"label_name": str, "suggested_name": str}
    found = pd.read_csv(here / "issues.csv", dtype=names)
    pd.testing.assert_frame_equal(found, jo.label_issues(folds), check_dtype=False)
    with np.load(here / "held_out.npz") as file:
        wanted = jo.held_out_probabilities(folds)
        np.testing.assert_array_equal(file["pred_probs"], wanted.probability)
        np.testing.assert_array_equal(file["labels"], wanted.label)
        assert file["pred_probs_list"].shape == (2, 90, 10)
    done("scores", folds, "--gradients", "--epoch=1", "--out=scores.csv")
    assert pd.read_csv(here / "scores.csv").grand_epoch.tolist() == [2.0] * 50


def test_what_does_not_fit_label_issues_is_refused(
    folds: Path, complaint: Complaint, here: Path
) -> None:
    scores = ["scores", folds, "--out=a.csv"]
    for words in (["--gradients"], ["--epoch=1"]):
        line = complaint([*scores, "--label-issues", *words])
        assert f"{words[0].partition('=')[0]}: of scores, not with --label-iss" in line
    line = complaint([*scores, "--probabilities=a.npz", "--split=test", "--epoch=9"])
    assert "--epoch 9.0: wanted one of the training, 0 to 2" in line
    assert "a.npy: wanted .npz" in complaint([*scores, "--probabilities=a.npy"])
    (here / "a.csv").write_text("precious")
    assert "a.csv: is there already" in complaint([*scores, "--probabilities=a.npz"])
    assert [path.name for path in here.iterdir()] == ["a.csv"]


def test_compare_says_how_alike_two_runs_are(study: Path, done: Done) -> None:
    runs = [study / "mlp_widths=8", study / "mlp_widths=none"]
    found = document(done("compare", *runs, "--json"))
    expected = jo.compare(*map(Run, runs), split="test").to_dict()
    agreement = found.pop("agreement")
    assert found == {"schema": SCHEMA} | json.loads(json.dumps(expected))
    assert agreement["examples"] == 50
    assert (found["split"], found["examples"]) == ("test", 50)
    assert (
        document(done("compare", *runs, "--json", "--split=train"))["examples"] == 100
    )
    printed = done("compare", *runs)
    assert "test examples" in " ".join(printed.split())
    assert "kendall" in printed


def test_a_report_goes_where_it_is_wanted(study: Path, done: Done, here: Path) -> None:
    parts = [run.path for run in open_runs(study)]
    assert done("report", *parts, "--out=it.html") == "report: it.html\n"
    assert [path.name for path in here.iterdir()] == ["it.html"]


def test_a_report_is_refused_where_it_cannot_be_written(
    study: Path, complaint: Complaint
) -> None:
    assert "--out no/it.html: " in complaint(["report", study, "--out=no/it.html"])
    assert "--out .: is a folder" in complaint(["report", study, "--out=."])
    assert "--out: needed for a report on 2" in complaint(["report", study, study])


# ---- data


def test_data_sets_are_listed(done: Done, here: Path) -> None:
    found = document(done("data", "list", f"--data-dir={here}", "--json"))["data"]
    there = {entry["name"]: entry["available"] for entry in found}
    assert there["digits"] is True
    assert there["fashion_mnist"] is False
    printed = done("data", "list", f"--data-dir={here}")
    assert all(name in printed for name in there)
    assert everything_in(here) == {}


def test_a_data_set_is_described(done: Done, here: Path) -> None:
    found = document(done("data", "info", "digits", "--json"))
    assert (found["train"], found["test"], found["classes"]) == (1297, 500, 10)
    assert found["input_shape"] == [8, 8, 1]
    assert found["digest"] in "".join(done("data", "info", "digits").split())
    np.savez(here / "it.npz", **ARRAYS)
    found = document(done("data", "info", "npz:it.npz", "--json"))
    assert (found["train"], found["test"], found["classes"]) == (12, 6, 3)


def test_examples_of_a_data_set_are_shown(done: Done, here: Path) -> None:
    printed = done("data", "info", "digits", "--out=grid.png")
    assert any(mark in printed for mark in "@%#")
    names = printed.splitlines()[-2].split()
    assert names == ["5", "6", "7", "8", "9"]
    assert (here / "grid.png").read_bytes().startswith(b"\x89PNG")
    (here / "train.csv").write_text("text,label\nred apple,fruit\nold oak,tree\n")
    (here / "test.csv").write_text("text,label\ngreen apple,fruit\noak,tree\n")
    printed = done("data", "info", f"text:{here},length=3")
    assert printed.splitlines()[-2:] == ["fruit: red apple", "tree: old oak"]
    assert done("data", "info", "gaussian:classes=3").strip()


def test_pictures_that_cannot_be_drawn_are_refused(complaint: Complaint) -> None:
    digits = ["data", "info", "digits"]
    assert "--out it.txt: must end in" in complaint([*digits, "--out=it.txt"])
    assert "there is no folder no; make it" in complaint([*digits, "--out=no/it.png"])
    gaussian = ["data", "info", "gaussian", "--out=it.png"]
    assert "the inputs of gaussian are not images" in complaint(gaussian)


def test_images_of_a_folder_are_brought_to_one_size(done: Done, here: Path) -> None:
    from PIL import Image

    for i, path in enumerate(("train/a", "train/b", "test/a", "test/b")):
        (here / "it" / path).mkdir(parents=True)
        Image.new("L", (5 + i, 7), 50 * i).save(here / "it" / path / "one.png")
    found = document(done("data", "info", "folder:it", "--resize=4", "--json"))
    assert found["input_shape"] == [4, 4, 1]


def test_a_set_is_prepared_without_tensorflow(done: Done, complaint: Complaint) -> None:
    """Its errors come through; the sets themselves are tested beside the module."""
    words = ["data", "prepare", "mnist", "--from=nowhere", "--data-dir=sets"]
    assert "data prepare mnist: " in complaint(words)
    assert "tensorflow" in complaint(["data", "prepare", "svhn", "--data-dir=sets"])


# ---- help


def commands(within: Any = app, words: tuple[str, ...] = ()) -> Iterator[list[str]]:
    """Yield every command there is, as words; the program itself first."""
    yield list(words)
    for name in within:
        if not name.startswith("-"):
            yield from commands(within[name], (*words, name))


COMMANDS = list(commands())
FIELDS = dataclasses.fields(StudyOptions)


def help_of(done: Done, monkeypatch: pytest.MonkeyPatch, words: Sequence[str]) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    return done(*words, "--help")


def entries(text: str) -> dict[str, str]:
    """Return what a help says of each option or command, by its name."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        inner = line.strip("│").rstrip()
        if begun := re.match(r" (?:\* +)?((?:--)?[a-z][\w-]*)(?= |$)", inner):
            name = begun[1]
        if line.startswith("│") and name:
            found[name] = " ".join(f"{found.get(name, '')} {inner}".split())
    return found


def test_commands_were_found() -> None:
    assert ["grow"] in COMMANDS
    assert ["data", "prepare"] in COMMANDS
    assert len(COMMANDS) >= 14


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_fits_into_80_columns(
    done: Done, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    text = help_of(done, monkeypatch, words)
    assert text.startswith("Usage: " + " ".join(["jaxorder", *words]))
    assert max(map(len, text.splitlines())) <= 80


def test_help_names_every_command(done: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    for above in ([], ["data"]):
        listed = entries(help_of(done, monkeypatch, above))
        below = [words for words in COMMANDS if words and words[:-1] == above]
        # each with a line of what it does
        assert all(len(listed[words[-1]].split()) > 3 for words in below)
    assert done() == help_of(done, monkeypatch, [])


@pytest.mark.parametrize("command", ["run", "plan"])
def test_help_shows_every_option_with_what_it_is_and_its_default(
    done: Done, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    found = entries(help_of(done, monkeypatch, [command]))
    for field in FIELDS:
        told = found[option_name(field.name)]
        assert " ".join(on_command_line(field.metadata["help"]).split()) in told
        hidden = field.default is False or field.default in (None, "", ())
        assert (f"[default: {field.default}]" in told) != hidden
        assert "[required]" not in told  # a study file may say it


def test_help_shows_options_in_groups(
    done: Done, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = help_of(done, monkeypatch, ["run"])
    titles = re.findall(r"╭─ (\w+) ─", text)
    assert titles[-5:] == ["Data", "Training", "Members", "Recording", "Execution"]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("--lr=0.1", "--learning-rate"),
        ("--dataset=digits", "--data"),
        ("--learning-rat=1", "--learning-rate"),
    ],
)
def test_what_was_meant_by_an_option_is_said(
    complaint: Complaint, given: str, meant: str
) -> None:
    line = complaint([*RUN, "--out=x", given])
    assert f"Unknown option: {given}. Did you mean {meant}?" in line


def test_models_are_listed_with_their_keys(done: Done) -> None:
    found = document(done("models", "--json"))["models"]
    names = {each["name"] for each in found}
    assert names == {*ARCHITECTURES, *(f"sklearn:{name}" for name in LEARNERS)}
    printed = done("models")
    for each in found:
        assert f"  {each['name']}: {each['what']}" in printed
        assert all(key in " ".join(printed.split()) for key in each["keys"])


def test_the_version_is_told(done: Done) -> None:
    assert done("--version") == f"{jo.__version__}\n"
