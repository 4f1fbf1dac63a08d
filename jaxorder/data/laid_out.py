"""A data set as all members are given it: all splits in one, standardised once.

Whatever needs to know where an example lies asks here: training and evaluation on the
devices, learners, the record.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped

from jaxorder.data.dataset import Dataset, Split
from jaxorder.data.further import Further
from jaxorder.data.standardize import Standardization, standardization
from jaxorder.data.subset import stratified

Positions = Int[np.ndarray, "_"]


class Joined:
    """Arrays on the host, indexed as one, without a copy of any.

    Args:
        parts: [example *input] each, of the same type.
    """

    def __init__(self, parts: Sequence[np.ndarray]) -> None:
        self._parts = parts
        self._ends = np.cumsum([len(part) for part in parts])
        self.shape = (int(self._ends[-1]), *parts[0].shape[1:])
        self.dtype = parts[0].dtype
        self.nbytes = sum(part.nbytes for part in parts)

    def __getitem__(self, at: Int[np.ndarray, "position"]) -> np.ndarray:
        """Return the examples at some positions."""
        found = np.empty((len(at), *self.shape[1:]), self.dtype)
        whose = np.searchsorted(self._ends, at, side="right")
        for number, part in enumerate(self._parts):
            own = whose == number
            found[own] = part[at[own] - (self._ends[number] - len(part))]
        return found


class LaidOut:
    """The examples of all splits, the training examples first.

    What it holds beside the data set is worked out when it is first asked for, once.

    Args:
        dataset: Training and test examples.
        record_examples: Record at most so many of a split; None: all.
        probes: Further examples that are predicted at every snapshot, by name.

    Attributes:
        dataset: The same.
        probes: The same.
        splits: Examples by split: `train`, `test` and the probes.
        recorded: Positions of the recorded examples in each split.

    Raises:
        RequestError: Where the bound is less than the number of classes.
    """

    def __init__(
        self,
        dataset: Dataset,
        record_examples: int | None = None,
        probes: Mapping[str, Further] | None = None,
    ) -> None:
        self.dataset = dataset
        self.probes = dict(probes or {})
        further = {name: probe.split for name, probe in self.probes.items()}
        self.splits = {"train": dataset.train, "test": dataset.test, **further}
        self.recorded = {
            # a probe has been bounded already
            name: _chosen(split, None if name in further else record_examples)
            for name, split in self.splits.items()
        }

    @property
    def examples(self) -> int:
        """Number of examples, of all splits."""
        return sum(len(split.labels) for split in self.splits.values())

    @property
    def pool(self) -> int:
        """Number of training examples."""
        return len(self.dataset.train.labels)

    @property
    def evaluated(self) -> int:
        """Number of recorded examples, of all splits."""
        return len(self.at)

    @cached_property
    def standard(self) -> Standardization:
        """Mean and deviation of the training inputs."""
        return standardization(self.dataset.train.inputs, self.dataset.scaling)

    @cached_property
    def inputs(self) -> Shaped[np.ndarray, "example *input"]:
        """The inputs of all splits, in one array."""
        return np.concatenate([split.inputs for split in self.splits.values()])

    @cached_property
    def joined(self) -> Joined:
        """The same without a copy, for data that are read in parts."""
        return Joined([split.inputs for split in self.splits.values()])

    @cached_property
    def labels(self) -> Int[np.ndarray, "example"]:
        """The labels of all splits."""
        return np.concatenate([split.labels for split in self.splits.values()])

    @cached_property
    def at(self) -> Positions:
        """Positions of the recorded examples among all, those to learn first."""
        sizes = [len(split.labels) for split in self.splits.values()]
        starts = np.cumsum([0, *sizes[:-1]])
        chosen = zip(starts, self.recorded.values(), strict=True)
        return np.concatenate([start + at for start, at in chosen])

    @cached_property
    def parts(self) -> dict[str, slice]:
        """Where the recorded examples of each split lie among those of all."""
        ends = np.cumsum([0, *(len(at) for at in self.recorded.values())])
        return {
            name: slice(int(first), int(end))
            for name, (first, end) in zip(self.recorded, pairwise(ends), strict=True)
        }

    def labelled(self, name: str) -> bool:
        """Whether it is known what is right of the examples of a split."""
        return name not in self.probes or self.probes[name].labelled

    def recorded_labels(self, name: str) -> Int[np.ndarray, "recorded"]:
        """Return the labels of the recorded examples of a split."""
        return self.splits[name].labels[self.recorded[name]]

    def by_split(
        self, values: dict[str, Shaped[np.ndarray, "first evaluated ..."]]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield what was said of the recorded examples, a split at a time.

        Args:
            values: Arrays by name, over the recorded examples of all splits; what
                fills up their last batch may follow.
        """
        for split, part in self.parts.items():
            yield split, {name: array[:, part] for name, array in values.items()}


def _chosen(split: Split, bound: int | None) -> Positions:
    """Return the positions of the examples to record of a split."""
    if bound is None or bound >= len(split.labels):
        return np.arange(len(split.labels))
    return stratified(split.labels, bound, option="record_examples")
