"""What is asked for: options of a study and of a run, checked once, kept as JSON.

Nothing here knows data, models or devices; each later module checks what only it can.
"""

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from jaxorder.errors import RequestError

SCHEMA = 1
LONGEST_NAME = 200  # most file systems allow 255 bytes, temporary names need some

Optimizer = Literal["sgd", "momentum", "adam", "adamw"]
Schedule = Literal["constant", "cosine", "step", "warmup_cosine"]
Precision = Literal["float32", "bfloat16"]
Order = Literal["member", "shared"]
Keep = Literal["none", "last", "log", "all"]
Quantity = Literal["loss", "margin", "true_logprob", "error_norm", "probability"]
Noise = Literal["symmetric", "pair", "shuffle"]
Duplicates = Literal["exact", "near"]
Augmentation = Literal["flip", "crop"]
Scaling = Literal["standard", "unit"]
Stream = Literal["init", "order", "dropout", "augment", "subset"]
Resampling = Literal["bootstrap", "features"]


@dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """Options that every run of a study shares.

    An option of None takes the architecture's default, which `plan` prints.

    Attributes:
        data: Source of the data, as `jaxorder data list` lists them.
        data_dir: Folder of prepared TFDS data sets (else TFDS's own).
        resize: Bring images to so many pixels a side.
        classes: Keep these classes only, by number or name, joined by commas.
        drop_duplicates: Drop examples that are exactly or nearly an earlier one.
        train_examples: Train on so many, a fixed stratified choice.
        test_examples: Test on so many, a fixed stratified choice.
        label_noise: Share of the training labels to change.
        noise: To any other class, to the next class, or among the chosen examples.
        noise_seed: Seed of the label noise.
        shuffle_labels: Shuffle all training labels.
        shuffle_seed: Seed of the shuffled labels.
        pca: Project the inputs on so many principal components.
        scaling: Inputs of mean 0 and deviation 1, or unit: bytes divided by 255.
        augment: Flip and crop training images at random (crop: shifts).
        members: Networks an ensemble.
        epochs: Passes through the training examples.
        seed: Seed of the study; every member's streams come from it.
        optimizer: Update rule (else the architecture's).
        learning_rate: Largest of the schedule (else the architecture's).
        momentum: For the optimizer momentum.
        weight_decay: L2 penalty; decoupled with adamw.
        label_smoothing: Share of each label spread evenly over all classes.
        schedule: Learning rate over time.
        batch_size: Examples a step (else the architecture's).
        precision: Of the computation; weights stay float32.
        order: Mini-batches for each member alone, or shared by all.
        share_streams: Same mini-batches for member i of each model.
        freeze: Random streams that are the same for all members: init, order, dropout,
            augment, subset.
        vary: Options that members differ in, as learning-rate=0.01,0.1: values cycle
            over members, all combinations of several options.
        subset: Train each member on its own random share of the examples.
        disjoint: Train members in so many groups, on disjoint parts of the examples.
        folds: Leave out of each member's training one of so many parts.
        resample: Each member's own bootstrap sample of the examples, or, for learners
            that are not networks, its own half of the features.
        snapshots: When to record: log:N (N a decade in the first epoch), epoch,
            every:K (steps), joined by commas, with step 0 and the last; or last, alone.
        record: More to record of each example (probability: last snapshot).
        record_examples: Record at most so many of a split, stratified.
        keep_checkpoints: None, the last, one a doubling of steps, or all.
        checkpoint_seconds: Least time between checkpoints against crashes.
        block_members: Members trained in one pass (else as memory allows).
        plan: How members are mapped: auto (what is fastest in a trial), sequential,
            vmap, chunks; with :key=value,... of convolution, size, devices.
        device_memory: Bytes of a device that the data may take, as 500MB or 2GB; more
            are streamed, which needs --order shared (else what the device has).
    """

    data: str
    data_dir: Path | None = None
    resize: int | None = None
    classes: str | None = None
    drop_duplicates: Duplicates | None = None
    train_examples: int | None = None
    test_examples: int | None = None
    label_noise: float = 0.0
    noise: Noise = "symmetric"
    noise_seed: int = 0
    shuffle_labels: bool = False
    shuffle_seed: int = 0
    pca: int | None = None
    scaling: Scaling = "standard"
    augment: tuple[Augmentation, ...] = ()
    members: int = 16
    epochs: int = 30
    seed: int = 0
    optimizer: Optimizer | None = None
    learning_rate: float | None = None
    momentum: float = 0.9
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    schedule: Schedule = "constant"
    batch_size: int | None = None
    precision: Precision = "float32"
    order: Order = "member"
    share_streams: bool = False
    freeze: tuple[Stream, ...] = ()
    vary: tuple[str, ...] = ()
    subset: float | None = None
    disjoint: int | None = None
    folds: int | None = None
    resample: Resampling | None = None
    snapshots: str = "log:10,epoch"
    record: tuple[Quantity, ...] = ()
    record_examples: int | None = None
    keep_checkpoints: Keep = "last"
    checkpoint_seconds: float = 30.0
    block_members: int | None = None
    plan: str = "auto"
    device_memory: str | None = None

    def __post_init__(self) -> None:
        for name in ("members", "epochs"):
            _check_whole(name, getattr(self, name), least=1)
        for name in (
            "resize",
            "train_examples",
            "test_examples",
            "pca",
            "batch_size",
            "record_examples",
            "block_members",
        ):
            if getattr(self, name) is not None:
                _check_whole(name, getattr(self, name), least=1)
        for name in ("disjoint", "folds"):
            if getattr(self, name) is not None:
                _check_whole(name, getattr(self, name), least=2)
        for name in ("seed", "noise_seed", "shuffle_seed"):
            _check_whole(name, getattr(self, name), least=0, most=2**32 - 1)
        _check_share("label_noise", self.label_noise)
        _check_range("learning_rate", self.learning_rate, above=0.0)
        _check_range("momentum", self.momentum, least=0.0, below=1.0)
        _check_range("weight_decay", self.weight_decay, least=0.0)
        _check_range("label_smoothing", self.label_smoothing, least=0.0, below=1.0)
        _check_range("subset", self.subset, above=0.0, most=1.0)
        _check_range("checkpoint_seconds", self.checkpoint_seconds, least=0.0)
        _check_choices(self)
        _check_varied(self)
        if self.device_memory is not None:
            parse_bytes(self.device_memory, "--device-memory")
        parse_snapshots(self.snapshots)
        parse_model(self.plan, option="--plan")


