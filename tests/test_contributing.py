"""What CONTRIBUTING.md asks for is there, and what it promises is kept."""

import inspect
import pkgutil
import re
from importlib import import_module

import pytest

from jaxorder.analysis.snapshot_measures import SNAPSHOT_MEASURES
from jaxorder.cli.documents import model_documents
from jaxorder.cli.tables import model_names
from jaxorder.models import ARCHITECTURES
from jaxorder.report import sections
from jaxorder.report.page import SECTIONS
from tests.conftest import ROOT
from tests.test_models import TESTED

GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:jaxorder|tests|docs)/[\w/]+\.\w+)`", GUIDE)))
)
def test_files_that_are_named_are_there(path: str) -> None:
    assert "NAME" in path or (ROOT / path).is_file()


def test_every_architecture_is_tested() -> None:
    assert set(TESTED) == set(ARCHITECTURES)


def test_the_readme_names_every_model_as_the_command_does() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"<!-- models -->\n```\n(.*?)```", readme, re.DOTALL)
    wanted = "".join(f"{line}\n" for line in model_names(model_documents()))
    assert block == wanted, "jaxorder models --names prints what belongs there"


@pytest.mark.parametrize("measure", SNAPSHOT_MEASURES, ids=lambda each: each.name)
def test_every_measure_names_its_source_and_shows_an_example(measure) -> None:
    text = inspect.getdoc(measure.of) or ""
    assert "Reference:" in text
    assert ">>>" in text
    assert measure.source
    assert len(measure.meaning.split()) > 5


def test_every_section_has_its_place_on_the_page() -> None:
    """A module of sections that defines what returns one gives it to the page."""
    placed = {section.__module__ for section in SECTIONS}
    for module in pkgutil.iter_modules(sections.__path__):
        name = f"{sections.__name__}.{module.name}"
        own = [
            function
            for _, function in inspect.getmembers(import_module(name), callable)
            if getattr(function, "__module__", "") == name
            and not function.__name__.startswith("_")
            and "Section" in str(inspect.signature(function).return_annotation)
        ]
        assert bool(own) == (name in placed), name
