"""The page says what the record holds: no more, no less, and nothing from outside."""

import json
import re
import shutil
import subprocess
import sys
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from zarr.storage import LocalStore

import jaxorder
from jaxorder import record
from jaxorder.analysis import (
    Interval,
    PairRow,
    Results,
    SummaryRow,
    accessibility,
    bimodality,
    compare,
    cronbach_alpha,
    epoch_weights,
    fleiss_kappa,
    independent_null,
    jackknife,
    measure_all,
    member_accessibility,
    members_needed,
)
from jaxorder.analysis.covariance import Covariance
from jaxorder.analysis.intervals import beyond
from jaxorder.analysis.numbers import RunNumbers, measure, measure_split
from jaxorder.analysis.pairs import mean_pairwise_kappa
from jaxorder.analysis.reliability import order_reliability
from jaxorder.analysis.results import pair_rows, run_names
from jaxorder.analysis.scales import Scale
from jaxorder.analysis.snapshot_measures import BY_NAME, SNAPSHOT_MEASURES
from jaxorder.analysis.snapshots import agreement_since, compared_snapshot
from jaxorder.cli.app import _summary_document, main
from jaxorder.cli.tables import print_summary
from jaxorder.config import RunConfig, StudyOptions, folder_name, to_json
from jaxorder.data import Dataset, load
from jaxorder.errors import RequestError
from jaxorder.files import new_folder, write_json
from jaxorder.plain import plain
from jaxorder.record import BlockWriter, Commit, Layout, RecordedSplit
from jaxorder.report import report, write_report
from jaxorder.report.blocks import Answer, Gallery, Notes, Plate, Table
from jaxorder.report.document import document
from jaxorder.report.figures.canvas import Picture, look
from jaxorder.report.figures.curves import kappa_over_time
from jaxorder.report.findings import findings, since
from jaxorder.report.inputs import thumbnails
from jaxorder.report.lede import members_differ
from jaxorder.report.page import render, written
from jaxorder.report.sections.across import across
from jaxorder.report.sections.agreement import chosen_snapshots
from jaxorder.report.sections.gallery import extremes, gallery
from jaxorder.report.sections.making import commands
from jaxorder.report.sections.members import member_examples_a_second
from jaxorder.report.shown import Page
from jaxorder.report.wording import needed_words
from jaxorder.run.document import DataDescription, RunDocument
from jaxorder.run.folder import Run
from jaxorder.run.study import open_run, open_runs

TITLES = (
    "What was found",
    "The data and the networks",
    "How fast do they learn?",
    "Do they get the same examples right?",
    "More than chance, and since when?",
    "Is the order repeatable?",
    "Do architectures share the order?",
    "On which examples do architectures disagree?",
    "Which classes are learned first?",
    "Is what is learned late forgotten more often?",
    "Which examples are learned first, which last?",
    "All examples",
    "How it was made, and what the words mean",
)
MEMBERS, PER_EPOCH = 6, 10
STEPS = np.array([0, 2, 5, 10, 20, 30, 40, 50])


# ---- fake runs on real labels


@dataclass
class Fake:
    """A run to be written: members that share the difficulty of the examples.

    `committed` gives, for each block of members, the snapshots that are on disk.
    """

    model: str = "mlp"
    members: int = MEMBERS
    speed: float = 1.0
    ceiling: float = 2.5
    diverged: Mapping[int, int] = field(default_factory=dict)
    committed: Sequence[int] = (len(STEPS),)
    stream: int = 0


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits", train_examples=70, test_examples=50)


def options(dataset: Dataset, members: int = MEMBERS) -> StudyOptions:
    return StudyOptions(
        data=dataset.name,
        train_examples=70 if dataset.name == "digits" else None,
        test_examples=50 if dataset.name == "digits" else None,
        members=members,
        epochs=5,
        batch_size=7,
    )


def write_run(
    path: Path, dataset: Dataset, fake: Fake, config: RunConfig | None = None
) -> Run:
    """Write a run whose members were simulated."""
    config = config or asked(dataset, fake.model, fake.members)
    members = fake.members
    block = members // len(fake.committed)
    splits = {name: dataset.split(name) for name in ("train", "test")}
    layout = Layout(
        steps=STEPS,
        epochs=STEPS / PER_EPOCH,
        seeds=np.arange(members, dtype=np.uint64) + 1000 * fake.stream,
        splits={
            name: RecordedSplit(split.labels, split.ids)
            for name, split in splits.items()
        },
        classes=list(dataset.class_names),
        block=block,
        quantities=(),
        inputs={},
    )
    with new_folder(path) as folder:
        record.create(folder / record.RECORD, layout, {})
        (folder / record.COMMITS).mkdir()
        described(dataset, config).write(folder)
    for number, snapshots in enumerate(fake.committed):
        write_block(path, splits, fake, number * block, block, snapshots)
    return Run(path)


def write_block(path, splits, fake: Fake, first: int, members: int, snapshots: int):
    """Write the snapshots of one block, and its counter where there is any."""
    writer = BlockWriter(path, first, members)
    for snapshot in range(snapshots):
        diverged = [fake.diverged.get(first + i, 99) for i in range(members)]
        finite = snapshot < np.array(diverged)
        for name, split in splits.items():
            prediction = predict(fake, name, split.labels, snapshot)
            mine = prediction[first : first + members]
            writer.write(name, snapshot, finite, {"prediction": mine})
    if snapshots:
        step = int(STEPS[snapshots - 1])
        writer.commit(Commit(first, members, snapshots, step, 2.0, 0.5))


def predict(fake: Fake, name: str, labels: np.ndarray, snapshot: int) -> np.ndarray:
    """Simulate predictions [member, example]; difficulty is the same in every run."""
    shared = np.random.default_rng(len(name)).normal(size=len(labels))
    rng = np.random.default_rng([fake.stream, snapshot, len(name)])
    epoch = STEPS[snapshot] / PER_EPOCH
    reach = fake.ceiling + 2
    ability = -2 + reach * (1 - np.exp(-fake.speed * epoch))
    noise = rng.normal(size=(fake.members, len(labels))) * 0.4
    # each class falls back on the next, so that a wrong answer is never the label
    classes = labels.max() + 1
    return np.where(ability + noise > shared, labels, (labels + 1) % classes)


