"""From a model string to the functions that the ensemble maps over members."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Jaxpr
from jax.typing import DTypeLike

from jaxorder.errors import RequestError, given
from jaxorder.models import own
from jaxorder.models.alexnet import AlexNet
from jaxorder.models.ambient import Initializer
from jaxorder.models.densenet import DenseNet
from jaxorder.models.identity import programs_in
from jaxorder.models.layers import (
    ACTIVATIONS,
    INITIALIZERS,
    Activation,
)
from jaxorder.models.linen import from_module
from jaxorder.models.mlp import MLP
from jaxorder.models.model import Inputs, Model
from jaxorder.models.norm import GROUPS, Norm
from jaxorder.models.resnet import ResNet
from jaxorder.models.text import BagOfEmbeddings, BiLSTMAttention
from jaxorder.models.vgg import VGG19, StVGG
from jaxorder.spec import Spec, parse_model, unknown

Factory = Callable[[Spec, Inputs, int, DTypeLike], Any]
NORMS: dict[str, Norm] = {name: name for name in get_args(Norm)}


@dataclass(frozen=True)
class Architecture:
    """What the registry knows of an architecture.

    Attributes:
        summary: A line for a listing.
        keys: Each key's default, as text.
        training: Defaults of the training options.
        module: Spec, inputs, classes and type to a module.
    """

    summary: str
    keys: Mapping[str, str]
    training: Mapping[str, Any]
    module: Factory


def _activation(keys: Spec) -> Activation | None:
    """Return the non-linearity; None for a linear network."""
    chosen = keys.choice("activation", ACTIVATIONS)
    return None if keys.flag("linear") else chosen


def _norm(keys: Spec) -> Norm:
    """Return the normalisation, of which a linear network has none."""
    chosen = keys.choice("norm", NORMS)
    return "none" if keys.flag("linear") else chosen


def _initializer(keys: Spec) -> Initializer | None:
    """Return how kernels are initialised; None: as each layer would.

    Layers of convolutions double the variance for a ReLU that would halve it (He et al.
    2015); of a linear network it would grow from layer to layer until it diverges.
    """
    if keys["init"] == "default" and keys.values.get("linear") == "true":
        return INITIALIZERS["lecun"]
    return keys.choice("init", INITIALIZERS)


def _share(keys: Spec, key: str, below: float) -> float:
    return keys.number(key, 0.0, below, open_end=True)


def _mlp(keys: Spec, inputs: Inputs, classes: int, dtype: DTypeLike) -> nn.Module:
    widths, dropout = keys.widths("widths"), _share(keys, "dropout", below=1.0)
    activation, norm = _activation(keys), _norm(keys)
    _check_groups(keys, norm, widths, "widths")
    return MLP(classes, widths, activation, norm, dropout, inputs.vocabulary, dtype)


def _st_vgg(
    name: str, shares: tuple[int, ...], windows: tuple[int, ...], dense: int
) -> Factory:
    """Return an st-VGG whose filters and dense units are in proportion to `width`."""

    def module(keys: Spec, inputs: Inputs, classes: int, dtype: DTypeLike) -> nn.Module:
        _check_images(name, inputs, least=2 ** (len(shares) // 2))
        width, norm = keys.whole("width"), _norm(keys)
        # the dense layer drops twice as much
        dropout, activation = _share(keys, "dropout", below=0.5), _activation(keys)
        filters, units = tuple(width * share for share in shares), width * dense
        _check_groups(keys, norm, filters)
        return StVGG(
            *(classes, filters, windows, units, activation, dropout, norm, dtype)
        )

    return module


def _vgg19(keys: Spec, inputs: Inputs, classes: int, dtype: DTypeLike) -> nn.Module:
    _check_images("vgg19", inputs, least=32)
    width, norm = keys.whole("width"), _norm(keys)
    _check_groups(keys, norm, [width])
    dropout = _share(keys, "dropout", below=1.0)
    return VGG19(classes, width, _activation(keys), dropout, norm, dtype)


def _alexnet(keys: Spec, inputs: Inputs, classes: int, dtype: DTypeLike) -> nn.Module:
    _check_images("alexnet", inputs, least=8)
    dropout = _share(keys, "dropout", below=1.0)
    return AlexNet(classes, keys.whole("width"), _activation(keys), dropout, dtype)


def _resnet(name: str, blocks: tuple[int, ...], bottleneck: bool) -> Factory:
    def module(keys: Spec, inputs: Inputs, classes: int, dtype: DTypeLike) -> nn.Module:
        _check_images(name, inputs, least=8)
        width, norm, activation = keys.whole("width"), _norm(keys), _activation(keys)
        _check_groups(keys, norm, [width])
        return ResNet(classes, blocks, bottleneck, width, norm, activation, dtype)

    return module


def _densenet121(
    keys: Spec, inputs: Inputs, classes: int, dtype: DTypeLike
) -> nn.Module:
    _check_images("densenet121", inputs, least=8)
    growth, norm = keys.whole("width"), _norm(keys)
    _check_groups(keys, norm, [growth])
    return DenseNet(classes, (6, 12, 24, 16), growth, norm, _activation(keys), dtype)


def _bilstm_attention(
    keys: Spec, inputs: Inputs, classes: int, dtype: DTypeLike
) -> nn.Module:
    _check_texts("bilstm_attention", inputs)
    return BiLSTMAttention(
        classes,
        inputs.vocabulary,
        keys.whole("embedding"),
        keys.whole("width"),
        _share(keys, "dropout", below=1.0),
        dtype,
    )


def _bag_of_embeddings(
    keys: Spec, inputs: Inputs, classes: int, dtype: DTypeLike
) -> nn.Module:
    _check_texts("bag_of_embeddings", inputs)
    return BagOfEmbeddings(
        classes,
        inputs.vocabulary,
        keys.whole("embedding"),
        keys.widths("widths"),
        _activation(keys),
        _share(keys, "dropout", below=1.0),
        dtype,
    )


def _check_groups(
    keys: Spec, norm: Norm, filters: Sequence[int], key: str = "width"
) -> None:
    """Refuse filters that group normalisation cannot divide."""
    if norm == "group" and any(f > GROUPS and f % GROUPS for f in filters):
        allowed = f"at most {GROUPS} or a multiple of it, for norm=group"
        raise keys.refused(key, allowed)


def _check_texts(name: str, inputs: Inputs) -> None:
    if not inputs.vocabulary:
        shape = " x ".join(map(str, inputs.shape))
        raise RequestError(
            f"{given('model', name)}: needs texts, such as newsgroups20; the data's "
            f"inputs are numbers, {shape}"
        )


def _check_images(name: str, inputs: Inputs, least: int) -> None:
    if len(inputs.shape) != 3 or min(inputs.shape[:2]) < least:
        shape = " x ".join(map(str, inputs.shape))
        shape = f"texts of {shape} words" if inputs.vocabulary else shape
        raise RequestError(
            f"{given('model', name)}: needs images of at least {least} x {least} "
            f"pixels with channels; the data's inputs are {shape}"
        )


COMMON = {"activation": "relu", "init": "default", "linear": "false"}
SLOW = {"optimizer": "momentum", "learning_rate": 0.01, "batch_size": 64}
FAST = {"optimizer": "momentum", "learning_rate": 0.02, "batch_size": 64}
ADAM = {"optimizer": "adam", "learning_rate": 0.001, "batch_size": 64}

ARCHITECTURES: dict[str, Architecture] = {
    "mlp": Architecture(
        "fully connected; widths=none is softmax regression",
        {"widths": "256-128", "norm": "none", "dropout": "0", **COMMON},
        FAST,
        _mlp,
    ),
    "small_st_vgg": Architecture(
        "4 convolutions (32, 32, 64, 64) and a dense layer of 256",
        {
            "width": "32",
            "norm": "none",
            "dropout": "0.25",
            **COMMON,
            "activation": "elu",
        },
        SLOW,
        _st_vgg("small_st_vgg", (1, 1, 2, 2), (3,) * 4, dense=8),
    ),
    "st_vgg": Architecture(
        "8 convolutions (32, 32 to 256, 256) and a dense layer of 512",
        {
            "width": "32",
            "norm": "none",
            "dropout": "0.25",
            **COMMON,
            "activation": "elu",
        },
        SLOW,
        _st_vgg("st_vgg", (1, 1, 2, 2, 4, 4, 8, 8), (*(3,) * 6, 2, 2), dense=16),
    ),
    "alexnet": Architecture(
        "5 convolutions (64 to 256) and two dense layers of 4096",
        {"width": "64", "dropout": "0.5", **COMMON},
        SLOW,
        _alexnet,
    ),
    "vgg19": Architecture(
        "16 convolutions (64 to 512) and two dense layers of 4096",
        {"width": "64", "norm": "none", "dropout": "0.5", **COMMON},
        SLOW,
        _vgg19,
    ),
    "resnet18": Architecture(
        "17 convolutions in residual blocks (64 to 512)",
        {"width": "64", "norm": "batch", **COMMON},
        FAST,
        _resnet("resnet18", (2, 2, 2, 2), bottleneck=False),
    ),
    "resnet50": Architecture(
        "49 convolutions in residual blocks with bottlenecks (256 to 2048)",
        {"width": "64", "norm": "batch", **COMMON},
        FAST,
        _resnet("resnet50", (3, 4, 6, 3), bottleneck=True),
    ),
    "densenet121": Architecture(
        "120 convolutions in blocks whose layers add to all before (width: the growth)",
        {"width": "32", "norm": "batch", **COMMON},
        FAST,
        _densenet121,
    ),
    "bilstm_attention": Architecture(
        "for texts: a bidirectional LSTM of `width` units, weighed by attention",
        {"width": "100", "embedding": "100", "dropout": "0.3", "init": "default"},
        ADAM,
        _bilstm_attention,
    ),
    "bag_of_embeddings": Architecture(
        "for texts: the mean of the words' embeddings, and hidden layers",
        {"embedding": "100", "widths": "100", "dropout": "0.3", **COMMON},
        ADAM,
        _bag_of_embeddings,
    ),
}


def architecture(text: str) -> Architecture:
    """Return the architecture of a model string.

    Of the user's own modules only the defaults of training are known.

    Raises:
        RequestError: Where the name or a key is unknown.
    """
    spec = parse_model(text)
    if own.is_own(text):
        return Architecture("a network of the user's own", spec.values, ADAM, _own)
    if spec.name not in ARCHITECTURES:
        raise RequestError(unknown("model", spec.asked, spec.name, ARCHITECTURES))
    known = ARCHITECTURES[spec.name]
    spec.filled(known.keys)
    return known


def _own(keys: Spec, inputs: Inputs, classes: int, dtype: DTypeLike) -> Any:
    """Return the network that a factory of the user's makes."""
    return own.load(keys, _available(inputs, classes, dtype))


