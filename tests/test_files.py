"""Files and folders are there in whole or not at all."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jaxorder.errors import RequestError
from jaxorder.files import (
    lock,
    new_folder,
    read_json,
    refuse_occupied,
    write_json,
    write_text,
)


def everything_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# ---- folders


def test_a_folder_takes_its_name_when_it_is_complete(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b" / "run"
    with new_folder(out) as folder:
        (folder / "part").write_text("whole")
        assert not out.exists()
        # beside it, since only within a file system a folder is moved at once
        assert folder.parent == out.parent
    assert everything_in(tmp_path) == ["a", "a/b", "a/b/run", "a/b/run/part"]


def fill_and_fail(out: Path, error: type[BaseException]) -> None:
    with new_folder(out) as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "part").write_text("half")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_of_a_folder_that_failed(
    tmp_path: Path, error: type[BaseException]
) -> None:
    (tmp_path / "was there").mkdir()
    for out in ("a/b/run", "was there/run", "was there/c/run"):
        with pytest.raises(error):
            fill_and_fail(tmp_path / out, error)
    assert everything_in(tmp_path) == ["was there"]


def test_what_others_put_into_its_parents_is_left(tmp_path: Path) -> None:
    def fail_beside_another() -> None:
        with new_folder(tmp_path / "a" / "b" / "run"):
            (tmp_path / "a" / "other").mkdir()
            raise KeyError

    with pytest.raises(KeyError):
        fail_beside_another()
    assert everything_in(tmp_path) == ["a", "a/other"]


def test_a_relative_folder_is_made_where_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with new_folder(Path("a/run")):
        pass
    with pytest.raises(KeyError):
        fill_and_fail(Path("b/run"), KeyError)
    assert everything_in(tmp_path) == ["a", "a/run"]


def test_what_exists_is_refused_and_left(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "precious").write_text("1")
    (tmp_path / "file").write_text("2")
    before = everything_in(tmp_path)
    for name in ("folder", "file"):
        out = tmp_path / name
        with pytest.raises(RequestError) as refused, new_folder(out):
            pytest.fail("entered")
        assert str(refused.value) == (f'out="{out}": exists already; name a new folder')
    assert everything_in(tmp_path) == before


@pytest.mark.parametrize("below", ["run", "a/b/run"])
def test_a_file_is_no_parent(tmp_path: Path, below: str) -> None:
    file = tmp_path / "file"
    file.write_text("1")
    with pytest.raises(RequestError) as refused:
        refuse_occupied(file / below)
    assert str(refused.value) == (
        f'out="{file / below}": {file} is not a folder one can write to'
    )
    assert everything_in(tmp_path) == ["file"]


def test_a_parent_must_be_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # tests may run as root, who may write everywhere
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    with pytest.raises(RequestError, match="is not a folder one can write to"):
        refuse_occupied(tmp_path / "a" / "run")


# ---- files

DOCUMENT: dict[str, Any] = {"text": "ü\n", "number": 0.1, "list": [1, None, True]}


def test_a_document_reads_as_it_was_written(tmp_path: Path) -> None:
    write_json(tmp_path / "it.json", DOCUMENT)
    assert read_json(tmp_path / "it.json") == DOCUMENT
    assert (tmp_path / "it.json").read_text(encoding="utf-8").endswith("}\n")


def test_a_document_is_replaced_in_one_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "it.json"
    write_json(path, DOCUMENT)
    seen = []

    def replace(temporary: Path, target: Path) -> None:
        # complete under another name, while a reader still finds the old one
        seen.append((read_json(temporary), read_json(target)))
        os.replace(temporary, target)

    monkeypatch.setattr(Path, "replace", replace)
    write_json(path, [2])
    assert seen == [([2], DOCUMENT)]
    assert read_json(path) == [2]
    assert everything_in(tmp_path) == ["it.json"]


@pytest.mark.parametrize("value", [float("nan"), {1, 2}])
def test_what_json_cannot_say_leaves_the_old_document(
    tmp_path: Path, value: object
) -> None:
    path = tmp_path / "it.json"
    write_json(path, DOCUMENT)
    with pytest.raises((ValueError, TypeError)):
        write_json(path, {"value": value})
    assert read_json(path) == DOCUMENT
    assert everything_in(tmp_path) == ["it.json"]


def test_a_failing_move_leaves_the_old_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    write_text(path, "old")

    def replace(temporary: Path, target: Path) -> None:
        raise OSError("no space")

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(OSError, match="no space"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert everything_in(tmp_path) == ["report.html"]


# ---- locks

HOLD = """
import sys
from pathlib import Path
from jaxorder.files import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


# what version 0.1.0 did
HOLD_AS_BEFORE = """
import fcntl, sys
with open(sys.argv[1] + "/lock", "w") as file:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=[HOLD, HOLD_AS_BEFORE], ids=["this version", "0.1.0"])
def holder(
    tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[subprocess.Popen[str]]:
    """Yield another process that holds a folder."""
    command = [sys.executable, "-c", request.param, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_folder_is_held_for_one_process(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(RequestError) as refused, lock(tmp_path):
        pytest.fail("held twice")
    assert str(refused.value) == (
        f"{tmp_path}: another process is training this run; wait for it to end"
    )
    # however it ends, the folder is free
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with lock(tmp_path):
        pass


def test_a_folder_is_free_again_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="enough"), lock(tmp_path):
        raise ValueError("enough")
    with lock(tmp_path):
        pass


def test_the_version_before_is_refused_what_this_one_holds(tmp_path: Path) -> None:
    before = [sys.executable, "-c", HOLD_AS_BEFORE, str(tmp_path)]
    with lock(tmp_path):
        refused = subprocess.run(before, capture_output=True, text=True, check=False)
    assert refused.stdout == ""
    assert "BlockingIOError" in refused.stderr


def test_a_folder_can_be_written_to_where_folders_cannot_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def open_file(path: Path, flags: int) -> int:
        assert not path.is_dir()
        return opened(path, flags)

    monkeypatch.setattr("jaxorder.files.os", SimpleNamespace(**vars(os)))
    monkeypatch.setattr("jaxorder.files.os.name", "nt")
    monkeypatch.setattr("jaxorder.files.os.open", open_file)
    with new_folder(tmp_path / "run") as folder:
        write_text(folder / "report.html", "new")
    assert everything_in(tmp_path) == ["run", "run/report.html"]
