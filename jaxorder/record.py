"""What every member predicted for every example at every snapshot, as zarr arrays.

A record is a zarr group with one group a split. Arrays are [snapshot, member,
example], in chunks of one snapshot and one block of members, so that blocks are
written and moved without touching one another. Entries not written hold the fill
value. A block's commit counter, beside the record, says up to which snapshot its
chunks are complete and on disk; readers trust nothing beyond it.
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
import zarr
from jaxtyping import Bool, Float, Int, Integer, Shaped
from xarray.backends import BackendArray
from xarray.core import indexing
from zarr.errors import ZarrUserWarning

from jaxorder.errors import WorkError
from jaxorder.files import new_folder, read_json, sync, write_json

RECORD = "record.zarr"
COMMITS = "commits"
HELD_BYTES = 64 << 20  # of snapshots, before they are written also without a commit
WITHOUT_LABELS = ("prediction", "probability")
Floats = Float[np.ndarray, "member example"]


def prediction_type(classes: int) -> np.dtype:
    """Return the type of predictions: uint8, or uint16 from 256 classes on."""
    return np.dtype(np.uint8 if classes < 256 else np.uint16)


def not_recorded(kind: np.dtype) -> int:
    """Return the prediction that means "not recorded": 255 or 65535."""
    return int(np.iinfo(kind).max)


def recorded_of(quantities: Iterable[str], labelled: bool) -> list[str]:
    """Return which quantities can be recorded of examples, labelled or not."""
    return [name for name in quantities if labelled or name in WITHOUT_LABELS]


class Named(NamedTuple):
    """An array and what its axes are called."""

    values: np.ndarray
    dimensions: tuple[str, ...]


@dataclass(frozen=True)
class RecordedSplit:
    """The examples of a split that are recorded.

    Attributes:
        label: What the members are trained towards; None where nothing is known to be
            right.
        example_id: Positions in the named source.
        columns: What else is known of each, by name.
        member_columns: What is known of each example for each member, by name: what it
            was `trained_on`, its `member_label`.
        attributes: JSON values of the group, such as where the examples come from,
            which win over those of the record.
    """

    label: Integer[np.ndarray, "example"] | None
    example_id: Int[np.ndarray, "example"]
    columns: Mapping[str, Shaped[np.ndarray, "example"]] = field(default_factory=dict)
    member_columns: Mapping[str, Shaped[np.ndarray, "member example"]] = field(
        default_factory=dict
    )
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """The shape of a record, known before the first step.

    Attributes:
        steps: Steps of the snapshots.
        epochs: The same in epochs.
        seeds: A number for each member's streams.
        splits: Recorded examples by split.
        classes: Names of the classes.
        block: Members a block; the last block may hold fewer.
        quantities: Recorded beside the predictions.
        inputs: What the inputs were standardised and projected by, and what else is
            no split's.
        members: What members differ in, by name, on the axis `member`, or `snapshot`
            and `member`.
        attributes: JSON values of each split, such as what a step is.
    """

    steps: Int[np.ndarray, "snapshot"]
    epochs: Float[np.ndarray, "snapshot"]
    seeds: Shaped[np.ndarray, "member"]
    splits: Mapping[str, RecordedSplit]
    classes: Sequence[str]
    block: int
    quantities: Sequence[str]
    inputs: Mapping[str, Named]
    members: Mapping[str, Named] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)


def create(path: Path, layout: Layout, attributes: Mapping[str, Any]) -> None:
    """Make an empty record.

    Args:
        path: Folder of the record, which must not exist.
        layout: Its shape.
        attributes: JSON values kept with it, such as digests and versions.
    """
    root = zarr.create_group(
        path, attributes={"class_names": list(layout.classes), **attributes}
    )
    for name, named in layout.inputs.items():
        _store(root, name, *named)
    for name, split in layout.splits.items():
        _create_split(root.create_group(name), layout, split, attributes)


def create_group(run: Path, name: str, layout: Layout) -> None:
    """Make an empty group in a record that is there, with a commit counter of its own.

    Args:
        run: Folder of the run.
        name: Of the group, which must not exist.
        layout: Its shape; the only one of its splits is the group.
    """
    (run / COMMITS / name).mkdir(exist_ok=True)
    with new_folder(run / RECORD / name) as folder:
        group = zarr.create_group(folder)
        _create_split(group, layout, layout.splits[name], {})


def attributes(run: Path, name: str) -> dict[str, Any]:
    """Return the attributes of a group of a record."""
    group = zarr.open_group(run / RECORD, path=name, mode="r", use_consolidated=False)
    return dict(group.attrs)


def _create_split(
    group: zarr.Group,
    layout: Layout,
    split: RecordedSplit,
    attributes: Mapping[str, Any],
) -> None:
    group.attrs.update(
        {
            "class_names": list(layout.classes),
            "coordinates": " ".join(("step epoch seed example_id", *layout.members)),
            **layout.attributes,
            **attributes,
            **split.attributes,
        }
    )
    _store(group, "step", layout.steps, ("snapshot",))
    _store(group, "epoch", layout.epochs, ("snapshot",))
    _store(group, "example_id", split.example_id, ("example",))
    if split.label is not None:
        _store(group, "label", split.label, ("example",))
    for name, column in split.columns.items():
        _store(group, name, column, ("example",))
    for name, (values, dimensions) in _of_members(layout, split).items():
        _store(group, name, values, dimensions, layout.block)
    _reserve(group, layout, "finite", np.dtype(bool), False)
    kind = prediction_type(len(layout.classes))
    examples = len(split.example_id)
    _reserve(group, layout, "prediction", kind, not_recorded(kind), examples)
    for name in recorded_of(layout.quantities, split.label is not None):
        extra = [len(layout.classes)] if name == "probability" else []
        kind = np.dtype(np.float16 if name == "probability" else np.float32)
        _reserve(group, layout, name, kind, np.nan, examples, *extra)


def _of_members(layout: Layout, split: RecordedSplit) -> dict[str, Named]:
    """Return what is known of each member before the first step."""
    columns = {
        name: Named(values, ("member", "example"))
        for name, values in split.member_columns.items()
    }
    return {"seed": Named(layout.seeds, ("member",)), **layout.members, **columns}


def _store(
    group: zarr.Group,
    name: str,
    values: np.ndarray,
    dimensions: tuple[str, ...],
    block: int | None = None,
) -> None:
    """Keep an array, in chunks of a block of members where that is given."""
    chunks: Any = "auto"
    if block:
        chunks = tuple(
            min(block, size) if dimension == "member" else size
            for dimension, size in zip(dimensions, values.shape, strict=True)
        )
    group.create_array(name, data=values, dimension_names=dimensions, chunks=chunks)


def extend(path: Path, layout: Layout) -> None:
    """Make room for more members in a record; what is there already stays.

    May be repeated, also after it was cut short.

    Args:
        path: Folder of the record.
        layout: Its shape with the further members.
    """
    root = zarr.open_group(path, mode="r+", use_consolidated=False)
    for name, split in layout.splits.items():
        group = root[name]
        assert isinstance(group, zarr.Group)
        _unconsolidate(path / name)
        known = _of_members(layout, split)
        for key, array in group.arrays():
            _extend_array(array, len(layout.seeds), known.get(key))
    _unconsolidate(path)


def _extend_array(array: zarr.Array, members: int, values: Named | None) -> None:
    dimensions = array.metadata.dimension_names or ()  # pyright: ignore[reportAttributeAccessIssue]  # of format 3
    if "member" not in dimensions:
        return
    axis = dimensions.index("member")
    shape = tuple(members if i == axis else n for i, n in enumerate(array.shape))
    if shape != array.shape:
        array.resize(shape)
    if values is not None:
        array[...] = values.values


def _unconsolidate(folder: Path) -> None:
    """Take back the summary of what a group holds, which would be out of date."""
    path = folder / "zarr.json"
    document = read_json(path)
    if document.pop("consolidated_metadata", None) is not None:
        write_json(path, document)


def _reserve(
    group: zarr.Group,
    layout: Layout,
    name: str,
    kind: np.dtype,
    fill: float | bool,
    *shape: int,
) -> None:
    """Make an array that is written block by block and snapshot by snapshot."""
    # one snapshot's probabilities are kept, but on the record's own axes
    group.create_array(
        name,
        shape=(len(layout.steps), len(layout.seeds), *shape),
        chunks=(1, layout.block, *shape),
        dtype=kind,
        fill_value=fill,
        dimension_names=("snapshot", "member", "example", "class")[: 2 + len(shape)],
    )


@dataclass(frozen=True)
class Commit:
    """How far a block of members is, durably.

    Attributes:
        first: First member of the block.
        members: Members of the block.
        snapshots: Snapshots complete on disk.
        step: Step of the training at the time.
        train_seconds: Time spent in training steps so far.
        evaluate_seconds: Time spent in evaluation and recording so far.
    """

    first: int
    members: int
    snapshots: int
    step: int
    train_seconds: float
    evaluate_seconds: float


class BlockWriter:
    """Writes the snapshots of one block of members, and its commit counter.

    Snapshots are held until a commit, or until they are many, and written together:
    zarr takes milliseconds a call, as long as small networks take for an evaluation.
    Nothing is lost thereby, since readers trust committed snapshots only.

    Args:
        run: Folder of the run.
        first: First member of the block.
        members: Members of the block.
        group: The group that is written, where it has a commit counter of its own.
    """

    def __init__(self, run: Path, first: int, members: int, group: str = "") -> None:
        self._run, self._group = run, group
        # a summary may be of before the group was made
        path = run / RECORD
        self._record = zarr.open_group(path, mode="r+", use_consolidated=False)
        self._members = slice(first, first + members)
        self._arrays: dict[tuple[str, str], zarr.Array] = {}
        self._unsynced: set[Path] = set()
        # by split and array: the first snapshot held, and those from there on
        self._held: dict[tuple[str, str], tuple[int, list[np.ndarray]]] = {}
        self._held_bytes = 0

    def write(
        self,
        split: str,
        snapshot: int,
        finite: Bool[np.ndarray, "member"],
        values: Mapping[str, Shaped[np.ndarray, "member example *class"]],
    ) -> None:
        """Write one snapshot of a split.

        Args:
            split: Name of the split.
            snapshot: Position on the snapshot axis; the one after the last written, or
                after those that were committed.
            finite: Members whose values count; the others become "not recorded".
            values: Arrays by name; `prediction` among them.
        """
        self._hold(split, "finite", snapshot, finite)
        for name, array in values.items():
            fill = self._array(split, name).fill_value
            mask = finite.reshape(-1, *[1] * (array.ndim - 1))
            self._hold(split, name, snapshot, np.where(mask, array, fill))
        if self._held_bytes > HELD_BYTES:
            self.flush()

    def read(self, split: str, snapshot: int) -> Shaped[np.ndarray, "member example"]:
        """Return the predictions written at a snapshot."""
        return self._read(split, "prediction", snapshot)

    def read_finite(self, split: str, snapshot: int) -> Bool[np.ndarray, "member"]:
        """Return the members that were finite at a snapshot."""
        return self._read(split, "finite", snapshot)

    def commit(self, commit: Commit) -> None:
        """Put all that was written on the disk, then move the block's counter."""
        self.flush()
        record = self._run / RECORD
        # a snapshot's chunks lie in folders of their own, which are new names too
        folders = {
            folder
            for path in self._unsynced
            for folder in path.parents
            if record in folder.parents
        }
        for path in sorted(self._unsynced) + sorted(folders):
            sync(path)
        self._unsynced.clear()
        write_json(
            _commit_path(self._run, self._group, commit.first, commit.members),
            asdict(commit),
        )

    def flush(self) -> None:
        """Write what is held, one call an array; it is not committed by that."""
        for (split, name), (first, held) in self._held.items():
            array = self._array(split, name)
            array[first : first + len(held), self._members] = np.stack(held)
            chunk = self._members.start // array.chunks[1]
            for snapshot in range(first, first + len(held)):
                key = array.metadata.encode_chunk_key(
                    (snapshot, chunk) + (0,) * (array.ndim - 2)
                )
                path = self._run / RECORD / split / name / key
                if path.exists():  # a chunk of fill values alone is not stored
                    self._unsynced.add(path)
        self._held.clear()
        self._held_bytes = 0

    def _array(self, split: str, name: str) -> zarr.Array:
        if (split, name) not in self._arrays:  # to open one is to read a file
            array = self._record[f"{split}/{name}"]
            assert isinstance(array, zarr.Array)
            self._arrays[split, name] = array
        return self._arrays[split, name]

    def _read(self, split: str, name: str, snapshot: int) -> np.ndarray:
        first, held = self._held.get((split, name), (0, []))
        if 0 <= snapshot - first < len(held):
            return held[snapshot - first]
        return np.asarray(self._array(split, name)[snapshot, self._members])

    def _hold(self, split: str, name: str, snapshot: int, values: np.ndarray) -> None:
        first, held = self._held.get((split, name), (snapshot, []))
        if snapshot != first + len(held):
            self.flush()
            first, held = snapshot, []
        held.append(values.astype(self._array(split, name).dtype))
        self._held[split, name] = first, held
        self._held_bytes += held[-1].nbytes


