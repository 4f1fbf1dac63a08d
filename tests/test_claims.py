"""Each claim runs at its smoke size, and what it writes makes the page of results."""

import json
import re
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from experiments import (
    atlas,
    cross_architecture,
    linear_networks,
    results,
    same_architecture,
)
from experiments.claim import Learned, claim
from experiments.verdicts import criteria
from jaxorder.analysis.matching import rise_weights
from tests.test_compare import FakeRun, fake_record

MEASURES = {
    "same_architecture": same_architecture.measure,
    "cross_architecture": cross_architecture.measure,
    "linear_networks": linear_networks.measure,
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the results of each claim on digits, all of the same ensembles."""
    folder = tmp_path_factory.mktemp("claims")
    for name, measure in MEASURES.items():
        asked = ["--data=digits", "--scale=smoke", "--records", str(folder / "records")]
        claim(name, None, measure)([*asked, "--results", str(folder)])
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", MEASURES)
def test_a_claim_writes_its_cells(written: Path, name: str) -> None:
    found = json.loads((written / "smoke" / f"{name}-digits.json").read_text())
    assert (found["claim"], found["data"], found["scale"]) == (name, "digits", "smoke")
    for cell in found["cells"]:
        assert cell["primary"]["estimate"] is not None
        assert cell["reasons"], "six members decide nothing"
    assert {run["members"] for run in found["runs"].values()} == {6}


@pytest.mark.slow
def test_the_page_is_the_same_from_the_same_results(
    written: Path, tmp_path: Path
) -> None:
    pages = []
    for out in (tmp_path / "a", tmp_path / "b"):
        out.mkdir()
        results.app(["--results", str(written / "smoke"), "--out", str(out)])
        files = sorted(path for path in out.rglob("*") if path.is_file())
        pages.append([path.read_bytes() for path in files])
    assert pages[0] == pages[1]
    assert len(pages[0]) == 1 + len(MEASURES)
    text = (tmp_path / "a" / "results.md").read_text()
    assert text.count("undecided") > len(MEASURES)
    assert "| not run |" in text


@pytest.mark.slow
def test_the_atlas_is_planned_and_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--of", "digits", "--names", "mlp", "mlp_linear", "--scale=smoke"]
    for more in (["--plan"], []):
        atlas.app([*asked, "--records", str(tmp_path), *more])
        told = capsys.readouterr().out
        assert re.findall(r"^digits/(\w+): 6 members, \d+ s$", told, re.MULTILINE) == [
            "mlp",
            "mlp_linear",
        ]
        there = [path.name for path in sorted((tmp_path / "digits").glob("*"))]
        assert there == ([] if more else ["mlp", "mlp_linear"])


def test_a_claim_is_refused_where_it_asks_for_nothing(tmp_path: Path) -> None:
    app = claim("text", None, same_architecture.measure)
    asked = ["--data=digits", "--records", str(tmp_path), "--scale=smoke"]
    with pytest.raises(SystemExit, match="text: asks for no ensemble of digits"):
        app([*asked, "--results", str(tmp_path / "results")])
    assert not list(tmp_path.iterdir())


def test_every_ensemble_has_streams_of_its_own() -> None:
    seeds = {
        (data, name): atlas.config(data, name, "cpu", Path("data")).seed
        for data in atlas.SOURCES
        for name in atlas.ensembles(data)
    }
    assert len(set(seeds.values())) == len(seeds)


def test_claims_name_ensembles_that_there_are() -> None:
    asked = criteria()
    for name in MEASURES:
        about = asked[name]
        named = {*about.get("models", []), *chain(*about.get("pairs", []))}
        known = {name for data in about["data"] for name in atlas.ensembles(data)}
        assert named <= known


def test_scores_count_up_to_the_point_alone() -> None:
    rng = np.random.default_rng(0)
    share = np.array([0.1, 0.3, 0.6, 0.9])
    correct = rng.random((4, 6, 400)) < share[:, None, None]
    run = FakeRun("made", {"test": fake_record(correct)})
    learned = Learned(run, "test")  # pyright: ignore
    weights = rise_weights(learned.accuracy, 0.5)
    wanted = np.tensordot(weights, correct, axes=1)
    np.testing.assert_allclose(learned.scores(0.5), wanted)
    epochs = learned.scores(0.5, "epochs")
    np.testing.assert_allclose(epochs, correct[1:3].mean(axis=0))
    assert learned.wrong(0.5) == pytest.approx(200, abs=1)
    assert len(learned.around(0.5)) == 4
