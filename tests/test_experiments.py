"""Every experiment runs at its smoke size and prints a verdict for each criterion."""

import re
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from experiments import coverage, cscore_mnist, label_noise, same_order
from jaxorder.analysis import Interval
from jaxorder.analysis.numbers import measure_split
from jaxorder.analysis.scales import PLAIN
from jaxorder.run.folder import Run
from tests.conftest import ROOT, cleanlab_rank
from tests.test_compare import FakeRun, fake_record


@pytest.mark.slow
def test_same_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    same_order.app(["--smoke", "--out", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    form = r"^(\S+) +(train|test) +(\w+) +(met|NOT met|undecided) +(\w+ .*)$"
    found = re.findall(form, printed, re.MULTILINE)
    models, splits = ("mlp", "small_st_vgg"), ("train", "test")
    criteria = ("reliability", "agreement", "bimodality")
    assert [row[:3] for row in found] == [*product(models, splits, criteria)]
    for _, _, criterion, verdict, figures in found:
        assert verdict == by_hand(criterion, figures), figures
    assert (tmp_path / "out" / "report.html").exists()


def by_hand(criterion: str, figures: str) -> str:
    """Read a verdict off the figures that are printed beside it."""
    if "no accuracy within" in figures or "undefined" in figures:
        return "undecided"
    first, second, *_ = map(float, re.findall(r"-?\d+\.\d+", figures))
    wanted = {
        "reliability": second >= same_order.LEAST_RELIABILITY,
        "agreement": first >= second,
        "bimodality": first <= second,
    }
    return "met" if wanted[criterion] else "NOT met"


@pytest.mark.parametrize(
    ("excess", "verdict"),
    [(0.1, "met"), (0.0, "met"), (-0.1, "NOT met"), (float("nan"), "undecided")],
)
def test_what_is_not_met_is_not_said_to_be(excess: float, verdict: str) -> None:
    assert same_order.said(excess) == verdict


def test_bimodality_is_told_of_comparable_accuracies_alone() -> None:
    """Members that are right on 97 or 50 of 100 examples from the first step on."""
    told = {}
    for right in (97, 50):
        correct = np.zeros((4, 6, 100), bool)
        correct[1:, :, : right - 2] = True
        for member in range(6):
            own = right - 2 + member // 2
            correct[1:, member, own : own + 2] = True
        run = FakeRun("run", {"test": fake_record(correct)})
        numbers = measure_split(run, "test", simulations=20)
        assert numbers is not None
        told[right] = {name: rest for name, *rest in same_order.verdicts(numbers)}
    assert told[97]["bimodality"] == [
        "undecided",
        "no accuracy within 0.3 to 0.7, nearest at accuracy 0.97",
    ]
    assert told[50]["bimodality"][0] == "met"
    assert told[50]["bimodality"][1].startswith("beta 1.")
    assert {told[right]["agreement"][0] for right in told} == {"met"}


@pytest.mark.slow
def test_cscore_mnist(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--smoke", "--out", str(tmp_path / "out")]
    cscore_mnist.app(words)
    assert capsys.readouterr().out.startswith("18 members in ")
    cscore_mnist.app(words)  # nothing is left to do
    run = Run(tmp_path / "out")
    assert run.progress.finished
    theirs = run.record("train").label.values / 10
    whole = np.zeros(1797)
    whole[run.record("train").example_id.values] = theirs
    table = cscore_mnist.correlations(run, whole)
    assert [size for size, _, _ in table] == [1, 2]
    cscore_mnist.draw(table, tmp_path / "figure.svg")
    assert (tmp_path / "figure.svg").stat().st_size > 1000


@pytest.mark.slow
def test_label_noise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cleanlab_rank()
    document = tmp_path / "label_noise.md"
    document.write_text(
        "before\n<!-- results -->\nold\n<!-- end of results -->\nafter\n"
    )
    words = ["--smoke", "--out", str(tmp_path / "out"), "--document", str(document)]
    label_noise.app(words)
    printed = capsys.readouterr().out
    label_noise.app(words)  # nothing is left to train
    assert capsys.readouterr().out == printed
    form = r"^\| (\w+) \| ([\d.]+) \| ([\d.]+) \(.*\) \| (\S+) \| (\S+) \| (.*met) \|$"
    found = re.findall(form, printed, re.MULTILINE)
    assert [row[0] for row in found] == ["symmetric_20_1", "pair_20_0"]
    for _, own, best, difference, low, verdict in found:
        assert float(own) - float(best) == pytest.approx(float(difference), abs=2e-3)
        assert (float(low) > label_noise.LEAST) == (verdict == "met")
    written = document.read_text()
    assert written.startswith("before\n<!-- results -->\n\n| cell | ours |")
    assert written.endswith("<!-- end of results -->\nafter\n")


def test_without_cleanlab_label_noise_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    with pytest.raises(SystemExit, match=r"needs cleanlab: pip install '\.\[exper"):
        label_noise.main(out=Path("nowhere"), smoke=True)


def scored(seed: int, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return scores of 300 examples, and which are wrong, likelier at low scores."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 9, 300) / 9 if ties else rng.random(300)
    return scores, rng.random(300) > 0.3 + 0.6 * scores


@pytest.mark.parametrize("ties", [False, True])
def test_precision_and_auc_are_those_of_scikit_learn(ties: bool) -> None:
    scores, wrong = scored(0, ties)
    counts = np.random.default_rng(1).multinomial(300, np.full(300, 1 / 300), 4)
    wanted = [average_precision_score(wrong, -scores, sample_weight=w) for w in counts]
    np.testing.assert_allclose(
        label_noise.average_precision(scores, wrong, counts.astype(float)), wanted
    )
    assert label_noise.auc(scores, wrong) == pytest.approx(
        roc_auc_score(wrong, -scores)
    )


def test_equal_scores_at_the_border_count_in_part() -> None:
    scores, wrong = np.array([1, 2, 2, 2, 3.0]), np.array([1, 1, 0, 0, 1], bool)
    # three are wrong: the first, and two of the three that follow, of which a third is
    at = label_noise.precision_at_number(scores, wrong)
    assert at == pytest.approx((1 + 2 / 3) / 3)
    assert label_noise.precision_at_number(np.arange(5.0), wrong) == pytest.approx(
        2 / 3
    )


def noise_found(seed: int, better: float) -> label_noise.Found:
    """Return a cell in which ours is a peer's score plus what is true."""
    theirs, wrong = scored(seed)
    scores = {label_noise.DEFAULT: theirs - better * wrong, label_noise.AUM: theirs}
    precision = {n: label_noise.average_precision(s, wrong) for n, s in scores.items()}
    cell = label_noise.Cell("pair", 0.1, seed, False)
    return label_noise.Found(cell, wrong, scores, precision, precision)


def test_bounds_hold_for_all_cells_at_once() -> None:
    found = [noise_found(seed, better) for seed, better in ((0, 0.0), (1, 0.3))]
    same, better = label_noise.bounds(found, 200)
    assert (same.difference, same.low) == (0, pytest.approx(0, abs=1e-6))
    assert 0 < better.low < better.difference
    worse = [noise_found(seed, -0.3) for seed in range(3)]
    told = label_noise.verdict(worse, 200)
    assert told.count("NOT met |") == 3
    assert "in every cell): NOT met, in 0 of 3 cells." in told
    (alone,) = label_noise.bounds(found[1:], 200)
    assert alone.low >= better.low


def test_judged_images_are_found_by_their_official_positions(
    tmp_path: Path, real_data: Path
) -> None:
    position, wrong = label_noise.read_judged(
        real_data / "label_errors" / "mnist_test_judged.csv"
    )
    assert (len(position), wrong.sum()) == (100, 15)
    scores, hard = scored(3)
    low, high = label_noise.paired_interval(scores, scores, hard, 50)
    assert low == high == 0
    other = scores + 2.0 * ~hard
    low, high = label_noise.paired_interval(other, scores, hard, 50)
    assert 0 < low < high


def test_coverage_fills_in_its_table(tmp_path: Path) -> None:
    file = tmp_path / "it.md"
    file.write_text("before\n<!-- results -->\nold\n<!-- end of results -->\nafter\n")
    few = ["--draws=10", "--examples=200", "--accuracies=0.9", "--members=4"]
    # as a command, whose processes find what it defines
    command = [sys.executable, "-m", "experiments.coverage", *few, "--members=8"]
    done = subprocess.run(
        [*command, "--document", str(file)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    printed = done.stdout
    before, filled, after = re.split("<!-- .* -->\n", file.read_text())
    assert (before, after) == ("before\n", "after\n")
    assert filled.strip() == printed.strip()
    rows = re.findall(r"^\| (.+) \| (.+) \| (.+) \|$", printed, re.MULTILINE)
    assert rows[0][1:] == ("0.9, N = 4", "0.9, N = 8")
    assert [name for name, *_ in rows[2:]] == [each.name for each in coverage.MEASURES]
    # of fewer than five members only that over examples is told
    assert {few for name, few, _ in rows[2:] if name != "containment"} == {"none"}


def test_what_is_covered_is_counted_of_the_draws_that_have_an_interval() -> None:
    nan = float("nan")
    found = [Interval(1.0, 0, 3), Interval(3.0, 2.5, 4), Interval(2.0, nan, nan)]
    told = coverage.judged(PLAIN, found)
    assert (told.share, told.defined) == (0.5, 2 / 3)
    assert not told.held
    assert str(told) == "**50.0** (67%)"
    assert str(coverage.judged(PLAIN, found[2:])) == "none"


@pytest.mark.slow
@pytest.mark.parametrize("members", coverage.MEMBERS)
@pytest.mark.parametrize("accuracy", coverage.ACCURACIES)
def test_intervals_cover_or_are_undefined(accuracy: float, members: int) -> None:
    """Within 92 to 98% of the draws, less two standard errors of these."""
    draws = 300
    found = coverage.covered(accuracy, members, draws, examples=2000)
    for measure, each in zip(coverage.MEASURES, found, strict=True):
        if each.defined:
            error = 2 * np.sqrt(0.95 * 0.05 / (each.defined * draws))
            low, high = coverage.LOW - error, coverage.HIGH + error
            assert low <= each.share <= high, measure.name
