"""What neither disk nor memory can hold is refused before anything is begun."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import jaxorder as jo
from jaxorder.cli import main
from jaxorder.config import study_asked
from jaxorder.data.laid_out import LaidOut
from jaxorder.ensemble.devices import spread_over_cores
from jaxorder.errors import RequestError
from jaxorder.files import lock
from jaxorder.progress.watch import Watch
from jaxorder.run import room, training
from jaxorder.run.study import open_run
from jaxorder.run.training import plan_study
from jaxorder.run.works import work_left

DIGITS: dict[str, Any] = {"data": "digits", "train_examples": 100, "epochs": 1}


def planned(tmp_path: Path, model: str = "mlp:widths=8", **options: Any) -> Any:
    asked = study_asked(None, [model], DIGITS | options)
    return plan_study(asked, out=tmp_path / "out")


@pytest.mark.parametrize("model", ["mlp", "sklearn:knn"])
def test_more_members_than_memory_holds_are_refused(tmp_path: Path, model: str) -> None:
    with pytest.raises(RequestError) as refused:
        planned(tmp_path, model, members=10**12, resample="bootstrap")
    assert str(refused.value).startswith("members=1000000000000: what members have")
    assert "of memory; this machine has" in str(refused.value)


def test_the_command_line_refuses_them_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["--data=digits", "--models=mlp", "--members=1000000000", f"--out={out}"]
    assert main(["run", *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("jaxorder: --members 1000000000: ")
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_records_larger_than_the_disk_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SimpleNamespace(free=10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    with pytest.raises(RequestError) as refused:
        planned(tmp_path, members=4)
    assert "checkpoints take" in str(refused.value)
    assert f"of disk, {tmp_path} has 10 kB left; give" in str(refused.value)
    with pytest.raises(RequestError, match="of disk"):
        jo.train(model="mlp", out=tmp_path / "deep" / "out", **DIGITS)
    assert not list(tmp_path.iterdir())


def test_what_is_planned_is_what_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work,) = planned(tmp_path, members=4)
    needed = work.record_bytes + work.checkpoint_bytes
    usage = SimpleNamespace(free=needed)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    planned(tmp_path, members=4)
    usage.free -= 1
    with pytest.raises(RequestError, match="of disk"):
        planned(tmp_path, members=4)


def test_of_a_grown_run_only_what_is_new_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = jo.train(model="mlp", out=tmp_path / "run", members=2, **DIGITS).path
    usage = SimpleNamespace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(RequestError, match=r"members=5: .*of disk"):
        jo.grow(path, 5)
    config = open_run(path).config
    devices = spread_over_cores(2)
    data = LaidOut(config.load(), config.record_examples)
    work = work_left(open_run(path), data, devices, members=5)
    assert work.done == 2
    usage.free = work.bytes_left
    assert work.bytes_left == (work.record_bytes + work.checkpoint_bytes) * 3 // 5
    assert open_run(jo.grow(path, 5)[0].path).progress.members == 5


class Told(Watch):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.phases: list[str] = []

    def phase(self, what: str, sound: bool = True) -> None:
        self.phases.append(what)

    def note(self, line: str) -> None:
        self.notes.append(line)

    def warn(self, line: str) -> None:
        self.warnings.append(line)


def test_more_than_a_day_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    asked = study_asked(None, ["mlp:widths=8"], DIGITS | {"members": 2})
    training.plan_study(asked, "always", told)
    assert told.warnings == []
    monkeypatch.setattr(room, "DAY", 1e-6)
    training.plan_study(asked, "always", told)
    (warning,) = told.warnings
    assert warning.startswith("mlp:widths=8 will take about ")
    assert warning.endswith("goes on with resume")
    named = study_asked(asked, options={"plan": "sequential"})
    training.plan_study(named, "always", told)
    assert told.warnings[1].startswith("mlp:widths=8 will take up to about ")


def test_of_a_run_that_was_begun_no_time_is_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = jo.train(
        model="mlp:widths=8", out=tmp_path / "run", members=2, **DIGITS
    ).path
    monkeypatch.setattr(room, "DAY", 1e-6)
    told = Told()
    training.grow(path, 3, watch=told)
    assert told.warnings == []
    assert told.notes
    assert not any("about" in note for note in told.notes)


def test_what_another_process_trains_is_left_alone_at_once(tmp_path: Path) -> None:
    path = jo.train(
        model="mlp:widths=8", out=tmp_path / "run", members=2, **DIGITS
    ).path
    told = Told()
    with lock(path), pytest.raises(RequestError, match="another process is training"):
        training.grow(path, 3, watch=told)
    assert told.phases == told.notes == []


def test_what_takes_long_is_told_of(tmp_path: Path) -> None:
    told = Told()
    options = DIGITS | {"members": 2, "batch_size": 500}
    jo.train(model="mlp:widths=8", out=tmp_path / "run", watch=told, **options)
    first, *_, last = told.phases
    assert first == "reading data"
    assert last == "mlp:widths=8: compiling the training"
    assert told.notes[0].startswith("mlp:widths=8: sequential on ")
    assert told.notes[1].startswith(
        "mlp:widths=8: a batch of 500 is more than the 100 "
    )
