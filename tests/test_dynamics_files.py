"""Training dynamics of cartography and AUM, a folder or file for each member."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import jaxorder as jo
from jaxorder.cli import main
from jaxorder.errors import RequestError
from jaxorder.run.prediction_files import read_predictions

GOLD = [0, 2, 1, 1]
# [epoch, example], of each member
PREDICTED = np.array(
    [
        [[0, 0, 1, 2], [0, 2, 1, 0], [0, 2, 1, 1]],
        [[1, 2, 2, 2], [0, 2, 1, 2], [0, 2, 1, 2]],
    ]
)
Rows = list[list[dict[str, Any]]]


def rows_of(predicted: np.ndarray, names: Any = (7, 3, 11, 5)) -> Rows:
    """Return the lines of each epoch, shuffled as a loader shuffles them."""
    random, epochs = np.random.default_rng(0), []
    for number, classes in enumerate(predicted):
        rows = [
            {"guid": name, f"logits_epoch_{number}": logits, "gold": gold}
            for name, logits, gold in zip(
                names, np.eye(3)[classes].tolist(), GOLD, strict=True
            )
        ]
        epochs.append([rows[at] for at in random.permutation(4)])
    return epochs


def folder(path: Path, epochs: Rows) -> Path:
    """Write what cartography writes."""
    path.mkdir(parents=True)
    for number, rows in enumerate(epochs):
        text = "\n".join(map(json.dumps, rows)) + "\n"
        (path / f"dynamics_epoch_{number}.jsonl").write_text(text)
    return path


def records(predicted: np.ndarray, names: Any = (7, 3, 11, 5)) -> pd.DataFrame:
    """Return what AUM writes: its names of logits and values are exchanged."""
    rows = []
    for at, (name, gold) in enumerate(zip(names, GOLD, strict=True)):
        for epoch, classes in enumerate(predicted, start=1):
            logits = np.array([0.1, 0.2, 0.3])
            logits[classes[at]] = 2.0
            others = np.where(np.arange(3) == gold, -np.inf, logits)
            rows.append(
                {
                    "sample_id": name,
                    "num_measurements": epoch,
                    "target_logit": logits[gold],
                    "target_val": gold,
                    "other_logit": others.max(),
                    "other_val": others.argmax(),
                    "margin": logits[gold] - others.max(),
                    "aum": 0.0,
                }
            )
    return pd.DataFrame(rows)


def both(path: Path, kind: str, names: Any = (7, 3, 11, 5)) -> list[Path]:
    """Return the folders or files of two members."""
    found = []
    for seed, predicted in enumerate(PREDICTED):
        above = path / f"seed-{seed}"
        if kind == "aum":
            above.mkdir(parents=True)
            frame = records(predicted, names)
            frame.to_csv(above / "full_aum_records.csv", index=False)
            found.append(above / "full_aum_records.csv")
        else:
            found.append(above)
            folder(above / "training_dynamics", rows_of(predicted, names))
    return found


@pytest.mark.parametrize("kind", ["cartography", "aum"])
def test_members_become_a_run(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files, out = both(tmp_path, kind), tmp_path / "run"
    assert main(["import", *map(str, files), f"--out={out}", "--name=theirs"]) == 0
    run = jo.open_run(out)
    assert run.splits == ["train"]
    record = run.record("train").sortby("example_id").load()
    order = [1, 3, 0, 2]  # of the names
    assert record.example_id.values.tolist() == [3, 5, 7, 11]
    assert record.epoch.values.tolist() == [1, 2, 3]
    assert record.label.values.tolist() == [GOLD[at] for at in order]
    wanted = PREDICTED.swapaxes(0, 1)[..., order]
    np.testing.assert_array_equal(record.prediction, wanted)
    assert len(jo.scores(run, "train")) == 4
    assert main(["report", str(out)]) == 0
    page = (out / "report.html").read_text(encoding="utf-8")
    assert f"jaxorder import {files[0]} {files[1]} --name theirs" in page
    capsys.readouterr()


def test_both_say_the_same_of_names_that_are_no_numbers(tmp_path: Path) -> None:
    names = ("a.jpg#1", "b", "c", "7")
    found = [
        read_predictions(*both(tmp_path / kind, kind, names))
        for kind in ("cartography", "aum")
    ]
    own = int.from_bytes(hashlib.sha256(b"a.jpg#1").digest()[:8], "big") >> 1
    for each in found:
        assert own in each["example_id"]
        assert each["split"] == "train"
    ids = [np.argsort(each["example_id"]) for each in found]
    np.testing.assert_array_equal(
        found[0]["logits"].argmax(-1)[..., ids[0]], found[1]["prediction"][..., ids[1]]
    )


def test_logits_that_are_no_numbers_tell_who_diverged(tmp_path: Path) -> None:
    epochs = rows_of(PREDICTED[0])
    epochs[2][0]["logits_epoch_2"] = [None, 0.0, 1.0]
    found = read_predictions(folder(tmp_path / "one", epochs))
    run = jo.from_predictions(**found, out=tmp_path / "run")
    assert run.record("train").finite.values[:, 0].tolist() == [True, True, False]


# ---- what is refused


def _without(epochs: Rows) -> None:
    epochs[1].pop()


def _twice(epochs: Rows) -> None:
    epochs[1][0] = epochs[1][1]


def _relabelled(epochs: Rows) -> None:
    epochs[1][0]["gold"] = 2 - epochs[1][0]["gold"] // 2 * 2


def _named(epochs: Rows) -> None:
    for rows in epochs:
        for row in rows:
            row["gold"] = "entailment"


def _lacking(epochs: Rows) -> None:
    del epochs[0][0]["guid"]


def _longer(epochs: Rows) -> None:
    epochs[0][0]["logits_epoch_0"].append(0.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            _without,
            "dynamics_epoch_1.jsonl: 3 examples; wanted the 4 of dynamics_epoch",
        ),
        (_twice, "dynamics_epoch_1.jsonl, line 2: .* is there twice"),
        (_relabelled, "dynamics_epoch_1.jsonl: an example has another gold label"),
        (_named, "gold: wanted numbers of classes"),
        (
            _lacking,
            "dynamics_epoch_0.jsonl, line 1: wanted guid; has logits_epoch_0, go",
        ),
        (_longer, "wanted as many logits of every example"),
        (list.clear, "has no files dynamics_epoch_0.jsonl"),
        (lambda epochs: epochs[0].clear(), "epoch_0.jsonl: holds no example"),
    ],
)
def test_what_is_no_cartography_is_refused(
    tmp_path: Path, change: Callable[[Rows], Any], message: str
) -> None:
    epochs = rows_of(PREDICTED[0])
    change(epochs)
    with pytest.raises(RequestError, match=message) as refused:
        read_predictions(folder(tmp_path / "one", epochs))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "line 1: no JSON"), ("[1]", "line 1: wanted a JSON object, got .1.")],
)
def test_lines_that_are_no_objects_are_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "dynamics_epoch_0.jsonl").write_text(text)
    with pytest.raises(RequestError, match=message):
        read_predictions(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda f: f[["sample_id", "aum"]],
            "no predictions; give full_aum_records.csv",
        ),
        (
            lambda f: f.drop(columns="margin"),
            "wanted a column margin; has .'sample_id'",
        ),
        (lambda f: f[1:], "every example, got 2 to 3; leave the others out"),
        (lambda f: f.assign(target_val=range(12)), "different labels in its rows"),
        (lambda f: f.assign(margin=np.nan), "12 margins are no numbers"),
        (lambda f: f[[]], "not a .csv file"),
    ],
)
def test_what_are_no_records_of_aum_is_refused(
    tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    file = tmp_path / "full_aum_records.csv"
    change(records(PREDICTED[0])).to_csv(file, index=False)
    with pytest.raises(RequestError, match=message) as refused:
        read_predictions(file)
    assert "\n" not in str(refused.value)


def test_members_that_do_not_fit_each_other_are_refused(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", rows_of(PREDICTED[0]))
    short = folder(tmp_path / "short", rows_of(PREDICTED[1][:2]))
    renamed = folder(tmp_path / "renamed", rows_of(PREDICTED[1], (7, 3, 11, 6)))
    swapped = folder(tmp_path / "swapped", rows_of(PREDICTED[1], (3, 7, 11, 5)))
    (csv, _) = both(tmp_path / "aum", "aum")
    wide = rows_of(PREDICTED[1])
    for number, rows in enumerate(wide):
        for row in rows:
            row[f"logits_epoch_{number}"].append(0.0)
    for other, message in (
        (
            short,
            "4 examples at epochs 1, 2; wanted those of the first, 4 at epochs 1, ",
        ),
        (renamed, "wanted those of the first"),
        (swapped, "labels are not those of the first"),
        (csv, "wanted logits of 3 classes, as the first has, got predictions"),
        (
            folder(tmp_path / "wide", wide),
            "of 3 classes, as the first has, got logits of 4",
        ),
        (
            tmp_path / "none",
            "must be a .npz file of arrays, a .parquet file of rows, a f",
        ),
        (one / "dynamics_epoch_0.jsonl", "; give its folder, .*one"),
        (tmp_path / "none.csv", "none.csv: cannot be read .No such file"),
        (tmp_path / "a.npz", "hold all members; give one"),
    ):
        with pytest.raises(RequestError, match=message) as refused:
            read_predictions(one, other)
        assert "\n" not in str(refused.value)
    with pytest.raises(RequestError, match="name a file of predictions"):
        read_predictions()
