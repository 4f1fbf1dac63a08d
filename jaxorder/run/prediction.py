"""What the members of a run, as they were kept at a step, say of any inputs."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, PyTree, Shaped

from jaxorder import record
from jaxorder.checkpoint import kept_steps, restore_networks
from jaxorder.data import Projection
from jaxorder.ensemble.devices import pinned
from jaxorder.ensemble.plan import Plan
from jaxorder.errors import RequestError, given
from jaxorder.models import Inputs, Model, build
from jaxorder.models.ambient import traced_with
from jaxorder.run.folder import Run


def logits(
    run: Run,
    inputs: Shaped[Any, "example *input"],
    step: int | None = None,
    *,
    model: Any = None,
) -> Float[np.ndarray, "member example class"]:
    """Return the logits of every member for inputs of one's own.

    Args:
        run: A run of networks that kept checkpoints.
        inputs: As `run.config.load()` has them, before they are standardised: images
            of the same shape and scale, words by their numbers; or, of a run with
            principal components, as they were before these.
        step: A step of which a checkpoint was kept; None: the last.
        model: The Linen module, where the run's was given as an object.

    Returns:
        float32, of members in their order; those that diverged have logits that are
        not finite.

    Raises:
        RequestError: Where no such checkpoint was kept, or the inputs do not fit.
    """
    return evaluated(run, inputs, step, lambda net, *member: net.logits(*member), model)


def evaluated(
    run: Run,
    inputs: Shaped[Any, "example *input"],
    step: int | None,
    of_member: Callable[..., PyTree],
    model: Any = None,
) -> PyTree:
    """Evaluate something of every kept member for inputs of one's own.

    Args:
        run: As for `logits`, and so the inputs, the step and the module.
        inputs: Those.
        step: That.
        of_member: Network, a member's parameters and statistics, and standardised
            inputs to arrays [example ...].
        model: The Linen module.

    Returns:
        The arrays, with a leading member axis.

    Raises:
        RequestError: As for `logits`.
    """
    at = kept_step(run, step)
    shown = _as_trained(run, np.asarray(inputs))
    network, plan = _network(run, model), Plan.from_json(run.document.plan)
    with jax.enable_x64(False), pinned(run.config.precision):
        states = restore_networks(run.path, at)
        of_one = partial(of_member, network)
        of_all = jax.jit(lambda states, x: _of_members(of_one, plan, states, x))
        found = [
            _without_padding(of_all(states, batch), real)
            for batch, real in _batches(shown, plan.evaluate_batch)
        ]
    return jax.tree.map(lambda *parts: np.concatenate(parts, axis=1), *found)


def kept_step(run: Run, step: int | None = None) -> int:
    """Return a step of which members may have been kept: the one given, or the last.

    Args:
        run: The run.
        step: The step given.

    Raises:
        RequestError: Where members are none that are kept, or no checkpoint was.
    """
    if run.kind != "network":
        raise RequestError(
            f"{run.path}: only networks are kept, its members are {run.kind}s; nothing "
            "can predict again"
        )
    if step is not None:
        return step
    kept = kept_steps(run.path)
    if not kept:
        raise RequestError(f"{run.path}: no checkpoint was kept")
    return kept[-1]


def _as_trained(run: Run, inputs: np.ndarray) -> Shaped[np.ndarray, "example *input"]:
    """Return inputs projected and standardised as those of the training were."""
    wanted = tuple(run.document.data.input_shape)
    if run.config.pca and inputs.shape[1:] != wanted:
        inputs = _projected(run, inputs)
    if inputs.ndim < 2 or inputs.shape[1:] != wanted or not len(inputs):
        raise RequestError(
            f"{given('inputs')}: wanted [example, {', '.join(map(str, wanted))}], as "
            f"the run's data are, got {list(inputs.shape)}"
        )
    if inputs.dtype == np.int32:  # words, which are no amounts
        return inputs
    mean, deviation = (
        record.read_root(run.path, f"input_{name}") for name in ("mean", "deviation")
    )
    return (inputs.astype(np.float32) - mean) / deviation


def _projected(run: Run, inputs: np.ndarray) -> np.ndarray:
    """Return the principal components of inputs that are not projected yet."""
    names = ("pca_mean", "pca_components")
    projection = Projection(*(record.read_root(run.path, name) for name in names))
    fits = inputs.ndim > 1 and inputs[:1].size == projection.mean.size
    return projection.apply(inputs) if fits else inputs


def _network(run: Run, module: Any) -> Model:
    data, config = run.document.data, run.config
    inputs = Inputs(tuple(data.input_shape), data.vocabulary)
    shares = config.varied.get("dropout", ())
    return build(
        config.model, inputs, data.classes, config.precision, shares, module=module
    )


def _of_members(
    of_one: Callable[..., PyTree],
    plan: Plan,
    states: PyTree,
    inputs: Shaped[Array, "example *input"],
) -> PyTree:
    """Evaluate one member after the other, by the convolution of the run's plan."""
    with traced_with(convolution=plan.evaluate.convolution):
        return lax.map(lambda state: of_one(*state, inputs), states)


def _without_padding(found: PyTree, real: int) -> PyTree:
    return jax.tree.map(lambda values: np.asarray(values)[:, :real], found)


def _batches(
    inputs: Shaped[np.ndarray, "example *input"], size: int
) -> Iterator[tuple[Shaped[Array, "batch *input"], int]]:
    """Yield batches of one size, and how many of each are real."""
    size = max(1, min(size, len(inputs)))
    for first in range(0, len(inputs), size):
        part = inputs[first : first + size]
        padding = [(0, size - len(part)), *[(0, 0)] * (inputs.ndim - 1)]
        yield jnp.asarray(np.pad(part, padding)), len(part)
