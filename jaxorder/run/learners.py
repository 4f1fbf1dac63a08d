"""A run of a learner that is not a network: what it will do, and the doing.

A block is one member, trained by a process from nothing to its end, recorded and then
committed; a member that was not committed is trained again, to the same bits.
"""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Shaped

from jaxorder import record
from jaxorder.config import RunConfig, snapshot_steps
from jaxorder.data.laid_out import LaidOut
from jaxorder.ensemble.devices import cores, processor
from jaxorder.errors import Interrupted, RequestError, WorkError, given
from jaxorder.learners import LEARNERS, Learner, learner
from jaxorder.learners.apart import check_examples, check_members, member, what_differs
from jaxorder.learners.inputs import matrices
from jaxorder.learners.problem import Fit
from jaxorder.learners.work import Member, Outcome, Task, learn_all
from jaxorder.members.streams import RANDOM
from jaxorder.members.subsets import most_examples
from jaxorder.progress.watch import Tick, Watch
from jaxorder.run.interruption import Interruption
from jaxorder.run.work import PACKAGES, Work
from jaxorder.spec import Spec

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
class LearnerWork(Work):
    """A run of a learner, ready to be begun or gone on with.

    Attributes:
        config: Options.
        data: Training and test examples.
        learner: What is known of the learner.
        keys: Its keys, defaults filled in.
        fit: The learner with its keys.
        length: Rounds, trees, epochs or training examples of the last snapshot.
        done: Members that are on disk in whole; None where the run is to be begun.
    """

    kind: ClassVar[str] = "learner"
    packages: ClassVar[tuple[str, ...]] = (*PACKAGES, "scikit-learn", "scipy", "joblib")

    config: RunConfig
    data: LaidOut
    learner: Learner
    keys: Spec
    fit: Fit
    length: int
    done: int | None = None

    @property
    def steps(self) -> list[int]:
        """Steps of the snapshots, from the first at which it can predict on."""
        planned = snapshot_steps(self.config.snapshots, self.length, epochs=1)
        classes = self.data.dataset.num_classes
        enough = min(self.length, classes + self.learner.surplus)
        least = enough if self.learner.grows else 1
        return sorted({max(step, least) for step in planned})

    @property
    def steps_per_epoch(self) -> int:
        """Steps that the record counts as one: all examples, or a single round."""
        return self.length if self.learner.grows else 1

    @property
    def plan(self) -> Processes:
        """How members are trained."""
        count = min(cores(), self.config.members)
        many = f"{count} processes" if count > 1 else "one process"
        return Processes(f"members one by one in {many} of one thread", count)

    @property
    def machine(self) -> dict[str, Any]:
        """What the bits depend on beside options and versions."""
        return {
            "device": "cpu",
            "device_kind": processor(),
            "cores": cores(),
            "matmul_precision": "highest",
            "random": f"{RANDOM}, partitionable, and numpy's PCG64 and MT19937",
        }

    @property
    def own_facts(self) -> dict[str, Any]:
        """What the run's document says of learners."""
        return {
            "model_keys": dict(self.keys.values),
            "members_differ": what_differs(self.config, self.learner),
            "plan": asdict(self.plan),
            "time_axis": self.learner.time.axis,
            "time_unit": self.learner.time.unit,
            "time_note": NO_TIME if self.learner.grows else "",
        }

    def checked(self) -> "LearnerWork":
        """Return the work, whose members have examples that can be learned from."""
        check_examples(self.config, self.learner, self.data.dataset.train.labels)
        return self

    def plan_document(self) -> dict[str, Any]:
        """Return what `plan` prints."""
        fits = len(self.steps) if self.learner.grows else 1
        return {
            "model": self.config.key,
            "learner": self.learner.summary,
            "keys": dict(self.keys.values),
            "members": self.config.members,
            "plan": self.plan.why,
            "processes": self.plan.processes,
            "time_axis": self.learner.time.axis,
            "first_step": self.steps[0],
            "last_step": self.steps[-1],
            "snapshots": len(self.steps),
            "fits": self.config.members * fits,
            "train_examples": self.data.pool,
            "evaluated_examples": self.data.evaluated,
            "estimated_seconds": self.plan.seconds,
            "record_bytes_uncompressed": self.record_bytes,
            "checkpoint_bytes": self.checkpoint_bytes,
            "notes": list(self.notes),
            "tried": [],
        }

    def task(self) -> Task:
        """Return what all members have in common."""
        inputs, evaluated = matrices(self.data)
        kind = record.prediction_type(self.data.dataset.num_classes)
        labels = self.data.dataset.train.labels
        return Task(self.fit, self.steps, inputs, labels, evaluated, kind)

    def train(
        self, path: Path, repeatable: bool, interruption: Interruption, watch: Watch
    ) -> None:
        """Train the members that are not committed yet."""
        del repeatable  # a member that was begun is trained anew
        committed = {commit.first for commit in record.commits(path)}
        left = [i for i in range(self.config.members) if i not in committed]
        teller = _Teller(self.config, len(committed), watch)
        teller.tell()
        task = self.task()
        found = learn_all(
            task,
            _members(self, task, left),
            min(self.plan.processes, cores(), len(left)),
            stopped=lambda: interruption.signal is not None,
        )
        try:
            with closing(found):
                for outcome in found:
                    teller.saved(_save(path, self, outcome))
        except WorkError as error:
            raise WorkError(f"{path}: {error.message}") from None
        if teller.done < self.config.members:
            assert interruption.signal is not None
            raise Interrupted(
                interruption.signal,
                f"interrupted with {teller.done} of {self.config.members} members of "
                f"{self.config.key} done, all saved",
            )


