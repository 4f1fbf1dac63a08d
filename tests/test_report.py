"""The page says what the record holds: no more, no less, and nothing from outside."""

import re
import shutil
import subprocess
import sys
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from jaxorder.run.description import describe_data
from PIL import Image

from jaxorder import record
from jaxorder.analysis import (
    Interval,
    accessibility,
    bimodality,
    compare,
    cronbach_alpha,
    epoch_weights,
    fleiss_kappa,
    independent_null,
    jackknife,
    member_accessibility,
)
from jaxorder.config import RunConfig, StudyOptions, folder_name, to_json
from jaxorder.data import Dataset, load
from jaxorder.errors import RequestError
from jaxorder.files import new_folder, write_json
from jaxorder.record import BlockWriter, Commit, Layout, RecordedSplit
from jaxorder.report import PairRow, SummaryRow, pairs, summary, write_report
from jaxorder.report.blocks import Notes, Plate, Table
from jaxorder.report.figures.canvas import look
from jaxorder.report.numbers import (
    agreement_spell,
    comparable_bimodality,
    measure,
    measure_split,
)
from jaxorder.report.sections.across import across
from jaxorder.report.sections.agreement import chosen_snapshots
from jaxorder.report.sections.drawn import drawn
from jaxorder.report.sections.findings import beyond, findings
from jaxorder.report.sections.gallery import extremes, gallery, thumbnails
from jaxorder.report.sections.making import commands
from jaxorder.report.sections.members import member_examples_a_second
from jaxorder.report.summary import named_pairs, run_names
from jaxorder.run.folder import Run, open_run, open_runs

TITLES = (
    "What was found",
    "The data and the networks",
    "How fast do they learn?",
    "Do they get the same examples right?",
    "More than chance, and since when?",
    "Is the order repeatable?",
    "Do architectures share the order?",
    "Which examples are learned first, which last?",
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


def write_run(path: Path, dataset: Dataset, fake: Fake) -> Run:
    """Write a run whose members were simulated."""
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
        write_json(folder / "config.json", document(dataset, fake))
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


def document(dataset: Dataset, fake: Fake) -> dict:
    config = RunConfig.of_study(options(dataset, fake.members), fake.model)
    filled = config.with_defaults({"optimizer": "momentum", "learning_rate": 0.05})
    return {
        "schema": 1,
        "options": to_json(filled),
        "steps": STEPS.tolist(),
        "steps_per_epoch": PER_EPOCH,
        "parameters": 51082,
        "model_keys": {"widths": "256-128"},
        "data": describe_data(dataset),
        "plan": {"why": "sequential on 2 devices", "devices": 2},
        "machine": {
            "device": "cpu",
            "device_kind": "cpu",
            "cores": 2,
            "matmul_precision": "float32",
            "random": "threefry2x32, partitionable",
        },
        "versions": {"jax": "0.10.2"},
        "created": "2026-11-23T05:30:00+00:00",
    }


def write_study(path: Path, dataset: Dataset, fakes: Sequence[Fake]) -> Path:
    models = [fake.model for fake in fakes]
    described = {"models": models, "options": to_json(options(dataset))}
    with new_folder(path) as folder:
        write_json(folder / "study.json", {"schema": 1, **described})
    for fake in fakes:
        write_run(path / folder_name(fake.model), dataset, fake)
    return path


THREE = (
    Fake(),
    Fake("small_st_vgg", speed=2.0, stream=1),
    Fake("mlp:linear=true", ceiling=0.8, diverged={3: 5}, stream=2),
)


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
    """Strip tags and images, for reading sentences."""
    return " ".join(
        re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.S).split()
    )


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
    assert "<script" not in page
    assert "@import" not in page
    assert "url(" not in page
    assert len(page) < 3e6


def test_every_figure_has_words(page: str) -> None:
    for figure in re.findall(r"<figure.*?</figure>", page, flags=re.S):
        assert "How to read it." in figure
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
    assert len(cards) == 3 * 4 * 12


def test_the_command_is_the_one_that_was_given(page: str, study: Path) -> None:
    text = text_of(page)
    assert "--models mlp small_st_vgg mlp:linear=true" in text
    assert "--train-examples 70 --test-examples 50 --members 6 --epochs 5" in text
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
        (["mlp", "small_st_vgg"], None, "--out: needed"),
        (["mlp"], ".", "--out .*: is a folder"),
        (["mlp"], "missing/report.html", "--out .*not a folder one can write to"),
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
    assert all(title in text for title in TITLES if title != TITLES[6])


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
    assert "(no interval)" in text_of(page_of(tmp_path, digits, Fake(members=2)))


def test_a_saturated_run_has_no_kappa(tmp_path: Path, digits: Dataset) -> None:
    page = page_of(tmp_path, digits, Fake(ceiling=99, speed=9))
    text = text_of(page)
    assert "κ is undefined at the last snapshot, which is saturated" in text
    assert np.isnan(summary(open_runs(tmp_path / "run"))[0].kappa.estimate)


def test_diverged_members_alone_leave_nothing(tmp_path: Path, digits: Dataset) -> None:
    fake = Fake(diverged=dict.fromkeys(range(MEMBERS), 2))
    assert "mlp: no member stayed finite." in text_of(page_of(tmp_path, digits, fake))