def asked(dataset: Dataset, model: str = "mlp", members: int = MEMBERS) -> RunConfig:
    return RunConfig(model=model, **vars(options(dataset, members)))


def described(dataset: Dataset, config: RunConfig) -> RunDocument:
    return RunDocument(
        config=config.with_defaults({"optimizer": "momentum", "learning_rate": 0.05}),
        steps=STEPS.tolist(),
        steps_per_epoch=PER_EPOCH,
        parameters=51082,
        model_keys={"widths": "256-128"},
        data=DataDescription.of(dataset),
        plan={"why": "sequential on 2 devices", "devices": 2},
        machine={
            "device": "cpu",
            "device_kind": "cpu",
            "cores": 2,
            "matmul_precision": "float32",
            "random": "threefry2x32, partitionable",
        },
        versions={"jax": "0.10.2"},
        created="2026-11-23T05:30:00+00:00",
    )


def write_study(path: Path, dataset: Dataset, fakes: Sequence[Fake]) -> Path:
    models = [fake.model for fake in fakes]
    asked = {"models": models, "options": to_json(options(dataset))}
    with new_folder(path) as folder:
        write_json(folder / "study.json", {"schema": 1, **asked})
    for fake in fakes:
        write_run(path / folder_name(fake.model), dataset, fake)
    return path


THREE = (
    Fake(),
    Fake("small_st_vgg", speed=2.0, stream=1),
    Fake("mlp:linear=true", ceiling=0.8, diverged={3: 5}, stream=2),
)


LINEAR = folder_name("mlp:linear=true")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, digits: Dataset) -> Path:
    return write_study(tmp_path_factory.mktemp("runs") / "study", digits, THREE)


@pytest.fixture(scope="module")
def page(study: Path) -> str:
    return write_report(study).read_text(encoding="utf-8")


def page_of(tmp_path: Path, dataset: Dataset, fake: Fake) -> str:
    run = write_run(tmp_path / "run", dataset, fake)
    return write_report(run.path).read_text(encoding="utf-8")


def text_of(page: str) -> str:
    """Strip tags, scripts and images, for reading sentences."""
    unread = r"<style>.*?</style>|<script.*?</script>|<[^>]*>"
    return " ".join(re.sub(unread, " ", page, flags=re.S).split())


def rendered(page: Page) -> str:
    return render(page, written(page))


# ---- the page


@pytest.mark.parametrize("title", TITLES)
def test_the_page_has_every_section(page: str, title: str) -> None:
    assert re.search(f"<h2 id=[^>]*>{re.escape(title)}</h2>", page)


def test_the_page_asks_for_nothing_outside(page: str) -> None:
    sources = re.findall(r'\b(?:src|href|srcset|data|action)="([^"]*)"', page)
    assert sources
    assert all(source.startswith(("data:image/", "#")) for source in sources)
    assert "http://" not in page
    assert "https://" not in page
    assert page.count("<script") == 2  # what the table holds, and what draws it
    assert "@import" not in page
    assert "url(" not in page
    assert len(page) < 3e6


def test_every_figure_has_words(page: str) -> None:
    for figure in re.findall(r"<figure.*?</figure>", page, flags=re.S):
        assert "How to read it." in figure
        assert re.search(r"What would contradict it.</b> [A-Z].{20}", figure)
        assert re.search(r"<h3>[^<]*\?</h3>", figure)
        assert re.search(r"<figcaption>\s*<p>[^<]*\d", figure)
        assert all(
            len(alt) > 20 for alt in re.findall(r'<img [^>]*alt="([^"]*)"', figure)
        )


def test_anchors_lead_somewhere(page: str) -> None:
    for anchor in re.findall(r'href="#([^"]*)"', page):
        assert f'<section id="{anchor}"' in page


def test_the_page_names_members_left_out(page: str) -> None:
    assert "member 3 (diverged: not finite from step 30 (epoch 3) on)" in text_of(page)
    assert "5 of 6, 1 left out" in page


def test_a_finished_study_is_not_called_unfinished(page: str) -> None:
    assert "Unfinished" not in page


def test_thumbnails_stand_for_digits(page: str) -> None:
    cards = re.findall(r'<img src="data:image/png;base64,[^"]+" alt="example', page)
    # of ten classes one each, in two galleries of two splits of three runs; and the 12
    # examples of each split that they place farthest apart
    assert len(cards) == 3 * 4 * 10 + 2 * 12


def test_the_command_is_the_one_that_was_given(page: str, study: Path) -> None:
    text = text_of(page)
    assert "--models mlp small_st_vgg mlp:linear=true" in text
    for asked in ("train-examples 70", "test-examples 50", "members 6", "epochs 5"):
        assert f" --{asked} " in text
    assert "--momentum" not in text
    assert f"--out {study}" in text