# ---- before anything is written


def prepare(config: RunConfig, data: LaidOut, done: int | None = None) -> LearnerWork:
    """Work out what a run of a learner will do, and refuse what cannot be done.

    Args:
        config: What was asked.
        data: Loaded as asked.
        done: Members that are on disk in whole, when going on with a run.

    Returns:
        The run, ready; nothing is written.

    Raises:
        RequestError: Where a key is not allowed, an option is one of networks, or
            members would be equal.
    """
    known = learner(config.model)
    keys = known.options(config.model)
    fit = known.fit(keys)
    length = _length(config, known, keys, data.pool)
    _check_options(config, known, data)
    check_members(config, known)
    return LearnerWork(config, data, known, keys, fit, length, done)


def _length(config: RunConfig, known: Learner, keys: Spec, examples: int) -> int:
    """Return the step of the last snapshot."""
    if known.time.length == "epochs":
        return config.epochs
    if known.grows:
        return most_examples(config, examples)
    return keys.whole(known.time.length, most=10**6)


def _check_options(config: RunConfig, known: Learner, data: LaidOut) -> None:
    """Refuse options that would change what a network sees or what is recorded."""
    asked = given("model", config.model)
    if config.record:
        raise RequestError(
            f"{asked} {given('record', config.record)}: only predictions are "
            f"recorded of learners that are not networks; leave {given('record')} out"
        )
    if config.augment:
        raise RequestError(
            f"{asked} {given('augment', config.augment)}: only networks see changed "
            f"images; leave {given('augment')} out"
        )
    others = [given(name) for name in config.varied if name != "subset"]
    if others:
        raise RequestError(
            f"{asked} {given('vary', config.vary)}: only networks have "
            f"{', '.join(others)}; of other learners only subset can vary"
        )
    if data.dataset.train.tokens and not known.sparse:
        dense = [name for name, each in LEARNERS.items() if not each.sparse]
        raise RequestError(
            f"{asked}: needs numbers, but {data.dataset.name} holds texts; of the "
            f"learners only {' and '.join(dense)} cannot take bags of words"
        )


# ---- training


def _members(work: LearnerWork, task: Task, left: list[int]) -> Iterator[Member]:
    for index in left:
        features = task.inputs.shape[1]  # pyright: ignore[reportOptionalSubscript]  # sparse arrays have a shape
        yield member(work.config, work.learner, task.labels, features, index)


def _save(path: Path, work: LearnerWork, outcome: Outcome) -> dict[str, float]:
    """Write and commit a member.

    Returns:
        Its accuracy at the last snapshot, by split.
    """
    began = time.monotonic()
    writer = record.BlockWriter(path, outcome.number, 1)
    accuracy = {}
    for split, own in work.data.by_split({"prediction": outcome.predictions}):
        _write(writer, split, own["prediction"])
        right = own["prediction"][-1] == work.data.recorded_labels(split)
        accuracy[split] = float(right.mean())
    last = len(work.steps), work.steps[-1]
    spent = time.monotonic() - began
    writer.commit(record.Commit(outcome.number, 1, *last, outcome.seconds, spent))
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

    def __init__(self, config: RunConfig, committed: int, watch: Watch) -> None:
        self.done = committed
        self._config, self._watch = config, watch
        self._accuracies: list[dict[str, float]] = []
        self._began = time.monotonic()

    def saved(self, accuracy: dict[str, float]) -> None:
        self.done += 1
        self._accuracies.append(accuracy)
        self.tell()

    def tell(self) -> None:
        members = self._config.members
        now = len(self._accuracies)
        pace = (time.monotonic() - self._began) / now if now else 0.0
        self._watch(
            Tick(
                model=self._config.key,
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
        if self.done < members:
            self._watch.phase(f"{self._config.key}: training members")

    def _mean(self, split: str) -> float:
        found = [accuracy[split] for accuracy in self._accuracies]
        return float(np.mean(found)) if found else float("nan")
