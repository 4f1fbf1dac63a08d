"""What a page is made of; the template knows how each kind is drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from jaxorder.analysis.intervals import Verdict
from jaxorder.report.figures.canvas import Picture


@dataclass(frozen=True)
class Notes:
    """Paragraphs."""

    kind: ClassVar[str] = "notes"
    sentences: Sequence[str]


@dataclass(frozen=True)
class Plate:
    """A figure of one or several pictures.

    Attributes:
        question: What it answers.
        reading: How to read it.
        pictures: In the order of reading.
        caption: Sentences with the numbers that answer the question.
        contradicted: What it would look like if the answer were another.
        grid: How wide a picture is at least: "small", "middle" or "large".
    """

    kind: ClassVar[str] = "plate"
    question: str
    reading: str
    pictures: Sequence[Picture]
    caption: Sequence[str]
    contradicted: str = field(kw_only=True)
    grid: Literal["small", "middle", "large"] = "middle"


@dataclass(frozen=True)
class Table:
    """A table whose first column names the rows.

    Attributes:
        title: What it holds.
        head: Names of the columns.
        rows: Cells as text.
        note: What is to be known to read it.
    """

    kind: ClassVar[str] = "table"
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class Answer:
    """One sentence of a finding, and in a word what it comes to.

    Attributes:
        verdict: What it comes to.
        text: The sentence.
        word: Stands for the verdict where yes or no is no answer.
    """

    verdict: Verdict
    text: str
    word: str = ""


@dataclass(frozen=True)
class Finding:
    """A question and what the numbers say to it."""

    kind: ClassVar[str] = "finding"
    question: str
    answers: Sequence[Answer]


@dataclass(frozen=True)
class Card:
    """One example in a gallery.

    Attributes:
        source: A data URI of its image.
        example: Its id.
        label: Name of its class.
        answer: Name of the class that the members name most; nothing where several
            runs' answers stand among the lines.
        right: Whether that is the label, for all runs where there are several.
        lines: What else is said of it.
    """

    source: str
    example: int
    label: str
    answer: str
    right: bool
    lines: Sequence[str]


@dataclass(frozen=True)
class Gallery:
    """Examples as thumbnails."""

    kind: ClassVar[str] = "gallery"
    title: str
    caption: str
    cards: Sequence[Card]
    wide: bool = False


@dataclass(frozen=True)
class Commands:
    """Lines for a shell."""

    kind: ClassVar[str] = "commands"
    lines: Sequence[str]


@dataclass(frozen=True)
class Term:
    """A word of the page and what it means."""

    word: str
    meaning: str
    source: str


@dataclass(frozen=True)
class Terms:
    """The definitions."""

    kind: ClassVar[str] = "terms"
    terms: Sequence[Term]


@dataclass(frozen=True, eq=False)
class Examples:
    """A table of all examples, which its reader sorts, filters and searches.

    Attributes:
        caption: What it holds.
        head: Names of the columns by their keys.
        rows: The first rows, for pages whose script does not run.
        choices: What can be filtered by: of a key, what it is called and its values.
        note: What is to be known to read it.
        data: What the script reads.
        sheets: Data URIs of thumbnails.
    """

    kind: ClassVar[str] = "examples"
    caption: str
    head: Mapping[str, str]
    rows: Sequence[Sequence[str]]
    choices: Mapping[str, tuple[str, Mapping[str, str]]]
    note: str
    data: Mapping[str, Any]
    sheets: Sequence[str]


Block = Notes | Plate | Table | Finding | Gallery | Examples | Commands | Terms


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        anchor: What links name it by.
        title: Its heading.
        blocks: What it holds.
    """

    anchor: str
    title: str
    blocks: Sequence[Block]
