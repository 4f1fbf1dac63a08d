"""From a model string to the two functions that the ensemble maps over members."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key, PyTree, Shaped

from jaxorder.config import ModelSpec, parse_model
from jaxorder.errors import RequestError
from jaxorder.keys import Keys
from jaxorder.models.layers import ACTIVATIONS, Activation
from jaxorder.models.mlp import MLP
from jaxorder.models.resnet import GROUPS, Norm, ResNet18
from jaxorder.models.vgg import StVGG

AnyArray = Array | np.ndarray
NORMS: dict[str, Norm] = {name: name for name in get_args(Norm)}
Parameters = PyTree[Float[AnyArray, "..."]]


class Inputs(NamedTuple):
    """What one input of a network is.

    Attributes:
        shape: [height, width, channel], [feature] or [token].
        vocabulary: Number of words that tokens stand for; 0: the inputs are numbers.
    """

    shape: tuple[int, ...]
    vocabulary: int = 0

    def of(self, examples: int) -> jax.ShapeDtypeStruct:
        """Return the shape and type of some inputs."""
        kind = np.int32 if self.vocabulary else np.float32
        return jax.ShapeDtypeStruct((examples, *self.shape), kind)


class Model(NamedTuple):
    """One member's network as pure functions.

    Attributes:
        init: Key to parameters.
        logits: Parameters, inputs [example *input] and a key for dropout to logits
            [example class] in float32. Without a key nothing is dropped: evaluation.
        inputs: What it takes.
    """

    init: Callable[[Key[Array, ""]], Parameters]
    logits: Callable[..., Float[Array, "example class"]]
    inputs: Inputs


@dataclass(frozen=True)
class Architecture:
    """What the registry knows of an architecture.

    Attributes:
        summary: A line for a listing.
        keys: Each key's default, as text.
        training: Defaults of the training options.
        module: Keys, inputs, classes and type to a module.
    """

    summary: str
    keys: Mapping[str, str]
    training: Mapping[str, Any]
    module: Callable[[Keys, Inputs, int, DTypeLike], nn.Module]


def _activation(keys: Keys) -> Activation | None:
    """Return the non-linearity; None for a linear network."""
    chosen = keys.choice("activation", ACTIVATIONS)
    return None if keys.flag("linear") else chosen


def _share(keys: Keys, key: str, below: float) -> float:
    return keys.number(key, 0.0, below, open_end=True)


def _mlp(keys: Keys, inputs: Inputs, classes: int, dtype: DTypeLike) -> nn.Module:
    widths, dropout = keys.widths("widths"), _share(keys, "dropout", below=1.0)
    activation = _activation(keys)
    return MLP(classes, widths, activation, dropout, inputs.vocabulary, dtype)


def _st_vgg(
    name: str, filters: tuple[int, ...], windows: tuple[int, ...], dense: int
) -> Callable[..., nn.Module]:
    def module(keys: Keys, inputs: Inputs, classes: int, dtype: DTypeLike) -> nn.Module:
        _check_images(name, inputs, least=2 ** (len(filters) // 2))
        # the dense layer drops twice as much
        dropout, activation = _share(keys, "dropout", below=0.5), _activation(keys)
        return StVGG(classes, filters, windows, dense, activation, dropout, dtype)

    return module


def _resnet18(keys: Keys, inputs: Inputs, classes: int, dtype: DTypeLike) -> nn.Module:
    _check_images("resnet18", inputs, least=8)
    width, norm = keys.whole("width"), keys.choice("norm", NORMS)
    if norm == "group" and width > GROUPS and width % GROUPS:
        raise RequestError(
            f"--models resnet18: width={width} must be at most {GROUPS} or a multiple "
            "of it, for norm=group"
        )
    return ResNet18(classes, width, norm, _activation(keys), dtype)


def _check_images(name: str, inputs: Inputs, least: int) -> None:
    if len(inputs.shape) != 3 or min(inputs.shape[:2]) < least:
        shape = " x ".join(map(str, inputs.shape))
        shape = f"texts of {shape} words" if inputs.vocabulary else shape
        raise RequestError(
            f"--models {name}: needs images of at least {least} x {least} pixels with "
            f"channels; the data's inputs are {shape}"
        )


ARCHITECTURES: dict[str, Architecture] = {
    "mlp": Architecture(
        "fully connected; widths=none is softmax regression",
        {"widths": "256-128", "activation": "relu", "dropout": "0", "linear": "false"},
        {"optimizer": "momentum", "learning_rate": 0.02, "batch_size": 64},
        _mlp,
    ),
    "small_st_vgg": Architecture(
        "4 convolutions (32, 32, 64, 64) and a dense layer of 256",
        {"activation": "elu", "dropout": "0.25", "linear": "false"},
        {"optimizer": "momentum", "learning_rate": 0.01, "batch_size": 64},
        _st_vgg("small_st_vgg", (32, 32, 64, 64), (3,) * 4, dense=256),
    ),
    "st_vgg": Architecture(
        "8 convolutions (32, 32 to 256, 256) and a dense layer of 512",
        {"activation": "elu", "dropout": "0.25", "linear": "false"},
        {"optimizer": "momentum", "learning_rate": 0.01, "batch_size": 64},
        _st_vgg(
            "st_vgg",
            (32, 32, 64, 64, 128, 128, 256, 256),
            (3, 3, 3, 3, 3, 3, 2, 2),
            dense=512,
        ),
    ),
    "resnet18": Architecture(
        "17 convolutions in residual blocks (64 to 512), group normalisation",
        {"width": "64", "norm": "group", "activation": "relu", "linear": "false"},
        {"optimizer": "momentum", "learning_rate": 0.02, "batch_size": 64},
        _resnet18,
    ),
}


def architecture(text: str) -> Architecture:
    """Return the architecture of a model string.

    Raises:
        RequestError: Where the name or a key is unknown.
    """
    spec = parse_model(text)
    if spec.name not in ARCHITECTURES:
        raise RequestError(_unknown("model", text, spec.name, ARCHITECTURES))
    known = ARCHITECTURES[spec.name]
    for key in spec.options:
        if key not in known.keys:
            raise RequestError(_unknown("key", text, key, known.keys))
    return known


def _unknown(kind: str, text: str, got: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(got, known, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"--models {text}: no {kind} {got}{hint}; there are {', '.join(known)}"


def build(text: str, inputs: Inputs, classes: int, precision: str = "float32") -> Model:
    """Return a model string's network.

    Args:
        text: `NAME[:key=value,...]`.
        inputs: What it takes.
        classes: Outputs, at least 2.
        precision: `float32` or `bfloat16`, of the computation; parameters and logits
            are float32.

    Returns:
        The network as two pure functions.

    Raises:
        RequestError: Where a name, key or value is not allowed, or the inputs do not
            suit the architecture.
    """
    known, spec = architecture(text), parse_model(text)
    keys = Keys(f"--models {text}", {**known.keys, **spec.options})
    module = known.module(keys, inputs, classes, jnp.dtype(precision))
    return from_module(module, inputs)


def from_module(module: nn.Module, inputs: Inputs) -> Model:
    """Return a Linen module, called with inputs and `training`, as two functions."""
    one = inputs.of(1)

    def init(key: Key[Array, ""]) -> Parameters:
        zeros = jnp.zeros(one.shape, one.dtype)
        return module.init({"params": key}, zeros, training=False)["params"]

    def logits(
        params: Parameters,
        inputs: Shaped[AnyArray, "example *input"],
        dropout_key: Key[Array, ""] | None = None,
    ) -> Float[Array, "example class"]:
        training = dropout_key is not None
        rngs = {"dropout": dropout_key} if training else None
        outputs = module.apply(
            {"params": params}, jnp.asarray(inputs), training=training, rngs=rngs
        )
        return jnp.asarray(outputs, jnp.float32)

    return Model(init, logits, inputs)


def parameter_count(model: Model) -> int:
    """Return the number of a network's parameters, without computing any."""
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def forward_flops(model: Model) -> float:
    """Return the multiplications and additions of one example's forward pass.

    Those of matrix products and convolutions, each by its direct sum.
    """
    return sum(layer_flops(model))


def layer_flops(model: Model) -> list[float]:
    """Return the same for each layer with weights, in the order of the computation."""
    params = jax.eval_shape(model.init, jax.random.key(0))
    jaxpr = jax.make_jaxpr(lambda p, x: model.logits(p, x))(params, model.inputs.of(1))
    return [flops for flops in map(_flops, jaxpr.jaxpr.eqns) if flops]


def _flops(equation: Any) -> float:
    if equation.primitive.name not in ("dot_general", "conv_general_dilated"):
        return 0.0
    kernel, out = equation.invars[1].aval.shape, equation.outvars[0].aval.shape
    return 2.0 * np.prod(kernel) * np.prod(out) / kernel[-1]


def options_text(text: str) -> dict[str, str]:
    """Return every key of a model string with the value that it has."""
    spec: ModelSpec = parse_model(text)
    return {**architecture(text).keys, **spec.options}
