"""Records read in order and ahead, worked on in blocks of examples by all cores.

Nothing here holds a record whole. Snapshots are read some at a time, as many as come to
32 MiB and at least one, and the next are read while these are worked on. A block of
examples is small enough to stay in a core's cache, so that several passes over it cost
as much as one. What is worked out of blocks is exact: counts add up to the same
whatever the blocks, and sums over snapshots of an example are taken in their order.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np
import xarray as xr
from jaxtyping import Bool, Integer

from jaxorder.run.folder import labels_of

# Bytes that may be held of what grows with members times examples.
HELD = 2**30
# Bytes of predictions that are read at a time, unless one snapshot has more.
_READ = 2**25
# Entries, members times examples, of a block.
_BLOCK = 2**17


def held_at_most() -> int:
    """Return the bytes that may be held of what grows with members times examples."""
    return HELD


_T = TypeVar("_T")
_R = TypeVar("_R")


class Piece(NamedTuple):
    """Some snapshots of a block of examples.

    Attributes:
        first: position of the first of the snapshots.
        examples: the block.
        prediction: [snapshot, member, example].
        label: [example], of these examples, in the predictions' type where that can
            hold them; None where nobody asks what is correct.
    """

    first: int
    examples: slice
    prediction: Integer[np.ndarray, "snapshot member block"]
    label: Integer[np.ndarray, " block"] | None

    def correct(
        self,
    ) -> Iterator[tuple[int, Bool[np.ndarray, "member block"]]]:
        """Give the position of each snapshot and what is correct there."""
        for snapshot, prediction in enumerate(self.prediction, start=self.first):
            assert self.label is not None, "asked of pieces that are judged"
            yield snapshot, prediction == self.label


def pieces(
    dataset: xr.Dataset,
    work: Callable[[Piece], _R],
    *,
    most: int | None = None,
    examples: slice = slice(None),
    judged: bool = True,
) -> Iterator[_R]:
    """Work on a record piece by piece: the snapshots in order, blocks on all cores.

    Args:
        dataset: `prediction` and `label`, as of a run, `usable`.
        work: takes a piece. It is called of several threads at once, and never for two
            pieces of one block at once: what it adds to for these examples is its own.
        most: how many snapshots, from the first on; None: all.
        examples: of which examples; a block is named by its place among them.
        judged: whether the work asks what is correct, for which there must be labels.

    Yields:
        What the work returns, in the order of snapshots and, within, of blocks.

    Raises:
        RequestError: there are none.
    """
    prediction = dataset["prediction"][:most, :, examples]
    label = None
    if judged:
        label = fitting(labels_of(dataset)[examples], prediction.dtype)
    snapshots, members, length = prediction.shape
    size = max(members * length * prediction.dtype.itemsize, 1)
    starts = range(0, snapshots, max(_READ // size, 1))

    def read(first: int) -> np.ndarray:
        return prediction[first : first + starts.step].values

    for first, batch in zip(starts, _ahead(read, starts), strict=True):
        cut = [
            Piece(
                first,
                block,
                batch[..., block],
                None if label is None else label[block],
            )
            for block in blocks(members, length)
        ]
        yield from spread(work, cut)


def done(results: Iterable[None]) -> None:
    """Do all of a work that returns nothing."""
    for _ in results:
        pass


def _ahead(read: Callable[[int], _T], starts: Iterable[int]) -> Iterator[_T]:
    """Read the next while the last is worked on."""
    with ThreadPoolExecutor(1) as reader:
        coming = None
        for start in starts:
            last, coming = coming, reader.submit(read, start)
            if last is not None:
                yield last.result()
        if coming is not None:
            yield coming.result()


def spread(work: Callable[[_T], _R], given: Iterable[_T]) -> Iterator[_R]:
    """Work on many things by all cores; on a single one without a thread.

    Args:
        work: is called of several threads at once. It gains where it is numpy's most
            of the time, which lets other threads run.
        given: what it takes.

    Yields:
        What it returns, in order; only some more than was asked for is worked on.
    """
    things, several = list(given), cores()
    if len(things) < 2 or several < 2:
        yield from map(work, things)
        return
    with ThreadPoolExecutor(several) as pool:
        # results that nobody has taken yet are held: not those of all
        for some in _cut(len(things), 8 * several):
            yield from pool.map(work, things[some])


def cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def blocks(members: int, examples: int, entries: int | None = None) -> list[slice]:
    """Cut examples into blocks that stay in a core's cache.

    Args:
        members: entries of an example.
        examples: how many there are.
        entries: of a block, at most, unless 512 examples have more; None: as many
            as stay in a cache.

    Example:
        >>> blocks(members=2**10, examples=1500)
        [slice(0, 512, None), slice(512, 1024, None), slice(1024, 1500, None)]
    """
    return _cut(examples, max((entries or _BLOCK) // max(members, 1), 512))


def windows(members: int, examples: int, held: int | None = None) -> list[slice]:
    """Cut examples into windows of which every member's score may be held.

    Args:
        members: how many there are.
        examples: likewise.
        held: bytes that may be; None: 1 GiB.

    Example:
        >>> windows(members=4, examples=10, held=200)
        [slice(0, 6, None), slice(6, 10, None)]
    """
    return _cut(examples, max((held or held_at_most()) // (8 * max(members, 1)), 1))


def _cut(length: int, most: int) -> list[slice]:
    starts = range(0, length, most)
    return [slice(start, min(start + most, length)) for start in starts]


def fitting(
    label: Integer[np.ndarray, " example"], kind: np.dtype
) -> Integer[np.ndarray, " example"]:
    """Bring labels to the type of predictions, where that can hold all of them.

    Two types cost a conversion each time that they are compared.
    """
    known = np.iinfo(kind)
    fits = len(label) and known.min <= label.min() and label.max() <= known.max
    return label.astype(kind) if fits else label


def agreeing(
    correct: Bool[np.ndarray, "member block"],
) -> Integer[np.ndarray, " block"]:
    """Count the members that are correct on each example."""
    # numpy sums narrow numbers many at a time
    kind = np.uint8 if len(correct) < 2**8 else np.uint32
    return np.add.reduce(correct.view(np.uint8), axis=0, dtype=kind)
