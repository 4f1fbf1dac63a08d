"""The devices of this process, and what is pinned so that bits can be repeated."""

import os
import platform
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import jax

from jaxorder.data.cache import cache_folder

# jax.Device is made at run time: no static checker knows it as a type
Devices = Sequence[Any]


def cores() -> int:
    """Return the processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def spread_over_cores(members: int, planned: int | None = None) -> Devices:
    """Return the devices to spread members over: on a CPU, one a core.

    Compiled programs are kept from then on. XLA's CPU devices must be counted before
    the first use of JAX; where JAX was used before, as in a notebook, the devices there
    are returned, with a warning if more would be faster.

    Args:
        members: Members to spread; no more devices than members are returned.
        planned: Devices of the plan of a run to go on with, whatever the cores.

    Returns:
        Devices of the default backend.
    """
    keep_compiled()
    wanted = planned or min(cores(), members)
    # where the backend is in use, its devices stay as they are
    with suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", wanted)
    devices = jax.devices()
    if devices[0].platform == "cpu" and len(devices) < wanted and not planned:
        warnings.warn(
            f"JAX was used before with {len(devices)} CPU device(s): members run on "
            f"these; up to {wanted / len(devices):.3g} times as fast would be "
            f"jax.config.update('jax_num_cpu_devices', {wanted}) before its first use",
            stacklevel=2,
        )
    return devices[:members]


def keep_compiled() -> None:
    """Keep compiled programs in the cache folder, unless the user has set another.

    A CPU's programs are kept apart by what the processor can do: JAX's own key does
    not tell two processors apart that share a home folder.
    """
    if jax.config.values["jax_compilation_cache_dir"] is None:
        folder = cache_folder() / "xla" / _processor()
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)


def _processor() -> str:
    traits = f"{_cpuinfo('model name')} {_cpuinfo('flags')} {platform.machine()}"
    return f"{zlib.crc32(traits.encode()):08x}"


def _cpuinfo(name: str) -> str:
    """Return what Linux says of the first core; nothing on other systems."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    values = [line.partition(":")[2] for line in lines if line.startswith(name)]
    return values[0].strip() if values else ""


def device_kind(device: Any) -> str:
    """Return what a device is; for a CPU its processor, which JAX does not name."""
    return processor() if device.platform == "cpu" else device.device_kind


def processor() -> str:
    """Return the name of this machine's processor."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def memory_bytes(devices: Devices) -> int:
    """Return the memory that may be used: the devices' own, or the free host memory."""
    if devices[0].platform == "cpu":
        free = "SC_AVPHYS_PAGES" in os.sysconf_names  # not on macOS
        pages = os.sysconf("SC_AVPHYS_PAGES" if free else "SC_PHYS_PAGES")
        return pages * os.sysconf("SC_PAGE_SIZE")
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