@dataclass(frozen=True, kw_only=True)
class RunConfig(StudyOptions):
    """Everything that one run is asked to do: a study's options and one model.

    Attributes:
        model: Architecture, `NAME[:key=value,...]`.
    """

    model: str

    def __post_init__(self) -> None:
        super().__post_init__()
        parse_model(self.model)

    @classmethod
    def of_study(cls, options: StudyOptions, model: str) -> "RunConfig":
        """Return the configuration of one model of a study."""
        return cls(model=model, **_fields(options))

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "RunConfig":
        """Return the configuration that `to_json` wrote."""
        return cls(**_from_json(document))

    def with_defaults(self, defaults: Mapping[str, Any]) -> "RunConfig":
        """Return the configuration with an architecture's defaults where None.

        What varies over members stays None.
        """
        open_ = {k for k in defaults if getattr(self, k) is None}
        missing = {k: defaults[k] for k in open_ - parse_vary(self.vary).keys()}
        return dataclasses.replace(self, **missing)


_SEVERAL = ("record", "augment", "freeze", "vary")  # tuples, which JSON has not


def to_json(options: StudyOptions) -> dict[str, Any]:
    """Return options as a JSON document."""
    return _fields(options) | {
        "data_dir": None
        if options.data_dir is None
        else str(Path(options.data_dir).absolute()),
        **{field: list(getattr(options, field)) for field in _SEVERAL},
    }


def options_from_json(document: Mapping[str, Any]) -> StudyOptions:
    """Return the study's options that `to_json` wrote."""
    return StudyOptions(**_from_json(document))


