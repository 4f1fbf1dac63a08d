"""What the analysis accepts: arrays of any library, runs of any maker, checked once."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
import xarray as xr

_KINDS = {"b": "bool", "iu": "integer", "biuf": "real", "biufOSU": "plain"}


@runtime_checkable
class Array(Protocol):
    """Anything with a shape and a dtype that numpy can read (numpy, xarray, zarr)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""
        ...

    def __array__(self) -> np.ndarray: ...


@runtime_checkable
class Run(Protocol):
    """A collection of members and what they predicted, as `jaxorder.open_run` gives."""

    @property
    def name(self) -> str:
        """What reports call the collection."""
        ...

    @property
    def labels(self) -> str:
        """What counts as right where labels were changed: `label` or `original`."""
        ...

    def record(self, split: str) -> xr.Dataset:
        """Everything recorded about a split, `prediction` and `label` at least."""
        ...

    def correct(self, split: str) -> xr.DataArray:
        """Correctness at committed snapshots, of members that stayed finite."""
        ...


def require(name: str, values: Array, kinds: str, axes: str) -> np.ndarray:
    """Read an array, refusing a kind or a rank that would silently give nonsense.

    Args:
        name: the argument's name, for the message.
        values: the array.
        kinds: numpy's kind letters that are allowed; a key of the table above.
        axes: names of the axes; a leading "..." stands for any number of others.

    Returns:
        The array as numpy's.

    Raises:
        ValueError: the kind or the number of axes is another, or an axis is empty.
    """
    array = np.asarray(values)
    named = [axis for axis in axes.split() if axis != "..."]
    free = array.ndim - len(named)
    fits = free >= 0 if axes.startswith("...") else free == 0
    if array.dtype.kind not in kinds or not fits or 0 in array.shape[free:]:
        raise ValueError(
            f"{name}: wanted {_KINDS[kinds]} [{axes.replace(' ', ', ')}], none of them "
            f"empty, got {array.dtype} of shape {array.shape}"
        )
    return array