def _available(inputs: Inputs, classes: int, dtype: DTypeLike) -> dict[str, Any]:
    """Return what a factory of the user's may ask for by name."""
    return {
        "classes": classes,
        "inputs": inputs.shape,
        "vocabulary": inputs.vocabulary,
        "dtype": jnp.dtype(dtype),
    }


def build(
    text: str,
    inputs: Inputs,
    classes: int,
    precision: str = "float32",
    shares: Sequence[float] = (),
    module: Any = None,
) -> Model:
    """Return a model string's network.

    Args:
        text: `NAME[:key=value,...]`.
        inputs: What it takes.
        classes: Outputs, at least 2.
        precision: `float32` or `bfloat16`, of the computation; parameters and logits
            are float32.
        shares: Values of the key `dropout`, where members differ in it.
        module: The network, where it is given as an object: as `jo.train` takes it.

    Returns:
        The network as pure functions.

    Raises:
        RequestError: Where a name, key or value is not allowed, or the inputs do not
            suit the architecture.
    """
    if own.is_own(text) or module is not None:
        if shares:
            raise RequestError(
                f"{given('vary', 'dropout')}: {text} is a network of the user's own, "
                "whose dropout is its own affair; vary another option"
            )
        return _build_own(text, inputs, classes, precision, module)
    known, spec, dtype = architecture(text), parse_model(text), jnp.dtype(precision)
    if shares and ("dropout" not in known.keys or "dropout" in spec.values):
        what = "names" if "dropout" in spec.values else "has no key"
        raise RequestError(
            f"{given('vary', 'dropout')}: {text} {what} dropout; leave it to one of "
            "the two, of a model that drops"
        )
    keys = spec.filled(known.keys)
    varied = [keys.with_value("dropout", f"{share:g}") for share in sorted(shares)]
    asked = varied or [keys]
    modules = [known.module(keys, inputs, classes, dtype) for keys in asked]
    init = _initializer(asked[-1])
    # that of the largest share: layers drop relative to it
    return from_module(modules[-1], inputs, init, dropout=max(shares, default=0.0))


