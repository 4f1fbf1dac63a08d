"""The user's own networks: Linen modules, given as objects or by the name of a factory.

A factory is named `package.module:factory` or `file.py:factory`, with keys. It is a
function, or a module's class, and is given the keys and whatever it names of `classes`,
`inputs` (the shape of one), `vocabulary` and `dtype`. Modules are called with inputs
[example *input], and with `training`, `train` or `deterministic` where they take one.
"""

import dataclasses
import functools
import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal
from jaxtyping import Array

from jaxorder.errors import RequestError, given
from jaxorder.models import conv
from jaxorder.models.ambient import ambient
from jaxorder.spec import Spec, parse_model

OBJECT = "@"  # between the class and the digest of a module given as an object
KNOWN_STATE = {"params", "batch_stats"}
REST = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
MODES = {"training": True, "train": True, "deterministic": False}


def is_own(text: str) -> bool:
    """Whether a model string names a module of the user's own.

    Example:
        >>> is_own("nets.py:make:width=8"), is_own("Net@0f3a5c77"), is_own("mlp")
        (True, True, False)
    """
    return is_object(text) or "." in parse_model(text).name


def is_object(text: str) -> bool:
    """Whether a model string names a module that was given as an object."""
    return OBJECT in parse_model(text).name


def object_name(module: Any) -> str:
    """Return the model string of a module that is given as an object.

    Args:
        module: An instance of a Linen module.

    Returns:
        The class and a digest of the fields, as `Net@0f3a5c77`.

    Raises:
        RequestError: Where it is not an instance of a Linen module.
    """
    _check_linen("model", module)
    return f"{type(module).__name__}{OBJECT}{_digest(fields_text(module))[:8]}"


# ---- from a name to a module


def load(spec: Spec, available: Mapping[str, Any]) -> nn.Module:
    """Return the module that a named factory makes.

    Args:
        spec: `package.module:factory[:key=value,...]` or `file.py:factory...`; packages
            are looked for in the current folder too.
        available: What a factory may ask for by name.

    Returns:
        The module.

    Raises:
        RequestError: Where the factory cannot be imported or called with these keys,
            fails, or makes something else than a Linen module.
    """
    asked, place, name = spec.asked, spec.name, spec.argument
    if not name:
        raise RequestError(
            f"{asked}: must name a factory, as package.module:factory or "
            "file.py:factory"
        )
    folder = Path(place).parent if place.endswith(".py") else Path()
    with _importable(folder), _refusing(f"{asked}: importing {place}"):
        source = _imported(asked, place)
    factory = getattr(source, name, None)
    if not callable(factory):
        raise RequestError(f"{asked}: {place} has no function or class {name}")
    keys = _arguments(factory, spec, available)
    with _importable(folder), _refusing(f"{asked}: calling {name}"):
        module: Any = factory(**keys)
    _check_linen(asked, module)
    return module


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let modules be imported from a folder, which a console script does not."""
    before = list(sys.path)
    sys.path.insert(0, str(folder.absolute()))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Turn whatever the user's code raises into a refusal of a line."""
    try:
        yield
    except RequestError:
        raise
    except (Exception, SystemExit) as error:  # a script may leave when it is imported
        said = " ".join(str(error).split())[:300]
        raise RequestError(f"{what} failed: {type(error).__name__}: {said}") from error


def _imported(asked: str, place: str) -> ModuleType:
    if not place.endswith(".py"):
        return importlib.import_module(place)
    if not Path(place).is_file():
        raise RequestError(f"{asked}: no file {place} in {Path.cwd()}")
    # Found by this name by dataclasses, which Linen modules are.
    name = f"jaxorder_own_{Path(place).stem}"
    spec = importlib.util.spec_from_file_location(name, place)
    assert spec is not None
    assert spec.loader is not None
    source = importlib.util.module_from_spec(spec)
    sys.modules[name] = source
    spec.loader.exec_module(source)
    return source


