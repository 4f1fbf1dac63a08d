"""A run of networks or learners, from its request to the finished record."""

from pathlib import Path
from typing import Any

import jax

from jaxorder import record
from jaxorder.config import RunConfig
from jaxorder.data import Dataset
from jaxorder.ensemble.devices import Devices
from jaxorder.ensemble.planner import Measure
from jaxorder.errors import RequestError
from jaxorder.files import lock, write_json
from jaxorder.learners import is_learner
from jaxorder.progress.watch import Tick, Watch
from jaxorder.run import learning
from jaxorder.run.block import BlockTraining
from jaxorder.run.description import (
    check_data,
    create,
    machine,
    reopen,
    versions,
    work_layout,
)
from jaxorder.run.folder import CONFIG, Run
from jaxorder.run.growth import make_room, with_members
from jaxorder.run.interruption import Interruption
from jaxorder.run.learning import (
    Learning,
    all_versions,
    create_learning,
    learn_members,
    learning_layout,
    prepare_learner,
)
from jaxorder.run.workload import Workload, prepare

Work = Workload | Learning


def prepared(
    config: RunConfig,
    dataset: Dataset,
    devices: Devices,
    measure: Measure = "if long",
    **given: Any,
) -> Work:
    """Work out a run; `given` are the vectors of labels and the module of `prepare`."""
    if not is_learner(config.model):
        return prepare(config, dataset, devices, measure=measure, **given)
    if given.get("vectors") is not None:
        raise RequestError(
            f"labels: only members that are networks have labels of their own, not "
            f"{config.model}"
        )
    return prepare_learner(config, dataset)


def reopened(
    run: Run,
    dataset: Dataset,
    devices: Devices,
    members: int | None = None,
    module: Any = None,
) -> Work:
    """Work out what is left of a run, or what it takes to grow it to some members."""
    if is_learner(run.name):
        check_data(run, dataset)
        return prepare_learner(with_members(run, members), dataset)
    return reopen(run, dataset, devices, members, module)


def begin(folder: Path, work: Work, watch: Watch) -> Run:
    """Make the folder of a run, and train it."""
    if isinstance(work, Learning):
        create_learning(folder, work)
    else:
        create(folder, work)
    return execute(folder, work, watch)


def execute(path: Path, work: Work, watch: Watch) -> Run:
    """Train what is left of a run.

    Args:
        path: Folder of the run.
        work: Its workload.
        watch: Told the progress.

    Returns:
        The finished run.
    """
    run = Run(path)
    if run.progress.finished:
        return run
    with lock(path), Interruption() as interruption, jax.enable_x64(False):
        if isinstance(work, Learning):
            _same_machine(run, learning.machine(), all_versions())
            make_room(path, work.config.members, lambda: learning_layout(work))
            learn_members(path, work, interruption, watch)
        else:
            _train_blocks(run, work, interruption, watch)
        record.finish(path)
    return Run(path)


def _train_blocks(
    run: Run, work: Workload, interruption: Interruption, watch: Watch
) -> None:
    repeatable = _same_machine(run, machine(work), versions())
    make_room(run.path, work.config.members, lambda: work_layout(work))
    ensemble = work.ensemble()
    for block in work.blocks:
        teller = Teller(work, watch)
        training = BlockTraining(
            run.path, work, ensemble, block, repeatable, interruption, teller
        )
        if not training.complete:
            training.run()


def _same_machine(
    run: Run, machine_now: dict[str, Any], versions_now: dict[str, str]
) -> bool:
    """Whether bits must repeat; where not, the run's description says so."""
    here = {"machine": machine_now, "versions": versions_now}
    if here == {key: run.document[key] for key in here}:
        return True
    others = run.document.get("resumed_on", [])
    if here not in others:
        document = {**run.document, "resumed_on": [*others, here]}
        write_json(run.path / CONFIG, document)
    return False


class Teller:
    """Turns the state of a block's training into ticks for those who watch.

    Args:
        work: What the run does.
        watch: Told the progress.
    """

    def __init__(self, work: Workload, watch: Watch) -> None:
        self._work = work
        self._watch = watch

    def __call__(self, training: BlockTraining) -> None:
        """Tell where the training is."""
        config, recipe = self._work.config, self._work.recipe
        later = config.members - training.first - training.members
        whole = training.seconds_of_all / training.members
        done = training.first * config.epochs
        done += training.members * training.step / recipe.steps_per_epoch
        self._watch(
            Tick(
                model=config.model,
                members=config.members,
                done=done,
                total=config.members * config.epochs,
                examples_per_second=training.examples_per_second,
                train_accuracy=training.accuracy["train"],
                test_accuracy=training.accuracy["test"],
                seconds_left=training.seconds_left + later * whole,
            )
        )
