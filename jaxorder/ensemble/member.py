"""One member: its beginning, its training steps, its predictions. Nothing here maps.

All functions are pure, of one member, and are mapped over members in
`jaxorder.ensemble.mapped`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Bool, Float, Int, PyTree, Shaped

from jaxorder.ensemble.augment import augmented
from jaxorder.ensemble.streams import Streams
from jaxorder.models import Model


class MemberState(NamedTuple):
    """What a member resumes from.

    Attributes:
        params: The network's parameters.
        statistics: Running statistics of batch normalisation; empty without.
        optimizer: Optax's state, the count of steps included.
        finite: Whether every loss so far was finite.
    """

    params: PyTree[Float[Array, "..."]]
    statistics: PyTree[Float[Array, "..."]]
    optimizer: PyTree
    finite: Bool[Array, "*member"]


AnyArray = Array | np.ndarray


class Examples(NamedTuple):
    """The data on the device, shared by all members: training examples, then others.

    Attributes:
        inputs: Raw inputs.
        labels: Classes.
        mean: Subtracted from the inputs, of each channel or feature.
        deviation: The inputs are then divided by it.
        evaluated: Positions of the examples to evaluate, in batches, and these in
            groups; the last are filled up with position 0.
        first: Place in an epoch's order of the first of the training examples, where
            these are a window of a stream.
    """

    inputs: Shaped[AnyArray, "example *input"]
    labels: Int[AnyArray, "example"]
    mean: Float[AnyArray, "input_axis"]
    deviation: Float[AnyArray, "input_axis"]
    evaluated: Int[AnyArray, "group batch position"]
    first: Int[AnyArray, ""] = np.array(0, np.int32)


@dataclass(frozen=True)
class Recipe:
    """How a member is trained and what is read from it.

    Attributes:
        model: The network.
        optimizer: Update rule.
        train_examples: Training examples, the first of `Examples`.
        batch_size: Examples a step; an epoch's last batch is padded and masked.
        prediction: Integer type of predictions.
        quantities: What to return of each example beside its prediction.
        augment: Random changes to training images.
    """

    model: Model
    optimizer: optax.GradientTransformation
    train_examples: int
    batch_size: int
    prediction: np.dtype
    quantities: tuple[str, ...] = ()
    augment: tuple[str, ...] = ()

    @property
    def steps_per_epoch(self) -> int:
        """Steps that an epoch takes."""
        return -(-self.train_examples // self.batch_size)


def standardized(
    examples: Examples, at: Int[Array, "position"]
) -> Shaped[Array, "..."]:
    """Return the inputs at some positions with mean 0 and deviation 1; words as is."""
    inputs = examples.inputs[at]
    if inputs.dtype == jnp.int32:
        return jnp.asarray(inputs)
    return (inputs.astype(jnp.float32) - examples.mean) / examples.deviation


def init(recipe: Recipe, streams: Streams) -> MemberState:
    """Return a member before its first step."""
    params, statistics = recipe.model.init(streams.init)
    optimizer = recipe.optimizer.init(params)
    return MemberState(params, statistics, optimizer, jnp.array(True))


def epoch_order(
    recipe: Recipe, streams: Streams, epoch: Int[Array, ""]
) -> Int[Array, "position"]:
    """Return the training examples in the order of an epoch, padded to whole batches.

    One sort by 32 random bits: at 60,000 examples less than one pair ties, and takes
    half the time of a shuffle that cannot.
    """
    examples = recipe.train_examples
    key = jax.random.fold_in(streams.order, epoch)
    bits = jax.random.bits(key, (examples,), jnp.uint32)
    _, order = lax.sort_key_val(bits, jnp.arange(examples, dtype=jnp.int32))
    return jnp.pad(order, (0, recipe.steps_per_epoch * recipe.batch_size - examples))


def train_steps(
    recipe: Recipe,
    state: MemberState,
    streams: Streams,
    order: Int[Array, "position"],
    examples: Examples,
    start: Int[Array, ""],
    count: Int[Array, ""],
) -> tuple[MemberState, Float[Array, ""]]:
    """Take some steps of one epoch.

    Args:
        recipe: How to train.
        state: The member.
        streams: Its random streams.
        order: Its order of the examples in this epoch.
        examples: The data.
        start: Step to begin from, counted from the start of the training.
        count: Steps to take, at least 1; all in one epoch.

    Returns:
        The member after the steps, and the mean loss over them.
    """

    def step(i: Int[Array, ""], carry: tuple) -> tuple:
        state, total = carry
        state, loss = train_step(recipe, state, streams, order, examples, start + i)
        return state, total + loss

    state, total = lax.fori_loop(0, count, step, (state, jnp.float32(0)))
    return state, total / count


def train_step(
    recipe: Recipe,
    state: MemberState,
    streams: Streams,
    order: Int[Array, "position"],
    examples: Examples,
    step: Int[Array, ""],
) -> tuple[MemberState, Float[Array, ""]]:
    """Take one step; the loss is that before the step."""
    start = step % recipe.steps_per_epoch * recipe.batch_size
    at = lax.dynamic_slice(order, (start - examples.first,), (recipe.batch_size,))
    weights = start + jnp.arange(recipe.batch_size) < recipe.train_examples
    inputs, labels = standardized(examples, at), examples.labels[at]
    if recipe.augment:
        key = jax.random.fold_in(streams.augment, step)
        inputs = augmented(inputs, recipe.augment, key)
    key = jax.random.fold_in(streams.dropout, step)

    def mean_loss(params: PyTree) -> tuple[Float[Array, ""], PyTree]:
        logits, statistics = recipe.model.train(
            params, state.statistics, inputs, key, weights
        )
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return jnp.sum(losses, where=weights) / jnp.sum(weights), statistics

    with_statistics = jax.value_and_grad(mean_loss, has_aux=True)
    (loss, statistics), gradient = with_statistics(state.params)
    updates, optimizer = recipe.optimizer.update(
        gradient, state.optimizer, state.params
    )
    params = optax.apply_updates(state.params, updates)
    finite = state.finite & jnp.isfinite(loss)
    return MemberState(params, statistics, optimizer, finite), loss


def predict(
    recipe: Recipe,
    last: bool,
    state: MemberState,
    examples: Examples,
    group: Int[Array, ""],
) -> tuple[Bool[Array, ""], dict[str, Shaped[Array, "position *class"]]]:
    """Return what a member, its weights frozen, says of a group of examples.

    Args:
        recipe: What to read.
        last: Whether to return the quantities of the last snapshot too.
        state: The member.
        examples: The data.
        group: Which of the groups of evaluated examples.

    Returns:
        Whether the member and all of its logits are finite; and arrays by name over
        the group's examples, padding included: `prediction` and the quantities.
    """

    def batch(at: Int[Array, "position"]) -> tuple:
        inputs = standardized(examples, at)
        logits = recipe.model.logits(state.params, state.statistics, inputs)
        values = {"prediction": jnp.argmax(logits, -1).astype(recipe.prediction)}
        for name in recipe.quantities:
            if name in LAST_ONLY and not last:
                continue
            values[name] = QUANTITIES[name](logits, examples.labels[at])
        return jnp.isfinite(logits).all(), values

    finite, values = lax.map(batch, jnp.asarray(examples.evaluated)[group])
    flat = {k: v.reshape(-1, *v.shape[2:]) for k, v in values.items()}
    return finite.all() & state.finite, flat


def _of_label(
    values: Float[Array, "position class"], labels: Int[Array, "position"]
) -> Float[Array, "position"]:
    return jnp.take_along_axis(values, labels[:, None], -1)[:, 0]


def loss(
    logits: Float[Array, "position class"], labels: Int[Array, "position"]
) -> Float[Array, "position"]:
    """Return the cross-entropy in nats."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels)


