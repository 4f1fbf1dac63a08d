"""Time how data come to the device: decoded, from the cache, streamed.

    python -m benchmarks.data --data-dir DIR [--data fashion_mnist] [--json]

DIR holds the prepared TFDS set. Loading is timed in processes of its own, imports left
out; memory is the growth of the resident set over the imports, at its highest. The
cost of streaming is a training step of the st-VGG on 32x32x3 (batch 100), streamed in
turns with the same from the device.
"""

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

app = App(
    help=__doc__,
    help_format="plaintext",
    result_action="return_value",
    default_parameter=Parameter(negative=()),
)


@app.default
def main(
    *,
    data_dir: Path | None = None,
    data: str = "fashion_mnist",
    turns: int = 5,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> None:
    """Measure and print."""
    found = {"data": data, **loading(data, data_dir, turns), **streaming(turns)}
    if as_json:
        print(json.dumps(found, indent=1))
        return
    print(
        f"{data}: to the device in {found['first_seconds']:.2f} s the first time, "
        f"{found['cached_seconds']:.2f} s from the cache; loading takes "
        f"{found['first_mb']:.0f} MB and {found['cached_mb']:.0f} MB over the imports"
    )
    print(
        f"st-VGG, 32x32x3: a step of {found['members']} members takes "
        f"{found['held_ms']:.0f} ms from the device, streamed {found['ratio']:.2f} "
        f"times as long (window of {found['window_steps']} steps)"
    )


def loading(data: str, data_dir: Path | None, turns: int) -> dict[str, float]:
    """Return seconds and MB of the first load and of those from the cache."""
    first, later = [], []
    for _ in range(turns):
        with tempfile.TemporaryDirectory() as cache:
            first.append(_load_apart(data, data_dir, cache))
            later.append(_load_apart(data, data_dir, cache))
    return {
        "first_seconds": statistics.median(one["seconds"] for one in first),
        "cached_seconds": statistics.median(one["seconds"] for one in later),
        "first_mb": statistics.median(one["mb"] for one in first),
        "cached_mb": statistics.median(one["mb"] for one in later),
    }


def _load_apart(data: str, data_dir: Path | None, cache: str) -> dict[str, float]:
    folder = [] if data_dir is None else ["--data-dir", str(data_dir)]
    command = [sys.executable, "-m", "benchmarks.data", "once", data, *folder]
    environment = {**os.environ, "JAXORDER_CACHE": cache}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
    return json.loads(done.stdout)


@app.command
def once(data: str, *, data_dir: Path | None = None) -> None:
    """Load once; print the seconds to the device and the MB that loading takes."""
    import jax
    import numpy as np
    import PIL.Image  # noqa: F401  # what loading imports is not to be measured
    import tensorflow_datasets as tfds

    from jaxorder.data import load

    _ = tfds.builder_from_directory, tfds.decode  # TFDS imports when first used
    jax.block_until_ready(jax.device_put(np.zeros(1)))
    before = _resident("VmRSS")
    began = time.perf_counter()
    dataset = load(data, data_dir=data_dir)
    peak = _resident("VmHWM")
    splits = dataset.train.inputs, dataset.test.inputs
    jax.block_until_ready([jax.device_put(inputs) for inputs in splits])
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "mb": peak - before}))


def _resident(field: str) -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) * 1024 / 1e6


def streaming(turns: int, members: int = 2) -> dict[str, Any]:
    """Return how much longer a step takes where the data are streamed."""
    from benchmarks.ways import ROWS, network_work
    from jaxorder.ensemble.devices import spread_over_cores
    from jaxorder.run.arrange import arrange

    spread_over_cores(members)
    held = network_work(ROWS["cnn32"], members)
    held = dataclasses.replace(
        held, config=dataclasses.replace(held.config, order="shared")
    )
    small = dataclasses.replace(held.config, device_memory="5MB")
    arrangement = arrange(held.data, small, held.devices)
    streamed = dataclasses.replace(held, config=small, arrangement=arrangement)
    times: dict[str, list[float]] = {"held": [], "streamed": []}
    steps = {"held": _epoch(held), "streamed": _epoch(streamed)}
    for run in steps.values():
        run()
    for _ in range(turns):
        for name, run in steps.items():
            began = time.perf_counter()
            count = run()
            times[name].append((time.perf_counter() - began) / count)
    ratios = [b / a for a, b in zip(times["held"], times["streamed"], strict=True)]
    return {
        "members": members,
        "window_steps": arrangement.window(held.recipe.batch_size),
        "held_ms": 1e3 * statistics.median(times["held"]),
        "ratio": statistics.median(ratios),
    }


def _epoch(work: Any) -> Any:
    """Return a function that trains an epoch, and returns its steps."""
    ensemble = work.ensemble()
    ensemble.begin(0, work.config.members)
    held = [ensemble.init()]

    def run() -> int:
        count = work.recipe.steps_per_epoch
        held[0], _ = ensemble.train_segment(held[0], ensemble.order(0), 0, count)
        return count

    return run


if __name__ == "__main__":
    sys.exit(app())
