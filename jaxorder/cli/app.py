"""The commands, and what they print and return.

Each imports what it needs when it runs: reading a record loads no JAX.
"""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import (
    App,
    CycloptsError,
    Group,
    Parameter,
)

from jaxorder import __version__
from jaxorder.cli import options, tables
from jaxorder.cli.suggestions import unparsed
from jaxorder.config import SCHEMA, study_asked
from jaxorder.errors import Interrupted, RequestError, WorkError, on_command_line

if TYPE_CHECKING:
    from jaxorder.analysis import Results
    from jaxorder.progress.watch import Watch
    from jaxorder.report.shown import Page


app = App(
    name="jaxorder",
    help="What networks learn, in which order, and whether they agree.",
    help_format="plaintext",
    version=__version__,
    default_parameter=Parameter(negative=(), consume_multiple=True),
    group_parameters=Group("Options", validator=options.refuse_rounding, sort_key=0),
)
data_app = App(name="data", help="List data sets, look at one, or prepare one.")
app.command(data_app)

Flag = Annotated[bool, Parameter(show_default=False)]
Json = Annotated[
    bool,
    Parameter(name="--json", help="Print one JSON document.", show_default=False),
]
Quiet = Annotated[bool, Parameter(help="Show no progress.", show_default=False)]
Models = Annotated[
    list[str] | None,
    Parameter(
        help="Architectures or learners, NAME[:key=value,...], as `jaxorder models` "
        "lists them; of a study file, the names of those to train (else all)."
    ),
]
Split = Literal["train", "test"]
Against = Annotated[
    Literal["label", "original"],
    Parameter(
        help="What counts as right where labels were changed: what was trained "
        "towards, or the original."
    ),
]


def main(arguments: list[str] | None = None) -> int:
    """Run a command line.

    Args:
        arguments: Words after the program's name; None takes the process's.

    Returns:
        0 done; 1 the work failed; 2 the request was wrong, one line on stderr; 130 or
        143 interrupted and resumable.
    """
    words = sys.argv[1:] if arguments is None else arguments
    try:
        app(words, print_error=False, exit_on_error=False, result_action="return_value")
    except CycloptsError as error:
        return _complain(unparsed(error, words), 2)
    except RequestError as error:
        return _complain(on_command_line(error), 2)
    except BrokenPipeError:  # as of `| head`: nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (WorkError, OSError) as error:
        return _complain(on_command_line(error), 1)
    except Interrupted as error:
        return _complain(on_command_line(error), 128 + error.signal)
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    return 0


def _complain(error: object, code: int) -> int:
    print("jaxorder: " + " ".join(str(error).split()), file=sys.stderr)
    return code


@app.command
def run(
    study: Path | None = None,
    /,
    *,
    models: Models = None,
    out: Path,
    quiet: Quiet = False,
    json: Json = False,
    data: options.Data = None,
    training: options.Training = None,
    members: options.Members = None,
    recording: options.Recording = None,
    execution: options.Execution = None,
) -> None:
    """Train an ensemble for each model, record what every member predicts, and report.

    Parameters
    ----------
    study
        A study file: options, and each model's own. Options given here win.
    out
        Folder of the study, which must not exist.
    """
    from jaxorder.progress import chosen
    from jaxorder.run.study import refuse_existing

    refuse_existing(out)
    asked = options.given_in(data, training, members, recording, execution)
    config = study_asked(study, models or [], asked)
    with chosen(not quiet) as watch:
        watch.phase("starting", sound=False)  # JAX takes seconds to import
        from jaxorder.run.training import train_study

        train_study(config, out=out, watch=watch)
        told = _reported(out, watch)
    _conclude(out, *told, json)


@app.command
def resume(path: Path, /, *, quiet: Quiet = False, json: Json = False) -> None:
    """Go on with a study or a run where it stopped; nothing to do is no error.

    Parameters
    ----------
    path
        Folder of the study or run.
    """
    from jaxorder.progress import chosen

    with chosen(not quiet) as watch:
        watch.phase("starting", sound=False)
        from jaxorder.run.training import resume

        resume(path, watch=watch)
        told = _reported(path, watch)
    _conclude(path, *told, json)


@app.command
def grow(
    path: Path, /, *, members: int, quiet: Quiet = False, json: Json = False
) -> None:
    """Add members to a run, or to each run of a study, and report.

    Those there stay as they are; the run becomes what it would have been with that many
    members from the beginning.

    Parameters
    ----------
    path
        Folder of the study or run.
    members
        Members that each run is to have.
    """
    from jaxorder.progress import chosen

    with chosen(not quiet) as watch:
        watch.phase("starting", sound=False)
        from jaxorder.run.training import grow

        grow(path, members, watch=watch)
        told = _reported(path, watch)
    _conclude(path, *told, json)