def _fields(options: StudyOptions) -> dict[str, Any]:
    return {f.name: getattr(options, f.name) for f in dataclasses.fields(options)}


def _from_json(document: Mapping[str, Any]) -> dict[str, Any]:
    folder = document["data_dir"]
    return dict(document) | {
        "data_dir": None if folder is None else Path(folder),
        **{field: tuple(document.get(field, ())) for field in _SEVERAL},
    }


def option_name(field: str) -> str:
    """Return a field as the command line writes it: `batch_size`: `--batch-size`."""
    return "--" + field.replace("_", "-")


def _check_whole(
    field: str, value: object, *, least: int, most: int | None = None
) -> None:
    highest = math.inf if most is None else most
    whole = isinstance(value, int) and not isinstance(value, bool)
    if whole and least <= value <= highest:  # pyright: ignore[reportOperatorIssue]
        return
    allowed = f"at least {least}" if most is None else f"from {least} to {most}"
    raise RequestError(
        f"{option_name(field)} {value}: must be a whole number, {allowed}"
    )


def _check_range(
    field: str,
    value: object,
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    below: float = math.inf,
    most: float = math.inf,
) -> None:
    if value is None:
        return
    number = isinstance(value, int | float) and not isinstance(value, bool)
    within = number and least <= value <= most and above < value < below  # pyright: ignore[reportOperatorIssue]
    if within:
        return
    bounds = [
        f"at least {least:g}" if least > -math.inf else "",
        f"above {above:g}" if above > -math.inf else "",
        f"below {below:g}" if below < math.inf else "",
        f"at most {most:g}" if most < math.inf else "",
    ]
    allowed = " and ".join(bound for bound in bounds if bound)
    raise RequestError(
        f"{option_name(field)} {value}: must be a finite number {allowed}"
    )


def _check_share(field: str, value: object) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and 0 <= value <= 1):  # pyright: ignore[reportOperatorIssue]
        raise RequestError(f"{option_name(field)} {value}: must be from 0 to 1")


def parse_bytes(text: str, option: str) -> int:
    """Return bytes given as a number with B, KB, MB, GB or TB, powers of 1000.

    Raises:
        RequestError: Where the text is none.

    Example:
        >>> parse_bytes("1.5GB", "--device-memory")
        1500000000
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b", text.strip().lower())
    if not found:
        raise RequestError(f"{option} {text}: must be bytes, as 500MB or 2GB")
    number, unit = found.groups()
    return int(float(number) * 1000 ** " kmgt".index(unit or " "))


def _check_choices(options: StudyOptions) -> None:
    choices = {
        "optimizer": (*get_args(Optimizer), None),
        "schedule": get_args(Schedule),
        "precision": get_args(Precision),
        "order": get_args(Order),
        "keep_checkpoints": get_args(Keep),
        "noise": get_args(Noise),
        "scaling": get_args(Scaling),
        "drop_duplicates": (*get_args(Duplicates), None),
        "resample": (*get_args(Resampling), None),
    }
    for field, allowed in choices.items():
        _check_choice(field, getattr(options, field), allowed)
    several = {"record": Quantity, "augment": Augmentation, "freeze": Stream}
    for field, allowed in several.items():
        given = getattr(options, field)
        for each in given:
            _check_choice(field, each, get_args(allowed))
        if len(set(given)) < len(given):
            raise RequestError(
                f"{option_name(field)} {' '.join(given)}: must name each once"
            )


def _check_choice(field: str, value: object, allowed: Sequence[object]) -> None:
    if value not in allowed:
        words = ", ".join(str(choice) for choice in allowed if choice is not None)
        raise RequestError(f"{option_name(field)} {value}: must be one of {words}")


# ---- what members differ in

# Whole-program options such as the batch size cannot differ between members.
VARIABLE = (
    "learning_rate",
    "momentum",
    "weight_decay",
    "label_smoothing",
    "dropout",
    "subset",
)


def parse_vary(texts: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Return the values that members differ in, by field.

    Args:
        texts: `NAME=value,value,...`, a name as the command line writes it.

    Returns:
        At least two different values of each field, in the order given.

    Raises:
        RequestError: Where a text does not have that form, a name cannot vary or comes
            twice, or values are no numbers, all alike or fewer than two.

    Example:
        >>> parse_vary(["learning-rate=0.01,0.1"])
        {'learning_rate': (0.01, 0.1)}
    """
    found: dict[str, tuple[float, ...]] = {}
    for text in texts:
        name, _, values = text.partition("=")
        field = name.replace("-", "_")
        if field not in VARIABLE:
            allowed = ", ".join(name.replace("_", "-") for name in VARIABLE)
            raise RequestError(f"--vary {text}: must be NAME=value,value of {allowed}")
        if field in found:
            raise RequestError(f"--vary {' '.join(texts)}: names {name} twice")
        found[field] = _varied_values(text, values)
    return found