def test_a_report_replaces_the_earlier_one(study: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    target.write_text("earlier")
    run = study / "mlp"
    assert write_report([run], target) == target
    assert target.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_single_run_has_no_pairs(study: Path) -> None:
    page = write_report(study / "mlp").read_text(encoding="utf-8")
    assert (study / "mlp" / "report.html").is_file()
    assert "Do architectures share the order?" not in page
    assert "Is the order repeatable?" in page


def test_runs_of_several_folders_share_a_page(
    study: Path, tmp_path: Path, digits: Dataset
) -> None:
    other = write_run(tmp_path / "other" / "mlp", digits, Fake(stream=7))
    # the first run is given twice
    out = write_report([study / "mlp", other.path, study / "mlp"], tmp_path / "r.html")
    text = text_of(out.read_text(encoding="utf-8"))
    assert "mlp (study)" in text
    assert "mlp (other)" in text
    assert "of 2 architectures" in text


@pytest.mark.parametrize(
    ("paths", "out", "wanted"),
    [
        ([], None, "at least one folder"),
        (["mlp", "small_st_vgg"], None, "out: needed"),
        (["mlp"], ".", "out=.*: is a folder"),
        (["mlp"], "missing/report.html", "out=.*not a folder one can write to"),
        (["nowhere"], None, "not a study or a run"),
    ],
)
def test_wrong_requests_are_refused(
    study: Path, paths: list[str], out: str | None, wanted: str
) -> None:
    target = None if out is None else study / out
    with pytest.raises(RequestError, match=wanted):
        write_report([study / path for path in paths], target)


# ---- what is unusual


def test_an_unfinished_run_says_how_far_it_is(tmp_path: Path, digits: Dataset) -> None:
    text = text_of(page_of(tmp_path, digits, Fake(committed=(5, 3, 0))))
    assert "Unfinished: mlp has 5 of 8 snapshots, 2 of 6 members." in text
    assert "member 2 (has 3 of the 5 snapshots recorded so far)" in text
    assert "member 4 (has 0 of the 5 snapshots recorded so far)" in text


def test_a_run_without_snapshots_is_reported(tmp_path: Path, digits: Dataset) -> None:
    text = text_of(page_of(tmp_path, digits, Fake(committed=(0,))))
    assert "Unfinished: mlp has 0 of 8 snapshots, 0 of 6 members." in text
    assert "mlp: no snapshot is recorded yet." in text
    assert all(title in text for title in TITLES if title not in TITLES[6:8])


def test_a_run_at_its_first_snapshot_is_reported(
    tmp_path: Path, digits: Dataset
) -> None:
    assert "1 of 8 snapshots" in text_of(
        page_of(tmp_path, digits, Fake(committed=(1,)))
    )


def test_one_member_leaves_agreement_undefined(tmp_path: Path, digits: Dataset) -> None:
    page = page_of(tmp_path, digits, Fake(members=1))
    text = text_of(page)
    assert "it takes two members, and there is one" in text
    assert "one member only, so κ and β are undefined" in text
    assert "Histogram at" not in page
    assert "Kappa of" not in page


def test_two_members_have_no_interval(tmp_path: Path, digits: Dataset) -> None:
    assert "interval undefined (2 members)" in text_of(
        page_of(tmp_path, digits, Fake(members=2))
    )


def test_a_saturated_run_has_no_kappa(tmp_path: Path, digits: Dataset) -> None:
    page = page_of(tmp_path, digits, Fake(ceiling=99, speed=9))
    text = text_of(page)
    assert "κ is undefined at the last snapshot, which is saturated" in text
    (row,) = measure_all(open_runs(tmp_path / "run"), 0).summary
    assert np.isnan(row.measures["kappa"].interval.estimate)


def test_diverged_members_alone_leave_nothing(tmp_path: Path, digits: Dataset) -> None:
    fake = Fake(diverged=dict.fromkeys(range(MEMBERS), 2))
    assert "mlp: no member stayed finite." in text_of(page_of(tmp_path, digits, fake))


def test_hostile_names_are_escaped(tmp_path: Path, digits: Dataset) -> None:
    evil = "<script>alert(1)</script>"
    names = (evil, "$x_{", "a&b", *digits.class_names[3:])
    dataset = Dataset("digits", digits.train, digits.test, names)
    page = page_of(tmp_path, dataset, Fake(f"mlp:{evil}=$\\frac{{\n&amp;"))
    assert evil not in page
    assert "&lt;script&gt;alert(1)" in page
    assert r"\u003cscript\u003ealert(1)" in page
    assert "$x_{" in page


def test_other_data_give_ids_instead_of_images(tmp_path: Path, digits: Dataset) -> None:
    path = tmp_path / "mine.npz"
    images = {
        f"{name}_{what}": getattr(digits.split(name), what)
        for name in ("train", "test")
        for what in ("inputs", "labels")
    }
    flat = {k: v.reshape(len(v), -1) if v.ndim > 1 else v for k, v in images.items()}
    np.savez(path, **flat)
    write_run(tmp_path / "run", load(f"npz:{path}"), Fake())
    assert "neither images nor texts" in gallery_of(tmp_path / "run")
    np.savez(path, **images)
    assert "are not those the run was trained on" in gallery_of(tmp_path / "run")
    path.unlink()
    assert "cannot be loaded here" in gallery_of(tmp_path / "run")


def test_texts_are_shown_by_their_beginnings(tmp_path: Path) -> None:
    rows = [f"apple number {i} of the red ones,fruit\noak {i},tree" for i in range(40)]
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,label", *rows]))
    write_run(tmp_path / "run", load(f"text:{tmp_path},length=30"), Fake())
    test, train = gallery(page_on([open_run(tmp_path / "run")])).blocks
    for table in (test, train):
        assert isinstance(table, Table)
        assert table.head[-1] == "How the text begins"
        for row in table.rows:
            fruit = row[2] == "fruit"
            assert row[-1].startswith("apple number" if fruit else "oak")


def page_on(runs: Sequence[Run]) -> Page:
    return Page(measure_all(runs, 1))


def test_no_page_is_written_without_nulls(study: Path) -> None:
    with pytest.raises(RequestError, match="wanted measured nulls, got none"):
        Page(measure_all(open_runs(study), 0))


def gallery_of(path: Path) -> str:
    """Return the sentence that stands for the examples, before two tables of ids."""
    notes, *tables = gallery(page_on([open_run(path)])).blocks
    assert [type(table) for table in tables] == [Table, Table]
    assert isinstance(notes, Notes)
    return notes.sentences[0]


def test_runs_on_other_examples_are_not_compared(
    tmp_path: Path, digits: Dataset
) -> None:
    other = load("digits", train_examples=30, test_examples=20)
    wrong = Dataset("digits", other.test, other.train, other.class_names)
    write_run(tmp_path / "a" / "mlp", digits, Fake())
    write_run(tmp_path / "b" / "mlp", wrong, Fake(stream=1))
    out = write_report([tmp_path / "a" / "mlp", tmp_path / "b" / "mlp"], tmp_path / "r")
    text = text_of(out.read_text(encoding="utf-8"))
    assert "cannot be compared" in text
    assert "common examples" in text


# ---- the numbers


def test_summary_rows_are_what_the_measures_give(study: Path) -> None:
    runs = open_runs(study)
    rows = measure_all(runs, 0).summary
    assert [row.model for row in rows] == [fake.model for fake in THREE]
    assert [row.members for row in rows] == [6, 6, 5]
    assert all(isinstance(row, SummaryRow) for row in rows)
    for run, row in zip(runs, rows, strict=True):
        check_row(run, row)


def check_row(run: Run, row: SummaryRow) -> None:
    correct = np.asarray(run.correct("test"))
    final = correct[-1].mean(axis=1)
    epoch = np.asarray(run.record("test")["epoch"])
    assert row.test_accuracy == pytest.approx(final.mean())
    assert row.test_deviation == pytest.approx(final.std(ddof=1))
    order = member_accessibility(correct, epoch_weights(epoch))
    assert row.reliability.estimate == pytest.approx(cronbach_alpha(order))
    kappa = jackknife(
        lambda kept: float(fleiss_kappa(correct[-1][kept])), correct.shape[1]
    )
    found = row.measures["kappa"].interval
    assert found.estimate == pytest.approx(kappa.estimate, nan_ok=True)
    assert found.standard_error == pytest.approx(kappa.standard_error, nan_ok=True)
    assert not found.low < -1 / (correct.shape[1] - 1)
    assert not found.high > 1
    means = correct.mean(axis=(1, 2))
    nearest = 1 + int(np.argmin(np.abs(means[1:] - 0.5)))
    named = row.to_dict()
    assert named["bimodality_accuracy"] == pytest.approx(means[nearest])
    if 0.3 <= means[nearest] <= 0.7:
        beta = bimodality(correct[nearest].mean(axis=0))
        assert named["bimodality"] == pytest.approx(float(beta))
    else:
        assert np.isnan(named["bimodality"])


def test_streaming_gives_the_whole_records_numbers(study: Path) -> None:
    run = open_run(study / "mlp")
    numbers = measure_split(run, "train", simulations=10)
    assert numbers is not None
    correct = np.asarray(run.correct("train"))
    weights = epoch_weights(numbers.epoch)
    np.testing.assert_allclose(numbers.accessibility, accessibility(correct, weights))
    np.testing.assert_allclose(numbers.accuracy, correct.mean(axis=2))
    estimates = [each.estimate for each in numbers.kappa]
    np.testing.assert_allclose(estimates, fleiss_kappa(correct))
    null = independent_null(correct[3], simulations=10)
    np.testing.assert_allclose(numbers.independent[3].pmf, null.pmf)
    assert numbers.by_class[3].members == MEMBERS


def test_pairs_are_what_compare_gives(study: Path) -> None:
    runs = open_runs(study)
    rows = measure_all(runs, 0).pairs_of("test")
    assert [(row.model_a, row.model_b) for row in rows] == [
        ("mlp", "small_st_vgg"),
        ("mlp", "mlp:linear=true"),
        ("small_st_vgg", "mlp:linear=true"),
    ]
    assert rows[0].spearman == compare(runs[0], runs[1]).spearman
    assert rows[0].split == "test"


def test_pairs_that_cannot_be_compared_say_why(tmp_path: Path, digits: Dataset) -> None:
    lone = write_run(tmp_path / "lone", digits, Fake("lone", members=1))
    many = write_run(tmp_path / "many", digits, Fake("many"))
    (row,) = measure_all([lone, many], 0).pairs_of("test")
    assert isinstance(row, PairRow)
    assert np.isnan(row.spearman.estimate)
    assert np.isnan(row.matched.estimate)
    assert np.isnan(row.disattenuated.estimate)
    assert "2 finite members" in row.problem


def test_speed_counts_examples_of_members(study: Path) -> None:
    run = open_run(study / "mlp")
    # 50 steps are 5 epochs of 70 examples, in 2 seconds
    assert member_examples_a_second(run) == pytest.approx(5 * 70 * MEMBERS / 2)


def test_a_grown_run_tells_both_commands(study: Path, tmp_path: Path) -> None:
    grown = tmp_path / "study"
    shutil.copytree(study, grown)
    run = Run(grown / "mlp")
    more = replace(run.config, members=9)
    replace(run.document, config=more).write(run.path)
    lines = commands(open_runs(grown))
    assert len(lines) == 2
    assert lines[1] == f"jaxorder grow {grown / 'mlp'} --members 9"


def test_a_run_outside_a_study_tells_its_own_command(
    tmp_path: Path, digits: Dataset
) -> None:
    run = write_run(tmp_path / "alone", digits, Fake("mlp:widths=8"))
    (line,) = commands([run])
    assert line.startswith("jaxorder run --data digits --models mlp:widths=8 ")
    assert "--optimizer momentum --learning-rate 0.05" in line
    assert line.endswith(f"--out {tmp_path / 'alone'}")


def test_names_tell_folders_apart(study: Path, tmp_path: Path, digits: Dataset) -> None:
    twin = write_run(tmp_path / "study" / "twin", digits, Fake())
    runs = [open_run(study / "mlp"), twin, open_run(study / "small_st_vgg")]
    names = run_names(runs)
    assert len(set(names)) == 3
    assert names[2] == "small_st_vgg"


# ---- choices


@pytest.mark.parametrize(
    ("observed", "verdict"),
    [
        ((0.5, 0.4, 0.6), "yes"),
        ((0.3, 0.2, 0.4), "undecided"),
        ((0.0, -0.1, 0.05), "no"),
        ((0.5, np.nan, np.nan), "undecided"),
        ((np.nan, np.nan, np.nan), "undefined"),
    ],
)
def test_verdicts_need_intervals_apart(observed: tuple, verdict: str) -> None:
    assert beyond(Interval(*observed), Interval(0.2, 0.1, 0.3)) == verdict


def test_agreement_begins_where_kappa_leaves_the_null(study: Path) -> None:
    numbers = measure_split(open_run(study / LINEAR), "test", simulations=100)
    assert numbers is not None
    state, first = agreement_since(numbers)
    assert state == "since"
    assert first is not None
    for snapshot in range(first, len(STEPS)):
        kappa, null = numbers.kappa[snapshot], numbers.by_class[snapshot].kappa
        assert np.isnan(kappa.low) or kappa.low > null.high
    assert first > 0
    assert not numbers.kappa[first - 1].low > numbers.by_class[first - 1].kappa.high


@pytest.mark.parametrize(
    ("kappa", "verdict", "word"),
    [
        (Interval(0.3, -9.0, 9.0), "undecided", ""),
        (Interval(-2.0, -3.0, -1.5), "no", "never"),
    ],
)
def test_agreement_is_never_only_where_chance_is_surely_as_high(
    study: Path, kappa: Interval, verdict: str, word: str
) -> None:
    run = measure(open_runs(study)[0], "", 20)
    assert run.test is not None
    measures = {"kappa": (kappa,) * len(run.test.kappa)}
    test = replace(run.test, measures={**run.test.measures, **measures})
    (answer,) = findings([replace(run, test=test)], [])[1].answers
    assert (answer.verdict, answer.word) == (verdict, word)
    assert "above chance at none of" in answer.text


def test_histograms_stand_at_milestones_or_evenly(study: Path) -> None:
    fast = measure_split(open_run(study / "mlp"), "test")
    assert fast is not None
    chosen = chosen_snapshots(fast)
    assert chosen[-1] == len(STEPS) - 1
    assert 2 <= len(chosen) <= 5
    untrained = measure_split(open_run(study / LINEAR), "test")
    assert untrained is not None
    assert compared_snapshot(untrained, BY_NAME["bimodality"])[0] > 0


def test_extremes_do_not_overlap() -> None:
    scores = np.array([0.5, 0.9, 0.1, 0.9, 0.3])
    alike = np.zeros(5, int)
    assert extremes(scores, alike, first=True).tolist() == [1, 3]
    assert extremes(scores, alike, first=False).tolist() == [2, 4]


def test_extremes_are_of_every_class() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.1, 0.2, 0.3, 0.6])
    label = np.array([0, 0, 0, 0, 1, 1, 7])
    assert extremes(scores, label, first=True).tolist() == [0, 1, 6, 5]
    assert extremes(scores, label, first=False, most=3).tolist() == [3, 4, 6]
    # of more classes than twice the cards, those with the most extreme examples
    many = extremes(np.arange(40.0), np.arange(40), first=False, most=12)
    assert many.tolist() == list(range(24))


