"""A record is zarr that plain xarray reads, and shows what was committed, no more."""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.storage import LocalStore

from jaxorder import record
from jaxorder.record import (
    COMMITS,
    RECORD,
    BlockWriter,
    Commit,
    Layout,
    Named,
    RecordedSplit,
    commits,
    committed,
    not_recorded,
    prediction_type,
    read_commit,
)
from tests.conftest import ROOT

STEPS = np.array([0, 1, 5, 10])
EXAMPLES, CLASSES, BLOCK = 5, 4, 2
BLOCKS = [(0, 2), (2, 1)]


def names(classes: int) -> list[str]:
    return [f"class {k}" for k in range(classes)]


LAYOUT = Layout(
    steps=STEPS,
    epochs=STEPS / 5,
    seeds=np.array([11, 12, 13], np.uint32),
    splits={
        "train": RecordedSplit(np.arange(EXAMPLES) % CLASSES, np.arange(EXAMPLES)),
        "test": RecordedSplit(np.array([3, 0], np.int32), np.array([70, 20])),
    },
    classes=names(CLASSES),
    block=BLOCK,
    quantities=(),
    inputs={
        "input_mean": Named(np.array([0.5]), ("input_axis",)),
        "input_deviation": Named(np.array([2.0]), ("input_axis",)),
    },
)
SIZES = {name: len(split.label) for name, split in LAYOUT.splits.items()}


def make(run: Path, layout: Layout = LAYOUT) -> Path:
    (run / COMMITS).mkdir(parents=True)
    record.create(run / RECORD, layout, {"schema": 1, "digest": "abc"})
    return run


def predictions(first: int, members: int, snapshot: int, examples: int) -> np.ndarray:
    """Return classes that tell where they belong."""
    member = np.arange(first, first + members)[:, None]
    return (7 * snapshot + 3 * member + np.arange(examples)) % CLASSES


def write_block(run: Path, first: int, members: int, snapshots: Sequence[int]) -> None:
    """Write snapshots of both splits; commit nothing."""
    writer = BlockWriter(run, first, members)
    for snapshot in snapshots:
        for split, size in SIZES.items():
            values = predictions(first, members, snapshot, size).astype(np.uint8)
            writer.write(
                split, snapshot, np.ones(members, bool), {"prediction": values}
            )
    writer.flush()


def commit(run: Path, first: int, members: int, snapshots: int) -> None:
    counter = Commit(first, members, snapshots, 10 * snapshots, 1.5, 0.5)
    BlockWriter(run, first, members).commit(counter)


def plain(run: Path, split: str) -> xr.Dataset:
    """Open a record as a reader without our code does."""
    return xr.open_zarr(run / RECORD, group=split, consolidated=False)


# ---- the contract


