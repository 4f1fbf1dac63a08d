"""What users ask for: to train, resume and grow runs and studies."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from jaxorder.config import (
    SCHEMA,
    RunConfig,
    StudyOptions,
    check_models,
    folder_name,
    options_from_json,
    to_json,
)
from jaxorder.data import Dataset, Transformations, load
from jaxorder.ensemble.devices import spread_over_cores
from jaxorder.ensemble.planner import Measure
from jaxorder.errors import Interrupted, RequestError
from jaxorder.files import lock, new_folder, refuse_existing, write_json
from jaxorder.learners import is_learner
from jaxorder.models import object_name
from jaxorder.progress.watch import UNWATCHED, Watch, Watcher, watching
from jaxorder.run.arrange import Vectors
from jaxorder.run.execution import Work, begin, execute, prepared, reopened
from jaxorder.run.folder import (
    STUDY,
    Run,
    is_run,
    is_study,
    open_runs,
    read_study,
)
from jaxorder.run.growth import check_growth, describe_growth


def train(
    config: RunConfig | None = None,
    *,
    out: Path | str,
    data: str | Dataset | None = None,
    labels: np.ndarray | None = None,
    model: Any = None,
    watch: Watcher = UNWATCHED,
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
        model: Model string, or a network of your own: an instance of a
            `flax.linen.Module` that is called with inputs [example *input], and with
            `training`, `train` or `deterministic` if it takes one of these, and
            returns logits [example class].
        watch: Told the progress.
        **options: Fields of `RunConfig`, such as `members`.

    Returns:
        The finished run.

    Raises:
        RequestError: Where the request is wrong; nothing is left on disk.
        Interrupted: Where a signal stopped it; `resume` goes on.
    """
    dataset, module = data if isinstance(data, Dataset) else None, None
    if config is None:
        name = dataset.name if dataset is not None else data
        module, model = _named_module(model)
        config = RunConfig(data=str(name), model=model, **options)
    elif options or isinstance(data, str) or model is not None:
        raise RequestError("train takes a config or options, not both")
    out = Path(out)
    refuse_existing(out)
    devices = spread_over_cores(config.members)
    dataset = dataset or load_for(config)
    vectors = None if labels is None else check_vectors(labels, dataset)
    work = prepared(config, dataset, devices, vectors=vectors, module=module)
    with _resumable(out):
        return begin(out, work, watching(watch))


def check_vectors(labels: np.ndarray, dataset: Dataset) -> Vectors:
    """Return vectors of labels as they are recorded.

    Raises:
        RequestError: Where they are not classes of the training examples.
    """
    found, examples = np.asarray(labels), len(dataset.train.labels)
    classes = dataset.num_classes
    fits = found.ndim == 2 and len(found) and found.shape[1] == examples
    if not fits or found.dtype.kind not in "iu":
        raise RequestError(
            f"labels: wanted whole numbers [vector, {examples}], a vector of the "
            f"training examples' classes, got {found.dtype} {list(found.shape)}"
        )
    if found.min() < 0 or found.max() >= classes:
        raise RequestError(
            f"labels: wanted classes from 0 to {classes - 1}, got {found.min()} to "
            f"{found.max()}"
        )
    return found.astype(np.int32)


def _named_module(model: Any) -> tuple[Any, str]:
    """Return a module given as an object, if it is one, and the model string."""
    if model is None:
        raise RequestError("model: give a model string or a flax.linen.Module")
    if isinstance(model, str):
        return None, model
    return model, object_name(model)


@contextmanager
def _resumable(path: Path) -> Iterator[None]:
    """Let an interruption say what to resume: the study, where there is one."""
    try:
        yield
    except Interrupted as error:
        message = f"{error}; go on with: jaxorder resume {path}"
        raise Interrupted(error.signal, message) from None


def run_study(
    options: StudyOptions,
    models: Sequence[str],
    out: Path,
    watch: Watcher = UNWATCHED,
    planned: Callable[[Work], None] = lambda work: None,
) -> list[Run]:
    """Train one run for each model, on the same data.

    Args:
        options: What all runs share.
        models: Model strings, all different.
        out: Folder of the study, which must not exist.
        watch: Told the progress.
        planned: Told what each run will do, before the first.

    Returns:
        The finished runs, in the order of the models.

    Raises:
        RequestError: Where the request is wrong; nothing is left on disk.
        Interrupted: Where a signal stopped it; `resume` goes on.
    """
    refuse_existing(out)
    works = plan_study(options, models)
    for work in works:
        planned(work)
    with new_folder(out) as folder:
        write_json(
            folder / STUDY,
            {"schema": SCHEMA, "models": list(models), "options": to_json(options)},
        )
    with _resumable(out):
        return [
            begin(out / folder_name(w.config.model), w, watching(watch)) for w in works
        ]


