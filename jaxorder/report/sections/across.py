"""How alike different architectures order the same examples."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from jaxorder.report.blocks import Block, Notes, Plate, Section, Table
from jaxorder.report.figures.orders import (
    correlation_matrix,
    scatter,
)
from jaxorder.report.findings import (
    matched_words,
)
from jaxorder.report.numbers import (
    SPLITS,
)
from jaxorder.report.sections.drawn import Drawn
from jaxorder.report.summary import PairRow
from jaxorder.report.wording import (
    with_interval,
)

# Pairs of which every scatter is drawn; of more, the matrix tells.
_SCATTERS = 3


def across(drawn: Sequence[Drawn], pairs: Sequence[PairRow]) -> Section:
    """Draw how alike different architectures order the same examples."""
    compared = [pair for pair in pairs if pair.comparison is not None]
    blocks: list[Block] = [
        Notes([f"{pair.model_a} and {pair.model_b}, {pair.split}: {pair.problem}"])
        for pair in pairs
        if pair.problem and pair.split == "test"
    ]
    if compared:
        blocks += [
            _matrix_plate(drawn, compared),
            _pair_table(compared),
            _scatter_plate(drawn, compared),
        ]
    return Section("across", "Do architectures share the order?", blocks)


def _matrix_plate(drawn: Sequence[Drawn], pairs: Sequence[PairRow]) -> Plate:
    names = [(run.name, run.look) for run in drawn]
    return Plate(
        "Do different architectures learn the same examples first?",
        "Each cell is the rank correlation (Spearman) between the accessibilities of two "
        "architectures: 1, the same order; 0, nothing in common. On the diagonal, in "
        "italics, how well an architecture reproduces its own order (reliability): more "
        "than that is not to be expected.",
        [correlation_matrix(_matrix(drawn, pairs, s), names, s) for s in SPLITS],
        [_matrix_words([p for p in pairs if p.split == s], s) for s in SPLITS],
    )


def _matrix(
    drawn: Sequence[Drawn], pairs: Sequence[PairRow], split: str
) -> Float[np.ndarray, "run run"]:
    place = {run.name: i for i, run in enumerate(drawn)}
    values = np.full((len(drawn), len(drawn)), np.nan)
    for run in drawn:
        numbers = run.test if split == "test" else run.train
        values[place[run.name], place[run.name]] = numbers.reliability.estimate
    for pair in pairs:
        if pair.split == split:
            a, b = place[pair.model_a], place[pair.model_b]
            values[a, b] = values[b, a] = pair.spearman.estimate
    return values


def _matrix_words(pairs: Sequence[PairRow], split: str) -> str:
    defined = [pair for pair in pairs if not np.isnan(pair.spearman.estimate)]
    if not defined:
        return f"{split.capitalize()}: no correlation is defined."
    defined.sort(key=lambda pair: pair.spearman.estimate)
    words = [
        f"{with_interval(pair.spearman)} ({pair.model_a} and {pair.model_b})"
        for pair in (defined[0], defined[-1])
    ]
    if len(defined) == 1:
        return f"{split.capitalize()}: {words[0]}."
    return f"{split.capitalize()}: from {words[0]} to {words[1]}."


def _pair_table(pairs: Sequence[PairRow]) -> Table:
    return Table(
        "Every pair, with intervals",
        [
            "Pair",
            "Split",
            "Examples",
            "Spearman",
            "Disattenuated",
            "At matched accuracy",
            "Matched test accuracies",
        ],
        [_pair_cells(pair) for pair in pairs],
        "Disattenuated: corrected for the finite number of members; not clipped, so it "
        "may exceed 1. Matched accuracy: accessibilities up to the snapshots at which "
        "both have the same mean test accuracy; undecided where the nearest differ by "
        "more than 2 points." + _shared_words(pairs),
    )


def _shared_words(pairs: Sequence[PairRow]) -> str:
    shared = [p for p in pairs if p.comparison and p.comparison.shared_streams]
    if not shared:
        return ""
    names = sorted({f"{pair.model_a} and {pair.model_b}" for pair in shared})
    return (
        " Shared seeds, and so shared mini-batches, which raise agreement: "
        f"{', '.join(names)}."
    )


def _pair_cells(pair: PairRow) -> list[str]:
    assert pair.comparison is not None
    matched = pair.comparison.matched
    return [
        f"{pair.model_a} and {pair.model_b}",
        pair.split,
        f"{pair.comparison.examples:,}",
        with_interval(pair.spearman),
        with_interval(pair.disattenuated),
        with_interval(pair.matched) if matched.decided else "undecided",
        f"{matched.accuracy_a:.3f}, {matched.accuracy_b:.3f}",
    ]


def _scatter_plate(drawn: Sequence[Drawn], pairs: Sequence[PairRow]) -> Plate:
    tested = [pair for pair in pairs if pair.split == "test"]
    shown = [(p.model_a, p.model_b) for p in tested[:_SCATTERS]]
    some = [pair for pair in pairs if (pair.model_a, pair.model_b) in shown]
    some.sort(key=lambda pair: shown.index((pair.model_a, pair.model_b)))
    left = len(tested) - len(shown)
    more = [f"The first {len(shown)} of {len(tested)} pairs are drawn."] if left else []
    return Plate(
        "Example by example: is what one architecture learns early learned early by "
        "the other?",
        "One point an example (where there are many, darker cells hold more of them). On "
        "the dashed diagonal both learn it equally early; above it the vertical "
        "architecture is earlier.",
        [_scatter_picture(drawn, pair) for pair in some],
        [
            *more,
            *(
                f"{p.model_a} and {p.model_b}: {matched_words(p)}"
                for p in tested
                if (p.model_a, p.model_b) in shown
            ),
        ],
    )


def _scatter_picture(drawn: Sequence[Drawn], pair: PairRow):
    by_name = {run.name: run for run in drawn}
    a, b = by_name[pair.model_a], by_name[pair.model_b]
    of_a, of_b = (getattr(run, pair.split) for run in (a, b))
    _, at_a, at_b = np.intersect1d(
        of_a.example_id, of_b.example_id, return_indices=True
    )
    return scatter(
        (of_a.accessibility[at_a], a.name, a.look),
        (of_b.accessibility[at_b], b.name, b.look),
        pair.spearman,
        pair.split,
    )
