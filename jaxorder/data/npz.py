"""Data sets in one npz file: the source `npz:PATH`, and the form of the cache."""

import lzma
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from jaxorder.data.dataset import Dataset, from_arrays
from jaxorder.errors import RequestError, given

ARRAYS = ("train_inputs", "train_labels", "test_inputs", "test_labels")
NAMES = "class_names"

# what np.load was seen to raise for files that are missing, cut short, damaged,
# encrypted or something else
UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)


def read_npz(path: Path, name: str) -> Dataset:
    """Read a data set from an npz file; ids are positions in its arrays.

    Args:
        path: File with train_inputs, train_labels, test_inputs, test_labels and
            optionally class_names.
        name: What to call the data set.

    Returns:
        The checked data set.

    Raises:
        RequestError: The file is missing, is no npz file, lacks an array, or holds
            what a data set must not hold.
    """
    try:
        with path.open("rb") as file:
            arrays = _read_arrays(np.load(file, allow_pickle=False), name)
    except RequestError:
        raise
    except UNREADABLE as error:
        raise RequestError(
            f"{given('data', name)}: cannot read {path} as an npz file "
            f"({_reason(error)}); write it with np.savez"
        ) from error
    return from_arrays(
        name, *(arrays[key] for key in ARRAYS), class_names=_names(arrays, name)
    )


def _read_arrays(archive: object, name: str) -> dict[str, np.ndarray]:
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise ValueError("it holds one bare array")
    missing = [key for key in ARRAYS if key not in archive.files]
    if missing:
        raise RequestError(
            f"{given('data', name)}: lacks {', '.join(missing)} (it holds "
            f"{', '.join(archive.files) or 'nothing'}); wanted {', '.join(ARRAYS)} and "
            f"optionally {NAMES}"
        )
    wanted = [key for key in (*ARRAYS, NAMES) if key in archive.files]
    return {key: _read_array(archive, key, name) for key in wanted}


def _read_array(archive: np.lib.npyio.NpzFile, key: str, name: str) -> np.ndarray:
    try:
        return archive[key]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise RequestError(
            f"{given('data', name)}: {key} holds Python objects, which only pickle "
            "could read; save it as an array of numbers (class_names: of strings)"
        ) from error


def _names(arrays: Mapping[str, np.ndarray], name: str) -> tuple[str, ...] | None:
    if NAMES not in arrays:
        return None
    names = arrays[NAMES]
    if names.ndim != 1 or names.dtype.kind != "U":
        raise RequestError(
            f"{given('data', name)}: {NAMES} has dtype {names.dtype} and shape "
            f"{names.shape}; wanted [class] of strings"
        )
    return tuple(names.tolist())


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
