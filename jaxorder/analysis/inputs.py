"""What the analysis accepts: arrays of any library, runs and their folders.

What is asked of a run is read from it and counted as the report counts it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from os import PathLike
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar, overload, runtime_checkable

import numpy as np
import xarray as xr
from jaxtyping import Float

from jaxorder.errors import RequestError
from jaxorder.run.folder import SPLITS, labels_of
from jaxorder.run.study import open_run

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
    def path(self) -> Path:
        """Where it lies."""
        ...

    @property
    def name(self) -> str:
        """What reports call the collection."""
        ...

    @property
    def kind(self) -> str:
        """What the members are: `network`, or another `learner`."""
        ...

    @property
    def time_axis(self) -> str:
        """What the record's `epoch` counts."""
        ...

    @property
    def time_unit(self) -> str:
        """What one moment of it is called, before its number."""
        ...

    @property
    def splits(self) -> Sequence[str]:
        """The splits that are recorded."""
        ...

    @property
    def labels(self) -> str:
        """What counts as right where labels were changed: `label` or `original`."""
        ...

    def record(self, split: str) -> xr.Dataset:
        """Everything recorded about a split, `prediction` and `label` at least."""
        ...

    def usable(self, split: str) -> xr.Dataset:
        """The record at committed snapshots, of members that stayed finite."""
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


def snapshots(
    name: str, values: Array
) -> Iterator[Float[np.ndarray, "member example"]]:
    """Check an array of all snapshots, and read one after the other.

    Args:
        name: the argument's name, for the message.
        values: the array.

    Yields:
        Each snapshot, in float64.

    Raises:
        ValueError: it is not real [snapshot, member, example], or an axis is empty.
    """
    array: Any = values
    if len(array.shape) != 3 or 0 in array.shape or array.dtype.kind not in "iuf":
        raise ValueError(
            f"{name}: wanted real [snapshot, member, example], none of them empty, "
            f"got {array.dtype} of shape {tuple(array.shape)}"
        )
    for snapshot in range(array.shape[0]):
        yield np.asarray(array[snapshot], float)


# ---- runs in the place of arrays


def opened(run: Run | str | PathLike[str]) -> Run:
    """Open a run that is named by its folder; return one that is open.

    Args:
        run: a run, or its folder.

    Raises:
        RequestError: the folder is no run's.
    """
    return open_run(Path(run)) if isinstance(run, str | PathLike) else run


_P = ParamSpec("_P")
_R = TypeVar("_R", covariant=True)


@runtime_checkable
class OfArraysOrRun(Protocol[_P, _R]):
    """A measure of arrays that takes a run, or its folder, in their place."""

    @overload
    def __call__(
        self, run: Run | str | PathLike[str], /, split: str = "test", **given: Any
    ) -> _R: ...
    @overload
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...


def takes_run(
    read: Callable[[Run, str], Mapping[str, Any]],
) -> Callable[[Callable[_P, _R]], OfArraysOrRun[_P, _R]]:
    """Let a measure of arrays take a run, or its folder, in their place.

    Args:
        read: gives the measure's arguments for a run and a split. Those given by name
            beside the run have precedence.

    Returns:
        What to decorate the measure with.
    """

    def decorate(measure: Callable[_P, _R]) -> OfArraysOrRun[_P, _R]:
        called: Callable[..., _R] = measure

        def of_run(run: Run, split: str, **given: Any) -> _R:
            return called(**{**read(run, split), **given})

        return measured_by(of_run)(measure)

    return decorate


def measured_by(
    of_run: Callable[..., _R],
) -> Callable[[Callable[_P, _R]], OfArraysOrRun[_P, _R]]:
    """Let a measure of arrays take a run, or its folder, which is measured in its way.

    Args:
        of_run: measures a run and a split, with what else is given by name.

    Returns:
        What to decorate the measure with.
    """

    def decorate(measure: Callable[_P, _R]) -> OfArraysOrRun[_P, _R]:
        @wraps(measure)
        def measured(*args: Any, **given: Any) -> _R:
            if not (args and isinstance(args[0], Run | str | PathLike)):
                return measure(*args, **given)
            run, split = opened(args[0]), asked_split(measure.__name__, args[1:], given)
            return of_run(begun(run, split), split, **given)

        return measured

    return decorate


def asked_split(measure: str, further: Sequence[Any], given: dict[str, Any]) -> str:
    """Take the split from what was given beside a run; nothing is dropped unseen.

    Args:
        measure: its name, for the message.
        further: what was given without a name.
        given: what was given by name; the split is taken out of it.
    """
    asked = [*further, *([given.pop("split")] if "split" in given else [])]
    if len(asked) > 1 or not all(isinstance(each, str) for each in asked):
        raise TypeError(
            f"{measure} of a run: wanted at most a split beside it, all else by name, "
            f"got {', '.join(type(each).__name__ for each in asked)}"
        )
    return asked[0] if asked else "test"


def begun(run: Run, split: str) -> Run:
    """Refuse a run that has nothing to measure.

    Args:
        run: The run.
        split: Which must have something.

    Returns:
        The same.

    Raises:
        RequestError: Where no snapshot is recorded yet, or no member stayed finite.
    """
    sizes = run.usable(split).sizes
    if not (sizes["snapshot"] and sizes["member"]):
        raise RequestError(
            f"{run.name!r}: wanted a snapshot and a finite member in split {split!r}, "
            f"got {sizes['snapshot']} and {sizes['member']}; {way_out(sizes, split)}"
        )
    return run


def way_out(sizes: Mapping[Any, int], split: str) -> str:
    """Say what can be done about a run with too little to measure.

    Args:
        sizes: Snapshots, and members that stayed finite.
        split: Of which examples.
    """
    if sizes["snapshot"] and not sizes["member"]:
        return "all members diverged; train them with a smaller learning rate"
    if sizes["snapshot"] == 1 and split not in SPLITS:
        return f"evaluate more snapshots of {split!r}, or resume the run"
    return "resume or grow the run"


def read_snapshot(run: Run, split: str, snapshot: int = -1) -> dict[str, Any]:
    """Read what is correct at one snapshot, and the labels."""
    dataset = run.usable(split).isel(snapshot=snapshot)
    label = labels_of(dataset)
    return {"correct": dataset["prediction"].values == label, "label": label}


def takes_snapshot(measure: Callable[_P, _R]) -> OfArraysOrRun[_P, _R]:
    """Let a measure of what is correct take a snapshot of a run, or of its folder.

    Args:
        measure: its first argument is `correct`. Of a run that is of the last
            snapshot, or of the one at the position `snapshot`.

    Returns:
        The measure, of arrays or of a run.
    """
    called: Callable[..., _R] = measure

    def of_run(run: Run, split: str, *, snapshot: int = -1, **given: Any) -> _R:
        return called(read_snapshot(run, split, snapshot)["correct"], **given)

    return measured_by(of_run)(measure)
