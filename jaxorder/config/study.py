"""What a study is asked for: shared options, and each run's own; read from a file."""

import dataclasses
import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxorder.config.run import SCHEMA, RunConfig, StudyOptions, check_names
from jaxorder.data import beside
from jaxorder.errors import RequestError, given
from jaxorder.options import groups_of, names_in, to_json
from jaxorder.spec import parse_model, unknown

Values = Mapping[str, Any]

# Tables of a study file, and the options in each of them.
TABLES: dict[str, list[str]] = {
    table: names_in(group)
    for table, group in zip(
        ("data", "training", "members", "recording", "execution"),
        groups_of(StudyOptions),
        strict=True,
    )
}
MODELS = "models"
OWN = ("model", "name")  # of a model's table, beside options
_FORM = (
    "must be tables [" + "], [".join(TABLES) + f"] of options, and a [[{MODELS}]] with "
    'model = "NAME" for each run'
)


@dataclass(frozen=True)
class StudyConfig:
    """The runs of a study.

    Attributes:
        shared: Options that all runs share, where a run has none of its own.
        runs: What each run is asked to do, in order; their names differ.

    Raises:
        RequestError: Where there is no run, or two would share a folder.
    """

    shared: Values
    runs: tuple[RunConfig, ...]

    def __post_init__(self) -> None:
        check_names(self.names)

    @property
    def names(self) -> list[str]:
        """What the runs are called."""
        return [run.key for run in self.runs]

    @classmethod
    def of(cls, shared: Values, models: Sequence[str | Values]) -> "StudyConfig":
        """Return a study of several models.

        Args:
            shared: Options by name.
            models: Model strings, or tables of `model`, `name` and own options.

        Raises:
            RequestError: Where an option or a model is not allowed.
        """
        tables = [{"model": m} if isinstance(m, str) else m for m in models]
        return cls(dict(shared), tuple(RunConfig(**{**shared, **t}) for t in tables))

    def to_json(self) -> dict[str, Any]:
        """Return the study as JSON values: what was resolved."""
        options = to_json(StudyOptions(**self._complete()))
        own = {run.key: _differing(to_json(run), options) for run in self.runs}
        named = {key: values for key, values in own.items() if values}
        document = {"schema": SCHEMA, "models": self.names, "options": options}
        return {**document, **({"own": named} if named else {})}

    def _complete(self) -> dict[str, Any]:
        """Return the shared options, and of the data at least a name."""
        return {"data": self.runs[0].data, **self.shared}

    @classmethod
    def from_json(cls, document: Values) -> "StudyConfig":
        """Return the study that `to_json` wrote, whichever version's."""
        own = document.get("own", {})
        tables = [{"model": name, **own.get(name, {})} for name in document["models"]]
        return cls.of(document["options"], tables)


def _differing(run: Values, shared: Values) -> dict[str, Any]:
    """Return what a run says otherwise than the study, or beside it."""
    own = {k: v for k, v in run.items() if k in shared and v != shared[k]}
    return own | ({"model": run["model"], "name": run["name"]} if run["name"] else {})


StudyAsked = str | Path | StudyOptions | StudyConfig


def study_asked(
    study: StudyAsked | None, models: Sequence[str], options: Mapping[str, Any]
) -> StudyConfig:
    """Return what a study is asked for in one of several ways.

    Args:
        study: A study file; or options that all runs share; None: `options` alone.
        models: Model strings; of a study file the names of the runs to keep.
        options: Options by name, which win over those of `study`.

    Raises:
        RequestError: Where the file or an option is not as it must be.
    """
    models = [models] if isinstance(models, str) else list(models)
    if isinstance(study, StudyConfig):
        return study
    if isinstance(study, str | Path):
        return read_study_file(Path(study), options, models)
    shared = {} if study is None else vars(study)
    return StudyConfig.of({**shared, **options}, models)


# ---- files