def test_thumbnails_are_crisp_and_small() -> None:
    small = np.array([[[[0.0], [1.0]], [[1.0], [0.0]]]], np.float32)
    large = np.zeros((1, 200, 100, 3), np.uint8)
    pictures = [
        Image.open(BytesIO(b64decode(thumbnails(images)[0].partition(",")[2])))
        for images in (small, large)
    ]
    assert pictures[0].size == (48, 48)
    assert set(np.unique(np.asarray(pictures[0]))) == {0, 255}
    assert pictures[1].size == (32, 64)


def copied(study: Path, tmp_path: Path) -> Path:
    """Give runs of the same seeds in other folders."""
    shutil.copytree(study, tmp_path / "copy")
    return tmp_path / "copy"


def test_looks_differ_beyond_the_colours() -> None:
    looks = [look(position) for position in range(30)]
    assert len({each.letter for each in looks}) == 30
    assert len({(each.colour, each.marker) for each in looks}) == 30


def test_many_runs_are_summed_up(study: Path, tmp_path: Path) -> None:
    twice = [*open_runs(study), *open_runs(copied(study, tmp_path))]
    many = [measure(run, f"{run.name} {i}", 20) for i, run in enumerate(twice)]
    rows = pair_rows(many, "test")
    *_, shared = findings(many, rows)
    (answer,) = shared.answers
    assert answer.verdict == "yes"
    assert "of 15 pairs, 15 have a rank correlation above 0.5" in answer.text
    section = across(Page(Results(many, rows)))
    assert section is not None
    matrix, table, scatters = section.blocks
    assert isinstance(matrix, Plate)
    assert isinstance(table, Table)
    assert isinstance(scatters, Plate)
    assert len(table.rows) == 15
    assert len(scatters.pictures) == 3
    assert "3 of 15 pairs are drawn: the least alike" in scatters.caption[-1]
    assert "Shared seeds" in table.note


