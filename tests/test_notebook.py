"""A notebook trains, shows the progress while it does, draws, and shows a run."""

import re
from pathlib import Path

import nbformat
import pytest
from nbconvert.preprocessors import ExecutePreprocessor
from nbformat.v4 import new_code_cell, new_notebook

from tests.conftest import ROOT

TRAIN = """\
import jaxorder as jo

run = jo.train(
    data="digits", model="mlp:widths=16", members=3, epochs=2, out="run",
    train_examples=200, test_examples=100,
)"""
DRAW = """\
import matplotlib.pyplot as plt

plt.hist(jo.accessibility(run.correct("test")))
plt.xlabel("accessibility");"""
CELLS = {"train": TRAIN, "draw": DRAW, "show": "run", "print": "print(run)"}

Output = nbformat.NotebookNode


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def outputs(folder: Path) -> dict[str, list[Output]]:
    """Return what each cell shows in the file that was saved after they were run."""
    notebook = new_notebook(cells=[new_code_cell(source) for source in CELLS.values()])
    with pytest.MonkeyPatch.context() as patch:
        # what is tested, whatever is installed
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        where = {"metadata": {"path": str(folder)}}
        ExecutePreprocessor(timeout=300).preprocess(notebook, where)
    nbformat.write(notebook, folder / "tour.ipynb")
    saved = nbformat.read(folder / "tour.ipynb", as_version=4)
    return {n: c.outputs for n, c in zip(CELLS, saved.cells, strict=True)}


def test_the_last_line_of_progress_is_saved(outputs: dict[str, list[Output]]) -> None:
    (shown,) = outputs["train"]
    last = shown.data["text/plain"].splitlines()[-1]
    assert re.fullmatch(
        r"mlp:widths=16: 6\.0 of 6 member-epochs, [\d,]+ examples/s, "
        r"accuracy train 0\.\d+ test 0\.\d+",
        last,
    )
    assert '<progress max="6" value="6.00">' in shown.data["text/html"]


def test_a_picture_is_drawn(outputs: dict[str, list[Output]]) -> None:
    assert any("image/png" in output.data for output in outputs["draw"])


def test_a_run_is_shown_and_printed(
    folder: Path, outputs: dict[str, list[Output]]
) -> None:
    (shown,), (printed,) = outputs["show"], outputs["print"]
    assert shown.data["text/plain"] == printed.text.strip()
    assert printed.text.startswith("<Run mlp:widths=16 in run: data digits, ")
    assert "members 3 of 3" in printed.text
    assert "<td>mlp:widths=16</td>" in shown.data["text/html"]
