"""Scores from elsewhere beside a run's examples."""

from typing import Literal

import numpy as np
import xarray as xr

from jaxorder.data.tfds_order import official_positions
from jaxorder.errors import RequestError
from jaxorder.run.folder import Run

Order = Literal["tfds", "official"]
ORDERED = ("mnist", "fashion_mnist", "cifar10", "cifar100")


def join_scores(
    run: Run, values: np.ndarray, order: Order = "tfds", split: str = "train"
) -> xr.DataArray:
    """Return the scores that others gave the examples that a run recorded.

    Args:
        run: The run.
        values: [example], a score for each example of the whole split of the source.
        order: Whose order `values` are in: `tfds`, the order of a prepared TFDS set,
            which is that of the ids (of any other source: that of its examples); or
            `official`, that of the files in which MNIST, Fashion-MNIST and the CIFARs
            are published.
        split: `train` or `test`.

    Returns:
        [example], aligned with `run.record(split)`, with the coordinate `example_id`.

    Raises:
        RequestError: There are scores for more or fewer examples than the split of the
            source holds, or the data have no official order.
    """
    values = np.asarray(values)
    ids = run.record(split)["example_id"].values
    name = _ordered_set(run.config.data)
    _check_size(run, values, ids, split)
    if order == "official":
        if name is None:
            raise RequestError(
                f"join_scores of {run.name!r}: wanted data with an official order "
                f"({', '.join(ORDERED)}), got {run.config.data}; sort the scores as "
                "the source is and give order='tfds'"
            )
        values = values[official_positions(name, split, len(values))]
    return xr.DataArray(
        values[ids], dims="example", coords={"example_id": ("example", ids)}
    )


def _ordered_set(source: str) -> str | None:
    """Return the set that a source names, where it is one with an official order."""
    name = source.removeprefix("tfds:").partition(":")[0]
    return name if name in ORDERED else None


def _check_size(run: Run, values: np.ndarray, ids: np.ndarray, split: str) -> None:
    facts = run.document.data.facts
    whole, least = facts.get("source_examples", {}).get(split, 0), int(ids.max()) + 1
    if whole < least:  # not known, or the splits are of one whole, as with the digits
        whole = 0
    fits = len(values) == whole if whole else len(values) >= least
    if values.ndim != 1 or not fits:
        raise RequestError(
            f"join_scores of {run.name!r}: wanted a score for each of the "
            f"{whole or f'at least {least}'} {split} examples of {run.config.data}, "
            f"got shape {values.shape}"
        )
