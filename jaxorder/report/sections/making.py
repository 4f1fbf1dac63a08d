"""How the page was made: commands, versions, streams, definitions, what is left out."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from jaxorder.analysis.intervals import FEWEST
from jaxorder.analysis.numbers import SIMULATIONS
from jaxorder.analysis.snapshot_measures import SNAPSHOT_MEASURES
from jaxorder.analysis.snapshots import SUSTAINED
from jaxorder.config import RunConfig, StudyOptions, to_json
from jaxorder.errors import option_name
from jaxorder.options import given_options
from jaxorder.report.blocks import Block, Commands, Notes, Section, Table, Term, Terms
from jaxorder.report.findings import HIGH, SHARED
from jaxorder.report.lede import left_out
from jaxorder.report.sections.members import MINI_BATCHES
from jaxorder.report.shown import Page
from jaxorder.report.wording import listed
from jaxorder.run.folder import Run
from jaxorder.run.study import STUDY, Study, is_study

_FILES = (".npz", ".parquet", ".csv")  # of imported predictions
_PAPER = "after Hacohen et al. 2020"


def making(page: Page) -> Section:
    """Say how what is on the page can be made again, and what its words mean."""
    runs = page.runs
    blocks: list[Block] = [
        Commands(commands([run.run for run in runs])),
        _machine_table([run.run for run in runs]),
        Notes(left_out(runs) or ["No member was left out."]),
        Terms(definitions()),
    ]
    return Section("making", "How it was made, and what the words mean", blocks)


# ---- commands


def commands(runs: Sequence[Run]) -> list[str]:
    """Return the command lines that make the runs.

    Args:
        runs: Opened runs.

    Returns:
        One line a study, or a run that belongs to none, and one for each run that was
        grown since.
    """
    lines: dict[str, None] = {}
    for run in runs:
        lines.update(dict.fromkeys(_lines(run)))
    return list(lines)


def _lines(run: Run) -> Iterator[str]:
    above = run.path.parent
    study = Study(above).config if is_study(above) else None
    asked = {each.key: each for each in study.runs} if study else {}
    if run.kind == "imported":
        yield _import(run)
        return
    if study is None or run.name not in asked:
        model, named = run.config.model, run.config.name
        yield (
            _call(run.config, run.path)
            if named
            else _command(run.config, [model], run.path)
        )
        return
    if study.alike:
        yield _command(study.runs[0], study.names, above)
    else:  # which asks for the same again
        yield shlex.join(["jaxorder", "run", str(above / STUDY), "--out", str(above)])
    if run.config.members > asked[run.name].members:
        path = shlex.quote(str(run.path))
        yield f"jaxorder grow {path} --members {run.config.members}"


def _command(options: StudyOptions, models: Sequence[str], out: Path) -> str:
    words = ["jaxorder", "run", "--data", options.data, "--models", *models]
    for name, value in given_options(options, StudyOptions).items():
        words += _option(name, value) if name != "data" else []
    return shlex.join([*words, "--out", str(out)])


def _import(run: Run) -> str:
    files = run.config.data  # as the command line has them, if it does
    if _are_files(files):
        options = shlex.join(["--name", run.name, "--out", str(run.path)])
        return f"jaxorder import {files} {options}"
    return f"jaxorder.from_predictions(..., out={str(run.path)!r})"


def _are_files(text: str) -> bool:
    """Whether a text is words that name files of predictions."""
    try:
        words = shlex.split(text)
    except ValueError:  # a quote that is not closed
        return False
    return all(word.endswith(_FILES) or Path(word).is_dir() for word in words)


def _call(config: RunConfig, out: Path) -> str:
    """Return what makes a run of another name than its model, which no option gives."""
    said = given_options(config)
    values = {name: value for name, value in to_json(config).items() if name in said}
    words = [f"{name}={value!r}" for name, value in values.items()]
    code = f"import jaxorder; jaxorder.train({', '.join(words)}, out={str(out)!r})"
    return shlex.join(["python", "-c", code])


def _option(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [option_name(name)]
    values = value if isinstance(value, tuple) else (value,)
    return [option_name(name), *map(str, values)]


# ---- machine


def _machine_table(runs: Sequence[Run]) -> Table:
    rows = [[what, _shared(runs, tell)] for what, tell in _FACTS.items()]
    return Table("Machine and versions", ["", ""], rows)


def _shared(runs: Sequence[Run], tell: Callable[[Run], str]) -> str:
    """Give what all runs have in common once, else run by run."""
    told = [tell(run) for run in runs]
    if len(set(told)) == 1:
        return told[0]
    return "; ".join(
        f"{run.name}: {text}" for run, text in zip(runs, told, strict=True)
    )


def _machine(name: str) -> Callable[[Run], str]:
    return lambda run: str(run.document.machine.get(name, "not noted"))


def _versions(run: Run) -> str:
    return ", ".join(f"{k} {v}" for k, v in run.document.versions.items())


def _streams(run: Run) -> str:
    config = run.config
    if run.kind == "imported":
        return "not known"
    if run.kind == "learner":
        shared = "" if config.share_streams else " and the model"
        return f"from the study's seed {config.seed}, the member's number{shared}"
    scope = (
        "but not the architecture: member i of each sees the same mini-batches"
        if config.share_streams
        else "and the architecture: no two share mini-batches"
    )
    return (
        f"from the study's seed {config.seed}, the member's number {scope}; "
        f"mini-batches {MINI_BATCHES[config.order]}"
    )


_FACTS: dict[str, Callable[[Run], str]] = {
    "Begun": lambda run: run.document.created or "not noted",
    "Kind of device": _machine("device_kind"),
    "Cores": _machine("cores"),
    "Precision of matrix products": _machine("matmul_precision"),
    "Precision of passes": lambda run: {
        "learner": "scikit-learn's own",
        "imported": "not known",
    }.get(run.kind, run.config.precision),
    "Random numbers": _machine("random"),
    "Streams": _streams,
    "Digest of the data (sha256)": lambda run: run.document.data.digest,
    "Class names": lambda run: listed(run.document.data.class_names, 20),
    "Versions": _versions,
    "Folder": lambda run: str(run.path),
}


# ---- definitions


def definitions() -> tuple[Term, ...]:
    """Say what the words of the page mean."""
    measured = [Term(m.word, m.meaning, m.source) for m in SNAPSHOT_MEASURES]
    return (*_BEFORE, *measured, *_AFTER)


_BEFORE = (
    Term(
        "member, snapshot",
        "A member is one network, or another learner, of an ensemble whose members "
        "differ in their random seeds, or in what they are shown; a snapshot is a "
        "moment at which each of them, as it is then, predicts every example.",
        _PAPER,
    ),
    Term(
        "TP-agreement (TPA)",
        "The share of members that are right on an example at a snapshot; its mean "
        "over examples is the mean accuracy.",
        _PAPER,
    ),
    Term(
        "accessibility",
        "The mean of an example's TP-agreement over snapshots: how early, and how "
        "surely, it is learned. Here snapshots are weighted by the epochs they stand "
        "for (trapezoid rule, step 0 left out); those of learners that are not "
        "networks by rounds, trees or training examples.",
        f"{_PAPER}; the weights are jaxorder's",
    ),
)
_AFTER = (
    Term(
        "class null, “by chance”",
        "What members would show that were independent of one another given the class, "
        "each with its own accuracy in each class; exact (Poisson-binomial), with 95 % "
        f"ranges of {SIMULATIONS} draws. The null of independent members leaves the "
        "classes out.",
        f"{_PAPER}; by class, jaxorder's",
    ),
    Term(
        "since when",
        "The first snapshot from which κ of the test examples stays above chance: its "
        "95 % interval lies above the class null's range. That must hold at all later "
        f"snapshots that have an interval, at {SUSTAINED} or more. “Not yet”: only at "
        f"the last ones, fewer than {SUSTAINED}. “With gaps”: also at earlier ones, or "
        "at earlier ones alone. “Never”: at none.",
        "jaxorder",
    ),
    Term(
        "order reliability",
        "Cronbach's alpha of the members' own accessibilities: the correlation to "
        "expect with the order of as many other members; it is said to be repeatable "
        f"where the interval lies above {HIGH}.",
        "Cronbach 1951",
    ),
    Term(
        "members needed",
        "How many members would bring the reliability to a wanted value, as both ends "
        "of its interval have it; it cannot be told without an interval.",
        "Spearman 1910; Brown 1910",
    ),
    Term(
        "Spearman, disattenuated",
        f"Rank correlation of two models' accessibilities, said to be the same "
        f"examples first where its interval lies above {SHARED}; disattenuated is "
        "divided by the root of the product of both reliabilities, and not clipped "
        "at 1.",
        "Spearman 1904",
    ),
    Term(
        "matched accuracy",
        "Accessibilities only up to the snapshots at which both models have the "
        "same mean test accuracy (the weaker one's last); undecided where the nearest "
        "are more than 2 points apart.",
        "jaxorder; compare Mania et al. 2019",
    ),
    Term(
        "interval",
        "95 %, by leaving out each member in turn (jackknife), on a scale that keeps "
        "it within the range of its measure: Fisher's z of correlations and of κ, "
        f"ln(1 - alpha) of Cronbach's alpha, ln(β - 1); none of fewer than {FEWEST} "
        "members; what is disattenuated has no range. Near chance, intervals are too "
        "wide if anything. Resampling members with "
        "replacement would make duplicates that agree with themselves.",
        "Tukey 1958; Fisher 1921, 1925; Bonett 2002",
    ),
    Term(
        "left out",
        "Members that are not finite at the last snapshot, or not as far as the "
        "foremost; they count in no number.",
        "jaxorder",
    ),
)
