"""What the commands say, as JSON values."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxorder.config import to_json
from jaxorder.errors import WorkError
from jaxorder.learners import LEARNERS
from jaxorder.learners.registry import PREFIX
from jaxorder.plain import plain
from jaxorder.record import commits, not_recorded
from jaxorder.run.folder import Run

if TYPE_CHECKING:
    from jaxorder.data import Dataset


def run_document(run: Run) -> dict[str, Any]:
    """Return what a run is and how far it has come."""
    document, progress, further = run.document, run.progress, run.further
    return {
        "model": run.name,
        "path": str(run.path),
        "finished": progress.finished,
        "snapshots": f"{progress.snapshots} of {progress.total}",
        "members": f"{progress.members} of {progress.planned}",
        "finite_members": progress.finite,
        "parameters": document.parameters,
        "train_seconds": round(progress.train_seconds, 3),
        "evaluate_seconds": round(progress.evaluate_seconds, 3),
        "bytes": folder_bytes(run.path),
        "data": plain(document.data),
        "further": {each.name: plain(each) for each in further},
        "plan": {k: v for k, v in document.plan.items() if k != "trials"},
        "machine": dict(document.machine),
        "versions": dict(document.versions),
        # of imported predictions none is known
        "options": {} if run.kind == "imported" else to_json(document.config),
    }


def evaluation_document(run: Run, name: str) -> dict[str, Any]:
    """Return what was evaluated, and how accurate members were at the last snapshot."""
    (found,) = (each for each in run.further if each.name == name)
    document = {"path": str(run.path), **plain(found)}
    last = run.usable(name).isel(snapshot=-1)
    if found.labelled and last.sizes["member"]:
        accuracies = (last.prediction == last.label).mean("example").values
        document["accuracy"] = float(accuracies.mean())
    document["steps"] = run.record(name).step.values.tolist()
    return document


def folder_bytes(path: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def verify_run(run: Run) -> dict[str, Any]:
    """Read all that a run has recorded and kept.

    Returns:
        Numbers of snapshots and checkpoints that were found sound.

    Raises:
        WorkError: Where a committed prediction of a finite member is missing or no
            class, a checkpoint's values are not those that were saved, or either
            cannot be read.
    """
    for split in run.splits:
        with _reading(run, split):
            _verify_split(run, split)
    return {"verified_snapshots": run.progress.snapshots, **_verify_checkpoints(run)}


@contextmanager
def _reading(run: Run, split: str) -> Iterator[None]:
    try:
        yield
    except WorkError:
        raise
    except Exception as error:  # zarr's codecs raise types of their own
        raise WorkError(
            f"{run.path}: the {split} record cannot be read; it is damaged"
        ) from error


def _verify_split(run: Run, split: str) -> None:
    dataset = run.record(split)
    classes = run.document.data.classes
    missing = not_recorded(dataset.prediction.dtype)
    for snapshot in range(dataset.sizes["snapshot"]):
        prediction = dataset.prediction[snapshot].values
        finite = dataset.finite[snapshot].values
        expected = np.where(
            finite[:, None], prediction < classes, prediction == missing
        )
        if not expected.all():
            raise WorkError(
                f"{run.path}: {int((~expected).sum())} {split} predictions of snapshot "
                f"{snapshot} are not classes; the record is damaged"
            )


def _verify_checkpoints(run: Run) -> dict[str, Any]:
    # the only part of `info` that needs JAX
    from jaxorder.checkpoint import BlockCheckpoints

    sound = 0
    for commit in commits(run.path):
        with BlockCheckpoints(run.path, commit.first, commit.members) as block:
            for step in block.steps:
                block.verify(step)
                sound += 1
    return {"verified_checkpoints": sound}


def model_documents() -> list[dict[str, Any]]:
    """Return what each architecture and each learner is called and takes."""
    # architectures are made with JAX
    from jaxorder.models import ARCHITECTURES

    networks = [
        {
            "kind": "Networks",
            "name": name,
            "what": known.summary,
            "keys": _keys(known.keys),
            "training": ", ".join(_keys(known.training)),
        }
        for name, known in ARCHITECTURES.items()
    ]
    learners = [
        {
            "kind": "Learners that are not networks",
            "name": f"{PREFIX}:{name}",
            "what": known.summary,
            "keys": _keys(known.keys),
            "time": known.time.axis,
        }
        for name, known in LEARNERS.items()
    ]
    return networks + learners


def _keys(values: Mapping[str, Any]) -> list[str]:
    return [f"{key}={value}" for key, value in values.items()]


def data_document(dataset: "Dataset") -> dict[str, Any]:
    """Return what a data set holds."""
    return {
        "name": dataset.name,
        "train": len(dataset.train.labels),
        "test": len(dataset.test.labels),
        "input_shape": list(dataset.input_shape),
        "type": str(dataset.train.inputs.dtype),
        "classes": dataset.num_classes,
        "class_names": list(dataset.class_names),
        "columns": sorted(dataset.train.columns),
        "facts": plain(dict(dataset.facts)),
        "digest": dataset.digest,
    }
