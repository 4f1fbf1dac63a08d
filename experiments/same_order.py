"""Claim 1: networks of one architecture learn the same examples first.

    python -m experiments.same_order --data fashion_mnist --data-dir DIR --out out/same

trains 8 members each of an MLP and a small st-VGG on 5,000 examples for 10 epochs
(some minutes on 2 cores) and prints, for the train and test examples of each, whether
the criteria below are met. They were written down before any result was seen; what is
not met is printed as plainly. `--smoke` takes a minute on digits.

Criteria, on each split and architecture:

1. The order is reliable: Cronbach's alpha of the members' accessibilities, at its lower
   95% bound, is at least 0.8.
2. Agreement beyond class difficulty: at the snapshot whose mean accuracy is nearest
   0.5, Fleiss' kappa lies above the upper 95% bound of the null in which members err
   independently within each class.
3. Bimodality beyond it: there, Pearson's beta lies below that null's lower bound. Only
   where the accuracy is within 0.3 to 0.7; else undecided.

Expected: all met on both splits, on images. After Hacohen et al. 2020; no figure of
theirs is repeated here.
"""

import math
import sys
from pathlib import Path

from cyclopts import App

from jaxorder.analysis.intervals import number
from jaxorder.analysis.numbers import SplitNumbers
from jaxorder.analysis.snapshot_measures import BY_NAME
from jaxorder.analysis.snapshots import nearest_snapshot
from jaxorder.config import StudyOptions
from jaxorder.report import report
from jaxorder.run.training import train_study

app = App(help=__doc__, help_format="plaintext", result_action="return_value")
LEAST_RELIABILITY = 0.8


@app.default
def main(
    *,
    out: Path,
    data: str = "fashion_mnist",
    data_dir: Path | None = None,
    members: int = 8,
    epochs: int = 10,
    smoke: bool = False,
) -> None:
    """Train, print the verdicts, and write the report."""
    if smoke:
        data, members, epochs = "digits", 5, 2
    options = StudyOptions(
        data=data,
        data_dir=data_dir,
        train_examples=1000 if smoke else 5000,
        test_examples=400 if smoke else 2000,
        members=members,
        epochs=epochs,
    )
    train_study(options, ["mlp", "small_st_vgg"], out=out)
    file, page = report([out])
    for run in page.runs:
        for numbers in filter(None, (run.train, run.test)):
            for criterion, verdict, figures in verdicts(numbers):
                split = numbers.split
                print(f"{run.name:13} {split:5} {criterion:11} {verdict:9} {figures}")
    print(f"report: {file}")


def verdicts(numbers: SplitNumbers) -> list[tuple[str, str, str]]:
    """Return each criterion with its verdict and the figures it rests on."""
    at = nearest_snapshot(numbers, 0.5)
    where = f"at accuracy {numbers.mean_accuracy[at]:.2f}"
    alpha, null = numbers.reliability, numbers.by_class[at].kappa
    kappa = numbers.kappa[at].estimate
    return [
        (
            "reliability",
            said(alpha.low - LEAST_RELIABILITY),
            f"alpha {alpha.text(3)}",
        ),
        (
            "agreement",
            said(kappa - null.high),
            f"kappa {number(kappa, 3)}, null up to {number(null.high, 3)}, {where}",
        ),
        ("bimodality", *bimodality(numbers, at, where)),
    ]


def bimodality(numbers: SplitNumbers, at: int, where: str) -> tuple[str, str]:
    """Return the third verdict and its figures; none at other accuracies."""
    measure = BY_NAME["bimodality"]
    if not measure.compares(float(numbers.mean_accuracy[at])):
        low, high = measure.comparable or (0.0, 1.0)
        return said(math.nan), f"no accuracy within {low} to {high}, nearest {where}"
    beta, null = numbers.bimodality[at].estimate, numbers.by_class[at].bimodality
    figures = f"beta {number(beta)}, null from {number(null.low)}, {where}"
    return said(null.low - beta), figures


def said(excess: float) -> str:
    """Return a verdict in a word or two: whether a bound is reached.

    Args:
        excess: By how much it is; NaN where that is undefined, which decides nothing.
    """
    if math.isnan(excess):
        return "undecided"
    return "met" if excess >= 0 else "NOT met"


if __name__ == "__main__":
    sys.exit(app())
