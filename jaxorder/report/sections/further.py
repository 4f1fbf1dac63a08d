"""What members say of data beside those that they were trained and tested on."""

from collections.abc import Sequence

from jaxorder.analysis.intervals import number
from jaxorder.analysis.numbers import FurtherNumbers
from jaxorder.report.blocks import Block, Notes, Plate, Section, Table
from jaxorder.report.figures.curves import further_curves
from jaxorder.report.shown import Page, Shown, shown_nouns
from jaxorder.report.wording import counted

_HEAD = (
    *("model", "data", "examples", "snapshots", "members"),
    *("accuracy", "kappa", "reliability", "agreement"),
)
_MOST = 6  # curves of a picture


def further(page: Page) -> Section | None:
    """Show how members do on further data; nothing where there are none."""
    having = [run for run in page.shown if run.numbers.further]
    if not having:
        return None
    drawn = [run for run in having if _labelled(run)]
    blocks: list[Block] = [_plate(drawn)] if drawn else []
    blocks.append(_table(having))
    missing = [
        f"{run.heading}: {each.data.missing}."
        for run in having
        for each in run.numbers.further
        if each.data.missing
    ]
    return Section(
        "further",
        "How do they do on other data?",
        [*blocks, *([Notes(missing)] if missing else [])],
    )


def _labelled(run: Shown) -> list[FurtherNumbers]:
    return [each for each in run.numbers.further if each.numbers]


def _plate(shown: Sequence[Shown]) -> Plate:
    member = shown_nouns(shown).member
    pictures = [
        further_curves(
            run.test,
            [each.numbers for each in _labelled(run)[:_MOST] if each.numbers],
            run.name,
            run.look,
        )
        for run in shown
    ]
    return Plate(
        "How does accuracy on other data move beside that on the test examples?",
        f"Lines are means over the {member}s. The thick one, with its bands, is of the "
        "test examples; the others are of data that were recorded as well, while the "
        f"{member}s were trained or from what was kept of them. Where these are the "
        "test examples changed, the distance between the lines is what the change "
        "costs, at each moment of the training.",
        pictures,
        [_words(run) for run in shown],
        contradicted="Lines that lie on one another: the data are then no harder for "
        f"the {member}s than the test examples.",
        grid="large",
    )


def _words(run: Shown) -> str:
    test = float(run.test.mean_accuracy[-1])
    found = [
        f"{each.data.name} {float(each.numbers.mean_accuracy[-1]):.3f}"
        for each in _labelled(run)
        if each.numbers
    ]
    more = len(found) - _MOST
    hidden = f"; {counted(more, 'line')} not drawn" if more > 0 else ""
    return (
        f"{run.heading}: at the last snapshot test accuracy {test:.3f}, on "
        f"{', '.join(found)}{hidden}."
    )


def _table(shown: Sequence[Shown]) -> Table:
    return Table(
        "The data and what was measured of them",
        _HEAD,
        [_row(run, each) for run in shown for each in run.numbers.further],
        "At the last snapshot. Data without labels have an agreement, the mean share "
        "of members that give the commonest answer, and no accuracy.",
    )


def _row(run: Shown, each: FurtherNumbers) -> list[str]:
    data, numbers = each.data, each.numbers
    measured = ["undefined"] * 3
    if numbers is not None:
        accuracy = f"{float(numbers.mean_accuracy[-1]):.3f}"
        intervals = numbers.kappa[-1], numbers.reliability
        measured = [accuracy, *(each.text(few=False) for each in intervals)]
    return [
        run.heading,
        f"{data.name}: {data.source}",
        f"{data.examples:,}",
        str(data.snapshots),
        f"{data.members} of {data.planned}",
        *measured,
        number(each.final_agreement),
    ]
