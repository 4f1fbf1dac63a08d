"""Time one training step of N members, against the other ways to train them here.

    python -m benchmarks.throughput [--rows mlp28 cnn28] [--members 1 8 32] [--json]

Rows are networks, all with SGD with momentum, data in memory, dropout as in the model:
`mlp28` is the C-score MLP (784-512-256-10, batch 128), `mlp8` an MLP 64-64 on 8x8
images (batch 32), `cnn8` and `cnn28` the small st-VGG on 8x8 (batch 32) and 28x28x1
(batch 100).

Ways: `jaxorder` as planned; `vmap`, the same members under plain `jax.vmap` with XLA's
convolutions on one device; `loop`, one jitted step with XLA's convolutions called in a
Python loop over members; `torch`, PyTorch one by one (channels_last, all threads);
`torch_vmap`, PyTorch's `torch.func` over stacked members. Ways take turns in one run;
figures are medians of ms a member-step, with the first and third quartile. A way whose
first step predicts more than `--budget` seconds a turn is not timed further.
Needs the extra `bench`.
"""
# PyTorch is there with the extra `bench` only
# pyright: reportMissingImports=false

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from cyclopts import App, Parameter

from jaxorder.config import RunConfig
from jaxorder.data import from_arrays
from jaxorder.ensemble import member
from jaxorder.ensemble.devices import cores, device_kind, spread_over_cores
from jaxorder.ensemble.mapped import Ensemble
from jaxorder.ensemble.plan import Lowering, Plan
from jaxorder.ensemble.streams import member_streams
from jaxorder.models import layer_flops
from jaxorder.run.workload import Workload, prepare

app = App(
    help=__doc__,
    help_format="plaintext",
    result_action="return_value",
    default_parameter=Parameter(consume_multiple=True, negative=()),
)
EXAMPLES = 4096
RATE, MOMENTUM = 0.01, 0.9
TURN_SECONDS = 2.0  # as long as a run of jaxorder trains in one call
PLAIN = Lowering("vmap", "native")
Steps = Callable[[int], Any]  # takes so many steps with every member and waits


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
}


@app.default
def main(
    *,
    rows: list[str] = list(ROWS),  # noqa: B006  # cyclopts copies it
    members: list[int] = [1, 8, 32],  # noqa: B006
    ways: list[str] | None = None,
    turns: int = 7,
    budget: float = 30.0,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> None:
    """Measure and print."""
    spread_over_cores(max(members))
    cells = []
    for name in rows:
        for count in members:
            made = {w: m for w, m in WAYS.items() if ways is None or w in ways}
            found = measure(ROWS[name], count, made, turns, budget)
            cells.append({"row": name, "members": count, **found})
            if not as_json:
                print_cell(cells[-1])
    if as_json:
        print(json.dumps({"schema": 1, "machine": machine(), "cells": cells}, indent=1))


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "device": device_kind(jax.devices()[0]),
        "cores": cores(),
        "python": platform.python_version(),
        "jax": jax.__version__,
    }


def print_cell(cell: dict[str, Any]) -> None:
    """Print a cell's ways, one a line."""
    ours = cell["ways"].get("jaxorder", {}).get("ms")
    for way, found in cell["ways"].items():
        ratio = f"{found['ms'] / ours:5.2f}x" if ours else ""
        print(
            f"{cell['row']:6} N={cell['members']:<3} {way:10} "
            f"{found['ms']:8.3f} ms a member-step [{found['low']:.3f}, "
            f"{found['high']:.3f}] {found['gflops']:6.0f} GF/s "
            f"{found['compile_seconds']:6.1f} s to compile {ratio}",
            flush=True,
        )


def measure(
    row: Row, members: int, ways: dict[str, Any], turns: int, budget: float
) -> dict[str, Any]:
    """Return each way's time a member-step, measured in turns."""
    work = workload(row, members)
    flops = step_flops(work)
    steps: dict[str, Steps] = {}
    compiled: dict[str, float] = {}
    count: dict[str, int] = {}
    for way, make in ways.items():
        began = time.perf_counter()
        steps[way] = make(row, work)
        steps[way](1)
        compiled[way] = time.perf_counter() - began
        one = timed(steps[way], 1)
        count[way] = max(1, int(TURN_SECONDS / one))
        if one * turns > budget:
            print(f"{way}: {one:.1f} s a step, timed once", file=sys.stderr)
            count[way] = 0
    times: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(turns):
        for way, function in steps.items():
            if count[way] or turn == 0:
                times[way].append(timed(function, max(1, count[way])))
    return {"ways": {w: cell(times[w], members, flops, compiled[w]) for w in ways}}


def timed(function: Steps, count: int) -> float:
    """Return the seconds a step of all members takes."""
    began = time.perf_counter()
    function(count)
    return (time.perf_counter() - began) / count


