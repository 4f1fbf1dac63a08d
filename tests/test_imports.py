"""Dependencies point one way, and what reads a record loads no JAX."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import pytest

import jaxorder
from tests.conftest import ROOT

# from left to right; those of one level do not know each other
LEVELS = (
    {"errors"},
    {"files", "notebook", "options", "plain", "spec", "progress"},
    {"data"},
    {"config"},
    {"models", "members"},
    {"ensemble"},
    {"learners"},
    {"record", "checkpoint"},
    {"run"},
    {"analysis"},
    {"report"},
    {"cli", "api"},
    {"__main__"},
)

# Of what lies to their left, some need little; they must not come to need more.
NEEDS = {
    "analysis": {"errors", "notebook", "plain", "record", "run.folder", "run.study"},
    "files": {"errors"},
    "options": {"errors"},
    "spec": {"errors"},
    # to know what is asked for is to know no data
    "data.options": {"errors", "options", "data.dataset", "data.sources"},
    "config": {"errors", "files", "options", "spec", "data"},
    "members": {"errors", "config"},
    "progress": set(),
    "record": {"errors", "files"},
    "checkpoint": {"errors"},
    "learners": {
        *("errors", "config", "spec", "data"),
        *("members.subsets", "members.streams"),
    },
    "run.folder": {
        *("errors", "files", "notebook", "config", "record", "checkpoint"),
        *("run.document", "run.prediction", "run.evaluation", "run.gradients"),
        "progress",
    },
    "report": {
        *("errors", "files", "config", "data", "record", "analysis"),
        *("run.folder", "run.study", "options", "plain", "progress.wording"),
    },
}

# Only where one of them is used is it worth its time to load; `cli` imports all that a
# command needs in the command, for the same reason.
LAZY = {
    # to open a run loads no JAX, to restore its parameters or predict by them does
    ("run.folder", "checkpoint"),
    ("run.folder", "run.prediction"),
    ("run.folder", "run.evaluation"),
    ("run.folder", "progress"),
    ("run.folder", "run.gradients"),
    # only where data are loaded, not where they are asked for
    ("data.options", "data.sources"),
    # only a set that is not in the cache is read by it
    ("data.prepared", "tensorflow_datasets"),
    ("data.prepared", "PIL"),
    ("data.prepare", "tensorflow_datasets"),
    ("data.prepare", "PIL"),
    # only images in files of their own are decoded, only some are resized
    ("data.folder", "PIL"),
    ("data.pixels", "PIL"),
    ("data.transform", "PIL"),
    ("data.transform", "scipy"),
    # only made Gaussians have a Bayes accuracy
    ("data.made", "scipy"),
    # only data that do not fit are read ahead
    ("ensemble.windows", "grain"),
    # only rows are read by it, not arrays
    ("run.prediction_files", "pandas"),
    ("run.dynamics_files", "pandas"),
    # only the digits come with it
    ("data.sources", "sklearn"),
    # only a notebook's kernel shows anything by it
    ("progress.notebook", "IPython"),
    # only what is trained is loaded, in the processes that train it
    ("learners.ensembles", "sklearn"),
    ("learners.growing", "sklearn"),
    ("learners.linear", "sklearn"),
    # only a difficulty is fitted by it
    ("analysis.difficulty", "sklearn"),
    ("analysis.difficulty", "threadpoolctl"),
}

KNOWN_BY = {
    "flax": "models",
    "orbax": "checkpoint",
    "tensorflow_datasets": "data",
    "IPython": "progress",
}
JAX = {"jax", "jaxlib", "flax", "optax", "orbax", "tensorflow_datasets"}
WITHOUT_JAX = (
    *("record", "analysis", "report", "run.folder", "cli", "data"),
    # processes that train members start faster without
    "learners.work",
)


@dataclass(frozen=True)
class Import:
    """One import: names of our modules stand without the package's, "" is itself."""

    importer: str
    imported: str
    name: str
    ours: bool
    lazy: bool
    typing: bool


@cache
def modules() -> dict[str, ast.Module]:
    """Return the syntax of every module of the package by name."""
    found = {}
    for path in (ROOT / "jaxorder").rglob("*.py"):
        parts = path.relative_to(ROOT / "jaxorder").with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


@cache
def imports() -> list[Import]:
    return [i for name, tree in modules().items() for i in imports_in(name, tree)]


