"""Files that are written whole or not at all, and never over another."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from jaxorder.errors import RequestError


def new_target(path: str | os.PathLike[str], what: str, endings: Sequence[str]) -> Path:
    """Return where a new file is to be written, if it can be.

    Args:
        path: where.
        what: what the file is, for the message.
        endings: that it may have.

    Raises:
        RequestError: another ending, a file that is there, or no such folder.
    """
    target = Path(path)
    if target.suffix not in endings:
        raise RequestError(
            f"{what} {path}: wanted {' or '.join(endings)} as its ending"
        )
    if target.exists():
        raise RequestError(f"{what} {path}: is there already; name a new one")
    if not target.parent.is_dir():
        raise RequestError(f"{what} {path}: wanted a folder that exists")
    return target


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """Give a draft to write to, which becomes the file once the block is done.

    Args:
        target: where the file is to be.

    Yields:
        The draft, with the file's ending; nothing is left of it where writing fails.
    """
    # In the same folder, so that the renaming cannot be half done.
    draft = target.with_name(f".{os.getpid()}.{target.name}")
    try:
        yield draft
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