def _reported(path: Path, watch: "Watch") -> tuple[Path, "Page"]:
    """Write the report of a finished study."""
    watch.phase("writing the report", sound=False)
    from jaxorder.report import report

    return report([path])


def _conclude(path: Path, file: Path, page: "Page", as_json: bool) -> None:
    """Print the summary of a finished study, whose report is written."""
    if as_json:
        _print_json(_summary_document(path, file, page.results))
    else:
        tables.print_summary(page.results.summary, page.results.pairs_of("test"))
        print(f"report: {file}")


def _summary_document(path: Path, file: Path, results: "Results") -> dict[str, Any]:
    from jaxorder.plain import plain
    from jaxorder.report.document import pair_document

    return {
        "path": str(path),
        "report": str(file),
        "runs": [plain(row.to_dict()) for row in results.summary],
        "pairs": [pair_document(pair) for pair in results.pairs_of("test")],
    }


@app.command
def report(
    *paths: Path,
    out: Path | None = None,
    against: Against = "label",
    json: Json = False,
) -> None:
    """Write the report of studies or runs, also of unfinished ones.

    As JSON, every number behind the page.

    Parameters
    ----------
    paths
        Folders of studies or runs.
    out
        File to write (else report.html in the one folder given).
    """
    from jaxorder.plain import plain
    from jaxorder.progress import chosen
    from jaxorder.report import report as write
    from jaxorder.report.document import document

    if not paths:
        raise RequestError("report: name the folder of a study or a run")
    with chosen(None) as watch:
        watch.phase("writing the report", sound=False)
        file, page = write(paths, out, against)
    if json:
        _print_json({"report": str(file), **plain(document(page))})
    else:
        print(f"report: {file}")


@app.command
def scores(
    path: Path, /, *, out: Path, split: Split = "test", against: Against = "label"
) -> None:
    """Write one row an example: accessibility, agreement, when it was learned.

    Parameters
    ----------
    path
        Folder of a run.
    out
        File to write, .parquet or .csv.
    split
        Examples of which split.
    """
    from jaxorder.analysis import scores as score
    from jaxorder.analysis import write_scores
    from jaxorder.run.study import open_run

    frame = score(open_run(path).against(against), split)
    write_scores(frame, out)
    told = ", against the original labels" if against == "original" else ""
    print(f"scores: {out} ({len(frame)} examples{told})")


@app.command
def compare(
    a: Path,
    b: Path,
    /,
    *,
    split: Split = "test",
    against: Against = "label",
    json: Json = False,
) -> None:
    """Compare the order in which two runs learn the same examples.

    Parameters
    ----------
    a
        Folder of a run.
    b
        Folder of another.
    split
        Examples of which split.
    """
    from jaxorder.analysis import compare as compare_runs
    from jaxorder.analysis.agreement import Matched, pair_agreement
    from jaxorder.analysis.two_runs import both
    from jaxorder.run.study import open_run

    runs = [open_run(path).against(against) for path in (a, b)]
    found = compare_runs(*runs, split=split)
    agreement = pair_agreement(Matched.of_runs(both(*runs, split)))
    if json:
        _print_json({**found.to_dict(), "agreement": agreement.to_dict()})
    else:
        title = f"{a} - {b}, {split} examples"
        shown = tables.with_intervals(found) | tables.agreement_words(agreement)
        tables.print_document(title, shown)


@app.command(name="import")
def import_(
    file: Path,
    /,
    *,
    out: Path,
    split: Split = "test",
    name: str = "imported",
    json: Json = False,
) -> None:
    """Make a run of predictions that any framework recorded.

    Every command that reads a run then takes it; docs/import.md says what the file
    holds, and how to write it.

    Parameters
    ----------
    file
        A .npz file of arrays, or a .parquet file of rows.
    out
        Folder of the run, which must not exist.
    split
        What `prediction` and `label` are of.
    name
        What the run is called.
    """
    from jaxorder.cli.documents import run_document
    from jaxorder.run.imported import from_predictions
    from jaxorder.run.prediction_files import read_predictions
    from jaxorder.run.study import refuse_existing

    refuse_existing(out)
    arrays = {"split": split, "name": name, "data": str(file)} | read_predictions(file)
    made = from_predictions(**arrays, out=out)
    if json:
        _print_json(run_document(made))
    else:
        print(f"run: {out} ({made.progress.members} members); see `jaxorder report`")


