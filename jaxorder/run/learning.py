"""A run of a learner that is no network: what it will do, and the doing.

A block is one member, trained by a process from nothing to its end, recorded and then
committed; a member that was not committed is trained again, to the same bits.
"""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped

from jaxorder import record
from jaxorder.config import (
    SCHEMA,
    RunConfig,
    option_name,
    parse_vary,
    snapshot_steps,
    to_json,
)
from jaxorder.data import Dataset
from jaxorder.ensemble.devices import RANDOM, cores, processor
from jaxorder.ensemble.subsets import most_examples
from jaxorder.errors import Interrupted, RequestError, WorkError, given
from jaxorder.keys import Keys
from jaxorder.learners import Learner, learner, options_text
from jaxorder.learners.inputs import matrices
from jaxorder.learners.members import (
    check_examples,
    check_members,
    member,
    what_differs,
)
from jaxorder.learners.problem import Fit
from jaxorder.learners.work import Learned, Member, Task, learn_all
from jaxorder.progress.watch import Tick, Watch
from jaxorder.run.description import describe_data, versions, write_run
from jaxorder.run.interruption import Interruption
from jaxorder.run.layout import layout
from jaxorder.run.workload import choose_recorded

PACKAGES = ("scikit-learn", "scipy", "joblib")
NO_TIME = (
    "the learner has no time of its own: a step is the number of training examples, in "
    "the member's own order, that it was fitted to"
)


@dataclass(frozen=True)
class Processes:
    """How members are trained.

    Attributes:
        why: In words.
        processes: At most so many members at once.
        block: Members that are committed together.
        seconds: Nothing is known of the time beforehand.
    """

    why: str
    processes: int
    block: int = 1
    seconds: float | None = None


@dataclass(frozen=True)
class Learning:
    """A run of a learner, ready to be begun or gone on with.

    Attributes:
        config: Options.
        dataset: Training and test examples.
        learner: What is known of the learner.
        fit: The learner with its keys.
        length: Rounds, trees, epochs or training examples of the last snapshot.
        steps: Those of the snapshots.
        recorded: Positions of the recorded examples within each split.
        plan: How members are trained.
    """

    config: RunConfig
    dataset: Dataset
    learner: Learner
    fit: Fit
    length: int
    steps: list[int]
    recorded: dict[str, Int[np.ndarray, "_"]]
    plan: Processes

    @property
    def evaluated(self) -> int:
        """Examples predicted at a snapshot, of both splits."""
        return sum(len(positions) for positions in self.recorded.values())

    @property
    def steps_per_epoch(self) -> int:
        """Steps that the record counts as one: all examples, or a single round."""
        return self.length if self.learner.grows else 1

    @property
    def record_bytes(self) -> int:
        """Bytes of the record's predictions before compression."""
        each = record.prediction_type(self.dataset.num_classes).itemsize
        return len(self.steps) * self.config.members * self.evaluated * each

    def task(self) -> Task:
        """Return what all members have in common."""
        inputs, evaluated = matrices(self.dataset, self.recorded)
        kind = record.prediction_type(self.dataset.num_classes)
        labels = self.dataset.train.labels
        return Task(self.fit, self.steps, inputs, labels, evaluated, kind)


# ---- before anything is written


def prepare_learner(config: RunConfig, dataset: Dataset) -> Learning:
    """Work out what a run of a learner will do, and refuse what cannot be done.

    Args:
        config: What was asked.
        dataset: Loaded as asked.

    Returns:
        The run, ready; nothing is written.

    Raises:
        RequestError: Where a key is not allowed, an option is one of networks, or
            members would be equal or could learn nothing.
    """
    known = learner(config.model)
    keys = known.options(config.model)
    fit = known.fit(keys)
    length = _length(config, known, keys, len(dataset.train.labels))
    _check_options(config, known, dataset)
    check_members(config, known)
    check_examples(config, known, dataset.train.labels)
    return Learning(
        config,
        dataset,
        known,
        fit,
        length,
        steps=_steps(config, known, length, dataset.num_classes),
        recorded=choose_recorded(dataset, config.record_examples),
        plan=_processes(config),
    )


def _length(config: RunConfig, known: Learner, keys: Keys, examples: int) -> int:
    """Return the step of the last snapshot."""
    if known.time.length == "epochs":
        return config.epochs
    if known.grows:
        return most_examples(config, examples)
    return keys.whole(known.time.length, most=10**6)


def _check_options(config: RunConfig, known: Learner, dataset: Dataset) -> None:
    """Refuse options that would change what a network sees or what is recorded."""
    asked = given("model", config.model)
    if config.record:
        raise RequestError(
            f"{asked} {given('record', config.record)}: only predictions are "
            f"recorded of learners that are no networks; leave {given('record')} out"
        )
    if config.augment:
        raise RequestError(
            f"{asked} {given('augment', config.augment)}: only networks see changed "
            f"images; leave {given('augment')} out"
        )
    others = [option_name(name) for name in parse_vary(config.vary) if name != "subset"]
    if others:
        raise RequestError(
            f"{asked} {given('vary', config.vary)}: only networks have "
            f"{', '.join(others)}; of other learners only subset can vary"
        )
    if dataset.train.tokens and not known.sparse:
        raise RequestError(
            f"{asked}: needs numbers, but {dataset.name} holds texts; of the learners "
            "only lda and gradient_boosting cannot take bags of words"
        )