def _varied_values(text: str, values: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(value) for value in values.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) < 2 or len(set(numbers)) < len(numbers):
        raise RequestError(
            f"--vary {text}: must be NAME=value,value: at least two different numbers "
            "joined by commas"
        )
    return numbers


def varied(options: StudyOptions, first: int, members: int) -> dict[str, list[float]]:
    """Return the values of each varied field for some members.

    The values of the first field cycle over members, those of the second change when
    the first's have been through, and so on: all combinations come in turn.

    Args:
        options: What was asked.
        first: First member.
        members: Members from there on.

    Returns:
        [member] by field.

    Example:
        >>> grid = ("learning-rate=0.1,0.2", "momentum=0.5,0.9")
        >>> varied(StudyOptions(data="digits", vary=grid), 0, 5)["momentum"]
        [0.5, 0.5, 0.9, 0.9, 0.5]
    """
    found, every = {}, 1
    for field, values in parse_vary(options.vary).items():
        indices = [i // every % len(values) for i in range(first, first + members)]
        found[field] = [values[index] for index in indices]
        every *= len(values)
    return found


def _check_varied(options: StudyOptions) -> None:
    """Check each value as if it were the option's, and that all of them occur."""
    fields = parse_vary(options.vary)
    for field, values in fields.items():
        if field == "dropout":  # a key of the model, which is checked where it is built
            continue
        for value in values:
            dataclasses.replace(_plain(options), **{field: value})
        if getattr(options, field) != StudyOptions.__dataclass_fields__[field].default:
            raise RequestError(
                f"{option_name(field)} {getattr(options, field)}: varies over members "
                f"by --vary {field.replace('_', '-')}; give one of the two"
            )
    combinations = math.prod(map(len, fields.values()))
    if options.members < combinations:
        raise RequestError(
            f"--vary {' '.join(options.vary)}: {combinations} combinations of values, "
            f"but --members {options.members}; give at least as many members"
        )
    _check_parts(options, fields)


def _plain(options: StudyOptions) -> StudyOptions:
    return StudyOptions(data=options.data)


def _check_parts(options: StudyOptions, fields: Mapping[str, Any]) -> None:
    """Refuse several choices of the examples that a member trains on."""
    parts = ("subset", "disjoint", "folds")
    given = [option_name(name) for name in parts if getattr(options, name) is not None]
    given += ["--resample bootstrap"] if options.resample == "bootstrap" else []
    given += ["--vary subset"] if "subset" in fields else []
    if len(given) > 1:
        raise RequestError(
            f"{' '.join(given)}: each says which examples a member trains on; give one"
        )


# ---- models


@dataclass(frozen=True)
class ModelSpec:
    """An architecture's name and the keys given with it."""

    name: str
    options: Mapping[str, str]


def parse_model(text: str, option: str = "--models") -> ModelSpec:
    """Split a model string, or another of its form, into its name and keys.

    Args:
        text: `NAME[:key=value,...]`; NAME may have two parts, as `sklearn:adaboost` or
            `package.module:factory`, the first of which holds a dot.
        option: Option that it was given with.

    Returns:
        The name and the values by key, as text.

    Raises:
        RequestError: Where the text does not have that form or repeats a key.

    Example:
        >>> parse_model("mlp:widths=64-64,linear=true").options
        {'widths': '64-64', 'linear': 'true'}
    """
    name, colon, rest = text.partition(":")
    if colon and (name == "sklearn" or "." in name):
        inner, colon, rest = rest.partition(":")
        name = f"{name}:{inner}" if inner else ""
    pairs = [part.partition("=") for part in rest.split(",")] if colon else []
    options = {key: value for key, _, value in pairs}
    complete = all(key and equals and value for key, equals, value in pairs)
    if not name or not complete or len(options) < len(pairs):
        raise RequestError(
            f"{option} {text}: must be NAME or NAME:key=value,key=value, each key once"
        )
    return ModelSpec(name, options)


def folder_name(model: str) -> str:
    """Return a model string made safe for a file name.

    Example:
        >>> folder_name("mlp:widths=64-64,linear=true")
        'mlp_widths=64-64_linear=true'
    """
    return re.sub(r"[^A-Za-z0-9.=_-]", "_", model)


def check_models(models: Sequence[str]) -> None:
    """Refuse a list of models that is empty or would share a run folder.

    Raises:
        RequestError: Where no model, two of the same folder, or a name too long for a
            folder are given.
    """
    if not models:
        raise RequestError("--models: at least one model is needed")
    seen: dict[str, str] = {}
    for model in models:
        parse_model(model)
        folder = folder_name(model).lower()
        if len(folder) > LONGEST_NAME:
            raise RequestError(
                f"--models {model}: {len(folder)} characters; must be at most "
                f"{LONGEST_NAME}, for the name of its folder"
            )
        if folder in seen:
            raise RequestError(
                f"--models {seen[folder]} {model}: both would be written to the "
                f"folder {folder}; name each model once"
            )
        seen[folder] = model


# ---- snapshots

LAST = "last"
_Steps = Callable[[int, int], set[int]]


def snapshot_steps(text: str, steps_per_epoch: int, epochs: int) -> list[int]:
    """Return the steps at which every member is evaluated, step 0 and the last too.

    Args:
        text: Rules joined by commas: `log:10`, `epoch`, `every:K`; or `last` alone,
            for no other step.
        steps_per_epoch: Steps an epoch, at least 1.
        epochs: Epochs, at least 1.

    Returns:
        Increasing steps.

    Example:
        >>> snapshot_steps("log:3,epoch", steps_per_epoch=10, epochs=3)
        [0, 1, 2, 5, 10, 20, 30]
    """
    if text == LAST:
        return [steps_per_epoch * epochs]
    steps = {0, steps_per_epoch * epochs}
    for rule in parse_snapshots(text):
        steps |= rule(steps_per_epoch, epochs)
    return sorted(steps)


def parse_snapshots(text: str) -> list[_Steps]:
    """Return the rules of a snapshot schedule.

    Raises:
        RequestError: Where a rule is none of `log:N`, `epoch` and `every:K`.
    """
    if text == LAST:
        return []
    return [_parse_rule(text, rule) for rule in text.split(",")]


def _parse_rule(text: str, rule: str) -> _Steps:
    name, _, number = rule.partition(":")
    count = int(number) if re.fullmatch(r"[1-9][0-9]{0,8}", number) else 0
    if name == "log" and count:
        return lambda steps_per_epoch, _: _log_steps(count, steps_per_epoch)
    if name == "every" and count:
        return lambda per_epoch, epochs: set(range(0, per_epoch * epochs + 1, count))
    if rule == "epoch":
        return lambda per_epoch, epochs: {per_epoch * e for e in range(epochs + 1)}
    raise RequestError(
        f"--snapshots {text}: each rule must be log:N, epoch or every:K with whole "
        "N, K from 1 on, joined by commas; or last, alone"
    )


def _log_steps(per_decade: int, last: int) -> set[int]:
    decades = math.log10(last) if last > 1 else 0.0
    per_decade = min(per_decade, 5 * last)  # which is every step; more are the same
    exponents = range(math.floor(decades * per_decade) + 1)
    return {min(last, round(10 ** (i / per_decade))) for i in exponents}
