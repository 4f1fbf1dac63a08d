"""Runs of which there is something to draw, and words for those without."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxorder.report.blocks import Block, Notes
from jaxorder.report.figures.canvas import Look
from jaxorder.report.numbers import RunNumbers, SplitNumbers
from jaxorder.report.sections.findings import missing
from jaxorder.report.wording import Nouns, nouns


@dataclass(frozen=True, eq=False)
class Drawn:
    """A run whose two splits were measured, and how it is drawn.

    Attributes:
        numbers: What was measured.
        test: Of the test split.
        train: Of the train split.
        look: Its colour, marker and letter.
    """

    numbers: RunNumbers
    test: SplitNumbers
    train: SplitNumbers
    look: Look

    @property
    def name(self) -> str:
        """What the report calls the run."""
        return self.numbers.name

    @property
    def heading(self) -> str:
        """Its letter and its name."""
        return f"{self.look.letter} {self.name}"

    def split(self, name: str) -> SplitNumbers:
        """Return the numbers of `test` or `train`."""
        return self.test if name == "test" else self.train


def drawn_nouns(runs: Sequence[Drawn]) -> Nouns:
    """Choose what the members of all runs are called together."""
    return nouns(run.test.kind for run in runs)


def drawn(runs: Sequence[RunNumbers], looks: Sequence[Look]) -> list[Drawn]:
    """Keep the runs of which there is something to draw."""
    return [
        Drawn(run, run.test, run.train, look)
        for run, look in zip(runs, looks, strict=True)
        if run.test is not None and run.train is not None
    ]


def absent(runs: Sequence[RunNumbers]) -> list[Block]:
    """Say of each run without numbers why it has none."""
    told = [f"{run.name}: {missing(run)}." for run in runs if run.test is None]
    return [Notes(told)] if told else []


def single(runs: Sequence[Drawn], what: str) -> list[Block]:
    """Say of each run of one member what is undefined."""
    told = [
        f"{run.heading}: one member only, so {what} undefined."
        for run in runs
        if run.test.members == 1
    ]
    return [Notes(told)] if told else []


def several(runs: Sequence[Drawn]) -> list[Drawn]:
    """Keep the runs of two members or more."""
    return [run for run in runs if run.test.members > 1]
