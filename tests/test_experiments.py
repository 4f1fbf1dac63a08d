"""Every experiment runs at its smoke size and prints a verdict for each criterion."""

from pathlib import Path

import pytest

from experiments import same_order


@pytest.mark.slow
def test_same_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    same_order.app(["--smoke", "--out", str(tmp_path / "out")])
    lines = capsys.readouterr().out.splitlines()
    verdicts = [line for line in lines if line.startswith(("mlp", "small_st_vgg"))]
    assert len(verdicts) == 2 * 2 * 3
    assert all(("met" in line) or ("undecided" in line) for line in verdicts)
    assert (tmp_path / "out" / "report.html").exists()
