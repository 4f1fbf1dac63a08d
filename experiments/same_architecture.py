"""Claim: networks of one architecture learn the same examples first.

    python -m experiments.same_architecture --data fashion_mnist \
        --records DIR --data-root DIR [--scale cpu]

For each architecture: Fleiss' kappa of what is right, less that of members which are
independent within each class, where the mean test accuracy is 0.5 (or 0.3). What of it
is left by a difficulty that needs no network (the share of nearest neighbours that have
the label, the distance to the mean of the class, the class), fitted to other examples.
And the reliability of the order up to there. `criteria.toml` says what holds.

Costs the ensembles of the atlas, which other claims share; then a minute a data set.
Expected: it holds on images, after Hacohen et al. 2020.
"""

import sys
from collections.abc import Iterator
from typing import Any

from experiments.claim import Learned, Study, barred, claim, point_of
from experiments.verdicts import Cell
from jaxorder.analysis import order_reliability
from jaxorder.analysis.difficulty import cross_fitted
from jaxorder.analysis.excess import excess_agreement
from jaxorder.analysis.intervals import undefined


def measure(
    study: Study, asked: dict[str, Any], rules: dict[str, Any]
) -> Iterator[Cell]:
    """Measure each architecture on the split that decides, and on the other beside."""
    for model in study.known(asked["models"]):
        both = {split: study.learned(model, split) for split in ("test", "train")}
        learned = both[asked["split"]]
        point = point_of([learned], rules["points"])
        told = {name: figures(study, each, point, rules) for name, each in both.items()}
        found = told[asked["split"]]
        yield Cell(
            data=study.data,
            of=model,
            primary=found.get("kappa", undefined()),
            holds_from=asked["holds_from"],
            fails_below=asked["fails_below"],
            reasons=barred([learned], point, rules) + doubts(found, asked),
            figures={"point": point, **told},
        )


def figures(
    study: Study, learned: Learned, point: float | None, rules: dict[str, Any]
) -> dict[str, Any]:
    """Measure one split, at a point; nothing where it is not reached."""
    if point is None:
        return {}
    correct = learned.around(point)
    expected = cross_fitted(study.difficulty(learned), correct.mean(axis=1))
    given = {"accuracy": point, "difficulty": expected, "blocks": rules["blocks"]}
    return {
        **excess_agreement(correct, learned.label, **given)._asdict(),
        "reliability": order_reliability(learned.scores(point)),
        "reliability_by_epochs": order_reliability(learned.scores(point, "epochs")),
        "accuracy": learned.accuracy,
    }


def doubts(found: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    """Tell what keeps the claim from holding, whatever the excess."""
    wanted = {"share": asked["left_from"], "reliability": asked["reliability_from"]}
    shown = {"share": "estimate", "reliability": "low"}
    return [
        f"{name} is {getattr(found[name], shown[name]):.2f}, wanted {least}"
        for name, least in wanted.items()
        if found and not getattr(found[name], shown[name]) >= least
    ]


if __name__ == "__main__":
    sys.exit(claim("same_architecture", __doc__, measure)())
