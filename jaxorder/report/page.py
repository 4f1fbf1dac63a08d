"""One self-contained page about studies and runs."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from jaxorder.errors import RequestError
from jaxorder.files import write_text
from jaxorder.report.blocks import Section
from jaxorder.report.figures.canvas import look
from jaxorder.report.numbers import SPLITS, RunNumbers, measure, page_nouns
from jaxorder.report.sections.across import across
from jaxorder.report.sections.agreement import agreement
from jaxorder.report.sections.chance import chance
from jaxorder.report.sections.drawn import drawn
from jaxorder.report.sections.findings import unfinished
from jaxorder.report.sections.gallery import gallery
from jaxorder.report.sections.headline import headline
from jaxorder.report.sections.learning import learning
from jaxorder.report.sections.making import making
from jaxorder.report.sections.members import members
from jaxorder.report.sections.order import order
from jaxorder.report.summary import named_pairs, run_names, summary_row
from jaxorder.report.wording import counted, listed
from jaxorder.run.folder import Labels, Run
from jaxorder.run.study import open_runs

REPORT = "report.html"
Paths = Path | str | Sequence[Path | str]


def write_report(
    paths: Paths, out: Path | str | None = None, labels: Labels = "label"
) -> Path:
    """Write a report on studies and runs, finished or not.

    Args:
        paths: Folders of studies or runs, one or more.
        out: File to write; None is `report.html` in the folder, for a single path. An
            earlier report is replaced.
        labels: What counts as right where labels were changed: the `label` that the
            members were trained towards, or the `original` one.

    Returns:
        The file.

    Raises:
        RequestError: No path is given or one is neither a study nor a run, several
            are given without `out`, or `out` cannot be written.
    """
    folders = _folders(paths)
    target = _target(folders, out)
    runs = [run.against(labels) for run in _opened(folders)]
    named = zip(runs, run_names(runs), strict=True)
    write_text(target, render([measure(run, name) for run, name in named]))
    return target


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
            f"--out: needed for a report on {len(folders)} folders; name a file, as in "
            f"--out {REPORT}"
        )
    target = folders[0] / REPORT if out is None else Path(out)
    if target.is_dir():
        raise RequestError(f"--out {target}: is a folder; name a file in it")
    above = target.absolute().parent
    if out is not None and not (above.is_dir() and os.access(above, os.W_OK)):
        raise RequestError(f"--out {out}: {above} is not a folder one can write to")
    return target


def render(runs: Sequence[RunNumbers]) -> str:
    """Return the page on runs that were measured.

    Args:
        runs: One or more.

    Returns:
        The HTML.
    """
    environment = Environment(
        loader=PackageLoader("jaxorder", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("template.html.jinja").render(
        title=_title(runs),
        keys=[(look(i), run.name) for i, run in enumerate(runs)],
        unfinished=unfinished(runs),
        sections=sections(runs),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _title(runs: Sequence[RunNumbers]) -> str:
    data = listed(sorted({run.run.config.data for run in runs}))
    members = sum(run.run.progress.finite for run in runs)
    called = page_nouns(runs)
    many = counted(members, called.member)
    return f"{data}: {many} of {counted(len(runs), called.model)}"


def sections(runs: Sequence[RunNumbers]) -> list[Section]:
    """Write the sections of the page, in the order of reading.

    Args:
        runs: What was measured.

    Returns:
        The sections; the comparison of architectures only where there are several.
    """
    looks = [look(position) for position in range(len(runs))]
    visible = drawn(runs, looks)
    named = [(run.numbers.run, run.name) for run in visible]
    compared = [row for split in SPLITS for row in named_pairs(named, split)]
    parts = [
        headline(runs, [summary_row(run) for run in runs], compared),
        members(runs, looks),
        learning(runs, visible),
        agreement(runs, visible),
        chance(runs, visible),
        order(runs, visible),
        gallery(runs, visible),
        making(runs),
    ]
    if len(runs) > 1:
        parts.insert(-2, across(visible, compared))
    return parts
