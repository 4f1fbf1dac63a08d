"""Training dynamics that other tools recorded, one network each: cartography and AUM.

Both note what a network said of each training example when it was trained on it, once
an epoch: of an epoch's examples, each is seen at a step of its own.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Integer, Num

from jaxorder.errors import RequestError

FOLDER = "training_dynamics"  # what cartography makes in its output folder
EPOCH_FILE = re.compile(r"dynamics_epoch_(\d+)\.jsonl")
# AUM's names of two pairs of columns are exchanged: these hold the numbers of classes.
TARGET, LARGEST_OTHER = "target_val", "other_val"
AUM_COLUMNS = ("sample_id", "num_measurements", "margin", TARGET, LARGEST_OTHER)


class Dynamics(NamedTuple):
    """What one network said of its training examples.

    Attributes:
        names: What each example is called, in order.
        label: [example].
        epoch: [epoch], counted from 1.
        values: Logits [epoch, example, class], or predicted classes [epoch, example].
    """

    names: list[Any]
    label: Integer[np.ndarray, "example"]
    epoch: Integer[np.ndarray, "epoch"]
    values: Num[np.ndarray, "epoch example *class"]


def read_dynamics(paths: Sequence[Path]) -> dict[str, Any]:
    """Return the training dynamics of networks, as `from_predictions` takes them.

    Args:
        paths: For each member a folder of cartography's, or a `full_aum_records.csv`.

    Raises:
        RequestError: Where one cannot be read, or is not of the same examples, labels
            and epochs as the first.
    """
    members = [_read_aum(p) if p.suffix == ".csv" else _read_folder(p) for p in paths]
    first = members[0]
    aligned = [_as_first(*pair, first) for pair in zip(paths, members, strict=True)]
    kind = "prediction" if aligned[0].ndim == 2 else "logits"
    return {
        "split": "train",
        kind: np.stack(aligned, axis=1),
        "label": first.label,
        "epoch": first.epoch,
        "example_id": _numbers(first.names),
    }


def _as_first(path: Path, member: Dynamics, first: Dynamics) -> np.ndarray:
    """Return a member's values in the order of the first member's examples."""
    places = {name: at for at, name in enumerate(member.names)}
    if places.keys() != set(first.names) or not np.array_equal(
        member.epoch, first.epoch
    ):
        raise RequestError(
            f"{path}: {len(places)} examples at epochs {_told(member.epoch)}; wanted "
            f"those of the first, {len(first.names)} at epochs {_told(first.epoch)}"
        )
    order = [places[name] for name in first.names]
    if (member.label[order] != first.label).any():
        raise RequestError(f"{path}: labels are not those of the first")
    if member.values.shape[2:] != first.values.shape[2:]:
        raise RequestError(
            f"{path}: wanted {_held(first)}, as the first has, got {_held(member)}"
        )
    return member.values[:, order]


def _held(member: Dynamics) -> str:
    logits = member.values.ndim == 3
    return f"logits of {member.values.shape[2]} classes" if logits else "predictions"


def _told(epochs: Integer[np.ndarray, "epoch"]) -> str:
    return ", ".join(map(str, epochs))


def _numbers(names: Sequence[Any]) -> Integer[np.ndarray, "example"]:
    """Return what examples are called as whole numbers.

    Names that are none become the first 63 bits of their sha256, the same in each run.
    """
    texts = [str(name) for name in names]
    if all(text.isdecimal() and len(text) < 19 for text in texts):
        return np.array([int(text) for text in texts], np.int64)
    digests = (hashlib.sha256(text.encode()).digest()[:8] for text in texts)
    return np.array([int.from_bytes(d, "big") >> 1 for d in digests], np.int64)


# ---- cartography


def _read_folder(path: Path) -> Dynamics:
    """Return what the files of a folder hold, one an epoch."""
    folder = path / FOLDER if (path / FOLDER).is_dir() else path
    if not folder.is_dir():
        raise RequestError(f"{path}: no such folder of training dynamics")
    found = {
        int(name[1]): file
        for file in folder.iterdir()
        if (name := EPOCH_FILE.fullmatch(file.name))
    }
    if not found:
        raise RequestError(f"{folder}: has no files dynamics_epoch_0.jsonl, ...")
    epochs = sorted(found)
    each = [_read_epoch(found[number], number) for number in epochs]
    first = each[0]
    for number, rows in zip(epochs, each, strict=True):
        if rows.keys() != first.keys():
            raise RequestError(
                f"{found[number]}: {len(rows)} examples; wanted the "
                f"{len(first)} of {found[epochs[0]].name}"
            )
        if any(rows[name][1] != first[name][1] for name in first):
            raise RequestError(f"{found[number]}: an example has another gold label")
    names = list(first)
    return Dynamics(
        names,
        _labels(folder, [first[name][1] for name in names]),
        np.array(epochs) + 1,
        _logits(folder, [[rows[name][0] for name in names] for rows in each]),
    )


def _read_epoch(file: Path, number: int) -> dict[Any, tuple[Any, Any]]:
    """Return each example's logits and label by its name."""
    found: dict[Any, tuple[Any, Any]] = {}
    wanted = ("guid", f"logits_epoch_{number}", "gold")
    for line, text in enumerate(file.read_text("utf-8").splitlines(), start=1):
        row = _row(file, line, text) if text.strip() else None
        if row is None:
            continue
        if lacking := [name for name in wanted if name not in row]:
            raise RequestError(
                f"{file}, line {line}: wanted {lacking[0]}; has {', '.join(row)}"
            )
        name, logits, label = (row[key] for key in wanted)
        if name in found:
            raise RequestError(f"{file}, line {line}: {name} is there twice")
        found[name] = logits, label
    if not found:
        raise RequestError(f"{file}: holds no example")
    return found


