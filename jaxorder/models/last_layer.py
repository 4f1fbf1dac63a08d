"""What a network's last layer is given: its gradients need no pass back."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree, Shaped

from jaxorder.errors import RequestError
from jaxorder.models.registry import Model


def last_layer(
    model: Model,
    params: PyTree,
    statistics: PyTree,
    inputs: Shaped[Any, "example *input"],
) -> dict[str, Float[Array, "example *class"]]:
    """Evaluate a network and look at its last dense layer.

    Args:
        model: The network.
        params: Its parameters.
        statistics: Its batch statistics.
        inputs: Standardised.

    Returns:
        By name: the `logits` that the network returns; the `output` of the layer, the
        same where the network ends with it; and `squares`, the squared length of what
        the layer is given, 1 more where it has a bias, which is that of the gradient
        for a logit.

    Raises:
        RequestError: Where it has no dense layer that returns [example class].
    """
    calls: list[tuple[nn.Dense, Any, Any]] = []

    def look(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        made = call(*args, **kwargs)
        if isinstance(context.module, nn.Dense) and context.method_name == "__call__":
            calls.append((context.module, *args[:1], made))
        return made

    with nn.intercept_methods(look):
        logits = model.logits(params, statistics, inputs)
    if not calls or calls[-1][2].shape != logits.shape:
        raise RequestError(
            "gradients of the last layer: wanted a network that ends with a dense "
            "layer of the classes, a flax.linen.Dense; this one does not"
        )
    layer, given, made = calls[-1]
    squares = jnp.sum(jnp.square(given.astype(jnp.float32)), axis=-1) + layer.use_bias
    output = made.astype(jnp.float32)
    return {"logits": logits, "output": output, "squares": squares}
