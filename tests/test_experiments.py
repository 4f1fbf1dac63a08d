"""Every experiment runs at its smoke size and prints a verdict for each criterion."""

import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from experiments import cscore_mnist, same_order
from jaxorder.analysis.numbers import measure_split
from jaxorder.run.folder import Run
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
