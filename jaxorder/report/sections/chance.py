"""Kappa and bimodality with their nulls, and since when there is agreement."""

from collections.abc import Sequence

import numpy as np

from jaxorder.report.blocks import Block, Notes, Plate, Section
from jaxorder.report.figures.curves import (
    BETA_SHOWN,
    beta_over_accuracy,
    kappa_over_accuracy,
    kappa_over_time,
)
from jaxorder.report.numbers import (
    COMPARABLE,
    RunNumbers,
    SplitNumbers,
    agreement_spell,
    comparable_bimodality,
)
from jaxorder.report.sections.drawn import Drawn, absent, several, single
from jaxorder.report.sections.findings import spell_words
from jaxorder.report.wording import null_gap

_READING = (
    "κ is 0 for independent members and 1 where all are right on the same examples; "
    "it is beyond chance where its 95 % interval is above the grey band (class null), "
    "from the dashed line on. β is lower the more the examples fall into “all” and "
    "“none”; it depends on accuracy, so compare it with chance within the shaded range "
    "only "
    f"({COMPARABLE[0]} to {COMPARABLE[1]})."
)


def chance(runs: Sequence[RunNumbers], drawn: Sequence[Drawn]) -> Section:
    """Draw kappa and bimodality with their nulls."""
    blocks = absent(runs) + single(drawn, "κ and β are")
    blocks += [_kappa_block(run) for run in several(drawn)]
    return Section("chance", "More than chance, and since when?", blocks)


def _kappa_block(run: Drawn) -> Block:
    if all(np.isnan(kappa.estimate) for kappa in run.test.kappa):
        return Notes([f"{run.heading}: κ is undefined at every snapshot (saturated)."])
    spell = agreement_spell(run.test)
    member = run.numbers.nouns.member
    return Plate(
        f"{run.heading}: do {member}s agree more than chance, and since when?",
        _READING,
        [
            kappa_over_time(run.test, spell, run.name, run.look),
            kappa_over_accuracy(run.test, run.train, run.name, run.look),
            beta_over_accuracy(run.test, run.train, run.name, run.look),
        ],
        _kappa_words(run.test, spell),
    )


def _kappa_words(test: SplitNumbers, spell: tuple[int, int] | None) -> list[str]:
    snapshot, comparable = comparable_bimodality(test)
    accuracy, chance = test.mean_accuracy[snapshot], test.by_class[snapshot]
    since = spell_words(test, spell) if spell else "at no snapshot"
    words = [
        f"κ lies above chance {since}.",
        f"Nearest to mean test accuracy 0.5 (at {accuracy:.2f}) κ = "
        f"{null_gap(test.kappa[snapshot], chance.kappa)}; at the last snapshot "
        f"({test.mean_accuracy[-1]:.3f}) "
        f"{null_gap(test.kappa[-1], test.by_class[-1].kappa)}.",
    ]
    if comparable:
        beta = null_gap(test.bimodality[snapshot], chance.bimodality)
        words.append(f"β at mean test accuracy {accuracy:.2f}: {beta}.")
    if any(each.estimate > BETA_SHOWN for each in test.bimodality):
        words.append(f"Values of β above {BETA_SHOWN:g} are beyond the axis.")
    return words
