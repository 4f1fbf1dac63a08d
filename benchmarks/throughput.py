"""Time a training step of N members, against the other ways to train them here.

    python -m benchmarks.throughput [--rows mlp28 cnn28] [--members 1 8 32] [--json]

Rows are networks, all with SGD with momentum, data in memory, dropout as in the model:
`mlp28` is the C-score MLP (784-512-256-10, batch 128), `mlp8` an MLP 64-64 on 8x8
images (batch 32), `cnn8` and `cnn28` the small st-VGG on 8x8 (batch 32) and 28x28x1
(batch 100), `cnn32` the st-VGG and `resnet18` the ResNet-18 with group normalisation on
32x32x3 (batch 100).

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
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from cyclopts import App, Parameter

from benchmarks.page import write_page
from jaxorder.config import RunConfig
from jaxorder.data import from_arrays
from jaxorder.ensemble import member
from jaxorder.ensemble.devices import cores, device_kind, spread_over_cores
from jaxorder.ensemble.mapped import Ensemble
from jaxorder.ensemble.member import Recipe
from jaxorder.ensemble.plan import Plan
from jaxorder.ensemble.streams import member_streams
from jaxorder.models import forward_flops, layer_flops
from jaxorder.run.workload import Workload, prepare

app = App(
    help=__doc__,
    help_format="plaintext",
    result_action="return_value",
    default_parameter=Parameter(consume_multiple=True, negative=()),
)
EXAMPLES = 4096
RATE, MOMENTUM = 0.01, 0.9
TURN_SECONDS = 1.0
PRODUCTS = 10
GROWTH_ROWS = ("mlp8", "cnn8")
GROWTH_MEMBERS = (1, 4, 16, 64, 256)
# takes so many steps with every member, waits, and returns their mean loss
Steps = Callable[[int], float]


@dataclass(frozen=True)
class Row:
    """A network and its data.

    Attributes:
        model: Model string.
        shape: Of an input.
        batch: Examples a step.
    """

    model: str
    shape: tuple[int, ...]
    batch: int


ROWS = {
    "mlp8": Row("mlp:widths=64-64", (8, 8, 1), 32),
    "mlp28": Row("mlp:widths=512-256", (28, 28, 1), 128),
    "cnn8": Row("small_st_vgg", (8, 8, 1), 32),
    "cnn28": Row("small_st_vgg", (28, 28, 1), 100),
    "cnn32": Row("st_vgg", (32, 32, 3), 100),
    "resnet18": Row("resnet18", (32, 32, 3), 100),
}


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
    cells = []
    for name in rows:
        known: dict[str, float] = {}  # ms a member-step with fewer members
        for count in members:
            found = measure(name, count, made, turns, budget, known, peak_members)
            cells.append(found)
            if not as_json:
                print_cell(found)
    document = {"schema": 2, "machine": machine(), "turns": turns, "cells": cells}
    if write:
        document["growth"] = growth(made)
        write_page(write, document)
    if as_json:
        print(json.dumps(document, indent=1))


@app.command
def peak(row: str, members: int, way: str) -> None:
    """Print the MiB that a process takes at most to train so."""
    spread_over_cores(members)
    steps = WAYS[way](ROWS[row], workload(ROWS[row], members))
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
    ways: dict[str, Any],
    turns: int,
    budget: float,
    known: dict[str, float],
    peak_members: list[int],
    whole: bool = True,
) -> dict[str, Any]:
    """Return each way's figures, measured in turns; all of them, or times only."""
    row = ROWS[name]
    work = workload(row, members)
    steps: dict[str, Steps] = {}
    compiled: dict[str, float] = {}
    count: dict[str, int] = {}
    losses: dict[str, tuple[float, float]] = {}
    for way, make in ways.items():
        if known.get(way, 0.0) * members / 1e3 * turns > budget:
            continue
        began = time.perf_counter()
        steps[way] = make(row, work)
        first = steps[way](1)
        compiled[way] = time.perf_counter() - began
        one = timed(steps[way], 1)
        count[way] = max(1, int(TURN_SECONDS / one))
        losses[way] = first, steps[way](min(20, max(1, int(5 / one))))
        if one * turns > budget:  # the first and only time
            known[way] = 1e3 * one / members
            del steps[way]
    times: dict[str, list[float]] = {way: [] for way in steps}
    evaluation: list[float] = []
    products: list[float] = []
    evaluate = evaluate_way(work) if whole else lambda: 1.0
    evaluate()
    for _ in range(turns):
        products.append(matmul_rate() if whole else 1.0)
        for way, function in steps.items():
            times[way].append(timed(function, count[way]))
        evaluation.append(evaluate())
    best = statistics.median(products)
    found = {}
    for way in ways:
        if way in steps:
            figures = cell(times[way], members, work, compiled[way], best)
            figures |= {
                "loss": losses[way],
                "peak_mib": peak_of(name, members, way)
                if members in peak_members
                else None,
            }
            known[way] = figures["ms"]
        else:
            figures = {"ms": known[way]}
        found[way] = {"predicted": way not in steps, **figures}
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


