"""The user's own networks: what they may be, what they are called, what is refused.

Modules of Linen are called with inputs [example *input], and with `training`, `train`
or `deterministic` where they take one (`linen.py`); modules of NNX are made once a
member by their class or a function of `rngs` (`nnx.py`); and all else is a pair of
functions (`pairs.py`). Each is given as an object, or by the name of what makes it
(`factories.py`).
"""

import functools
import re
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxorder.errors import RequestError, given
from jaxorder.models import factories, linen, nnx, pairs
from jaxorder.models import identity as identities
from jaxorder.models.factories import refusing
from jaxorder.models.identity import described
from jaxorder.models.model import Inputs, Model
from jaxorder.spec import Spec, parse_model

OBJECT = "@"  # between the name and the digest of a network given as an object


def is_own(text: str) -> bool:
    """Whether a model string names a network of the user's own.

    Example:
        >>> is_own("nets.py:make:width=8"), is_own("Net@0f3a5c77"), is_own("mlp")
        (True, True, False)
    """
    return is_object(text) or "." in parse_model(text).name


def is_object(text: str) -> bool:
    """Whether a model string names a network that was given as an object."""
    return OBJECT in parse_model(text).name


def object_name(network: Any) -> str:
    """Return the model string of a network that is given as an object.

    Args:
        network: A Linen module, what makes an NNX module of `rngs`, or a pair of
            functions.

    Returns:
        What it is called and a digest of what it was made with, as `Net@0f3a5c77`.

    Raises:
        RequestError: Where it is none of these.
    """
    _check_kind(given("model"), network)
    return f"{_called(network)}{OBJECT}{identities.digest(described(network))[:8]}"


def _called(network: Any) -> str:
    """Return what a network's class or factory is called."""
    if isinstance(network, functools.partial):
        return _called(network.func)
    if isinstance(network, nn.Module) or not factories.takes_rngs(network):
        return type(network).__name__ if not _is_bare_pair(network) else "functions"
    return re.sub(r"\W", "", getattr(network, "__name__", type(network).__name__))


def _is_bare_pair(network: Any) -> bool:
    return type(network) in (tuple, list)


def _check_kind(asked: str, network: Any) -> None:
    """Refuse what is no network."""
    if isinstance(network, nn.Module) or pairs.as_pair(network) is not None:
        return
    if nnx.is_module(network):
        raise RequestError(
            f"{asked}: a flax.nnx.Module holds weights already, and each member needs "
            "its own; give what makes it, its class or a function of rngs, as "
            f"lambda rngs: {type(network).__name__}(..., rngs=rngs)"
        )
    if factories.takes_rngs(network):
        return
    kind = type(network).__name__
    if isinstance(network, type):
        kind = f"the class {network.__name__}"
    raise RequestError(
        f"{asked}: must be an instance of a flax.linen.Module, what makes a "
        f"flax.nnx.Module of rngs, or a pair of functions, init and apply; not {kind}"
    )


# ---- as functions


def load(keys: Spec, available: Mapping[str, Any]) -> Any:
    """Return the network that a model string names.

    Args:
        keys: The model string's parts.
        available: What its factory may ask for by name.

    Raises:
        RequestError: Where there is no such factory, or it makes something else.
    """
    network = factories.load(keys, available)
    _check_kind(keys.asked, network)
    return network


def completed(text: str, network: Any, available: Mapping[str, Any]) -> Any:
    """Return a network that was given as an object, with what it still needs.

    Raises:
        RequestError: Where another precision is wanted than it was made with.
    """
    if factories.takes_rngs(network):
        return factories.completed(text, network, available)
    if available["dtype"] != jnp.float32:
        raise RequestError(
            f"{given('precision', str(available['dtype']))}: {text} computes in the "
            "types it was made with; leave the option out and give the network its own"
        )
    return network


def check_given(asked: str, text: str, network: Any) -> None:
    """Refuse an object's name without the object, and an object of another name."""
    if is_object(text) and network is None:
        raise RequestError(
            f"{asked}: a network that was given from Python; give it again, as "
            "jo.train(model=...) or jo.resume(path, model=...)"
        )
    if network is not None and object_name(network) != text:
        raise RequestError(
            f"{asked}: not the network given, which is {object_name(network)}; give "
            "the one of that name, or none where the run has a name of its own"
        )


def functions(asked: str, network: Any, inputs: Inputs) -> Model:
    """Return a network as the functions of one member.

    Args:
        asked: What it was asked for with, as `given` returns.
        network: As `load` or `completed` return it.
        inputs: What it takes.

    Raises:
        RequestError: Where it cannot be made, or its call needs more than it is given.
    """
    if isinstance(network, nn.Module):
        return linen.from_module(linen.Called(asked, network), inputs)
    pair = pairs.as_pair(network)
    with refusing(f"{asked}: making the network"):
        if pair is not None:
            return pairs.functions(asked, pair, inputs)
        return nnx.functions(asked, network, inputs)


# ---- what is refused, and what tells networks apart


def check(asked: str, model: Any, classes: int) -> None:
    """Refuse a network that cannot be trained and recorded.

    Args:
        asked: What it was asked for with.
        model: Its functions, a `Model`.
        classes: Outputs that are wanted.

    Raises:
        RequestError: Where it fails on the inputs, holds state that is not trained or
            kept, or does not return logits [example class].
    """
    inputs, key = model.inputs.of(2), jax.random.key(0)
    shape = " ".join(map(str, inputs.shape))
    with refusing(f"{asked}: the network's first call on inputs [{shape}]"):
        params, before = jax.eval_shape(model.init, key)
    with refusing(f"{asked}: the network's call on inputs [{shape}]"):
        logits = jax.eval_shape(model.logits, params, before, inputs)
    with refusing(f"{asked}: the network's call in training on inputs [{shape}]"):
        trained, after = jax.eval_shape(model.train, params, before, inputs, key)
    for found in (logits, trained):
        if found.shape != (2, classes):
            raise RequestError(
                f"{asked}: the network must return logits [example class], of shape "
                f"(2, {classes}) for 2 examples; it returns {found.shape}"
            )
    _check_variables(asked, params, before, after)


def identity(network: Any, model: Model) -> dict[str, str]:
    """Return what tells a network from others, to go on with the right one.

    Args:
        network: The network.
        model: Its functions.

    Returns:
        What `jaxorder.models.identity.identity` does.
    """
    return identities.identity(_called(network), network, model)


def _check_variables(asked: str, params: Any, before: Any, after: Any) -> None:
    leaves = jax.tree.leaves(params)
    if not leaves or any(leaf.dtype != jnp.float32 for leaf in leaves):
        kinds = ", ".join(sorted({str(leaf.dtype) for leaf in leaves})) or "none"
        raise RequestError(
            f"{asked}: the network's parameters must be float32, and at least one; "
            f"they are {kinds}"
        )
    if identities.shapes_text(before) != identities.shapes_text(after):
        raise RequestError(
            f"{asked}: the network's state must keep its shapes and types in training"
        )