def _row(file: Path, line: int, text: str) -> Mapping[str, Any]:
    try:
        row = json.loads(text)
    except ValueError as error:
        raise RequestError(f"{file}, line {line}: no JSON ({error})") from error
    if not isinstance(row, dict):
        raise RequestError(f"{file}, line {line}: wanted a JSON object, got {text:.40}")
    return row


def _labels(folder: Path, labels: Sequence[Any]) -> Integer[np.ndarray, "example"]:
    found = np.array(labels, object)
    if not all(isinstance(label, int) for label in found):
        raise RequestError(f"{folder}: gold: wanted numbers of classes")
    return found.astype(np.int64)


def _logits(folder: Path, logits: Any) -> Num[np.ndarray, "epoch example class"]:
    try:
        found = np.array(logits, float)  # what JSON has no number for is null
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found.ndim != 3:
        raise RequestError(f"{folder}: wanted as many logits of every example")
    return found


# ---- AUM


def _read_aum(path: Path) -> Dynamics:
    """Return what AUM's records hold, a row for each example and measurement.

    A margin is the target's logit minus the largest other one, so that both classes say
    which was predicted.
    """
    import pandas as pd

    try:
        rows = pd.read_csv(path)
    except ValueError as error:
        raise RequestError(f"{path}: not a .csv file ({error})") from error
    if {"sample_id", "aum"} == set(rows):
        raise RequestError(
            f"{path}: holds one AUM an example, and no predictions; give "
            "full_aum_records.csv, which AUMCalculator(..., compressed=False) writes"
        )
    if lacking := [name for name in AUM_COLUMNS if name not in rows]:
        raise RequestError(f"{path}: wanted a column {lacking[0]}; has {list(rows)}")
    rows = rows.sort_values(["sample_id", "num_measurements"], kind="stable")
    names, epochs = (np.unique(rows[name]) for name in AUM_COLUMNS[:2])
    shape = len(names), len(epochs)
    if len(rows) != np.prod(shape) or rows.duplicated(list(AUM_COLUMNS[:2])).any():
        counts = rows["sample_id"].value_counts()
        raise RequestError(
            f"{path}: wanted as many measurements of every example, got {counts.min()} "
            f"to {counts.max()}; leave the others out, or train without drop_last"
        )
    margin, target, other = (
        rows[name].to_numpy().reshape(shape) for name in AUM_COLUMNS[2:]
    )
    if (target != target[:, :1]).any():
        raise RequestError(f"{path}: an example has different labels in its rows")
    if np.isnan(margin).any():
        raise RequestError(
            f"{path}: {int(np.isnan(margin).sum())} margins are no numbers; leave a "
            "network that diverged out"
        )
    prediction = np.where(margin > 0, target, other).T
    return Dynamics(names.tolist(), target[:, 0], epochs, prediction)