@app.command
def info(path: Path, /, *, json: Json = False, verify: Flag = False) -> None:
    """Say what a study or run is, and how far.

    Parameters
    ----------
    path
        Folder of a study or run.
    verify
        Read all of the record and of the checkpoints, and check them.
    """
    from jaxorder.cli.documents import run_document, verify_run
    from jaxorder.run.study import open_runs

    runs = open_runs(path)
    found = [run_document(r) | (verify_run(r) if verify else {}) for r in runs]
    if json:
        _print_json({"path": str(path), "runs": found})
        return
    for document in found:
        tables.print_document(document["model"], document)


@app.command
def plan(
    study: Path | None = None,
    /,
    *,
    models: Models = None,
    out: Path | None = None,
    json: Json = False,
    data: options.Data = None,
    training: options.Training = None,
    members: options.Members = None,
    recording: options.Recording = None,
    execution: options.Execution = None,
) -> None:
    """Say what `run` would do: how, how long, memory, disk; trains nothing.

    The ways to run that suit are tried for some steps each, and the result is kept.

    Parameters
    ----------
    study
        A study file, as for `run`.
    out
        Folder that `run` would write to: whether its disk has room is checked.
    """
    from jaxorder.progress import chosen

    asked = options.given_in(data, training, members, recording, execution)
    config = study_asked(study, models or [], asked)
    with chosen(None) as watch:
        watch.phase("starting", sound=False)
        from jaxorder.run.training import plan_study

        works = plan_study(config, "always", watch, out)
    found = [work.plan_document() for work in works]
    if json:
        _print_json({"runs": found})
        return
    for document in found:
        tables.print_plan(document)


@app.command
def models(*, names: Flag = False, json: Json = False) -> None:
    """List architectures and learners, their keys with defaults, and how they train.

    Parameters
    ----------
    names
        Print the names alone.
    """
    from jaxorder.cli.documents import model_documents

    found = model_documents()
    if json:
        _print_json({"models": found})
        return
    if names:
        print("\n".join(tables.model_names(found)))
        return
    tables.print_models(found)


@data_app.command(name="list")
def list_data(*, data_dir: Path | None = None, json: Json = False) -> None:
    """List the data sets by name, and whether they are there.

    Parameters
    ----------
    data_dir
        Folder of prepared TFDS data sets (else TFDS's own).
    """
    from jaxorder.data import catalog
    from jaxorder.plain import plain

    entries = catalog(data_dir)
    if json:
        _print_json({"data": [plain(entry) for entry in entries]})
        return
    columns = ("name", "train", "test", "classes", "there", "what")
    rows = [
        (
            entry.name,
            *(tables.value(n) for n in (entry.train, entry.test, entry.classes)),
            "yes" if entry.available else "no",
            entry.description,
        )
        for entry in entries
    ]
    tables.print_table("Data sets", columns, rows)


@data_app.command(name="info")
def describe_data(
    source: str,
    /,
    *,
    data_dir: Path | None = None,
    resize: int | None = None,
    out: Path | None = None,
    json: Json = False,
) -> None:
    """Say what a data set holds, and show examples of each class.

    Parameters
    ----------
    source
        Source of the data, as for run --data.
    data_dir
        Folder of prepared TFDS data sets (else TFDS's own).
    resize
        Resize images to this many pixels a side.
    out
        Picture of examples to write: .png, .svg or .pdf.
    """
    from jaxorder.cli.documents import data_document
    from jaxorder.cli.draw import draw_grid, sketch
    from jaxorder.data import load

    dataset = load(source, data_dir=data_dir, resize=resize)
    found = data_document(dataset)
    if out is not None:
        draw_grid(dataset, out)
        found["picture"] = str(out)
    if json:
        _print_json(found)
        return
    tables.print_document(source, found)
    print("\n".join(sketch(dataset)))


@data_app.command(name="prepare")
def prepare_data(
    name: str,
    /,
    *,
    from_: Annotated[Path | None, Parameter(name="--from")] = None,
    data_dir: Path | None = None,
    json: Json = False,
) -> None:
    """Prepare mnist, fashion_mnist, cifar10 or cifar100 for TFDS, without TensorFlow.

    Parameters
    ----------
    name
        Name of the TFDS data set.
    from_
        Folder of the official files (else they are downloaded).
    data_dir
        Folder of prepared TFDS data sets to write to (else TFDS's own).
    """
    from jaxorder.data.prepare import prepare

    path = prepare(
        name, data_dir, from_, say=lambda line: None if json else print(line)
    )
    if json:
        _print_json({"name": name, "path": str(path)})


def _print_json(document: dict[str, Any]) -> None:
    print(json.dumps({"schema": SCHEMA, **document}, indent=1, allow_nan=False))
