"""Whether members are wrong on the same examples, and in the same way."""

from collections.abc import Sequence

import numpy as np

from jaxorder.analysis.agreement import Agreements, PairAgreement, RunAgreement
from jaxorder.errors import on_command_line
from jaxorder.report.blocks import Block, Notes, Plate, Section, Table
from jaxorder.report.figures.together import consistency
from jaxorder.report.shown import Page, absent, several, shown_nouns
from jaxorder.report.together import errors_words
from jaxorder.report.wording import few_members

_HEAD = (
    "Run, or pair",
    "Examples",
    "Members",
    "Accuracy",
    "Mean pairwise kappa",
    "Tetrachoric",
    "Same wrong answer",
)


def together(page: Page) -> Section:
    """Draw how far each two members are wrong on the same examples."""
    blocks, found = absent(page.runs), page.results.agreements
    if several(page.shown):
        blocks += [_plate(page, found), _table(found)]
    return Section("together", "Are they wrong on the same examples?", blocks)


def paired(found: Agreements) -> list[PairAgreement]:
    """Keep the pairs that could be compared."""
    return [pair for pair in found.pairs if isinstance(pair, PairAgreement)]


def unpaired(found: Agreements) -> list[Block]:
    """Say of the other pairs why they could not."""
    told = [
        f"{pair.name_a} and {pair.name_b}: {on_command_line(pair.error)}."
        for pair in found.pairs
        if not isinstance(pair, PairAgreement)
    ]
    return [Notes(told)] if told else []


def _plate(page: Page, found: Agreements) -> Plate:
    looks = {run.name: run.look for run in page.shown}
    rows = [
        (run.name, run.kappa, run.tetrachoric, looks[run.name]) for run in found.runs
    ]
    rows += [
        (
            f"{looks[pair.name_a].letter} and {looks[pair.name_b].letter}",
            pair.kappa,
            pair.tetrachoric,
            None,
        )
        for pair in paired(found)
    ]
    member = shown_nouns(page.shown).member
    return Plate(
        f"Are two {member}s wrong on the same test examples, more than chance?",
        "Each row is the mean over all pairs of members of one run, or of two runs, "
        "with its 95 % interval. 0 is what the accuracies alone give; 1, wrong on the "
        "same examples. Kappa (filled) falls towards accuracies of 0 and 1 for one and "
        "the same likeness; the tetrachoric correlation (hollow) does not, so compare "
        "it where accuracies differ.",
        [consistency(rows)],
        _captions(found),
        contradicted="Intervals that hold 0: errors are not shared. Two runs far below "
        "what each has within: other examples are hard for the one than for the other.",
        grid="large",
    )


def _captions(found: Agreements) -> list[str]:
    own = [f"{run.name} {run.kappa.text(few=False)}" for run in found.runs]
    told = [f"Mean pairwise kappa within runs: {', '.join(own)}."]
    pairs = sorted(paired(found), key=lambda pair: np.nan_to_num(pair.kappa.estimate))
    if pairs:
        ends = [
            f"{pair.kappa.text(few=False)} ({pair.name_a} and {pair.name_b})"
            for pair in (pairs[0], pairs[-1])
        ]
        between = ends[0] if len(pairs) == 1 else f"from {ends[0]} to {ends[1]}"
        told.append(f"Between runs: {between}.")
    return told


def _table(found: Agreements) -> Table:
    rows = [_run_cells(run) for run in found.runs]
    rows += [_pair_cells(pair) for pair in paired(found)]
    return Table(
        "Error consistency of every run and pair, last snapshots, test examples",
        _HEAD,
        rows,
        "Mean pairwise kappa: Cohen's, known as error consistency. Undefined where a "
        "member is always right, or, of the tetrachoric correlation, where errors are "
        "too few. Same wrong answer: of the wrong answers to examples on which the "
        "commonest answer of half of the members is wrong, too, those that give it, "
        "and what members would show that draw each from their own errors in its class."
        f"{_few_words(found.runs)}",
    )


def _few_words(runs: Sequence[RunAgreement]) -> str:
    return few_members(run.members for run in runs)


def _run_cells(run: RunAgreement) -> list[str]:
    return [
        run.name,
        f"{run.examples:,}",
        f"{run.members}",
        f"{run.accuracy:.3f}",
        run.kappa.text(few=False),
        run.tetrachoric.text(few=False),
        errors_words(run.errors),
    ]


def _pair_cells(pair: PairAgreement) -> list[str]:
    return [
        f"{pair.name_a} and {pair.name_b}",
        f"{pair.examples:,}",
        f"{pair.members_a}, {pair.members_b}",
        f"{pair.accuracy_a:.3f}, {pair.accuracy_b:.3f}",
        pair.kappa.text(few=False),
        pair.tetrachoric.text(few=False),
        "-",
    ]