def _commit_path(run: Path, group: str, first: int, members: int) -> Path:
    name = f"members-{first:05d}-{first + members - 1:05d}.json"
    return run / COMMITS / group / name


def read_commit(run: Path, first: int, members: int, group: str = "") -> Commit:
    """Return how far a block is; nothing where it was never committed."""
    path = _commit_path(run, group, first, members)
    if not path.exists():
        return Commit(first, members, 0, 0, 0.0, 0.0)
    return Commit(**read_json(path))


def commits(run: Path, group: str = "") -> list[Commit]:
    """Return the counters of all blocks that were committed at all.

    Args:
        run: Folder of the run.
        group: A group that has counters of its own; else those of the training.
    """
    paths = sorted((run / COMMITS / group).glob("members-*.json"))
    return [Commit(**read_json(path)) for path in paths]


def has_counter(run: Path, group: str) -> bool:
    """Whether a group has a commit counter of its own, as it was evaluated later."""
    return (run / COMMITS / group).is_dir()


def finish(run: Path) -> None:
    """Consolidate a complete record, so that plain tools open it without a warning."""
    root = zarr.open_group(run / RECORD, mode="r", use_consolidated=False)
    with warnings.catch_warnings():
        # consolidation is not yet in the text of zarr's format 3, its readers know it
        warnings.simplefilter("ignore", ZarrUserWarning)
        for name in [*root.group_keys(), None]:
            zarr.consolidate_metadata(run / RECORD, path=name)


