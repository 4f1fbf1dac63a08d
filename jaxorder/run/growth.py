"""A run that gets more members: its description, and room in its record.

The description has the new number of members first, then the record's arrays are made
longer, then the members are trained. Where that was cut short, the description still
says so, and a resume takes it up.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from jaxorder import record
from jaxorder.config import RunConfig
from jaxorder.errors import RequestError, call, given
from jaxorder.run.folder import Run


def check_growth(run: Run, members: int) -> None:
    """Refuse a number of members that a run has already.

    Raises:
        RequestError: Where it has as many or more, or nothing can train them.
    """
    if run.kind == "imported":
        raise RequestError(
            f"{run.path}: its predictions were imported; nothing trains more members; "
            f"import those of all: {call('import')}"
        )
    if members <= run.config.members:
        raise RequestError(
            f"{given('members', members)}: {run.path} has {run.config.members} "
            "already; give more"
        )


def with_members(run: Run, members: int | None) -> RunConfig:
    """Return a run's options, with more members where some are to be added."""
    return dataclasses.replace(run.config, members=members or run.config.members)


def grown_before(run: Run, members: int | None) -> tuple[int, ...]:
    """Return the numbers of members that a run had before it has so many."""
    before = run.document.grown
    return before if members is None else (*before, run.config.members)


def describe_growth(path: Path, members: int) -> None:
    """Write into a run's description that it has more members, to be trained."""
    run = Run(path)
    dataclasses.replace(
        run.document,
        config=with_members(run, members),
        grown=grown_before(run, members),
        room=run.config.members if run.document.room is None else run.document.room,
    ).write(path)


def make_room(path: Path, layout: Callable[[], record.Layout]) -> None:
    """Make room in a run's record for all of its members, where there is none yet.

    Args:
        path: Folder of the run.
        layout: Makes the record's layout for so many.
    """
    document = Run(path).document
    if not document.has_room:
        record.extend(path / record.RECORD, layout())
        dataclasses.replace(document, room=document.config.members).write(path)
