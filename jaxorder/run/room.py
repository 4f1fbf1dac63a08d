"""Whether disk and memory can hold what is asked for, before anything is begun."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from jaxorder.errors import RequestError, given
from jaxorder.progress.wording import size
from jaxorder.run.work import Work

DAY = 86400.0


def check_room(works: Sequence[Work], out: Path | None = None) -> None:
    """Refuse runs that neither disk nor memory could hold.

    Args:
        works: What is to be done.
        out: Folder to write to, which need not exist; None: nothing will be written.

    Raises:
        RequestError: Where either is too small; the line says which.
    """
    for work in works:
        _check_memory(work)
    if out is not None:
        _check_disk(works, out)


def _check_memory(work: Work) -> None:
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if work.host_bytes > whole:
        raise RequestError(
            f"{_members(work)}: what members have of their own takes "
            f"{size(work.host_bytes)} of memory; this machine has {size(whole)}; give "
            "fewer"
        )


def _check_disk(works: Sequence[Work], out: Path) -> None:
    above = next(p for p in (out, *out.absolute().parents) if p.exists())
    free = shutil.disk_usage(above).free
    needed = sum(work.bytes_left for work in works)
    if needed <= free:
        return
    most = max(works, key=lambda work: work.bytes_left)
    raise RequestError(
        f"{_members(most)}: records (before compression) and checkpoints take "
        f"{size(needed)} of disk, {above} has {size(free)} left; give fewer members or "
        f"{given('snapshots')}, {given('record_examples')} or "
        f"{given('keep_checkpoints', 'none')}"
    )


def _members(work: Work) -> str:
    return given("members", work.config.members)


def long_warning(work: Work) -> str:
    """Return what to warn of where a run takes more than a day; else nothing."""
    seconds = work.seconds_at_most
    if seconds is None or seconds <= DAY:
        return ""
    about = "about" if work.plan.seconds else "up to about"
    return (
        f"{work.config.key} will take {about} {seconds / DAY:.1f} days; it may be "
        "stopped at any time, and goes on with resume"
    )
