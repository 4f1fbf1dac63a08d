"""On which examples models disagree most: early for one, late for another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int

from jaxorder.analysis.disagreement import halves_gaps, rank_gaps, rank_shares
from jaxorder.analysis.numbers import SPLITS, SplitNumbers
from jaxorder.data import Dataset
from jaxorder.report.blocks import Block, Card, Gallery, Notes, Plate, Section, Table
from jaxorder.report.figures.orders import rank_gap_shares
from jaxorder.report.inputs import images, thumbnails
from jaxorder.report.sections.gallery import CARDS, beginnings
from jaxorder.report.shown import Page, Shown, absent, shown_nouns
from jaxorder.report.wording import counted, listed, percent

_FAR = 0.25  # of the order: a gap of so much is called far apart


@dataclass(frozen=True, eq=False)
class Joined:
    """What several runs made of the examples that all of them have.

    Attributes:
        runs: Those that have an order.
        numbers: Of one split of each.
        places: Where the common examples stand in each.
    """

    runs: Sequence[Shown]
    numbers: Sequence[SplitNumbers]
    places: Sequence[Int[np.ndarray, "common"]]

    @property
    def split(self) -> str:
        """Of which split."""
        return self.numbers[0].split

    def accessibilities(self) -> list[Float[np.ndarray, "common"]]:
        """Return each run's accessibilities of the common examples."""
        pairs = zip(self.numbers, self.places, strict=True)
        return [numbers.accessibility[place] for numbers, place in pairs]

    def gaps_by_example(self) -> dict[str, float]:
        """Return how far apart the runs place each example, by its id."""
        ids = self.numbers[0].example_id[self.places[0]]
        gaps = rank_gaps(self.accessibilities())
        return dict(zip(map(str, ids), gaps.tolist(), strict=True))

    def pairs_gaps(self) -> Float[np.ndarray, "gap"]:
        """Return how far apart each two runs place each example."""
        pairs = combinations(self.accessibilities(), 2)
        return np.concatenate([rank_gaps(pair) for pair in pairs])

    def halves_gaps(self) -> list[Float[np.ndarray, "common"]]:
        """Return how far apart two halves of each run place each example."""
        pairs = zip(self.numbers, self.places, strict=True)
        return [
            # members' own orders of very many examples are not held
            np.full(len(place), np.nan)
            if numbers.order is None
            else halves_gaps(numbers.order[:, place])
            for numbers, place in pairs
        ]


def disagreement(page: Page) -> Section | None:
    """Show the examples on which models disagree most, where there are several."""
    if len(page.runs) < 2:
        return None
    blocks: list[Block] = absent(page.runs)
    for split in SPLITS:
        blocks += _of_split(page, split)
    model = shown_nouns(page.shown).model
    return Section("disagreement", f"On which examples do {model}s disagree?", blocks)


def _of_split(page: Page, split: str) -> Iterator[Block]:
    have = [run for run in page.shown if run.split(split)]
    told = [
        f"{run.heading}, {split}: all examples are learned alike, so it places none "
        "before another."
        for run in have
        if not _has_order(run.split(split))
    ]
    if told:
        yield Notes(told)
    joined = joined_runs(page, split)
    if joined is not None:
        yield _gap_plate(joined)
        yield _most_disputed(page, joined)
    elif len(have) > 1:
        names = listed([run.look.letter for run in have])
        why = "have no two examples in common that they order"
        yield Notes([f"{split.capitalize()}: {names} {why}, so gaps are undefined."])


def joined_runs(page: Page, split: str) -> Joined | None:
    """Join the runs of a page on the examples that they have in common.

    Args:
        page: Whose runs.
        split: "train" or "test".

    Returns:
        Those that have an order; None where these are fewer than two, or have fewer
        than two examples in common.
    """
    ordered = [run for run in page.shown if _has_order(run.split(split))]
    joined = join(ordered, split) if len(ordered) > 1 else None
    return joined if joined and len(joined.places[0]) > 1 else None


def _has_order(numbers: SplitNumbers | None) -> bool:
    return numbers is not None and bool(np.ptp(numbers.accessibility) > 1e-12)


def join(runs: Sequence[Shown], split: str) -> Joined:
    """Find the examples that several runs have in common.

    Args:
        runs: Which all have the split.
        split: "train" or "test".
    """
    numbers = [each for run in runs if (each := run.split(split))]
    common = numbers[0].example_id
    for each in numbers[1:]:
        common = common[np.isin(common, each.example_id)]
    places = []
    for each in numbers:
        order = np.argsort(each.example_id)
        places.append(order[np.searchsorted(each.example_id[order], common)])
    return Joined(runs, numbers, places)


