"""A run that was stopped, in whatever way, becomes the run that was not."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import jaxorder as jo
from jaxorder.checkpoint import BlockCheckpoints, restore_parameters
from jaxorder.errors import RequestError, WorkError
from jaxorder.files import lock
from jaxorder.record import BlockWriter, commits
from jaxorder.run.folder import Run

OPTIONS = [
    "--data=digits",
    "--models=small_st_vgg",
    "--members=3",
    "--epochs=9",
    "--batch-size=100",
    "--checkpoint-seconds=0",
]


def start(out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "jaxorder", "run", *OPTIONS, f"--out={out}"]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def resume(out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jaxorder", "resume", str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def wait_for_snapshots(run: Path, least: int, process: subprocess.Popen[str]) -> None:
    while not any(c.snapshots >= least for c in commits(run)):
        assert process.poll() is None, "ended before it could be stopped"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run that was never stopped."""
    out = tmp_path_factory.mktemp("whole") / "study"
    process = start(out)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return out / "small_st_vgg"


def assert_same_record(a: Path, b: Path) -> None:
    for split in ("train", "test"):
        one, other = (Run(path).record(split).load() for path in (a, b))
        assert one.identical(other)
    last = Run(a).document.steps[-1]
    states = [restore_parameters(path, last) for path in (a, b)]
    for leaf, twin in zip(*map(leaves, states), strict=True):
        np.testing.assert_array_equal(leaf, twin)


def leaves(tree: object) -> list[np.ndarray]:
    if isinstance(tree, dict):
        return [leaf for part in tree.values() for leaf in leaves(part)]
    return [np.asarray(tree)]


@pytest.mark.slow
@pytest.mark.parametrize("least", [1, 9])
def test_a_killed_run_resumes_to_the_same_bits(
    whole: Path, tmp_path: Path, least: int
) -> None:
    process = start(tmp_path / "study")
    run = tmp_path / "study" / "small_st_vgg"
    wait_for_snapshots(run, least, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not Run(run).progress.finished

    done = resume(tmp_path / "study")
    assert done.returncode == 0, done.stderr
    assert_same_record(whole, run)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)],
)
def test_an_interrupted_run_says_how_to_go_on_and_does(
    whole: Path, tmp_path: Path, number: int, code: int
) -> None:
    process = start(tmp_path / "study")
    run = tmp_path / "study" / "small_st_vgg"
    wait_for_snapshots(run, 5, process)
    process.send_signal(number)
    _, errors = process.communicate()
    assert process.returncode == code
    assert errors.splitlines()[-1].endswith(f"jaxorder resume {tmp_path / 'study'}")

    # an unfinished run can be looked at
    assert 0 < Run(run).progress.snapshots < Run(run).progress.total
    assert np.isfinite(jo.accessibility(Run(run).correct("test").values)).all()
    done = resume(tmp_path / "study")
    assert done.returncode == 0, done.stderr
    assert_same_record(whole, run)


def test_nothing_to_do_is_no_error(whole: Path) -> None:
    before = (whole / "config.json").read_bytes()
    assert [run.progress.finished for run in jo.resume(whole.parent)] == [True]
    assert (whole / "config.json").read_bytes() == before


@pytest.fixture
def unfinished(tmp_path: Path) -> Path:
    """Return a run whose counter was put back, as if it had crashed before."""
    out = tmp_path / "run"
    jo.train(
        data="digits",
        model="mlp:widths=8",
        members=2,
        epochs=2,
        keep_checkpoints="all",
        checkpoint_seconds=0.0,
        out=out,
    )
    (counter,) = (out / "commits").iterdir()
    document = json.loads(counter.read_text())
    counter.write_text(json.dumps(document | {"snapshots": document["snapshots"] - 1}))
    steps = Run(out).document.steps
    with BlockCheckpoints(out, 0, 2) as checkpoints:
        checkpoints.keep_only(set(steps[:4]))
    return out


def test_a_replay_is_compared_with_the_record(unfinished: Path) -> None:
    writer = BlockWriter(unfinished, 0, 2)
    wrong = (writer.read("test", 6) + 1) % 10
    writer.write("test", 6, np.ones(2, bool), {"prediction": wrong})
    writer.flush()
    with pytest.raises(WorkError, match="test examples at step 6"):
        jo.resume(unfinished)


def test_another_machine_is_noted_and_may_differ(unfinished: Path) -> None:
    path = unfinished / "config.json"
    document = json.loads(path.read_text())
    document["versions"]["jax"] = "0.0.1"
    path.write_text(json.dumps(document))
    writer = BlockWriter(unfinished, 0, 2)
    wrong = (writer.read("test", 6) + 1) % 10
    writer.write("test", 6, np.ones(2, bool), {"prediction": wrong})
    writer.flush()

    (run,) = jo.resume(unfinished)
    assert run.progress.finished
    (note,) = run.document.resumed_on
    assert note["versions"]["jax"] != "0.0.1"


def test_a_damaged_checkpoint_is_refused(unfinished: Path) -> None:
    with BlockCheckpoints(unfinished, 0, 2) as checkpoints:
        step = checkpoints.steps[-1]
    (meta,) = unfinished.glob(f"checkpoints/*/{step}/meta/metadata")
    meta.write_text(json.dumps({"fingerprint": 1}))
    with pytest.raises(WorkError, match=f"checkpoint of step {step} is damaged"):
        jo.resume(unfinished)


def test_other_data_are_refused(unfinished: Path) -> None:
    path = unfinished / "config.json"
    document = json.loads(path.read_text())
    document["data"]["digest"] = "0" * 64
    path.write_text(json.dumps(document))
    with pytest.raises(RequestError, match="not the data that"):
        jo.resume(unfinished)


def test_a_run_in_training_cannot_be_resumed_beside(unfinished: Path) -> None:
    with lock(unfinished), pytest.raises(RequestError, match="another process"):
        jo.resume(unfinished)


def test_a_missing_step_names_those_kept(unfinished: Path) -> None:
    with pytest.raises(RequestError, match="kept checkpoints of steps: 0, 1, 2, 3"):
        Run(unfinished).restore(17)