def test_pairs_that_share_the_order_and_pairs_that_do_not_are_some(
    study: Path, tmp_path: Path
) -> None:
    many = [
        measure(run, f"{run.name} {i}", 20)
        for i, path in enumerate([study, copied(study, tmp_path)])
        for run in open_runs(path)
    ]
    rows = pair_rows(many, "test")
    assert rows[0].comparison is not None
    apart = replace(rows[0].comparison, spearman=Interval(0.1, 0.0, 0.2))
    lower = replace(rows[0], comparison=apart)
    *_, shared = findings(many, [lower, *rows[1:]])
    (answer,) = shared.answers
    assert (answer.verdict, answer.word) == ("undecided", "some do")
    assert "14 have a rank correlation above 0.5" in answer.text


def test_the_report_needs_no_jax() -> None:
    code = "import sys, jaxorder.report; print('jax' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


# ---- measured once


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count how often each chunk of the predictions is read."""
    found: Counter[str] = Counter()
    get = LocalStore.get

    async def counted(self, key: str, *args, **kwargs):
        if "/prediction/c/" in f"/{key}":
            found[f"{self.root}/{key}"] += 1
        return await get(self, key, *args, **kwargs)

    monkeypatch.setattr(LocalStore, "get", counted)
    return found


@pytest.mark.slow
def test_each_record_is_read_twice_at_most(
    study: Path, tmp_path: Path, reads: Counter[str]
) -> None:
    _, page = report([study, copied(study, tmp_path)], tmp_path / "page.html")
    document(page)
    assert len(page.results.pairs) == 2 * 15
    assert sum(reads.values()) > 6 * 2 * len(STEPS)
    assert max(reads.values()) <= 2


@pytest.mark.parametrize(
    ("measured", "snapshots"),
    [
        (jaxorder.accessibility, len(STEPS)),
        (member_accessibility, len(STEPS)),
        (cronbach_alpha, len(STEPS)),
        (order_reliability, len(STEPS)),
        (jaxorder.bimodality, len(STEPS)),
        (jaxorder.fleiss_kappa, len(STEPS)),
        (jaxorder.classification_agreement, len(STEPS)),
        (jaxorder.class_null, 1),
        (independent_null, 1),
    ],
)
def test_a_measure_of_a_run_reads_what_it_needs_once(
    study: Path, reads: Counter[str], measured: Callable, snapshots: int
) -> None:
    measured(study / "mlp")
    assert set(reads.values()) == {1}
    assert len(reads) == snapshots


def test_scores_read_the_last_snapshot_twice(study: Path, reads: Counter[str]) -> None:
    jaxorder.scores(study / "mlp")
    assert sorted(reads.values()) == [1] * (len(STEPS) - 1) + [2]


def test_the_document_has_every_number_behind_the_page(study: Path) -> None:
    _, page = report(study)
    found = json.loads(json.dumps(plain(document(page)), allow_nan=False))
    assert [run["model"] for run in found["runs"]] == [fake.model for fake in THREE]
    check_document(found["runs"][2], page.runs[2])
    assert [e["member"] for e in found["runs"][2]["excluded"]] == [3]
    pairs = [(p["split"], p["comparison"]["examples"]) for p in found["pairs"][::3]]
    assert pairs == [("test", 50), ("train", 70)]
    verdicts = {each["verdict"] for f in found["findings"] for each in f["answers"]}
    assert verdicts <= {"yes", "no", "undecided", "undefined"}


def check_document(found: dict, numbers: RunNumbers) -> None:
    assert found["reliability"] == found["splits"]["test"]["reliability"]
    assert found["parameters"] == 51082
    assert (found["data"]["train"], found["data"]["test"]) == (70, 50)
    assert found["progress"]["train_seconds"] == 2.0
    assert found["member_examples_a_second"] == pytest.approx(5 * 70 * MEMBERS / 2)
    for split in ("test", "train"):
        of, known = numbers.split(split), found["splits"][split]
        assert of is not None
        assert known["steps"] == STEPS.tolist()
        assert np.shape(known["accuracy"]) == (len(STEPS), 5)
        assert known["counts"] == of.counts.tolist()
        assert list(known["accessibility"]) == [str(i) for i in of.example_id]
        assert list(known["label"].values()) == of.label.tolist()
        assert list(known["common_prediction"].values()) == of.common.tolist()
        assert known["expected"]["by_class"][-1] == of.by_class[-1].pmf.tolist()
        assert len(known["expected"]["independent"]) == len(STEPS)
        least, most = known["members_needed"]["0.95"]
        assert 1 <= least <= most
        assert known["growth"]["members"] == [1, 2]
        kappa = mean_pairwise_kappa(numbers.run, split)
        assert known["agreement"]["kappa"]["estimate"] == pytest.approx(kappa.estimate)
        check_examples(known, numbers.run, split)
        for name, told in known["measures"].items():
            estimates = [each and each["estimate"] for each in told["observed"]]
            shown = [BY_NAME[name].compares(float(a)) for a in of.mean_accuracy]
            assert [each is not None for each in estimates] == shown
            assert len(told["independent"]) == len(told["by_class"]) == len(STEPS)


def check_examples(known: dict, run: Run, split: str) -> None:
    """Expect of each example what `scores` say, and of classes what they add up to."""
    scores = jaxorder.scores(run, split).set_index("example_id")
    for name in ("final_tpa", "final_ca", "median_learned_epoch", "forgetting"):
        told = pd.Series(known[name], dtype=float)
        np.testing.assert_allclose(told, scores[name], err_msg=name)
    means = scores.groupby("label")["accessibility"].mean()
    told = [each["estimate"] for each in known["accessibility_of_classes"]]
    np.testing.assert_allclose(told, means)
    confusion = np.array(known["confusion"])
    right = np.trace(confusion, axis1=1, axis2=2) / confusion.sum(axis=(1, 2))
    np.testing.assert_allclose(right, np.mean(known["accuracy"], axis=1))


def test_measures_of_a_run_are_those_of_the_scores_and_the_report(study: Path) -> None:
    run = open_run(study / LINEAR)
    for split in ("test", "train"):
        numbers = measure_split(run, split)
        assert numbers is not None
        found = jaxorder.accessibility(run, split=split)
        wanted = jaxorder.scores(run, split)["accessibility"]
        np.testing.assert_allclose(found, wanted)
        np.testing.assert_allclose(found, numbers.accessibility)
        np.testing.assert_array_equal(
            jaxorder.accessibility(run.path, split=split), found
        )
        kappa = [each.estimate for each in numbers.kappa]
        np.testing.assert_allclose(jaxorder.fleiss_kappa(run, split=split), kappa)
    pd.testing.assert_frame_equal(jaxorder.scores(run.path), jaxorder.scores(run))
    plain_mean = jaxorder.accessibility(np.asarray(run.correct("train")))
    assert np.abs(plain_mean - found).max() > 0.01


def test_a_new_measure_is_an_entry_of_the_table(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = replace(
        BY_NAME["kappa"],
        name="unanimity",
        symbol="U",
        of=lambda counts: (counts[..., 0] + counts[..., -1]) / counts.sum(axis=-1),
        scale=lambda members: Scale(0, 1, lambda x: x, lambda x: x),
        word="unanimity U",
        meaning="The share of examples right for all members or for none.",
    )
    for module in TABLED:
        monkeypatch.setattr(
            f"jaxorder.{module}.SNAPSHOT_MEASURES", (*SNAPSHOT_MEASURES, known)
        )
    _, page = report(study / LINEAR)
    told = document(page)["runs"][0]["splits"]["test"]["measures"]["unanimity"]
    test = page.runs[0].test
    assert test is not None
    counts = test.counts
    shares = (counts[:, 0] + counts[:, -1]) / 50
    assert [each.estimate for each in told["observed"]] == pytest.approx(shares)
    assert told["by_class"][0].estimate < told["observed"][0].estimate
    text = text_of(rendered(page))
    assert "U, test" in text
    assert re.search(r"U is 0\.\d+ \[.* by chance at mean test accuracy", text)
    assert "The share of examples right for all members or for none." in text


TABLED = (
    *("analysis.numbers", "analysis.nulls", "analysis.results"),
    *("report.document", "report.sections.chance"),
    *("report.sections.headline", "report.sections.making"),
)


# ---- what the page must not say


@pytest.mark.parametrize(
    ("above", "verdict", "word"),
    [
        ("-----+++", "yes", "epoch 3"),
        ("-+.+.+..", "yes", "epoch 0.2"),
        ("+--+-+++", "yes", "epoch 3"),
        ("-------+", "undecided", "not yet"),
        ("------++", "undecided", "not yet"),
        ("+++++-++", "undecided", "with gaps"),
        ("+++++++-", "undecided", "with gaps"),
        ("--------", "undecided", ""),
        ("<<<<-<..", "undecided", ""),
        ("<<<<<<<<", "no", "never"),
        ("<.<.....", "no", "never"),
        ("........", "undefined", ""),
    ],
)
def test_agreement_must_be_sustained(
    study: Path, above: str, verdict: str, word: str
) -> None:
    """Kappa is above chance (+), below (<), neither (-), or has no interval (.)."""
    kappas = {
        "+": (0.5, 0.4, 0.6),
        "<": (-0.2, -0.3, -0.1),
        "-": (0.1, 0.0, 0.2),
        ".": (0.5, np.nan, np.nan),
    }
    test = measure_split(open_run(study / LINEAR), "test", 1)
    assert test is not None
    chance = replace(test.by_class[0], measures={"kappa": Interval(0.1, 0.0, 0.2)})
    kappa = tuple(Interval(*kappas[each]) for each in above)
    numbers = replace(test, measures={"kappa": kappa}, by_class=(chance,) * len(kappa))
    answer = since(numbers)
    assert (answer.verdict, answer.word) == (verdict, word)
    # the page and the document say the same
    state, first = agreement_since(numbers)
    assert state == ("since" if first is not None else word or verdict)
    if verdict == "no":
        counts = len(above) - above.count(".")
        assert f"at none of {counts} snapshots with an interval" in answer.text


def test_beta_is_told_between_accuracies_of_0_3_and_0_7_only(
    tmp_path: Path, digits: Dataset
) -> None:
    run = write_run(tmp_path / "run", digits, Fake(ceiling=99, speed=9))
    _, page = report(run.path)
    text = text_of(rendered(page))
    assert "not told (at " in text
    assert "no accuracy within 0.3 to 0.7" in text
    assert "β =" not in text
    assert not re.search(r"β (is )?\d", text)
    assert plain(page.results.summary[0].to_dict())["bimodality"] is None


def test_members_that_cannot_be_told_from_chance_say_why(study: Path) -> None:
    overlap = bimodality_answer(study, Interval(1.9, 1.0, 2.9))
    assert overlap.text.endswith("the intervals overlap.")
    without = bimodality_answer(study, Interval(1.9, np.nan, np.nan))
    assert without.text.endswith("without an interval it cannot be told from chance.")
    assert {overlap.verdict, without.verdict} == {"undecided"}


def bimodality_answer(study: Path, beta: Interval) -> Answer:
    run = measure(open_run(study / LINEAR), "", 20)
    assert run.test is not None
    measures = {"bimodality": (beta,) * len(STEPS)}
    test = replace(run.test, measures={**run.test.measures, **measures})
    (answer,) = findings([replace(run, test=test)], [])[2].answers
    return answer


def test_few_members_have_no_reliability_below_zero(
    tmp_path: Path, digits: Dataset
) -> None:
    (row,) = measure_all([write_run(tmp_path / "run", digits, Fake(members=3))]).summary
    assert str(row.reliability).endswith("interval undefined (3 members)")
    contradicting = order_reliability(np.array([[1.0, 2, 3], [3.0, 2, 1], [1, 2.1, 1]]))
    assert str(contradicting) == "undefined (3 members)"


def test_three_members_tell_no_number_that_would_do(
    tmp_path: Path, digits: Dataset
) -> None:
    text = text_of(page_of(tmp_path, digits, Fake(members=3)))
    assert "How many networks 0.95 takes cannot be told from 3 networks." in text
    assert "how many would do cannot be told from 3 networks." in text
    assert not re.search(r"\d networks? would do", text)
    # what lacks an interval says so once a line
    assert not re.search(r"interval undefined \(3 members\) \(", text)
    assert "is nearest 0.5. 3 members are too few for intervals." in text


def test_the_ends_of_alphas_interval_say_how_many_would_do(study: Path) -> None:
    run = measure(open_run(study / "mlp"), "", 20)
    assert run.test is not None
    alpha = run.test.reliability
    ends = [members_needed(end, MEMBERS, 0.95) for end in (alpha.high, alpha.low)]
    assert None not in ends
    (answer,) = findings([run], [])[3].answers
    told = dict.fromkeys(map(str, ends))
    assert re.search(
        rf"\. {' to '.join(told)} networks? would do for 0.95", answer.text
    )


@pytest.mark.parametrize(
    ("alpha", "words"),
    [
        ((0.9, 0.8, 0.95), "8 to 38 networks would do for 0.95"),
        ((0.5, -0.1, 0.8), "at least 38 networks would be needed for 0.95"),
        ((0.9, np.nan, np.nan), "How many networks 0.95 takes cannot be told from 8"),
        ((0.99, 0.995, 1.0), "1 network would do for 0.95"),
    ],
)
def test_needed_members_are_a_range(alpha: tuple, words: str) -> None:
    assert needed_words(Interval(*alpha), 8, 0.95, "network").startswith(words)


def test_two_members_that_contradict_each_other_have_not_learned_alike(
    study: Path,
) -> None:
    run = measure(open_run(study / "mlp"), "mlp", 1)
    assert run.test is not None
    assert run.test.order is not None
    first, second = run.test.order[:2]
    order = np.stack([first, 1 - first + 0.01 * second])
    two = {"accuracy": run.test.accuracy[:, :2], "seed": run.test.seed[:2]}
    two |= {"counts": run.test.counts[:, :3], "final": run.test.final[:2]}
    two |= {"class_sums": run.test.class_sums[:2]}
    told = []
    for values in (order, np.full_like(order, 0.25)):
        two |= {"order": values, "covariance": Covariance.of(values)}
        test = replace(run.test, **two)
        (answer,) = findings([replace(run, test=test)], [])[3].answers
        told.append((answer.verdict, answer.text))
    assert told == [
        ("undefined", "mlp: the order's reliability is undefined (2 members)."),
        ("undefined", "mlp: all examples are learned alike."),
    ]


def test_kappas_axis_holds_what_is_drawn(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = measure_split(open_run(study / "mlp"), "test", 1)
    assert test is not None
    drawn = []
    monkeypatch.setattr(
        "jaxorder.report.figures.curves.picture",
        lambda ax, *shows: drawn.append(ax.get_ylim()) or Picture(ax.figure, *shows),
    )
    for low in (-0.3, 0.01):
        null = replace(test.by_class[0], measures={"kappa": Interval(0.1, low, 0.2)})
        numbers = replace(test, by_class=(null,) * len(STEPS))
        kappa_over_time(numbers, None, "mlp", look(0))
    assert drawn[0][0] < -0.3
    assert -0.2 < drawn[1][0] < 0


def test_examples_that_tie_are_counted(study: Path) -> None:
    galleries = gallery(page_on([open_run(study / "mlp")])).blocks
    captions = [each.caption for each in galleries if isinstance(each, Gallery)]
    assert any("examples are as extreme in their classes" in each for each in captions)


def test_a_run_is_not_compared_with_itself(study: Path, tmp_path: Path) -> None:
    run, again = study / "mlp", tmp_path / "link"
    again.symlink_to(run)
    with pytest.raises(RequestError, match="'mlp' with itself"):
        compare(run, again)


def test_what_counts_as_right_follows_the_labels(study: Path, tmp_path: Path) -> None:
    file = write_report(study / "mlp", tmp_path / "page.html", labels="original")
    text = text_of(file.read_text(encoding="utf-8"))
    assert "counts as right if it is the label that the example came with." in text
    assert "trained towards" not in text


@pytest.mark.parametrize(
    ("changed", "keys", "words"),
    [
        ({}, {}, "(initial weights, the order of mini-batches)"),
        ({"augment": ["crop"]}, {}, "mini-batches, augmentation)"),
        ({}, {"dropout": "0.5"}, "mini-batches, dropout)"),
        ({}, {"dropout": "0"}, "(initial weights, the order of mini-batches)"),
        ({"vary": ["dropout=0,0.5"]}, {}, "mini-batches, dropout)"),
        ({"augment": ["crop"], "freeze": ["augment"]}, {}, "shared: augmentation)"),
    ],
)
def test_members_differ_in_what_is_random_in_them(
    tmp_path: Path, digits: Dataset, changed: dict, keys: dict, words: str
) -> None:
    run = write_run(tmp_path / "run", digits, Fake())
    config = replace(run.config, **changed)
    document = replace(run.document, config=config, model_keys=keys)
    document.write(run.path)
    assert words in members_differ(Run(run.path))
    replace(document, module={}).write(run.path)
    assert "dropout, if they have any" in members_differ(Run(run.path))


CHANGES = (
    {"classes": "1,3,5"},
    {"drop_duplicates": "exact"},
    {"label_noise": 0.2},
    {"shuffle_labels": True},
    {"pca": 5},
    {"resize": 12},
)


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_the_gallery_shows_what_the_run_was_trained_on(
    tmp_path: Path, digits: Dataset, change: dict
) -> None:
    config = replace(asked(digits), **change)
    run = write_run(tmp_path / "run", config.load(), Fake(), config)
    _, *blocks = gallery(page_on([run])).blocks
    assert len(blocks) == 4
    assert all(isinstance(block, Gallery) for block in blocks)


def test_results_show_themselves_in_lines_and_in_a_notebook(study: Path) -> None:
    results = measure_all(open_runs(study), 0)
    first, *lines = repr(results).splitlines()
    assert first == "Results of 3 runs"
    assert lines[2].startswith("mlp:linear=true, 5 of 6 members, test accuracy 0.808")
    assert lines[3].startswith("mlp and small_st_vgg, Spearman 0.")
    html = results._repr_html_()
    assert html.count("<tr>") == 6
    row = results.runs[0]
    untold = replace(results, runs=[replace(row, test=None)], pairs=[])
    assert "test accuracy undefined, reliability undefined" in repr(untold)
    assert "<th>mlp and small_st_vgg</th>" in html


# ---- the command line


def test_the_command_line_prints_the_document(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "page.html"
    assert main(["report", str(study), "--out", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    parts = ("runs", "pairs", "rank_gaps", "agreement", "findings")
    assert list(found) == ["schema", "report", *parts]
    assert found["report"] == str(out)
    assert out.is_file()
    assert len(found["findings"]) == 5


def test_the_command_line_refuses_a_run_compared_with_itself(
    study: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["compare", str(study / "mlp"), f"{study}/./mlp"]) == 2
    line = capsys.readouterr().err
    assert "compare 'mlp' with itself" in line
    assert line.count("\n") == 1


def test_undecided_is_one_word_everywhere(
    study: Path, tmp_path: Path, digits: Dataset, capsys: pytest.CaptureFixture
) -> None:
    # of few snapshots, none comes near the other's last
    late = write_run(tmp_path / "late", digits, Fake("late", committed=(2,)))
    runs = [late, open_run(study / LINEAR)]
    results = measure_all(runs, 1)
    (row,) = results.pairs_of("test")
    assert row.comparison is not None
    assert not row.comparison.matched.decided
    print_summary(results.summary, [row])
    section = across(Page(results))
    assert section is not None
    table = next(each for each in section.blocks if isinstance(each, Table))
    assert table.rows[0][5] == row.matched_text() == "undecided"
    assert "at matched accuracy undecided" in repr(row.comparison)
    assert main(["compare", *(str(run.path) for run in runs)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert re.search(r"late and mlp:linear=true .* undecided ", printed)
    assert "decided no, spearman undecided" in printed


def test_a_pair_is_one_document_in_run_and_in_report(
    tmp_path: Path, digits: Dataset
) -> None:
    lone = write_run(tmp_path / "lone", digits, Fake("lone", members=1))
    many = write_run(tmp_path / "many", digits, Fake("many"))
    page = page_on([lone, many])
    names = ["model_a", "model_b", "split", "comparison", "problem"]
    for pair in plain(document(page))["pairs"]:
        assert list(pair) == names
        assert pair["comparison"] is None
        assert "2 finite members" in pair["problem"]
    asked = _summary_document(tmp_path, tmp_path / "page.html", page.results)
    assert asked["pairs"] == plain(document(page))["pairs"][:1]


def test_tables_say_that_two_members_are_too_few(
    tmp_path: Path, digits: Dataset, capsys: pytest.CaptureFixture
) -> None:
    runs = [
        write_run(tmp_path / name, digits, Fake(name, members=2, stream=i))
        for i, name in enumerate("ab")
    ]
    assert main(["compare", *(str(run.path) for run in runs)]) == 0
    results = measure_all(runs)
    print_summary(results.summary, results.pairs_of("test"))
    assert all(row.matched_text() != "undecided" for row in results.pairs)
    printed = " ".join(capsys.readouterr().out.split())
    assert "nan" not in printed
    assert printed.count("(2 members)") >= 4
    assert printed.endswith("2 members are too few for intervals.")
