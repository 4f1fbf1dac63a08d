"""A table of all examples, of all models and splits, that its reader works on.

What the page carries for it is bounded, so that a page of many thousand examples is
still one that opens: thumbnails and beginnings of texts are of as many examples as fit,
and where the numbers do not, they are of as many, too. The page says of how many.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from jaxorder.analysis.numbers import SplitNumbers
from jaxorder.data import Dataset
from jaxorder.report.blocks import Examples, Section
from jaxorder.report.inputs import images, places, source, thumbnails
from jaxorder.report.packing import Packed
from jaxorder.report.sections.gallery import beginnings
from jaxorder.report.sheets import Sheet, sheet
from jaxorder.report.shown import Page, Shown, absent, shown_nouns
from jaxorder.report.wording import counted

# Characters of the page, of which 5 MB are all that it may have with its figures.
NUMBERS = 1_800_000
PICTURES = 1_400_000
_TEXTS = 1_500_000  # before they are deflated, to about half
_WORDS = 14
_FIRST = 20  # rows without a script

_HEAD = {
    "id": "Example id",
    "picture": "Picture",
    "text": "How the text begins",
    "label": "Label",
    "answer": "Commonest answer",
    "accessibility": "Accessibility",
    "agreement": "Same answer",
    "right": "Right",
    "forgetting": "Forgotten",
    "learned": "Learned",
    "model": "Model",
    "split": "Split",
}


def table(page: Page) -> Section:
    """Tabulate every example of every run and split."""
    blocks = absent(page.runs)
    if page.shown:
        blocks.append(_Table(page).block())
    return Section("all-examples", "All examples", blocks)


@dataclass(frozen=True, eq=False)
class _Part:
    """The examples of one split of one run that the table lists."""

    run: Shown
    numbers: SplitNumbers
    kept: Int[np.ndarray, "kept"]


def wanted(numbers: Sequence[SplitNumbers]) -> Int[np.ndarray, "example"]:
    """Order examples by how likely one wants to look at them.

    Args:
        numbers: Of the same examples, of several runs.

    Returns:
        Positions: of each run the least accessible first, and for every three of these
        one of the most accessible.
    """
    ranks = [np.argsort(np.argsort(each.accessibility)) for each in numbers]
    last = len(ranks[0]) - 1
    return np.argsort(np.min([[r, 3 * (last - r)] for r in ranks], axis=(0, 1)))


class _Table:
    """What the table is written from, and how much of it fits."""

    def __init__(self, page: Page) -> None:
        self._page = page
        splits = [(run, each) for run in page.shown for each in run.splits]
        self._parts = [_Part(run, n, np.arange(len(n.label))) for run, n in splits]
        self._names = {
            tuple(map(str, run.numbers.run.document.data.class_names)): None
            for run in page.shown
        }

    def block(self) -> Examples:
        """Write the table."""
        packed, parts = self._fitted()
        sheets, pictures = self._pictures(packed, parts)
        texts = self._texts(packed, parts)
        head = {
            key: words
            for key, words in _HEAD.items()
            if (key != "picture" or sheets) and (key != "text" or texts)
        }
        data = {
            "head": list(head),
            "classes": [list(names) for names in self._names],
            "parts": parts,
            "sheets": [_described(each) for each in sheets],
            "content": packed.text(),
        }
        return Examples(
            self._caption(),
            head,
            list(self._rows(head)),
            self._choices(),
            " ".join([_NOTE, *self._cut(), *pictures, *texts]),
            data,
            [each.source for each in sheets],
        )

    def _fitted(self) -> tuple[Packed, list[dict[str, Any]]]:
        """Pack the numbers of all examples, or of as many as fit."""
        while True:
            packed = Packed()
            parts = [self._packed(packed, part) for part in self._parts]
            size = len(packed.text())
            if size <= NUMBERS or all(len(part.kept) == 1 for part in self._parts):
                return packed, parts
            share = 0.97 * NUMBERS / size
            self._parts = [
                _thinned(part, share, self._alike(part)) for part in self._parts
            ]

    def _alike(self, part: _Part) -> list[SplitNumbers]:
        """Return the numbers of all runs on the examples of a part."""
        return [
            each.numbers
            for each in self._parts
            if np.array_equal(each.numbers.example_id, part.numbers.example_id)
            and each.numbers.split == part.numbers.split
            and source(each.run.numbers.run) == source(part.run.numbers.run)
        ]

    def _packed(self, packed: Packed, part: _Part) -> dict[str, Any]:
        run, numbers, kept = part.run, part.numbers, part.kept
        members, courses = numbers.members, numbers.courses
        names = tuple(map(str, run.numbers.run.document.data.class_names))
        return {
            "letter": run.look.letter,
            "split": numbers.split,
            "classes": list(self._names).index(names),
            "examples": len(kept),
            "columns": {
                "id": packed.whole(numbers.example_id[kept]),
                "label": packed.whole(numbers.label[kept]),
                "answer": packed.whole(numbers.common[kept]),
                "accessibility": packed.rounded(numbers.accessibility[kept], 1000),
                "agreement": packed.rounded(numbers.final_agreement[kept], members),
                "right": packed.rounded(courses.final[kept], members),
                "forgetting": packed.rounded(courses.forgetting[kept], members),
                "learned": packed.among(numbers.learned_epoch[kept]),
            },
        }

    # ---- what examples look like

    def _groups(self) -> list[list[int]]:
        """Gather the parts that are of the same examples."""
        found: dict[tuple, list[int]] = {}
        for i, part in enumerate(self._parts):
            ids = part.numbers.example_id.tobytes(), part.kept.tobytes()
            key = (source(part.run.numbers.run), part.numbers.split, *ids)
            found.setdefault(key, []).append(i)
        return list(found.values())

    def _of_kind(self, texts: bool) -> list[tuple[list[int], Dataset]]:
        """Return the groups whose data can be shown as texts, or as pictures."""
        loaded = [(g, self._page.inputs(self._parts[g[0]].run)) for g in self._groups()]
        return [
            (group, data)
            for group, data in loaded
            if not isinstance(data, str) and data.train.tokens == texts
        ]

    def _pictures(
        self, packed: Packed, parts: list[dict[str, Any]]
    ) -> tuple[list[Sheet], list[str]]:
        """Make the sheets, and say how many examples are on them."""
        groups, sheets = self._of_kind(texts=False), []
        kept = sum(len(self._parts[group[0]].kept) for group, _ in groups)
        for group, data in groups:
            first = self._parts[group[0]]
            order = self._order(group)
            budget = PICTURES * len(order) // kept
            made = sheet(data, first.numbers, first.kept[order], budget)
            place = np.zeros(len(order), int)
            place[order[: made.count]] = np.arange(1, made.count + 1)
            column = packed.whole(place)
            for i in group:
                parts[i]["sheet"] = len(sheets)
                parts[i]["columns"]["picture"] = column
            sheets.append(made)
        shown = sum(each.count for each in sheets)
        if shown == kept:
            return sheets, []
        return sheets, [_PICTURED.format(f"{shown:,}", f"{kept:,}")]

    def _order(self, group: list[int]) -> Int[np.ndarray, "kept"]:
        """Order the kept examples of a group by how likely one wants to see them."""
        kept = self._parts[group[0]].kept
        order = wanted([self._parts[i].numbers for i in group])
        place = np.full(len(order), -1)
        place[kept] = np.arange(len(kept))
        return place[order][place[order] >= 0]

    def _texts(self, packed: Packed, parts: list[dict[str, Any]]) -> list[str]:
        """Pack how texts begin, and say of how many examples."""
        groups = self._of_kind(texts=True)
        shown = kept = 0
        for group, data in groups:
            first, order = self._parts[group[0]], self._order(group)
            lines = [""] * len(order)
            stand = places(data, first.numbers, first.kept)
            left = _TEXTS // len(groups)
            for i in order:
                text = data.text(first.numbers.split, int(stand[i]), _WORDS)
                left -= len(text)
                if left < 0:
                    break
                lines[i], shown = text, shown + 1
            kept += len(order)
            for i in group:
                parts[i]["columns"]["text"] = packed.texts(lines)
        if not groups:
            return []
        return [_WRITTEN.format(f"{shown:,}", f"{kept:,}") if shown < kept else _BEGIN]

    # ---- words

    def _caption(self) -> str:
        listed = sum(len(part.kept) for part in self._parts)
        model = shown_nouns(self._page.shown).model
        return (
            f"{counted(listed, 'row')}: each example, of each {model} and split. A "
            "click on a heading sorts by it, and one more the other way."
        )

    def _cut(self) -> list[str]:
        whole = sum(len(part.numbers.label) for part in self._parts)
        listed = sum(len(part.kept) for part in self._parts)
        return [] if listed == whole else [_CUT.format(f"{listed:,}", f"{whole:,}")]

    def _choices(self) -> Mapping[str, tuple[str, Mapping[str, str]]]:
        shown = self._page.shown
        splits = dict.fromkeys(part.numbers.split for part in self._parts)
        labels = dict.fromkeys(name for names in self._names for name in names)
        return {
            "model": (
                "Model",
                {run.look.letter: run.heading for run in shown} | {"": "all"},
            ),
            "split": ("Split", {each: each for each in splits} | {"": "all"}),
            "label": ("Label", {"": "all"} | {each: each for each in labels}),
            "answers": (
                "Commonest answer",
                {"": "any", "wrong": "not the label", "right": "the label"},
            ),
        }

    def _rows(self, head: Mapping[str, str]) -> Iterator[list[str]]:
        """Write the first rows: of the first model, the least accessible examples."""
        part = self._parts[0]
        scores = part.numbers.accessibility[part.kept]
        chosen = part.kept[np.argsort(scores, kind="stable")[:_FIRST]]
        looks = self._looks(part, chosen)
        for place, position in enumerate(map(int, chosen)):
            cells = _cells(part, position)
            cells |= {key: each[place] for key, each in looks.items()}
            yield [cells.get(key, "") for key in head]

    def _looks(
        self, part: _Part, chosen: Int[np.ndarray, "chosen"]
    ) -> dict[str, list[str]]:
        """Return what some examples look like, where that can be shown."""
        data = self._page.inputs(part.run)
        if isinstance(data, str):
            return {}
        if data.train.tokens:
            return {"text": beginnings(data, part.numbers, chosen)}
        return {"picture": thumbnails(images(data, part.numbers, chosen))}


def _thinned(part: _Part, share: float, alike: list[SplitNumbers]) -> _Part:
    """Keep the examples of a part that are most wanted."""
    many = max(1, int(share * len(part.kept)))
    order = wanted(alike)
    return _Part(
        part.run, part.numbers, np.sort(order[np.isin(order, part.kept)][:many])
    )


def _described(made: Sheet) -> dict[str, int]:
    return {"width": made.width, "height": made.height, "columns": made.columns}


def _cells(part: _Part, position: int) -> dict[str, str]:
    numbers = part.numbers
    names = part.run.numbers.run.document.data.class_names
    learned = float(numbers.learned_epoch[position])
    return {
        "id": str(int(numbers.example_id[position])),
        "label": str(names[int(numbers.label[position])]),
        "answer": str(names[int(numbers.common[position])]),
        "accessibility": f"{numbers.accessibility[position]:.3f}",
        "agreement": f"{numbers.final_agreement[position]:.2f}",
        "right": f"{numbers.courses.final[position]:.2f}",
        "forgetting": f"{numbers.courses.forgetting[position]:.2f}",
        "learned": "never" if np.isnan(learned) else f"{learned:.4g}",
        "model": part.run.look.letter,
        "split": numbers.split,
    }


_NOTE = (
    "Commonest answer, same answer (the share of the members that give it) and right "
    "(the share that is) are of the last snapshot. Forgotten: how often a member went "
    "from right to wrong between snapshots, the mean over members. Learned: the time "
    "from which the median member stays right. Numbers are rounded; `jaxorder scores` "
    "writes them in full."
)
_PICTURED = (
    "{} of {} examples have a picture here, as many as fit: the least accessible and "
    "the most accessible first."
)
_WRITTEN = (
    "Of {} of {} texts the beginning stands here, as many as fit: of the least and the "
    "most accessible first."
)
_BEGIN = "Texts stand here as networks see them, and as far as they fit."
_CUT = (
    "Of {} of {} rows there is room in this page: those of the least accessible and of "
    "the most accessible examples."
)
