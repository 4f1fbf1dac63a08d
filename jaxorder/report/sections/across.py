"""How alike different architectures order the same examples."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from jaxorder.analysis.numbers import SPLITS
from jaxorder.analysis.results import PairRow
from jaxorder.errors import on_command_line
from jaxorder.report.blocks import Block, Notes, Plate, Section, Table
from jaxorder.report.figures.canvas import Picture
from jaxorder.report.figures.orders import Ordered, correlation_matrix, rank_scatter
from jaxorder.report.findings import matched_words
from jaxorder.report.shown import Page, Shown, shown_nouns
from jaxorder.report.wording import few_members, no_interval

# Pairs of which every scatter is drawn; of more, the matrix tells.
_SCATTERS = 3
_HEAD = (
    "Pair",
    "Split",
    "Examples",
    "Spearman",
    "Disattenuated",
    "At matched accuracy",
    "Matched test accuracies",
)


def across(page: Page) -> Section | None:
    """Draw how alike different architectures order the same examples, if several."""
    if len(page.runs) < 2:
        return None
    shown, pairs = page.shown, page.pairs
    compared = [pair for pair in pairs if pair.comparison is not None]
    told = [
        f"{pair.names}: {on_command_line(pair.error)}." for pair in pairs if pair.error
    ]
    blocks: list[Block] = [Notes(told)] if told else []
    if len(shown) < 2:
        blocks.append(Notes(["Fewer than two models have anything recorded."]))
    if compared:
        blocks += [
            _matrix_plate(shown, compared),
            _pair_table(compared),
            *_scatter_plates(shown, compared),
        ]
    title = f"Do {shown_nouns(shown).model}s share the order?"
    return Section("across", title, blocks)


def _matrix_plate(shown: Sequence[Shown], pairs: Sequence[PairRow]) -> Plate:
    names = [(run.name, run.look) for run in shown]
    model = shown_nouns(shown).model
    splits = [split for split in SPLITS if any(p.split == split for p in pairs)]
    return Plate(
        f"Do different {model}s learn the same examples first?",
        "Each cell is the rank correlation (Spearman) between the accessibilities of "
        f"two {model}s: 1, the same order; 0, nothing in common. In italics, on the "
        "diagonal, how well each reproduces its own order (its reliability), which "
        "limits what two can share.",
        [correlation_matrix(_matrix(shown, pairs, s), names, s) for s in splits],
        [_matrix_words([p for p in pairs if p.split == s], s) for s in splits],
        contradicted=f"Cells near 0, or far below the diagonal: each {model} then has "
        "an order of its own.",
        grid="large",
    )


def _matrix(
    shown: Sequence[Shown], pairs: Sequence[PairRow], split: str
) -> Float[np.ndarray, "run run"]:
    place = {run.name: i for i, run in enumerate(shown)}
    own = (run.split(split) for run in shown)
    values = np.diag([each.reliability.estimate if each else np.nan for each in own])
    values[~np.eye(len(shown), dtype=bool)] = np.nan
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
    least, most = (
        f"{pair.spearman.text(few=False)} ({pair.names})"
        for pair in (defined[0], defined[-1])
    )
    words = least if len(defined) == 1 else f"from {least} to {most}"
    few = no_interval(*(pair.spearman for pair in defined))
    return f"{split.capitalize()}: {words}{few}."


def _pair_table(pairs: Sequence[PairRow]) -> Table:
    return Table(
        "Every pair, with intervals",
        _HEAD,
        [_pair_cells(pair) for pair in pairs],
        "Disattenuated: corrected for the finite number of members; not clipped, so it "
        "may exceed 1. Matched accuracy: accessibilities up to the snapshots at which "
        "both have the same mean test accuracy; undecided where the nearest differ by "
        f"more than 2 points.{_few_words(pairs)}{_shared_words(pairs)}",
    )


def _few_words(pairs: Sequence[PairRow]) -> str:
    compared = [pair.comparison for pair in pairs if pair.comparison]
    return few_members(n for c in compared for n in (c.members_a, c.members_b))


def _shared_words(pairs: Sequence[PairRow]) -> str:
    shared = [p for p in pairs if p.comparison and p.comparison.shared_streams]
    if not shared:
        return ""
    names = sorted({pair.names for pair in shared})
    return (
        " Shared seeds, and so shared mini-batches, which raise agreement: "
        f"{', '.join(names)}."
    )


def _pair_cells(pair: PairRow) -> list[str]:
    assert pair.comparison is not None
    matched = pair.comparison.matched
    return [
        pair.names,
        pair.split,
        f"{pair.comparison.examples:,}",
        pair.spearman.text(few=False),
        pair.disattenuated.text(few=False),
        matched.text(few=False),
        f"{matched.accuracy_a:.3f}, {matched.accuracy_b:.3f}",
    ]


def _extremes(rows: list[list[PairRow]]) -> list[list[PairRow]]:
    """Return all pairs if few, else the least alike, the middle and the most alike."""
    if len(rows) <= _SCATTERS:
        return rows
    alike = sorted(rows, key=lambda row: np.nan_to_num(row[0].spearman.estimate))
    return [alike[0], alike[len(alike) // 2], alike[-1]]


def _scatter_plates(shown: Sequence[Shown], pairs: Sequence[PairRow]) -> list[Plate]:
    """Draw the pairs of which both have an order, if any has."""
    ordered = [pair for pair in pairs if not np.isnan(pair.spearman.estimate)]
    return [_scatter_plate(shown, ordered)] if ordered else []


def _scatter_plate(shown: Sequence[Shown], pairs: Sequence[PairRow]) -> Plate:
    by_names = {name: [p for p in pairs if p.names == name] for name in _all(pairs)}
    chosen = _extremes(list(by_names.values()))
    left = len(by_names) - len(chosen)
    more = (
        [
            f"{len(chosen)} of {len(by_names)} pairs are drawn: the least alike, the "
            "middle one and the most alike."
        ]
        if left
        else []
    )
    model = shown_nouns(shown).model
    return Plate(
        f"Is what one {model} learns early learned early by the other?",
        "One point an example, placed by the share of the examples that each learns "
        "later: accessibilities of a strong and of a weak one cannot be laid over each "
        "other, ranks can. Of very many examples, darker cells hold more. On the "
        f"dashed diagonal both place it alike; above it, the {model} on the vertical "
        "axis learns it earlier. Examples that are learned alike share a rank.",
        [_scatter_picture(shown, pair) for rows in chosen for pair in rows],
        [*(f"{p.names}: {_scatter_words(p)}" for p, *_ in chosen), *more],
        contradicted="A cloud that fills the square evenly, or one that rises from "
        "corner to corner the other way.",
        grid="large" if len(chosen) in (1, 2) else "middle",
    )


def _all(pairs: Sequence[PairRow]) -> list[str]:
    return list(dict.fromkeys(pair.names for pair in pairs))


def _scatter_words(pair: PairRow) -> str:
    return f"Spearman {pair.spearman} on {pair.split}. {matched_words(pair)}"


def _scatter_picture(shown: Sequence[Shown], pair: PairRow) -> Picture:
    runs = {run.name: run for run in shown}
    a, b = runs[pair.model_a], runs[pair.model_b]
    of_a, of_b = a.split(pair.split), b.split(pair.split)
    assert of_a, "only splits that both have are compared"
    assert of_b
    ids, at_a, at_b = np.intersect1d(
        of_a.example_id, of_b.example_id, return_indices=True
    )
    return rank_scatter(
        Ordered(of_a.accessibility[at_a], a.name, a.look),
        Ordered(of_b.accessibility[at_b], b.name, b.look),
        ids,
        pair.spearman,
        pair.split,
    )
