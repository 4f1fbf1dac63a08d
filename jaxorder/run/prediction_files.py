"""Files that hold predictions of any framework: arrays in .npz, or rows in .parquet.

Those of tools that record training dynamics are read by `dynamics_files.py`.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxorder.errors import RequestError
from jaxorder.run.dynamics_files import read_dynamics
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


def read_predictions(*paths: Path) -> dict[str, Any]:
    """Return the arrays of files of predictions, as `from_predictions` takes them.

    Args:
        *paths: One `.npz` with arrays of these names; or one `.parquet` with a row for
            each prediction: `step`, `seed`, `example_id`, `prediction`, `label`, and if
            wanted `epoch` and `split`; or for each member a folder of cartography's
            `dynamics_epoch_0.jsonl`, ..., or AUM's `full_aum_records.csv`.

    Raises:
        RequestError: Where a file cannot be read, or holds something else.
    """
    if not paths:
        raise RequestError("name a file of predictions, or a folder for each member")
    path, readers = paths[0], {".npz": _read_npz, ".parquet": _read_parquet}
    try:
        if any(each.suffix in readers for each in paths):
            if len(paths) > 1:
                raise RequestError(
                    f"{path}: .npz and .parquet files hold all members; give one"
                )
            return readers[path.suffix](path)
        for each in paths:
            _check_dynamics(each)
        return read_dynamics(paths)
    except OSError as error:
        raise RequestError(
            f"{error.filename or path}: cannot be read ({error.strerror or error})"
        ) from error


def _check_dynamics(path: Path) -> None:
    if path.is_dir() or path.suffix == ".csv":
        return
    hint = f"; give its folder, {path.parent}" if path.suffix == ".jsonl" else ""
    raise RequestError(
        f"{path}: must be a .npz file of arrays, a .parquet file of rows, a folder of "
        f"cartography's training dynamics or a .csv file of AUM's records{hint}"
    )


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