def imports_in(
    module: str, node: ast.AST, lazy: bool = False, typing: bool = False
) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            for full, name in imported(child):
                ours, short = resolved(full, name)
                yield Import(module, short, name, ours, lazy, typing)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            checked = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(
                child.test
            )
            yield from imports_in(module, child, lazy or inside, typing or checked)


def imported(node: ast.Import | ast.ImportFrom) -> list[tuple[str, str]]:
    if isinstance(node, ast.Import):
        return [(alias.name, "") for alias in node.names]
    assert node.level == 0, "imports are absolute"
    return [(str(node.module), alias.name) for alias in node.names]


def resolved(full: str, name: str) -> tuple[bool, str]:
    """Return whether a module is ours, and its name: `from package import module`."""
    package, _, rest = full.partition(".")
    if package != "jaxorder":
        return False, package
    inner = f"{rest}.{name}".strip(".")
    return True, inner if inner in modules() else rest


def layer(module: str) -> str:
    return module.partition(".")[0]


def level(module: str) -> int:
    (found,) = (i for i, names in enumerate(LEVELS) if layer(module) in names)
    return found


def within(module: str, name: str) -> bool:
    return module == name or module.startswith(name + ".")


OURS = [i for i in imports() if i.ours and i.importer]


def test_modules_were_found() -> None:
    assert {layer(name) for name in modules() if name} == set().union(*LEVELS)
    assert len(OURS) > 100


def test_a_module_imports_only_from_its_left() -> None:
    wrong = [
        (i.importer, i.imported)
        for i in OURS
        if i.imported
        and layer(i.importer) != layer(i.imported)
        and level(i.importer) <= level(i.imported)
    ]
    assert wrong == []


def test_of_the_package_itself_only_its_version_is_imported() -> None:
    # by its other names a module could import from its right
    assert {i.name for i in OURS if not i.imported} <= {"__version__"}


@pytest.mark.parametrize("name", NEEDS)
def test_some_need_little(name: str) -> None:
    needed = {
        i.imported
        for i in OURS
        if within(i.importer, name) and not within(i.imported, name) and i.imported
    }
    assert {m for m in needed if not any(within(m, n) for n in NEEDS[name])} == set()


def test_late_imports_have_a_reason() -> None:
    late = {(i.importer, i.imported) for i in imports() if i.lazy}
    assert {pair for pair in late if layer(pair[0]) != "cli"} == LAZY


@pytest.mark.parametrize("package", KNOWN_BY)
def test_a_package_is_known_in_one_place(package: str) -> None:
    importers = {i.importer for i in imports() if i.imported == package and not i.ours}
    assert importers
    assert {layer(module) for module in importers} == {KNOWN_BY[package]}


def loaded_with(module: str) -> set[str]:
    """Return all that is imported, our own and others', when a module is."""
    found, waiting = set(), {module}
    while waiting:
        name = waiting.pop()
        found.add(name)
        parts = name.split(".")
        reached = {".".join(parts[:n]) for n in range(len(parts))}
        reached |= {
            i.imported
            for i in imports()
            if i.importer == name and not i.lazy and not i.typing
        }
        waiting |= reached - found
    return found


def test_the_closure_of_imports_is_worked_out() -> None:
    assert {"jax", "flax", "models.layers", "numpy", ""} <= loaded_with("run.training")


@pytest.mark.parametrize("name", ["", *WITHOUT_JAX])
def test_reading_a_record_imports_no_jax(name: str) -> None:
    for module in modules():
        if module == name or (name and within(module, name)):
            assert loaded_with(module) & JAX == set(), module


READ = f"""
import sys
import jaxorder
jaxorder.open_run; jaxorder.compare; jaxorder.RunConfig; jaxorder.Dataset
import jaxorder.report, jaxorder.cli.documents, jaxorder.progress
print(sorted({JAX} & set(sys.modules)))
"""


def test_reading_a_record_loads_no_jax() -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_package_gives_the_names_it_lists() -> None:
    assert set(dir(jaxorder)) == set(jaxorder.__all__)
    for name in jaxorder.__all__:
        assert getattr(jaxorder, name) is not None
    assert callable(jaxorder.train)
    with pytest.raises(AttributeError) as unknown:
        jaxorder.fly  # noqa: B018 (it is the access that raises)
    assert str(unknown.value) == "module 'jaxorder' has no attribute 'fly'"
