"""Files that are either there in whole or not at all, also after a crash."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from jaxorder.errors import RequestError, given


def safe_name(text: str) -> str:
    """Return a text made safe for a file name, as long as it was.

    Example:
        >>> safe_name("mlp:widths=64-64,linear=true")
        'mlp_widths=64-64_linear=true'
    """
    return re.sub(r"[^A-Za-z0-9.=_-]", "_", text)


def sync(path: Path) -> None:
    """Put a file's content, or a folder's list of names, on the disk."""
    folder = path.is_dir()
    if folder and os.name == "nt":  # where folders cannot be opened
        return
    # only what could be written can be synced there
    descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write a file in one move, so that a reader finds the old or the new one."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file in one move, so that a reader finds the old or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        sync(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync(path.parent)


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document in one move."""
    write_text(path, json.dumps(document, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Return the JSON document of a file."""
    return json.loads(path.read_text(encoding="utf-8"))


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a folder to fill that takes its name only when the block ends well.

    Args:
        path: Folder to make; its parents are made too.

    Yields:
        The folder under a temporary name beside it; removed where the block fails.

    Raises:
        RequestError: Where something of that name exists.
    """
    refuse_occupied(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    made = [parent for parent in path.parents if not parent.exists()]
    try:
        temporary.mkdir(parents=True)
        yield temporary
        temporary.rename(path)
        sync(path.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        for parent in made:
            _remove_empty(parent)
        raise


def _remove_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def refuse_occupied(path: Path, further: str = "") -> None:
    """Refuse to write over something.

    Args:
        path: Where to write.
        further: What else can be done about it, to end the message.

    Raises:
        RequestError: Where the path exists, or cannot be made.
    """
    if path.exists():
        raise RequestError(
            f"{given('out', path)}: exists already; name a new folder{further}"
        )
    above = next(parent for parent in path.absolute().parents if parent.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise RequestError(
            f"{given('out', path)}: {above} is not a folder one can write to"
        )


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold a folder for one process: two must not train the same run.

    Raises:
        RequestError: Where another process holds it.
    """
    try:
        # flock underneath, where there is one, as in the versions before
        held = FileLock(folder / "lock").acquire(blocking=False)
    except Timeout:
        raise RequestError(
            f"{folder}: another process is training this run; wait for it to end"
        ) from None
    with held:
        yield
