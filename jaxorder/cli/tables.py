"""What the commands print: tables for people; documents are made elsewhere."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jaxorder.errors import on_command_line
from jaxorder.progress.wording import duration, size

if TYPE_CHECKING:
    from jaxorder.analysis import (
        Comparison,
        PairAgreement,
        PairRow,
        SummaryRow,
    )


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    """Print a table on stdout."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    Console().print(table)


def print_document(title: str, document: Mapping[str, object]) -> None:
    """Print the values of a document by name."""
    print_table(title, ("", "value"), [(k, value(v)) for k, v in document.items()])


def print_plan(document: Mapping[str, Any]) -> None:
    """Print what a run would do, and the ways that were tried."""
    shown = {k: v for k, v in document.items() if k != "tried"}
    if document["estimated_seconds"] is not None:
        shown["estimated_seconds"] = duration(document["estimated_seconds"])
    for key in [key for key in shown if key.endswith("bytes") and shown[key]]:
        shown[key] = size(shown[key])
    print_document(document["model"], shown)
    if document["tried"]:
        _print_trials(document["tried"])


def _print_trials(trials: Sequence[Mapping[str, Any]]) -> None:
    print_table(
        "Tried (a member-step; in evaluation, a member-snapshot)",
        ("", "way", "batch", "time", "memory", "compile", "problem"),
        [
            (
                trial["what"],
                way(trial["lowering"]),
                str(trial["batch"]),
                "-" if trial["ms"] is None else f"{trial['ms']:.3g} ms",
                "-" if trial["ms"] is None else size(trial["memory_bytes"]),
                "-" if trial["ms"] is None else f"{trial['compile_seconds']:.1f} s",
                trial["problem"],
            )
            for trial in trials
        ],
    )


def print_models(documents: Sequence[Mapping[str, Any]]) -> None:
    """Print architectures and learners, each with its keys and their defaults."""
    kind = None
    for each in documents:
        if each["kind"] != kind:
            kind = each["kind"]
            print(f"{kind}, as NAME or NAME:key=value,...\n")
        print(f"  {each['name']}: {each['what']}")
        keys = ", ".join(each["keys"]) or "none"
        print(_folded(f"keys: {keys}"))
        trained = "training" in each
        told = f"trained by: {each['training']}" if trained else f"time: {each['time']}"
        print(_folded(told) + "\n")


def model_names(documents: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of architectures and learners, in lines to be read."""
    lines = []
    for kind in dict.fromkeys(each["kind"] for each in documents):
        names = ", ".join(each["name"] for each in documents if each["kind"] == kind)
        lines += textwrap.wrap(f"{kind}: {names}", 80, subsequent_indent="  ")
    return lines


def _folded(text: str) -> str:
    return textwrap.fill(text, 80, initial_indent=" " * 6, subsequent_indent=" " * 8)


def way(lowering: Mapping[str, Any]) -> str:
    """Return how members are mapped, in words."""
    chunks = f"chunks of {lowering['chunk']}"
    members = chunks if lowering["members"] == "chunks" else lowering["members"]
    convolution = lowering["convolution"]
    return members if convolution == "native" else f"{members}, {convolution}"


def print_summary(rows: Sequence["SummaryRow"], pairs: Sequence["PairRow"]) -> None:
    """Print what became of the runs, and how alike they order the test examples."""
    # what measured the runs has loaded it, too
    from jaxorder.report.wording import few_members

    print_table(
        "At the last snapshot [95% interval]",
        (
            *("model", "members", "train", "test"),
            *(f"{name} (test)" for name in _at_the_end(rows)),
            "reliability (test)",
        ),
        [
            (
                row.model,
                f"{row.members}/{row.planned}",
                share(row.train_accuracy),
                share(row.test_accuracy),
                *(
                    row.measures[name].interval.text(few=False)
                    for name in _at_the_end(rows)
                ),
                row.reliability.text(few=False),
            )
            for row in rows
        ],
    )
    if pairs:
        _print_pairs(pairs)
    if few := few_members(row.members for row in rows if row.members):
        print(few.strip())


def _print_pairs(pairs: Sequence["PairRow"]) -> None:
    print_table(
        "Same order? Spearman correlation of accessibilities, test examples",
        ("pair", "correlation", "at matched accuracy"),
        [
            (
                pair.names,
                _problem(pair) or pair.spearman.text(few=False),
                pair.matched_text(few=False),
            )
            for pair in pairs
        ],
    )


def _problem(pair: "PairRow") -> str:
    return on_command_line(pair.error) if pair.error else ""


def _at_the_end(rows: Sequence["SummaryRow"]) -> list[str]:
    """Name the measures that are compared at the last snapshot."""
    measured = rows[0].measures.items() if rows else ()
    return [name for name, value in measured if value.measure.comparable is None]


def share(value: float) -> str:
    """Return an accuracy, or a dash where no member is left to have one.

    Example:
        >>> share(0.98765), share(float("nan"))
        ('0.988', '-')
    """
    return f"{value:.3f}" if value == value else "-"


def with_intervals(found: "Comparison") -> dict[str, object]:
    """Return the values of a comparison by name, intervals as one reads them."""
    shown = _readable(vars(found))
    matched = {**_readable(vars(found.matched)), "spearman": found.matched.text()}
    return {**shown, "matched": matched}


def agreement_words(found: "PairAgreement") -> dict[str, object]:
    """Return how far members are wrong on the same examples, as one reads it."""
    from jaxorder.report.together import contained_words, only_words

    return {
        "mean_pairwise_kappa": str(found.kappa),
        "tetrachoric": str(found.tetrachoric),
        "containment": contained_words(found),
        "only_the_stronger": only_words(found),
    }


def _readable(values: Mapping[str, Any]) -> dict[str, object]:
    shown: dict[str, object] = dict(values)
    for name, item in values.items():
        if is_dataclass(item):
            whole = hasattr(item, "estimate")
            shown[name] = str(item) if whole else _readable(vars(item))
    return shown


def value(item: object) -> str:
    """Return any JSON value as a person reads it.

    Example:
        >>> value({"a": 1, "b": [1.5, None]})
        'a 1, b 1.5 -'
        >>> value(float("nan"))
        'undefined'
    """
    if isinstance(item, dict):
        return ", ".join(f"{key} {value(part)}" for key, part in item.items())
    if isinstance(item, list | tuple):
        return " ".join(value(part) for part in item)
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, float):
        return "undefined" if math.isnan(item) else f"{item:.4g}"
    return "-" if item is None else str(item)
