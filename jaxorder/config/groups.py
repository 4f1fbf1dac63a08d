"""The options of a study in groups; those of the data live with the data."""

from collections.abc import Sequence
from typing import Literal

from jaxorder.config.optimizers import check_optimizer
from jaxorder.config.probes import parse_probes
from jaxorder.config.snapshots import parse_snapshots
from jaxorder.config.vary import parse_vary
from jaxorder.data.options import SEED, ClassesBy
from jaxorder.errors import RequestError, given
from jaxorder.options import Checked, data_bytes, number, option, options, whole
from jaxorder.spec import parse_spec

Schedule = Literal["constant", "cosine", "step", "warmup_cosine"]
Precision = Literal["float32", "bfloat16"]
Order = Literal["member", "shared"]
Keep = Literal["none", "last", "log", "all"]
Quantity = Literal["loss", "margin", "true_logprob", "error_norm", "probability"]
Augmentation = Literal["flip", "crop"]
Stream = Literal["init", "order", "dropout", "augment", "subset"]
Resampling = Literal["bootstrap", "features"]
TrainedOn = Literal["all", "subset", "disjoint", "folds", "bootstrap"]

COUNT = whole(least=1)
PARTS = whole(least=2)


@options
class TrainingOptions(Checked):
    """The training of a member; None takes the architecture's default."""

    epochs: int = option(
        "Passes through the training examples.", default=30, check=COUNT
    )
    optimizer: str | None = option(
        "Update rule: sgd, momentum, adam, adamw, or one of optax's, as "
        "optax:lion:b1=0.95 (else the architecture's).",
        default=None,
        check=check_optimizer,
    )
    learning_rate: float | None = option(
        "Largest of the schedule (else the architecture's).",
        default=None,
        check=number(above=0.0),
    )
    momentum: float = option(
        "For the optimizer momentum.", default=0.9, check=number(least=0.0, below=1.0)
    )
    weight_decay: float = option(
        "L2 penalty; decoupled with adamw.", default=0.0, check=number(least=0.0)
    )
    label_smoothing: float = option(
        "Share of each label spread evenly over all classes.",
        default=0.0,
        check=number(least=0.0, below=1.0),
    )
    schedule: Schedule = option("Learning rate over time.", default="constant")
    batch_size: int | None = option(
        "Examples a step (else the architecture's).", default=None, check=COUNT
    )
    precision: Precision = option(
        "Of the computation; weights stay float32.", default="float32"
    )
    augment: Sequence[Augmentation] = option(
        "Flip and crop training images at random (crop: shifts).", default=()
    )


@options
class MemberOptions(Checked):
    """How many members there are, and what sets them apart."""

    members: int = option("Members of each run.", default=16, check=COUNT)
    seed: int = option(
        "Seed of the study; every member's streams come from it.", default=0, check=SEED
    )
    order: Order = option(
        "Mini-batches for each member alone, or shared by all.", default="member"
    )
    share_streams: bool = option(
        "Same mini-batches for member i of each model.", default=False
    )
    freeze: Sequence[Stream] = option(
        "Random streams that are the same for all members: init, dropout, augment, "
        f"subset; and order, which says the same as {given('order', 'shared')}.",
        default=(),
    )
    vary: Sequence[str] = option(
        "Options that members differ in, as learning-rate=0.01,0.1: values cycle over "
        "members, all combinations of several options.",
        default=(),
        check=lambda name, value: parse_vary(value),
    )
    subset: float | None = option(
        "Train each member on its own random share of the examples.",
        default=None,
        check=number(above=0.0, most=1.0),
    )
    disjoint: int | None = option(
        "Train members in this many groups, on disjoint parts of the examples.",
        default=None,
        check=PARTS,
    )
    folds: int | None = option(
        "Leave out of each member's training one of this many parts.",
        default=None,
        check=PARTS,
    )
    resample: Resampling | None = option(
        "Each member's own bootstrap sample of the examples, or, for learners that are "
        "not networks, its own half of the features.",
        default=None,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_examples()
        if "order" in self.freeze:  # one spelling from here on
            rest = tuple(name for name in self.freeze if name != "order")
            object.__setattr__(self, "freeze", rest)
            object.__setattr__(self, "order", "shared")

    @property
    def frozen(self) -> frozenset[str]:
        """Random streams that are the same for all members."""
        return frozenset({*self.freeze, *(["order"] if self.order == "shared" else [])})

    @property
    def varied(self) -> dict[str, tuple[float, ...]]:
        """The values that members differ in, by option."""
        return parse_vary(self.vary)

    @property
    def trained_on(self) -> TrainedOn:
        """Which of the training examples a member is trained on."""
        if self.resample == "bootstrap":
            return "bootstrap"
        if self.disjoint or self.folds:
            return "disjoint" if self.disjoint else "folds"
        return "subset" if self.subset is not None or "subset" in self.varied else "all"

    @property
    def parts(self) -> int | None:
        """Parts that the training examples are dealt to, where they are."""
        return self.disjoint or self.folds

    def _check_examples(self) -> None:
        """Refuse several choices of the examples that a member trains on."""
        said = [
            given(name)
            for name in ("subset", "disjoint", "folds")
            if getattr(self, name) is not None
        ]
        said += [given("resample", "bootstrap")] * (self.resample == "bootstrap")
        said += [given("vary", "subset")] * ("subset" in self.varied)
        if len(said) > 1:
            raise RequestError(
                f"{' '.join(said)}: each says which examples a member trains on; give "
                "one"
            )


@options
class RecordingOptions(Checked):
    """What is recorded, and what is kept of the members."""

    snapshots: str = option(
        "When to record: log:N (N a decade in the first epoch), epoch, every:K (steps),"
        " joined by commas, with step 0 and the last; or last, alone.",
        default="log:10,epoch",
        check=lambda name, value: parse_snapshots(value),
    )
    record: Sequence[Quantity] = option(
        "More to record of each example (probability: last snapshot).", default=()
    )
    record_examples: int | None = option(
        "Record at most this many examples of a split, stratified.",
        default=None,
        check=COUNT,
    )
    probe: Sequence[str] = option(
        "Further test data to record at every snapshot, as NAME=SOURCE.",
        default=(),
        check=lambda name, value: parse_probes(value),
    )
    classes_by: ClassesBy = option(
        "Whether a class of a probe is the members' class of the same name, or of the "
        "same number; or none, for predictions without labels.",
        default="name",
    )
    keep_checkpoints: Keep = option(
        "None, the last, one a doubling of steps, or all.", default="last"
    )
    checkpoint_seconds: float = option(
        "Least time between checkpoints against crashes.",
        default=30.0,
        check=number(least=0.0),
    )

    @property
    def probes(self) -> dict[str, str]:
        """The sources of the probes, by name."""
        return parse_probes(self.probe)


@options
class ExecutionOptions(Checked):
    """How the work is done; the same members come out of it."""

    block_members: int | None = option(
        "Members trained in one pass (else as memory allows).",
        default=None,
        check=COUNT,
    )
    plan: str = option(
        "How members are mapped: auto (what is fastest in a trial), sequential, vmap, "
        "chunks; with :key=value,... of convolution, size, devices, evaluate_batch.",
        default="auto",
        check=lambda name, value: parse_spec(value, name),
    )
    device_memory: str | None = option(
        "Bytes of a device that the data may take, as 500MB or 2GB; more are streamed, "
        f"which needs {given('order', 'shared')} (else what the device has).",
        default=None,
        check=data_bytes,
    )


__all__ = [
    "ExecutionOptions",
    "MemberOptions",
    "RecordingOptions",
    "TrainingOptions",
]
