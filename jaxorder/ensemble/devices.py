"""The devices of this process, and what is pinned so that bits can be repeated."""

import os
import platform
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import jax

from jaxorder.data.cache import cache_folder

# jax.Device is made at run time: no static checker knows it as a type
Devices = Sequence[Any]

RANDOM = "threefry2x32"


def cores() -> int:
    """Return the processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


def spread_over_cores(members: int, planned: int | None = None) -> Devices:
    """Return the devices to spread members over: on a CPU, one a core.

    Compiled programs are kept from then on. XLA's CPU devices must be counted before
    the first use of JAX; where JAX was used before, the devices there are returned.

    Args:
        members: Members to spread; no more devices than members are returned.
        planned: Devices of the plan of a run to go on with, whatever the cores.

    Returns:
        Devices of the default backend.
    """
    keep_compiled()
    # where the backend is in use, its devices stay as they are
    with suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", planned or min(cores(), members))
    return jax.devices()[:members]


def keep_compiled() -> None:
    """Keep compiled programs in the cache folder, unless the user has set another.

    A CPU's programs are kept apart by what the processor can do: JAX's own key does
    not tell two processors apart that share a home folder.
    """
    if jax.config.jax_compilation_cache_dir is None:
        folder = cache_folder() / "xla" / _processor()
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    traits = sorted(
        {line for line in lines if line.startswith(("model name", "flags"))}
    )
    return f"{zlib.crc32(''.join(traits).encode()):08x}"


def device_kind(device: Any) -> str:
    """Return what a device is; for a CPU its processor, which JAX does not name."""
    if device.platform != "cpu":
        return device.device_kind
    with Path("/proc/cpuinfo").open() as lines:
        names = [line.partition(":")[2] for line in lines if "model name" in line]
    return names[0].strip() if names else platform.machine()


def memory_bytes(devices: Devices) -> int:
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
        stack.enter_context(jax.default_matmul_precision(matmul_precision(precision)))
        yield
