"""How the member axis runs on the devices there are."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from jaxorder.ensemble.devices import Devices
from jaxorder.errors import RequestError

STATE_SHARE = 0.25  # of the memory, for the states of a block; a map holds them twice


@dataclass(frozen=True)
class Plan:
    """The way that a run's members are trained; written into the run and kept.

    Attributes:
        members: `sequential`, one after the other on each device, or `vmap`.
        devices: Devices that the members are spread over.
        block: Members trained in one pass.
        evaluate_batch: Examples of a batch in evaluation.
        why: The reason, in a sentence.
    """

    members: Literal["sequential", "vmap"]
    devices: int
    block: int
    evaluate_batch: int
    why: str

    def to_json(self) -> dict[str, Any]:
        """Return the plan as a JSON document."""
        return asdict(self)

    def blocks(self, members: int) -> list[tuple[int, int]]:
        """Return the first member and the number of members of each block."""
        starts = range(0, members, self.block)
        return [(first, min(self.block, members - first)) for first in starts]


def make_plan(
    members: int,
    state_bytes: int,
    memory_bytes: int,
    devices: Devices,
    block: int | None = None,
) -> Plan:
    """Choose how to train members.

    Args:
        members: Members, at least 1.
        state_bytes: Bytes of one member's parameters and optimiser state.
        memory_bytes: Memory that the process may use for all devices.
        devices: Devices there are.
        block: Members a pass, where the user sets it.

    Returns:
        Sequential map on CPU devices, vmap on accelerators.

    Raises:
        RequestError: Where not even one member's state fits.
    """
    fitting = int(STATE_SHARE * memory_bytes / state_bytes)
    if fitting < 1:
        raise RequestError(
            f"--models: one member's state takes {state_bytes >> 20} MiB; "
            f"{memory_bytes >> 20} MiB of memory are too few; choose a smaller model"
        )
    cpu = devices[0].platform == "cpu"
    return Plan(
        members="sequential" if cpu else "vmap",
        devices=len(devices),
        block=min(members, block or fitting),
        evaluate_batch=256 if cpu else 2048,
        why="members one after the other on each CPU device: vmapped convolutions "
        "are slow there"
        if cpu
        else "vmap, the natural way on an accelerator; not measured",
    )