def groups(run: Path) -> list[str]:
    """Return the names of the groups of a run's record, in order."""
    found = (run / RECORD).glob("*/prediction/zarr.json")
    return sorted(path.parts[-3] for path in found)


def members(run: Path, group: str) -> int:
    """Return the number of members that a group has room for."""
    path = f"{group}/prediction"
    return zarr.open_array(run / RECORD, path=path, mode="r").shape[1]


def read_root(run: Path, name: str) -> np.ndarray:
    """Return an array of the record that is no split's."""
    return np.asarray(zarr.open_array(run / RECORD, path=name, mode="r")[...])


def read(run: Path, split: str) -> xr.Dataset:
    """Return the committed part of a split's record, lazily.

    Args:
        run: Folder of the run.
        split: `train` or `test`, or the name of another group.

    Returns:
        The snapshots that any block has committed; what other blocks have not
        committed there reads as "not recorded" and not finite.

    Raises:
        WorkError: Where making room for more members was cut short.
    """
    path = run / RECORD
    try:
        dataset = xr.open_zarr(path, group=split, consolidated=False, chunks=None)
    except ValueError as error:  # arrays of different numbers of members
        later = has_counter(run, split)
        way_out = f"evaluate {split} again" if later else f"jaxorder resume {run}"
        raise WorkError(
            f"{run}: its growth was cut short; go on with: {way_out}"
        ) from error
    blocks = commits(run, split if has_counter(run, split) else "")
    most = max((commit.snapshots for commit in blocks), default=0)
    dataset = dataset.isel(snapshot=slice(0, most))
    if all(c.snapshots == most for c in blocks) and _covered(blocks, dataset):
        return dataset
    return _masked(dataset, committed(blocks, most, dataset.sizes["member"]))


