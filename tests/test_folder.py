"""A run's folder tells what was asked and how far it is, also while it is not done."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxorder import record
from jaxorder.checkpoint import BlockCheckpoints
from jaxorder.config import RunConfig, StudyOptions, folder_name, to_json
from jaxorder.errors import RequestError
from jaxorder.files import write_json
from jaxorder.record import COMMITS, RECORD, BlockWriter, Commit, Layout, RecordedSplit
from jaxorder.run.document import DataDescription, RunDocument
from jaxorder.run.folder import Progress, Run, is_run
from jaxorder.run.study import is_study, open_run, open_runs

STEPS = [0, 2, 4]
LABELS = np.array([0, 1, 2, 1])
BLOCKS = [(0, 2), (2, 1)]
DONE = (3, 3)

# [snapshot, member, example], 3 members in blocks of 2 and 1; 255: it was not finite
PREDICTION = np.array(
    [
        [[0, 0, 0, 0], [2, 2, 2, 2], [1, 1, 1, 1]],
        [[0, 1, 0, 0], [2, 1, 2, 1], [0, 1, 2, 1]],
        [[0, 1, 2, 1], [255, 255, 255, 255], [0, 1, 2, 0]],
    ],
    np.uint8,
)
CORRECT_0 = [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]]
CORRECT_2 = [[0, 1, 0, 1], [1, 1, 1, 1], [1, 1, 1, 0]]


def make_run(
    path: Path, committed: Sequence[int] = DONE, model: str = "mlp:widths=8"
) -> Path:
    """Make a run of which each block has committed so many snapshots."""
    config = RunConfig(data="digits", model=model, members=3, block_members=2)
    path.mkdir(parents=True)
    data = DataDescription(
        name="digits",
        digest="0" * 64,
        train=4,
        test=4,
        classes=3,
        class_names=["a", "b", "c"],
        input_shape=[8, 8, 1],
    )
    RunDocument(
        config=config, steps=STEPS, steps_per_epoch=2, data=data, plan={}
    ).write(path)
    split = RecordedSplit(LABELS, np.arange(4))
    layout = Layout(
        steps=np.array(STEPS),
        epochs=np.array(STEPS) / 2,
        seeds=np.arange(3),
        splits={"train": split, "test": split},
        classes=["a", "b", "c"],
        block=2,
        quantities=(),
        inputs={},
    )
    record.create(path / RECORD, layout, {})
    (path / COMMITS).mkdir()
    for (first, members), snapshots in zip(BLOCKS, committed, strict=True):
        write_block(path, first, members, snapshots)
    return path


def write_block(path: Path, first: int, members: int, snapshots: int) -> None:
    writer = BlockWriter(path, first, members)
    for snapshot in range(snapshots):
        own = PREDICTION[snapshot, first : first + members]
        for split in ("train", "test"):
            writer.write(split, snapshot, own[:, 0] < 255, {"prediction": own})
    if snapshots:
        writer.commit(Commit(first, members, snapshots, 2 * snapshots, 1.5, 0.25))


def make_study(path: Path, models: Sequence[str], begun: Sequence[str]) -> Path:
    path.mkdir()
    config = StudyOptions(data="digits")
    document = {"schema": 1, "models": list(models), "options": to_json(config)}
    write_json(path / "study.json", document)
    for model in begun:
        make_run(path / folder_name(model), model=model)
    return path


# ---- opening


def test_a_run_opens_as_itself(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run")
    assert is_run(path)
    assert not is_study(path)
    for run in (open_run(path), open_run(str(path)), *open_runs(path)):
        assert run.path == path
        assert run.name == "mlp:widths=8"
        assert run.config.members == 3
        assert run.document.steps == STEPS


def test_a_study_opens_as_the_runs_begun_in_its_order(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study", ["z", "mlp:a=1", "later"], ["mlp:a=1", "z"])
    assert is_study(study)
    assert not is_run(study)
    assert [run.name for run in open_runs(study)] == ["z", "mlp:a=1"]
    with pytest.raises(RequestError) as refused:
        open_run(study)
    assert str(refused.value) == (
        f"{study}: a study of 2 runs; open one of them: z, mlp_a=1"
    )


def test_a_study_of_one_run_opens_as_it(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study", ["mlp"], ["mlp"])
    assert open_run(study).path == study / "mlp"


def test_a_study_without_a_run_says_how_to_go_on(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study", ["mlp"], [])
    with pytest.raises(RequestError) as refused:
        open_runs(study)
    assert str(refused.value) == (
        f'{study}: no run was begun yet; go on with: jaxorder.resume("{study}")'
    )


@pytest.mark.parametrize("name", [".", "missing", "file"])
def test_other_folders_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("1")
    path = tmp_path / name
    with pytest.raises(RequestError) as refused:
        open_runs(path)
    assert str(refused.value) == (
        f"{path}: not a study or a run (no study.json or config.json in it)"
    )
    with pytest.raises(RequestError) as refused:
        Run(path)
    assert str(refused.value) == f"{path}: not a run; a run holds config.json"


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"model_type": "bert"}', b"\xff"])
def test_descriptions_of_other_programs_are_refused(
    tmp_path: Path, content: bytes
) -> None:
    keys = {"config.json": "options, steps, data", "study.json": "models, options"}
    for name, wanted in keys.items():
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        (folder / name).write_bytes(content)
        with pytest.raises(RequestError) as refused:
            open_runs(folder)
        assert str(refused.value) == (
            f"{folder / name}: damaged, or not written by jaxorder; must be JSON with "
            f"{wanted}"
        )


# ---- reading


def test_correctness_is_told_of_members_that_stayed_finite(tmp_path: Path) -> None:
    run = open_run(make_run(tmp_path / "run"))
    for split in ("train", "test"):
        found = run.correct(split)
        assert found.dims == ("snapshot", "member", "example")
        assert found.dtype == bool
        np.testing.assert_array_equal(found[:, 0], CORRECT_0)
        np.testing.assert_array_equal(found[:, 1], CORRECT_2)
        assert found.sizes["member"] == 2
        np.testing.assert_array_equal(found.seed, [0, 2])
        np.testing.assert_array_equal(found.step, STEPS)
        # the record itself hides nothing
        np.testing.assert_array_equal(run.record(split).prediction, PREDICTION)


def test_an_unfinished_run_tells_of_those_that_are_foremost(tmp_path: Path) -> None:
    run = open_run(make_run(tmp_path / "run", (2, 1)))
    found = run.correct("test")
    np.testing.assert_array_equal(found[:, 0], CORRECT_0[:2])
    np.testing.assert_array_equal(found[:, 1], [[0, 0, 1, 0], [0, 1, 1, 1]])
    assert found.sizes == {"snapshot": 2, "member": 2, "example": 4}
    assert run.usable("test").sizes["member"] == 2


def test_a_run_just_begun_tells_of_nothing(tmp_path: Path) -> None:
    run = open_run(make_run(tmp_path / "run", (0, 0)))
    assert run.correct("train").sizes == {"snapshot": 0, "member": 0, "example": 4}
    assert run.record("train").sizes == {"snapshot": 0, "member": 3, "example": 4}


def test_a_split_that_is_not_there_is_refused(tmp_path: Path) -> None:
    run = open_run(make_run(tmp_path / "run"))
    with pytest.raises(RequestError) as refused:
        run.record("valid")
    assert str(refused.value) == f'split="valid": {run.path} holds test, train'


@pytest.mark.parametrize(
    ("committed", "expected"),
    [
        ((0, 0), (0, 0, 0)),
        ((1, 0), (1, 2, 2)),
        ((2, 1), (2, 2, 2)),
        ((2, 2), (2, 3, 3)),
        # the foremost block holds the member that was lost
        ((3, 2), (3, 2, 1)),
        ((1, 3), (3, 1, 1)),
        ((3, 3), (3, 3, 2)),
    ],
)
def test_progress_is_that_of_the_foremost(
    tmp_path: Path, committed: tuple[int, int], expected: tuple[int, int, int]
) -> None:
    progress = open_run(make_run(tmp_path / "run", committed)).progress
    begun = sum(snapshots > 0 for snapshots in committed)
    snapshots, members, finite = expected
    assert progress == Progress(
        snapshots=snapshots,
        total=3,
        members=members,
        planned=3,
        finite=finite,
        train_seconds=1.5 * begun,
        evaluate_seconds=0.25 * begun,
    )
    assert progress.finished == (committed == DONE)


def test_a_run_shows_how_far_it_is(tmp_path: Path) -> None:
    run = open_run(make_run(tmp_path / "<run>"))
    right = run.correct("test")[-1].mean().item()
    assert repr(run) == (
        f"<Run mlp:widths=8 in {tmp_path}/<run>: data digits, members 3 of 3, "
        f"snapshots 3 of 3, train accuracy {right:.3f}, test accuracy {right:.3f}>"
    )
    shown = run._repr_html_()
    assert "<th>members</th><td>3 of 3</td>" in shown
    assert "&lt;run&gt;" in shown


def test_a_run_just_begun_shows_no_accuracy(tmp_path: Path) -> None:
    run = open_run(make_run(tmp_path / "run", (0, 0)))
    assert repr(run).endswith("data digits, members 0 of 3, snapshots 0 of 3>")


def test_parameters_come_back_for_every_member(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run")
    for first, members in BLOCKS:
        own: dict[str, Any] = {"w": np.zeros((members, 2, 5)) + first}
        with BlockCheckpoints(path, first, members) as checkpoints:
            checkpoints.save(4, own, {"finite": np.ones(members, bool)})
    found = open_run(path).restore(4)
    assert found["w"].shape == (3, 2, 5)
    np.testing.assert_array_equal(found["w"][:, 0, 0], [0, 0, 2])
    with pytest.raises(RequestError, match=f"step 2: {path} kept checkpoints of steps"):
        open_run(path).restore(2)


def test_a_folder_of_another_schema_is_refused(tmp_path: Path) -> None:
    document = {"schema": 2, "options": {}, "steps": [], "data": {}}
    (tmp_path / "config.json").write_text(json.dumps(document))
    with pytest.raises(RequestError, match="reads schema 1"):
        Run(tmp_path)
