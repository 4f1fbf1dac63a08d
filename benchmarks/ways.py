"""The networks that the benchmark trains, and the ways to train them."""

# PyTorch is there with the extra `bench` only
# pyright: reportMissingImports=false

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxorder.config import RunConfig
from jaxorder.data import Dataset, Split, from_arrays
from jaxorder.data.laid_out import LaidOut
from jaxorder.ensemble import member
from jaxorder.ensemble.member import Recipe
from jaxorder.members.traits import Traits, option_traits
from jaxorder.run.networks import NetworkWork, prepare

EXAMPLES = 4096
RATE, MOMENTUM = 0.01, 0.9
# takes so many steps with every member, waits, and returns their mean loss
Steps = Callable[[int], float]


@dataclass(frozen=True)
class Row:
    """A network and its data.

    Attributes:
        model: Model string.
        shape: Of an input.
        batch: Examples a step.
        evaluated: Training examples to evaluate.
        words: Of texts, whose inputs are tokens; 0: inputs are images.
    """

    model: str
    shape: tuple[int, ...]
    batch: int
    evaluated: int = EXAMPLES
    words: int = 0


ROWS = {
    "mlp8": Row("mlp:widths=64-64", (8, 8, 1), 32),
    "mlp28": Row("mlp:widths=512-256", (28, 28, 1), 128),
    "cnn8": Row("small_st_vgg", (8, 8, 1), 32),
    "cnn28": Row("small_st_vgg", (28, 28, 1), 100),
    "cnn32": Row("st_vgg", (32, 32, 3), 100),
    "resnet18": Row("resnet18:norm=group", (32, 32, 3), 100, evaluated=200),
    "bilstm": Row("bilstm_attention", (100,), 64, words=10_000),
}


Way = Callable[[Row, NetworkWork], Steps]


def network_work(row: Row, members: int, **options: Any) -> NetworkWork:
    """Return a run of a row's network, planned, on data that it can learn.

    Args:
        row: Network and data.
        members: Members.
        **options: Of `RunConfig`, instead of those that all ways have in common.
    """
    data = _texts(row) if row.words else _images(row)
    common: dict[str, Any] = {
        "data": "patterns",
        "model": row.model,
        "members": members,
        "optimizer": "momentum",
        "momentum": MOMENTUM,
        "learning_rate": RATE,
        "batch_size": row.batch,
        "record_examples": row.evaluated,
    }
    config = RunConfig(**(common | options))
    laid_out = LaidOut(data, config.record_examples)
    return prepare(config, laid_out, jax.devices()[:members]).planned("always")


def _images(row: Row) -> Dataset:
    rng, labels = _labelled()
    noise = rng.integers(0, 128, (EXAMPLES, *row.shape))
    inputs = (noise + rng.integers(0, 128, (10, *row.shape))[labels]).astype(np.uint8)
    return from_arrays("patterns", inputs, labels, inputs[:100], np.arange(100) % 10)


def _texts(row: Row) -> Dataset:
    """Return texts of all lengths, a tenth of whose words are their class's own."""
    rng, labels = _labelled()
    tokens = rng.integers(11, row.words, (EXAMPLES, *row.shape))
    told = rng.random(tokens.shape) < 0.1
    tokens = np.where(told, 1 + labels[:, None], tokens)
    lengths = rng.integers(1, row.shape[0] + 1, (EXAMPLES, 1))
    tokens = np.where(np.arange(row.shape[0]) < lengths, tokens, 0)
    train = Split(tokens, labels, tokens=True)
    names = tuple(str(number) for number in range(10))
    words = tuple(str(number) for number in range(row.words))
    return Dataset("patterns", train, train.take(np.arange(100)), names, "none", words)


