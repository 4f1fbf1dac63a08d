"""One row an example: how early it is learned, how surely, and what it is taken for."""

import os
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Bool, Float, Integer

from jaxorder.analysis.held_out import held_out_accuracy
from jaxorder.analysis.inputs import Run, begun, opened
from jaxorder.analysis.measures import (
    classification_agreement,
    common_prediction,
    epoch_weights,
    tp_agreement,
)
from jaxorder.analysis.streaming import (
    Piece,
    agreeing,
    done,
    fitting,
    pieces,
    windows,
)
from jaxorder.errors import RequestError

_LEARNING = (
    "accessibility",
    "median_learned_epoch",
    "share_never_learned",
    "forgetting",
)
_COLUMNS = (
    *("example_id", "label", "accessibility", "final_tpa", "final_ca"),
    *("common_prediction", *_LEARNING[1:]),
)


def scores(run: Run | str | os.PathLike[str], split: str = "test") -> pd.DataFrame:
    """Score each example by what the members that stayed finite made of it.

    Args:
        run: a run, as `jaxorder.open_run` gives, or its folder.
        split: "train" or "test".

    Returns:
        A frame with one row an example and the columns

        - example_id, label;
        - accessibility, in [0, 1], weighted by epochs (`epoch_weights`);
        - final_tpa and final_ca, in [0, 1], and common_prediction: the TP-agreement,
          the classification agreement and the commonest class at the last snapshot;
        - median_learned_epoch: the median over members of the epoch of the snapshot
          from which they stay correct; NaN where the median member never learned;
        - share_never_learned, in [0, 1], of the members;
        - forgetting: events between snapshots, the mean over members;
        - held_out_accuracy, in [0, 1], where members were trained on examples of their
          own: of those that an example was left out of, at the last snapshot;
        - what else was recorded: per example as it is; per snapshot, member and
          example its mean over members, weighted by epochs over snapshots (of
          `margin` the area under the margin).

    Raises:
        RequestError: no snapshot, or no finite member, is recorded yet.

    Reference:
        After Hacohen et al. 2020; forgetting after Toneva et al. 2019, at snapshots;
        area under the margin after Pleiss et al. 2020, in evaluation mode.
    """
    run = begun(opened(run), split)
    kept = run.usable(split)
    final = kept["prediction"].isel(snapshot=-1).values
    label = fitting(kept["label"].values, final.dtype)
    columns = {
        "example_id": kept["example_id"].values,
        "label": kept["label"].values,
        **_learning(kept),
        "final_tpa": tp_agreement(final == label),
        "final_ca": classification_agreement(final),
        "common_prediction": common_prediction(final),
        **_held_out(kept, final == label),
    }
    ordered = {name: columns[name] for name in (*_COLUMNS, *columns)}
    return pd.DataFrame(ordered | _others(kept, epoch_weights(kept["epoch"].values)))


def _held_out(
    kept: xr.Dataset, correct: Bool[np.ndarray, "member example"]
) -> dict[str, Float[np.ndarray, " example"]]:
    """Score by the members that an example was left out of, if any was."""
    if "trained_on" not in kept:
        return {}
    groups = kept["subset"].values if "subset" in kept.coords else None
    seen = kept["trained_on"].values
    return {"held_out_accuracy": held_out_accuracy(correct, seen, groups)}


def write_scores(frame: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write scores to a new file, whole or not at all.

    Args:
        frame: what `scores` gives.
        path: ends in .parquet or .csv, which decides the format.

    Raises:
        RequestError: another ending, a file that is there, or no such folder.
    """
    target = Path(path)
    if target.suffix not in (".parquet", ".csv"):
        raise RequestError(f"scores file {path}: wanted .parquet or .csv as its ending")
    if target.exists():
        raise RequestError(f"scores file {path}: is there already; name a new one")
    if not target.parent.is_dir():
        raise RequestError(f"scores file {path}: wanted a folder that exists")
    # In the same folder, so that the renaming cannot be half done.
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        if target.suffix == ".csv":
            frame.to_csv(draft, index=False)
        else:
            frame.to_parquet(draft, index=False)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _learning(kept: xr.Dataset) -> dict[str, Float[np.ndarray, " example"]]:
    """Tell how early each example was learned, since when, and how often forgotten."""
    members, examples = kept.sizes["member"], kept.sizes["example"]
    found = {name: np.zeros(examples) for name in _LEARNING}
    for window in windows(members, examples):
        own = {name: values[window] for name, values in found.items()}
        shape = members, len(range(*window.indices(examples)))
        work = partial(_learned, kept["epoch"].values, own, _Members.of(shape))
        done(pieces(kept, work, examples=window))
    return found


class _Members(NamedTuple):
    """What is known of members as of the last snapshot that was seen.

    Attributes:
        since: The snapshot after the last at which each was wrong.
        before: Whether each was correct.
    """

    since: Integer[np.ndarray, "member example"]
    before: Bool[np.ndarray, "member example"]

    @classmethod
    def of(cls, shape: tuple[int, int]) -> "_Members":
        """Know nothing yet."""
        return cls(np.zeros(shape, np.uint32), np.zeros(shape, bool))


def _learned(
    epoch: Float[np.ndarray, " snapshot"],
    found: dict[str, Float[np.ndarray, " example"]],
    state: _Members,
    piece: Piece,
) -> None:
    """Add a piece to what was found of its examples."""
    own = {name: values[piece.examples] for name, values in found.items()}
    since, before = (each[:, piece.examples] for each in state)
    weights, members = epoch_weights(epoch), len(since)
    for snapshot, correct in piece.correct():
        if weights[snapshot]:
            share = agreeing(correct) / members
            own["accessibility"] += weights[snapshot] * share
        own["forgetting"] += agreeing(before & ~correct) / members
        np.copyto(since, snapshot + 1, where=~correct)
        before[...] = correct
    if piece.first + len(piece.prediction) == len(epoch):
        # Never learned comes after the last epoch, whatever that is: infinity.
        epochs = np.median(np.append(epoch, np.inf)[since], axis=0)
        own["median_learned_epoch"][...] = np.where(np.isinf(epochs), np.nan, epochs)
        own["share_never_learned"][...] = agreeing(~before) / members


def _others(
    kept: xr.Dataset, weights: Float[np.ndarray, " snapshot"]
) -> dict[str, np.ndarray]:
    """Bring whatever else was recorded to one value an example."""
    columns = {}
    for name, values in kept.data_vars.items():
        if name in ("prediction", "label"):
            continue
        if values.dims == ("example",):
            columns[str(name)] = values.values
        elif values.dims == ("snapshot", "member", "example"):
            columns[str(name)] = _mean(values, weights)
    return columns


def _mean(
    values: xr.DataArray, weights: Float[np.ndarray, " snapshot"]
) -> Float[np.ndarray, " example"]:
    """Take the mean over members, weighted over snapshots, one snapshot at a time."""
    weighed = zip(weights, values, strict=True)
    # A snapshot without weight is not read: what it lacks is then no matter.
    return np.sum([w * each.values.mean(0, float) for w, each in weighed if w], axis=0)