def plan_study(
    options: StudyOptions, models: Sequence[str], measure: Measure = "if long"
) -> list[Work]:
    """Work out what a study will do; train and write nothing.

    Args:
        options: What all runs share.
        models: Model strings, all different.
        measure: Whether to try ways to run, unless the options name one.

    Returns:
        One workload a model.

    Raises:
        RequestError: Where the request is wrong.
    """
    check_models(models)
    devices = spread_over_cores(options.members)
    dataset = load_for(options)
    configs = [RunConfig.of_study(options, model) for model in models]
    return [prepared(c, dataset, devices, measure) for c in configs]


def resume(
    path: Path | str,
    *,
    data: Dataset | None = None,
    model: Any = None,
    watch: Watcher = UNWATCHED,
) -> list[Run]:
    """Go on with a study or a run where it stopped; nothing to do is no error.

    Args:
        path: Folder of the study or run.
        data: The data, where they were given as an object.
        model: The Linen module, where a run's was given as an object.
        watch: Told the progress.

    Returns:
        The finished runs.

    Raises:
        RequestError: Where the folder is neither, or the data or module are others.
        Interrupted: Where a signal stopped it again.
    """
    path = Path(path)
    with _resumable(path):
        if is_study(path):
            if model is not None:
                raise RequestError(f"{path}: a study; give model for one of its runs")
            return _resume_study(path, data, watching(watch))
        return [_resume_run(path, data, model, watching(watch))]


def grow(
    path: Path | str,
    members: int,
    *,
    data: Dataset | None = None,
    model: Any = None,
    watch: Watcher = UNWATCHED,
) -> list[Run]:
    """Add members to a run, or to each run of a study; those there stay as they are.

    Args:
        path: Folder of the study or run.
        members: Members that each run is to have.
        data: The data, where they were given as an object.
        model: The Linen module, where a run's was given as an object.
        watch: Told the progress.

    Returns:
        The finished runs, as if each had been trained with so many members from the
        beginning, under the plan of those there.

    Raises:
        RequestError: Where the folder is neither, it has as many members or more, or
            the data or module are others.
        Interrupted: Where a signal stopped it; `resume` goes on.
    """
    path = Path(path)
    runs = open_runs(path)
    for run in runs:
        check_growth(run, members)
    devices = spread_over_cores(members, _planned_devices(runs))
    dataset = data or load_for(runs[0].config)
    works = [reopened(run, dataset, devices, members, model) for run in runs]
    with _resumable(path):
        return [
            _grown(r.path, w, watching(watch)) for r, w in zip(runs, works, strict=True)
        ]


def _grown(path: Path, work: Work, watch: Watch) -> Run:
    with lock(path):
        describe_growth(path, work.config.members)
    return execute(path, work, watch)


def _resume_run(path: Path, data: Dataset | None, model: Any, watch: Watch) -> Run:
    (run,) = open_runs(path)
    if run.progress.finished:
        return run
    devices = spread_over_cores(run.config.members, _planned_devices([run]))
    dataset = data or load_for(run.config)
    work = reopened(run, dataset, devices, module=model)
    return execute(path, work, watch)


def _resume_study(path: Path, data: Dataset | None, watch: Watch) -> list[Run]:
    document = read_study(path)
    options = options_from_json(document["options"])
    folders = {model: path / folder_name(model) for model in document["models"]}
    begun = [Run(folder) for folder in folders.values() if is_run(folder)]
    if len(begun) == len(folders) and all(run.progress.finished for run in begun):
        return begun
    devices = spread_over_cores(options.members, _planned_devices(begun))
    dataset = data or load_for(options)
    runs = []
    for model, folder in folders.items():
        if is_run(folder):
            work = reopened(Run(folder), dataset, devices)
            runs.append(execute(folder, work, watch))
        else:
            config = RunConfig.of_study(options, model)
            runs.append(begin(folder, prepared(config, dataset, devices), watch))
    return runs


def _planned_devices(runs: Sequence[Run]) -> int | None:
    networks = [run for run in runs if not is_learner(run.name)]
    return max((run.document["plan"]["devices"] for run in networks), default=None)


def load_for(options: StudyOptions) -> Dataset:
    """Return the data that options ask for, transformed as they ask."""
    names = [field.name for field in dataclasses.fields(Transformations)]
    wanted = Transformations(**{name: getattr(options, name) for name in names})
    return load(options.data, data_dir=options.data_dir, wanted=wanted)


__all__ = ["grow", "plan_study", "resume", "run_study", "train"]
