"""Kept members predict further data, into a group of the record of its own.

The group holds the snapshots that are evaluated, and has commit counters of its own:
what is committed is there for good, and asking for the same again goes on.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

from jaxorder import record
from jaxorder.config import check_group
from jaxorder.data import DataOptions, Dataset, Split
from jaxorder.data.further import (
    ClassesBy,
    Further,
    Known,
    Named,
    further,
    named_split,
)
from jaxorder.ensemble.member import QUANTITIES
from jaxorder.errors import Interrupted, RequestError, call, given
from jaxorder.files import lock
from jaxorder.progress.watch import Watch
from jaxorder.run.folder import EVALUATION, Run
from jaxorder.run.interruption import Interruption
from jaxorder.run.prediction import KeptMembers, known

Steps = str | Sequence[int]  # last, kept, or some

COMMIT_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What is evaluated, as the group says it of itself.

    Attributes:
        source: Where the examples come from.
        split: Which split of it.
        steps: Steps of the snapshots.
        classes_by: How its classes were found to be the members'.
        examples: How many there are.
        left_out: Examples of classes that the members do not know.
        digest: Of the examples, sha256.
    """

    source: str
    split: str
    steps: list[int]
    classes_by: str
    examples: int
    left_out: int
    digest: str


def evaluate(
    run: Run,
    data: str | Dataset | Split,
    split: str,
    *,
    name: str,
    steps: Steps,
    classes_by: ClassesBy,
    record_examples: int | None,
    data_dir: Path | str | None,
    resize: int | None,
    model: Any,
    watch: Watch,
) -> xr.Dataset:
    """Let a run's kept members predict further data; `Run.evaluate` is its face."""
    _check_name(run, name)
    _check_finished(run)
    kept = KeptMembers(run, model, _quantities(run))
    at = _steps(kept, steps)
    watch.phase("reading data", sound=False)
    whose = known(run, words=isinstance(data, str))
    named = _named(run, data, split, data_dir, resize, whose)
    found = further(named, whose, classes_by, record_examples)
    asked = Evaluation(
        source=found.source,
        split=split,
        steps=at,
        classes_by=classes_by,
        examples=len(found.split.labels),
        left_out=found.left_out,
        digest=found.digest,
    )
    _check_same(run, name, asked)
    for note in found.notes:
        watch.note(note)
    with lock(run.path), Interruption() as interruption, jax.enable_x64(False):
        work = _Work(run, name, asked, found, kept)
        work.make_room()
        work.evaluate(interruption, watch)
        record.finish(run.path)
    return run.record(name)


# ---- before anything is written


def _check_name(run: Run, name: str) -> None:
    check_group("name", name, name)
    if name in run.document.probes:
        raise RequestError(
            f"{given('name', name)}: a probe of {run.path}, recorded while it was "
            "trained; name it otherwise"
        )


def _check_finished(run: Run) -> None:
    if run.kind == "network" and not run.progress.finished:
        raise RequestError(
            f"{run.path}: not finished; go on with {call('resume', run.path)}, then "
            "evaluate it"
        )


def _steps(kept: KeptMembers, asked: Steps) -> list[int]:
    if asked == "kept":
        return kept.steps
    if asked == "last":
        return kept.steps[-1:]
    if isinstance(asked, str) or not len(asked):
        raise RequestError(
            f"{given('steps', asked)}: wanted last, kept, or steps joined by commas"
        )
    return sorted({kept.step(int(step), "steps") for step in asked})


def _named(
    run: Run,
    data: str | Dataset | Split,
    split: str,
    data_dir: Path | str | None,
    resize: int | None,
    whose: Known,
) -> Named:
    """Return the examples with their classes, from wherever they come."""
    if isinstance(data, Split):
        return Named("a Split", data, (), given("data"))
    if isinstance(data, Dataset):
        asked = given("data", data.name)
        return Named(data.name, data.split(split), data.class_names, asked)
    config = run.config
    wanted = DataOptions(
        data=data,
        data_dir=data_dir or config.data_dir,
        resize=resize or config.resize,
    )
    return named_split(wanted, split, whose.words, given("data", data))


def _quantities(run: Run) -> dict[str, Any]:
    return {name: QUANTITIES[name] for name in run.config.record}


def _check_same(run: Run, name: str, asked: Evaluation) -> None:
    """Refuse a name under which something else was evaluated."""
    if name not in run.splits:
        return
    then = dict(record.attributes(run.path, name)[EVALUATION])
    now = asdict(asked)
    others = [key for key in now if now[key] != then.get(key)]
    if others:
        told = ", ".join(f"{key} {then.get(key)}, not {now[key]}" for key in others)
        raise RequestError(
            f"{given('name', name)}: is there already, of another request: {told}; "
            "name it otherwise"
        )


# ---- the evaluation


