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
from jaxorder.errors import (
    Interrupted,
    RequestError,
    WorkError,
    given,
    on_command_line,
)

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
Split = Annotated[
    str,
    Parameter(
        help="Examples of which split: train, test, or what further data are called."
    ),
]
OfSource = Literal["train", "test"]
ClassesBy = Literal["name", "index", "none"]
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
    figures: Path | None = None,
    figure_format: Literal["svg", "pdf"] = "svg",
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
    figures
        Folder, new or empty, to write each figure to as a file of its own, with its
        numbers as .csv.
    figure_format
        Of these files.
    """
    from jaxorder.plain import plain
    from jaxorder.progress import chosen
    from jaxorder.report import report as write
    from jaxorder.report.document import document

    if not paths:
        raise RequestError("report: name the folder of a study or a run")
    with chosen(None) as watch:
        watch.phase("writing the report", sound=False)
        file, page = write(paths, out, against, figures, figure_format)
    if json:
        _print_json({"report": str(file), **plain(document(page))})
        return
    print(f"report: {file}")
    if figures is not None:
        print(f"figures: {figures} (index.csv lists them)")


@app.command
def scores(
    path: Path,
    /,
    *,
    out: Path,
    split: Annotated[
        str | None,
        Parameter(
            help="Examples of which split: train, test, or what further data are "
            "called (else test, and train for label issues)."
        ),
    ] = None,
    against: Against = "label",
    epoch: float | None = None,
    gradients: Flag = False,
    label_issues: Flag = False,
    probabilities: Path | None = None,
) -> None:
    """Write one row an example: accessibility, agreement, when it was learned.

    docs/scores.md says what each column means. With label issues, how likely each label
    is wrong, the likeliest errors first.

    Parameters
    ----------
    path
        Folder of a run.
    out
        File to write, .parquet or .csv.
    epoch
        At which EL2N and GraNd are taken (else after a tenth of the training).
    gradients
        Evaluate a kept checkpoint for GraNd.
    label_issues
        Rank likely label errors, in the place of scores.
    probabilities
        File to write held-out probabilities to, too, as cleanlab takes them: .npz.
    """
    from jaxorder import analysis
    from jaxorder.analysis.scores import SCORES
    from jaxorder.analysis.written import new_target
    from jaxorder.run.study import open_run

    if label_issues and (gradients or epoch is not None):
        name = "gradients" if gradients else "epoch"
        raise RequestError(
            f"{given(name)}: of scores, not with {given('label_issues')}; leave one out"
        )
    which = split or ("train" if label_issues else "test")
    run = open_run(path).against(against)
    if label_issues:
        frame = analysis.label_issues(run, which)
    else:
        frame = analysis.scores(run, which, epoch=epoch, gradients=gradients)
    told = ", against the original labels" if against == "original" else ""
    what = "label issues" if label_issues else "scores"
    lines = [f"{what}: {out} ({len(frame)} examples{told})"]
    if probabilities is not None:
        held_out = analysis.held_out_probabilities(run, which)
        new_target(out, *SCORES)  # before the other is written
        analysis.write_probabilities(held_out, probabilities)
        lines.append(f"probabilities: {probabilities} ({len(held_out.label)} examples)")
    analysis.write_scores(frame, out)
    print("\n".join(lines))


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
    """
    from jaxorder.analysis import compare as compare_runs
    from jaxorder.analysis.agreement import Matched, pair_agreement
    from jaxorder.analysis.two_runs import both
    from jaxorder.run.study import open_run

    runs = [open_run(path).against(against) for path in (a, b)]
    found = compare_runs(*runs, split=split)
    agreement = pair_agreement(Matched.of_runs(both(runs[0], runs[1], split)))
    if json:
        _print_json({**found.to_dict(), "agreement": agreement.to_dict()})
    else:
        title = f"{a} - {b}, {split} examples"
        shown = tables.with_intervals(found) | tables.agreement_words(agreement)
        tables.print_document(title, shown)


@app.command
def evaluate(
    path: Path,
    /,
    *,
    data: str,
    split: OfSource = "test",
    name: str,
    steps: str = "kept",
    classes_by: ClassesBy = "name",
    record_examples: int | None = None,
    data_dir: Path | None = None,
    resize: int | None = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Let the kept members of a run predict further data.

    What they predict becomes a group of the run's record, which the other commands take
    as --split NAME. Asked for the same again, it goes on where it stopped.

    Parameters
    ----------
    path
        Folder of a run.
    data
        Source of the data, as for run --data.
    split
        Which split of it.
    name
        What the group is called.
    steps
        kept (all steps of which a checkpoint was kept), last, or steps joined by
        commas.
    classes_by
        Whether a class is the members' class of the same name, or of the same number
        (index); or none, for predictions without labels.
    record_examples
        Predict at most this many examples, stratified.
    data_dir
        Folder of prepared TFDS data sets (else the run's).
    resize
        Resize images to this many pixels a side (else as the run did).
    """
    from jaxorder.cli.documents import evaluation_document
    from jaxorder.progress import chosen
    from jaxorder.run.study import open_run

    run = open_run(path)
    with chosen(not quiet) as watch:
        watch.phase("starting", sound=False)  # JAX takes seconds to import
        from jaxorder.run.evaluation import evaluate as evaluate_run

        evaluate_run(
            run,
            data,
            split,
            name=name,
            steps=_steps(steps),
            classes_by=classes_by,
            record_examples=record_examples,
            data_dir=data_dir,
            resize=resize,
            model=None,
            watch=watch,
        )
    found = evaluation_document(run, name)
    if json:
        _print_json(found)
        return
    tables.print_document(f"{path}, {name}", found)


def _steps(text: str) -> Any:
    """Return the steps that are asked for; texts other than numbers as they are."""
    numbers = text.split(",")
    if all(number.strip().isdecimal() for number in numbers):
        return [int(number) for number in numbers]
    return text


@app.command(name="import")
def import_(
    *files: Path,
    out: Path,
    split: OfSource = "test",
    name: str = "imported",
    json: Json = False,
) -> None:
    """Make a run of predictions that any framework recorded.

    Every command that reads a run then takes it; docs/import.md says what the files
    hold, and how to write them.

    Parameters
    ----------
    files
        A .npz file of arrays, or a .parquet file of rows; or for each member a folder
        of cartography's dynamics_epoch_0.jsonl, ..., or AUM's full_aum_records.csv,
        which are of training examples.
    out
        Folder of the run, which must not exist.
    split
        What `prediction` and `label` are of.
    name
        What the run is called.
    """
    from shlex import join

    from jaxorder.cli.documents import run_document
    from jaxorder.run.imported import from_predictions
    from jaxorder.run.prediction_files import read_predictions
    from jaxorder.run.study import refuse_existing

    refuse_existing(out)
    data = join(map(str, files))
    arrays = {"split": split, "name": name, "data": data} | read_predictions(*files)
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
    for run, document in zip(runs, found, strict=True):
        further = {each.name: str(each) for each in run.further}
        tables.print_document(document["model"], {**document, "further": further})


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