def _steps(config: RunConfig, known: Learner, length: int, classes: int) -> list[int]:
    """Return the steps of the snapshots, from the first at which it can predict on."""
    least = min(length, classes + known.surplus) if known.grows else 1
    planned = snapshot_steps(config.snapshots, length, epochs=1)
    return sorted({max(step, least) for step in planned})


def _processes(config: RunConfig) -> Processes:
    count = min(cores(), config.members)
    many = f"{count} processes" if count > 1 else "one process"
    return Processes(f"members one by one in {many} of one thread", count)


# ---- on disk


def create_learning(path: Path, work: Learning) -> None:
    """Make a run folder: its description and an empty record.

    Raises:
        RequestError: Where the folder exists.
    """
    write_run(path, _describe(work), learning_layout(work))


def _describe(work: Learning) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "options": to_json(work.config),
        "model_keys": options_text(work.config.model),
        "kind": "learner",
        "members_differ": what_differs(work.config, work.learner),
        "parameters": None,
        "steps": work.steps,
        "steps_per_epoch": work.steps_per_epoch,
        "time_axis": work.learner.time.axis,
        "time_unit": work.learner.time.unit,
        **({"time_note": NO_TIME} if work.learner.grows else {}),
        "data": describe_data(work.dataset) | {"streamed": False},
        "plan": asdict(work.plan),
        "machine": machine(),
        "versions": all_versions(),
    }


def machine() -> dict[str, Any]:
    """Return what the bits of a run depend on beside its options and versions."""
    return {
        "device": "cpu",
        "device_kind": processor(),
        "cores": cores(),
        "matmul_precision": "highest",
        "random": f"{RANDOM}, partitionable, and numpy's PCG64 and MT19937",
    }


def all_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that matter."""
    return versions(PACKAGES)


def learning_layout(work: Learning) -> record.Layout:
    """Return the shape of the record of a run of a learner."""
    return layout(
        *(work.config, work.dataset, work.recorded, work.steps),
        *(work.steps_per_epoch, work.plan.block),
    )


# ---- training


def learn_members(
    path: Path, work: Learning, interruption: Interruption, watch: Watch
) -> None:
    """Train the members that are not committed yet.

    Args:
        path: Folder of the run.
        work: What to do.
        interruption: Tells when to stop.
        watch: Told the progress.

    Raises:
        Interrupted: Where told to stop; finished members are saved.
        WorkError: Where a learner fails.
    """
    committed = {commit.first for commit in record.commits(path)}
    left = [i for i in range(work.config.members) if i not in committed]
    task = work.task()
    teller = _Teller(work, len(committed), watch)
    teller.tell()
    found = learn_all(
        task,
        _members(work, task, left),
        min(work.plan.processes, cores(), len(left)),
        stopped=lambda: interruption.signal is not None,
    )
    try:
        with closing(found):
            for learned in found:
                teller.learned(_save(path, work, learned))
    except WorkError as error:
        raise WorkError(f"{path}: {error}") from None
    if teller.done < work.config.members:
        assert interruption.signal is not None
        raise Interrupted(
            interruption.signal,
            f"interrupted with {teller.done} of {work.config.members} members of "
            f"{work.config.model} done, all saved",
        )


def _members(work: Learning, task: Task, left: list[int]) -> Iterator[Member]:
    for index in left:
        features = task.inputs.shape[1]  # pyright: ignore[reportOptionalSubscript]  # sparse arrays have a shape
        yield member(work.config, work.learner, task.labels, features, index)


def _save(path: Path, work: Learning, learned: Learned) -> dict[str, float]:
    """Write and commit a member.

    Returns:
        Its accuracy at the last snapshot, by split.
    """
    began = time.monotonic()
    writer = record.BlockWriter(path, learned.number, 1)
    accuracy, start = {}, 0
    for split, at in work.recorded.items():
        predicted = learned.predictions[:, start : start + len(at)]
        _write(writer, split, predicted)
        right = predicted[-1] == work.dataset.split(split).labels[at]
        accuracy[split] = float(right.mean())
        start += len(at)
    last = len(work.steps), work.steps[-1]
    spent = time.monotonic() - began
    writer.commit(record.Commit(learned.number, 1, *last, learned.seconds, spent))
    return accuracy


def _write(
    writer: record.BlockWriter,
    split: str,
    predicted: Shaped[np.ndarray, "snapshot example"],
) -> None:
    for snapshot, prediction in enumerate(predicted):
        values = {"prediction": prediction[None]}
        writer.write(split, snapshot, np.ones(1, bool), values)


class _Teller:
    """Turns finished members into ticks for those who watch."""

    def __init__(self, work: Learning, committed: int, watch: Watch) -> None:
        self.done = committed
        self._work, self._watch = work, watch
        self._accuracies: list[dict[str, float]] = []
        self._began = time.monotonic()

    def learned(self, accuracy: dict[str, float]) -> None:
        self.done += 1
        self._accuracies.append(accuracy)
        self.tell()

    def tell(self) -> None:
        members = self._work.config.members
        now = len(self._accuracies)
        pace = (time.monotonic() - self._began) / now if now else 0.0
        self._watch(
            Tick(
                model=self._work.config.model,
                members=members,
                done=self.done,
                total=members,
                examples_per_second=0.0,
                train_accuracy=self._mean("train"),
                test_accuracy=self._mean("test"),
                seconds_left=pace * (members - self.done),
                unit="members",
            )
        )

    def _mean(self, split: str) -> float:
        found = [accuracy[split] for accuracy in self._accuracies]
        return float(np.mean(found)) if found else float("nan")
