"""Further data get a record: while members are trained, and from what was kept."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

import jaxorder as jo
from jaxorder import record
from jaxorder.cli import main
from jaxorder.errors import Interrupted, RequestError, WorkError
from jaxorder.run import evaluation
from jaxorder.run.folder import Run
from jaxorder.run.interruption import Interruption

SMALL: dict[str, Any] = {
    "data": "digits",
    "model": "mlp:widths=8",
    "train_examples": 200,
    "test_examples": 100,
    "epochs": 2,
    "members": 3,
    "snapshots": "epoch",
    "keep_checkpoints": "all",
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, which no test changes."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    jo.train(out=folder, record=["margin", "probability"], **SMALL)
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Run:
    """A copy of it, to evaluate."""
    return Run(shutil.copytree(trained, tmp_path / "run"))


@pytest.fixture(scope="module")
def shifted(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digits moved by a pixel, as a source."""
    digits = jo.load("digits")
    path = tmp_path_factory.mktemp("data") / "shifted.npz"
    np.savez(
        path,
        train_inputs=digits.train.inputs,
        train_labels=digits.train.labels,
        test_inputs=np.roll(digits.test.inputs, 1, axis=2),
        test_labels=digits.test.labels,
        class_names=np.array(digits.class_names),
    )
    return f"npz:{path}"


def same(a: xr.Dataset, b: xr.Dataset) -> bool:
    """Tell whether two groups hold the same, whatever they say of where it is from."""
    return a.load().equals(b.load())


# ---- from what was kept


def test_what_was_recorded_comes_out_again(run: Run) -> None:
    data = run.config.load()
    for split in ("test", "train"):
        again = run.evaluate(data, split, name=f"{split}-again")
        columns = [n for n in run.record(split).data_vars if n != "trained_on"]
        assert same(again, run.record(split)[columns])


@pytest.mark.parametrize(("steps", "found"), [("last", [8]), ([4, 0], [0, 4])])
def test_steps_are_those_asked_for(run: Run, steps: Any, found: list[int]) -> None:
    group = run.evaluate(run.config.load(), name="some", steps=steps)
    assert group.step.values.tolist() == found
    whole = run.record("test")
    at = [whole.step.values.tolist().index(step) for step in found]
    np.testing.assert_array_equal(group.epoch, whole.epoch[at])
    np.testing.assert_array_equal(group.prediction, whole.prediction[at])


def test_every_measure_takes_the_group(run: Run, shifted: str) -> None:
    run.evaluate(shifted, name="shifted")
    assert run.splits == ["test", "train", "shifted"]
    assert run.correct("shifted").shape == (3, 3, 500)
    assert jo.accessibility(run, "shifted").shape == (500,)
    assert len(jo.scores(run, "shifted")) == 500
    assert "shifted accuracy" in repr(run)


def test_plain_tools_open_it_without_a_warning(run: Run, shifted: str) -> None:
    run.evaluate(shifted, name="shifted")
    path = run.path / "record.zarr"
    group = xr.open_zarr(path, group="shifted", consolidated=True)
    assert group.prediction.shape == (3, 3, 500)
    assert group.attrs["data"] == shifted
    root: Any = zarr.open_group(path, mode="r", use_consolidated=True)
    assert root["shifted/prediction"].shape == (3, 3, 500)


def test_predictions_without_labels_agree_and_are_not_right_or_wrong(
    run: Run, shifted: str
) -> None:
    group = run.evaluate(shifted, name="bare", classes_by="none")
    assert "label" not in group
    assert "margin" not in group
    assert np.isfinite(group.probability[-1]).all()
    agreement = jo.classification_agreement(run, "bare")
    assert np.all((agreement > 0) & (agreement <= 1))
    with pytest.raises(RequestError, match="without labels"):
        run.correct("bare")
    assert "bare accuracy" not in repr(run)


def test_the_same_request_goes_on_and_another_is_refused(
    run: Run, shifted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "Interruption", After(2))
    with pytest.raises(Interrupted, match="snapshot 2 of 3"):
        run.evaluate(shifted, name="shifted")
    half = Run(run.path).record("shifted").load()
    assert half.sizes["snapshot"] == 2
    monkeypatch.undo()
    whole = run.evaluate(shifted, name="shifted")
    assert whole.sizes["snapshot"] == 3
    assert same(half, whole.isel(snapshot=slice(2)))
    written = {p: p.stat().st_mtime_ns for p in run.path.rglob("prediction/c/*")}
    run.evaluate(shifted, name="shifted")
    assert written == {p: p.stat().st_mtime_ns for p in written}
    with pytest.raises(RequestError, match="of another request: steps"):
        run.evaluate(shifted, name="shifted", steps="last")