def committed(
    blocks: Sequence[Commit], snapshots: int, members: int
) -> Bool[np.ndarray, "snapshot member"]:
    """Return which snapshots of which members are complete on disk."""
    done = np.zeros((snapshots, members), bool)
    for commit in blocks:
        done[: commit.snapshots, commit.first : commit.first + commit.members] = True
    return done


def _covered(blocks: Sequence[Commit], dataset: xr.Dataset) -> bool:
    return sum(commit.members for commit in blocks) == dataset.sizes["member"]


def _masked(
    dataset: xr.Dataset, done: Bool[np.ndarray, "snapshot member"]
) -> xr.Dataset:
    for name, array in dataset.data_vars.items():
        if array.dims[:2] == ("snapshot", "member"):
            masked = indexing.LazilyIndexedArray(_Masked(array.variable, done))
            dataset[name] = xr.Variable(array.dims, masked, array.attrs)
    return dataset


class _Masked(BackendArray):
    """What is recorded where it is committed, and the fill value elsewhere.

    It is read when it is asked for, and what is asked for: a record may be larger than
    memory.
    """

    def __init__(
        self, recorded: xr.Variable, done: Bool[np.ndarray, "snapshot member"]
    ) -> None:
        self._recorded, self._done = recorded, xr.Variable(recorded.dims[:2], done)
        self.shape, self.dtype = recorded.shape, recorded.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        """Read a part."""
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        values, done = self._recorded[key].values, self._done[key[:2]].values
        beyond = (np.newaxis,) * (values.ndim - done.ndim)
        masked = np.where(done[(..., *beyond)], values, _fill(self.dtype))
        return masked.astype(self.dtype, copy=False)


def _fill(kind: np.dtype) -> Any:
    if np.issubdtype(kind, np.floating):
        return np.nan
    return False if kind.kind == "b" else not_recorded(kind)
