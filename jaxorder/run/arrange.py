"""The data as they go to the devices, and whether all of them fit there."""

import math

import numpy as np
from jaxtyping import Int

from jaxorder.config import RunConfig
from jaxorder.data.laid_out import LaidOut
from jaxorder.ensemble.devices import Devices, memory_bytes
from jaxorder.ensemble.member import Examples
from jaxorder.errors import RequestError, given
from jaxorder.members.subsets import differ
from jaxorder.options import parse_bytes
from jaxorder.run.layout import LabelVectors

GROUP = 16  # batches evaluated in one call
WINDOW_BYTES = 64 << 20  # more would not be faster
SHARE = 4  # of the memory allowed, that a window may take: two ahead, one in use


class Arrangement:
    """How a data set lies on the devices.

    Args:
        data: Training and test examples.
        window_bytes: Bytes of a window, where the data are streamed.
        label_vectors: Labels of the training examples that members have of their own.

    Attributes:
        streamed: Whether they are.
    """

    def __init__(
        self,
        data: LaidOut,
        window_bytes: int | None,
        label_vectors: LabelVectors | None = None,
    ) -> None:
        self._data = data
        self._window_bytes = window_bytes
        self._label_vectors = label_vectors
        self.streamed = window_bytes is not None

    def window(self, batch_size: int) -> int | None:
        """Return the steps that a window is for; None where all data are held."""
        if self._window_bytes is None:
            return None
        per_epoch = -(-self._data.pool // batch_size)
        return min(per_epoch, self._fitting(batch_size))

    def examples(self, batch: int) -> Examples:
        """Return the data on the host, to be evaluated in batches of a size."""
        data = self._data
        return Examples(
            inputs=data.joined if self.streamed else data.inputs,  # pyright: ignore[reportArgumentType]  # indexed alike
            labels=data.labels,
            mean=data.standard.mean,
            deviation=data.standard.deviation,
            evaluated=self._evaluated(batch),
            label_vectors=self._label_vectors,
        )

    def _evaluated(self, batch: int) -> Int[np.ndarray, "group batch position"]:
        at = self._data.at
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
        each = batch * self._data.dataset.example_bytes
        return max(1, self._window_bytes // each)


def arrange(
    data: LaidOut,
    config: RunConfig,
    devices: Devices,
    label_vectors: LabelVectors | None = None,
) -> Arrangement:
    """Decide whether the data are held or streamed.

    Raises:
        RequestError: Where they must be streamed, but each member has an order or
            labels or examples of its own.
    """
    allowed = _allowed(config, devices)
    needed = data.examples * data.dataset.example_bytes
    if needed <= allowed:
        return Arrangement(data, None, label_vectors)
    asked = (
        f"{given('data', data.dataset.name)}: {needed / 1e6:,.1f} MB of inputs, but a "
        f"device may hold {allowed / 1e6:,.1f} MB"
    )
    if label_vectors is not None or differ(config):
        raise RequestError(
            f"{asked}; members with examples or labels of their own need all on the "
            f"device; give {given('train_examples')} or more {given('device_memory')}"
        )
    if config.order != "shared":
        raise RequestError(
            f"{asked}; give {given('order', 'shared')} to stream them in batches that "
            f"all members share, or {given('train_examples')}"
        )
    return Arrangement(data, min(WINDOW_BYTES, allowed // SHARE))


def _allowed(config: RunConfig, devices: Devices) -> int:
    """Return the bytes of inputs that a device may hold: half of what it has."""
    if config.device_memory is not None:
        return parse_bytes(config.device_memory, "device_memory")
    return memory_bytes(devices) // len(devices) // 2
