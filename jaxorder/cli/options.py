"""The options of a study as the command line shows and reads them.

They are made from the groups that know them: names, types, help and defaults. What is
not given stays open, since a study file may say it.
"""

import dataclasses
from typing import Annotated, Any

from cyclopts import Group, Parameter

from jaxorder.config import StudyOptions
from jaxorder.options import annotation, groups_of, several, single

TITLES = {
    "DataOptions": "Data",
    "TrainingOptions": "Training",
    "MemberOptions": "Members",
    "RecordingOptions": "Recording",
    "ExecutionOptions": "Execution",
}


def _as_given(group: type) -> type:
    """Return a group whose options are all None unless they are given."""
    fields = [
        (
            each.name,
            Annotated[
                _read(annotation(group, each.name)) | None,
                Parameter(help=each.metadata["help"], show_default=_default(each)),
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
    shown = field.default not in (None, "")
    return str(field.default) if shown else False


GIVEN = {group.__name__: _as_given(group) for group in groups_of(StudyOptions)}
globals().update({made.__name__: made for made in GIVEN.values()})


def _shown(name: str, position: int) -> Any:
    title = Group(TITLES[name], sort_key=position + 1)
    return Annotated[GIVEN[name], Parameter(name="*", group=title)]


Data = _shown("DataOptions", 0)
Training = _shown("TrainingOptions", 1)
Members = _shown("MemberOptions", 2)
Recording = _shown("RecordingOptions", 3)
Execution = _shown("ExecutionOptions", 4)


def given_in(*groups: Any) -> dict[str, Any]:
    """Return the options that were given, by name; groups left out are None."""
    said = [vars(group) for group in groups if group is not None]
    return {k: v for values in said for k, v in values.items() if v is not None}