def _labelled() -> tuple[np.random.Generator, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng, rng.integers(0, 10, EXAMPLES).astype(np.int32)


def evaluate_way(work: NetworkWork) -> Callable[[], float]:
    """Return a function that evaluates every example with every member, timed."""
    made = work.ensemble()
    made.begin(0, work.config.members)
    state = made.init()

    def evaluate() -> float:
        began = time.perf_counter()
        made.predict(state)
        return time.perf_counter() - began

    return evaluate


def jaxorder_way(row: Row, work: NetworkWork) -> Steps:
    """Return steps as jaxorder plans them."""
    del row
    made = work.ensemble()
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


def vmap_way(row: Row, work: NetworkWork) -> Steps:
    """Return one jitted step of `jax.vmap` over members, on one device."""
    del row
    recipe, examples = work.recipe, jax.device_put(work.examples())
    traits = option_traits(work.config, 0, work.config.members)
    held = [jax.jit(jax.vmap(lambda t: member.init(recipe, t)))(traits)]
    orders = _orders(recipe, traits)

    def one(state: Any, traits: Any, order: Any, examples: Any, at: Any) -> Any:
        return member.train_step(recipe, state, traits, order, examples, at)

    step = jax.jit(jax.vmap(one, in_axes=(0, 0, 0, None, None)), donate_argnums=(0,))

    def steps(count: int) -> float:
        losses = []
        for i in range(count):
            at = np.int32(i % recipe.steps_per_epoch)
            held[0], loss = step(held[0], traits, orders, examples, at)
            losses.append(loss)
        jax.block_until_ready(held)
        return float(np.mean(jax.device_get(losses)))

    return steps


def _orders(recipe: Recipe, traits: Traits) -> Any:
    return jax.jit(jax.vmap(lambda t: member.epoch_order(recipe, t, jnp.int32(0))))(
        traits
    )


def loop_way(row: Row, work: NetworkWork) -> Steps:
    """Return one jitted step, called in a Python loop over members."""
    del row
    recipe, examples = work.recipe, jax.device_put(work.examples())
    traits = option_traits(work.config, 0, work.config.members)
    count = work.config.members
    own = [jax.tree.map(lambda x, i=i: x[i], traits) for i in range(count)]
    orders = list(_orders(recipe, traits))
    init = jax.jit(lambda t: member.init(recipe, t))
    states = [init(t) for t in own]
    step = jax.jit(lambda *a: member.train_step(recipe, *a), donate_argnums=(0,))

    def steps(count: int) -> float:
        losses = []
        for i in range(count):
            at = np.int32(i % recipe.steps_per_epoch)
            for m, (traits, order) in enumerate(zip(own, orders, strict=True)):
                states[m], loss = step(states[m], traits, order, examples, at)
                losses.append(loss)
        jax.block_until_ready(states)
        return float(np.mean(jax.device_get(losses)))

    return steps


def torch_way(row: Row, work: NetworkWork) -> Steps:
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


def torch_vmap_way(row: Row, work: NetworkWork) -> Steps:
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


def _torch_data(work: NetworkWork) -> Any:
    """Return inputs, labels, and what standardises a batch of images."""
    import torch

    train, examples = work.data.dataset.train, work.examples()
    if train.tokens:
        words = torch.tensor(train.inputs).long()
        return words, torch.tensor(train.labels).long(), lambda inputs: inputs
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

    if row.words:
        return _torch_bilstm(row.words)
    height, width, channels = row.shape
    if row.model.startswith("mlp"):
        sizes = [int(w) for w in row.model.split("=")[1].split("-")]
        layers: list[Any] = [nn.Flatten()]
        for a, b in zip([height * width * channels, *sizes], sizes, strict=False):
            layers += [nn.Linear(a, b), nn.ReLU()]
        return _as_ours(nn.Sequential(*layers, nn.Linear(sizes[-1], 10)))
    if row.model.startswith("resnet18"):
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


def _torch_bilstm(words: int) -> Any:
    import torch
    from torch import nn

    class BiLSTM(nn.Module):
        """As ours, but that the recurrence does not stop where a text has ended."""

        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(words, 100)
            self.lstm = nn.LSTM(100, 100, bidirectional=True, batch_first=True)
            self.attention = nn.Linear(100, 1, bias=False)
            self.output = nn.Linear(100, 10)
            self.dropout = nn.Dropout(0.3)
            nn.init.normal_(self.words.weight, std=0.1)

        def forward(self, x: Any) -> Any:
            both, _ = self.lstm(self.dropout(self.words(x)))
            states = both[..., :100] + both[..., 100:]
            scores = self.attention(torch.tanh(states)).squeeze(-1)
            weights = torch.softmax(scores.masked_fill(x == 0, -1e9), 1)
            found = torch.tanh((weights.unsqueeze(-1) * states).sum(1))
            return self.output(self.dropout(found))

    return _as_ours(BiLSTM())


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


WAYS: dict[str, Way] = {
    "jaxorder": jaxorder_way,
    "vmap": vmap_way,
    "loop": loop_way,
    "torch": torch_way,
    "torch_vmap": torch_vmap_way,
}
