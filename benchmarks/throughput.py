"""Time a training step of N members, against the other ways to train them here.

    python -m benchmarks.throughput [--rows mlp28 cnn28] [--members 1 8 32] [--json]

Rows are networks, all with SGD with momentum, data in memory, dropout as in the model:
`mlp28` is the C-score MLP (784-512-256-10, batch 128), `mlp8` an MLP 64-64 on 8x8
images (batch 32), `cnn8` and `cnn28` the small st-VGG on 8x8 (batch 32) and 28x28x1
(batch 100), `cnn32` the st-VGG and `resnet18` the ResNet-18 with group normalisation on
32x32x3 (batch 100), `bilstm` the BiLSTM with attention on texts of 100 tokens (10,000
words, 100 units a direction, batch 64; PyTorch's is `nn.LSTM`).

Ways: `jaxorder` as planned; `vmap`, one jitted step of plain `jax.vmap` over members
with XLA's convolutions, on one device; `loop`, one jitted step with XLA's convolutions
called in a Python loop over members; `torch`, PyTorch one by one (channels_last, all
threads); `torch_vmap`, PyTorch's `torch.func` over stacked members. Ways take turns in
one run, and so does a matrix product, to whose best rate the others are compared;
figures are medians, with the first and third quartile. Operations are counted by the
direct sum of each convolution, without the gradient of the first layer's input, also
where a way takes fewer. A way that is predicted, by what it took with fewer members, to
take more than `--budget` seconds is not run. Peak memory is that of a process of its
own, for `--peak-members`.
`--write FILE.md` writes a page and beside it a figure of the cost against N.
Needs the extra `bench`.
"""

# PyTorch is there with the extra `bench` only
# pyright: reportMissingImports=false

import json
import platform
import shlex
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from cyclopts import App, Parameter

from benchmarks.page import write_page
from benchmarks.ways import ROWS, WAYS, Row, Steps, Way, evaluate_way, network_work
from jaxorder.ensemble.devices import cores, device_kind, spread_over_cores
from jaxorder.models import forward_flops, layer_flops
from jaxorder.run.networks import NetworkWork

app = App(
    help=__doc__,
    help_format="plaintext",
    result_action="return_value",
    default_parameter=Parameter(consume_multiple=True, negative=()),
)
TURN_SECONDS = 1.0
PRODUCTS = 10
GROWTH_ROWS = ("mlp8", "cnn8")
GROWTH_MEMBERS = (1, 4, 16, 64, 256)


@app.default
def main(
    *,
    rows: list[str] = list(ROWS),  # noqa: B006  # cyclopts copies it
    members: list[int] = [1, 8, 32],  # noqa: B006
    ways: list[str] | None = None,
    turns: int = 5,
    budget: float = 60.0,
    peak_members: list[int] = [8],  # noqa: B006
    as_json: Annotated[bool, Parameter(name="--json")] = False,
    write: Path | None = None,
) -> None:
    """Measure and print."""
    made = {w: m for w, m in WAYS.items() if ways is None or w in ways}
    spread_over_cores(max(members))
    if write:
        write.parent.mkdir(parents=True, exist_ok=True)
    cells = []
    for name in rows:
        known: dict[str, float] = {}  # ms a member-step with fewer members
        for count in members:
            found = measure(name, count, made, turns, budget, known, peak_members)
            cells.append(found)
            if not as_json:
                print_cell(found)
    document = {
        "schema": 3,
        "command": shlex.join(["python", "-m", "benchmarks.throughput", *sys.argv[1:]]),
        "machine": machine(),
        "turns": turns,
        "cells": cells,
    }
    if write:
        document["growth"] = growth(made)
        write_page(write, document)
    if as_json:
        print(json.dumps(document, indent=1))


@app.command
def peak(row: str, members: int, way: str) -> None:
    """Print the MiB that a process takes at most to train so."""
    spread_over_cores(members)
    steps = WAYS[way](ROWS[row], network_work(ROWS[row], members))
    steps(2)
    # not getrusage's, which begins with what the parent held
    status = Path("/proc/self/status").read_text()
    print(int(status.partition("VmHWM:")[2].split()[0]) >> 10)


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "device": device_kind(jax.devices()[0]),
        "cores": cores(),
        "python": platform.python_version(),
        "jax": jax.__version__,
        "torch": version("torch"),
    }


