"""The ways in which a request can end badly, told apart by exit code.

A message names arguments by what `given` and `call` return. Where it is shown decides
how they are spelled: as Python's by `str(error)`, as options of the command line by
`on_command_line(error)`. No other module knows both spellings.
"""

import re
import shlex
from collections.abc import Callable

_ABSENT = object()
# Marks of an argument in a message: a sentence holds no control characters itself.
_BEGIN, _BETWEEN, _END = "\x02", "\x1f", "\x03"
_MARKED = re.compile(f"{_BEGIN}([^{_BEGIN}{_END}]*){_END}")

# Arguments that the command line names otherwise.
_OPTIONS = {"model": "--models", "source": "--from"}


def given(name: str, value: object = _ABSENT) -> str:
    """Return an argument, and what was given for it, as a part of a message.

    Args:
        name: As Python names it.
        value: What was given; left out, the argument alone is named.

    Example:
        >>> error = RequestError(f"{given('batch_size', 0)}: must be at least 1")
        >>> str(error), on_command_line(error)
        ('batch_size=0: must be at least 1', '--batch-size 0: must be at least 1')
    """
    if value is _ABSENT:
        return _marked("argument", name)
    if isinstance(value, tuple | list):
        return _marked("argument", name, "words", *map(str, value))
    return _marked("argument", name, type(value).__name__, str(value))


def call(name: str, *values: object) -> str:
    """Return a function or command with its arguments, as a part of a message.

    Args:
        name: Of the function, and of the command.
        values: Its arguments.

    Example:
        >>> error = RequestError(f"cut short; go on with: {call('resume', 'runs/x')}")
        >>> print(error)
        cut short; go on with: jaxorder.resume("runs/x")
        >>> print(on_command_line(error))
        cut short; go on with: jaxorder resume runs/x
    """
    return _marked("call", name, *map(str, values))


def option_name(name: str) -> str:
    """Return an argument as the command line writes it.

    Example:
        >>> option_name("batch_size"), option_name("model")
        ('--batch-size', '--models')
    """
    return _OPTIONS.get(name, "--" + name.replace("_", "-"))


def on_command_line(said: BaseException | str) -> str:
    """Return an error's message, or a marked text, in the command line's words."""
    message = said.message if isinstance(said, _Spelled) else str(said)
    return _spelled(message, _as_option, _as_command)


def in_python(text: str) -> str:
    """Return a marked text in Python's words."""
    return _spelled(text, _as_argument, _as_function)


class _Spelled(Exception):
    """An error whose message names arguments.

    Attributes:
        message: With its marks, to be a part of another error's message.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        """Return the message in Python's words."""
        return in_python(self.message)


class RequestError(_Spelled, ValueError):
    """A wrong request: one line naming the argument, the value and what is allowed.

    The command line prints the line and exits with 2; nothing is left on disk.
    """


class WorkError(_Spelled, RuntimeError):
    """The work failed although the request was sound: exit code 1."""


class Interrupted(_Spelled):
    """The work was told to stop and has saved where it was.

    Args:
        signal: Number of the signal; the command line exits with 128 + signal.
        message: A line that says how to go on.
    """

    def __init__(self, signal: int, message: str) -> None:
        super().__init__(message)
        self.signal = signal


def _marked(*parts: str) -> str:
    return _BEGIN + _BETWEEN.join(map(_in_a_line, parts)) + _END


def _in_a_line(part: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in part)


_Spell = Callable[[str, list[str]], str]


def _spelled(message: str, argument: _Spell, function: _Spell) -> str:
    def spell(found: re.Match[str]) -> str:
        kind, name, *values = found[1].split(_BETWEEN)
        return (argument if kind == "argument" else function)(name, values)

    return _MARKED.sub(spell, message)


def _as_argument(name: str, values: list[str]) -> str:
    if not values:
        return name
    kind, *words = values
    if kind == "words":
        return f"{name}=[{', '.join(map(_quoted, words))}]"
    return f"{name}={words[0] if kind in _UNQUOTED else _quoted(words[0])}"


# All others, as paths, are written as texts.
_UNQUOTED = ("int", "float", "bool", "NoneType")


def _quoted(word: str) -> str:
    return f'"{word}"'


def _as_option(name: str, values: list[str]) -> str:
    return " ".join([option_name(name), *values[1:]])


def _as_function(name: str, values: list[str]) -> str:
    return f"jaxorder.{name}({', '.join(map(_quoted, values))})"


def _as_command(name: str, values: list[str]) -> str:
    return shlex.join(["jaxorder", name, *values])
