"""Scores of examples: the worked case of test_measures as a run, and its files."""

import numpy as np
import pandas as pd
import pytest

from jaxorder.analysis import scores as score_run
from jaxorder.analysis import write_scores
from jaxorder.analysis.columns import COLUMNS, columns_table
from jaxorder.errors import RequestError
from tests.conftest import ROOT
from tests.test_compare import FakeRun, fake_record
from tests.test_measures import CORRECT, EPOCH, LABEL, PREDICTION


@pytest.fixture
def run():
    record = fake_record(CORRECT, label=LABEL, ids=np.arange(5) + 100, epoch=EPOCH)
    record["prediction"] = record["prediction"].copy(data=PREDICTION.copy())
    return FakeRun("worked", {"test": record})


def test_scores_of_the_worked_case(run):
    found = score_run(run)
    assert list(found.columns) == [
        "example_id",
        "label",
        "accessibility",
        "final_tpa",
        "final_ca",
        "common_prediction",
        "median_learned_epoch",
        "share_never_learned",
        "forgetting",
        "correctness",
    ]
    assert found["example_id"].tolist() == [100, 101, 102, 103, 104]
    assert found["label"].tolist() == [0, 1, 2, 0, 1]
    wanted = {
        "accessibility": np.array([18, 17, 7, 13, 1]) / 18,
        "final_tpa": np.array([3, 3, 2, 3, 0]) / 3,
        "final_ca": np.array([3, 3, 2, 3, 3]) / 3,
        "common_prediction": [0, 1, 2, 0, 0],
        # Epochs 0 1 1; 1 0 2; 2 4 never; 2 1 4; never, for all three.
        "median_learned_epoch": [1, 1, 4, 2, np.nan],
        "share_never_learned": np.array([0, 0, 1, 0, 3]) / 3,
        "forgetting": np.array([0, 0, 1, 1, 1]) / 3,
        # Whole epochs are 1, 2 and 4: of 3 snapshots and 3 members each.
        "correctness": CORRECT[1:].mean(axis=(0, 1)),
    }
    for column, values in wanted.items():
        np.testing.assert_allclose(found[column], values, atol=1e-12)


def test_a_member_that_went_infinite_is_left_out_of_everything(run):
    record = run.splits["test"]
    record["finite"][3, 2] = False
    record["prediction"][3, 2] = 255
    found = score_run(run)
    np.testing.assert_allclose(found["final_tpa"], [1, 1, 1, 1, 0])
    np.testing.assert_allclose(found["final_ca"], 1)
    assert found["common_prediction"].tolist() == [0, 1, 2, 0, 0]


def test_snapshots_that_are_not_committed_are_left_out(run):
    class Unfinished(FakeRun):
        def usable(self, split):
            return super().usable(split).isel(snapshot=slice(3))

    record = run.splits["test"]
    record["prediction"][3] = 255
    record["finite"][3] = False
    run.splits["test"] = record
    whole = record.copy(deep=True)
    whole["finite"][3] = True
    unfinished = Unfinished("unfinished", {"test": whole})
    found = score_run(unfinished)
    np.testing.assert_allclose(found["final_ca"], np.array([3, 3, 2, 2, 3]) / 3)
    np.testing.assert_allclose(found["final_tpa"], np.array([3, 3, 1, 2, 0]) / 3)


def test_half_the_members_never_learning_leaves_no_median():
    correct = np.array([[[True], [False]], [[True], [False]]])
    run = FakeRun("half", {"test": fake_record(correct)})
    assert np.isnan(score_run(run)["median_learned_epoch"][0])


def test_whatever_else_was_recorded_becomes_a_column(run):
    record = run.splits["test"]
    margin = np.arange(60, dtype=np.float16).reshape(4, 3, 5)
    margin[0] = np.nan
    record["margin"] = (("snapshot", "member", "example"), margin)
    record["original_label"] = ("example", LABEL[::-1].copy())
    record["member_label"] = (("member", "example"), np.zeros((3, 5)))
    found = score_run(run)
    # The mean over members of example 0 is 5 + 15 t at snapshot t; weights 1 3 2 / 6.
    assert found["margin"][0] == pytest.approx(5 + 15 * (1 + 2 * 3 + 3 * 2) / 6)
    assert found["original_label"].tolist() == [1, 0, 2, 1, 0]
    assert "member_label" not in found


