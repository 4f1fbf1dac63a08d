"""What a run will do, of networks or of other learners: what both have in common."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any, ClassVar

from jaxorder import record
from jaxorder.config import RunConfig
from jaxorder.data.laid_out import LaidOut
from jaxorder.ensemble.planner import Measure
from jaxorder.progress.watch import UNWATCHED, Watch
from jaxorder.run.document import DataDescription, ProbeDescription, RunDocument
from jaxorder.run.interruption import Interruption
from jaxorder.run.layout import layout

PACKAGES = ("jaxorder", "jax", "flax", "optax", "orbax-checkpoint", "numpy", "zarr")


class Work(ABC):
    """A run, worked out and checked before anything is written.

    A kind of members is a subclass: it says what its members are, lays out their
    record, and trains those that are left. All else knows works alone.

    Attributes:
        config: Options, every default filled in.
        data: Training and test examples.
        kind: What the members are.
        packages: Those whose versions matter.
        done: Members that are on disk in whole; None where the run is to be begun.
    """

    kind: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = PACKAGES
    config: RunConfig
    data: LaidOut
    done: int | None

    # ---- what each kind says

    @property
    @abstractmethod
    def steps(self) -> list[int]:
        """Steps of the snapshots."""

    @property
    @abstractmethod
    def steps_per_epoch(self) -> int:
        """Steps that the record counts as an epoch."""

    @property
    @abstractmethod
    def plan(self) -> Any:
        """How members are trained; it has `why`, `block` and `seconds`."""

    @property
    @abstractmethod
    def machine(self) -> Mapping[str, Any]:
        """What the bits depend on beside options and versions."""

    @property
    @abstractmethod
    def own_facts(self) -> Mapping[str, Any]:
        """What the run's document says of this kind of members."""

    @abstractmethod
    def plan_document(self) -> dict[str, Any]:
        """Return what `plan` prints, as JSON values."""

    @abstractmethod
    def train(
        self, path: Path, repeatable: bool, interruption: Interruption, watch: Watch
    ) -> None:
        """Train what is left.

        Args:
            path: Folder of the run.
            repeatable: Whether the machine and versions are those that the run began
                with, so that what is done again must come out the same.
            interruption: Tells when to stop.
            watch: Told the progress.

        Raises:
            Interrupted: Where told to stop; the work is saved.
            WorkError: Where the work fails.
        """

    # ---- what a kind may say

    def checked(self) -> "Work":
        """Return the work after the checks that take time.

        Raises:
            RequestError: Where it cannot be done.
        """
        return self

    def planned(self, measure: Measure, watch: Watch = UNWATCHED) -> "Work":
        """Return the work with its plan made; `measure` says when ways are tried."""
        del measure, watch
        return self

    def layout(self) -> record.Layout:
        """Return the shape of the record."""
        return layout(
            self.config, self.data, self.steps, self.steps_per_epoch, self.plan.block
        )

    @property
    def streamed(self) -> bool:
        """Whether the data are too large for the devices."""
        return False

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines that people should know before the training."""
        return ()

    @property
    def record_bytes(self) -> int:
        """Bytes of the record before compression."""
        each = record.prediction_type(self.data.dataset.num_classes).itemsize
        return len(self.steps) * self.config.members * self.data.evaluated * each

    @property
    def checkpoint_bytes(self) -> int:
        """Bytes of the checkpoints that are kept."""
        return 0

    @property
    def seconds_at_most(self) -> float | None:
        """About how long a run takes that is to be begun; None: nobody knows."""
        return None if self.done is not None else self.plan.seconds

    @property
    def bytes_left(self) -> int:
        """Bytes of disk that the members take that are not there yet."""
        members = self.config.members
        each = (self.record_bytes + self.checkpoint_bytes) / members
        return int(each * (members - (self.done or 0)))

    @property
    def host_bytes(self) -> int:
        """Bytes of memory that hold what all members have of their own at once."""
        own_examples = self.config.trained_on != "all"
        listed = own_examples * (8 * self.data.pool + len(self.data.recorded["train"]))
        return self.config.members * (_SEED_BYTES + listed)

    # ---- what is the same for all kinds

    @property
    def versions(self) -> dict[str, str]:
        """Versions of Python and of the packages that matter."""
        found = {package: version(package) for package in self.packages}
        return {"python": python_version()} | found

    def document(self) -> RunDocument:
        """Return what the run's folder says of it."""
        return RunDocument(
            config=self.config,
            kind=self.kind,
            steps=self.steps,
            steps_per_epoch=self.steps_per_epoch,
            data=DataDescription.of(self.data.dataset, self.streamed),
            probes={k: ProbeDescription.of(v) for k, v in self.data.probes.items()},
            machine=self.machine,
            versions=self.versions,
            **self.own_facts,
        )


_SEED_BYTES = 64  # of a member: its keys, its seed, and what they are drawn from
