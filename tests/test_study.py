"""A study as a file, and what becomes of it on disk."""

import dataclasses
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import jaxorder as jo
from jaxorder.cli import main
from jaxorder.config import StudyConfig, StudyOptions, study_asked
from jaxorder.data import beside
from jaxorder.ensemble import planner
from jaxorder.errors import RequestError
from jaxorder.members.streams import seeds
from jaxorder.report.sections.making import commands
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
    config = study_asked(file)
    assert config.names == NAMES
    plain, slow, boosted = config.runs
    assert (plain.members, plain.epochs, plain.learning_rate) == (3, 2, None)
    assert (slow.model, slow.learning_rate) == ("mlp:widths=8", 0.001)
    # what boosting needs is not forced on the networks
    assert (boosted.resample, plain.resample) == ("bootstrap", None)


def test_the_command_line_wins_over_a_model_and_a_model_over_the_tables(
    file: Path,
) -> None:
    runs = study_asked(file, [], {"learning_rate": 0.5, "epochs": 7}).runs
    assert [run.learning_rate for run in runs] == [0.5, 0.5, 0.5]
    assert [run.epochs for run in runs] == [7, 7, 7]


def test_a_model_of_two_names_has_streams_of_its_own(file: Path) -> None:
    plain, slow, _ = study_asked(file).runs
    assert not set(seeds(plain)) & set(seeds(slow))


def test_models_are_chosen_by_name_in_the_order_asked(file: Path) -> None:
    assert study_asked(file, ["slow", NAMES[0]]).names == ["slow", NAMES[0]]
    with pytest.raises(RequestError, match=r"no model slwo \(did you mean slow\?\)"):
        study_asked(file, ["slwo"])


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(
        '[data]\ndata = "npz:mine.npz"\ndata_dir = "sets"\n'
        '[[models]]\nmodel = "nets.py:make:width=8"\n[[models]]\nmodel = "mlp"\n'
    )
    run, other = study_asked(tmp_path / "study.toml").runs
    assert run.data == f"npz:{tmp_path}/mine.npz"
    assert run.data_dir == tmp_path / "sets"
    assert run.model == f"{tmp_path}/nets.py:make:width=8"
    assert run.key == "nets.py:make:width=8"
    assert other.model == other.key == "mlp"


def test_what_was_resolved_asks_for_the_same_again(file: Path, tmp_path: Path) -> None:
    config = study_asked(file, [], {"seed": 5})
    kept = json.loads(json.dumps(config.to_json()))
    assert StudyConfig.from_json(kept).runs == config.runs
    (tmp_path / "study.json").write_text(json.dumps(kept))
    assert study_asked(tmp_path / "study.json").runs == config.runs
    assert study_asked(tmp_path / "study.json", [], {"seed": 6}).runs[0].seed == 6