def timed(function: Steps, count: int) -> float:
    """Return the seconds a step of all members takes."""
    began = time.perf_counter()
    function(count)
    return (time.perf_counter() - began) / count


def cell(
    times: list[float], members: int, work: Workload, compiled: float, best: float
) -> dict[str, Any]:
    """Return the figures of one way."""
    each = sorted(1e3 * t / members for t in times)
    middle = statistics.median(each)
    gflops = step_flops(work) / middle / 1e6
    return {
        "ms": middle,
        "low": each[len(each) // 4],
        "high": each[-1 - len(each) // 4],
        "examples_per_second": 1e3 * work.recipe.batch_size / middle,
        "gflops": gflops,
        "share": gflops / best,
        "compile_seconds": compiled,
    }


def evaluated(times: list[float], work: Workload, best: float) -> dict[str, float]:
    """Return the figures of the evaluation."""
    rate = work.config.members * work.evaluated / statistics.median(times)
    flops = forward_flops(work.recipe.model, work.dataset.input_shape)
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


def growth(ways: dict[str, Any]) -> dict[str, Any]:
    """Return ms a member-step of the small networks, by the number of members."""
    found: dict[str, Any] = {}
    for name in GROWTH_ROWS:
        known: dict[str, float] = {}
        found[name] = {way: {} for way in ways}
        for members in GROWTH_MEMBERS:
            done = measure(name, members, ways, 3, 15.0, known, [], whole=False)
            for way, figures in done["ways"].items():
                if not figures["predicted"]:
                    found[name][way][members] = figures["ms"]
    return found


def workload(row: Row, members: int) -> Workload:
    """Return a run of a row's network, planned, on data that it can learn."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, EXAMPLES).astype(np.int32)
    noise = rng.integers(0, 128, (EXAMPLES, *row.shape))
    inputs = (noise + rng.integers(0, 128, (10, *row.shape))[labels]).astype(np.uint8)
    data = from_arrays("patterns", inputs, labels, inputs[:100], np.arange(100) % 10)
    config = RunConfig(
        data="patterns",
        model=row.model,
        members=members,
        optimizer="momentum",
        momentum=MOMENTUM,
        learning_rate=RATE,
        batch_size=row.batch,
    )
    return prepare(config, data, jax.devices()[:members], measure="always")


def step_flops(work: Workload) -> float:
    """Return the multiplications and additions that a member's step needs.

    Three times the forward pass's matrix products and convolutions (forward, gradient
    of the weights, gradient of the inputs), less the first layer's gradient of inputs.
    """
    layers = layer_flops(work.recipe.model, work.dataset.input_shape)
    return work.recipe.batch_size * (3 * sum(layers) - layers[0])


# ---- the ways


def _ensemble(work: Workload, plan: Plan) -> Steps:
    made = Ensemble(work.recipe, work.config, plan, work.examples(), work.devices)
    made.begin(0, work.config.members)
    held = [made.init()]
    order = made.order(0)

    def steps(count: int) -> float:
        losses = np.zeros(1)
        for start in range(0, count, work.recipe.steps_per_epoch):
            size = min(count - start, work.recipe.steps_per_epoch)
            held[0], losses = made.train_segment(held[0], order, 0, size)
        return float(losses.mean())

    return steps


def evaluate_way(work: Workload) -> Callable[[], float]:
    """Return a function that evaluates every example with every member, timed."""
    examples = work.examples()
    made = Ensemble(work.recipe, work.config, work.plan, examples, work.devices)
    made.begin(0, work.config.members)
    state = made.init()

    def evaluate() -> float:
        began = time.perf_counter()
        made.predict(state)
        return time.perf_counter() - began

    return evaluate


def jaxorder_way(row: Row, work: Workload) -> Steps:
    """Return steps as jaxorder plans them."""
    del row
    return _ensemble(work, work.plan)


def vmap_way(row: Row, work: Workload) -> Steps:
    """Return one jitted step of `jax.vmap` over members, on one device."""
    del row
    recipe, examples = work.recipe, jax.device_put(work.examples())
    streams = member_streams(work.config, 0, work.config.members)
    held = [jax.jit(jax.vmap(lambda s: member.init(recipe, s)))(streams)]
    orders = _orders(recipe, streams)

    def one(state: Any, streams: Any, order: Any, examples: Any, at: Any) -> Any:
        return member.train_step(recipe, state, streams, order, examples, at)

    step = jax.jit(jax.vmap(one, in_axes=(0, 0, 0, None, None)), donate_argnums=(0,))

    def steps(count: int) -> float:
        losses = []
        for i in range(count):
            at = np.int32(i % recipe.steps_per_epoch)
            held[0], loss = step(held[0], streams, orders, examples, at)
            losses.append(loss)
        jax.block_until_ready(held)
        return float(np.mean(jax.device_get(losses)))

    return steps


def _orders(recipe: Recipe, streams: Any) -> Any:
    return jax.jit(jax.vmap(lambda s: member.epoch_order(recipe, s, jnp.int32(0))))(
        streams
    )


def loop_way(row: Row, work: Workload) -> Steps:
    """Return one jitted step, called in a Python loop over members."""
    del row
    recipe, examples = work.recipe, jax.device_put(work.examples())
    streams = member_streams(work.config, 0, work.config.members)
    count = work.config.members
    own = [jax.tree.map(lambda k, i=i: k[i], streams) for i in range(count)]
    orders = list(_orders(recipe, streams))
    init = jax.jit(lambda s: member.init(recipe, s))
    states = [init(s) for s in own]
    step = jax.jit(lambda *a: member.train_step(recipe, *a), donate_argnums=(0,))

    def steps(count: int) -> float:
        losses = []
        for i in range(count):
            at = np.int32(i % recipe.steps_per_epoch)
            for m, (streams, order) in enumerate(zip(own, orders, strict=True)):
                states[m], loss = step(states[m], streams, order, examples, at)
                losses.append(loss)
        jax.block_until_ready(states)
        return float(np.mean(jax.device_get(losses)))

    return steps


def torch_way(row: Row, work: Workload) -> Steps:
    """Return PyTorch's members one by one."""
    import torch

    inputs, labels, standard = _torch_data(work)
    models = [_torch_model(row) for _ in range(work.config.members)]
    rules = [
        torch.optim.SGD(m.parameters(), lr=RATE, momentum=MOMENTUM) for m in models
    ]
    orders = [torch.randperm(EXAMPLES) for _ in models]

    def steps(count: int) -> float:
        total = torch.zeros(())
        for i in range(count):
            start = i * row.batch % (EXAMPLES - row.batch)
            for model, rule, order in zip(models, rules, orders, strict=True):
                at = order[start : start + row.batch]
                logits = model(standard(inputs[at]))
                loss = torch.nn.functional.cross_entropy(logits, labels[at])
                rule.zero_grad(set_to_none=True)
                loss.backward()
                rule.step()
                total += loss.detach()
        return float(total) / count / len(models)

    return steps


def torch_vmap_way(row: Row, work: Workload) -> Steps:
    """Return PyTorch's members stacked, under `torch.func.vmap`."""
    import torch
    from torch.func import functional_call, grad_and_value, stack_module_state, vmap

    inputs, labels, standard = _torch_data(work)
    models = [_torch_model(row) for _ in range(work.config.members)]
    params, _ = stack_module_state(models)
    params = {k: v.detach() for k, v in params.items()}
    speeds = {k: torch.zeros_like(v) for k, v in params.items()}
    orders = torch.stack([torch.randperm(EXAMPLES) for _ in models])

    def loss(one: dict, x: Any, y: Any) -> Any:
        logits = functional_call(models[0], one, (x,))
        return torch.nn.functional.cross_entropy(logits, y)

    gradients = vmap(grad_and_value(loss), randomness="different")

    def steps(count: int) -> float:
        total = torch.zeros(())
        for i in range(count):
            start = i * row.batch % (EXAMPLES - row.batch)
            at = orders[:, start : start + row.batch]
            found, losses = gradients(params, standard(inputs[at]), labels[at])
            total += losses.mean()
            for name, value in found.items():
                speeds[name].mul_(MOMENTUM).add_(value)
                params[name].sub_(RATE * speeds[name])
        return float(total) / count

    return steps


def _torch_data(work: Workload) -> Any:
    """Return images, labels, and what standardises a batch of images."""
    import torch

    train, examples = work.dataset.train, work.examples()
    images = torch.tensor(np.moveaxis(train.inputs, -1, 1))
    mean, deviation = (
        torch.tensor(np.asarray(x)).reshape(-1, 1, 1)
        for x in (examples.mean, examples.deviation)
    )

    def standard(inputs: Any) -> Any:
        inputs = inputs.float().sub_(mean).div_(deviation)
        # with a member axis there is no such format
        if inputs.dim() == 4:
            return inputs.contiguous(memory_format=torch.channels_last)
        return inputs

    return images, torch.tensor(train.labels).long(), standard


def _torch_model(row: Row) -> Any:
    from torch import channels_last, nn

    height, width, channels = row.shape
    if row.model.startswith("mlp"):
        sizes = [int(w) for w in row.model.split("=")[1].split("-")]
        layers: list[Any] = [nn.Flatten()]
        for a, b in zip([height * width * channels, *sizes], sizes, strict=False):
            layers += [nn.Linear(a, b), nn.ReLU()]
        return _as_ours(nn.Sequential(*layers, nn.Linear(sizes[-1], 10)))
    if row.model == "resnet18":
        return _torch_resnet18(channels).to(memory_format=channels_last)
    small = row.model == "small_st_vgg"
    blocks: list[Any] = []
    for b, size in ((32, 3), (64, 3), *(() if small else ((128, 3), (256, 2)))):
        blocks += [nn.Conv2d(channels, b, size, padding="same"), nn.ELU()]
        blocks += [nn.Conv2d(b, b, size, padding="same"), nn.ELU(), nn.MaxPool2d(2)]
        blocks += [nn.Dropout(0.25)]
        channels, height, width = b, height // 2, width // 2
    units = 256 if small else 512
    dense = [nn.Linear(height * width * channels, units), nn.ELU(), nn.Dropout(0.5)]
    model = nn.Sequential(*blocks, nn.Flatten(), *dense, nn.Linear(units, 10))
    _as_ours(model)
    for parameter in model.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.contiguous(memory_format=channels_last)
    return model


def _torch_resnet18(channels: int) -> Any:
    from torch import nn

    def convolved(before: int, after: int, size: int, stride: int) -> Any:
        return nn.Sequential(
            nn.Conv2d(before, after, size, stride, size // 2, bias=False),
            nn.GroupNorm(32, after),
        )

    class Block(nn.Module):
        def __init__(self, before: int, after: int, stride: int) -> None:
            super().__init__()
            self.first = convolved(before, after, 3, stride)
            self.second = convolved(after, after, 3, 1)
            same = stride == 1 and before == after
            self.beside = nn.Identity() if same else convolved(before, after, 1, stride)

        def forward(self, x: Any) -> Any:
            y = self.second(nn.functional.relu(self.first(x)))
            return nn.functional.relu(self.beside(x) + y)

    layers: list[Any] = [convolved(channels, 64, 3, 1), nn.ReLU()]
    before = 64
    for after, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers += [Block(before, after, stride), Block(after, after, 1)]
        before = after
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)]
    return _as_ours(nn.Sequential(*layers))


def _as_ours(model: Any) -> Any:
    """Draw weights as jaxorder's layers do."""
    from torch import nn

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
            nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]
    return model


WAYS = {
    "jaxorder": jaxorder_way,
    "vmap": vmap_way,
    "loop": loop_way,
    "torch": torch_way,
    "torch_vmap": torch_vmap_way,
}

if __name__ == "__main__":
    sys.exit(app())
