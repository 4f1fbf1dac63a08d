"""Options: what each is, its default and what is allowed, said once.

A group of options is a frozen dataclass made by `options`, whose fields are made by
`option`. Its docstring, its checks and the help of the command line come from these.
"""

import dataclasses
import math
import numbers
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, Literal, TypeVar, dataclass_transform, get_args, get_origin
from typing import get_type_hints as hints_of

from jaxorder.errors import RequestError, given, in_python

# name, value -> refuses the value; what it returns is not looked at
Check = Callable[[str, Any], object]
Group = TypeVar("Group")


def option(help: str, *, default: Any, check: Check | None = None) -> Any:
    """Return a field of a group of options.

    Args:
        help: A sentence for people, without the default; it names other options by
            `given`.
        default: What it is where it is not given; by keyword, so that checkers of
            types know that the option may be left out.
        check: Refuses values that its type allows and it does not.
    """
    return dataclasses.field(default=default, metadata={"help": help, "check": check})


@dataclass_transform(
    kw_only_default=True, frozen_default=True, field_specifiers=(option,)
)
def options(cls: type[Group]) -> type[Group]:
    """Make a class a group of options, which are checked when it is made."""
    made: Any = dataclasses.dataclass(frozen=True, kw_only=True)(cls)
    fields = dataclasses.fields(made)
    helps = {f.name: in_python(f.metadata["help"]) for f in fields}
    listed = "\n".join(f"        {name}: {text}" for name, text in helps.items())
    made.__doc__ = f"{(cls.__doc__ or '').rstrip()}\n\n    Attributes:\n{listed}\n"
    return made


class Checked:
    """A group of options that refuses what is not allowed.

    Lists and paths given as texts are taken for the tuples and paths that are meant.

    Raises:
        RequestError: Where a value is none of those allowed.
    """

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):  # pyright: ignore[reportArgumentType]  # groups are dataclasses
            kind = annotation(type(self), each.name)
            value = meant(kind, getattr(self, each.name))
            object.__setattr__(self, each.name, value)  # frozen from here on
            if value is None and NoneType in get_args(kind):
                continue
            _check(each.name, kind, value)
            if each.metadata["check"]:
                each.metadata["check"](each.name, value)


def annotation(group: type, name: str) -> Any:
    """Return the type of an option."""
    return _hints(group)[name]


@cache
def _hints(group: type) -> dict[str, Any]:
    return hints_of(group)


def several(kind: Any) -> Any:
    """Return the type of each value of an option that takes several; else None."""
    return get_args(kind)[0] if get_origin(kind) is Sequence else None


def single(kind: Any) -> Any:
    """Return the type of an option's value, None left out."""
    given_types = [each for each in get_args(kind) if each is not NoneType]
    optional = NoneType in get_args(kind) and get_origin(kind) is not Literal
    return given_types[0] if optional else kind


def meant(kind: Any, value: Any) -> Any:
    """Return what is meant by a value: a tuple by a list, a path by its text.

    Numbers of NumPy are taken for Python's, which JSON knows.
    """
    if isinstance(value, numbers.Number) and not isinstance(value, int | float):
        value = _own_number(value)
    if several(kind) and isinstance(value, list):
        return tuple(value)
    if single(kind) is Path and isinstance(value, str):
        return Path(value).expanduser()
    return value


def _own_number(value: numbers.Number) -> Any:
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(value) if isinstance(value, numbers.Real) else value


def to_json(group: Any) -> dict[str, Any]:
    """Return a group of options as JSON values."""
    return {f.name: _plain(getattr(group, f.name)) for f in dataclasses.fields(group)}


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value.absolute())
    return list(value) if isinstance(value, tuple) else value


def given_options(group: Any, defaults: type | None = None) -> dict[str, Any]:
    """Return the options of a group that are not the defaults, by name."""
    fields = dataclasses.fields(defaults or group)
    values = {f: getattr(group, f.name) for f in fields}
    return {f.name: value for f, value in values.items() if value != f.default}


# ---- checks


def whole(least: int, most: int | None = None) -> Check:
    """Return what refuses numbers that are not whole or out of bounds."""

    def check(name: str, value: Any) -> None:
        number = isinstance(value, int) and not isinstance(value, bool)
        if number and least <= value <= (math.inf if most is None else most):
            return
        allowed = f"at least {least}" if most is None else f"from {least} to {most}"
        raise RequestError(f"{given(name, value)}: must be a whole number, {allowed}")

    return check


def number(
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    below: float = math.inf,
    most: float = math.inf,
) -> Check:
    """Return what refuses numbers that are not finite or out of bounds."""
    bounds = [
        f"at least {least:g}" if least > -math.inf else "",
        f"above {above:g}" if above > -math.inf else "",
        f"below {below:g}" if below < math.inf else "",
        f"at most {most:g}" if most < math.inf else "",
    ]
    allowed = " and ".join(bound for bound in bounds if bound)

    def check(name: str, value: Any) -> None:
        real = isinstance(value, int | float) and not isinstance(value, bool)
        if not (real and least <= value <= most and above < value < below):
            raise RequestError(
                f"{given(name, value)}: must be a finite number {allowed}"
            )

    return check


def share(name: str, value: Any) -> None:
    """Refuse what is no number from 0 to 1."""
    real = isinstance(value, int | float) and not isinstance(value, bool)
    if not (real and 0 <= value <= 1):
        raise RequestError(f"{given(name, value)}: must be from 0 to 1")


def data_bytes(name: str, value: str) -> None:
    """Refuse what is no number of bytes."""
    parse_bytes(value, name)


def parse_bytes(text: str, name: str) -> int:
    """Return bytes given as a number with B, KB, MB, GB or TB, powers of 1000.

    Args:
        text: The number.
        name: Option that it was given for.

    Raises:
        RequestError: Where the text is none.

    Example:
        >>> parse_bytes("1.5GB", "device_memory")
        1500000000
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b", text.strip().lower())
    if not found:
        raise RequestError(f"{given(name, text)}: must be bytes, as 500MB or 2GB")
    amount, unit = found.groups()
    return int(Decimal(amount) * 1000 ** " kmgt".index(unit or " "))


def _check(name: str, kind: Any, value: Any) -> None:
    """Refuse values that are not of an option's type, as far as it says which."""
    each = several(kind)
    if each is not None:
        _check_several(name, each, value)
    elif get_origin(single(kind)) is Literal:
        if value not in get_args(single(kind)):
            raise _not_among(name, value, get_args(single(kind)))
    elif kind is bool and not isinstance(value, bool):
        raise RequestError(f"{given(name, value)}: must be true or false")
    elif single(kind) is str and not isinstance(value, str):
        raise RequestError(f"{given(name, value)}: must be a text")
    elif single(kind) is Path and not isinstance(value, Path):
        raise RequestError(f"{given(name, value)}: must be a path")


def _check_several(name: str, each: Any, values: Any) -> None:
    if not isinstance(values, tuple):
        raise RequestError(f"{given(name, values)}: must be a list")
    for value in values:
        _check(name, each, value)
    if get_origin(each) is Literal and len(set(values)) < len(values):
        raise RequestError(f"{given(name, values)}: must name each once")


def _not_among(name: str, value: Any, allowed: Sequence[Any]) -> RequestError:
    words = ", ".join(map(str, allowed))
    return RequestError(f"{given(name, value)}: must be one of {words}")


def names_in(group: type) -> list[str]:
    """Return the names of the options of a group."""
    return [each.name for each in dataclasses.fields(group)]
