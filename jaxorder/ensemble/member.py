"""One member: its beginning, its training steps, its predictions. Nothing here maps.

All functions are pure, of one member, and are mapped over members in
`jaxorder.ensemble.mapped`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Bool, Float, Int, PyTree, Shaped

from jaxorder.ensemble.augment import augmented
from jaxorder.ensemble.optax_rules import updated
from jaxorder.ensemble.optimizer import Rule
from jaxorder.members.traits import Traits
from jaxorder.models import Model


class MemberState(NamedTuple):
    """What a member resumes from.

    Attributes:
        params: The network's parameters.
        statistics: What the network keeps beside its parameters, such as running
            statistics of batch normalisation; empty without.
        optimizer: Optax's state, the count of steps included.
        finite: Whether every loss so far was finite.
    """

    params: PyTree[Float[Array, "..."]]
    statistics: PyTree[Shaped[Array, "..."]]
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
        label_vectors: Labels of the training examples that members are trained towards
            instead, where each has a vector of its own.
    """

    inputs: Shaped[AnyArray, "example *input"]
    labels: Int[AnyArray, "example"]
    mean: Float[AnyArray, "input_axis"]
    deviation: Float[AnyArray, "input_axis"]
    evaluated: Int[AnyArray, "group batch position"]
    first: Int[AnyArray, ""] = np.array(0, np.int32)
    label_vectors: Int[AnyArray, "vector training_example"] | None = None


@dataclass(frozen=True)
class Reading:
    """What is read from a member whose weights are frozen.

    Attributes:
        model: The network.
        prediction: Integer type of predictions.
        quantities: What to return of each example beside its prediction, by name: a
            function of logits [position class] and labels [position].
        inspect: What else to return, by name: a function of the network, a member's
            parameters and statistics, and standardised inputs.
    """

    model: Model
    prediction: np.dtype
    quantities: Mapping[str, Callable[[Any, Any], Any]] = field(default_factory=dict)
    inspect: Callable[..., Mapping[str, Any]] | None = None


@dataclass(frozen=True)
class Recipe:
    """How a member is trained and what is read from it.

    Attributes:
        model: The network.
        optimizer: Makes the update rule, of a member's values and its pace.
        pool: Training examples there are, the first of `Examples`.
        train_examples: Those of the member that has most.
        batch_size: Examples a step; an epoch's last batch is padded and masked.
        prediction: Integer type of predictions.
        quantities: What to return of each example beside its prediction.
        augment: Random changes to training images.
        label_smoothing: Share of each label spread over all classes.
        elementwise: Whether the rule updates each parameter by its own gradient alone,
            wherever it lies; vectors may then lie in one.
        optimizer_identity: What tells an optimiser given as an object from others.
    """

    model: Model
    optimizer: Rule
    pool: int
    train_examples: int
    batch_size: int
    prediction: np.dtype
    quantities: tuple[str, ...] = ()
    augment: tuple[str, ...] = ()
    label_smoothing: float = 0.0
    elementwise: bool = True
    optimizer_identity: Mapping[str, str] | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Steps that an epoch takes the member that has most examples."""
        return -(-self.train_examples // self.batch_size)

    @property
    def reading(self) -> Reading:
        """What is read from a member."""
        quantities = {name: QUANTITIES[name] for name in self.quantities}
        return Reading(self.model, self.prediction, quantities)


def standardized(
    examples: Examples, at: Int[Array, "position"]
) -> Shaped[Array, "..."]:
    """Return the inputs at some positions with mean 0 and deviation 1; words as is."""
    inputs = examples.inputs[at]
    if inputs.dtype == jnp.int32:
        return jnp.asarray(inputs)
    return (inputs.astype(jnp.float32) - examples.mean) / examples.deviation


def init(recipe: Recipe, traits: Traits) -> MemberState:
    """Return a member before its first step."""
    params, statistics = recipe.model.init(traits.streams.init)
    optimizer = _rule(recipe, traits).init(params)
    return MemberState(params, statistics, optimizer, jnp.array(True))


def _rule(recipe: Recipe, traits: Traits) -> optax.GradientTransformation:
    """Return a member's update rule, whose schedules last as long as its training."""
    if traits.examples is None:
        return recipe.optimizer(traits.values, 1)
    own = own_steps_per_epoch(recipe, traits)
    return recipe.optimizer(traits.values, recipe.steps_per_epoch / own)


