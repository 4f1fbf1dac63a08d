"""What a study is asked for: each run's options; read from a file."""

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxorder.config.described import described
from jaxorder.config.run import (
    GROUPS,
    SCHEMA,
    RunConfig,
    StudyOptions,
    check_names,
    refuse_unknown,
)
from jaxorder.data import beside
from jaxorder.errors import RequestError, given
from jaxorder.options import names_in, to_json
from jaxorder.spec import parse_model, unknown

Values = Mapping[str, Any]
Tables = list[dict[str, Any]]

# Tables of a study file, and the options in each of them.
TABLES: dict[str, list[str]] = {name: names_in(GROUPS[name]) for name in GROUPS}
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
        runs: What each run is asked to do, in order; their names differ.

    Raises:
        RequestError: Where there is no run, or two would share a folder.
    """

    runs: tuple[RunConfig, ...]

    def __post_init__(self) -> None:
        check_names(self.names)

    @property
    def names(self) -> list[str]:
        """What the runs are called."""
        return [run.key for run in self.runs]

    @property
    def alike(self) -> bool:
        """Whether runs differ in their models alone."""
        return "own" not in self.to_json()

    @classmethod
    def of(cls, shared: Values, models: Sequence[str | Values]) -> "StudyConfig":
        """Return a study of several models.

        Args:
            shared: Options by name, where a model has none of its own.
            models: Model strings, or tables of `model`, `name` and own options.

        Raises:
            RequestError: Where an option or a model is not allowed.
        """
        runs = []
        for model in models:
            own = {"model": model} if isinstance(model, str) else model
            values = {**shared, **own}
            refuse_unknown(values)
            runs.append(RunConfig(**values))
        return cls(tuple(runs))

    def to_json(self) -> dict[str, Any]:
        """Return the study as JSON values: what was resolved."""
        runs = [to_json(run) for run in self.runs]
        shared = {name: _common(runs, name) for name in names_in(StudyOptions)}
        own = {run.key: _differing(to_json(run), shared) for run in self.runs}
        named = {key: values for key, values in own.items() if values}
        document = {
            "schema": SCHEMA,
            "models": self.names,
            "options": shared,
            "folder": str(Path.cwd()),
        }
        return {**document, **({"own": named} if named else {})}

    @classmethod
    def from_json(cls, document: Values, source: str = "the study") -> "StudyConfig":
        """Return the study that `to_json` wrote, whichever version's.

        Args:
            document: What it wrote.
            source: Where from, which errors name.

        Raises:
            RequestError: Where it is damaged, or an option is not allowed.
        """
        shared, own = _parts(document, source)
        with _naming(source):
            return cls.of(shared, own)


def _common(runs: Sequence[Values], name: str) -> Any:
    """Return the value of an option that most runs have; of equals, the first."""
    values = [run[name] for run in runs]
    return max(values, key=values.count)


def _differing(run: Values, shared: Values) -> dict[str, Any]:
    """Return what a run says otherwise than the study, or beside it."""
    own = {k: v for k, v in run.items() if k in shared and v != shared[k]}
    return own | ({"model": run["model"], "name": run["name"]} if run["name"] else {})


@contextmanager
def _naming(source: str) -> Iterator[None]:
    """Let an error say where what it refuses was read."""
    try:
        yield
    except RequestError as error:
        raise RequestError(f"{source}: {error.message}") from error


def _parts(document: Values, source: str) -> tuple[dict[str, Any], Tables]:
    """Return the shared options and the models' tables of what `to_json` wrote."""
    models, shared = document.get("models"), document.get("options")
    own = document.get("own", {})
    texts = isinstance(models, list) and all(isinstance(m, str) for m in models)
    tables = isinstance(own, dict) and all(isinstance(t, dict) for t in own.values())
    if not (texts and tables and isinstance(shared, dict)):
        raise RequestError(
            f"{source}: damaged; must hold models, a list of texts, and options and "
            "own, tables of options"
        )
    return shared, [{"model": name, **own.get(name, {})} for name in document["models"]]


StudyAsked = str | Path | StudyOptions | StudyConfig


