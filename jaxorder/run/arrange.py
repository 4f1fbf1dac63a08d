"""The data as they go to the devices, and whether all of them fit there."""

import math
from functools import partial

import numpy as np
from jaxtyping import Int

from jaxorder.config import RunConfig, parse_bytes
from jaxorder.data import Dataset
from jaxorder.data.standardize import standardization
from jaxorder.ensemble.devices import Devices, memory_bytes
from jaxorder.ensemble.member import Examples
from jaxorder.ensemble.stream import Joined
from jaxorder.ensemble.subsets import differ
from jaxorder.errors import RequestError, given

GROUP = 16  # batches evaluated in one call
WINDOW_BYTES = 64 << 20  # more would not be faster
Vectors = Int[np.ndarray, "vector example"]
SHARE = 4  # of the memory allowed, that a window may take: two ahead, one in use


class Arrangement:
    """How a data set lies on the devices.

    Args:
        dataset: Training and test examples.
        recorded: Positions of the recorded examples within each split.
        window_bytes: Bytes of a window, where the data are streamed.
        vectors: Labels of the training examples that members have of their own.

    Attributes:
        streamed: Whether they are.
    """

    def __init__(
        self,
        dataset: Dataset,
        recorded: dict[str, Int[np.ndarray, "_"]],
        window_bytes: int | None,
        vectors: Vectors | None = None,
    ) -> None:
        self._vectors = vectors
        self._dataset = dataset
        self._recorded = recorded
        self._window_bytes = window_bytes
        self.streamed = window_bytes is not None

    def window(self, batch_size: int) -> int | None:
        """Return the steps that a window is for; None where all data are held."""
        if self._window_bytes is None:
            return None
        per_epoch = -(-len(self._dataset.train.labels) // batch_size)
        return min(per_epoch, self._fitting(batch_size))

    def examples(self, batch: int) -> Examples:
        """Return the data on the host, to be evaluated in batches of a size."""
        train, test = self._dataset.train, self._dataset.test
        standard = standardization(train.inputs, self._dataset.scaling)
        join = Joined if self.streamed else _concatenated
        return Examples(
            inputs=join(train.inputs, test.inputs),  # pyright: ignore[reportArgumentType]  # indexed alike
            labels=np.concatenate([train.labels, test.labels]),
            mean=standard.mean,
            deviation=standard.deviation,
            evaluated=self._evaluated(batch),
            vectors=self._vectors,
        )

    def _evaluated(self, batch: int) -> Int[np.ndarray, "group batch position"]:
        after = len(self._dataset.train.labels)
        at = np.concatenate([self._recorded["train"], after + self._recorded["test"]])
        batch = min(batch, len(at))
        batches = -(-len(at) // batch)
        groups = -(-batches // min(GROUP, self._fitting(batch)))
        shape = groups, -(-batches // groups), batch
        padded = np.pad(at, (0, math.prod(shape) - len(at)))
        return padded.reshape(shape).astype(np.int32)

    def _fitting(self, batch: int) -> int:
        """Return the batches that a window holds, at least one."""
        if self._window_bytes is None:
            return GROUP
        return max(1, self._window_bytes // (batch * self._dataset.example_bytes))


def _concatenated(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.concatenate([first, second])


def arrange(
    dataset: Dataset,
    recorded: dict[str, Int[np.ndarray, "_"]],
    config: RunConfig,
    devices: Devices,
    vectors: Vectors | None = None,
) -> Arrangement:
    """Decide whether the data are held or streamed.

    Raises:
        RequestError: Where they must be streamed, but each member has an order or
            labels or examples of its own.
    """
    found = partial(Arrangement, dataset, recorded, vectors=vectors)
    allowed = _allowed(config, devices)
    examples = len(dataset.train.labels) + len(dataset.test.labels)
    needed = examples * dataset.example_bytes
    if needed <= allowed:
        return found(None)
    if vectors is not None or differ(config):
        raise RequestError(
            f"{given('data', dataset.name)}: {needed / 1e6:,.1f} MB of inputs, but a "
            f"device may hold {allowed / 1e6:,.1f} MB; members with examples or labels "
            f"of their own need all on the device; give {given('train_examples')} or "
            f"more {given('device_memory')}"
        )
    if config.order != "shared":
        raise RequestError(
            f"{given('data', dataset.name)}: {needed / 1e6:,.1f} MB of inputs, but a "
            f"device may hold {allowed / 1e6:,.1f} MB; give {given('order', 'shared')} "
            "to stream them in batches that all members share, or "
            f"{given('train_examples')}"
        )
    return found(min(WINDOW_BYTES, allowed // SHARE))


def _allowed(config: RunConfig, devices: Devices) -> int:
    """Return the bytes of inputs that a device may hold: half of what it has."""
    if config.device_memory is not None:
        return parse_bytes(config.device_memory, "device_memory")
    return memory_bytes(devices) // len(devices) // 2