class After(Interruption):
    """Interrupts after some snapshots."""

    def __init__(self, snapshots: int) -> None:
        super().__init__()
        self.left = snapshots

    def __call__(self) -> "After":
        return self

    @property
    def signal(self) -> int | None:
        self.left -= 1
        return None if self.left else 2

    @signal.setter
    def signal(self, number: int | None) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]  # it counts down
        assert number is None


def test_members_that_a_run_was_grown_by_are_missing_until_asked_for(
    run: Run, shifted: str
) -> None:
    before = run.evaluate(shifted, name="shifted").load()
    notes: list[str] = []
    grown = jo.grow(run.path, 5, watch=Notes(notes))[0]
    assert any("members 3 to 4 are missing" in note for note in notes)
    (further,) = grown.further
    assert (further.members, further.planned) == (3, 5)
    assert same(grown.record("shifted"), before)
    after = grown.evaluate(shifted, name="shifted")
    assert after.sizes["member"] == 5
    assert same(after.isel(member=slice(3)), before)
    assert not grown.further[0].missing
    whole = grown.record("test")
    again = grown.evaluate(grown.config.load(), name="again")
    np.testing.assert_array_equal(again.prediction, whole.prediction)


def Notes(notes: list[str]) -> Any:
    from jaxorder.progress.watch import Watch

    class Noting(Watch):
        def note(self, line: str) -> None:
            notes.append(line)

    return Noting()


