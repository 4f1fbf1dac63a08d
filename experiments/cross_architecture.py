"""Claim: architectures learn the same examples first; the stronger then goes on.

    python -m experiments.cross_architecture --data fashion_mnist \
        --records DIR --data-root DIR [--scale cpu]

For each pair: Spearman's correlation of how early examples are learned, up to where
both have the same mean test accuracy, corrected for the reliability of both orders;
beside it that of two halves of the larger ensemble, which is as high as can be
expected. Then how much of what the weaker has learned the stronger has, against chance
within classes. `criteria.toml` says what holds.

Costs the ensembles of the atlas, which other claims share; then seconds.
Expected: it holds, after Hacohen et al. 2020; less surely of MLPs and convolutions.
"""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from experiments.claim import Learned, Study, barred, claim, point_of
from experiments.verdicts import Cell
from jaxorder.analysis import compare_orders, containment, exchange_test, tp_agreement
from jaxorder.analysis.intervals import Interval, undefined


def measure(
    study: Study, asked: dict[str, Any], rules: dict[str, Any]
) -> Iterator[Cell]:
    """Measure each pair."""
    for names in asked["pairs"]:
        if study.known(names) != list(names):
            continue
        pair = [study.learned(name, asked["split"]) for name in names]
        point = point_of(pair, rules["points"])
        found = compared(pair, point, rules)
        yield Cell(
            data=study.data,
            of=" and ".join(names),
            primary=found.get("correlation", undefined()),
            other=found.get("by_epochs"),
            holds_from=asked["holds_from"],
            fails_below=asked["fails_below"],
            reasons=barred(pair, point, rules),
            figures={"point": point, **found},
        )


def compared(
    pair: list[Learned], point: float | None, rules: dict[str, Any]
) -> dict[str, Any]:
    """Compare two ensembles up to a point; nothing where one does not reach it."""
    if point is None:
        return {}
    scores, epochs = ([each.scores(point, by) for each in pair] for by in BY)
    larger = max(scores, key=len)
    weaker, stronger = sorted(pair, key=lambda each: each.accuracy[-1])
    learned = [tp_agreement(each.correct[-1]) for each in (weaker, stronger)]

    def correlation(a: np.ndarray, b: np.ndarray) -> Interval:
        return compare_orders(a, b, blocks=rules["blocks"]).disattenuated_spearman

    return {
        "correlation": correlation(*scores),
        "by_epochs": correlation(*epochs),
        "halves": correlation(larger[::2], larger[1::2]),
        "exchange": exchange_test(*scores),
        "weaker": weaker.run.name,
        "containment": containment(learned[0], learned[1], weaker.label),
        "accessibility": [each.mean(axis=0).round(4) for each in scores],
    }


BY = ("rise", "epochs")

if __name__ == "__main__":
    sys.exit(claim("cross_architecture", __doc__, measure)())
