"""The rows of a csv or jsonl file, each with where it stands to say what is wrong."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxorder.errors import RequestError

_QUOTE = "put texts with commas, quotes or line ends between quotes"


@dataclass(frozen=True)
class Row:
    """A row of a file.

    Attributes:
        where: What an error about it begins with; names the file and the line.
        values: Its values by column, texts where the file is csv.
    """

    where: str
    values: Mapping[str, Any]


def read_rows(file: Path, place: str) -> Iterator[Row]:
    """Read the rows of a file in UTF-8; blank lines are none.

    Args:
        file: A .csv file with a line of names, or a .jsonl file with one object a line.
        place: What errors begin with; names the file.

    Yields:
        The rows, at least one.

    Raises:
        RequestError: The file is of another kind or not in UTF-8, a row is not what
            it must be, or there is none.
    """
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise RequestError(
            f"{place} ends with none of {', '.join(SUFFIXES)}; convert it to one"
        )
    row = None
    for row in reader(_content(file, place), place):
        yield row
    if row is None:
        raise RequestError(f"{place} holds no row; wanted one for each text")


def _content(file: Path, place: str) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise RequestError(
            f"{place} line {line}: not UTF-8 (byte {error.object[error.start]:#04x}); "
            "save the file as UTF-8"
        ) from None


def _csv_rows(content: str, place: str) -> Iterator[Row]:
    # a field may be longer than the module's limit, which is for the whole process
    limit = csv.field_size_limit(2**31 - 1)
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    where = f"{place} line 1"
    try:
        header = next(reader, [])
        where = f"{place} line {reader.line_num + 1}"
        for values in reader:
            if values and len(values) != len(header):
                raise RequestError(
                    f"{where}: not as many fields ({len(values)}) as in the header "
                    f"({len(header)}); {_QUOTE}"
                )
            if values:
                yield Row(where, dict(zip(header, values, strict=True)))
            where = f"{place} line {reader.line_num + 1}"
    except csv.Error as error:
        raise RequestError(f"{where}: no row of csv ({error}); {_QUOTE}") from None
    finally:
        csv.field_size_limit(limit)


def _jsonl_rows(content: str, place: str) -> Iterator[Row]:
    # not splitlines, which also cuts at characters that JSON allows in a text
    for number, line in enumerate(content.split("\n"), 1):
        if line.strip():
            where = f"{place} line {number}"
            yield Row(where, _object(line, where))


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        raise RequestError(
            f"{where}: no JSON (column {error.colno}: {error.msg}); wanted one object "
            "a line"
        ) from None
    if not isinstance(values, dict):
        raise RequestError(
            f"{where}: {line.strip()[:40]!r} is no JSON object; wanted one a line"
        )
    return values


_READERS = {".csv": _csv_rows, ".jsonl": _jsonl_rows}
SUFFIXES = tuple(_READERS)