def study_asked(
    study: StudyAsked | None,
    models: str | Sequence[str] = (),
    options: Values | None = None,
) -> StudyConfig:
    """Return what a study is asked for in one of several ways.

    Args:
        study: A study file, TOML or the `study.json` of a study; or options that all
            runs share; None: `options` alone.
        models: Model strings; of a study file the names of the runs to keep (none:
            all).
        options: Options by name, which win over those of `study`.

    Returns:
        The study; paths in a file are taken as relative to the file's folder, or to
        where the study was asked for.

    Raises:
        RequestError: Where the file cannot be read, or something is not allowed.
    """
    names = [models] if isinstance(models, str) else list(models)
    won = dict(options or {})
    if study is None:
        return StudyConfig.of(won, names)
    if isinstance(study, StudyOptions):
        known = {name: getattr(study, name) for name in names_in(StudyOptions)}
        return StudyConfig.of({**known, **won}, names)
    if isinstance(study, StudyConfig):
        if not (names or won):
            return study
        source = "the study"
        shared, own = _parts(study.to_json(), source)
    else:
        source = str(study)
        shared, own = _read(Path(study))
    kept = _selected(source, own, names)
    # what wins may be what is at fault
    with nullcontext() if won else _naming(source):
        return StudyConfig.of({**shared, **won}, [{**table, **won} for table in kept])


# ---- files


def _read(path: Path) -> tuple[dict[str, Any], Tables]:
    """Return the shared options of a study file, and its models' tables."""
    try:
        if path.suffix == ".json":
            document = described(path, "models", "options")
            shared, own = _parts(document, str(path))
            folder = Path(str(document.get("folder", "")))
        else:
            shared, own = _from_tables(path, tomllib.loads(path.read_text("utf-8")))
            folder = path.parent
        return _beside(folder, shared), [_beside(folder, table) for table in own]
    except OSError as error:
        raise RequestError(
            f"{path}: cannot be read ({error.strerror}); name a study file, or give "
            f"{given('data')} and {given('model')}"
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RequestError(f"{path}: no study file ({error}); {_FORM}") from error


def _from_tables(path: Path, tables: Values) -> tuple[dict[str, Any], Tables]:
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
        return f"{key}: belongs in [{homes[0]}]"
    every = [name for names in TABLES.values() for name in names]
    close = difflib.get_close_matches(key.replace("-", "_"), [*known, *every], n=1)
    hint = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(known)}"
    return f"{key}: no such option{hint}"


def _checked_model(path: Path, table: dict[str, Any]) -> dict[str, Any]:
    model = table.get("model")
    known = [*OWN, *(name for names in TABLES.values() for name in names)]
    for key in table:
        if key not in known:
            called = f" {model}" if model else ""
            raise RequestError(
                f"{path}: [[{MODELS}]]{called}: {_misplaced(key, known)}"
            )
    if not isinstance(model, str) or not isinstance(table.get("name", ""), str):
        raise RequestError(
            f'{path}: [[{MODELS}]] needs model = "NAME", and name, if given, must be a '
            f"text; got {table}"
        )
    return table


def _selected(source: str, own: Tables, names: Sequence[str]) -> Tables:
    """Return the models of some names, in the order of the names; none: all."""
    found = {table.get("name") or table["model"]: table for table in own}
    for name in names:
        if name not in found:
            raise RequestError(
                unknown("model", f"{given('model', name)} of {source}", name, found)
            )
    return [found[name] for name in names] if names else own


def _beside(folder: Path, values: Values) -> dict[str, Any]:
    """Take paths as relative to a folder."""
    found = dict(values)
    data, data_dir, model = map(found.get, ("data", "data_dir", "model"))
    if isinstance(data, str):
        found["data"] = beside(data, folder)
    if isinstance(values.get("probe"), list | tuple):
        found["probe"] = [_probe_beside(folder, each) for each in values["probe"]]
    if isinstance(data_dir, str):
        found["data_dir"] = folder / Path(data_dir).expanduser()
    if isinstance(model, str) and parse_model(model).name.endswith(".py"):
        found["model"] = str(folder / model)
        found.setdefault("name", model)
    return found


def _probe_beside(folder: Path, probe: Any) -> Any:
    name, equals, source = str(probe).partition("=")
    return f"{name}={beside(source, folder)}" if equals else probe