def test_what_was_resolved_is_found_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = tmp_path / "here"
    where.mkdir()
    monkeypatch.chdir(where)
    asked = StudyConfig.of({"data": "npz:mine.npz"}, ["nets.py:make", "mlp"])
    kept = tmp_path / "study.json"
    kept.write_text(json.dumps(asked.to_json()))
    monkeypatch.chdir(tmp_path)
    run, other = study_asked(kept).runs
    assert run.data == other.data == f"npz:{where}/mine.npz"
    assert (run.model, run.key) == (f"{where}/nets.py:make", "nets.py:make")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("npz:a.npz", "npz:/there/a.npz"),
        ("npz:/a.npz", "npz:/a.npz"),
        ("npz:~/a.npz", "npz:~/a.npz"),
        ("text:a.csv,length=9", "text:/there/a.csv,length=9"),
        ("newsgroups20:strip=false", "newsgroups20:strip=false"),
        ("newsgroups20:sets,strip=false", "newsgroups20:/there/sets,strip=false"),
        ("newsgroups20", "newsgroups20"),
        ("gabor:classes=3", "gabor:classes=3"),
    ],
)
def test_a_source_is_taken_as_relative_where_it_has_a_path(
    source: str, said: str
) -> None:
    assert beside(source, Path("/there")) == said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"models": "mlp"}, "damaged; must hold models"),
        ({"models": [3]}, "damaged; must hold models"),
        ({"options": []}, "damaged; must hold models"),
        ({"own": []}, "damaged; must hold models"),
        ({"own": {"mlp": 3}}, "damaged; must hold models"),
        ({"schema": 2}, "of schema 2; this version of jaxorder reads schema 1"),
        ({"options": {"data": "digits", "epoch": 1}}, "did you mean epochs?"),
        ({"options": {"data": "digits", "epochs": 0}}, "must be a whole number"),
    ],
)
def test_a_damaged_study_is_refused_in_a_line(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    document = StudyConfig.of({"data": "digits"}, ["mlp"]).to_json()
    (tmp_path / "study.json").write_text(json.dumps(document | change))
    for opened in (jo.open_study, lambda folder: study_asked(folder / "study.json")):
        with pytest.raises(RequestError) as refused:
            opened(tmp_path)
        assert said in str(refused.value)
        assert str(tmp_path / "study.json") in str(refused.value)


@pytest.mark.parametrize("text", ["[]", "{", "3", '{"schema": 1}'])
def test_what_is_no_study_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "study.json").write_text(text)
    with pytest.raises(RequestError, match="damaged, or not written by jaxorder"):
        study_asked(tmp_path / "study.json")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[training]\nepoch = 3", "[training] epoch: no such option; did you mean epo"),
        ("[data]\nepochs = 3", "[data] epochs: belongs in [training]"),
        ("[trainin]\nepochs = 3", "no table [trainin] (did you mean training?)"),
        ("data = 3", "data = 3: must be tables [data], [training], [members]"),
        ("[data", "no study file ("),
        (
            '[[models]]\nmodle = "mlp"',
            "[[models]]: modle: no such option; did you mean model?",
        ),
        ('[[models]]\nname = "a"', '[[models]] needs model = "NAME"'),
        ('[[models]]\nmodel = "mlp"\nname = ["a"]', "name, if given, must be a text"),
        (
            '[data]\ndata = "digits"\n[[models]]\nmodel = "mlp"\nname = ".."',
            "cannot be the name of a run's folder",
        ),
        (
            '[data]\ndata_dir = 5\n[[models]]\nmodel = "mlp"',
            "data_dir=5: must be a path",
        ),
        ('[data]\ndata = 5\n[[models]]\nmodel = "mlp"', "data=5: must be a text"),
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
        study_asked(path)
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


def test_options_and_models_win_over_those_of_a_study(file: Path) -> None:
    config = study_asked(file)
    assert study_asked(config) == config
    (run,) = study_asked(config, ["slow"], {"epochs": 9}).runs
    assert (run.key, run.epochs, run.learning_rate) == ("slow", 9, 0.001)
    shared = study_asked(run, ["mlp", "cnn"]).runs  # a run is options, and a model
    assert [(each.key, each.epochs) for each in shared] == [("mlp", 9), ("cnn", 9)]
    with pytest.raises(RequestError, match="lr=1: no such option; see RunConfig"):
        study_asked(config, options={"lr": 1})


def test_options_of_models_need_not_suit_all(file: Path) -> None:
    """What is allowed of each run is not checked of what most share."""
    tables = [
        {"model": "mlp", "vary": ["learning-rate=0.1,0.2"], "members": 2},
        {"model": "cnn", "members": 1},
    ]
    config = StudyConfig.of({"data": "digits"}, tables)
    assert StudyConfig.from_json(config.to_json()) == config


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


@pytest.mark.slow
def test_the_report_of_a_named_run_alone_says_so_too(
    study: Study, tmp_path: Path
) -> None:
    copy = tmp_path / "slow"
    shutil.copytree(study["slow"].path, copy)
    (line,) = commands([jo.open_run(copy)])
    python, option, code = shlex.split(line)
    assert (python, option) == ("python", "-c")
    again = tmp_path / "again"
    subprocess.run(
        [sys.executable, "-c", code.replace(str(copy), str(again))], check=True
    )
    found, wanted = (run.record("test") for run in (jo.open_run(again), study["slow"]))
    xr.testing.assert_equal(found.prediction, wanted.prediction)


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
    named = study_asked(None, ["mlp", "mlp:widths=8"], {"data": "digits"})
    own = dataclasses.replace(named.runs[1], plan="vmapp")
    with pytest.raises(RequestError, match=r'plan="vmapp": must be one of auto'):
        training.plan_study(StudyConfig((named.runs[0], own)), "always")


def test_a_flag_of_a_file_is_taken_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "study.toml"
    file.write_text(
        '[data]\ndata = "digits"\nshuffle_labels = true\n[[models]]\nmodel = "mlp"\n'
    )
    assert main(["plan", str(file), "--label-noise=0.1", "--json"]) == 2
    assert "--shuffle-labels: not with --label-noise 0.1" in capsys.readouterr().err
    words = ["--label-noise=0.1", "--no-shuffle-labels", "--plan=sequential"]
    assert main(["plan", str(file), *words, "--json"]) == 0


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
