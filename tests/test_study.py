"""A study as a file, and what becomes of it on disk."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jaxorder as jo
from jaxorder.cli import main
from jaxorder.config import StudyConfig, StudyOptions, read_study_file, study_asked
from jaxorder.ensemble import planner
from jaxorder.errors import RequestError
from jaxorder.members.streams import seeds
from jaxorder.run import training
from jaxorder.run.study import Study

FILE = """
[data]
data = "digits"
train_examples = 100
test_examples = 50

[training]
epochs = 2

[members]
members = 3

[[models]]
model = "mlp:widths=8"

[[models]]
name = "slow"
model = "mlp:widths=8"
learning_rate = 0.001

[[models]]
model = "sklearn:adaboost:rounds=3"
resample = "bootstrap"
"""
NAMES = ["mlp:widths=8", "slow", "sklearn:adaboost:rounds=3"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "study.toml"
    path.write_text(FILE)
    return path


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Return a finished study, not to be changed."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "study.toml").write_text(FILE)
    return jo.study(folder / "study.toml", out=folder / "out")


# ---- what is asked for


def test_each_model_has_the_shared_options_and_its_own(file: Path) -> None:
    config = read_study_file(file)
    assert config.names == NAMES
    plain, slow, boosted = config.runs
    assert (plain.members, plain.epochs, plain.learning_rate) == (3, 2, None)
    assert (slow.model, slow.learning_rate) == ("mlp:widths=8", 0.001)
    # what boosting needs is not forced on the networks
    assert (boosted.resample, plain.resample) == ("bootstrap", None)


def test_the_command_line_wins_over_a_model_and_a_model_over_the_tables(
    file: Path,
) -> None:
    runs = read_study_file(file, {"learning_rate": 0.5, "epochs": 7}).runs
    assert [run.learning_rate for run in runs] == [0.5, 0.5, 0.5]
    assert [run.epochs for run in runs] == [7, 7, 7]


def test_a_model_of_two_names_has_streams_of_its_own(file: Path) -> None:
    plain, slow, _ = read_study_file(file).runs
    assert not set(seeds(plain)) & set(seeds(slow))


def test_models_are_chosen_by_name_in_the_order_asked(file: Path) -> None:
    assert read_study_file(file, models=["slow", NAMES[0]]).names == ["slow", NAMES[0]]
    with pytest.raises(RequestError, match=r"no model slwo \(did you mean slow\?\)"):
        read_study_file(file, models=["slwo"])


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(
        '[data]\ndata = "npz:mine.npz"\ndata_dir = "sets"\n'
        '[[models]]\nmodel = "nets.py:make:width=8"\n[[models]]\nmodel = "mlp"\n'
    )
    run, other = read_study_file(tmp_path / "study.toml").runs
    assert run.data == f"npz:{tmp_path}/mine.npz"
    assert run.data_dir == tmp_path / "sets"
    assert run.model == f"{tmp_path}/nets.py:make:width=8"
    assert run.key == "nets.py:make:width=8"
    assert other.model == other.key == "mlp"


def test_what_was_resolved_asks_for_the_same_again(file: Path, tmp_path: Path) -> None:
    config = read_study_file(file, {"seed": 5})
    kept = json.loads(json.dumps(config.to_json()))
    assert StudyConfig.from_json(kept).runs == config.runs
    (tmp_path / "study.json").write_text(json.dumps(kept))
    assert read_study_file(tmp_path / "study.json").runs == config.runs
    assert read_study_file(tmp_path / "study.json", {"seed": 6}).runs[0].seed == 6


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[training]\nepoch = 3", "[training] epoch: no such option; did you mean epo"),
        ("[data]\nepochs = 3", "[data] epochs: belongs into [training]"),
        ("[trainin]\nepochs = 3", "no table [trainin] (did you mean training?)"),
        ("data = 3", "data = 3: must be tables [data], [training], [members]"),
        ("[data", "no study file ("),
        ('[[models]]\nmodle = "mlp"', '[[models]] needs model = "NAME", got'),
        ('[[models]]\nmodel = "mlp"\nlr = 3', "[[models]] mlp: lr: no such option"),
        ('models = ["mlp"]', "[models] must be tables"),
        ('[data]\ndata = "digits"', "model: at least one model is needed"),
        ('[[models]]\nmodel = "mlp"', "data: must name a source of data"),
        (
            '[data]\ndata = "digits"\n[training]\nepochs = 0\n[[models]]\nmodel="mlp"',
            "epochs=0: must be a whole number",
        ),
        (
            '[data]\ndata = "digits"\n[[models]]\nmodel="mlp"\n[[models]]\nmodel="mlp"',
            "both would be written to the folder mlp; name each model once",
        ),
    ],
)
def test_what_a_file_must_not_say_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(RequestError) as refused:
        read_study_file(path)
    assert said in str(refused.value)
    assert "\n" not in " ".join(str(refused.value).split())


def test_a_study_is_asked_for_in_several_ways(file: Path) -> None:
    options = {"data": "digits", "members": 3}
    for asked in (
        study_asked(None, ["mlp"], options),
        study_asked(StudyOptions(data="digits"), ["mlp"], {"members": 3}),
        study_asked(StudyOptions(**options), "mlp", {}),
        StudyConfig.of(options, [{"model": "mlp"}]),
    ):
        assert [(run.model, run.members) for run in asked.runs] == [("mlp", 3)]
    assert study_asked(str(file), [], {}).names == NAMES


# ---- what becomes of it


def test_a_study_trains_each_run_by_its_own_options(study: Study) -> None:
    assert [run.name for run in study] == NAMES
    assert [run.path.name for run in study] == [
        "mlp_widths=8",
        "slow",
        "sklearn_adaboost_rounds=3",
    ]
    assert all(run.progress.finished for run in study)
    assert len(study) == 3
    plain, slow = (study[name].record("train").prediction for name in NAMES[:2])
    assert (plain != slow).any()
    labels = [run.record("test").label.values for run in study]
    np.testing.assert_array_equal(labels[0], labels[2])


def test_a_study_opens_as_it_was_asked_for(study: Study) -> None:
    again = jo.open_study(study.path)
    assert again.config.runs == study.config.runs
    with pytest.raises(RequestError, match="no run fast; there are"):
        again["fast"]
    with pytest.raises(RequestError, match="not a study"):
        jo.open_study(study.path / "slow")


def test_a_study_shows_itself(study: Study) -> None:
    assert repr(study).splitlines()[0].endswith("3 of 3 runs)")
    assert repr(study).count("digits") == 3
    shown = study._repr_html_()
    assert shown.count("<table>") == 3
    assert "slow" in shown


def test_its_report_says_how_to_make_it_again(study: Study) -> None:
    page = jo.write_report(study.path).read_text(encoding="utf-8")
    assert f"jaxorder run {study.path}/study.json --out" in page


def test_nothing_is_left_to_resume(study: Study) -> None:
    assert [run.name for run in jo.resume(study.path)] == NAMES


def test_the_command_line_takes_a_study_file(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = [str(file), "--models", "slow", "--epochs=1", "--members=2"]
    assert main(["run", *words, f"--out={out}", "--quiet", "--json"]) == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert (run["model"], run["members"], run["planned"]) == ("slow", 2, 2)
    (opened,) = jo.open_study(out)
    assert (opened.config.learning_rate, opened.config.epochs) == (0.001, 1)
    assert main(["plan", *words, "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)["runs"]
    assert [each["model"] for each in planned] == ["slow"]


def test_every_model_is_checked_before_ways_are_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tried(*_: Any) -> None:
        raise AssertionError("a way was tried before every model was checked")

    monkeypatch.setattr(planner, "try_ways", tried)
    wrong = ["mlp", "mlp:linear=yes"]
    asked = study_asked(None, wrong, {"data": "digits", "epochs": 10**6})
    with pytest.raises(RequestError, match="linear=yes must be one of true, false"):
        training.plan_study(asked, "always")
    alike = study_asked(None, ["mlp", "sklearn:knn"], {"data": "digits"})
    with pytest.raises(RequestError, match="so all members would be equal"):
        training.plan_study(alike, "always")


def test_an_interruption_while_planning_says_that_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(planner, "try_ways", interrupted)
    words = ["--data=digits", "--models=mlp", "--epochs=1000000", "--snapshots=last"]
    assert main(["run", *words, f"--out={tmp_path / 'out'}", "--quiet"]) == 130
    assert capsys.readouterr().err == (
        "jaxorder: interrupted before the training began; nothing was written\n"
    )
    assert not list(tmp_path.iterdir())
