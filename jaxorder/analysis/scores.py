"""One row an example: how early it is learned, how surely, and what it is taken for."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Bool, Float

from jaxorder.analysis.held_out import held_out_accuracy
from jaxorder.analysis.inputs import Run, begun, opened, read_correct
from jaxorder.analysis.measures import (
    accessibility,
    classification_agreement,
    common_prediction,
    epoch_weights,
    forgetting_events,
    learned_snapshot,
    tp_agreement,
)
from jaxorder.errors import RequestError


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
    correct, epoch = read_correct(run, split)["correct"], kept["epoch"].values
    final = kept["prediction"].isel(snapshot=-1).values
    columns = {
        "example_id": kept["example_id"].values,
        "label": kept["label"].values,
        "accessibility": accessibility(correct, epoch_weights(epoch)),
        "final_tpa": tp_agreement(correct[-1]),
        "final_ca": classification_agreement(final),
        "common_prediction": common_prediction(final),
        **_learning(correct, epoch),
        "forgetting": forgetting_events(correct).mean(axis=0),
        **_held_out(kept, correct[-1]),
    }
    return pd.DataFrame(columns | _others(kept, epoch_weights(epoch)))


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


def _learning(
    correct: Bool[np.ndarray, "snapshot member example"],
    epoch: Float[np.ndarray, " snapshot"],
) -> dict[str, Float[np.ndarray, " example"]]:
    """Tell when the median member learned each example, and how many never did."""
    snapshot, learned = learned_snapshot(correct)
    # Never learned comes after the last epoch, whatever that is: infinity.
    epochs = np.median(np.append(epoch, np.inf)[snapshot], axis=0)
    return {
        "median_learned_epoch": np.where(np.isinf(epochs), np.nan, epochs),
        "share_never_learned": (~learned).mean(axis=0),
    }


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