def _arguments(
    factory: Callable[..., Any], spec: Spec, available: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what to call a factory with."""
    named = inspect.signature(factory).parameters
    called = f"{spec.name}:{spec.argument}"
    if available["dtype"] != jnp.float32 and "dtype" not in named:
        raise RequestError(
            f"{given('precision', str(available['dtype']))}: {called} takes no dtype; "
            "give it one, or leave the option out"
        )
    anything = any(p.kind is p.VAR_KEYWORD for p in named.values())
    hidden = (*available, "parent", "name")
    allowed = [n for n, p in named.items() if n not in hidden and p.kind not in REST]
    for key in spec.values:
        if key in available or not (anything or key in named):
            keys = ", ".join(allowed) or "none"
            raise RequestError(f"{spec.asked}: no key {key}; {called} takes {keys}")
    asked_for = {k: v for k, v in available.items() if k in named}
    return asked_for | {key: typed(value) for key, value in spec.values.items()}


def typed(text: str) -> Any:
    """Return a key's value as a number or truth value where it looks like one.

    Example:
        >>> [typed(text) for text in ("8", "1e-3", "true", "8-8")]
        [8, 0.001, True, '8-8']
    """
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    number = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text)
    return float(text) if number else text


def _check_linen(asked: str, module: Any) -> None:
    if isinstance(module, nn.Module):
        return
    is_class = isinstance(module, type) and issubclass(module, nn.Module)
    kind = f"the class {module.__name__}" if is_class else type(module).__name__
    raise RequestError(
        f"{asked}: must be an instance of a flax.linen.Module, not {kind}"
    )


# ---- as the architectures are called


class Called:
    """A module of the user's own, called as the architectures are.

    Args:
        asked: What it was asked for with, as `given` returns.
        module: The module.

    Raises:
        RequestError: Where its call needs more than inputs and a mode.
    """

    def __init__(self, asked: str, module: nn.Module) -> None:
        self._asked, self._module = asked, module
        takes = inspect.signature(type(module).__call__).parameters
        self._mode = next((mode for mode in MODES if mode in takes), None)
        needed = [
            name
            for name, p in list(takes.items())[2:]
            if p.default is p.empty and p.kind not in REST
        ]
        if len(takes) < 2 or set(needed) - {self._mode}:
            raise RequestError(
                f"{asked}: {type(module).__name__} must be called with inputs and at "
                f"most one of {', '.join(MODES)}; it takes {', '.join(takes)}"
            )

    def init(self, rngs: Any, inputs: Any, training: bool) -> Any:
        """Return the first variables."""
        with nn.intercept_methods(_as_ours):
            told: Any = self._told(training)
            made = self._module.init(rngs, inputs, **told)
        _check_state(self._asked, made)
        return nn.meta.unbox(made)

    def apply(self, variables: Any, inputs: Any, training: bool, **more: Any) -> Any:
        """Return what the module's own `apply` does."""
        told = self._told(training)
        with nn.intercept_methods(_as_ours):
            made: Any = self._module.apply(variables, inputs, **told, **more)
        self._check_output(made[0] if "mutable" in more else made)
        return made

    def _check_output(self, outputs: Any) -> None:
        if not isinstance(outputs, jax.Array):
            raise RequestError(
                f"{self._asked}: the module must return logits [example class] alone; "
                f"it returns a {type(outputs).__name__}"
            )

    def _told(self, training: bool) -> dict[str, bool]:
        return {self._mode: training == MODES[self._mode]} if self._mode else {}


def _as_ours(
    call: Callable[..., Any],
    args: Any,
    kwargs: Any,
    context: nn.module.InterceptorContext,
) -> Any:
    """Run a layer of Linen's as the layers of our architectures run."""
    layer = context.module
    if context.method_name != "__call__":
        return call(*args, **kwargs)
    if isinstance(layer, nn.BatchNorm) and args:
        kwargs = _masked(args[0]) | kwargs
    if isinstance(layer, nn.Conv) and _plain(layer):
        with _convolving(layer):
            return call(*args, **kwargs)
    return call(*args, **kwargs)


def _masked(x: Array) -> dict[str, Array]:
    """Return what keeps the examples that fill up a batch out of its statistics."""
    real = ambient().real
    if real is None or len(real) != len(x):
        return {}
    return {"mask": jnp.asarray(real).reshape(-1, *[1] * (x.ndim - 1))}


def _plain(layer: nn.Conv) -> bool:
    """Whether a layer convolves by XLA's own, and not by the user's."""
    return layer.conv_general_dilated is None and layer.conv_general_dilated_cls is None


@contextmanager
def _convolving(layer: nn.Conv) -> Iterator[None]:
    """Let a layer convolve by the plan's method.

    Linen has a field for that, but freezes a module's fields once it is made.
    """
    object.__setattr__(layer, "conv_general_dilated", _convolved)
    try:
        yield
    finally:
        object.__setattr__(layer, "conv_general_dilated", None)


def _convolved(
    x: Array,
    kernel: Array,
    strides: Any,
    padding: Any,
    *,
    lhs_dilation: Any,
    rhs_dilation: Any,
    dimension_numbers: Any,
    feature_group_count: int,
    precision: Any,
) -> Array:
    """Convolve as `lax.conv_general_dilated`, which has these arguments, would."""
    del dimension_numbers, precision  # channels last; the plan's precision
    spread = conv.Spread(tuple(lhs_dilation), tuple(rhs_dilation), feature_group_count)
    return conv.convolve_any(x, kernel, tuple(strides), padding, spread)


# ---- what is refused, and what tells modules apart


def check(asked: str, model: Any, classes: int) -> None:
    """Refuse a module that cannot be trained and recorded.

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
    with _refusing(f"{asked}: the module's first call on inputs [{shape}]"):
        params, before = jax.eval_shape(model.init, key)
    with _refusing(f"{asked}: the module's call on inputs [{shape}]"):
        logits = jax.eval_shape(model.logits, params, before, inputs)
    with _refusing(f"{asked}: the module's call in training on inputs [{shape}]"):
        trained, after = jax.eval_shape(model.train, params, before, inputs, key)
    for found in (logits, trained):
        if found.shape != (2, classes):
            raise RequestError(
                f"{asked}: the module must return logits [example class], of shape "
                f"(2, {classes}) for 2 examples; it returns {found.shape}"
            )
    _check_variables(asked, params, before, after)


def _check_state(asked: str, variables: Mapping[str, Any]) -> None:
    """Refuse collections of variables other than parameters and batch statistics."""
    others = sorted(set(variables) - KNOWN_STATE)
    if others:
        raise RequestError(
            f"{asked}: the module holds state in {', '.join(others)}; must be only in "
            f"{' and '.join(sorted(KNOWN_STATE))}"
        )


def _check_variables(asked: str, params: Any, before: Any, after: Any) -> None:
    leaves = jax.tree.leaves(params)
    if not leaves or any(leaf.dtype != jnp.float32 for leaf in leaves):
        kinds = ", ".join(sorted({str(leaf.dtype) for leaf in leaves})) or "none"
        raise RequestError(
            f"{asked}: the module's parameters must be float32, and at least one; "
            f"they are {kinds}"
        )
    if _shapes_text(before) != _shapes_text(after):
        raise RequestError(
            f"{asked}: the module's batch_stats must keep their shapes and types in "
            "training"
        )


def identity(module: nn.Module, model: Any) -> dict[str, str]:
    """Return what tells a module from others, to go on with the right one.

    Args:
        module: The module.
        model: Its functions, a `Model`.

    Returns:
        `class`, `fields`, `digest` of these and of the parameters' shapes, and
        `program`, a digest of the operations, which other versions may change.
    """
    fields = fields_text(module)
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    return {
        "class": type(module).__name__,
        "fields": fields,
        "digest": _digest(type(module).__name__ + fields + _shapes_text(shapes)),
        "program": _digest("\n".join(_operations(_traced(model, shapes)))),
    }


def fields_text(module: nn.Module) -> str:
    """Return a module's class and fields as text, the same in every process."""
    return _described(module)


def _described(value: Any) -> str:
    """Return a value as text, without addresses in memory."""
    if isinstance(value, nn.Module):
        fields = [f.name for f in dataclasses.fields(value) if f.name != "parent"]
        return _call_text(value, [(f, getattr(value, f)) for f in fields])
    if isinstance(value, functools.partial):
        return _call_text(value, [*enumerate(value.args), *value.keywords.items()])
    if isinstance(value, Mapping):
        return _call_text(value, list(value.items()))
    if isinstance(value, list | tuple):
        return _call_text(value, list(enumerate(value)))
    if isinstance(value, np.ndarray | jax.Array):
        return f"{value.dtype}{value.shape}{_digest(np.asarray(value).tobytes())}"
    if callable(value) and hasattr(value, "__name__"):
        return value.__name__ + _held_text(value)
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def _held_text(function: Any) -> str:
    """Return the numbers and words that a function holds, as initialisers do."""
    cells = [
        cell.cell_contents for cell in getattr(function, "__closure__", None) or ()
    ]
    plain = [value for value in cells if isinstance(value, int | float | str)]
    return str(plain) if plain else ""


def _call_text(value: Any, parts: list[tuple[Any, Any]]) -> str:
    inner = value.func if isinstance(value, functools.partial) else type(value)
    listed = ", ".join(f"{name}={_described(part)}" for name, part in parts)
    return f"{_described(inner)}({listed})"


def _shapes_text(tree: Any) -> str:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return " ".join(f"{jax.tree_util.keystr(k)}{v.dtype}{v.shape}" for k, v in leaves)


def _digest(text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    return hashlib.sha256(data).hexdigest()[:16]


def _traced(model: Any, shapes: Any) -> Jaxpr:
    inputs, key = model.inputs.of(2), jax.random.key(0)
    return jax.make_jaxpr(lambda v, x, k: model.train(*v, x, k))(
        shapes, inputs, key
    ).jaxpr


def _operations(jaxpr: Jaxpr) -> Iterator[str]:
    """Yield a program's operations with their shapes and constants.

    The printed program is not the same in every process: it holds addresses.
    """
    for equation in jaxpr.eqns:
        sources = [
            str(v.val if isinstance(v, Literal) else v.aval) for v in equation.invars
        ]
        results = [str(v.aval) for v in equation.outvars]
        yield f"{equation.primitive.name} {sources} {results}"
        for inner in programs_in(equation.params):
            yield from _operations(inner)


def programs_in(params: Mapping[str, Any]) -> list[Jaxpr]:
    """Return the programs that an operation calls, such as a loop's."""
    kinds = ClosedJaxpr | Jaxpr
    leaves = jax.tree.leaves(
        list(params.values()), is_leaf=lambda x: isinstance(x, kinds)
    )
    found = [leaf for leaf in leaves if isinstance(leaf, kinds)]
    return [f.jaxpr if isinstance(f, ClosedJaxpr) else f for f in found]
