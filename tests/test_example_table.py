"""The table of all examples holds what the record does, and its script works on it."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import jaxorder
from jaxorder.analysis import measure_all
from jaxorder.data import Dataset, load
from jaxorder.report import write_report
from jaxorder.report.blocks import Examples, Notes
from jaxorder.report.packing import unpacked
from jaxorder.report.sections import table as module
from jaxorder.report.sections.table import table
from jaxorder.report.shown import Page
from jaxorder.run.folder import Run
from tests.test_report import Fake, write_run

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits", train_examples=70, test_examples=50)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, digits: Dataset) -> list[Run]:
    folder = tmp_path_factory.mktemp("runs")
    fakes = Fake("mlp", ceiling=0.5), Fake("linear", ceiling=0.2, stream=1)
    return [write_run(folder / fake.model, digits, fake) for fake in fakes]


def block_of(runs: list[Run]) -> Examples:
    (block,) = table(Page(measure_all(runs, 1))).blocks
    assert isinstance(block, Examples)
    return block


@pytest.fixture(scope="module")
def block(runs: list[Run]) -> Examples:
    return block_of(runs)


def test_the_columns_are_the_scores(runs: list[Run], block: Examples) -> None:
    data = block.data
    parts = [(p["letter"], p["split"], p["examples"]) for p in data["parts"]]
    assert parts == [(run, *split) for run in "AB" for split in SPLITS]
    scores = jaxorder.scores(runs[1], "train")
    found = {
        name: unpacked(data["content"], column)
        for name, column in data["parts"][3]["columns"].items()
    }
    for ours, theirs, places in COLUMNS:
        gaps = np.abs(np.asarray(found[ours]) - scores[theirs])
        assert np.nanmax(gaps) <= 0.501 * 10.0**-places, ours
        np.testing.assert_array_equal(np.isnan(found[ours]), scores[theirs].isna())
    assert sorted(found["picture"]) == list(range(1, 71))


SPLITS = (("test", 50), ("train", 70))
COLUMNS = (
    ("id", "example_id", 9),
    ("label", "label", 9),
    ("answer", "common_prediction", 9),
    ("accessibility", "accessibility", 3),
    ("agreement", "final_ca", 9),
    ("right", "final_tpa", 9),
    ("forgetting", "forgetting", 9),
    ("learned", "median_learned_epoch", 3),
)


def test_without_a_script_the_hardest_examples_are_read(
    runs: list[Run], block: Examples
) -> None:
    scores = jaxorder.scores(runs[0]).sort_values("accessibility", kind="stable")
    at = list(block.head).index("accessibility")
    told = [float(row[at]) for row in block.rows]
    np.testing.assert_allclose(told, scores["accessibility"][:20], atol=5e-4)
    assert all(row[1].startswith("data:image/png") for row in block.rows)
    assert all(len(row) == len(block.head) for row in block.rows)


def test_what_does_not_fit_is_left_out_and_said_to_be(
    runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NUMBERS", 900)
    monkeypatch.setattr(module, "PICTURES", 2500)
    block = block_of(runs)
    assert len(block.data["content"]) <= 900 + 200  # and where pictures stand
    listed = sum(part["examples"] for part in block.data["parts"])
    assert 4 <= listed < 240
    assert f"Of {listed} of 240 rows there is room in this page" in block.note
    assert re.search(r"\d+ of \d+ examples have a picture here, as many as", block.note)
    assert sum(map(len, block.sheets)) <= 2500


def test_texts_stand_in_the_place_of_pictures(tmp_path: Path) -> None:
    rows = [f"apple number {i} of red ones,fruit\noak {i},tree" for i in range(40)]
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,label", *rows]))
    run = write_run(tmp_path / "run", load(f"text:{tmp_path},length=30"), Fake())
    block = block_of([run])
    assert "text" in block.head
    assert "picture" not in block.head
    part = block.data["parts"][0]
    texts = unpacked(block.data["content"], part["columns"]["text"])
    labels = unpacked(block.data["content"], part["columns"]["label"])
    starts = [
        "apple" if block.data["classes"][0][int(k)] == "fruit" else "oak"
        for k in labels
    ]
    assert [str(each).split()[0] for each in texts] == starts


def test_runs_without_anything_have_no_table(tmp_path: Path, digits: Dataset) -> None:
    run = write_run(tmp_path / "run", digits, Fake(committed=(0,)))
    blocks = table(Page(measure_all([run], 1))).blocks
    assert [type(each) for each in blocks] == [Notes]


def test_imported_predictions_are_told_by_numbers_alone(tmp_path: Path) -> None:
    label = np.arange(12) % 3
    wrong = (label + 1) % 3
    prediction = np.stack([[label, label], [wrong, label]])
    run = jaxorder.from_predictions(prediction, label, out=tmp_path / "theirs")
    page = write_report(run.path).read_text(encoding="utf-8")
    assert "picture" not in block_of([run]).head
    assert "12 rows: each example" in page


# ---- in a browser

WORK = """
(async () => {
  const root = document.getElementById("example-table");
  const told = [];
  for (let i = 0; i < 60000 && !root.classList.contains("alive"); i++)
    await new Promise((done) => setTimeout(done, 50));
  const form = root.querySelector("form");
  const lines = () => [...root.querySelectorAll("tbody tr:not(.spacer)")];
  const tell = (what) =>
    told.push({
      what,
      status: root.querySelector("[role=status]").textContent,
      rows: lines().map((row) => [...row.children].map((cell) => cell.textContent)),
      sorted: [...root.querySelectorAll("[aria-sort]")].map((head) =>
        [head.dataset.column, head.getAttribute("aria-sort")]),
    });
  const choose = (name, value) => {
    form.elements[name].value = value;
    form.dispatchEvent(new Event("input"));
  };
  const press = (column) =>
    root.querySelector(`th[data-column=${column}] button`).click();
  tell("start");
  choose("model", "");
  choose("split", "");
  tell("all");
  press("label");
  tell("label");
  press("learned");
  press("learned");
  tell("learned");
  choose("answers", "wrong");
  tell("wrong");
  choose("answers", "");
  choose("search", root.querySelector("tbody th").textContent);
  tell("search");
  choose("search", "no such class");
  tell("none");
  const result = document.createElement("pre");
  result.id = "told";
  result.textContent = JSON.stringify(told);
  document.body.append(result);
})();
"""


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium here to run the script in")
def test_readers_sort_filter_and_search(runs: list[Run], tmp_path: Path) -> None:
    paths = [run.path for run in runs]
    page = write_report(paths, tmp_path / "page.html").read_text(encoding="utf-8")
    driven = tmp_path / "driven.html"
    driven.write_text(page.replace("</body>", f"<script>{WORK}</script></body>"))
    start, every, label, learned, wrong, search, none = told_by(driven)
    scores = jaxorder.scores(runs[0])
    assert start["status"] == "50 of 240 rows."
    assert start["sorted"] == [["accessibility", "ascending"]]
    assert float(start["rows"][0][4]) == round(scores["accessibility"].min(), 3)
    assert every["status"] == "240 of 240 rows."
    assert label["sorted"] == [["label", "ascending"]]
    assert {row[2] for row in label["rows"]} == {"0"}
    assert learned["sorted"] == [["learned", "descending"]]
    when = [row[8] for row in learned["rows"]]
    assert "never" not in when
    assert [float(each) for each in when] == sorted(map(float, when), reverse=True)
    assert wrong["rows"]
    assert all(row[2] != row[3] for row in wrong["rows"])
    assert len({row[0] for row in search["rows"]}) == 1
    assert none["status"] == "No example is so: take a filter back."


def told_by(page: Path) -> list[dict]:
    """Run a page's scripts, and return what they wrote."""
    done = subprocess.run(
        [
            *(str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu"),
            *("--virtual-time-budget=9000000", "--dump-dom", page.as_uri()),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    (found,) = re.findall(r'<pre id="told">(.*?)</pre>', done.stdout, flags=re.S)
    return json.loads(found.replace("&lt;", "<").replace("&amp;", "&"))
