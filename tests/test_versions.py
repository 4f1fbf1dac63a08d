"""Run folders of the version before open, go on to the same bits, and report.

`data/study_0.1.0.tar.gz` holds a study that version 0.1.0 began on digits: a forest
that is finished, an MLP that was interrupted at step 24 of 48, and a network that was
not begun; and the predictions that version 0.1.0 made of it when it went on.
"""

import tarfile
from pathlib import Path

import numpy as np
import pytest

import jaxorder as jo
from jaxorder.cli import main
from jaxorder.run.folder import Run

STUDY = Path(__file__).parent / "data" / "study_0.1.0.tar.gz"
NAMES = ["sklearn:random_forest:trees=6", "mlp:widths=8", "small_st_vgg:width=4"]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("version_0_1_0")
    with tarfile.open(STUDY) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def resumed(unpacked: Path) -> list[Run]:
    """Return the runs, finished."""
    return jo.resume(unpacked / "study")


def test_a_study_of_the_version_before_opens(unpacked: Path) -> None:
    study = jo.open_study(unpacked / "study")
    assert study.config.names == NAMES
    assert [run.name for run in study] == NAMES[:2]
    assert "random_forest" in repr(study)


def test_what_it_says_of_itself_is_read_and_written_alike(unpacked: Path) -> None:
    for run in jo.open_study(unpacked / "study"):
        read = run.document
        assert read.config.resample == "bootstrap"
        # said as --freeze order then, which means the same
        assert read.config.order == "shared"
        assert type(read).from_json(read.to_json()) == read


def test_it_goes_on_to_the_same_bits(resumed: list[Run], unpacked: Path) -> None:
    assert [run.name for run in resumed] == NAMES
    assert all(run.progress.finished for run in resumed)
    with np.load(unpacked / "final.npz") as final:
        for run in resumed:
            for split in ("train", "test"):
                then = final[f"{run.path.name}/{split}"]
                same = run.record(split).prediction.values == then
                # on another machine, or with other versions, rounding may differ
                assert same.all() or (run.document.resumed_on and same.mean() > 0.95)


def test_it_reports_and_says_how_to_make_it_again(
    resumed: list[Run], unpacked: Path
) -> None:
    page = jo.write_report(unpacked / "study").read_text(encoding="utf-8")
    assert all(run.name in page for run in resumed)
    assert "not those the run was trained on" not in page


@pytest.mark.parametrize("command", ["info", "report"])
def test_commands_take_it(
    resumed: list[Run], capsys: pytest.CaptureFixture[str], command: str
) -> None:
    folder = resumed[0].path.parent
    assert main([command, str(folder)]) == 0
    told = capsys.readouterr().err.replace("writing the report\n", "")
    assert told == ""  # but what lasts a second


def test_it_grows(resumed: list[Run]) -> None:
    (forest,) = jo.grow(resumed[0].path, 5)
    assert forest.progress.finished
    assert forest.record("test").sizes["member"] == 5