def recorded(run, **values):
    """Record quantities, with members that saw all examples but one each."""
    record = run.splits["test"]
    for name, value in values.items():
        record[name] = (("snapshot", "member", "example"), value)
    seen = ~np.eye(3, 5, dtype=bool)
    seen[:, 4] = False
    record["trained_on"] = (("member", "example"), seen)
    record.attrs["class_names"] = ["cat", "dog", "owl"]
    return record, seen


def test_the_peers_scores_are_means_over_those_that_saw_an_example(run):
    rng = np.random.default_rng(0)
    probability, norm, margin = rng.random((3, 4, 3, 5))
    values = {"margin": margin, "error_norm": norm}
    _, seen = recorded(run, true_logprob=np.log(probability), **values)
    found = score_run(run)
    wanted = {
        "confidence": probability[1:].mean(axis=0),
        "variability": probability[1:].std(axis=0),
        "aum": margin[1:].mean(axis=0),
        "correctness": CORRECT[1:].mean(axis=0),
        "el2n": norm[1],  # at epoch 1, the nearest to a tenth of 4 after step 0
    }
    for column, each in wanted.items():
        mean = np.nanmean(np.where(seen, each, np.nan)[:, :4], axis=0)
        np.testing.assert_allclose(found[column][:4], mean)
        assert np.isnan(found[column][4])
    assert found["el2n_epoch"].tolist() == [1.0] * 5
    assert score_run(run, epoch=3.1)["el2n_epoch"][0] == EPOCH[3]
    assert found["label_name"].tolist() == ["cat", "dog", "owl", "cat", "dog"]
    assert found["common_name"].tolist() == ["cat", "dog", "owl", "cat", "cat"]
    assert found["memorisation"].isna().all()


def test_columns_that_were_measured_win_over_those_of_the_data(run):
    run.splits["test"]["forgetting"] = ("example", np.full(5, 9))
    assert score_run(run)["forgetting"].max() < 1


def test_every_column_is_documented_where_scores_are():
    told = (ROOT / "docs" / "scores.md").read_text(encoding="utf-8")
    assert columns_table() in told, "jaxorder.analysis.columns.columns_table() makes it"
    assert "{columns}" not in score_run.__doc__
    for column in COLUMNS:
        assert f"        {column.name}: " in score_run.__doc__
        assert column.source or not column.differs


def test_a_run_that_has_nothing_yet_is_refused(run):
    record = run.splits["test"]
    for part in (record.isel(snapshot=[]), record.isel(member=[])):
        with pytest.raises(RequestError, match="wanted a snapshot and a finite member"):
            score_run(FakeRun("empty", {"test": part}))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_files_read_back_as_written(run, tmp_path, suffix):
    frame = score_run(run)
    path = tmp_path / f"scores.{suffix}"
    write_scores(frame, path)
    read = pd.read_csv(path) if suffix == "csv" else pd.read_parquet(path)
    pd.testing.assert_frame_equal(read, frame, check_dtype=suffix == "parquet")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_file_that_is_there_is_not_overwritten(run, tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("mine")
    with pytest.raises(RequestError, match="is there already"):
        write_scores(score_run(run), path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "message"),
    [("scores.json", "wanted .parquet or .csv"), ("no/scores.csv", "a folder that")],
)
def test_a_file_that_cannot_be_is_refused(run, tmp_path, name, message):
    with pytest.raises(RequestError, match=message):
        write_scores(score_run(run), str(tmp_path / name))
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_nothing_behind(run, tmp_path, monkeypatch):
    def half(self, path, **_):
        path.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", half)
    with pytest.raises(OSError, match="disk full"):
        write_scores(score_run(run), tmp_path / "scores.csv")
    assert not list(tmp_path.iterdir())
