"""What Python's users call to train: the work of `run`, with its progress shown."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from jaxorder.config import RunConfig
from jaxorder.data import Dataset
from jaxorder.progress import chosen
from jaxorder.progress.watch import Watch, Watcher, watching
from jaxorder.run import training
from jaxorder.run.folder import Run
from jaxorder.run.study import Study


def train(
    config: RunConfig | None = None,
    *,
    out: Path | str,
    data: str | Dataset | None = None,
    labels: np.ndarray | None = None,
    model: Any = None,
    optimizer: Any = None,
    progress: bool | None = None,
    watch: Watcher | None = None,
    **options: Any,
) -> Run:
    """Train the members of one run and record what they predict.

    Args:
        config: What to do; or else `data`, `model` and the fields of `RunConfig` as
            arguments.
        out: Folder of the run, which must not exist.
        data: Source of the data, or the data themselves.
        labels: [vector, example], classes of the training examples: member i is
            trained towards vector i modulo their number, instead of the data's labels,
            which the measures go by. Kept in the record, as `member_label`.
        model: Model string, or a network of your own that returns logits [example
            class] of inputs [example *input]: an instance of a `flax.linen.Module`,
            which is told `training`, `train` or `deterministic` if it takes one of
            these; what makes a `flax.nnx.Module`, its class or a function that takes
            `rngs`, called once a member; or a pair of functions, `init(key, inputs)` to
            variables and `apply(variables, inputs)`, which may also name `train`,
            `rngs` and `mask`, or an object that has them.
        optimizer: Name of the update rule, as `adam` or `optax:lion:b1=0.95`; or any
            optax transformation, which has its own learning rate.
        progress: Whether to show the progress; None shows it in a terminal and in a
            notebook.
        watch: Told the progress instead: a function of a `Tick`, or a `Watch`.
        **options: Fields of `RunConfig`, such as `members`.

    Returns:
        The finished run.

    Raises:
        RequestError: Where the request is wrong; nothing is left on disk.
        Interrupted: Where a signal stopped it; `resume` goes on.
    """
    with _told(progress, watch) as told:
        return training.train(
            config,
            out=out,
            data=data,
            labels=labels,
            model=model,
            optimizer=optimizer,
            watch=told,
            **options,
        )


def study(
    study: training.StudyAsked | None = None,
    models: Sequence[str] = (),
    *,
    out: Path | str,
    progress: bool | None = None,
    watch: Watcher | None = None,
    **options: Any,
) -> Study:
    """Train one run for each model, and record what their members predict.

    Args:
        study: A study file, `study.toml` or the `study.json` of a study; or options
            that all runs share; or nothing, where `options` says all.
        models: Model strings; of a study file the names of the runs to keep (none
            given: all).
        out: Folder of the study, which must not exist.
        progress: Whether to show the progress; None shows it in a terminal and in a
            notebook.
        watch: Told the progress instead: a function of a `Tick`, or a `Watch`.
        **options: Options that win over those of the file, such as `members`.

    Returns:
        The finished study, which yields its runs.

    Raises:
        RequestError: Where the request is wrong; nothing is left on disk.
        Interrupted: Where a signal stopped it; `resume` goes on.
    """
    with _told(progress, watch) as told:
        return training.train_study(study, models, out=out, watch=told, **options)


def resume(
    path: Path | str,
    *,
    data: Dataset | None = None,
    model: Any = None,
    optimizer: Any = None,
    progress: bool | None = None,
    watch: Watcher | None = None,
) -> list[Run]:
    """Go on with a study or a run where it stopped; nothing to do is no error.

    Args:
        path: Folder of the study or run.
        data: The data, where they were given as an object.
        model: The network, where a run's was given as an object.
        optimizer: The optimiser, where a run's was given as an object.
        progress: Whether to show the progress; None shows it in a terminal and in a
            notebook.
        watch: Told the progress instead: a function of a `Tick`, or a `Watch`.

    Returns:
        The finished runs.

    Raises:
        RequestError: Where the folder is neither, or the data, network or optimiser are
            others.
        Interrupted: Where a signal stopped it again.
    """
    with _told(progress, watch) as told:
        return training.resume(
            path, data=data, model=model, optimizer=optimizer, watch=told
        )


def grow(
    path: Path | str,
    members: int,
    *,
    data: Dataset | None = None,
    model: Any = None,
    optimizer: Any = None,
    progress: bool | None = None,
    watch: Watcher | None = None,
) -> list[Run]:
    """Add members to a run, or to each run of a study; those there stay as they are.

    Args:
        path: Folder of the study or run.
        members: Members that each run is to have.
        data: The data, where they were given as an object.
        model: The network, where a run's was given as an object.
        optimizer: The optimiser, where a run's was given as an object.
        progress: Whether to show the progress; None shows it in a terminal and in a
            notebook.
        watch: Told the progress instead: a function of a `Tick`, or a `Watch`.

    Returns:
        The finished runs, as if each had been trained with that many members from the
        beginning, under the plan of those there.

    Raises:
        RequestError: Where the folder is neither, it has as many members or more, or
            the data, network or optimiser are others.
        Interrupted: Where a signal stopped it; `resume` goes on.
    """
    with _told(progress, watch) as told:
        return training.grow(
            path, members, data=data, model=model, optimizer=optimizer, watch=told
        )


@contextmanager
def _told(progress: bool | None, watch: Watcher | None) -> Iterator[Watch]:
    """Give who is told the progress: the user's own, or a display."""
    if watch is not None:
        yield watching(watch)
        return
    with chosen(progress) as display:
        yield display