def cell(
    times: list[float], members: int, flops: float, compile_seconds: float
) -> dict[str, float]:
    """Return the figures of one way."""
    each = sorted(1e3 * t / members for t in times)
    middle = statistics.median(each)
    return {
        "ms": round(middle, 4),
        "low": round(each[len(each) // 4], 4),
        "high": round(each[-1 - len(each) // 4], 4),
        "gflops": round(flops / middle / 1e6, 1),
        "compile_seconds": round(compile_seconds, 2),
    }


def workload(row: Row, members: int) -> Workload:
    """Return a run of a row's network on random data."""
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 256, (EXAMPLES, *row.shape)).astype(np.uint8)
    labels = rng.integers(0, 10, EXAMPLES).astype(np.int32)
    data = from_arrays("noise", inputs, labels, inputs[:100], np.arange(100) % 10)
    config = RunConfig(
        data="noise",
        model=row.model,
        members=members,
        optimizer="momentum",
        momentum=MOMENTUM,
        learning_rate=RATE,
        batch_size=row.batch,
    )
    return prepare(config, data, jax.devices()[:members])


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

    def steps(count: int) -> None:
        for start in range(0, count, work.recipe.steps_per_epoch):
            size = min(count - start, work.recipe.steps_per_epoch)
            held[0], _ = made.train_segment(held[0], order, 0, size)

    return steps


def jaxorder_way(row: Row, work: Workload) -> Steps:
    """Return steps as jaxorder plans them."""
    del row
    return _ensemble(work, work.plan)


def vmap_way(row: Row, work: Workload) -> Steps:
    """Return steps of `jax.vmap` over members, on one device."""
    del row
    return _ensemble(work, Plan(PLAIN, PLAIN, 1, work.config.members, 256, "plain"))


def loop_way(row: Row, work: Workload) -> Steps:
    """Return one jitted step, called in a Python loop over members."""
    del row
    recipe, examples = work.recipe, jax.device_put(work.examples())
    streams = member_streams(work.config, 0, work.config.members)
    own = [jax.tree.map(lambda k, i=i: k[i], streams) for i in range(len(streams[0]))]
    states = [jax.jit(lambda s: member.init(recipe, s))(s) for s in own]
    orders = [
        jax.jit(lambda s: member.epoch_order(recipe, s, jnp.int32(0)))(s) for s in own
    ]
    step = jax.jit(lambda *a: member.train_step(recipe, *a)[0], donate_argnums=(0,))

    def steps(count: int) -> None:
        for i in range(count):
            at = np.int32(i % recipe.steps_per_epoch)
            for m, (streams, order) in enumerate(zip(own, orders, strict=True)):
                states[m] = step(states[m], streams, order, examples, at)
        jax.block_until_ready(states)

    return steps


def torch_way(row: Row, work: Workload) -> Steps:
    """Return PyTorch's members one by one."""
    import torch

    inputs, labels = _torch_data(work)
    models = [_torch_model(row) for _ in range(work.config.members)]
    rules = [
        torch.optim.SGD(m.parameters(), lr=RATE, momentum=MOMENTUM) for m in models
    ]
    orders = [torch.randperm(EXAMPLES) for _ in models]

    def steps(count: int) -> None:
        for i in range(count):
            start = i * row.batch % (EXAMPLES - row.batch)
            for model, rule, order in zip(models, rules, orders, strict=True):
                at = order[start : start + row.batch]
                logits = model(_to_float(inputs[at]))
                loss = torch.nn.functional.cross_entropy(logits, labels[at])
                rule.zero_grad(set_to_none=True)
                loss.backward()
                rule.step()

    return steps


def torch_vmap_way(row: Row, work: Workload) -> Steps:
    """Return PyTorch's members stacked, under `torch.func.vmap`."""
    import torch
    from torch.func import functional_call, grad, stack_module_state, vmap

    inputs, labels = _torch_data(work)
    models = [_torch_model(row) for _ in range(work.config.members)]
    params, _ = stack_module_state(models)
    params = {k: v.detach() for k, v in params.items()}
    speeds = {k: torch.zeros_like(v) for k, v in params.items()}
    orders = torch.stack([torch.randperm(EXAMPLES) for _ in models])

    def loss(one: dict, x: Any, y: Any) -> Any:
        logits = functional_call(models[0], one, (x,))
        return torch.nn.functional.cross_entropy(logits, y)

    gradients = vmap(grad(loss), randomness="different")

    def steps(count: int) -> None:
        for i in range(count):
            start = i * row.batch % (EXAMPLES - row.batch)
            at = orders[:, start : start + row.batch]
            found = gradients(params, _to_float(inputs[at]), labels[at])
            for name, value in found.items():
                speeds[name].mul_(MOMENTUM).add_(value)
                params[name].sub_(RATE * speeds[name])

    return steps


def _torch_data(work: Workload) -> Any:
    import torch

    train = work.dataset.train
    images = np.moveaxis(train.inputs, -1, 1)
    return torch.tensor(images), torch.tensor(train.labels).long()


def _to_float(inputs: Any) -> Any:
    import torch

    # images of one batch, or with a member axis before it, which has no such format
    images = inputs.float().sub_(127.5).div_(74.0)
    if images.dim() == 4:
        return images.contiguous(memory_format=torch.channels_last)
    return images


def _torch_model(row: Row) -> Any:
    from torch import channels_last, nn

    height, width, channels = row.shape
    if row.model.startswith("mlp"):
        sizes = [int(w) for w in row.model.split("=")[1].split("-")]
        layers: list[Any] = [nn.Flatten()]
        for a, b in zip([height * width * channels, *sizes], sizes, strict=False):
            layers += [nn.Linear(a, b), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(sizes[-1], 10))
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
    for parameter in model.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.contiguous(memory_format=channels_last)
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
