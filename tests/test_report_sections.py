"""Sections say what is undefined, where a peer would show a 0 or a 1."""

from pathlib import Path

import numpy as np
import pytest

import jaxorder
from jaxorder.analysis import measure_all, numbers
from jaxorder.analysis.disagreement import halves_gaps, rank_gaps
from jaxorder.report.blocks import Notes, Plate, Section
from jaxorder.report.sections.across import across
from jaxorder.report.sections.classes import classes
from jaxorder.report.sections.disagreement import disagreement
from jaxorder.report.sections.forgetting import forgetting
from jaxorder.report.shown import Page
from jaxorder.run.folder import Run

NAMES = ("ant", "bee", "cat", "<d>")
LABEL = np.arange(30) % 3  # of the fourth class there is none


def made(folder: Path, name: str, prediction: np.ndarray) -> Run:
    """Import predictions [snapshot, member, example]."""
    out = folder / name
    given = {"name": name, "class_names": NAMES}
    return jaxorder.from_predictions(prediction, LABEL, out=out, **given)


def learning(folder: Path, name: str, members: int = 2, snapshots: int = 4) -> Run:
    """Import members that learn the examples in the order of their ids."""
    known = 7 * np.arange(1, snapshots + 1)[:, None] > np.arange(30)
    prediction = np.where(known, LABEL, (LABEL + 1) % 3)
    return made(folder, name, np.repeat(prediction[:, None], members, axis=1))


def wrong(folder: Path) -> Run:
    """Import members that are always wrong in the same way."""
    return made(folder, "wrong", np.tile((LABEL + 1) % 3, (3, 2, 1)))


def page_of(*runs: Run) -> Page:
    return Page(measure_all(runs, 1))


def words(section: Section | None) -> str:
    assert section is not None
    told = []
    for block in section.blocks:
        told += block.sentences if isinstance(block, Notes) else []
        told += block.caption if isinstance(block, Plate) else []
    return " ".join(told)


def test_classes_without_examples_and_answers_are_named(tmp_path: Path) -> None:
    told = words(classes(page_of(learning(tmp_path, "a"))))
    assert "No examples of <d>: undefined there." in told
    assert "Never answered at the last snapshot: <d>." in told
    assert "ant taken for bee" in told


def test_members_that_are_always_wrong_have_no_order(tmp_path: Path) -> None:
    page = page_of(learning(tmp_path, "a"), wrong(tmp_path))
    told = words(classes(page))
    assert "what of the differences is between classes is undefined" in told
    told = words(disagreement(page))
    assert "B wrong, test: all examples are learned alike" in told
    assert "A and B have no two examples in common that they order" in told
    section = across(page)
    assert section is not None
    plates = [block for block in section.blocks if isinstance(block, Plate)]
    assert len(plates) == 1  # nothing is scattered against nothing


def test_of_one_snapshot_nothing_is_forgotten_nor_kept(tmp_path: Path) -> None:
    told = words(forgetting(page_of(learning(tmp_path, "a", snapshots=1))))
    assert "A a: one snapshot only, so forgetting" in told
    assert "undefined" in told


def test_what_is_never_forgotten_is_said_beside_chance(tmp_path: Path) -> None:
    told = words(forgetting(page_of(learning(tmp_path, "a"), wrong(tmp_path))))
    assert "are forgotten 0.00 times, by chance 0.00; 100 % of all" in told
    assert "no example is of accessibilities from 0.3 to 0.7" in told
    assert "Spearman correlation with accessibility: undefined." in told


def test_single_members_have_no_halves(tmp_path: Path) -> None:
    page = page_of(learning(tmp_path, "a", members=1), learning(tmp_path, "b"))
    told = words(disagreement(page))
    assert "Of 30 test examples, pairs place 0 % far apart" in told
    assert "Halves of b: 0 %." in told
    assert "Halves of a" not in told


def test_confusions_of_very_many_classes_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbers, "MOST_CONFUSED", 3)
    told = words(classes(page_of(learning(tmp_path, "a"))))
    assert "A a: 4 classes are more than the" in told


def test_gaps_of_ranks_do_not_depend_on_accuracy() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random(50)
    np.testing.assert_allclose(rank_gaps([scores, scores**2]), 0, atol=1e-12)
    turned = rank_gaps([scores, -scores])
    assert turned.max() == pytest.approx(1 - 1 / 50)
    assert np.isnan(rank_gaps([scores, np.zeros(50)])).all()
    assert np.isnan(halves_gaps(scores[None])).all()
    np.testing.assert_allclose(halves_gaps(np.stack([scores] * 5)), 0)
