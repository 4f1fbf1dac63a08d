"""How the member axis runs on the devices there are: what a plan says and its names."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

from jaxorder.ensemble.devices import Devices
from jaxorder.errors import RequestError, given
from jaxorder.models.conv import METHODS, Method
from jaxorder.spec import parse_spec

STATE_SHARE = 0.25  # of the memory, for the states of a block; a map holds them twice
AUTO = "auto"
CHUNK = 8  # members of a chunk

Mapped = Literal["sequential", "vmap", "chunks"]


@dataclass(frozen=True)
class Lowering:
    """How a function of one member is mapped over the members of a device.

    Attributes:
        members: `sequential`, one after the other; `vmap`, all together; or `chunks`,
            one chunk after the other.
        convolution: Method of convolutions; `native` where there are none.
        chunk: Members of a chunk.
    """

    members: Mapped
    convolution: Method
    chunk: int = 1

    def __str__(self) -> str:
        """Return it in words."""
        how = f"chunks of {self.chunk}" if self.members == "chunks" else self.members
        return how if self.convolution == "native" else f"{how}, {self.convolution}"


@dataclass(frozen=True)
class Trial:
    """A way to train or evaluate that was measured.

    Attributes:
        what: `train` or `evaluate`.
        lowering: The way.
        batch: Examples of a batch.
        ms: Milliseconds a member and step, or a member and snapshot.
        compile_seconds: Seconds to compile; less where it was compiled before.
        memory_bytes: What the compiled function holds on all devices, data included.
        problem: Why it was not measured, in a line; empty where it was.
    """

    what: Literal["train", "evaluate"]
    lowering: Lowering
    batch: int
    ms: float | None = None
    compile_seconds: float | None = None
    memory_bytes: int | None = None
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the trial as a JSON document."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Trial":
        """Return the trial that `to_json` wrote."""
        return cls(**{**document, "lowering": Lowering(**document["lowering"])})


@dataclass(frozen=True)
class Plan:
    """The way that a run's members are trained; written into the run and kept.

    Attributes:
        train: How the training steps are mapped.
        evaluate: How the evaluation is mapped.
        devices: Devices that the members are spread over.
        block: Members trained in one pass.
        evaluate_batch: Examples of a batch in evaluation.
        why: The reason, in a line.
        trials: What was measured.
        seconds: Estimate for training, evaluating and compiling, where measured.
    """

    train: Lowering
    evaluate: Lowering
    devices: int
    block: int
    evaluate_batch: int
    why: str
    trials: tuple[Trial, ...] = ()
    seconds: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the plan as a JSON document."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Plan":
        """Return the plan that `to_json` wrote.

        Raises:
            RequestError: Where the document is of another version.
        """
        try:
            trials = tuple(map(Trial.from_json, document["trials"]))
            lowerings = {w: Lowering(**document[w]) for w in ("train", "evaluate")}
            return cls(**{**document, **lowerings, "trials": trials})
        except (KeyError, TypeError) as error:
            raise RequestError(
                "the plan was written by another version of jaxorder; "
                "go on with that version"
            ) from error

    @property
    def memory_bytes(self) -> int | None:
        """The memory of what the plan runs, where it was measured."""
        ways = {"train": self.train, "evaluate": self.evaluate}
        chosen = [t.memory_bytes for t in self.trials if t.lowering == ways[t.what]]
        return max(filter(None, chosen), default=None)

    def blocks(self, members: int, grown: Sequence[int] = ()) -> list[tuple[int, int]]:
        """Return the first member and the number of members of each block.

        Args:
            members: Members of the run.
            grown: Numbers of members that it had before it was grown: its blocks stay.
        """
        ends = {*range(0, members, self.block), *grown, members}
        return [(first, last - first) for first, last in pairwise(sorted(ends))]


def by_rule(devices: Devices, members: int, block: int, convolves: bool) -> Plan:
    """Return the plan that is best by what was measured elsewhere.

    On a CPU members run in sequence on each device, since vmapped convolutions become
    grouped ones there, twenty times slower; on accelerators they run together.
    """
    cpu = devices[0].platform == "cpu"
    method: Method = "winograd" if cpu and convolves else "native"
    lowering = Lowering("sequential" if cpu else "vmap", method)
    return Plan(
        train=lowering,
        evaluate=lowering,
        devices=min(len(devices), members),
        block=block,
        evaluate_batch=256 if cpu else 2048,
        why=f"{lowering} on {counted(min(len(devices), members))}: the rule for "
        f"{devices[0].platform.upper()}s; not measured",
    )


def named(text: str, rule: Plan, device_count: int) -> Plan:
    """Return the plan that a user names.

    Args:
        text: `sequential`, `vmap` or `chunks`, with `:key=value,...` of `convolution`,
            `size` (of a chunk), `devices` and `evaluate_batch`.
        rule: Plan by rule, for what is not named.
        device_count: Devices there are.

    Returns:
        The plan.

    Raises:
        RequestError: Where a name, key or value is not allowed.
    """
    defaults = {
        "convolution": rule.train.convolution,
        "devices": str(rule.devices),
        "evaluate_batch": str(rule.evaluate_batch),
    }
    spec = parse_spec(text, "plan")
    if spec.name not in get_args(Mapped):
        allowed = ", ".join((AUTO, *get_args(Mapped)))
        raise RequestError(f"{spec.asked}: must be one of {allowed}")
    chunked = spec.name == "chunks"
    keys = spec.filled({**defaults, **({"size": str(CHUNK)} if chunked else {})})
    convolution = keys.choice("convolution", {name: name for name in METHODS})
    members: Any = spec.name
    lowering = Lowering(members, convolution, keys.whole("size") if chunked else 1)
    return Plan(
        train=lowering,
        evaluate=lowering,
        devices=keys.whole("devices", most=device_count),
        block=rule.block,
        evaluate_batch=keys.whole("evaluate_batch"),
        why=f"{lowering}: the plan that was asked for",
    )


def block_members(
    members: int, state_bytes: int, memory_bytes: int, wanted: int | None
) -> int:
    """Return how many members to train in one pass.

    Args:
        members: Members, at least 1.
        state_bytes: Bytes of one member's parameters and optimiser state.
        memory_bytes: Memory that the process may use for all devices.
        wanted: Members a pass, where the user sets it.

    Returns:
        At most all members.

    Raises:
        RequestError: Where not even one member's state fits.
    """
    fitting = int(STATE_SHARE * memory_bytes / state_bytes)
    if fitting < 1:
        raise RequestError(
            f"{given('model')}: one member's state takes {state_bytes >> 20} MiB; "
            f"{memory_bytes >> 20} MiB of memory are too few; choose a smaller model"
        )
    return min(members, wanted or fitting)


def counted(devices: int) -> str:
    """Return a number of devices in words."""
    return f"{devices} device" if devices == 1 else f"{devices} devices"
