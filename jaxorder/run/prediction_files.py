"""Files that hold predictions of any framework: arrays in .npz, or rows in .parquet."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxorder.errors import RequestError
from jaxorder.spec import unknown

if TYPE_CHECKING:
    import pandas as pd

ARRAYS = (
    "prediction",
    "label",
    "logits",
    "train_prediction",
    "train_label",
    "train_logits",
    "step",
    "epoch",
    "seed",
    "example_id",
    "train_example_id",
    "trained_on",
    "class_names",
)
NEEDED = ("step", "seed", "example_id", "prediction", "label")
COLUMNS = (*NEEDED, "epoch", "split")


def read_predictions(path: Path) -> dict[str, Any]:
    """Return the arrays of a file of predictions, as `from_predictions` takes them.

    Args:
        path: `.npz` with arrays of these names; or `.parquet` with a row for each
            prediction: `step`, `seed`, `example_id`, `prediction`, `label`, and if
            wanted `epoch` and `split`.

    Raises:
        RequestError: Where the file cannot be read, or holds something else.
    """
    readers = {".npz": _read_npz, ".parquet": _read_parquet}
    if path.suffix not in readers:
        raise RequestError(
            f"{path}: must be a .npz file of arrays or a .parquet file of rows"
        )
    try:
        return readers[path.suffix](path)
    except OSError as error:
        raise RequestError(
            f"{path}: cannot be read ({error.strerror or error})"
        ) from error


def _read_npz(path: Path) -> dict[str, Any]:
    try:
        with np.load(path) as file:
            found = {name: file[name] for name in file.files}
    except (ValueError, zipfile.BadZipFile) as error:
        raise RequestError(f"{path}: not a .npz file of arrays ({error})") from error
    for name in found:
        if name not in ARRAYS:
            raise RequestError(unknown("array", str(path), name, ARRAYS))
    return found


def _read_parquet(path: Path) -> dict[str, Any]:
    import pandas as pd

    try:
        rows = pd.read_parquet(path)
    except ValueError as error:
        raise RequestError(f"{path}: not a .parquet file ({error})") from error
    if lacking := [name for name in NEEDED if name not in rows]:
        raise RequestError(f"{path}: wanted a column {lacking[0]}; has {list(rows)}")
    for name in map(str, rows):
        if name not in COLUMNS:
            raise RequestError(unknown("column", str(path), name, COLUMNS))
    splits = {"test": rows}
    if "split" in rows:
        splits = {str(split): part for split, part in rows.groupby("split")}
    for split in splits:
        if split not in ("train", "test"):
            raise RequestError(f"{path}: split {split}: must be train or test")
    arrays: dict[str, Any] = {} if "test" in splits else {"split": "train"}
    for split, part in splits.items():
        arrays |= _prefixed(_arrays(path, part), split if "test" in splits else "")
    return arrays


def _prefixed(arrays: Mapping[str, Any], split: str) -> dict[str, Any]:
    """Name the arrays of training examples that come beside those of test examples."""
    if split != "train":
        return dict(arrays)
    own = ("prediction", "label", "example_id")
    return {f"train_{k}" if k in own else k: v for k, v in arrays.items()}


def _arrays(path: Path, rows: "pd.DataFrame") -> dict[str, Any]:
    """Return what rows say, with axes for snapshots, members and examples."""
    axes = ["step", "seed", "example_id"]
    sorted_rows = rows.sort_values(axes)
    steps, seeds, ids = (np.unique(sorted_rows[axis]) for axis in axes)
    shape = len(steps), len(seeds), len(ids)
    if len(rows) != np.prod(shape) or rows.duplicated(axes).any():
        raise RequestError(
            f"{path}: wanted one row for each of {shape[0]} steps, {shape[1]} seeds "
            f"and {shape[2]} examples, {np.prod(shape)} in all, got {len(rows)}"
        )
    labels = sorted_rows["label"].to_numpy().reshape(shape)
    if (labels != labels[0, 0]).any():
        raise RequestError(f"{path}: an example has different labels in its rows")
    found = {
        "prediction": sorted_rows["prediction"].to_numpy().reshape(shape),
        "label": labels[0, 0],
        "step": steps,
        "seed": seeds,
        "example_id": ids,
    }
    if "epoch" in rows:
        found["epoch"] = sorted_rows["epoch"].to_numpy().reshape(shape)[:, 0, 0]
    return found
