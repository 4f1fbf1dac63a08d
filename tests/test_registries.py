"""What is known by name: each with a line that says what it is, and keys with texts."""

import re
from collections.abc import Mapping

import pytest

from jaxorder.data import catalog
from jaxorder.data.sources import SOURCES
from jaxorder.learners import LEARNERS
from jaxorder.models import ARCHITECTURES, Inputs, build
from jaxorder.spec import parse_model
from tests.conftest import ROOT

SUMMARIES: dict[str, str] = {
    **{f"model {name}": known.summary for name, known in ARCHITECTURES.items()},
    **{f"sklearn:{name}": known.summary for name, known in LEARNERS.items()},
    **{f"source {e.name}": e.description for e in catalog()},
}
KEYS: dict[str, Mapping[str, str]] = {
    **{name: known.keys for name, known in ARCHITECTURES.items()},
    **{f"sklearn:{name}": known.keys for name, known in LEARNERS.items()},
    **{name: known.keys for name, known in SOURCES.items()},
}
MODELS = [*ARCHITECTURES, *(f"sklearn:{name}" for name in LEARNERS)]
TEXTS, IMAGES = Inputs((7,), 30), Inputs((32, 32, 3))


@pytest.mark.parametrize("name", SUMMARIES)
def test_everything_has_a_line_that_says_what_it_is(name: str) -> None:
    summary = SUMMARIES[name]
    assert re.fullmatch(r"\S.{8,78}\S", summary), summary
    # they stand in one column of a listing
    assert list(SUMMARIES.values()).count(summary) == 1


@pytest.mark.parametrize("name", KEYS)
def test_keys_and_their_defaults_can_be_written(name: str) -> None:
    for key, default in KEYS[name].items():
        assert re.fullmatch(r"[a-zA-Z][a-z_]*", key)
        assert re.fullmatch(r"[^,\s]+", default)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_with_its_defaults_written_out_is_the_same(name: str) -> None:
    pairs = ",".join(f"{key}={value}" for key, value in KEYS[name].items())
    text = f"{name}:{pairs}" if pairs else name
    assert parse_model(text).filled(KEYS[name]).values == KEYS[name]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_model_can_be_built_with_its_defaults_written_out(name: str) -> None:
    pairs = ",".join(f"{key}={value}" for key, value in KEYS[name].items())
    inputs = TEXTS if SUMMARIES[f"model {name}"].startswith("for texts") else IMAGES
    assert build(f"{name}:{pairs}", inputs, 10).inputs == inputs


@pytest.mark.parametrize("name", SOURCES)
def test_the_documentation_has_every_source_with_its_keys(name: str) -> None:
    told = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    source = SOURCES[name]
    pairs = ",".join(f"{key}={value}" for key, value in source.keys.items())
    argument = {"none": "", "allowed": f"[:{source.argument}]"}.get(
        source.need, f":{source.argument}"
    )
    between = ("," if argument else ":") if pairs else ""
    assert f"`{name}{argument}{between}{pairs}" in told
