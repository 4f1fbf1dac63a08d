"""What makes the user's own networks: factories by name, and what they are given.

A factory is named `package.module:factory` or `file.py:factory`, with keys. It is a
function, or a module's class, and is given the keys and whatever it names of `classes`,
`inputs` (the shape of one), `vocabulary` and `dtype`. One that names `rngs` makes a
module of NNX, and is called once a member.
"""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import jax.numpy as jnp

from jaxorder.errors import RequestError, given
from jaxorder.models.calls import REST
from jaxorder.spec import Spec, typed

RNGS = "rngs"


def load(spec: Spec, available: Mapping[str, Any]) -> Any:
    """Return what a named factory makes, or the factory itself where it takes `rngs`.

    Args:
        spec: `package.module:factory[:key=value,...]` or `file.py:factory...`; packages
            are looked for in the current folder too.
        available: What a factory may ask for by name.

    Returns:
        A network, or a function of `rngs` that makes one.

    Raises:
        RequestError: Where the factory cannot be imported or called with these keys, or
            fails.
    """
    asked, place, name = spec.asked, spec.name, spec.argument
    if not name:
        raise RequestError(
            f"{asked}: must name a factory, as package.module:factory or "
            "file.py:factory"
        )
    folder = Path(place).parent if place.endswith(".py") else Path()
    with _importable(folder), refusing(f"{asked}: importing {place}"):
        source = _imported(asked, place)
    factory = getattr(source, name, None)
    if not callable(factory):
        raise RequestError(f"{asked}: {place} has no function or class {name}")
    keys = _arguments(factory, spec, available)
    if takes_rngs(factory):
        return partial(factory, **keys)
    with _importable(folder), refusing(f"{asked}: calling {name}"):
        return factory(**keys)


def takes_rngs(network: Any) -> bool:
    """Whether something is called with `rngs`, and makes a network of them."""
    try:
        return RNGS in _parameters(network)
    except (TypeError, ValueError):  # not callable, or written in C
        return False


def _parameters(factory: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return what a factory takes, by name."""
    bound = factory if isinstance(factory, partial) else partial(factory)
    if isinstance(bound.func, type):  # NNX's classes hide what their `__init__` takes
        bound = partial(bound.func.__init__, None, *bound.args, **bound.keywords)
    return inspect.signature(bound).parameters


def completed(text: str, factory: Callable[..., Any], available: Mapping[str, Any]):
    """Return a factory that was given as an object, with what it still needs.

    Args:
        text: Its name, for errors.
        factory: What makes a network of `rngs`.
        available: What it may ask for by name; what has a default keeps it.
    """
    named = _parameters(factory)
    _check_dtype(text, named, available)
    needed = {n for n, p in named.items() if p.default is p.empty} | {"dtype"}
    keys = {k: v for k, v in available.items() if k in named and k in needed}
    return partial(factory, **keys)


def _check_dtype(
    called: str, named: Mapping[str, Any], available: Mapping[str, Any]
) -> None:
    """Refuse a precision that a factory cannot be told."""
    if available["dtype"] != jnp.float32 and "dtype" not in named:
        raise RequestError(
            f"{given('precision', str(available['dtype']))}: {called} takes no dtype; "
            "give it one, or leave the option out"
        )


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
def refusing(what: str) -> Iterator[None]:
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
    """Return what to call a named factory with, but `rngs`."""
    named = _parameters(factory)
    called = f"{spec.name}:{spec.argument}"
    _check_dtype(called, named, available)
    anything = any(p.kind is p.VAR_KEYWORD for p in named.values())
    hidden = (*available, "rngs", "parent", "name")
    allowed = [n for n, p in named.items() if n not in hidden and p.kind not in REST]
    for key in spec.values:
        if key in (*available, "rngs") or not (anything or key in named):
            keys = ", ".join(allowed) or "none"
            raise RequestError(f"{spec.asked}: no key {key}; {called} takes {keys}")
    asked_for = {k: v for k, v in available.items() if k in named}
    return asked_for | {key: typed(value) for key, value in spec.values.items()}
