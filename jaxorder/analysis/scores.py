"""One row an example: how early it is learned, how surely, and what it is taken for."""

import os

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from jaxorder.analysis.columns import Scored, columns_of, with_columns
from jaxorder.analysis.inputs import Run, begun, opened
from jaxorder.analysis.measures import epoch_weights
from jaxorder.analysis.written import new_target, whole

SCORES = "scores file", (".parquet", ".csv")


@with_columns
def scores(
    run: Run | str | os.PathLike[str],
    split: str = "test",
    *,
    epoch: float | None = None,
    gradients: bool = False,
) -> pd.DataFrame:
    """Score each example by what the members that stayed finite made of it.

    Args:
        run: a run, as `jaxorder.open_run` gives, or its folder.
        split: "train" or "test".
        epoch: at which el2n and grand are taken, or at the moment nearest to it that
            was recorded or kept; None: a tenth of the training, and not before it.
        gradients: whether to evaluate a kept checkpoint for grand, which loads JAX and
            the data.

    Returns:
        A frame with one row an example and the columns below; and whatever else was
        recorded: per example as it is; per snapshot, member and example its mean over
        members, weighted by epochs over snapshots.

    Raises:
        RequestError: no snapshot, or no finite member, is recorded yet; the epoch lies
            outside the training; or no members were kept.

    {columns}
    """
    run = begun(opened(run), split)
    scored = Scored(run, split, epoch, gradients)
    columns = columns_of(scored)
    others = _others(scored.kept, epoch_weights(scored.epochs))
    return pd.DataFrame(columns | {k: v for k, v in others.items() if k not in columns})


def write_scores(frame: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write scores to a new file, whole or not at all.

    Args:
        frame: what `scores` or `label_issues` gives.
        path: ends in .parquet or .csv, which decides the format.

    Raises:
        RequestError: another ending, a file that is there, or no such folder.
    """
    target = new_target(path, *SCORES)
    with whole(target) as draft:
        if target.suffix == ".csv":
            frame.to_csv(draft, index=False)
        else:
            frame.to_parquet(draft, index=False)


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
