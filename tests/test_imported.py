"""Predictions of other frameworks: a run that every command reads, or a refusal."""

import ast
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import jaxorder as jo
from jaxorder.cli import main
from jaxorder.errors import RequestError
from jaxorder.run.prediction_files import read_predictions
from tests.conftest import ROOT

SNAPSHOTS, MEMBERS, CLASSES = 4, 6, 3


def learned(examples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return predictions of members that learn easy examples first, and the labels."""
    random = np.random.default_rng(seed)
    label = random.integers(0, CLASSES, examples)
    shape = SNAPSHOTS, MEMBERS, examples
    skill = np.linspace(-2, 2, SNAPSHOTS)[:, None, None]
    right = skill + random.normal(size=shape) > random.normal(size=examples)
    wrong = (label + random.integers(1, CLASSES, shape)) % CLASSES
    return np.where(right, label, wrong), label


@pytest.fixture(scope="module")
def arrays() -> dict[str, Any]:
    """Return what a file of both splits holds."""
    prediction, label = learned(40, 0)
    train_prediction, train_label = learned(60, 1)
    return {
        "prediction": prediction,
        "label": label,
        "train_prediction": train_prediction,
        "train_label": train_label,
        "step": np.array([10, 20, 40, 80]),
        "epoch": np.array([1.0, 2.0, 4.0, 8.0]),
        "class_names": np.array(["ant", "bee", "cat"]),
    }


def of_test(arrays: dict[str, Any]) -> dict[str, Any]:
    return {name: arrays[name] for name in ("prediction", "label")}


def test_what_is_given_is_what_is_recorded(
    arrays: dict[str, Any], tmp_path: Path
) -> None:
    run = jo.from_predictions(**arrays, out=tmp_path / "run", name="theirs")
    assert (run.name, run.kind, run.splits) == ("theirs", "imported", ["test", "train"])
    assert run.progress.finished
    record = run.record("train")
    np.testing.assert_array_equal(record.prediction, arrays["train_prediction"])
    np.testing.assert_array_equal(record.label, arrays["train_label"])
    np.testing.assert_array_equal(record.epoch, arrays["epoch"])
    assert record.attrs["class_names"] == ["ant", "bee", "cat"]
    # with plain tools, and no warning
    plain = xr.open_zarr(run.path / "record.zarr", group="test")
    np.testing.assert_array_equal(plain.prediction, arrays["prediction"])


def test_measures_are_those_of_the_arrays(
    arrays: dict[str, Any], tmp_path: Path
) -> None:
    run = jo.from_predictions(**arrays, out=tmp_path / "run")
    correct = arrays["prediction"] == arrays["label"]
    weights = jo.epoch_weights(arrays["epoch"])
    wanted = jo.accessibility(correct, weights)
    np.testing.assert_allclose(jo.accessibility(run), wanted)
    np.testing.assert_allclose(jo.scores(run)["accessibility"], wanted)


@pytest.mark.parametrize("both", [True, False])
def test_every_command_takes_it(
    arrays: dict[str, Any],
    both: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file, out = tmp_path / "theirs.npz", tmp_path / "run"
    np.savez(file, **(arrays if both else of_test(arrays)))
    assert main(["import", str(file), f"--out={out}", "--name=theirs"]) == 0
    assert main(["info", str(out), "--verify"]) == 0
    assert main(["scores", str(out), f"--out={tmp_path / 'scores.csv'}"]) == 0
    assert len(pd.read_csv(tmp_path / "scores.csv")) == 40
    capsys.readouterr()
    assert main(["report", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (run,) = found["runs"]
    assert (run["splits"]["train"] is None) is not both
    page = (out / "report.html").read_text(encoding="utf-8")
    assert f"jaxorder import {file} --name theirs --out {out}" in page
    assert "nan" not in page.replace("covenant", "").split("<figure")[0].lower()
    assert main(["resume", str(out), "--quiet"]) == 0
    assert main(["grow", str(out), "--members=9", "--quiet"]) == 2
    assert "its predictions were imported" in capsys.readouterr().err


def test_two_are_compared_on_the_examples_of_the_same_ids(
    arrays: dict[str, Any], tmp_path: Path
) -> None:
    one = of_test(arrays)
    a = jo.from_predictions(**one, out=tmp_path / "a", name="a")
    order = np.random.default_rng(2).permutation(40)
    other: dict[str, Any] = {
        "prediction": one["prediction"][..., order],
        "label": one["label"][order],
    }
    b = jo.from_predictions(**other, example_id=order, out=tmp_path / "b", name="b")
    assert jo.compare(a, b).spearman.estimate == pytest.approx(1.0)
    assert jo.write_report([a.path, b.path], tmp_path / "both.html").exists()


def test_an_imported_run_stands_beside_a_trained_one(tmp_path: Path) -> None:
    trained = jo.train(
        data="digits", model="mlp:widths=8", members=3, epochs=2, out=tmp_path / "mlp"
    )
    record = trained.record("test")
    given: dict[str, Any] = {
        name: record[name].values for name in ("prediction", "label", "step", "epoch")
    }
    copy = jo.from_predictions(
        **given,
        seed=np.arange(3),
        example_id=record["example_id"].values,
        out=tmp_path / "copy",
    )
    assert jo.compare(trained, copy).spearman.estimate == pytest.approx(1.0)


def test_logits_predict_the_largest_and_tell_who_diverged(tmp_path: Path) -> None:
    prediction, label = learned(20, 3)
    logits = np.eye(CLASSES)[prediction]
    logits[2:, 4, 7] = np.nan
    run = jo.from_predictions(logits=logits, label=label, out=tmp_path / "run")
    record = run.record("test")
    kept = [0, 1, 2, 3, 5]
    np.testing.assert_array_equal(record.prediction[:, kept], prediction[:, kept])
    assert record.finite.values[:, 4].tolist() == [True, True, False, False]
    assert run.progress.finite == MEMBERS - 1
    assert run.usable("test").sizes["member"] == MEMBERS - 1


def test_where_all_members_diverged_this_is_said(tmp_path: Path) -> None:
    logits = np.full((2, 3, 10, 3), np.nan)
    run = jo.from_predictions(
        logits=logits, label=np.zeros(10, int), out=tmp_path / "r"
    )
    for measure in (jo.scores, jo.accessibility, lambda r: jo.compare(r, run)):
        with pytest.raises(RequestError, match="all members diverged"):
            measure(jo.open_run(shutil.copytree(run.path, tmp_path / str(measure))))
    assert "no member stayed finite" in jo.write_report(run.path).read_text("utf-8")


@pytest.mark.parametrize(("snapshots", "members"), [(1, 1), (1, 6), (4, 1)])
def test_few_snapshots_and_members_are_reported(
    arrays: dict[str, Any], tmp_path: Path, snapshots: int, members: int
) -> None:
    few = arrays["prediction"][:snapshots, :members]
    run = jo.from_predictions(few, arrays["label"], out=tmp_path / "run")
    assert len(jo.scores(run)) == 40
    assert jo.write_report(run.path).exists()


def test_rows_become_arrays(arrays: dict[str, Any], tmp_path: Path) -> None:
    shape = arrays["prediction"].shape
    step, member, example = (axis.ravel() for axis in np.indices(shape))
    rows = pd.DataFrame(
        {
            "step": arrays["step"][step],
            "epoch": arrays["epoch"][step],
            "seed": member,
            "example_id": example + 100,
            "prediction": arrays["prediction"].ravel(),
            "label": arrays["label"][example],
        }
    )
    file = tmp_path / "rows.parquet"
    rows.sample(frac=1, random_state=0).to_parquet(file)
    assert main(["import", str(file), f"--out={tmp_path / 'run'}"]) == 0
    record = jo.open_run(tmp_path / "run").record("test")
    np.testing.assert_array_equal(record.prediction, arrays["prediction"])
    np.testing.assert_array_equal(record.epoch, arrays["epoch"])
    np.testing.assert_array_equal(record.example_id, np.arange(100, 140))

    rows[1:].to_parquet(file)
    assert main(["import", str(file), f"--out={tmp_path / 'less'}"]) == 2
    half = rows.assign(split=np.where(example < 20, "test", "train"))
    half.to_parquet(file)
    assert main(["import", str(file), f"--out={tmp_path / 'both'}"]) == 0
    both = jo.open_run(tmp_path / "both")
    assert both.record("train").example_id.values.tolist() == list(range(120, 140))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"prediction": None}, "give predictions, or logits in their place"),
        ({"logits": np.zeros((4, 6, 40, 3))}, "give predictions, or logits"),
        ({"prediction": np.zeros((4, 40), int)}, "[snapshot, member, example]"),
        ({"prediction": np.zeros((4, 6, 40))}, "have an argument of their own"),
        ({"prediction": np.full((4, 6, 40), -1)}, "wanted numbers from 0 on, got -1"),
        (
            {"label": np.zeros(39, int)},
            "label: wanted one for each example, 40, got 39",
        ),
        ({"label": np.full(40, -2)}, "label: wanted numbers from 0 on, got -2"),
        ({"label": np.zeros(40)}, "label: wanted whole numbers [example]"),
        ({"example_id": np.zeros(40, int)}, "39 of 40 are there twice"),
        ({"step": np.array([1, 2, 2, 3])}, "step: wanted each above the one before it"),
        ({"step": np.array([1, 2])}, "step: wanted one for each snapshot, 4, got 2"),
        ({"epoch": np.array([0, 1, np.nan, 3])}, "epoch: wanted finite numbers"),
        ({"seed": np.arange(5)}, "seed: wanted one for each member, 6, got 5"),
        ({"prediction": np.full((4, 6, 40), 65535)}, "wanted classes below 65535"),
        ({"class_names": ["ant", "bee"]}, "2 names, but classes up to 2"),
        ({"split": "extra"}, "must be one of test, train"),
        (
            {
                "train_label": np.zeros(3, int),
                "train_prediction": np.zeros((4, 5, 3), int),
            },
            "the same snapshots and members in both",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    arrays: dict[str, Any], tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(RequestError) as refused:
        jo.from_predictions(**(of_test(arrays) | change), out=tmp_path / "run")
    assert said in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.npz", "a.parquet", "a.csv", "none.npz"])
def test_what_is_no_such_file_is_refused_in_a_line(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if name != "none.npz":
        (tmp_path / name).write_text("nothing")
    out = tmp_path / "run"
    assert main(["import", str(tmp_path / name), f"--out={out}"]) == 2
    said = capsys.readouterr().err
    assert name in said
    assert said.count("\n") == 1
    assert not out.exists()


def documented(name: str) -> str:
    """Return the code that the documentation gives for a framework."""
    text = (ROOT / "docs" / "import.md").read_text(encoding="utf-8")
    (code,) = re.findall(rf"<!-- {name} -->\n```python\n(.*?)```", text, re.DOTALL)
    return code


@pytest.mark.parametrize("name", ["torch", "keras", "transformers"])
def test_documented_loggers_are_short(name: str) -> None:
    ast.parse(documented(name))
    assert len(documented(name).splitlines()) <= 35


def test_what_the_documented_torch_logger_writes_is_taken(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    scope: dict[str, Any] = {}
    exec(documented("torch"), scope)
    inputs, labels = torch.randn(50, 4), torch.randint(0, 3, (50,))
    logger = scope["Logger"](inputs, labels)
    for seed in range(3):
        torch.manual_seed(seed)
        model = torch.nn.Linear(4, 3)
        for step in (1, 2, 4):
            logger(seed, step, step / 4, model)
    logger.save(tmp_path / "theirs.npz")
    run = jo.from_predictions(
        **read_predictions(tmp_path / "theirs.npz"), out=tmp_path / "run"
    )
    assert run.record("test").prediction.shape == (3, 3, 50)
    assert run.record("test").epoch.values.tolist() == [0.25, 0.5, 1.0]


def test_a_mistyped_array_is_refused_with_what_was_meant(
    arrays: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "a.npz", **of_test(arrays), steps=arrays["step"])
    assert main(["import", str(tmp_path / "a.npz"), f"--out={tmp_path / 'run'}"]) == 2
    assert "no array steps (did you mean step?)" in capsys.readouterr().err


def test_logits_bring_what_networks_record(tmp_path: Path) -> None:
    own = jo.train(
        data="digits",
        train_examples=60,
        test_examples=40,
        model="mlp:widths=8",
        members=4,
        folds=2,
        epochs=1,
        keep_checkpoints="all",
        record=["loss", "margin", "true_logprob", "error_norm", "probability"],
        out=tmp_path / "own",
    )
    data, given = own.config.load(), {}
    for prefix, split in (("", "test"), ("train_", "train")):
        inputs, record = data.split(split).inputs, own.record(split)
        given[prefix + "logits"] = np.stack([own.logits(inputs, s) for s in own.steps])
        given[prefix + "label"] = record.label.values
        given[prefix + "example_id"] = record.example_id.values
    given["epoch"] = own.record("test").epoch.values
    seen = own.record("train").trained_on.values
    np.savez(tmp_path / "theirs.npz", **given, trained_on=seen)
    arrays = read_predictions(tmp_path / "theirs.npz")
    run = jo.from_predictions(**arrays, out=tmp_path / "theirs")
    for split in ("test", "train"):
        wanted, found = jo.scores(own, split), jo.scores(run, split)
        assert set(wanted) == set(found)
        pd.testing.assert_frame_equal(
            found.drop(columns=["label_name", "common_name"]),
            wanted[list(found)].drop(columns=["label_name", "common_name"]),
            check_dtype=False,
            rtol=1e-4,
            atol=1e-4,
        )
    quality = [
        jo.label_issues(each).set_index("example_id").label_quality.sort_index()
        for each in (own, run)
    ]
    np.testing.assert_allclose(*quality, rtol=1e-3)
    probability = [jo.held_out_probabilities(each).probability for each in (own, run)]
    np.testing.assert_allclose(*probability, atol=1e-3)


def test_members_that_diverged_have_no_quantities(tmp_path: Path) -> None:
    logits = np.random.default_rng(0).normal(size=(2, 3, 5, 4))
    logits[1, 2] = np.inf
    run = jo.from_predictions(
        logits=logits, label=np.arange(5) % 4, out=tmp_path / "run"
    )
    record = run.record("test")
    assert np.isnan(record.margin[1, 2]).all()
    assert np.isfinite(record.margin[0]).all()
    assert np.isnan(record.probability[0]).all()
    assert np.isfinite(jo.scores(run)["aum"]).all()


def test_splits_without_logits_leave_the_quantities_out(
    arrays: dict[str, Any], tmp_path: Path
) -> None:
    logits = np.zeros((*arrays["train_prediction"].shape, CLASSES))
    given = of_test(arrays) | {
        "train_logits": logits,
        "train_label": arrays["train_label"],
    }
    run = jo.from_predictions(**given, out=tmp_path / "run")
    assert "margin" not in run.record("train")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"trained_on": np.ones((6, 60))}, r"trained_on: wanted bool \[member, exa"),
        ({"trained_on": np.ones((5, 60), bool)}, r"\[6, 60\], got bool \[5, 60\]"),
        (
            {"train_prediction": None, "train_label": None, "trained_on": [[True]]},
            "trained_on: wanted training examples beside it",
        ),
        (
            {"train_prediction": None, "train_logits": np.zeros((4, 6, 60, 2))},
            "train_label: wanted classes that there are logits of, 0 to 1, got 2",
        ),
    ],
)
def test_what_was_trained_on_must_fit(
    arrays: dict[str, Any], tmp_path: Path, changed: dict, message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        jo.from_predictions(**arrays | changed, out=tmp_path / "run")
    assert not list(tmp_path.iterdir())
