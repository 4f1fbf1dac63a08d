"""What a study and a run are asked to do: all groups of options, kept as JSON."""

import dataclasses
import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from jaxorder.config.groups import (
    ExecutionOptions,
    MemberOptions,
    RecordingOptions,
    TrainingOptions,
)
from jaxorder.data.options import DataOptions
from jaxorder.errors import RequestError, given
from jaxorder.files import safe_name
from jaxorder.options import names_in, option, options, to_json
from jaxorder.spec import parse_model

SCHEMA = 1
TAKEN = {"study.json", "report.html"}  # files of a study's folder
LONGEST_NAME = 200  # most file systems allow 255 bytes, temporary names need some

# The groups by name: tables of a study file, and headings of the help.
GROUPS: dict[str, type] = {
    "data": DataOptions,
    "training": TrainingOptions,
    "members": MemberOptions,
    "recording": RecordingOptions,
    "execution": ExecutionOptions,
}


# bases are read from the last to the first: the data come first
@options
class StudyOptions(
    ExecutionOptions, RecordingOptions, MemberOptions, TrainingOptions, DataOptions
):
    """What all runs of a study share."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, values in self.varied.items():
            self._check_varied(name, values)
        combinations = math.prod(map(len, self.varied.values()))
        if self.members < combinations:
            raise RequestError(
                f"{given('vary', self.vary)}: {combinations} combinations of values, "
                f"but {given('members', self.members)}; give at least as many members"
            )

    def _check_varied(self, name: str, values: Sequence[float]) -> None:
        """Check each value as if it were the option's."""
        if name == "dropout":  # a key of the model, which is checked where it is built
            return
        field = type(self).__dataclass_fields__[name]
        for value in values:
            field.metadata["check"](name, value)
        if getattr(self, name) != field.default:
            raise RequestError(
                f"{given(name, getattr(self, name))}: varies over members by "
                f"{given('vary', name.replace('_', '-'))}; give one of the two"
            )


def _check_model(name: str, value: str) -> None:
    if not value:
        raise RequestError(f"{given('model')}: at least one model is needed, as mlp")
    parse_model(value)


@options
class RunConfig(StudyOptions):
    """Everything that one run is asked to do: a study's options and one model."""

    model: str = option(
        "Architecture, `NAME[:key=value,...]`.", default="", check=_check_model
    )
    name: str = option(
        "What the run is called in its study (else the model).", default=""
    )

    @property
    def key(self) -> str:
        """What the run is called, and its members' streams are drawn from."""
        return self.name or self.model

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "RunConfig":
        """Return the configuration that `to_json` wrote, this version's or before.

        Raises:
            RequestError: Where an option is a later version's, or not allowed.
        """
        if unknown_names := sorted(document.keys() - set(names_in(cls))):
            raise RequestError(
                f"no option {', '.join(unknown_names)} in this version of jaxorder; "
                "use the version that wrote it"
            )
        return cls(**document)

    def with_defaults(self, defaults: Mapping[str, Any]) -> "RunConfig":
        """Return the configuration with an architecture's defaults where None.

        What varies over members stays None.
        """
        open_ = {k for k in defaults if getattr(self, k) is None}
        missing = {k: defaults[k] for k in open_ - self.varied.keys()}
        return dataclasses.replace(self, **missing)


def refuse_unknown(values: Mapping[str, Any]) -> None:
    """Refuse names that are no options of a run.

    Args:
        values: Options by name.

    Raises:
        RequestError: Where one is none; the line says which was probably meant.
    """
    known = names_in(RunConfig)
    for name, value in values.items():
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {given(close[0])}?" if close else "see RunConfig"
            raise RequestError(f"{given(name, value)}: no such option; {hint}")


def folder_name(run: str) -> str:
    """Return what a run is called, made safe for a file name.

    Example:
        >>> folder_name("mlp:widths=64-64,linear=true")
        'mlp_widths=64-64_linear=true'
    """
    return safe_name(run)


def check_names(names: Sequence[str]) -> None:
    """Refuse runs of a study that are none or would share a folder.

    Args:
        names: What the runs are called: their models, unless named.

    Raises:
        RequestError: Where no run, two of the same folder, or a name are given that
            cannot be a folder's.
    """
    if not names:
        raise RequestError(f"{given('model')}: at least one model is needed, as mlp")
    seen: dict[str, str] = {}
    for name in names:
        folder = folder_name(name).lower()
        if folder in TAKEN or not folder.strip("."):
            raise RequestError(
                f"{given('model', name)}: cannot be the name of a run's folder; give "
                f"{given('name')} another"
            )
        if len(folder) > LONGEST_NAME:
            raise RequestError(
                f"{given('model', name)}: {len(folder)} characters; must be at most "
                f"{LONGEST_NAME}, for the name of its folder"
            )
        if folder in seen:
            raise RequestError(
                f"{given('model', (seen[folder], name))}: both would be written to the "
                f"folder {folder}; name each model once"
            )
        seen[folder] = name


__all__ = [
    "SCHEMA",
    "RunConfig",
    "StudyOptions",
    "check_names",
    "folder_name",
    "refuse_unknown",
    "to_json",
]