def print_cell(cell: dict[str, Any]) -> None:
    """Print a cell's ways, one a line."""
    for way, found in cell["ways"].items():
        head = f"{cell['row']:6} N={cell['members']:<3} {way:10} {found['ms']:8.3f} ms"
        if found["predicted"]:
            print(f"{head} a member-step, predicted: too long to measure", flush=True)
            continue
        print(
            f"{head} a member-step [{found['low']:.3f}, {found['high']:.3f}] "
            f"{found['gflops']:5.0f} GF/s ({found['share']:.0%}) "
            f"{found['peak_mib'] or 0:6} MiB, compiles in "
            f"{found['compile_seconds']:.1f} s {found['ratio'] or 0:6.2f}x "
            f"loss {found['loss'][0]:.2f} to {found['loss'][1]:.2f}",
            flush=True,
        )
    if "evaluate" in cell:
        found = cell["evaluate"]
        print(
            f"{cell['row']:6} N={cell['members']:<3} evaluates "
            f"{found['examples_per_second']:,.0f} examples/s, "
            f"{found['gflops']:.0f} GF/s ({found['share']:.0%})",
            flush=True,
        )


def measure(
    name: str,
    members: int,
    ways: dict[str, Way],
    turns: int,
    budget: float,
    known: dict[str, float],
    peak_members: list[int],
) -> dict[str, Any]:
    """Return each way's figures, measured in turns."""
    row = ROWS[name]
    work = network_work(row, members)
    running = begin(row, work, ways, turns, budget, known)
    evaluate = evaluate_way(work)
    evaluate()
    times: dict[str, list[float]] = {way: [] for way in running}
    evaluation: list[float] = []
    products: list[float] = []
    for _ in range(turns):
        products.append(matmul_rate())
        take_turn(running, times)
        evaluation.append(evaluate())
    best = statistics.median(products)
    found: dict[str, dict[str, Any]] = {}
    for way in ways:
        if way not in running:
            found[way] = {"predicted": True, "ms": known[way]}
            continue
        figures = cell(times[way], work, running[way], best)
        peak = peak_of(name, members, way) if members in peak_members else None
        known[way] = figures["ms"]
        found[way] = {"predicted": False, "peak_mib": peak, **figures}
    ours = found.get("jaxorder", {}).get("ms")
    for figures in found.values():
        figures["ratio"] = figures["ms"] / ours if ours else None
    return {
        "row": name,
        "members": members,
        "plan": work.plan.why,
        "matmul_gflops": best,
        "ways": found,
        "evaluate": evaluated(evaluation, work, best),
    }


@dataclass(frozen=True)
class Running:
    """A way made ready: its steps, how many a turn, and what making them showed."""

    steps: Steps
    count: int
    compile_seconds: float
    loss: tuple[float, float]


def begin(
    row: Row,
    work: NetworkWork,
    ways: dict[str, Way],
    turns: int,
    budget: float,
    known: dict[str, float],
) -> dict[str, Running]:
    """Return the ways that are within the budget; note in `known` what others take."""
    members = work.config.members
    running = {}
    for way, make in ways.items():
        if known.get(way, 0.0) * members / 1e3 * turns > budget:
            continue
        began = time.perf_counter()
        steps = make(row, work)
        first = steps(1)
        compiled = time.perf_counter() - began
        one = timed(steps, 1)
        if one * turns > budget:  # the first and only time
            known[way] = 1e3 * one / members
            continue
        later = steps(min(20, max(1, int(5 / one))))
        count = max(1, int(TURN_SECONDS / one))
        running[way] = Running(steps, count, compiled, (first, later))
    return running


def take_turn(running: dict[str, Running], times: dict[str, list[float]]) -> None:
    """Append the seconds that a step of all members takes, each way."""
    for way, ready in running.items():
        times[way].append(timed(ready.steps, ready.count))


