"""What a run's folder says of it, `config.json`, as one typed document."""

import dataclasses
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any, TypeVar

from jaxorder.config import SCHEMA, RunConfig, described, to_json
from jaxorder.data import Dataset
from jaxorder.data.further import Further
from jaxorder.errors import RequestError
from jaxorder.files import write_json

CONFIG = "config.json"
Json = Mapping[str, Any]
Described = TypeVar("Described")


@dataclass(frozen=True, kw_only=True)
class DataDescription:
    """What a run notes of its data.

    Attributes:
        name: The source, or what an object was called.
        digest: Of both splits, sha256.
        train: Training examples.
        test: Test examples.
        classes: Number of classes.
        class_names: Their names, in the order of the labels.
        input_shape: Of one input.
        facts: What else is known of the data.
        streamed: Whether they were too large for the devices.
        vocabulary: Number of words, where the inputs are texts.
        input_type: Numpy's type of the inputs; "" where a version before did not say.
    """

    name: str
    digest: str
    train: int
    test: int
    classes: int
    class_names: list[str]
    input_shape: list[int]
    facts: Json = dataclasses.field(default_factory=dict)
    streamed: bool = False
    vocabulary: int = 0
    input_type: str = ""

    @classmethod
    def of(cls, dataset: Dataset, streamed: bool = False) -> "DataDescription":
        """Describe a data set."""
        return cls(
            name=dataset.name,
            digest=dataset.digest,
            train=len(dataset.train.labels),
            test=len(dataset.test.labels),
            classes=dataset.num_classes,
            class_names=list(dataset.class_names),
            input_shape=list(dataset.input_shape),
            facts=dict(dataset.facts),
            streamed=streamed,
            vocabulary=len(dataset.vocabulary),
            input_type=str(dataset.train.inputs.dtype),
        )


@dataclass(frozen=True, kw_only=True)
class ProbeDescription:
    """What a run notes of a probe.

    Attributes:
        source: Where it comes from.
        digest: Of its examples, sha256.
        examples: How many are recorded.
        left_out: Examples of classes that the members do not know.
    """

    source: str
    digest: str
    examples: int
    left_out: int = 0

    @classmethod
    def of(cls, probe: Further) -> "ProbeDescription":
        """Describe a probe."""
        return cls(
            source=probe.source,
            digest=probe.digest,
            examples=len(probe.split.labels),
            left_out=probe.left_out,
        )


@dataclass(frozen=True, kw_only=True)
class RunDocument:
    """Everything that a run says of itself.

    What a version before did not write has its default here, and nowhere else.

    Attributes:
        config: What was asked, every default filled in.
        steps: Steps of the snapshots.
        steps_per_epoch: Steps that the record counts as an epoch.
        data: The data.
        plan: How members are trained; what it holds depends on the kind.
        probes: Further data that are recorded at every snapshot, by name.
        machine: What the bits depend on beside options and versions.
        versions: Of Python and of the packages that matter.
        model_keys: Every key of the model with the value that it has.
        parameters: Of one network; None where members are none.
        kind: What the members are, `network` or `learner`.
        members_differ: What sets learners apart, in words.
        module: What tells a network of the user's own from others.
        optimizer: What tells an optimiser that was given as an object from others.
        label_vectors: Number of the vectors of labels that members cycle over.
        grown: Numbers of members that the run had before it was grown.
        room: Members that the record has room for; None: all.
        time_axis: What the record's `epoch` counts.
        time_unit: What a moment of it is called, before its number.
        time_note: What is to be known of it.
        created: When the run was begun, UTC.
        resumed_on: Other machines and versions that it went on with.
        schema: Version of this document.
    """

    config: RunConfig
    steps: list[int]
    steps_per_epoch: int
    data: DataDescription
    plan: Json
    probes: Mapping[str, ProbeDescription] = dataclasses.field(default_factory=dict)
    machine: Json = dataclasses.field(default_factory=dict)
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    model_keys: Mapping[str, str] = dataclasses.field(default_factory=dict)
    parameters: int | None = None
    kind: str = "network"
    members_differ: str = ""
    module: Mapping[str, str] | None = None
    optimizer: Mapping[str, str] | None = None
    label_vectors: int = 0
    grown: tuple[int, ...] = ()
    room: int | None = None
    time_axis: str = "epoch"
    time_unit: str = "epoch"
    time_note: str = ""
    created: str = ""
    resumed_on: tuple[Json, ...] = ()
    schema: int = SCHEMA

    @property
    def has_room(self) -> bool:
        """Whether the record has room for all members."""
        return self.room in (None, self.config.members)

    def to_json(self) -> dict[str, Any]:
        """Return the document as JSON values; defaults are left out."""
        values = {f: getattr(self, f.name) for f in dataclasses.fields(self)}
        said = {f.name: v for f, v in values.items() if v != _default(f)}
        options, data = to_json(said.pop("config")), dataclasses.asdict(self.data)
        if self.probes:
            probes = self.probes.items()
            said["probes"] = {k: dataclasses.asdict(probe) for k, probe in probes}
        return {"schema": self.schema, "options": options, **said, "data": data}

    @classmethod
    def from_json(cls, document: Json) -> "RunDocument":
        """Return the document that `to_json` wrote, whichever version's.

        Raises:
            RequestError: Where an option is none, or not allowed.
        """
        read = {
            "config": RunConfig.from_json(document["options"]),
            "data": _made(DataDescription, document["data"]),
            "probes": {
                name: _made(ProbeDescription, probe)
                for name, probe in document.get("probes", {}).items()
            },
            "grown": tuple(document.get("grown", ())),
            "resumed_on": tuple(document.get("resumed_on", ())),
        }
        return _made(cls, {**document, **read})

    def write(self, folder: Path) -> None:
        """Write the document into a run's folder, in one move."""
        write_json(folder / CONFIG, self.to_json())


def _default(field: dataclasses.Field[Any]) -> Any:
    return (
        field.default if field.default_factory is MISSING else field.default_factory()
    )


def _made(cls: type[Described], values: Json) -> Described:
    fields = dataclasses.fields(cls)  # pyright: ignore[reportArgumentType]  # both are dataclasses
    needed = [f.name for f in fields if (f.default, f.default_factory) == _NEEDED]
    if lacking := [name for name in needed if name not in values]:
        raise KeyError(*lacking)
    names = {f.name for f in fields}
    return cls(**{name: value for name, value in values.items() if name in names})


_NEEDED = (MISSING, MISSING)  # defaults of a field that has none


def read_document(folder: Path) -> RunDocument:
    """Return what a run's folder says of it.

    Raises:
        RequestError: Where it is damaged, or another program's or version's.
    """
    file = folder / CONFIG
    document = described(file, "options", "steps", "data")
    try:
        return RunDocument.from_json(document)
    except KeyError as error:
        lacking = ", ".join(map(str, error.args))
        raise RequestError(f"{file}: damaged; it lacks {lacking}") from error
    except RequestError as error:
        raise RequestError(f"{file}: {error.message}") from error
