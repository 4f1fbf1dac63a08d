"""Every experiment runs at its smoke size and prints a verdict for each criterion."""

from pathlib import Path

import numpy as np
import pytest

from experiments import cscore_mnist, same_order
from jaxorder.run.folder import Run


@pytest.mark.slow
def test_same_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    same_order.app(["--smoke", "--out", str(tmp_path / "out")])
    lines = capsys.readouterr().out.splitlines()
    verdicts = [line for line in lines if line.startswith(("mlp", "small_st_vgg"))]
    assert len(verdicts) == 2 * 2 * 3
    assert all(("met" in line) or ("undecided" in line) for line in verdicts)
    assert (tmp_path / "out" / "report.html").exists()


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
