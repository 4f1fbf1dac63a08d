"""Decoded data sets, kept so that images are decoded once: one npz file each.

An npz file is written and replaced in one move and carries a checksum of each array,
so a reader finds a whole entry or one that is rebuilt.
"""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxorder.data.dataset import Dataset
from jaxorder.data.npz import read_npz
from jaxorder.errors import RequestError


def cache_folder() -> Path:
    """Return the folder of the cache, which need not exist.

    Returns:
        $JAXORDER_CACHE, else $XDG_CACHE_HOME/jaxorder, else ~/.cache/jaxorder.
    """
    if folder := os.environ.get("JAXORDER_CACHE"):
        return Path(folder).expanduser()
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "jaxorder"


def cached(
    name: str, version: str, source: Path, build: Callable[[], Dataset]
) -> Dataset:
    """Return a data set from the cache, or build and keep it.

    An entry that cannot be read is rebuilt; a cache that cannot be written is left.

    Args:
        name: Name of the data set.
        version: Version of its source.
        source: Folder of the files it is built from. Their names, sizes and times of
            change belong to the entry's key.
        build: Makes the data set; its ids must be positions.

    Returns:
        What `build` makes.
    """
    entry = cache_folder() / f"{name}-{version}-{_fingerprint(source)}.npz"
    with contextlib.suppress(RequestError):
        return read_npz(entry, name)
    dataset = build()
    with contextlib.suppress(OSError):
        _write(entry, dataset)
    return dataset


def _fingerprint(folder: Path) -> str:
    facts = sorted(
        (file.name, file.stat().st_size, file.stat().st_mtime_ns)
        for file in folder.iterdir()
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _write(entry: Path, dataset: Dataset) -> None:
    entry.parent.mkdir(parents=True, exist_ok=True)
    # beside the entry, since only a rename within a file system is atomic
    with tempfile.NamedTemporaryFile(
        dir=entry.parent, suffix=".tmp", delete=False
    ) as file:
        try:
            np.savez(
                file,
                train_inputs=dataset.train.inputs,
                train_labels=dataset.train.labels,
                test_inputs=dataset.test.inputs,
                test_labels=dataset.test.labels,
                class_names=np.array(dataset.class_names),
            )
            file.close()
            os.replace(file.name, entry)
        except BaseException:
            os.unlink(file.name)
            raise