def _build_own(
    text: str, inputs: Inputs, classes: int, precision: str, module: Any
) -> Model:
    """Return the user's own network, checked, as functions."""
    keys = parse_model(text)
    own.check_given(keys.asked, text, module)
    available = _available(inputs, classes, precision)
    if module is None:
        module = own.load(keys, available)
    else:
        module = own.completed(text, module, available)
    model = own.functions(keys.asked, module, inputs)
    own.check(keys.asked, model, classes)
    return model._replace(identity=own.identity(module, model))


def parameter_count(model: Model) -> int:
    """Return the number of a network's parameters, without computing any."""
    shapes, _ = jax.eval_shape(model.init, jax.random.key(0))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def forward_flops(model: Model) -> float:
    """Return the multiplications and additions of one example's forward pass.

    Those of matrix products and convolutions, each by its direct sum.
    """
    return sum(layer_flops(model))


def layer_flops(model: Model) -> list[float]:
    """Return the same for each layer with weights, in the order of the computation."""
    variables = jax.eval_shape(model.init, jax.random.key(0))
    jaxpr = jax.make_jaxpr(lambda v, x: model.logits(*v, x))(
        variables, model.inputs.of(1)
    )
    return list(_flops(jaxpr.jaxpr))


def _flops(jaxpr: Jaxpr) -> Iterator[float]:
    """Yield the operations of each product, of a loop's once for all of its rounds."""
    for equation in jaxpr.eqns:
        name, params = equation.primitive.name, equation.params
        if name == "scan":
            yield params["length"] * sum(_flops(params["jaxpr"].jaxpr))
        elif name in ("dot_general", "conv_general_dilated"):
            out: Any = equation.outvars[0].aval
            yield 2.0 * float(np.prod(out.shape)) * _summed(name, equation)
        else:
            yield from (f for inner in programs_in(params) for f in _flops(inner))


def _summed(name: str, equation: Any) -> float:
    """Return the products that each output is a sum of."""
    if name == "conv_general_dilated":
        kernel = equation.invars[1].aval.shape
        return float(np.prod(kernel) / kernel[-1])
    (axes, _), _ = equation.params["dimension_numbers"]
    return float(np.prod([equation.invars[0].aval.shape[axis] for axis in axes]))


def options_text(text: str) -> dict[str, str]:
    """Return every key of a model string with the value that it has."""
    return {**architecture(text).keys, **parse_model(text).values}
