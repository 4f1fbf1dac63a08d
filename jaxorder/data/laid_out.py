"""A data set as all members are given it: both splits in one, standardised once.

Whatever needs to know where an example lies asks here: training and evaluation on the
devices, learners, the record.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped

from jaxorder.data.dataset import Dataset
from jaxorder.data.standardize import Standardization, standardization
from jaxorder.data.subset import stratified

SPLITS = ("train", "test")
Positions = Int[np.ndarray, "_"]


class Joined:
    """Two arrays on the host, indexed as one, without a copy of either.

    Args:
        first: [example *input].
        second: [example *input], of the same type.
    """

    def __init__(self, first: np.ndarray, second: np.ndarray) -> None:
        self._parts = first, second
        self.shape = (len(first) + len(second), *first.shape[1:])
        self.dtype = first.dtype
        self.nbytes = first.nbytes + second.nbytes

    def __getitem__(self, at: Int[np.ndarray, "position"]) -> np.ndarray:
        """Return the examples at some positions."""
        first, second = self._parts
        found = np.empty((len(at), *self.shape[1:]), self.dtype)
        own = at < len(first)
        found[own] = first[at[own]]
        found[~own] = second[at[~own] - len(first)]
        return found


class LaidOut:
    """The examples of both splits, the training examples first.

    What it holds beside the data set is worked out when it is first asked for, once.

    Args:
        dataset: Training and test examples.
        record_examples: Record at most so many of a split; None: all.

    Attributes:
        dataset: The same.

    Raises:
        RequestError: Where the bound is less than the number of classes.
    """

    def __init__(self, dataset: Dataset, record_examples: int | None = None) -> None:
        self.dataset = dataset
        self.recorded = {
            name: _chosen(dataset, name, record_examples) for name in SPLITS
        }

    @property
    def examples(self) -> int:
        """Number of examples, of both splits."""
        return self.pool + len(self.dataset.test.labels)

    @property
    def pool(self) -> int:
        """Number of training examples."""
        return len(self.dataset.train.labels)

    @property
    def evaluated(self) -> int:
        """Number of recorded examples, of both splits."""
        return len(self.at)

    @cached_property
    def standard(self) -> Standardization:
        """Mean and deviation of the training inputs."""
        return standardization(self.dataset.train.inputs, self.dataset.scaling)

    @cached_property
    def inputs(self) -> Shaped[np.ndarray, "example *input"]:
        """The inputs of both splits, in one array."""
        return np.concatenate([self.dataset.train.inputs, self.dataset.test.inputs])

    @cached_property
    def joined(self) -> Joined:
        """The same without a copy, for data that are read in parts."""
        return Joined(self.dataset.train.inputs, self.dataset.test.inputs)

    @cached_property
    def labels(self) -> Int[np.ndarray, "example"]:
        """The labels of both splits."""
        return np.concatenate([self.dataset.train.labels, self.dataset.test.labels])

    @cached_property
    def at(self) -> Positions:
        """Positions of the recorded examples among all, those to learn first."""
        starts = {"train": 0, "test": self.pool}
        return np.concatenate([starts[name] + self.recorded[name] for name in SPLITS])

    @cached_property
    def parts(self) -> dict[str, slice]:
        """Where the recorded examples of each split lie among those of both."""
        middle = len(self.recorded["train"])
        return {"train": slice(0, middle), "test": slice(middle, self.evaluated)}

    def recorded_labels(self, split: str) -> Int[np.ndarray, "recorded"]:
        """Return the labels of the recorded examples of a split."""
        return self.dataset.split(split).labels[self.recorded[split]]

    def by_split(
        self, values: dict[str, Shaped[np.ndarray, "first evaluated ..."]]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield what was said of the recorded examples, a split at a time.

        Args:
            values: Arrays by name, over the recorded examples of both splits; what
                fills up their last batch may follow.
        """
        for split, part in self.parts.items():
            yield split, {name: array[:, part] for name, array in values.items()}


def _chosen(dataset: Dataset, split: str, bound: int | None) -> Positions:
    """Return the positions of the examples to record of a split."""
    labels = dataset.split(split).labels
    if bound is None or bound >= len(labels):
        return np.arange(len(labels))
    return stratified(labels, bound, option="record_examples")