def test_the_record_is_as_the_contract_says(tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    for split in ("train", "test"):
        found, examples = plain(run, split), SIZES[split]
        assert found.prediction.dims == ("snapshot", "member", "example")
        assert found.prediction.shape == (4, 3, examples)
        assert found.prediction.dtype == np.uint8
        assert (found.finite.dims, found.finite.dtype) == (("snapshot", "member"), bool)
        assert found.label.dims == ("example",)
        assert set(found.coords) == {"step", "epoch", "seed", "example_id"}
        assert found.step.dims == found.epoch.dims == ("snapshot",)
        assert (found.seed.dims, found.example_id.dims) == (("member",), ("example",))
        np.testing.assert_array_equal(found.step, STEPS)
        np.testing.assert_array_equal(found.epoch, STEPS / 5)
        np.testing.assert_array_equal(found.seed, [11, 12, 13])
        np.testing.assert_array_equal(found.label, LAYOUT.splits[split].label)
        np.testing.assert_array_equal(found.example_id, LAYOUT.splits[split].example_id)
        assert found.attrs["class_names"] == names(CLASSES)
        assert (found.attrs["schema"], found.attrs["digest"]) == (1, "abc")


def test_what_is_not_yet_recorded_reads_so(tmp_path: Path) -> None:
    found = plain(make(tmp_path / "run"), "train")
    assert (found.prediction.values == 255).all()
    assert not found.finite.values.any()


def test_a_snapshot_of_a_block_is_a_chunk(tmp_path: Path) -> None:
    layout = replace(LAYOUT, quantities=("loss", "probability"))
    run = make(tmp_path / "run", layout)
    arrays = dict(zarr.open_group(run / RECORD / "train", mode="r").arrays())
    assert {name: array.chunks for name, array in arrays.items() if array.ndim > 1} == {
        "prediction": (1, BLOCK, EXAMPLES),
        "finite": (1, BLOCK),
        "loss": (1, BLOCK, EXAMPLES),
        "probability": (1, BLOCK, EXAMPLES, CLASSES),
    }


@pytest.mark.parametrize(
    ("classes", "kind", "missing"),
    [(2, np.uint8, 255), (255, np.uint8, 255), (256, np.uint16, 65535)],
)
def test_the_type_of_predictions_leaves_room_for_missing_ones(
    tmp_path: Path, classes: int, kind: type, missing: int
) -> None:
    assert prediction_type(classes) == kind
    assert not_recorded(np.dtype(kind)) == missing
    run = make(tmp_path / "run", replace(LAYOUT, classes=names(classes)))
    writer = BlockWriter(run, 0, 2)
    values = np.full((2, EXAMPLES), classes - 1, kind)
    writer.write("train", 0, np.array([True, False]), {"prediction": values})
    writer.flush()

    found = plain(run, "train").prediction
    assert found.dtype == kind
    assert (found[0, 0].values == classes - 1).all()
    assert (found[0, 1:].values == missing).all()
    assert (found[1:].values == missing).all()


def test_quantities_lie_beside_the_predictions(tmp_path: Path) -> None:
    layout = replace(LAYOUT, quantities=("loss", "probability"))
    run = make(tmp_path / "run", layout)
    shares = np.full((2, EXAMPLES, CLASSES), 1 / CLASSES)
    losses = np.arange(10.0).reshape(2, EXAMPLES)
    values = {
        "prediction": predictions(0, 2, 0, EXAMPLES).astype(np.uint8),
        "loss": losses,
    }
    writer = BlockWriter(run, 0, 2)
    both = np.ones(2, bool)
    writer.write("train", 0, both, values)
    writer.write("train", 3, both, values | {"probability": shares})
    writer.flush()

    found = plain(run, "train")
    assert found.loss.dims == ("snapshot", "member", "example")
    assert found.probability.dims == ("snapshot", "member", "example", "class")
    assert (found.loss.dtype, found.probability.dtype) == (np.float32, np.float16)
    np.testing.assert_array_equal(found.loss[0, :2], losses)
    np.testing.assert_array_equal(found.probability[3, :2], shares)
    # another block, another snapshot, a snapshot without probabilities
    assert np.isnan(found.loss[0, 2]).all()
    assert np.isnan(found.loss[1]).all()
    assert np.isnan(found.probability[:3]).all()


def test_a_member_that_is_not_finite_is_not_recorded(tmp_path: Path) -> None:
    run = make(tmp_path / "run", replace(LAYOUT, quantities=("loss",)))
    values = {
        "prediction": np.ones((2, EXAMPLES), np.uint8),
        "loss": np.array([[np.nan] * EXAMPLES, [1.0] * EXAMPLES]),
    }
    writer = BlockWriter(run, 0, 2)
    writer.write("train", 2, np.array([False, True]), values)
    writer.flush()
    np.testing.assert_array_equal(writer.read_finite("train", 2), [False, True])
    np.testing.assert_array_equal(writer.read("train", 2)[0], [255] * EXAMPLES)
    np.testing.assert_array_equal(writer.read("train", 2)[1], [1] * EXAMPLES)
    assert np.isnan(plain(run, "train").loss[2, 0]).all()


def test_a_block_reads_what_it_wrote(tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    for block in BLOCKS:
        write_block(run, *block, range(4))
    for first, members in BLOCKS:
        writer = BlockWriter(run, first, members)
        for split, size in SIZES.items():
            np.testing.assert_array_equal(
                writer.read(split, 3), predictions(first, members, 3, size)
            )


@pytest.mark.parametrize("most", [0, 20, 1 << 20])
def test_held_snapshots_are_read_and_written_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Whatever is held: nothing, a snapshot and a half, or all."""
    monkeypatch.setattr(record, "HELD_BYTES", most)
    run = make(tmp_path / "run")
    writer = BlockWriter(run, 0, 2)
    finite = np.array([True, False])
    made = [predictions(0, 2, s, EXAMPLES).astype(np.uint8) for s in range(4)]
    for snapshot in (2, 3, 0, 1, 1):  # as after a resume, and one twice
        writer.write("train", snapshot, finite, {"prediction": made[snapshot]})
        np.testing.assert_array_equal(
            writer.read("train", snapshot)[0], made[snapshot][0]
        )
        np.testing.assert_array_equal(writer.read_finite("train", snapshot), finite)
    writer.commit(Commit(0, 2, 4, 40, 1.5, 0.5))
    found = plain(run, "train")
    np.testing.assert_array_equal(found.prediction[:, 0], [m[0] for m in made])
    assert (found.prediction[:, 1].values == 255).all()
    np.testing.assert_array_equal(found.finite[:, :2], [finite] * 4)


# ---- commits


def test_only_committed_snapshots_are_seen(tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    assert record.read(run, "train").sizes["snapshot"] == 0
    for block in BLOCKS:
        write_block(run, *block, range(3))
    assert record.read(run, "train").sizes["snapshot"] == 0
    for block in BLOCKS:
        commit(run, *block, 2)

    found = record.read(run, "train")
    assert found.sizes == {"snapshot": 2, "member": 3, "example": 5}
    np.testing.assert_array_equal(found.step, STEPS[:2])
    for snapshot in range(2):
        np.testing.assert_array_equal(
            found.prediction[snapshot], predictions(0, 3, snapshot, EXAMPLES)
        )
    assert found.finite.values.all()


def test_blocks_that_differ_in_progress_are_masked(tmp_path: Path) -> None:
    run = make(tmp_path / "run", replace(LAYOUT, quantities=("loss",)))
    losses = np.ones((2, EXAMPLES), np.float32)
    for first, members in BLOCKS:
        write_block(run, first, members, range(4))
        writer = BlockWriter(run, first, members)
        for snapshot in range(4):
            own = {"loss": losses[:members]}
            writer.write("train", snapshot, np.ones(members, bool), own)
        writer.flush()
    commit(run, 0, 2, 3)
    commit(run, 2, 1, 1)

    found = record.read(run, "train")
    assert found.sizes["snapshot"] == 3
    whole = np.stack([predictions(0, 3, s, EXAMPLES) for s in range(3)])
    np.testing.assert_array_equal(found.prediction[:, :2], whole[:, :2])
    np.testing.assert_array_equal(found.prediction[0], whole[0])
    assert (found.prediction[1:, 2].values == 255).all()
    assert found.prediction.dtype == np.uint8
    assert found.finite.dtype == bool
    np.testing.assert_array_equal(found.finite[:, 2], [True, False, False])
    assert np.isfinite(found.loss[:, :2]).all()
    assert np.isnan(found.loss[1:, 2]).all()
    assert found.loss.dtype == np.float32
    np.testing.assert_array_equal(found.label, LAYOUT.splits["train"].label)


def test_of_an_unfinished_record_only_what_is_asked_for_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(tmp_path / "run")
    for block, snapshots in zip(BLOCKS, (4, 2), strict=True):
        write_block(run, *block, range(4))
        commit(run, *block, snapshots)
    whole = np.stack([predictions(0, 3, s, EXAMPLES) for s in range(4)])
    whole[2:, 2] = 255
    chunks, get = [], LocalStore.get

    async def counted(self, key: str, *args, **kwargs):
        if "prediction/c/" in key:
            chunks.append(key)
        return await get(self, key, *args, **kwargs)

    monkeypatch.setattr(LocalStore, "get", counted)
    found = record.read(run, "train")["prediction"]
    late = found.isel(snapshot=[0, 3])[:, :, 1:].isel(member=[2, 0])
    assert not chunks
    np.testing.assert_array_equal(late, whole[[0, 3]][:, [2, 0], 1:])
    assert len(chunks) == 2 * len(BLOCKS)
    for key in (
        (2,),
        (slice(None), 2, 1),
        (slice(None), slice(1), [1, 0]),
        (-1, -1, -1),
    ):
        np.testing.assert_array_equal(found[key], whole[key])


def test_a_block_never_committed_is_masked(tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    for block in BLOCKS:
        write_block(run, *block, range(4))
    commit(run, 2, 1, 4)
    found = record.read(run, "test")
    assert found.sizes["snapshot"] == 4
    assert (found.prediction[:, :2].values == 255).all()
    np.testing.assert_array_equal(found.finite[0], [False, False, True])
    np.testing.assert_array_equal(found.prediction[3, 2], predictions(2, 1, 3, 2)[0])


def test_counters_say_how_far_each_block_is(tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    assert commits(run) == []
    assert read_commit(run, 2, 1) == Commit(2, 1, 0, 0, 0.0, 0.0)
    commit(run, 2, 1, 2)
    commit(run, 0, 2, 3)
    assert read_commit(run, 2, 1) == Commit(2, 1, 2, 20, 1.5, 0.5)
    assert [(c.first, c.snapshots) for c in commits(run)] == [(0, 3), (2, 2)]
    np.testing.assert_array_equal(
        committed(commits(run), 4, 4),
        [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]],
    )


def files_in(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_chunks_are_on_disk_before_the_counter_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(tmp_path / "run")
    events: list[Path] = []
    monkeypatch.setattr(record, "sync", events.append)
    monkeypatch.setattr(record, "write_json", lambda path, _: events.append(path))
    before = files_in(run / RECORD)
    writer = BlockWriter(run, 2, 1)
    empty = np.full((1, EXAMPLES), 255, np.uint8)
    good = predictions(2, 1, 0, EXAMPLES).astype(np.uint8)
    writer.write("train", 0, np.ones(1, bool), {"prediction": good})
    writer.write("train", 1, np.zeros(1, bool), {"prediction": empty})
    writer.flush()
    writer.commit(Commit(2, 1, 2, 1, 0.0, 0.0))

    # a chunk that holds nothing but "not recorded" is not stored
    written = files_in(run / RECORD) - before
    train = run / RECORD / "train"
    assert written == {train / "finite/c/0/1", train / "prediction/c/0/1/0"}
    assert written <= set(events)
    # a new chunk is a name in a new folder, which is a name in another
    for chunk in written:
        new = [folder for folder in chunk.parents if train in folder.parents]
        assert len(new) >= 3
        assert all(events.index(chunk) < events.index(folder) for folder in new)
    assert events[-1] == run / COMMITS / "members-00002-00002.json"
    # what was put on the disk once need not be again
    events.clear()
    writer.commit(Commit(2, 1, 2, 1, 0.0, 0.0))
    assert len(events) == 1


# ---- finished


def test_a_finished_record_opens_without_a_warning(tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    for block in BLOCKS:
        write_block(run, *block, range(4))
        commit(run, *block, 4)
    record.finish(run)

    # the tests make every warning an error
    for split in ("train", "test"):
        found = xr.open_zarr(run / RECORD, group=split, chunks=None)
        assert found.identical(record.read(run, split))
        assert found.identical(
            xr.open_zarr(run / RECORD, group=split, chunks=None, consolidated=True)
        )
    root = zarr.open_consolidated(run / RECORD)
    assert sorted(root.group_keys()) == ["test", "train"]
    np.testing.assert_array_equal(np.asarray(root["input_mean"]), [0.5])
    np.testing.assert_array_equal(np.asarray(root["input_deviation"]), [2.0])


# ---- crashes

LONG = np.arange(4000)


def keep_writing(run: Path) -> None:
    """Write and commit as a training does, from where the counter stands on."""
    for snapshot in range(read_commit(run, 0, 2).snapshots, len(LONG)):
        write_block(run, 0, 2, [snapshot])
        if snapshot % 3 == 2:
            commit(run, 0, 2, snapshot + 1)


def write_until_killed(run: Path, least: int) -> None:
    """Kill a process that writes as soon as so many snapshots are committed."""
    call = f"from tests.test_record import *; keep_writing(Path({str(run)!r}))"
    with subprocess.Popen([sys.executable, "-c", call], cwd=ROOT) as process:
        while read_commit(run, 0, 2).snapshots < least:
            assert process.poll() is None, "ended before it could be killed"
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)


def test_a_killed_writer_leaves_what_it_committed(tmp_path: Path) -> None:
    layout = replace(LAYOUT, steps=LONG, epochs=LONG / 5, seeds=np.arange(2))
    run = make(tmp_path / "run", layout)
    seen = 0
    for _ in range(2):
        write_until_killed(run, seen + 7)
        done = read_commit(run, 0, 2).snapshots
        assert seen + 7 <= done < len(LONG)
        seen = done
        for split, size in SIZES.items():
            found = record.read(run, split).load()
            assert found.sizes["snapshot"] == done
            assert found.finite.values.all()
            whole = [predictions(0, 2, s, size) for s in range(done)]
            np.testing.assert_array_equal(found.prediction, np.stack(whole))
