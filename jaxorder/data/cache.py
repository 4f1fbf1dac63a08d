"""Decoded data sets, kept so that files are decoded once: one npz file each.

An npz file is written and replaced in one move and carries a checksum of each array,
so a reader finds a whole entry or one that is rebuilt.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from jaxorder.data.dataset import Dataset, Split
from jaxorder.data.npz import UNREADABLE
from jaxorder.files import safe_name

SPLITS = ("train", "test")
FORMAT = 2


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
    name: str, source: Path, build: Callable[[], Dataset], how: object = None
) -> Dataset:
    """Return a data set from the cache, or build and keep it.

    An entry that cannot be read is rebuilt; a cache that cannot be written is left.

    Args:
        name: What the data set is called.
        source: File or folder that it is built from. Paths, sizes and times of change
            of all files there belong to the entry's key.
        build: Makes the data set.
        how: What else the result depends on; its repr belongs to the key too.

    Returns:
        What `build` makes.
    """
    facts = repr((FORMAT, how, _files(source)))
    key = hashlib.sha256(facts.encode()).hexdigest()[:16]
    entry = cache_folder() / "data" / f"{safe_name(name)[-80:]}-{key}.npz"
    with contextlib.suppress(*UNREADABLE, KeyError):
        return _read(entry, name)
    dataset = build()
    with contextlib.suppress(OSError):
        _write(entry, dataset)
    return dataset


def _files(source: Path) -> list[tuple[str, int, int]]:
    paths = [source]
    if source.is_dir():
        walked = os.walk(source, followlinks=True)
        paths = [Path(folder, name) for folder, _, names in walked for name in names]
    stats = [(str(path.relative_to(source.parent)), path.stat()) for path in paths]
    return sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


def _read(entry: Path, name: str) -> Dataset:
    with entry.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
    about = json.loads(str(arrays.pop("about")))
    return Dataset(
        name,
        *(_split(arrays, which, about["tokens"]) for which in SPLITS),
        class_names=tuple(about["class_names"]),
        scaling=about["scaling"],
        vocabulary=tuple(about["vocabulary"]),
        facts=about["facts"],
    )


def _split(arrays: dict[str, np.ndarray], which: str, tokens: bool) -> Split:
    inputs, labels, ids = (
        arrays[f"{which}/{part}"] for part in ("inputs", "labels", "ids")
    )
    start = f"{which}/columns/"
    columns = {k.removeprefix(start): v for k, v in arrays.items() if start in k}
    return Split(inputs, labels, ids, columns, tokens=tokens)


def _write(entry: Path, dataset: Dataset) -> None:
    arrays: dict[str, Any] = {"about": np.array(json.dumps(_about(dataset)))}
    for which in SPLITS:
        split = dataset.split(which)
        arrays |= {
            f"{which}/inputs": split.inputs,
            f"{which}/labels": split.labels,
            f"{which}/ids": split.ids,
        }
        arrays |= {f"{which}/columns/{k}": v for k, v in split.columns.items()}
    entry.parent.mkdir(parents=True, exist_ok=True)
    # beside the entry, since only a rename within a file system is atomic
    with tempfile.NamedTemporaryFile(
        dir=entry.parent, suffix=".tmp", delete=False
    ) as file:
        try:
            np.savez(file, **arrays)
            file.close()
            os.replace(file.name, entry)
        except BaseException:
            os.unlink(file.name)
            raise


def _about(dataset: Dataset) -> dict[str, Any]:
    return {
        "class_names": dataset.class_names,
        "tokens": dataset.train.tokens,
        "scaling": dataset.scaling,
        "vocabulary": dataset.vocabulary,
        "facts": dict(dataset.facts),
    }
