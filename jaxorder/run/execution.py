"""A run from its request to the finished record, whatever its members are."""

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import jax

from jaxorder import record
from jaxorder.config import SCHEMA
from jaxorder.files import lock, new_folder
from jaxorder.progress.watch import Watch
from jaxorder.run.document import RunDocument
from jaxorder.run.folder import Run
from jaxorder.run.growth import make_room
from jaxorder.run.interruption import Interruption
from jaxorder.run.work import Work

TIME = ("time_axis", "time_unit", "time_note")  # where it is not counted in epochs


def begin(folder: Path, work: Work, watch: Watch) -> Run:
    """Make the folder of a run, and train it."""
    watch.phase(f"{work.config.key}: making the record")
    create(folder, work)
    return execute(folder, work, watch)


def create(path: Path, work: Work) -> None:
    """Make a run folder: its description and an empty record.

    Raises:
        RequestError: Where the folder exists.
    """
    created = datetime.now(UTC).isoformat(timespec="seconds")
    document = dataclasses.replace(work.document(), created=created)
    with new_folder(path) as folder:
        document.write(folder)
        record.create(folder / record.RECORD, work.layout(), _attributes(document))
        (folder / record.COMMITS).mkdir()


def _attributes(document: RunDocument) -> dict[str, object]:
    """Return what a record says of itself."""
    kept = document.to_json()
    return {
        "schema": SCHEMA,
        "model": document.config.model,
        "data": document.data.name,
        "digest": document.data.digest,
        "versions": dict(document.versions),
        **{key: kept[key] for key in TIME if key in kept},
    }


def execute(path: Path, work: Work, watch: Watch) -> Run:
    """Train what is left of a run.

    Args:
        path: Folder of the run.
        work: What it does.
        watch: Told the progress.

    Returns:
        The finished run.
    """
    with lock(path), Interruption() as interruption, jax.enable_x64(False):
        run = Run(path)  # as another process may have left it
        if run.progress.finished:
            return run
        repeatable = _same_machine(run, work)
        make_room(path, work.layout)
        work.train(path, repeatable, interruption, watch)
        record.finish(path)
    return Run(path)


def _same_machine(run: Run, work: Work) -> bool:
    """Whether bits must repeat; where not, the run's description says so."""
    document = run.document
    here = {"machine": dict(work.machine), "versions": work.versions}
    if here == {"machine": document.machine, "versions": document.versions}:
        return True
    if here not in document.resumed_on:
        others = (*document.resumed_on, here)
        dataclasses.replace(document, resumed_on=others).write(run.path)
    return False