def test_room_that_was_cut_short_is_made_again(
    run: Run, shifted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.evaluate(shifted, name="shifted")
    grown = jo.grow(run.path, 4)[0]
    array: Any = zarr.open_group(run.path / "record.zarr")["shifted/finite"]
    array.resize((3, 4))  # as a crash may leave it
    with pytest.raises(WorkError, match="evaluate shifted again"):
        grown.record("shifted")
    assert grown.evaluate(shifted, name="shifted").sizes["member"] == 4


def test_members_that_diverged_stay_lost(tmp_path: Path) -> None:
    rates: dict[str, Any] = {"vary": ["learning-rate=0.1,1e30"], "members": 2}
    run = jo.train(out=tmp_path / "run", optimizer="sgd", **SMALL | rates)
    group = run.evaluate(run.config.load(), name="again")
    np.testing.assert_array_equal(group.finite, run.record("test").finite)
    assert (group.prediction[-1, 1] == 255).all()
    assert run.correct("again").sizes["member"] == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"name": "test"}, "the record's own"),
        ({"name": "input_mean"}, "the record's own"),
        ({"name": "../up"}, "letters, digits"),
        ({"name": "zarr.json"}, "letters, digits"),
        ({"name": "x", "steps": [3]}, "kept checkpoints of 0, 4, 8"),
        ({"name": "x", "steps": []}, "wanted last, kept, or steps"),
        ({"name": "x", "split": "valid"}, "splits train and test"),
        ({"name": "x", "record_examples": 3}, "give 10 to 500"),
        ({"name": "x", "data": "gaussian"}, "one input is float32"),
        ({"name": "x", "data": "nothing"}, "no such source"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(
    trained: Path, given: dict[str, Any], told: str
) -> None:
    before = sorted(trained.rglob("*"))
    with pytest.raises(RequestError, match=told):
        Run(trained).evaluate(**{"data": "digits", **given})
    assert sorted(path for path in trained.rglob("*") if path.name != "lock") == [
        path for path in before if path.name != "lock"
    ]


def test_runs_that_kept_nothing_are_refused(tmp_path: Path) -> None:
    nothing: dict[str, Any] = {"keep_checkpoints": "none"}
    none = jo.train(out=tmp_path / "none", **SMALL | nothing)
    with pytest.raises(RequestError, match="no checkpoint was kept"):
        none.evaluate("digits", name="x")
    label, prediction = np.array([0, 1]), np.zeros((1, 2, 2), int)
    imported = jo.from_predictions(prediction, label, out=tmp_path / "imported")
    with pytest.raises(RequestError, match="only networks are kept"):
        imported.evaluate("digits", name="x")


def test_an_unfinished_run_is_refused(run: Run) -> None:
    commit = record.commits(run.path)[0]
    path = next((run.path / "commits").glob("members-*.json"))
    path.write_text(path.read_text().replace(str(commit.snapshots), "2", 1))
    with pytest.raises(RequestError, match=r"not finished; go on with"):
        Run(run.path).evaluate("digits", name="x")


@pytest.mark.slow
def test_texts_are_read_with_the_words_of_the_run(tmp_path: Path) -> None:
    rows = ["text,label,split"]
    for number in range(40):
        word, label = ("good fine", "yes") if number % 2 else ("bad poor", "no")
        rows.append(f"{word} w{number},{label},{'test' if number > 29 else 'train'}")
    (tmp_path / "a.csv").write_text("\n".join(rows) + "\n")
    rows = [rows[0], "new fine,yes,train", "old poor,no,train", "poor,no,test"]
    (tmp_path / "b.csv").write_text("\n".join(rows) + "\n")
    run = jo.train(
        data=f"text:{tmp_path / 'a.csv'}",
        model="bag_of_embeddings",
        epochs=8,
        members=2,
        batch_size=4,
        out=tmp_path / "run",
    )
    group = run.evaluate(f"text:{tmp_path / 'b.csv'}", name="b")
    assert group.attrs["class_names"] == ["no", "yes"]
    np.testing.assert_array_equal(group.prediction[-1], [[0], [0]])
    np.testing.assert_array_equal(run.predict(["poor", "fine"]), [[0, 1]] * 2)
    (tmp_path / "a.csv").write_text("\n".join(rows) + "\n")
    with pytest.raises(RequestError, match="not the texts"):
        run.predict(["poor"])


def test_texts_are_refused_by_members_that_learned_images(trained: Path) -> None:
    with pytest.raises(RequestError, match="learned none"):
        Run(trained).predict(["a text"])


# ---- while members are trained


def test_a_probe_of_the_test_data_is_the_test_record(tmp_path: Path) -> None:
    run = jo.train(
        out=tmp_path / "run",
        probe=["again=digits"],
        record=["loss", "probability"],
        **SMALL | {"test_examples": None},
    )
    again, test = run.record("again").load(), run.record("test").load()
    xr.testing.assert_allclose(again.drop_vars("loss"), test.drop_vars("loss"))
    np.testing.assert_allclose(again.loss, test.loss, rtol=1e-5, atol=1e-6)


def test_probes_leave_the_training_as_it_is(
    tmp_path: Path, trained: Path, shifted: str
) -> None:
    run = jo.train(
        out=tmp_path / "run",
        probe=[f"shifted={shifted}", f"few={shifted}"],
        record=["margin", "probability"],
        **SMALL,
    )
    whole = Run(trained)
    for split in ("train", "test"):
        np.testing.assert_array_equal(
            run.record(split).prediction, whole.record(split).prediction
        )
    later = whole_copy(whole, tmp_path).evaluate(shifted, name="shifted")
    np.testing.assert_array_equal(run.record("shifted").prediction, later.prediction)
    assert run.document.probes["shifted"].examples == 500
    with pytest.raises(RequestError, match="a probe of"):
        run.evaluate(shifted, name="shifted")


def whole_copy(run: Run, folder: Path) -> Run:
    return Run(shutil.copytree(run.path, folder / "copy"))


def test_probes_are_bounded_as_the_splits_are(tmp_path: Path, shifted: str) -> None:
    bound: dict[str, Any] = {"record_examples": 50, "keep_checkpoints": "last"}
    run = jo.train(out=tmp_path / "run", probe=[f"s={shifted}"], **SMALL | bound)
    assert [run.record(s).sizes["example"] for s in run.splits] == [50, 50, 50]


@pytest.mark.slow
def test_probes_grow_with_the_run_and_are_checked(tmp_path: Path, shifted: str) -> None:
    data = Path(shifted.removeprefix("npz:"))
    own = shutil.copy(data, tmp_path / "own.npz")
    run = jo.train(out=tmp_path / "run", probe=[f"s=npz:{own}"], **SMALL)
    assert jo.grow(run.path, 4)[0].record("s").sizes["member"] == 4
    (further,) = Run(run.path).further
    assert further.probe
    assert not further.missing
    arrays = dict(np.load(own))
    np.savez(own, **{**arrays, "test_inputs": arrays["test_inputs"][::-1]})
    with pytest.raises(RequestError, match=r"not the data that .* was begun with"):
        jo.grow(run.path, 5)


@pytest.mark.parametrize(
    ("probe", "told"),
    [
        ("digits", "must be NAME=SOURCE"),
        ("train=digits", "the record's own"),
        ("a b=digits", "letters, digits"),
        ("x=nothing", "no such source"),
        ("x=gaussian", "one input is"),
    ],
)
def test_probes_that_cannot_be_are_refused(
    tmp_path: Path, probe: str, told: str
) -> None:
    with pytest.raises(RequestError, match=told):
        jo.train(out=tmp_path / "run", probe=[probe], **SMALL)
    assert not (tmp_path / "run").exists()


def test_a_name_is_a_probes_once(tmp_path: Path) -> None:
    twice = ["a=digits", "A=digits"]
    with pytest.raises(RequestError, match="names A twice"):
        jo.train(out=tmp_path / "run", probe=twice, **SMALL)


@pytest.mark.slow
def test_learners_record_probes_too(tmp_path: Path, shifted: str) -> None:
    asked: dict[str, Any] = {
        "model": "sklearn:naive_bayes",
        "resample": "bootstrap",
        "members": 2,
    }
    run = jo.train(
        out=tmp_path / "run",
        probe=["again=digits", f"s={shifted}"],
        classes_by="index",
        **SMALL | asked | {"test_examples": None, "keep_checkpoints": "last"},
    )
    np.testing.assert_array_equal(
        run.record("again").prediction, run.record("test").prediction
    )
    assert run.correct("s").mean() < run.correct("test").mean()


# ---- the command line


def test_the_command_says_what_it_did(
    run: Run, shifted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["evaluate", str(run.path), "--data", shifted, "--name", "s", "--quiet"]
    assert main([*asked, "--steps", "0,8", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["steps"] == [0, 8]
    assert (told["examples"], told["members"], told["planned"]) == (500, 3, 3)
    assert 0 < told["accuracy"] < 1
    out = run.path.parent / "s.csv"
    assert main(["scores", str(run.path), "--split", "s", "--out", str(out)]) == 0
    assert len(out.read_text().splitlines()) == 501
    capsys.readouterr()
    assert main(["info", str(run.path), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["runs"]
    assert found["further"]["s"]["snapshots"] == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--steps", "3"], "--steps 3: "),
        (["--steps", "first"], "--steps first: wanted last, kept, or steps"),
        (["--data", "nothing"], "--data nothing: "),
        (["--name", "train"], "--name train: train is the record's own"),
        (["--classes-by", "colour"], "--classes-by"),
        (["--split", "valid"], "--split"),
    ],
)
def test_wrong_requests_are_refused_in_a_line(
    trained: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"--data": "digits", "--name": "x"} | dict([words])
    asked = [word for pair in given.items() for word in pair]
    assert main(["evaluate", str(trained), *asked, "--quiet"]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_a_split_that_is_not_there_is_refused_with_those_that_are(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "x.csv")
    assert main(["scores", str(trained), "--split", "nosy", "--out", out]) == 2
    assert "holds test, train" in capsys.readouterr().err


@pytest.mark.slow
def test_two_runs_are_compared_on_what_both_predicted(
    run: Run, tmp_path: Path, shifted: str
) -> None:
    longer: dict[str, Any] = {"seed": 1, "epochs": 4, "learning_rate": 0.1}
    other = jo.train(out=tmp_path / "other", **SMALL | longer)
    steps: dict[str, Any] = {"steps": [4, 8]}  # fewer than of the test examples
    for each in (run, other):
        each.evaluate(shifted, name="shifted", **steps)
    found = jo.compare(run, other, split="shifted")
    assert found.examples == 500
    assert found.matched.step_a in (4, 8)
    assert found.matched.step_b in (4, 8)
    assert 0 <= jo.containment(run, other, split="shifted").share[0] <= 1
    for each in (run, other):
        each.evaluate(shifted, name="once", steps="last")
    with pytest.raises(RequestError, match="evaluate more snapshots of 'once', or"):
        jo.compare(run, other, split="once")
    other.evaluate(shifted, name="bare", classes_by="none")
    run.evaluate(shifted, name="bare", classes_by="none")
    with pytest.raises(RequestError, match="without labels"):
        jo.compare(run, other, split="bare")


def test_scores_of_what_has_no_labels_are_refused(run: Run, shifted: str) -> None:
    run.evaluate(shifted, name="bare", classes_by="none")
    for measure in (jo.scores, jo.accessibility, jo.fleiss_kappa, jo.error_agreement):
        with pytest.raises(RequestError, match="without labels"):
            measure(run, "bare")
