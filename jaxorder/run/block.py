"""The training of one block of members: segments, snapshots, commits, checkpoints.

The order of writing is what makes a crash harmless. A snapshot's chunks are put on
the disk before the block's counter says so, and the counter before a checkpoint of a
later or the same step is begun. So the newest complete checkpoint never lies beyond
what is recorded, and all between it and the counter is replayed and compared.
"""

import time
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Shaped

from jaxorder import record
from jaxorder.checkpoint import BlockCheckpoints
from jaxorder.config import RunConfig
from jaxorder.data.laid_out import LaidOut
from jaxorder.ensemble.mapped import Ensemble
from jaxorder.ensemble.member import MemberState
from jaxorder.errors import Interrupted, WorkError
from jaxorder.record import BlockWriter, Commit, read_commit
from jaxorder.run.interruption import Interruption

SEGMENT_SECONDS = 2.0  # an interruption waits about so long
COMMIT_SECONDS = 2.0
SAVE_SHARE = 0.02  # of the time, at most, for checkpoints that only guard


class BlockTraining:
    """Trains one block of members from where it was left to the last step.

    Args:
        path: Folder of the run.
        config: Options, every default filled in.
        data: Training and test examples.
        steps: Steps of the snapshots.
        ensemble: The mapped functions.
        block: First member and number of members.
        repeatable: Whether the machine and versions are those that the run began with,
            so that a replayed snapshot must equal the recorded one.
        interruption: Tells when to stop.
        watch: Called after each segment and snapshot.
    """

    def __init__(
        self,
        path: Path,
        config: RunConfig,
        data: LaidOut,
        steps: list[int],
        ensemble: Ensemble,
        block: tuple[int, int],
        *,
        repeatable: bool,
        interruption: Interruption,
        watch: Callable[["BlockTraining"], None],
    ) -> None:
        self._path, self._config, self._data = path, config, data
        self._steps, self._ensemble = steps, ensemble
        self.first, self.members = block
        self._repeatable = repeatable
        self._interruption, self._watch = interruption, watch
        self._writer = BlockWriter(path, *block)
        self._commit = read_commit(path, *block)
        self._train_seconds = self._commit.train_seconds
        self._evaluate_seconds = self._commit.evaluate_seconds
        self._kept = kept_steps(config.keep_checkpoints, steps)
        self._epoch = -1
        self._segment = 1
        self._step_seconds = self._snapshot_seconds = 0.0
        self.accuracy = {"train": float("nan"), "test": float("nan")}

    def run(self) -> None:
        """Train to the end.

        Raises:
            Interrupted: Where told to stop; the state is saved.
            WorkError: Where a replayed snapshot differs on the same machine.
        """
        with BlockCheckpoints(
            self._path, self.first, self.members, writing=True
        ) as checkpoints:
            self._checkpoints = checkpoints
            self._begin()
            while True:
                self._take_snapshot()
                self._save_if_due()
                self._watch(self)
                if self.step == self._steps[-1]:
                    break
                self._stop_if_told()
                self._train_segment()

    @property
    def complete(self) -> bool:
        """Whether every snapshot is on disk."""
        return self._commit.snapshots == len(self._steps)

    @property
    def epoch(self) -> float:
        """Epochs that were trained; a fraction counts."""
        return self.step / self._ensemble.steps_per_epoch

    @property
    def seconds_left(self) -> float:
        """Estimate for the rest of the block, at its latest pace."""
        steps = self._steps
        return self._estimate(steps[-1] - self.step, len(steps) - self._recorded)

    @property
    def seconds_of_all(self) -> float:
        """Estimate for a whole block such as this, at its latest pace."""
        return self._estimate(self._steps[-1], len(self._steps))

    @property
    def examples_per_second(self) -> float:
        """Examples that all members together trained on in the last segment."""
        if not self._step_seconds:
            return 0.0
        trained = self._ensemble.trained_examples / self._ensemble.steps_per_epoch
        return trained / self._step_seconds

    def _estimate(self, steps: int, snapshots: int) -> float:
        return steps * self._step_seconds + snapshots * self._snapshot_seconds

    def _begin(self) -> None:
        self._ensemble.begin(self.first, self.members)
        self._state = self._ensemble.init()
        self.step = max(self._checkpoints.steps, default=0)
        if self._checkpoints.steps:
            self._state = self._restored(self._ensemble.to_host(self._state))
        # snapshots before this step are on disk; the rest is taken, or taken again
        self._recorded = bisect_left(self._steps, self.step)
        self._committed_at = self._saved_at = time.monotonic()
        self._save_seconds = 0.0

    def _restored(self, like: MemberState) -> MemberState:
        rest = (like.statistics, like.optimizer, like.finite)
        params, rest = self._checkpoints.restore(self.step, like.params, rest)
        return self._ensemble.from_host(MemberState(params, *rest))

    # ---- snapshots

    def _take_snapshot(self) -> None:
        """Evaluate and record, or compare with the record, where a snapshot is due."""
        steps = self._steps
        if self._recorded == len(steps) or steps[self._recorded] != self.step:
            return
        began = time.monotonic()
        last = self._recorded == len(steps) - 1
        finite, values = self._ensemble.predict(self._state, last)
        for split, own in self._data.by_split(values):
            named = record.recorded_of(own, self._data.labelled(split))
            self._put(split, finite, {name: own[name] for name in named})
        self._recorded += 1
        self._snapshot_seconds = time.monotonic() - began
        self._evaluate_seconds += self._snapshot_seconds

    def _put(
        self,
        split: str,
        finite: Bool[np.ndarray, "member"],
        values: dict[str, Shaped[np.ndarray, "member position ..."]],
    ) -> None:
        snapshot = self._recorded
        if snapshot:  # once lost, a member stays lost
            finite = finite & self._writer.read_finite(split, snapshot - 1)
        if snapshot < self._commit.snapshots:
            self._compare(split, finite, values["prediction"])
        else:
            self._writer.write(split, snapshot, finite, values)
        right = values["prediction"][finite] == self._data.recorded_labels(split)
        self.accuracy[split] = float(right.mean()) if right.size else float("nan")

    def _compare(
        self,
        split: str,
        finite: Bool[np.ndarray, "member"],
        prediction: Shaped[np.ndarray, "member position"],
    ) -> None:
        recorded = self._writer.read(split, self._recorded)
        differing = int((recorded != prediction)[finite].sum())
        if differing and self._repeatable:
            raise WorkError(
                f"{self._path}: {differing} predictions of the {split} examples at "
                f"step {self.step} are not those that were recorded, on the same "
                "machine with the same versions: the checkpoint or the record is "
                "damaged; train anew, or report this"
            )

    # ---- training

    def _train_segment(self) -> None:
        """Train to the next snapshot or end of epoch, or for some seconds."""
        per_epoch = self._ensemble.steps_per_epoch
        epoch = self.step // per_epoch
        began = time.monotonic()
        if epoch != self._epoch:
            self._order = self._ensemble.order(epoch)
            self._epoch = epoch
        stop = min(self._steps[self._recorded], (epoch + 1) * per_epoch)
        count = min(stop - self.step, self._segment)
        # waiting for the losses is waiting for the steps
        self._state, _ = self._ensemble.train_segment(
            self._state, self._order, self.step, count
        )
        self.step += count
        seconds = time.monotonic() - began
        self._step_seconds = seconds / count
        self._train_seconds += seconds
        fitting = int(count * SEGMENT_SECONDS / max(seconds, 1e-6))
        self._segment = max(1, min(fitting, 8 * self._segment))

    def _stop_if_told(self) -> None:
        signal = self._interruption.signal
        if signal is None:
            return
        self._save()
        raise Interrupted(
            signal,
            f"interrupted at step {self.step} of {self._steps[-1]}, all saved",
        )

    # ---- commits and checkpoints

    def _save_if_due(self) -> None:
        now = time.monotonic()
        least = max(self._config.checkpoint_seconds, self._save_seconds / SAVE_SHARE)
        kept = self.step in self._kept and self.step not in self._checkpoints.steps
        last = self.step == self._steps[-1]
        if last and not self._kept:
            self._move_counter()
            self._checkpoints.keep_only(set())
        elif kept or now - self._saved_at >= least:
            self._save()
        elif now - self._committed_at >= COMMIT_SECONDS:
            self._move_counter()

    def _move_counter(self) -> None:
        self._commit = Commit(
            self.first,
            self.members,
            max(self._recorded, self._commit.snapshots),
            self.step,
            self._train_seconds,
            self._evaluate_seconds,
        )
        self._writer.commit(self._commit)
        self._committed_at = time.monotonic()

    def _save(self) -> None:
        self._move_counter()
        began = time.monotonic()
        if self.step not in self._checkpoints.steps:
            state: Any = self._ensemble.to_host(self._state)
            rest = (state.statistics, state.optimizer, state.finite)
            self._checkpoints.save(self.step, state.params, rest)
            self._checkpoints.keep_only(self._kept | {self.step})
        self._saved_at = time.monotonic()
        self._save_seconds = self._saved_at - began


def kept_steps(keep: str, steps: list[int]) -> set[int]:
    """Return the snapshots whose checkpoints are kept for good.

    Args:
        keep: `none`; `last`; `log`, the first snapshots from steps 0, 1, 2, 4, 8 ...
            on and the last; `all`.
        steps: Steps of the snapshots.

    Returns:
        Steps.

    Example:
        >>> sorted(kept_steps("log", [0, 1, 3, 5, 7, 10]))
        [0, 1, 3, 5, 10]
    """
    if keep == "all":
        return set(steps)
    if keep in ("none", "last"):
        return {steps[-1]} if keep == "last" else set()
    doublings = [0] + [2**i for i in range(steps[-1].bit_length())]
    return {steps[bisect_left(steps, d)] for d in doublings} | {steps[-1]}
