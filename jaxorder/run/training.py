"""To train, resume and grow runs and studies; `jaxorder.api` is its face."""

import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from jaxorder.config import (
    RunConfig,
    StudyAsked,
    StudyConfig,
    folder_name,
    refuse_unknown,
    study_asked,
)
from jaxorder.data import DataOptions, Dataset
from jaxorder.data.further import Further, Known, further, named_split
from jaxorder.data.laid_out import LaidOut
from jaxorder.ensemble.devices import spread_over_cores
from jaxorder.ensemble.optax_rules import object_name as optimizer_name
from jaxorder.ensemble.planner import Measure
from jaxorder.errors import Interrupted, RequestError, call, given
from jaxorder.files import lock, new_folder
from jaxorder.models import object_name
from jaxorder.options import names_in
from jaxorder.progress.watch import UNWATCHED, Watch, Watcher, watching
from jaxorder.progress.wording import duration
from jaxorder.run.execution import begin, execute
from jaxorder.run.folder import Run, is_run
from jaxorder.run.growth import check_growth, describe_growth
from jaxorder.run.layout import LabelVectors
from jaxorder.run.objects import NAMED, Objects
from jaxorder.run.room import check_room, long_warning
from jaxorder.run.study import Study, is_study, open_runs, refuse_existing, write_study
from jaxorder.run.work import Work
from jaxorder.run.works import new_work, planned_devices, work_left

# ---- one run


def train(
    config: RunConfig | None = None,
    *,
    out: Path | str,
    data: str | Dataset | None = None,
    labels: np.ndarray | None = None,
    model: Any = None,
    optimizer: Any = None,
    watch: Watcher = UNWATCHED,
    **options: Any,
) -> Run:
    """Train the members of one run and record what they predict.

    For what it takes, returns and raises see `jaxorder.api.train`, which shows the
    progress; here `watch` is told it.
    """
    dataset, objects = data if isinstance(data, Dataset) else None, NAMED
    if config is None:
        name = data.name if isinstance(data, Dataset) else data or ""
        refuse_unknown(options)
        named, objects = _named(model, optimizer)
        config = RunConfig(data=name, **named, **options)
    elif options or isinstance(data, str) or (model, optimizer) != (None, None):
        raise RequestError("train takes a config or options, not both")
    out, watch = Path(out), watching(watch)
    refuse_existing(out)
    devices = spread_over_cores(config.members)
    laid_out = _Loader(watch, dataset).laid_out(config)
    vectors = None if labels is None else check_vectors(labels, laid_out.dataset)
    (work,) = _ready(
        [new_work(config, laid_out, devices, vectors, objects)], "if long", watch, out
    )
    with _resumable(out):
        return begin(out, work, watch)


def check_vectors(labels: np.ndarray, dataset: Dataset) -> LabelVectors:
    """Return vectors of labels as they are recorded.

    Raises:
        RequestError: Where they are not classes of the training examples.
    """
    found, examples = np.asarray(labels), len(dataset.train.labels)
    classes = dataset.num_classes
    fits = found.ndim == 2 and len(found) and found.shape[1] == examples
    if not fits or found.dtype.kind not in "iu":
        raise RequestError(
            f"{given('labels')}: wanted whole numbers [vector, {examples}], a vector "
            f"of the training examples' classes, got {found.dtype} {list(found.shape)}"
        )
    if found.min() < 0 or found.max() >= classes:
        raise RequestError(
            f"{given('labels')}: wanted classes from 0 to {classes - 1}, got "
            f"{found.min()} to {found.max()}"
        )
    return found.astype(np.int32)


def _named(model: Any, optimizer: Any) -> tuple[dict[str, Any], Objects]:
    """Return what model and optimiser are called, and those that are objects."""
    if model is None:
        raise RequestError(
            f"{given('model')}: give a model string or a network of your own"
        )
    names, objects = {"model": model, "optimizer": optimizer}, NAMED
    if not isinstance(model, str):
        names["model"] = object_name(model)
        objects = objects._replace(model=model)
    if not (optimizer is None or isinstance(optimizer, str)):
        names["optimizer"] = optimizer_name(optimizer)
        objects = objects._replace(optimizer=optimizer)
    return names, objects