def timed(function: Steps, count: int) -> float:
    """Return the seconds a step of all members takes."""
    began = time.perf_counter()
    function(count)
    return (time.perf_counter() - began) / count


def cell(
    times: list[float], work: NetworkWork, ready: Running, best: float
) -> dict[str, Any]:
    """Return the figures of one way."""
    each = sorted(1e3 * t / work.config.members for t in times)
    middle = statistics.median(each)
    gflops = step_flops(work) / middle / 1e6
    return {
        "ms": middle,
        "low": each[len(each) // 4],
        "high": each[-1 - len(each) // 4],
        "examples_per_second": 1e3 * work.recipe.batch_size / middle,
        "gflops": gflops,
        "share": gflops / best,
        "compile_seconds": ready.compile_seconds,
        "loss": ready.loss,
    }


def evaluated(times: list[float], work: NetworkWork, best: float) -> dict[str, float]:
    """Return the figures of the evaluation."""
    rate = work.config.members * work.data.evaluated / statistics.median(times)
    flops = forward_flops(work.recipe.model)
    gflops = rate * flops / 1e9
    return {"examples_per_second": rate, "gflops": gflops, "share": gflops / best}


def matmul_rate() -> float:
    """Return the GF/s of the best matrix product: each device its own, or one's."""
    return max(
        _product_rate(devices, shape)
        for devices in (jax.devices(), jax.devices()[:1])
        for shape in ((6400, 576, 128), (1024, 1024, 1024))
    )


def _product_rate(devices: Any, shape: tuple[int, int, int]) -> float:
    rows, inner, columns = shape
    pairs = [
        jax.device_put((jnp.ones((rows, inner)), jnp.ones((inner, columns))), device)
        for device in devices
    ]
    if (len(devices), shape) not in _warm:
        _warm.add((len(devices), shape))
        jax.block_until_ready([_products(*pair) for pair in pairs])
    began = time.perf_counter()
    jax.block_until_ready([_products(*pair) for pair in pairs])
    seconds = time.perf_counter() - began
    return 2e-9 * PRODUCTS * len(pairs) * rows * inner * columns / seconds


_warm: set[Any] = set()


@jax.jit
def _products(a: jax.Array, b: jax.Array) -> jax.Array:
    def one(_: Any, total: jax.Array) -> jax.Array:
        # of other factors each time, else it is computed once
        return total + (a + total[0, 0]) @ b

    return jax.lax.fori_loop(0, PRODUCTS, one, a @ b)


def peak_of(row: str, members: int, way: str) -> int:
    """Return the MiB that a process takes at most, from one of its own."""
    command = [sys.executable, "-m", "benchmarks.throughput", "peak"]
    done = subprocess.run(
        [*command, row, str(members), way],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    return int(done.stdout)


def growth(ways: dict[str, Way]) -> dict[str, Any]:
    """Return ms a member-step of the small networks, by the number of members."""
    found: dict[str, Any] = {}
    for name in GROWTH_ROWS:
        known: dict[str, float] = {}
        found[name] = {way: {} for way in ways}
        for members in GROWTH_MEMBERS:
            work = network_work(ROWS[name], members)
            running = begin(ROWS[name], work, ways, 3, 15.0, known)
            times: dict[str, list[float]] = {way: [] for way in running}
            for _ in range(3):
                take_turn(running, times)
            for way, each in times.items():
                known[way] = 1e3 * statistics.median(each) / members
                found[name][way][members] = known[way]
    return found


def step_flops(work: NetworkWork) -> float:
    """Return the multiplications and additions that a member's step needs.

    Three times the forward pass's matrix products and convolutions (forward, gradient
    of the weights, gradient of the inputs), less the first layer's gradient of inputs,
    unless these are embedded words, which have one.
    """
    layers = layer_flops(work.recipe.model)
    first = 0.0 if work.data.dataset.train.tokens else layers[0]
    return work.recipe.batch_size * (3 * sum(layers) - first)


if __name__ == "__main__":
    sys.exit(app())