def test_hostile_names_are_escaped(tmp_path: Path, digits: Dataset) -> None:
    evil = "<script>alert(1)</script>"
    names = (evil, "$x_{", "a&b", *digits.class_names[3:])
    dataset = Dataset("digits", digits.train, digits.test, names)
    page = page_of(tmp_path, dataset, Fake(f"mlp:{evil}=$\\frac{{\n&amp;"))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
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
    run = measure(open_run(tmp_path / "run"), "mlp", simulations=0)
    test, train = gallery([run], drawn([run], [look(0)])).blocks
    for table in (test, train):
        assert isinstance(table, Table)
        assert table.head[-1] == "How the text begins"
        for row in table.rows:
            fruit = row[2] == "fruit"
            assert row[-1].startswith("apple number" if fruit else "oak")


def gallery_of(path: Path) -> str:
    """Return the sentence that stands for the examples, before two tables of ids."""
    run = measure(open_run(path), "mlp", simulations=0)
    notes, *tables = gallery([run], drawn([run], [look(0)])).blocks
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
    rows = summary(runs)
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
    assert row.kappa.estimate == pytest.approx(kappa.estimate, nan_ok=True)
    assert row.kappa.low == pytest.approx(kappa.low, nan_ok=True)
    assert row.kappa.high == pytest.approx(kappa.high, nan_ok=True)
    means = correct.mean(axis=(1, 2))
    nearest = 1 + int(np.argmin(np.abs(means[1:] - 0.5)))
    assert row.bimodality_accuracy == pytest.approx(means[nearest])
    if 0.3 <= means[nearest] <= 0.7:
        beta = bimodality(correct[nearest].mean(axis=0))
        assert row.bimodality == pytest.approx(float(beta))
    else:
        assert np.isnan(row.bimodality)


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
    rows = pairs(runs)
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
    (row,) = pairs([lone, many])
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
    write_json(
        run.path / "config.json",
        run.document | {"options": run.document.options | {"members": 9}},
    )
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
    numbers = measure_split(open_run(study / "mlp"), "test", simulations=100)
    assert numbers is not None
    spell = agreement_spell(numbers)
    assert spell is not None
    first, last = spell
    for snapshot in range(first, last + 1):
        kappa, null = numbers.kappa[snapshot], numbers.by_class[snapshot].kappa
        assert np.isnan(kappa.low) or kappa.low > null.high
    before = numbers.kappa[first - 1]
    assert first == 0 or not before.low > numbers.by_class[first - 1].kappa.high


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
    test = replace(run.test, kappa=(kappa,) * len(run.test.kappa))
    (answer,) = findings([replace(run, test=test)], [])[1].answers
    assert (answer.verdict, answer.word) == (verdict, word)
    assert "above chance at none of" in answer.text


def test_histograms_stand_at_milestones_or_evenly(study: Path) -> None:
    fast = measure_split(open_run(study / "mlp"), "test")
    assert fast is not None
    chosen = chosen_snapshots(fast)
    assert chosen[-1] == len(STEPS) - 1
    assert 2 <= len(chosen) <= 5
    untrained = measure_split(
        open_run(study / "mlp:linear=true".replace(":", "_")), "test"
    )
    assert untrained is not None
    assert comparable_bimodality(untrained)[0] > 0


def test_extremes_do_not_overlap() -> None:
    scores = np.array([0.5, 0.9, 0.1, 0.9, 0.3])
    assert extremes(scores, first=True).tolist() == [1, 3]
    assert extremes(scores, first=False).tolist() == [2, 4]


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


def test_looks_differ_beyond_the_colours() -> None:
    looks = [look(position) for position in range(30)]
    assert len({each.letter for each in looks}) == 30
    assert len({(each.colour, each.marker) for each in looks}) == 30


def test_many_runs_are_summed_up(study: Path) -> None:
    twice = [*open_runs(study), *open_runs(study)]
    many = [measure(run, f"{run.name} {i}", 20) for i, run in enumerate(twice)]
    rows = named_pairs([(run.run, run.name) for run in many], "test")
    *_, shared = findings(many, rows)
    (answer,) = shared.answers
    assert answer.verdict == "yes"
    assert "of 15 pairs, 15 have a rank correlation above 0.5" in answer.text
    visible = drawn(many, [look(i) for i in range(len(many))])
    matrix, table, scatters = across(visible, rows).blocks
    assert isinstance(matrix, Plate)
    assert isinstance(table, Table)
    assert isinstance(scatters, Plate)
    assert len(table.rows) == 15
    assert len(scatters.pictures) == 3
    assert "3 of 15 pairs are drawn: the least alike" in scatters.caption[-1]
    assert "Shared seeds" in table.note


def test_pairs_that_share_the_order_and_pairs_that_do_not_are_some(
    study: Path,
) -> None:
    many = [
        measure(run, f"{run.name} {i}", 20)
        for i in range(2)
        for run in open_runs(study)
    ]
    rows = named_pairs([(run.run, run.name) for run in many], "test")
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