# ---- studies


def train_study(
    study: StudyAsked | None = None,
    models: Sequence[str] = (),
    *,
    out: Path | str,
    watch: Watcher = UNWATCHED,
    **options: Any,
) -> Study:
    """Train one run for each model, and record what their members predict.

    For what it takes, returns and raises see `jaxorder.api.study`, which shows the
    progress; here `watch` is told it.
    """
    out, watch = Path(out), watching(watch)
    refuse_existing(out)
    config = study_asked(study, models, options)
    works = plan_study(config, "if long", watch, out)
    with new_folder(out) as folder:
        write_study(folder, config)
    with _resumable(out):
        for work in works:
            begin(out / folder_name(work.config.key), work, watch)
    return Study(out)


def plan_study(
    config: StudyConfig,
    measure: Measure = "if long",
    watch: Watch = UNWATCHED,
    out: Path | None = None,
) -> list[Work]:
    """Work out what a study will do; train and write nothing.

    Every run is checked before ways are tried for the first.

    Args:
        config: What is asked for.
        measure: Whether to try ways to run, unless the options name one.
        watch: Told what is done.
        out: Folder that the study would be written to, if any.

    Returns:
        One work a run.

    Raises:
        RequestError: Where the request is wrong.
        Interrupted: Where a signal stopped it.
    """
    devices = spread_over_cores(max(run.members for run in config.runs))
    loader = _Loader(watch)
    works = [new_work(run, loader.laid_out(run), devices) for run in config.runs]
    return _ready(works, measure, watch, out)


def _ready(
    works: Sequence[Work], measure: Measure, watch: Watch, out: Path | None = None
) -> list[Work]:
    """Return works checked and planned, and tell of each how it will be done."""
    watch.phase("checking", sound=False)
    with _before_training():
        check_room(works, out)
        checked = [work.checked() for work in works]
        ready = [work.planned(measure, watch) for work in checked]
    for work in ready:
        _tell(work, watch)
    return ready


def _tell(work: Work, watch: Watch) -> None:
    """Say how a run will be trained, and about how long it takes."""
    # what is left of a run that was begun takes less than was planned
    seconds = None if work.done is not None else work.plan.seconds
    about = f"; about {duration(seconds)}" if seconds else ""
    watch.note(f"{work.config.key}: {work.plan.why}{about}")
    for note in work.notes:
        watch.note(note)
    if warning := long_warning(work):
        watch.warn(warning)


class _Loader:
    """Loads each data set that runs ask for once.

    Args:
        watch: Told what is done.
        dataset: The data, where they were given as an object.
    """

    def __init__(self, watch: Watch, dataset: Dataset | None = None) -> None:
        self._watch, self._given = watch, dataset
        self._loaded: dict[tuple[Any, ...], Dataset] = {}
        self._laid_out: dict[tuple[Any, ...], LaidOut] = {}

    def laid_out(self, config: RunConfig) -> LaidOut:
        """Return the data of a run as its members are given them."""
        asked = tuple(getattr(config, name) for name in names_in(DataOptions))
        key = (asked, config.record_examples, config.probe, config.classes_by)
        if key not in self._laid_out:
            dataset = self._given or self._dataset(asked, config)
            probes = self._probes(config, Known.of(dataset))
            self._laid_out[key] = LaidOut(dataset, config.record_examples, probes)
        return self._laid_out[key]

    def _probes(self, config: RunConfig, known: Known) -> dict[str, Further]:
        found = {}
        for name, source in config.probes.items():
            self._watch.phase("reading data", sound=False)
            asked = given("probe", f"{name}={source}")
            wanted = DataOptions(
                data=source, data_dir=config.data_dir, resize=config.resize
            )
            data = named_split(wanted, "test", known.words, asked)
            by, most = config.classes_by, config.record_examples
            found[name] = further(data, known, by, most)
            for note in found[name].notes:
                self._watch.note(f"{name}: {note}")
        return found

    def _dataset(self, asked: tuple[Any, ...], config: RunConfig) -> Dataset:
        if asked not in self._loaded:
            self._watch.phase("reading data", sound=False)
            self._loaded[asked] = config.load()
        return self._loaded[asked]


