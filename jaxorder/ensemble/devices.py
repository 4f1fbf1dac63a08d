"""The devices of this process, and what is pinned so that bits can be repeated."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import jax

RANDOM = "threefry2x32"


def cores() -> int:
    """Return the processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


def spread_over_cores(members: int) -> list[jax.Device]:
    """Return the devices to spread members over: on a CPU, one a core.

    XLA's CPU devices must be counted before the first use of JAX; where JAX was used
    before, the devices there are returned.

    Args:
        members: Members to spread; no more devices than members are made or returned.

    Returns:
        Devices of the default backend.
    """
    try:
        jax.config.update("jax_num_cpu_devices", max(1, min(cores(), members)))
    except RuntimeError:
        pass  # the backend is in use: its devices stay as they are
    return jax.devices()[:members]


def memory_bytes(devices: list[jax.Device]) -> int:
    """Return the memory that may be used: the devices' own, or the free host memory."""
    if devices[0].platform == "cpu":
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return sum((device.memory_stats() or {})["bytes_limit"] for device in devices)


def matmul_precision(precision: str) -> str:
    """Return the precision of matrix products: a GPU's own float32 may be less."""
    return "highest" if precision == "float32" else "default"


@contextmanager
def pinned(precision: str) -> Iterator[None]:
    """Trace with the random implementation and matrix precision that runs record."""
    with ExitStack() as stack:
        stack.enter_context(jax.threefry_partitionable(True))
        stack.enter_context(
            jax.default_matmul_precision(matmul_precision(precision))
        )
        yield
