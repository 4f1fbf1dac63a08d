"""Where a training step and an evaluation find the data: on the devices, or streamed.

Data that do not fit come in windows of batches, shared by all members, which are read
ahead by another thread. Which examples a window holds is a function of the order alone,
so a stream taken up in the middle of an epoch is the same stream.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from jaxtyping import Int

from jaxorder.ensemble.member import Examples, Recipe

AHEAD = 2  # windows held ready on the host


class Windows:
    """Examples on the devices, window after window.

    Args:
        examples: All of the data, on the host.
        positions: Examples of each window.
        put: Brings one window to the devices.
    """

    def __init__(
        self,
        examples: Examples,
        positions: Int[np.ndarray, "window position"],
        put: Callable[[Examples], Examples],
    ) -> None:
        self._examples = examples
        self._positions = positions
        self._put = put
        self._index = -1
        self._read: Any = None

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, index: int) -> Examples:
        """Return a window on the devices; the next one is cheaper than any other."""
        if index != self._index:
            if self._read is None or index != self._index + 1:
                self._read = self._reader(index)
            self._current = self._put(next(self._read))
            self._index = index
        return self._current

    def _reader(self, index: int) -> Any:
        import grain

        options = grain.ReadOptions(num_threads=1, prefetch_buffer_size=AHEAD)
        source: Any = _Source(self._examples, self._positions[index:], index)
        return iter(grain.MapDataset.source(source).to_iter_dataset(options))


class _Source:
    """What grain reads: whole windows, by number."""

    def __init__(
        self,
        examples: Examples,
        positions: Int[np.ndarray, "window position"],
        skipped: int,
    ) -> None:
        self._examples = examples
        self._positions = positions
        self._skipped = skipped

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, index: int) -> Examples:
        at = self._positions[index]
        return self._examples._replace(
            inputs=self._examples.inputs[at],
            labels=self._examples.labels[at],
            first=np.int32((index + self._skipped) * len(at)),
        )


# order of the examples, the examples, first step, steps
Part = tuple[Any, Examples, int, int]


class Resident:
    """All of the data, on the devices.

    Args:
        examples: The data there.
    """

    def __init__(self, examples: Examples) -> None:
        self._examples = examples

    def parts(self, order: Any, start: int, count: int) -> Iterator[Part]:
        """Yield what each call of the compiled training takes: here it is one call."""
        yield order, self._examples, start, count

    def group(self, group: int) -> tuple[Examples, int]:
        """Return the examples of a group of evaluation, and its number among them."""
        return self._examples, group


class Streamed:
    """Data on the host, brought to the devices in windows of some steps.

    Args:
        recipe: How one member is trained.
        examples: The data.
        steps: Steps that a window is for.
        put: Brings a window to the devices.
    """

    def __init__(
        self,
        recipe: Recipe,
        examples: Examples,
        steps: int,
        put: Callable[[Examples], Examples],
    ) -> None:
        self._recipe = recipe
        self._steps = steps
        self._put = put
        groups, *shape = examples.evaluated.shape
        places = np.arange(np.prod(shape), dtype=np.int32).reshape(1, *shape)
        self._examples = examples._replace(evaluated=places)
        evaluated = np.asarray(examples.evaluated).reshape(groups, -1)
        self._groups = Windows(self._examples, evaluated, put)

    @property
    def places(self) -> Int[np.ndarray, "position"]:
        """The order of the examples of a window, as the members see it."""
        return np.arange(self._steps * self._recipe.batch_size, dtype=np.int32)

    def windows(self, order: Int[np.ndarray, "position"]) -> Windows:
        """Return the windows of an epoch with some order of the training examples."""
        size = len(self.places)
        whole = np.pad(order, (0, -len(order) % size))
        return Windows(self._examples, whole.reshape(-1, size), self._put)

    def parts(
        self, order: tuple[Any, Windows], start: int, count: int
    ) -> Iterator[Part]:
        """Yield what each call of the compiled training takes: one call a window."""
        places, windows = order
        while count:
            index, within = divmod(start % self._recipe.steps_per_epoch, self._steps)
            steps = min(count, self._steps - within)
            yield places, windows[index], start, steps
            start, count = start + steps, count - steps

    def group(self, group: int) -> tuple[Examples, int]:
        """Return the examples of a group of evaluation, and its number among them."""
        return self._groups[group], 0