def margin(
    logits: Float[Array, "position class"], labels: Int[Array, "position"]
) -> Float[Array, "position"]:
    """Return the label's logit minus the largest other, after Pleiss et al. 2020."""
    own = jax.nn.one_hot(labels, logits.shape[-1], dtype=bool)
    others = jnp.where(own, -jnp.inf, logits).max(-1)
    return _of_label(logits, labels) - others


def true_logprob(
    logits: Float[Array, "position class"], labels: Int[Array, "position"]
) -> Float[Array, "position"]:
    """Return the logarithm of the label's probability."""
    return _of_label(jax.nn.log_softmax(logits), labels)


def error_norm(
    logits: Float[Array, "position class"], labels: Int[Array, "position"]
) -> Float[Array, "position"]:
    """Return EL2N, the norm of probabilities minus the label, after Paul et al. 2021.

    In evaluation mode at a snapshot, unlike the original's training mode.
    """
    target = jax.nn.one_hot(labels, logits.shape[-1])
    return jnp.linalg.norm(jax.nn.softmax(logits) - target, axis=-1)


def probability(
    logits: Float[Array, "position class"], labels: Int[Array, "position"]
) -> Float[Array, "position class"]:
    """Return the probability of each class."""
    del labels
    return jax.nn.softmax(logits).astype(jnp.float16)


LAST_ONLY = ("probability",)
QUANTITIES: dict[str, Callable[[Any, Any], Any]] = {
    function.__name__: function
    for function in (loss, margin, true_logprob, error_norm, probability)
}
