"""What the commands print: tables for people; documents are made elsewhere."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from jaxorder.analysis import Interval
    from jaxorder.report import PairRow, SummaryRow


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    """Print a table on stdout."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def print_document(title: str, document: Mapping[str, object]) -> None:
    """Print the values of a document by name."""
    print_table(title, ("", "value"), [(k, value(v)) for k, v in document.items()])


def print_summary(rows: Sequence["SummaryRow"], pairs: Sequence["PairRow"]) -> None:
    """Print what became of the runs, and how alike they order the test examples."""
    print_table(
        "At the last snapshot [95% interval]",
        ("model", "members", "train", "test", "kappa (test)", "reliability (test)"),
        [
            (
                row.model,
                f"{row.members}/{row.planned}",
                share(row.train_accuracy),
                share(row.test_accuracy),
                interval(row.kappa),
                interval(row.reliability),
            )
            for row in rows
        ],
    )
    if pairs:
        print_table(
            "Same order? Spearman correlation of accessibilities, test examples",
            ("pair", "correlation", "at matched accuracy"),
            [
                (
                    f"{pair.model_a} - {pair.model_b}",
                    pair.problem or interval(pair.spearman),
                    interval(pair.matched),
                )
                for pair in pairs
            ],
        )


def share(value: float) -> str:
    """Return an accuracy, or a dash where no member is left to have one.

    Example:
        >>> share(0.98765), share(float("nan"))
        ('0.988', '-')
    """
    return f"{value:.3f}" if value == value else "-"


def interval(value: "Interval") -> str:
    """Return an estimate with its interval, or a dash where it is undefined."""
    if value.estimate != value.estimate:
        return "-"
    return f"{value.estimate:.2f} [{value.low:.2f}, {value.high:.2f}]"


def value(item: object) -> str:
    """Return any JSON value as a person reads it.

    Example:
        >>> value({"a": 1, "b": [1.5, None]})
        'a 1, b 1.5 -'
    """
    if isinstance(item, dict):
        return ", ".join(f"{key} {value(part)}" for key, part in item.items())
    if isinstance(item, list | tuple):
        return " ".join(value(part) for part in item)
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, float):
        return f"{item:.4g}"
    return "-" if item is None else str(item)
