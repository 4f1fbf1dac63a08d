"""Figures of a report are files, too, beside the numbers that they show."""

import re
from base64 import b64decode
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jaxorder.analysis.numbers import measure_split
from jaxorder.cli.app import main
from jaxorder.data import load
from jaxorder.errors import RequestError
from jaxorder.report import write_report
from jaxorder.report.figure_files import refuse_format
from jaxorder.report.figures.canvas import DARK, PAPER, look
from jaxorder.report.figures.curves import learning_curves
from jaxorder.run.folder import Run
from tests.test_report import Fake, write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    digits = load("digits", train_examples=70, test_examples=50)
    return write_run(tmp_path_factory.mktemp("runs") / "mlp", digits, Fake())


@pytest.fixture(scope="module")
def figures(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("figures")  # an empty one is filled
    said = StringIO()
    with redirect_stdout(said):
        assert main(["report", str(run.path), "--figures", str(folder)]) == 0
    assert f"figures: {folder} (index.csv lists them)" in said.getvalue()
    return folder


def test_every_figure_is_a_file_with_its_numbers_and_its_words(
    run: Run, figures: Path
) -> None:
    index = pd.read_csv(figures / "index.csv")
    assert {each.name for each in figures.iterdir()} == {
        *("index.csv", *index["figure"], *index["numbers"])
    }
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert len(index) == page.count('<img src="data:image/svg+xml')
    assert not index.isna().any(axis=None)
    for figure, numbers in zip(index["figure"], index["numbers"], strict=True):
        svg = (figures / figure).read_text(encoding="utf-8")
        assert svg.startswith("<svg")
        assert "prefers-color-scheme" not in svg
        assert len(pd.read_csv(figures / numbers)) > 0


def test_numbers_are_those_that_are_drawn(run: Run, figures: Path) -> None:
    (file,) = figures.glob("*-agreement-over-time-mlp-test.csv")
    found = pd.read_csv(file)
    correct = np.asarray(run.correct("test"))
    shares = correct.mean(axis=1)
    wanted = [[np.sum(t == k / 6) for k in range(7)] for t in shares]
    np.testing.assert_array_equal(found["examples"], np.ravel(wanted))
    (file,) = figures.glob("*-confusions-over-time-mlp.csv")
    assert set(pd.read_csv(file).columns) == {
        "label",
        "answer",
        "step",
        "epoch",
        "share",
    }


def test_figures_are_dark_on_a_dark_screen_and_bright_in_files(run: Run) -> None:
    numbers = measure_split(run, "test")
    assert numbers is not None
    picture = learning_curves(numbers, None, "mlp", look(0))
    shown = b64decode(picture.source.partition(",")[2]).decode()
    assert "@media screen and (prefers-color-scheme:dark)" in shown
    for colour in set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", shown)) & {*DARK}:
        assert f': {colour}"]{{' in shown
    assert PAPER in DARK
    assert b"prefers-color-scheme" not in picture.drawn("svg")
    pdf = picture.drawn("pdf")
    assert pdf.startswith(b"%PDF")
    assert picture.drawn("pdf") == pdf


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        ("filled/mine.txt", 'figures=.*filled": holds files already; name a new'),
        ("filled", 'figures=.*filled": is a file; name a new or an empty folder'),
    ],
)
def test_nothing_is_written_over(
    run: Run, tmp_path: Path, made: str, wanted: str
) -> None:
    (tmp_path / made).parent.mkdir(exist_ok=True)
    (tmp_path / made).write_text("mine")
    out = tmp_path / "page.html"
    with pytest.raises(RequestError, match=wanted):
        write_report(run.path, out, figures=tmp_path / "filled")
    assert (tmp_path / made).read_text() == "mine"
    assert not out.exists()


def test_a_folder_must_be_possible(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="file is not a folder one can write to"):
        write_report(run.path, tmp_path / "r", figures=tmp_path / "file" / "figures")


def test_formats_are_svg_and_pdf_of_figures_that_are_asked_for(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = tmp_path / "figures"
    with pytest.raises(RequestError, match='figure_format="png": wanted svg'):
        refuse_format("png", folder)
    assert main(["report", str(run.path), "--figure-format", "pdf"]) == 2
    line = capsys.readouterr().err
    assert "--figure-format pdf: no figures are asked for" in line
    assert "--figures figures" in line
    assert line.count("\n") == 1
