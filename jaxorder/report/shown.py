"""What sections are written from: runs with something to show, words for the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from jaxorder.analysis.numbers import SPLITS, RunNumbers, SplitNumbers
from jaxorder.analysis.results import PairRow, Results
from jaxorder.data import Dataset
from jaxorder.errors import RequestError, given
from jaxorder.report import inputs
from jaxorder.report.blocks import Block, Finding, Notes
from jaxorder.report.figures.canvas import Look, look
from jaxorder.report.findings import findings, missing
from jaxorder.report.wording import Nouns, nouns


@dataclass(frozen=True, eq=False)
class Shown:
    """A run whose test examples were measured, and how it looks in figures.

    Attributes:
        numbers: What was measured.
        test: Of the test split.
        train: Of the train split; None where imported predictions have none.
        look: Its colour, marker and letter.
    """

    numbers: RunNumbers
    test: SplitNumbers
    train: SplitNumbers | None
    look: Look

    @property
    def name(self) -> str:
        """What the report calls the run."""
        return self.numbers.name

    @property
    def heading(self) -> str:
        """Its letter and its name."""
        return f"{self.look.letter} {self.name}"

    @property
    def splits(self) -> list[SplitNumbers]:
        """What was measured of each split, the test examples first."""
        return [self.test, *([self.train] if self.train else [])]

    def split(self, name: str) -> SplitNumbers | None:
        """Return the numbers of `test` or `train`."""
        return self.test if name == "test" else self.train


@dataclass(frozen=True, eq=False)
class Page:
    """What every section of a page is written from.

    Attributes:
        results: What was measured.
    """

    results: Results

    def __post_init__(self) -> None:
        """Refuse results without nulls, beside which everything on a page stands."""
        splits = [run.split(name) for run in self.results.runs for name in SPLITS]
        if not all(each.by_class for each in splits if each):
            raise RequestError(
                f"a page: wanted measured nulls, got none ({given('simulations', 0)}); "
                f"leave {given('simulations')} out"
            )

    @property
    def runs(self) -> Sequence[RunNumbers]:
        """All runs."""
        return self.results.runs

    @cached_property
    def looks(self) -> list[Look]:
        """How each run looks in figures."""
        return [look(position) for position in range(len(self.runs))]

    @cached_property
    def shown(self) -> list[Shown]:
        """The runs of which there is something to show."""
        return [
            Shown(run, run.test, run.train, look)
            for run, look in zip(self.runs, self.looks, strict=True)
            if run.test is not None
        ]

    @cached_property
    def pairs(self) -> list[PairRow]:
        """The comparisons of these."""
        names = {run.name for run in self.shown}
        return [p for p in self.results.pairs if {p.model_a, p.model_b} <= names]

    @cached_property
    def _loaded(self) -> dict[tuple, Dataset | str]:
        return {}

    def inputs(self, run: Shown) -> Dataset | str:
        """Return the data of a run, loaded once, or why no example can be shown."""
        key = inputs.source(run.numbers.run)
        if key not in self._loaded:
            self._loaded[key] = inputs.load(run.numbers.run)
        return self._loaded[key]

    @cached_property
    def findings(self) -> list[Finding]:
        """The questions and what the numbers say to them."""
        return findings(self.runs, self.pairs)


def shown_nouns(runs: Sequence[Shown]) -> Nouns:
    """Choose what the members of all runs are called together."""
    return nouns(run.test.kind for run in runs)


def absent(runs: Sequence[RunNumbers]) -> list[Block]:
    """Say of each run without numbers why it has none."""
    told = [f"{run.name}: {missing(run)}." for run in runs if run.test is None]
    return [Notes(told)] if told else []


def single(runs: Sequence[Shown], what: str) -> list[Block]:
    """Say of each run of one member what is undefined."""
    told = [
        f"{run.heading}: one member only, so {what} undefined."
        for run in runs
        if run.test.members == 1
    ]
    return [Notes(told)] if told else []


def several(runs: Sequence[Shown]) -> list[Shown]:
    """Keep the runs of two members or more."""
    return [run for run in runs if run.test.members > 1]