# ---- to go on


def resume(
    path: Path | str,
    *,
    data: Dataset | None = None,
    model: Any = None,
    optimizer: Any = None,
    watch: Watcher = UNWATCHED,
) -> list[Run]:
    """Go on with a study or a run where it stopped; nothing to do is no error.

    For what it takes, returns and raises see `jaxorder.api.resume`, which shows the
    progress; here `watch` is told it.
    """
    path, watch = Path(path), watching(watch)
    objects = Objects(model, optimizer)
    with _resumable(path):
        if not is_study(path):
            asked = {run.path: run.config for run in open_runs(path)}
            return _go_on(asked, data, objects, watch)
        if objects != NAMED:
            part = "optimizer" if model is None else "model"
            raise RequestError(f"{path}: a study; give {part} for one of its runs")
        study = Study(path)
        configs = zip(study.folders.values(), study.config.runs, strict=True)
        return _go_on(dict(configs), data, NAMED, watch)


def _go_on(
    asked: Mapping[Path, RunConfig],
    data: Dataset | None,
    objects: Objects,
    watch: Watch,
) -> list[Run]:
    """Train what is left of runs, begun or not, in their order."""
    begun = {folder: Run(folder) for folder in asked if is_run(folder)}
    _check_free(begun)
    finished = {folder for folder, run in begun.items() if run.progress.finished}
    left = [folder for folder in asked if folder not in finished]
    if left:
        members = max(asked[folder].members for folder in left)
        devices = spread_over_cores(members, planned_devices([*begun.values()]))
        loader = _Loader(watch, data)
        works = [
            work_left(run, loader.laid_out(run.config), devices, objects=objects)
            if (run := begun.get(folder))
            else new_work(asked[folder], loader.laid_out(asked[folder]), devices)
            for folder in left
        ]
        above = left[0].parent  # of one study, or of the one run
        ready = _ready(works, "if long", watch, above)
        for folder, work in zip(left, ready, strict=True):
            (execute if folder in begun else begin)(folder, work, watch)
    return [Run(folder) for folder in asked]


def grow(
    path: Path | str,
    members: int,
    *,
    data: Dataset | None = None,
    model: Any = None,
    optimizer: Any = None,
    watch: Watcher = UNWATCHED,
) -> list[Run]:
    """Add members to a run, or to each run of a study; those there stay as they are.

    For what it takes, returns and raises see `jaxorder.api.grow`, which shows the
    progress; here `watch` is told it.
    """
    path, watch = Path(path), watching(watch)
    runs = open_runs(path)
    _check_free(run.path for run in runs)
    for run in runs:
        check_growth(run, members)
    devices = spread_over_cores(members, planned_devices(runs))
    loader = _Loader(watch, data)
    objects = Objects(model, optimizer)
    works = [
        work_left(run, loader.laid_out(run.config), devices, members, objects)
        for run in runs
    ]
    ready = _ready(works, "if long", watch, path)
    with _resumable(path):
        grown = [_grown(r.path, w, watch) for r, w in zip(runs, ready, strict=True)]
    for missing in (each.missing for run in grown for each in run.further):
        if missing:
            watch.note(missing)
    return grown


def _check_free(folders: Iterable[Path]) -> None:
    """Refuse runs that another process is training."""
    for folder in folders:
        with lock(folder):
            pass


def _grown(path: Path, work: Work, watch: Watch) -> Run:
    with lock(path):
        describe_growth(path, work.config.members)
    return execute(path, work, watch)


# ---- interruptions


@contextmanager
def _resumable(path: Path) -> Iterator[None]:
    """Let an interruption say what to resume: the study, where there is one."""
    try:
        yield
    except Interrupted as error:
        message = f"{error.message}; go on with: {call('resume', path)}"
        raise Interrupted(error.signal, message) from None


@contextmanager
def _before_training() -> Iterator[None]:
    """Let an interruption say that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            signal.SIGINT, "interrupted before the training began; nothing was written"
        ) from None


__all__ = ["grow", "plan_study", "resume", "train", "train_study"]
