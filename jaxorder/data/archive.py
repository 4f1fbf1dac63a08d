"""The files of a folder, or of an archive of one, which is not unpacked."""

import os
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from jaxorder.data.npz import UNREADABLE
from jaxorder.errors import RequestError

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".zip")

Parts = tuple[str, ...]
Read = Callable[[], bytes]


@dataclass(frozen=True)
class Tree:
    """What a folder or an archive holds, hidden files and folders left out.

    Attributes:
        files: What reads each file, by the parts of its path; an archive is quick to
            read in this order only.
        folders: The parts of the paths of folders, as far as an archive names them.
    """

    files: Mapping[Parts, Read]
    folders: frozenset[Parts]


@contextmanager
def open_tree(path: Path) -> Iterator[Tree]:
    """Open a folder or an archive; errors are those of the modules that read it.

    Args:
        path: A folder, or a file whose name ends as one of ARCHIVES do.

    Yields:
        Its files, which can be read until the block ends.
    """
    if path.is_dir():
        yield _tree(_walk(path))
    elif path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive:
            yield _tree(
                (info.filename, None if info.is_dir() else partial(archive.read, info))
                for info in archive.infolist()
            )
    else:
        mode = "r:" if path.suffix.lower() == ".tar" else "r:gz"
        with tarfile.open(path, mode) as archive:
            yield _tree(_members(archive))


@contextmanager
def refuse_unreadable(asked: str) -> Iterator[None]:
    """Turn the errors of reading files and archives into one that says what to do.

    Args:
        asked: What the message begins with, as `given` returns.

    Raises:
        RequestError: Where the block fails to read a file.
    """
    try:
        yield
    except RequestError:
        raise
    except (*UNREADABLE, tarfile.TarError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RequestError(
            f"{asked}: cannot be read ({reason}); if a file is damaged or cut short, "
            "fetch or make it again"
        ) from error


def is_tree(path: Path) -> bool:
    """Return whether there is a folder, or a file named as an archive is."""
    return path.is_dir() or (path.is_file() and path.name.lower().endswith(ARCHIVES))


def _tree(entries: Iterable[tuple[str, Read | None]]) -> Tree:
    files: dict[Parts, Read] = {}
    folders: set[Parts] = set()
    for name, read in entries:
        parts = PurePosixPath(name).parts
        if any(map(_is_hidden, parts)):
            continue
        if read is None:
            folders.add(parts)
        else:
            files[parts] = read
    return Tree(files, frozenset(folders))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _walk(path: Path) -> Iterator[tuple[str, Read | None]]:
    # links are followed, since many make a smaller copy of a data set of them
    for parent, folders, files in os.walk(path, followlinks=True, onerror=_fail):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        inner = PurePosixPath(Path(parent).relative_to(path))
        yield from ((str(inner / name), None) for name in folders)
        for name in sorted(files):
            yield str(inner / name), Path(parent, name).read_bytes


def _fail(error: OSError) -> None:
    raise error


def _members(archive: tarfile.TarFile) -> Iterator[tuple[str, Read | None]]:
    for member in archive.getmembers():
        yield member.name, None if member.isdir() else partial(_read, archive, member)
    _check_end(archive)


def _check_end(archive: tarfile.TarFile) -> None:
    # tarfile takes the place where a header is damaged or missing for the end
    assert archive.fileobj
    archive.fileobj.seek(archive.offset)
    if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError(f"no header and no end mark at {archive.offset}")
    while archive.fileobj.read(2**20):
        pass  # gzip compares its checksum only where all has been read


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    try:
        file = archive.extractfile(member)
    except KeyError:
        file = None
    if file is None:
        raise tarfile.ReadError(f"{member.name} is no file or a link to none")
    return file.read()
