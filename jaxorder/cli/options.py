"""The options of a study as the command line shows and reads them.

They are made from the groups that know them: names, types, help and defaults. What is
not given stays open, since a study file may say it.
"""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any, get_args

from cyclopts import ArgumentCollection, CoercionError, Group, Parameter

from jaxorder.config.run import GROUPS
from jaxorder.errors import on_command_line, option_name
from jaxorder.options import annotation, several, single


def refuse_rounding(arguments: ArgumentCollection) -> None:
    """Refuse 2.5 for a whole number: the parser would round it."""
    for argument in arguments:
        for token in argument.tokens:
            whole = int in (argument.hint, *get_args(argument.hint))
            if whole and "." in token.value:
                raise CoercionError(token=token, argument=argument, target_type=int)


def _as_given(group: type) -> type:
    """Return a group whose options are all None unless they are given."""
    fields = [
        (
            each.name,
            Annotated[
                _read(annotation(group, each.name)) | None,
                Parameter(
                    help=on_command_line(each.metadata["help"]),
                    show_default=_default(each),
                    negative=_negative(each),
                ),
            ],
            None,
        )
        for each in dataclasses.fields(group)
    ]
    made = dataclasses.make_dataclass(f"Given{group.__name__}", fields, kw_only=True)
    made.__module__ = __name__  # where its annotations are looked up
    return made


def _read(kind: Any) -> Any:
    """Return the type that a value is read as."""
    each = several(kind)
    return single(kind) if each is None else tuple[each, ...]


def _default(field: dataclasses.Field[Any]) -> Any:
    """Return what the help shows as an option's default, if there is one to show."""
    if field.default is False or field.default in (None, "", ()):
        return False
    return str(field.default)


def _negative(field: dataclasses.Field[Any]) -> Any:
    """Return what takes a flag back that a study file sets."""
    flag = isinstance(field.default, bool)
    return option_name(field.name).replace("--", "--no-", 1) if flag else ()


def _shown(name: str, position: int) -> Any:
    heading = Group(name.capitalize(), sort_key=position, validator=refuse_rounding)
    return Annotated[_as_given(GROUPS[name]), Parameter(name="*", group=heading)]


if TYPE_CHECKING:  # what is made while running is none that it knows
    Data = Training = Members = Recording = Execution = Any
else:
    Data, Training, Members, Recording, Execution = map(_shown, GROUPS, range(1, 6))


def given_in(*groups: Any) -> dict[str, Any]:
    """Return the options that were given, by name; groups left out are None."""
    said = [vars(group) for group in groups if group is not None]
    return {k: v for values in said for k, v in values.items() if v is not None}
