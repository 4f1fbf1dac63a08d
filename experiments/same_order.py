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

import sys
from pathlib import Path

import numpy as np
from cyclopts import App

from jaxorder.analysis import (
    bimodality,
    class_null,
    fleiss_kappa,
    jackknife_interval,
    leave_one_out_alpha,
    member_accessibility,
    tp_agreement,
)
from jaxorder.analysis.measures import epoch_weights
from jaxorder.analysis.reliability import cronbach_alpha
from jaxorder.config import StudyOptions
from jaxorder.report import write_report
from jaxorder.run.folder import Run
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
        data, members, epochs = "digits", 4, 2
    options = StudyOptions(
        data=data,
        data_dir=data_dir,
        train_examples=1000 if smoke else 5000,
        test_examples=400 if smoke else 2000,
        members=members,
        epochs=epochs,
    )
    for run in train_study(options, ["mlp", "small_st_vgg"], out=out):
        for split in ("train", "test"):
            for criterion, verdict, figures in verdicts(run, split):
                print(f"{run.name:13} {split:5} {criterion:11} {verdict:9} {figures}")
    print(f"report: {write_report([out])}")


def verdicts(run: Run, split: str) -> list[tuple[str, str, str]]:
    """Return each criterion with its verdict and the figures it rests on."""
    correct, label = run.correct(split), np.asarray(run.record(split).label)
    values = np.asarray(correct)
    scores = member_accessibility(values, epoch_weights(np.asarray(correct.epoch)))
    alpha = jackknife_interval(cronbach_alpha(scores), leave_one_out_alpha(scores))
    at = int(np.abs(values.mean((1, 2)) - 0.5).argmin())
    accuracy = values[at].mean()
    null = class_null(values[at], label)
    kappa = float(fleiss_kappa(values[at]))
    beta = float(bimodality(tp_agreement(values[at])))
    comparable = 0.3 <= accuracy <= 0.7
    return [
        (
            "reliability",
            said(alpha.low >= LEAST_RELIABILITY),
            f"alpha {alpha.estimate:.3f} [{alpha.low:.3f}, {alpha.high:.3f}]",
        ),
        (
            "agreement",
            said(kappa > null.kappa.high),
            f"kappa {kappa:.3f}, null up to {null.kappa.high:.3f}, "
            f"at accuracy {accuracy:.2f}",
        ),
        (
            "bimodality",
            said(beta < null.bimodality.low) if comparable else "undecided",
            f"beta {beta:.2f}, null from {null.bimodality.low:.2f}, "
            f"at accuracy {accuracy:.2f}",
        ),
    ]


def said(met: bool) -> str:
    """Return a verdict in a word or two."""
    return "met" if met else "NOT met"


if __name__ == "__main__":
    sys.exit(app())