class _Work:
    """An evaluation to be done, or gone on with.

    Args:
        run: The run.
        name: Of the group.
        asked: What is evaluated.
        data: The examples.
        kept: The members.
    """

    def __init__(
        self, run: Run, name: str, asked: Evaluation, data: Further, kept: KeptMembers
    ) -> None:
        self._run, self._name, self._asked = run, name, asked
        self._data, self._kept = data, kept
        steps = run.record("test").step.values
        # of each snapshot: which of the run's it is
        self._snapshots = np.searchsorted(steps, asked.steps)
        self._committed_at = time.monotonic()

    def make_room(self) -> None:
        """Make the group, or room in it for members that the run has by now."""
        path, layout = self._run.path, self._layout()
        if self._name not in self._run.splits:
            record.create_group(path, self._name, layout)
            return
        members = record.members(path, self._name)
        if members < self._run.config.members:
            record.extend(path / record.RECORD, layout)

    def evaluate(self, interruption: Interruption, watch: Watch) -> None:
        """Evaluate what is not committed yet."""
        for block in self._kept.blocks:
            writer = record.BlockWriter(self._run.path, *block, self._name)
            done = record.read_commit(self._run.path, *block, self._name)
            for snapshot in range(done.snapshots, len(self._asked.steps)):
                self._tell(watch, block, snapshot)
                self._take_snapshot(writer, block, snapshot)
                signal = interruption.signal
                self._commit(writer, block, snapshot + 1, at_once=signal is not None)
                if signal is not None:
                    raise self._interrupted(signal, block, snapshot + 1)

    def _take_snapshot(
        self, writer: record.BlockWriter, block: tuple[int, int], snapshot: int
    ) -> None:
        self._kept.take_up(self._asked.steps[snapshot], block)
        split, last = self._data.split, snapshot == len(self._asked.steps) - 1
        finite, values = self._kept.evaluator.predict(split.inputs, split.labels, last)
        named = record.recorded_of(values, self._data.labelled)
        writer.write(
            self._name,
            snapshot,
            finite & self._finite(block, snapshot),
            {name: values[name] for name in named},
        )

    def _finite(self, block: tuple[int, int], snapshot: int) -> np.ndarray:
        """Return the members of a block that were finite in the training."""
        first, members = block
        then = self._run.record("test").finite[self._snapshots[snapshot]]
        return np.asarray(then)[first : first + members]

    def _commit(
        self,
        writer: record.BlockWriter,
        block: tuple[int, int],
        snapshots: int,
        at_once: bool,
    ) -> None:
        now, whole = time.monotonic(), snapshots == len(self._asked.steps)
        if whole or at_once or now - self._committed_at >= COMMIT_SECONDS:
            step = self._asked.steps[snapshots - 1]
            writer.commit(record.Commit(*block, snapshots, step, 0.0, 0.0))
            self._committed_at = now

    def _interrupted(
        self, signal: int, block: tuple[int, int], snapshots: int
    ) -> Interrupted:
        return Interrupted(
            signal,
            f"interrupted in members {block[0]} to {sum(block) - 1}, snapshot "
            f"{snapshots} of {len(self._asked.steps)}, all saved; go on by asking for "
            "the same again",
        )

    def _tell(self, watch: Watch, block: tuple[int, int], snapshot: int) -> None:
        watch.phase(
            f"{self._run.name}: evaluating {self._name}, step "
            f"{self._asked.steps[snapshot]}, members {block[0]} to {sum(block) - 1}"
        )

    def _layout(self) -> record.Layout:
        """Return the shape of the group: the run's members, fewer snapshots."""
        run, split = self._run, self._data.split
        recorded = run.record("test").isel(snapshot=self._snapshots)
        return record.Layout(
            steps=recorded.step.values,
            epochs=recorded.epoch.values,
            seeds=recorded.seed.values,
            splits={
                self._name: record.RecordedSplit(
                    split.labels if self._data.labelled else None,
                    split.ids,
                    split.columns,
                    attributes=self._attributes(),
                )
            },
            classes=run.document.data.class_names,
            block=run.document.plan["block"],
            quantities=run.config.record,
            inputs={},
            members=_traits(recorded),
        )

    def _attributes(self) -> dict[str, Any]:
        kept = record.attributes(self._run.path, "test")
        own = {"data": self._asked.source, "digest": self._asked.digest}
        return {**_inherited(kept), **own, EVALUATION: asdict(self._asked)}


def _inherited(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a group of the record says that is true of all."""
    own = ("class_names", "coordinates", "data", "digest")
    return {key: value for key, value in attributes.items() if key not in own}


def _traits(recorded: xr.Dataset) -> dict[str, record.Named]:
    """Return what members differ in beside their seeds."""
    return {
        str(name): record.Named(values.values, tuple(map(str, values.dims)))
        for name, values in recorded.coords.items()
        if "member" in values.dims and name != "seed"
    }