def own_steps_per_epoch(recipe: Recipe, traits: Traits) -> Any:
    """Return the steps that an epoch takes a member."""
    if traits.examples is None:
        return recipe.steps_per_epoch
    return -(-traits.examples // recipe.batch_size)


def own_steps(
    recipe: Recipe, traits: Traits, step: Int[Array, ""]
) -> Int[Array, "*member"]:
    """Return the steps that a member takes in the time that the longest takes some.

    Members with fewer examples take fewer steps an epoch, all in even pace: at the end
    of each epoch all have come as far. Rounded down in between.
    """
    if traits.examples is None:
        return step
    whole, own = recipe.steps_per_epoch, own_steps_per_epoch(recipe, traits)
    epoch, rest = step // whole, jnp.asarray(step % whole, jnp.uint32)
    # unsigned, since two numbers of steps an epoch are multiplied
    within = rest * jnp.asarray(own, jnp.uint32) // jnp.uint32(whole)
    return epoch * own + within.astype(jnp.int32)


def epoch_order(
    recipe: Recipe, traits: Traits, epoch: Int[Array, ""]
) -> Int[Array, "position"]:
    """Return a member's examples in the order of an epoch, padded to whole batches.

    One sort by 32 random bits: at 60,000 examples less than one pair ties, and takes
    half the time of a shuffle that cannot.
    """
    examples = recipe.train_examples
    key = jax.random.fold_in(traits.streams.order, epoch)
    bits = jax.random.bits(key, (examples,), jnp.uint32)
    places = jnp.arange(examples, dtype=jnp.int32)
    if traits.examples is not None:  # what fills up a shorter list comes last
        bits = jnp.where(places < traits.examples, bits, jnp.uint32(2**32 - 1))
    _, order = lax.sort_key_val(bits, places)
    if traits.positions is not None:
        order = jnp.asarray(traits.positions)[order]
    return jnp.pad(order, (0, recipe.steps_per_epoch * recipe.batch_size - examples))


def train_steps(
    recipe: Recipe,
    state: MemberState,
    traits: Traits,
    order: Int[Array, "position"],
    examples: Examples,
    start: Int[Array, ""],
    count: Int[Array, ""],
) -> tuple[MemberState, Float[Array, ""]]:
    """Take some steps of one epoch.

    Args:
        recipe: How to train.
        state: The member.
        traits: What makes it itself.
        order: Its order of the examples in this epoch.
        examples: The data.
        start: Step to begin from, counted from the start of the training, as the
            member with most examples takes them.
        count: Steps to take, likewise, at least 1; all in one epoch.

    Returns:
        The member after the steps, and the mean loss over them; 0 for no step.
    """
    first = own_steps(recipe, traits, start)
    number = own_steps(recipe, traits, start + count) - first

    def step(i: Int[Array, ""], carry: tuple) -> tuple:
        state, total = carry
        state, loss = train_step(recipe, state, traits, order, examples, first + i)
        return state, total + loss

    state, total = lax.fori_loop(0, number, step, (state, jnp.float32(0)))
    return state, total / jnp.maximum(number, 1)


def train_step(
    recipe: Recipe,
    state: MemberState,
    traits: Traits,
    order: Int[Array, "position"],
    examples: Examples,
    step: Int[Array, ""],
) -> tuple[MemberState, Float[Array, ""]]:
    """Take one step of the member's own; the loss is that before the step."""
    start = step % own_steps_per_epoch(recipe, traits) * recipe.batch_size
    at = lax.dynamic_slice(order, (start - examples.first,), (recipe.batch_size,))
    own = recipe.train_examples if traits.examples is None else traits.examples
    weights = start + jnp.arange(recipe.batch_size) < own
    inputs, labels = standardized(examples, at), _labels(examples, traits, at)
    if recipe.augment:
        key = jax.random.fold_in(traits.streams.augment, step)
        inputs = augmented(inputs, recipe.augment, key)
    key = jax.random.fold_in(traits.streams.dropout, step)
    smoothing = traits.values.get("label_smoothing", recipe.label_smoothing)

    def mean_loss(params: PyTree) -> tuple[Float[Array, ""], PyTree]:
        logits, statistics = recipe.model.train(
            *(params, state.statistics, inputs, key, weights),
            dropout=traits.values.get("dropout"),
        )
        losses = smoothed_loss(logits, labels, smoothing)
        return jnp.sum(losses, where=weights) / jnp.sum(weights), statistics

    with_statistics = jax.value_and_grad(mean_loss, has_aux=True)
    (loss, statistics), gradient = with_statistics(state.params)
    updates, optimizer = updated(
        *(_rule(recipe, traits), gradient, state.optimizer, state.params),
        loss_of=lambda params: mean_loss(params)[0],
        loss=loss,
    )
    params = optax.apply_updates(state.params, updates)
    finite = state.finite & jnp.isfinite(loss)
    return MemberState(params, statistics, optimizer, finite), loss


def _labels(
    examples: Examples, traits: Traits, at: Int[Array, "position"]
) -> Int[Array, "position"]:
    if traits.label_vector is None or examples.label_vectors is None:
        return jnp.asarray(examples.labels)[at]
    return jnp.asarray(examples.label_vectors)[traits.label_vector, at]


def smoothed_loss(
    logits: Float[Array, "position class"],
    labels: Int[Array, "position"],
    smoothing: float | Float[AnyArray, ""],
) -> Float[Array, "position"]:
    """Return the cross-entropy in nats to labels smoothed after Szegedy et al. 2016."""
    if isinstance(smoothing, float) and not smoothing:
        return loss(logits, labels)
    targets = jax.nn.one_hot(labels, logits.shape[-1])
    return optax.softmax_cross_entropy(logits, optax.smooth_labels(targets, smoothing))


def predict(
    reading: Reading,
    last: bool,
    state: MemberState,
    examples: Examples,
    group: Int[Array, ""],
) -> tuple[Bool[Array, ""], dict[str, Shaped[Array, "position *class"]]]:
    """Return what a member, its weights frozen, says of a group of examples.

    Args:
        reading: What to read.
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
        logits = reading.model.logits(state.params, state.statistics, inputs)
        values = {"prediction": jnp.argmax(logits, -1).astype(reading.prediction)}
        for name, quantity in reading.quantities.items():
            if last or name not in LAST_ONLY:
                values[name] = quantity(logits, examples.labels[at])
        if reading.inspect:
            values |= reading.inspect(
                reading.model, state.params, state.statistics, inputs
            )
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
