"""The figures of a report as files, each with its numbers."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, get_args

import pandas as pd

from jaxorder.errors import RequestError, given
from jaxorder.files import new_folder, safe_name
from jaxorder.report.blocks import Plate, Section
from jaxorder.report.figures.canvas import Format, Picture

INDEX = "index.csv"
_LONGEST = 100  # letters of a name: file systems take 255 bytes


class Drawn(NamedTuple):
    """A figure of a report.

    Attributes:
        file: What its files are called, without an ending.
        section: The heading that it stands beneath.
        plate: The question that it answers, with words.
        picture: The figure.
    """

    file: str
    section: str
    plate: Plate
    picture: Picture


def drawn(sections: Sequence[Section]) -> Iterator[Drawn]:
    """Find the figures of a report, in the order of reading.

    Args:
        sections: Of the page.

    Yields:
        Each figure. Its number makes its name the only one of its kind.
    """
    plates = [(s.title, b) for s in sections for b in s.blocks if isinstance(b, Plate)]
    shown = [(title, plate, each) for title, plate in plates for each in plate.pictures]
    for number, (title, plate, each) in enumerate(shown, start=1):
        called = safe_name(each.name.replace(" ", "-"))[:_LONGEST]
        yield Drawn(f"{number:0{len(str(len(shown)))}d}-{called}", title, plate, each)


def write_figures(sections: Sequence[Section], folder: Path, form: Format) -> None:
    """Write each figure, its numbers as .csv, and an index of all with their words.

    Args:
        sections: Of the page.
        folder: New or empty; it is filled in one move.
        form: "svg" or "pdf".

    Raises:
        RequestError: As of `refuse_filled`.
    """
    refuse_filled(folder)
    if folder.exists():
        folder.rmdir()
    found = list(drawn(sections))
    with new_folder(folder) as made:
        for each in found:
            (made / f"{each.file}.{form}").write_bytes(each.picture.drawn(form))
            numbers = pd.DataFrame(dict(each.picture.numbers))
            numbers.to_csv(made / f"{each.file}.csv", index=False)
        pd.DataFrame(_index(found, form)).to_csv(made / INDEX, index=False)


def _index(found: Sequence[Drawn], form: Format) -> dict[str, list[str]]:
    return {
        "figure": [f"{each.file}.{form}" for each in found],
        "numbers": [f"{each.file}.csv" for each in found],
        "section": [each.section for each in found],
        "question": [each.plate.question for each in found],
        "shows": [each.picture.alt for each in found],
        "how_to_read": [each.plate.reading for each in found],
        "contradicted_by": [each.plate.contradicted for each in found],
        "caption": [" ".join(each.plate.caption) for each in found],
    }


def refuse_filled(folder: Path) -> None:
    """Refuse a folder that holds anything: nobody's files are written over.

    Args:
        folder: To write figures to.

    Raises:
        RequestError: Where it is a file, holds something, or cannot be made.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "holds files already" if folder.is_dir() else "is a file"
        raise RequestError(
            f"{given('figures', folder)}: {what}; name a new or an empty folder"
        )
    above = next(each for each in folder.absolute().parents if each.exists())
    if not (above.is_dir() and os.access(above, os.W_OK)):
        raise RequestError(
            f"{given('figures', folder)}: {above} is not a folder one can write to"
        )


def refuse_format(form: str, figures: object) -> None:
    """Refuse a format that is none, or is of no figures.

    Args:
        form: Asked for.
        figures: Folder to write them to, or None.

    Raises:
        RequestError: Where it is another than svg and pdf, or pdf of no figures.
    """
    if form not in get_args(Format):
        raise RequestError(
            f"{given('figure_format', form)}: wanted {' or '.join(get_args(Format))}"
        )
    if form != "svg" and figures is None:
        raise RequestError(
            f"{given('figure_format', form)}: no figures are asked for; name their "
            f"folder, as in {given('figures', 'figures')}"
        )
