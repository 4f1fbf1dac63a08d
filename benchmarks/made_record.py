"""Records of made-up members, of any size: written block by block, never held whole.

Members share a difficulty: a member learns an example when its reach has passed the
example's difficulty and a chance of its own, forgets now and then, and half of its
wrong answers are those that the example suggests to all.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Integer, UInt8

from jaxorder import record
from jaxorder.config import RunConfig
from jaxorder.run.document import DataDescription, RunDocument
from jaxorder.run.folder import Run

# Standard deviations of what members have of their own, beside 1 of the difficulty.
OWN = 0.4
# Of 256: how often a member is wrong on what it has learned.
FORGETS = 4


@dataclass(frozen=True)
class Size:
    """How large a record is.

    Attributes:
        snapshots: T.
        members: N.
        examples: M.
        classes: From 256 on predictions take two bytes.
    """

    snapshots: int
    members: int
    examples: int
    classes: int = 10

    @property
    def predictions(self) -> int:
        """How many there are."""
        return self.snapshots * self.members * self.examples


def write(path: Path, size: Size, seed: int, block: int = 64) -> Run:
    """Write a finished run.

    Args:
        path: Folder of the run, which must not exist.
        size: Of the record.
        seed: Of the members; the examples are the same for all.
        block: Members of a chunk.

    Returns:
        The run, whose only split is `test`.
    """
    examples = np.random.default_rng(0)
    label = examples.integers(0, size.classes, size.examples)
    difficulty = examples.normal(size=size.examples)
    document = _document(size, path.name)
    path.mkdir(parents=True)
    document.write(path)
    record.create(path / record.RECORD, _layout(size, label, seed, block), {})
    (path / record.COMMITS).mkdir()
    for first in range(0, size.members, block):
        members = min(block, size.members - first)
        writer = record.BlockWriter(path, first, members)
        # three times as fast as the default
        rng = np.random.Generator(np.random.SFC64([seed, first]))
        made = predictions(size, label, difficulty, members, rng)
        for snapshot, each in enumerate(made):
            values = {"prediction": each}
            writer.write("test", snapshot, np.ones(members, bool), values)
        last = size.snapshots
        writer.commit(record.Commit(first, members, last, last - 1, 0.0, 0.0))
    record.finish(path)
    return Run(path)


def predictions(
    size: Size,
    label: Integer[np.ndarray, "example"],
    difficulty: np.ndarray,
    members: int,
    rng: np.random.Generator,
) -> Iterator[Integer[np.ndarray, "member example"]]:
    """Give what a block of members predicts, snapshot after snapshot."""
    kind = record.prediction_type(size.classes)
    learned_at = _learned_at(size, difficulty, members, rng)
    right = label.astype(kind)
    suggested = (right + 1) % size.classes
    # what a byte of chance answers, where it does not follow the suggestion
    answers = rng.integers(0, size.classes, 256).astype(kind)
    for snapshot in range(size.snapshots):
        chance = np.frombuffer(rng.bytes(learned_at.size), np.uint8)
        chance = chance.reshape(learned_at.shape)
        correct = (learned_at <= snapshot) & (chance >= FORGETS)
        wrong = np.where(chance & 1, answers.take(chance), suggested)
        yield np.where(correct, right, wrong)


def _learned_at(
    size: Size, difficulty: np.ndarray, members: int, rng: np.random.Generator
) -> UInt8[np.ndarray, "member example"]:
    """Give the snapshot since which each member knows each example; 255: never."""
    found = np.empty((members, size.examples), np.uint8)
    # at the last snapshot a member of no luck knows nine examples in ten
    pace = (size.snapshots - 1) / 3.0
    for own in found:
        threshold = difficulty + OWN * rng.standard_normal(size.examples)
        own[:] = np.clip((threshold + 1.6) * pace, 1, 255)
    return found


def _document(size: Size, name: str) -> RunDocument:
    return RunDocument(
        config=RunConfig(
            data="made", model="imported", name=name, members=size.members
        ),
        kind="imported",
        steps=list(range(size.snapshots)),
        steps_per_epoch=1,
        data=DataDescription(
            name="made",
            digest="",
            train=0,
            test=size.examples,
            classes=size.classes,
            class_names=[str(i) for i in range(size.classes)],
            input_shape=[],
        ),
        plan={},
        members_differ="their chance",
        time_axis="epochs",
        time_unit="epoch",
        created="",
    )


def _layout(
    size: Size, label: Integer[np.ndarray, "example"], seed: int, block: int
) -> record.Layout:
    return record.Layout(
        steps=np.arange(size.snapshots),
        epochs=np.arange(size.snapshots, dtype=float),
        seeds=np.arange(size.members, dtype=np.uint64) + np.uint64(1000 * seed),
        splits={"test": record.RecordedSplit(label, np.arange(size.examples))},
        classes=[str(i) for i in range(size.classes)],
        block=min(block, size.members),
        quantities=(),
        inputs={},
    )