def read_study_file(
    path: Path, options: Values | None = None, models: Sequence[str] = ()
) -> StudyConfig:
    """Return the study that a file asks for.

    Args:
        path: A TOML file, or the `study.json` of a study.
        options: Options that win over those of the file.
        models: Names of the runs to keep; none: all.

    Returns:
        The study; paths in the file are taken as relative to its folder.

    Raises:
        RequestError: Where the file cannot be read, or says what is not allowed.
    """
    tables = _read(path)
    shared, own = (
        _from_json(tables) if "schema" in tables else _from_tables(path, tables)
    )
    own = _selected(path, own, models)
    won = dict(options or {})
    with_paths = [_beside(path.parent, table) for table in own]
    return StudyConfig.of(
        {**_beside(path.parent, shared), **won}, [{**t, **won} for t in with_paths]
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise RequestError(
            f"{path}: cannot be read ({error.strerror}); name a study file, or give "
            f"{given('data')} and {given('model')}"
        ) from error
    except ValueError as error:  # not UTF-8, no TOML or no JSON
        raise RequestError(f"{path}: no study file ({error}); {_FORM}") from error


def _from_json(document: Values) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    config = StudyConfig.from_json(document)
    return dict(config.shared), [
        {"model": run.model, **_differing(to_json(run), config.shared)}
        for run in config.runs
    ]


def _from_tables(
    path: Path, tables: Values
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    shared: dict[str, Any] = {}
    for name, table in tables.items():
        if name not in (*TABLES, MODELS):
            raise RequestError(
                unknown("table", str(path), f"[{name}]", [*TABLES, MODELS])
            )
        if name != MODELS:
            shared |= _checked(path, name, table)
    own = tables.get(MODELS, [])
    if not isinstance(own, list) or not all(isinstance(t, dict) for t in own):
        raise RequestError(f"{path}: [{MODELS}] {_FORM}")
    return shared, [_checked_model(path, table) for table in own]


def _checked(path: Path, name: str, table: Any) -> dict[str, Any]:
    """Refuse keys of a table that are no options of it."""
    if not isinstance(table, dict):
        raise RequestError(f"{path}: {name} = {table!r}: {_FORM}")
    for key in table:
        if key not in TABLES[name]:
            raise RequestError(f"{path}: [{name}] {_misplaced(key, TABLES[name])}")
    return table


def _misplaced(key: str, known: Sequence[str]) -> str:
    """Say what was meant by a key that a table does not have."""
    homes = [table for table, names in TABLES.items() if key in names]
    if homes:
        return f"{key}: belongs into [{homes[0]}]"
    every = [name for names in TABLES.values() for name in names]
    close = difflib.get_close_matches(key.replace("-", "_"), [*known, *every], n=1)
    hint = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(known)}"
    return f"{key}: no such option{hint}"


def _checked_model(path: Path, table: dict[str, Any]) -> dict[str, Any]:
    known = [*OWN, *(name for names in TABLES.values() for name in names)]
    if not isinstance(table.get("model"), str):
        raise RequestError(f'{path}: [[{MODELS}]] needs model = "NAME", got {table}')
    for key in table:
        if key not in known:
            raise RequestError(
                f"{path}: [[{MODELS}]] {table['model']}: {_misplaced(key, known)}"
            )
    return table


def _selected(
    path: Path, own: list[dict[str, Any]], names: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the models of some names, in the order of the names."""
    found = {table.get("name") or table["model"]: table for table in own}
    for name in names:
        if name not in found:
            raise RequestError(
                unknown("model", f"{given('model', name)} of {path}", name, found)
            )
    return [found[name] for name in names] if names else own


def _beside(folder: Path, values: Values) -> dict[str, Any]:
    """Take paths as relative to a folder."""
    found = dict(values)
    if "data" in found:
        found["data"] = beside(str(found["data"]), folder)
    if found.get("data_dir") is not None:
        found["data_dir"] = folder / Path(found["data_dir"]).expanduser()
    model = str(found.get("model", ""))
    if model and parse_model(model).name.endswith(".py"):
        found["model"] = str(folder / model)
        found.setdefault("name", model)
    return found


def options_of(config: RunConfig) -> dict[str, Any]:
    """Return the options of a run that a study could share, by name."""
    names = [field.name for field in dataclasses.fields(StudyOptions)]
    return {name: getattr(config, name) for name in names}
