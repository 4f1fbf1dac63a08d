"""Checkpoints of a block of members, by orbax: the only module that knows it.

States are saved as numpy arrays with a leading member axis and restored to the host,
so that any kind and number of devices can go on. A fingerprint of the values is kept
with each, and compared after restoring.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from jaxtyping import PyTree

from jaxorder.errors import RequestError, WorkError

FOLDER = "checkpoints"


class BlockCheckpoints:
    """The kept states of one block of members; use it in a `with` statement.

    Args:
        run: Folder of the run.
        first: First member of the block.
        members: Members of the block.
        writing: Whether this process trains the block: what a save that was cut short
            left behind is then removed.
    """

    def __init__(
        self, run: Path, first: int, members: int, *, writing: bool = False
    ) -> None:
        name = f"members-{first:05d}-{first + members - 1:05d}"
        self._folder = run / FOLDER / name
        self._manager = _manager(self._folder, writing)

    def __enter__(self) -> "BlockCheckpoints":
        return self

    def __exit__(self, *exception: object) -> None:
        self._manager.close()

    @property
    def steps(self) -> list[int]:
        """Steps of which there is a complete checkpoint, increasing."""
        return sorted(self._manager.all_steps())

    def save(self, step: int, params: PyTree, rest: PyTree) -> None:
        """Save a state and wait until it is complete on disk.

        Args:
            step: Step that the state was reached at.
            params: Parameters of every member of the block, numpy.
            rest: What else is needed to resume, numpy.

        Raises:
            WorkError: Where orbax did not save.
        """
        saved = self._manager.save(
            step,
            args=ocp.args.Composite(
                params=ocp.args.StandardSave(params),
                rest=ocp.args.StandardSave(rest),
                meta=ocp.args.JsonSave({"fingerprint": fingerprint((params, rest))}),
            ),
        )
        self._manager.wait_until_finished()
        if not saved or step not in self.steps:
            raise WorkError(f"the checkpoint of step {step} was not saved")

    def keep_only(self, steps: set[int]) -> None:
        """Delete all checkpoints but those of some steps."""
        for step in self.steps:
            if step not in steps:
                self._manager.delete(step)

    def restore(self, step: int, params: PyTree, rest: PyTree) -> tuple[Any, Any]:
        """Return a saved state.

        Args:
            step: One of `steps`.
            params: Shapes and types of the parameters, such as a fresh state's.
            rest: Likewise of the rest.

        Returns:
            Both as numpy arrays.

        Raises:
            WorkError: Where they cannot be read, or are not those that were saved.
        """
        trees = ocp.args.Composite(
            params=ocp.args.StandardRestore(_on_host(params)),
            rest=ocp.args.StandardRestore(_on_host(rest)),
            meta=ocp.args.JsonRestore(),
        )
        with self._reading(step):
            found: Any = self._manager.restore(step, args=trees)
        state = jax.tree.map(np.asarray, (found.params, found.rest))
        self._check(step, state, found.meta)
        return state

    def restore_network(self, step: int, statistics: bool) -> tuple[Any, ...]:
        """Return what predicts, as nested dictionaries of numpy arrays.

        Args:
            step: One of `steps`.
            statistics: Whether the statistics are wanted too, the first of the rest;
                the optimiser's state, which may be twice as large, is then read.

        Returns:
            Parameters, and statistics if they are wanted.
        """
        items = ("params", "rest") if statistics else ("params",)
        found = self._restore_items(step, items)
        wanted = (found.params, found.rest[0]) if statistics else (found.params,)
        return jax.tree.map(np.asarray, wanted)

    def verify(self, step: int) -> None:
        """Read a whole checkpoint and compare it with its fingerprint.

        Raises:
            WorkError: Where it cannot be read, or they differ.
        """
        found = self._restore_items(step, ("params", "rest"))
        self._check(step, (found.params, found.rest), found.meta)

    def _restore_items(self, step: int, items: tuple[str, ...]) -> Any:
        with self._reading(step):
            shapes = self._manager.item_metadata(step)
            trees = {i: ocp.args.StandardRestore(_on_host(shapes[i])) for i in items}
            return self._manager.restore(
                step, args=ocp.args.Composite(**trees, meta=ocp.args.JsonRestore())
            )

    def _check(self, step: int, state: PyTree, meta: dict[str, Any]) -> None:
        if fingerprint(state) != meta["fingerprint"]:
            raise WorkError(
                f"{self._folder / str(step)}: the checkpoint of step {step} is "
                "damaged, its values are not those that were saved; delete this "
                "folder and resume from an older one"
            )

    @contextmanager
    def _reading(self, step: int) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # orbax and tensorstore raise many types, this too
            raise WorkError(
                f"{self._folder / str(step)}: the checkpoint of step {step} cannot be "
                "read; delete this folder and resume from an older one"
            ) from error


def _manager(folder: Path, writing: bool = False) -> ocp.CheckpointManager:
    options = ocp.CheckpointManagerOptions(
        enable_async_checkpointing=True, cleanup_tmp_directories=writing
    )
    handlers = {
        "params": ocp.StandardCheckpointHandler(),
        "rest": ocp.StandardCheckpointHandler(),
        "meta": ocp.JsonCheckpointHandler(),
    }
    return ocp.CheckpointManager(
        folder.absolute(), options=options, item_handlers=handlers
    )


def _on_host(tree: PyTree) -> Any:
    """Return shapes and types placed on the first CPU device, as orbax asks."""
    host = jax.sharding.SingleDeviceSharding(jax.local_devices(backend="cpu")[0])
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=host), tree
    )


def fingerprint(tree: PyTree) -> int:
    """Return a checksum of all values of a tree, whatever containers hold them."""
    sums = sorted(
        zlib.crc32(np.ascontiguousarray(leaf).data) for leaf in jax.tree.leaves(tree)
    )
    return zlib.crc32(np.array(sums, np.uint32).data)


def restore_parameters(run: Path, step: int) -> Any:
    """Return the parameters of every member at a step, on the default device.

    Args:
        run: Folder of the run.
        step: A step of which every block kept a checkpoint.

    Returns:
        Nested dictionaries of arrays with a leading member axis.

    Raises:
        RequestError: Where a block has no checkpoint of that step.
    """
    return _restored(run, step, statistics=False)[0]


def restore_networks(run: Path, step: int) -> tuple[Any, Any]:
    """Return the parameters and the batch statistics of every member at a step.

    Args:
        run: Folder of the run.
        step: A step of which every block kept a checkpoint.

    Returns:
        Both as nested dictionaries of arrays with a leading member axis; statistics
        are empty where the network keeps none.

    Raises:
        RequestError: Where a block has no checkpoint of that step.
    """
    params, statistics = _restored(run, step, statistics=True)
    return params, statistics


def _restored(run: Path, step: int, statistics: bool) -> tuple[Any, ...]:
    common = kept_steps(run)
    if step not in common:
        steps = ", ".join(map(str, common)) or "none"
        raise RequestError(f"step {step}: {run} kept checkpoints of steps: {steps}")
    trees = []
    for block in blocks(run):
        with BlockCheckpoints(run, *block) as checkpoints:
            trees.append(checkpoints.restore_network(step, statistics))
    joined = jax.tree.map(lambda *leaves: np.concatenate(leaves), *trees)
    return jax.device_put(joined)


def kept_steps(run: Path) -> list[int]:
    """Return the steps of which every block of a run kept a checkpoint, rising."""
    kept = [_steps(folder) for folder in _folders(run)]
    return sorted(set.intersection(*kept)) if kept else []


def blocks(run: Path) -> list[tuple[int, int]]:
    """Return the first member and the number of members of each block, in order."""
    ends = [folder.name.split("-")[1:] for folder in _folders(run)]
    return [(int(first), int(last) - int(first) + 1) for first, last in ends]


def restore_block(run: Path, step: int, block: tuple[int, int]) -> tuple[Any, Any]:
    """Return the parameters and statistics of a block's members at a kept step.

    Args:
        run: Folder of the run.
        step: One of `kept_steps`.
        block: One of `blocks`.

    Returns:
        Both as nested dictionaries of numpy arrays with a leading member axis.
    """
    with BlockCheckpoints(run, *block) as checkpoints:
        params, statistics = checkpoints.restore_network(step, statistics=True)
    return params, statistics


def _folders(run: Path) -> list[Path]:
    return sorted((run / FOLDER).glob("members-*"))


def _steps(folder: Path) -> set[int]:
    with _manager(folder) as manager:
        return set(manager.all_steps())
