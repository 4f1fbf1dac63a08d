"""A report shows how members do on data beside those of the training."""

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

import jaxorder as jo
from jaxorder.analysis.results import measure_all
from jaxorder.plain import plain
from jaxorder.report.blocks import Gallery, Notes
from jaxorder.report.document import document
from jaxorder.report.page import render, written
from jaxorder.report.sections.further import further
from jaxorder.report.sections.label_errors import label_errors
from jaxorder.report.shown import Page
from jaxorder.run.folder import Run

SMALL: dict[str, Any] = {
    "data": "digits",
    "model": "mlp:widths=8",
    "train_examples": 200,
    "test_examples": 100,
    "epochs": 2,
    "members": 3,
    "snapshots": "epoch",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with a probe, an evaluation without labels and one of fewer members."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    run = jo.train(out=folder, probe=["whole=digits"], **SMALL)
    run.evaluate("digits", name="bare", classes_by="none")
    run.evaluate("digits", "train", name="late", record_examples=50)
    return jo.grow(folder, 4)[0]


@pytest.fixture(scope="module")
def page(run: Run) -> Page:
    return Page(measure_all([run]))


def words(page: Page) -> str:
    """Return what the page says of further data."""
    text = render(page, written(page))
    start = text.index('id="further"')
    section = text[start : text.index("</section>", start)]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", section)).split())


def test_each_is_shown_with_what_was_measured(page: Page, run: Run) -> None:
    said = words(page)
    accuracy = float(run.correct("whole")[-1].mean())
    assert f"whole {accuracy:.3f}" in said
    assert "whole: digits 500 3 4 of 4" in said
    assert "late: digits 50 1 3 of 4" in said
    assert "bare: digits 500 1 3 of 4 undefined undefined undefined" in said


def test_what_members_miss_is_said(page: Page) -> None:
    assert "late: members 3 to 3 are missing; evaluate it again" in words(page)


def test_a_page_without_further_data_has_no_such_section(tmp_path: Path) -> None:
    run = jo.train(out=tmp_path / "run", **SMALL)
    assert further(Page(measure_all([run]))) is None


def test_the_document_holds_the_same_numbers(page: Page, run: Run) -> None:
    (found,) = plain(document(page))["runs"]
    assert set(found["further"]) == {"whole", "bare", "late"}
    assert found["further"]["bare"]["measured"] is None
    assert 0 < found["further"]["bare"]["final_agreement"] <= 1
    measured = found["further"]["whole"]["measured"]
    expected = run.correct("whole").mean("example").values
    assert measured["accuracy"] == expected.tolist()


# ---- likely label errors


@pytest.mark.slow
def test_likely_label_errors_are_shown_of_runs_with_folds(tmp_path: Path) -> None:
    noisy: dict[str, Any] = {"label_noise": 0.2, "folds": 2, "members": 4, "epochs": 6}
    run = jo.train(out=tmp_path / "run", record=["true_logprob"], **SMALL | noisy)
    section = label_errors(Page(measure_all([run])))
    assert section is not None
    (gallery,) = section.blocks
    assert isinstance(gallery, Gallery)
    found = jo.label_issues(run).head(len(gallery.cards))
    assert [card.example for card in gallery.cards] == found["example_id"].tolist()
    assert re.search(r"Of these 24, \d+ have a label that was changed", gallery.caption)
    against = label_errors(Page(measure_all([run.against("original")])))
    assert against is not None
    assert isinstance(against.blocks[0], Notes)


def test_no_label_errors_without_members_that_left_examples_out(page: Page) -> None:
    assert label_errors(page) is None
