"""Whether what the weaker of two has learned is part of what the stronger has."""

from collections.abc import Sequence

import numpy as np

from jaxorder.analysis.agreement import PairAgreement, RunAgreement
from jaxorder.analysis.containment import HALF
from jaxorder.report.blocks import Block, Plate, Section
from jaxorder.report.figures.together import containment_curve
from jaxorder.report.sections.together import paired, unpaired
from jaxorder.report.shown import Page, shown_nouns
from jaxorder.report.together import contained_words, only_words, percents

# Pairs of which the curve is drawn.
_CURVES = 3


def contained(page: Page) -> Section | None:
    """Draw how much of what the weaker has learned the stronger has, if several."""
    if len(page.runs) < 2:
        return None
    found = page.results.agreements
    blocks: list[Block] = unpaired(found)
    if pairs := paired(found):
        blocks.append(_plate(page, pairs, found.runs))
    title = "Does the stronger learn what the weaker has?"
    return Section("contained", title, blocks)


def _plate(
    page: Page, pairs: Sequence[PairAgreement], runs: Sequence[RunAgreement]
) -> Plate:
    chosen = _chosen(pairs)
    looks = {run.name: run.look for run in page.shown}
    halves = {run.name: run.halves for run in runs}
    model = shown_nouns(page.shown).model
    left = len(pairs) - len(chosen)
    more = [
        f"{len(chosen)} of {len(pairs)} pairs are drawn: the least contained, the "
        "middle one and the most contained."
    ]
    return Plate(
        f"Of what the weaker {model} has learned, how much has the stronger, too?",
        "At each threshold an example is learned if more than that share of the "
        "members is right on it. The line is the share of the weaker's examples that "
        "the stronger has learned, too, with its 95 % interval over other examples; "
        "dotted, how much one half of the stronger's own members has learned of what "
        "the other half has, about the most to expect of two that are equally strong. "
        "The grey line is chance: what the share would be if, within each class, what "
        "the one has learned said nothing about the other; shares say little where it "
        "is near 1.",
        [
            containment_curve(
                pair.containment,
                halves[pair.stronger],
                (looks[pair.weaker], looks[pair.stronger]),
                (pair.weaker, pair.stronger),
            )
            for pair in chosen
        ],
        [*(_words(pair, halves) for pair in chosen), *(more if left else [])],
        contradicted="A line near the grey one: what the weaker has learned is then no "
        "part of what the stronger has.",
    )


def _chosen(pairs: Sequence[PairAgreement]) -> list[PairAgreement]:
    """Take all pairs if few, else the least contained, the middle one and the most."""
    if len(pairs) <= _CURVES:
        return list(pairs)
    alike = sorted(pairs, key=_beyond_chance)
    return [alike[0], alike[len(alike) // 2], alike[-1]]


def _beyond_chance(pair: PairAgreement) -> float:
    found = pair.containment
    share, chance = found.share[HALF], found.chance[HALF]
    return float(np.nan_to_num((share - chance) / max(1 - chance, 1e-9)))


def _words(pair: PairAgreement, halves: dict) -> str:
    ceiling = halves[pair.stronger]
    reached = "" if ceiling is None else f"; halves: {percents(ceiling, HALF)}"
    return (
        f"{pair.weaker} in {pair.stronger}: {contained_words(pair)}{reached}. Learned "
        f"by {pair.stronger} alone: {only_words(pair)}."
    )
