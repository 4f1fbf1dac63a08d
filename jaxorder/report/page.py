"""One self-contained page about studies and runs."""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from jaxorder.analysis.numbers import RunNumbers
from jaxorder.analysis.results import measure_all
from jaxorder.errors import RequestError, given
from jaxorder.files import write_text
from jaxorder.report.blocks import Section
from jaxorder.report.figure_files import refuse_filled, refuse_format, write_figures
from jaxorder.report.figures.canvas import Format
from jaxorder.report.lede import unfinished
from jaxorder.report.sections.across import across
from jaxorder.report.sections.agreement import agreement
from jaxorder.report.sections.chance import chance
from jaxorder.report.sections.classes import classes
from jaxorder.report.sections.contained import contained
from jaxorder.report.sections.disagreement import disagreement
from jaxorder.report.sections.forgetting import forgetting
from jaxorder.report.sections.further import further
from jaxorder.report.sections.gallery import gallery
from jaxorder.report.sections.headline import headline
from jaxorder.report.sections.label_errors import label_errors
from jaxorder.report.sections.learning import learning
from jaxorder.report.sections.making import making
from jaxorder.report.sections.members import members
from jaxorder.report.sections.order import order
from jaxorder.report.sections.table import table
from jaxorder.report.sections.together import together
from jaxorder.report.shown import Page
from jaxorder.report.wording import counted, listed, page_nouns
from jaxorder.run.folder import Labels, Run
from jaxorder.run.study import open_runs

REPORT = "report.html"
Paths = Path | str | Sequence[Path | str]

# A section gives nothing where it does not apply. A new one is its module, and an entry
# here where it is to be read.
SECTIONS: tuple[Callable[[Page], Section | None], ...] = (
    headline,
    members,
    learning,
    agreement,
    chance,
    together,
    order,
    across,
    contained,
    disagreement,
    classes,
    forgetting,
    further,
    gallery,
    label_errors,
    table,
    making,
)


def write_report(
    paths: Paths,
    out: Path | str | None = None,
    labels: Labels = "label",
    figures: Path | str | None = None,
    figure_format: Format = "svg",
) -> Path:
    """Write a report on studies and runs, finished or not.

    Args:
        paths: Folders of studies or runs, one or more.
        out: File to write; None is `report.html` in the folder, for a single path. An
            earlier report is replaced.
        labels: What counts as right where labels were changed: the `label` that the
            members were trained towards, or the `original` one.
        figures: Folder, new or empty, to write each figure to as a file of its own,
            its numbers beside it as .csv; None writes none.
        figure_format: Of these files, "svg" or "pdf".

    Returns:
        The file.

    Raises:
        RequestError: No path is given or one is neither a study nor a run, several
            are given without `out`, `out` cannot be written, or `figures` holds
            something or cannot be written.
    """
    return report(paths, out, labels, figures, figure_format)[0]


def report(
    paths: Paths,
    out: Path | str | None = None,
    labels: Labels = "label",
    figures: Path | str | None = None,
    figure_format: Format = "svg",
) -> tuple[Path, Page]:
    """Write a report, as `write_report` does, and return what stands in it, too.

    Args:
        paths: As of `write_report`.
        out: Likewise.
        labels: Likewise.
        figures: Likewise.
        figure_format: Likewise.

    Returns:
        The file, and what it was written from: all that was measured.

    Raises:
        RequestError: As of `write_report`.
    """
    folders = _folders(paths)
    target = _target(folders, out)
    refuse_format(figure_format, figures)
    if figures is not None:
        refuse_filled(Path(figures))
    runs = [run.against(labels) for run in _opened(folders)]
    page = Page(measure_all(runs))
    sections = written(page)
    if figures is not None:
        write_figures(sections, Path(figures), figure_format)
    write_text(target, render(page, sections))
    return target, page


def _folders(paths: Paths) -> list[Path]:
    folders = [paths] if isinstance(paths, str | Path) else paths
    if not folders:
        raise RequestError("report: at least one folder of a study or a run is needed")
    return [Path(folder) for folder in folders]


def _opened(folders: Sequence[Path]) -> list[Run]:
    """Open every run once, also where a study and a run of it are given."""
    runs = [run for folder in folders for run in open_runs(folder)]
    return list({run.path.resolve(): run for run in runs}.values())


def _target(folders: Sequence[Path], out: Path | str | None) -> Path:
    if out is None and len(folders) > 1:
        raise RequestError(
            f"{given('out')}: needed for a report on {len(folders)} folders; name a "
            f"file, as in {given('out', REPORT)}"
        )
    target = folders[0] / REPORT if out is None else Path(out)
    if target.is_dir():
        raise RequestError(f"{given('out', target)}: is a folder; name a file in it")
    above = target.absolute().parent
    if out is not None and not (above.is_dir() and os.access(above, os.W_OK)):
        raise RequestError(
            f"{given('out', out)}: {above} is not a folder one can write to"
        )
    return target


def written(page: Page) -> list[Section]:
    """Write the sections of a page that apply."""
    return [found for write in SECTIONS if (found := write(page)) is not None]


def render(page: Page, sections: Sequence[Section]) -> str:
    """Return the HTML of a page.

    Args:
        page: What it is about.
        sections: What is written of it.
    """
    environment = Environment(
        loader=PackageLoader("jaxorder", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("template.html.jinja").render(
        title=_title(page.runs),
        keys=[
            (look, run.name) for look, run in zip(page.looks, page.runs, strict=True)
        ],
        unfinished=unfinished(page.runs),
        sections=sections,
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _title(runs: Sequence[RunNumbers]) -> str:
    data = listed(sorted({run.run.config.data for run in runs}))
    members = sum(run.run.progress.finite for run in runs)
    called = page_nouns(runs)
    many = counted(members, called.member)
    return f"{data}: {many} of {counted(len(runs), called.model)}"