# ---- how far apart


def _gap_plate(joined: Joined) -> Plate:
    model = shown_nouns(joined.runs).model
    between, within = joined.pairs_gaps(), joined.halves_gaps()
    halves = [
        (gaps, run.name, run.look)
        for gaps, run in zip(within, joined.runs, strict=True)
        if not np.isnan(gaps).any()
    ]
    return Plate(
        f"{joined.split.capitalize()}: how far apart do {model}s place an example?",
        f"The thick line gives the share of the examples that two {model}s place at "
        "least so far apart in their orders, over all pairs: 0.25 is a quarter of the "
        "order. The thin lines are two halves of the members of one alone: as far as "
        "the thick line goes beyond them, examples are early for one and late for "
        "another for a reason other than which members were drawn.",
        [rank_gap_shares(between, halves, joined.split)],
        [_gap_words(joined, between), *(_half_words(*each[:2]) for each in halves)],
        contradicted=f"A thick line no higher than the thin ones: the {model}s then "
        "disagree on no more than two halves of one of them do.",
        grid="large",
    )


def _gap_words(joined: Joined, between: Float[np.ndarray, "gap"]) -> str:
    many = counted(len(joined.places[0]), f"{joined.split} example")
    return f"Of {many}, pairs place {_far(between)} far apart (by {_FAR} or more)."


def _half_words(gaps: Float[np.ndarray, "common"], name: str) -> str:
    return f"Halves of {name}: {_far(gaps)}."


def _far(gaps: Float[np.ndarray, "gap"]) -> str:
    return percent(float((gaps >= _FAR).mean()))


# ---- which examples


def _most_disputed(page: Page, joined: Joined) -> Block:
    gaps = rank_gaps(joined.accessibilities())
    chosen = np.argsort(-gaps, kind="stable")[:CARDS]
    first = joined.numbers[0], joined.places[0][chosen]
    data = page.inputs(joined.runs[0])
    letters = listed([run.look.letter for run in joined.runs])
    title = (
        f"{joined.split.capitalize()}: the examples that {letters} place farthest apart"
    )
    disputed = [_disputed(joined, int(i), float(gaps[i])) for i in chosen]
    if isinstance(data, str) or data.train.tokens:
        return _table(title, joined, disputed, _begin(data, *first))
    sources = thumbnails(images(data, *first))
    pairs = zip(sources, disputed, strict=True)
    cards = [_card(source, each) for source, each in pairs]
    return Gallery(title, _READING, cards, wide=True)


_READING = (
    "Beside each model's letter stand its accessibility, the share of the examples "
    "that it learns later, and its commonest answer at the last snapshot."
)


@dataclass(frozen=True)
class _Disputed:
    """An example that models place far apart."""

    example: int
    label: str
    gap: str
    lines: Sequence[str]
    right: bool


def _disputed(joined: Joined, common: int, gap: float) -> _Disputed:
    places = [int(each[common]) for each in joined.places]
    found = list(zip(joined.runs, joined.numbers, places, strict=True))
    shares = [rank_shares(each)[common] for each in joined.accessibilities()]
    run, numbers, place = found[0]
    return _Disputed(
        int(numbers.example_id[place]),
        _name(run, int(numbers.label[place])),
        f"{gap:.2f}",
        [
            f"{run.look.letter} {numbers.accessibility[place]:.2f}, rank {share:.2f}: "
            f"{_name(run, int(numbers.common[place]))}"
            for (run, numbers, place), share in zip(found, shares, strict=True)
        ],
        all(
            numbers.common[place] == numbers.label[place] for _, numbers, place in found
        ),
    )


def _name(run: Shown, label: int) -> str:
    return str(run.numbers.run.document.data.class_names[label])


def _card(source: str, each: _Disputed) -> Card:
    lines = [*each.lines, f"gap {each.gap}"]
    return Card(source, each.example, each.label, "", each.right, lines)


def _begin(
    data: Dataset | str, numbers: SplitNumbers, chosen: Int[np.ndarray, "chosen"]
) -> list[str]:
    return [] if isinstance(data, str) else beginnings(data, numbers, chosen)


def _table(
    title: str, joined: Joined, disputed: Sequence[_Disputed], begins: Sequence[str]
) -> Table:
    heads = [run.heading for run in joined.runs]
    rows = [
        [
            str(each.example),
            each.label,
            each.gap,
            *(line.partition(" ")[2] for line in each.lines),
            *begins[place : place + 1],
        ]
        for place, each in enumerate(disputed)
    ]
    text = ["How the text begins"] if begins else []
    head = ["Example id", "Label", "Gap of ranks", *heads, *text]
    return Table(title, head, rows, _READING)
