"""Data larger than the device: the same run, from windows that are read ahead."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jaxorder as jo
from jaxorder.data import load
from jaxorder.data.laid_out import Joined
from jaxorder.ensemble.member import Examples
from jaxorder.ensemble.windows import Windows
from jaxorder.errors import RequestError
from jaxorder.progress.watch import Tick
from jaxorder.run.folder import Run
from tests.test_resume import assert_same_record

# 1,797 digits are 460 kB; a window of a quarter of 300 kB holds two batches of 100, so
# that an epoch of 13 steps ends within a window
STREAMED = "300KB"
OPTIONS: dict[str, Any] = {
    "data": "digits",
    "members": 3,
    "epochs": 2,
    "batch_size": 100,
    "order": "shared",
    "plan": "sequential:evaluate_batch=100",
}


def trained(out: Path, **options: Any) -> Run:
    return jo.train(
        out=out, **{"model": "mlp:widths=16,dropout=0.25", **OPTIONS, **options}
    )


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run whose data lie on the device."""
    run = trained(tmp_path_factory.mktemp("held") / "run")
    assert not run.document.data.streamed
    return run


def test_a_streamed_run_is_the_run_of_data_on_the_device(
    held: Run, tmp_path: Path
) -> None:
    run = trained(tmp_path / "run", device_memory=STREAMED)
    assert run.document.data.streamed
    assert_same_record(held.path, run.path)


@pytest.mark.slow
def test_so_is_one_of_images_with_augmentation_that_are_convolved(
    tmp_path: Path,
) -> None:
    options = {
        "model": "small_st_vgg:dropout=0",
        "train_examples": 330,
        "test_examples": 57,
        "augment": ("flip", "crop"),
        "record": ("loss",),
    }
    runs = [
        trained(tmp_path / memory, device_memory=memory, **options)
        for memory in ("1GB", "60KB")
    ]
    assert [run.document.data.streamed for run in runs] == [False, True]
    assert_same_record(*(run.path for run in runs))


def test_a_stream_goes_on_where_it_stopped(held: Run, tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(tick: Tick) -> None:
        if tick.done > 1.3 * OPTIONS["members"]:
            raise Stopped

    options = {
        "device_memory": STREAMED,
        "checkpoint_seconds": 0,
        "snapshots": "every:3",
    }
    whole = trained(tmp_path / "whole", **options)
    with pytest.raises(Stopped):
        trained(tmp_path / "run", watch=stop, **options)
    assert not Run(tmp_path / "run").progress.finished
    (run,) = jo.resume(tmp_path / "run")
    assert run.progress.finished
    assert_same_record(whole.path, run.path)


def test_every_member_sees_the_same_batches(held: Run, tmp_path: Path) -> None:
    own = trained(tmp_path / "run", order="member")
    predictions = held.record("train").prediction[-1].values
    assert not np.array_equal(own.record("train").prediction[-1].values, predictions)


def test_data_that_do_not_fit_need_a_shared_order(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match='order="shared" to stream them') as caught:
        trained(tmp_path / "run", order="member", device_memory="300KB")
    assert "0.5 MB of inputs, but a device may hold 0.3 MB" in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("text", ["500", "3 potatoes", "-1MB", "MB"])
def test_memory_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=f'device_memory="{text}": must be bytes'):
        trained(tmp_path / "run", device_memory=text)


def test_windows_come_in_any_order() -> None:
    digits = load("digits").train
    inputs = Joined([digits.inputs[:700], digits.inputs[700:]])
    labels, none = digits.labels, np.zeros(1, np.float32)
    evaluated = np.zeros((1, 1, 1), np.int32)
    examples = Examples(inputs, labels, none, none, evaluated)  # pyright: ignore[reportArgumentType]  # indexed alike
    positions = np.random.default_rng(0).permutation(1296).reshape(8, 162)
    windows = Windows(examples, positions, lambda window: window)
    assert len(windows) == 8
    for index in (0, 1, 2, 5, 5, 6, 0, 7):
        window = windows[index]
        np.testing.assert_array_equal(window.inputs, digits.inputs[positions[index]])
        np.testing.assert_array_equal(window.labels, labels[positions[index]])
        assert window.first == 162 * index
