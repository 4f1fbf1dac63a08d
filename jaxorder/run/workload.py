"""What a run will do, worked out and checked before anything is written."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from jaxorder import record
from jaxorder.config import (
    SCHEMA,
    RunConfig,
    parse_vary,
    snapshot_steps,
    to_json,
)
from jaxorder.data import Dataset, stratified
from jaxorder.ensemble import member
from jaxorder.ensemble.devices import (
    RANDOM,
    Devices,
    cores,
    device_kind,
    matmul_precision,
)
from jaxorder.ensemble.mapped import Ensemble
from jaxorder.ensemble.member import Examples, Recipe
from jaxorder.ensemble.optimizer import optimizer
from jaxorder.ensemble.plan import Plan
from jaxorder.ensemble.planner import Job, Measure, choose, state_bytes
from jaxorder.ensemble.subsets import differ, most_examples, sizes_differ
from jaxorder.ensemble.traits import drawn_traits
from jaxorder.errors import RequestError
from jaxorder.files import new_folder, write_json
from jaxorder.models import Inputs, architecture, build, options_text, parameter_count
from jaxorder.run.arrange import Arrangement, Vectors, arrange
from jaxorder.run.folder import CONFIG, Run
from jaxorder.run.growth import grown_before, with_members
from jaxorder.run.layout import VECTORS, layout

PACKAGES = ("jaxorder", "jax", "flax", "optax", "orbax-checkpoint", "numpy", "zarr")
SPLITS = ("train", "test")
MOST_STEPS = 2**16 - 1  # an epoch: the product of two such numbers fits 32 bits
TIME = ("time_axis", "time_unit", "time_note")  # where it is not counted in epochs


@dataclass(frozen=True)
class Workload:
    """A run, ready to be begun or gone on with.

    Attributes:
        config: Options, every default filled in.
        dataset: Training and test examples.
        recipe: How one member is trained.
        plan: How members are mapped.
        devices: Devices there are.
        recorded: Positions of the recorded examples within each split.
        arrangement: How the data lie on the devices.
        vectors: Labels of the training examples, over which members cycle.
        grown: Numbers of members that the run had before it was grown.
    """

    config: RunConfig
    dataset: Dataset
    recipe: Recipe
    plan: Plan
    devices: Devices
    recorded: dict[str, Int[np.ndarray, "_"]]
    arrangement: Arrangement
    vectors: Vectors | None = None
    grown: tuple[int, ...] = ()

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """First member and number of members of each block."""
        return self.plan.blocks(self.config.members, self.grown)

    @cached_property
    def steps(self) -> list[int]:
        """Steps of the snapshots."""
        config, per_epoch = self.config, self.recipe.steps_per_epoch
        return snapshot_steps(config.snapshots, per_epoch, config.epochs)

    @property
    def state_bytes(self) -> int:
        """Bytes of one member's parameters and optimiser state."""
        return state_bytes(self.recipe, self.config)

    @property
    def evaluated(self) -> int:
        """Examples evaluated at a snapshot, of both splits."""
        return sum(len(positions) for positions in self.recorded.values())

    def examples(self) -> Examples:
        """Return the data as they go to the devices, on the host."""
        return self.arrangement.examples(self.plan.evaluate_batch)

    def ensemble(self) -> Ensemble:
        """Return the members' compiled functions, with the data."""
        window = self.arrangement.window(self.recipe.batch_size)
        return Ensemble(
            *(self.recipe, self.config, self.plan, self.examples(), self.devices),
            window=window,
        )


def prepare(
    config: RunConfig,
    dataset: Dataset,
    devices: Devices,
    plan: Plan | None = None,
    measure: Measure = "if long",
    vectors: Vectors | None = None,
    grown: tuple[int, ...] = (),
    module: Any = None,
) -> Workload:
    """Work out what a run will do, and refuse what cannot be done.

    Args:
        config: What was asked.
        dataset: Loaded as asked.
        devices: Devices there are.
        plan: Plan to keep to, when going on with a run; else one is made.
        measure: Whether to try ways to run, unless the options name one.
        vectors: Labels of the training examples, over which members cycle.
        grown: Numbers of members that the run had before it was grown.
        module: The network, where it is a Linen module given as an object.

    Returns:
        The run's workload; nothing is written.

    Raises:
        RequestError: Where model and data do not fit, or memory does not suffice.
    """
    config = config.with_defaults(architecture(config.model).training)
    check_variation(config)
    recipe = _recipe(config, dataset, module)
    if vectors is None and recipe.model.identity is None:
        check_alike(config)
    recorded = choose_recorded(dataset, config.record_examples)
    snapshots = snapshot_steps(config.snapshots, recipe.steps_per_epoch, config.epochs)
    arrangement = arrange(dataset, recorded, config, devices, vectors)
    job = Job(
        *(recipe, config, devices, arrangement.examples),
        snapshots=len(snapshots),
        window=arrangement.window(recipe.batch_size),
    )
    plan = plan or choose(job, measure)
    _check_devices(plan, devices)
    return Workload(
        *(config, dataset, recipe, plan, devices, recorded, arrangement),
        vectors=vectors,
        grown=grown,
    )


def _recipe(config: RunConfig, dataset: Dataset, module: Any) -> Recipe:
    inputs = Inputs(dataset.input_shape, len(dataset.vocabulary))
    if config.augment and len(inputs.shape) != 3:
        raise RequestError(f"--augment: {dataset.name} holds no images")
    shares = parse_vary(config.vary).get("dropout", ())
    model = build(
        *(config.model, inputs, dataset.num_classes, config.precision, shares),
        module=module,
    )
    pool = len(dataset.train.labels)
    most = most_examples(config, pool)
    assert config.batch_size is not None
    # a larger batch would only be padding
    batch_size = min(config.batch_size, most)
    per_epoch = -(-most // batch_size)
    if sizes_differ(config, pool) and per_epoch > MOST_STEPS:
        raise RequestError(
            f"--batch-size {batch_size}: {per_epoch:,} steps an epoch; members with "
            f"more and fewer examples take at most {MOST_STEPS:,}; give larger batches"
        )
    return Recipe(
        model,
        optimizer(config, per_epoch * config.epochs),
        pool=pool,
        train_examples=most,
        batch_size=batch_size,
        prediction=record.prediction_type(dataset.num_classes),
        quantities=config.record,
        augment=config.augment,
        label_smoothing=config.label_smoothing,
    )


def check_variation(config: RunConfig) -> None:
    """Refuse what networks cannot differ in.

    Raises:
        RequestError: Where features are resampled, or a varied option has no effect.
    """
    if config.resample == "features":
        raise RequestError(
            f"--resample features: {config.model} is a network, which sees all "
            "features; networks take --resample bootstrap"
        )
    if "momentum" in parse_vary(config.vary) and config.optimizer != "momentum":
        raise RequestError(
            f"--vary momentum: {config.model} is trained by {config.optimizer}, which "
            "has none; give --optimizer momentum"
        )


def check_alike(config: RunConfig) -> None:
    """Refuse members that nothing sets apart: they would agree with themselves.

    Raises:
        RequestError: Where their streams are frozen and no option varies.
    """
    frozen = {*config.freeze, *(["order"] if config.order == "shared" else [])}
    drops = float(options_text(config.model).get("dropout", 0)) > 0
    apart = [
        *({"init", "order"} - frozen),
        *(["dropout"] if drops and "dropout" not in frozen else []),
        *(["augment"] if config.augment and "augment" not in frozen else []),
    ]
    if config.members > 1 and not (apart or config.vary or differ(config)):
        raise RequestError(
            f"--freeze {' '.join(config.freeze)}: nothing would set the members of "
            f"{config.model} apart; freeze fewer streams, or give --members 1"
        )


def choose_recorded(
    dataset: Dataset, bound: int | None
) -> dict[str, Int[np.ndarray, "_"]]:
    """Return the positions of the examples to record of each split.

    Raises:
        RequestError: Where the bound is less than the number of classes.
    """
    splits = {name: dataset.split(name) for name in SPLITS}
    return {
        name: np.arange(len(split.labels))
        if bound is None or bound >= len(split.labels)
        else stratified(split.labels, bound, option="--record-examples")
        for name, split in splits.items()
    }


def _check_devices(plan: Plan, devices: Devices) -> None:
    if plan.devices > len(devices):
        raise RequestError(
            f"the run was planned for {plan.devices} devices, here are {len(devices)}; "
            "go on where there are as many, or in a process that has not used JAX yet"
        )


def record_bytes(work: Workload) -> int:
    """Return the bytes of the record's predictions before compression."""
    each = work.recipe.prediction.itemsize
    for name in work.config.record:
        values = 2 * work.dataset.num_classes if name == "probability" else 4
        snapshots = 1 if name in member.LAST_ONLY else len(work.steps)
        each += values * snapshots // len(work.steps)
    return len(work.steps) * work.config.members * work.evaluated * each


def machine(work: Workload) -> dict[str, Any]:
    """Return what the bits of a run depend on beside its options and versions."""
    device = work.devices[0]
    return {
        "device": device.platform,
        "device_kind": device_kind(device),
        "cores": cores(),
        "matmul_precision": matmul_precision(work.config.precision),
        "random": f"{RANDOM}, partitionable",
    }


def versions(more: Sequence[str] = ()) -> dict[str, str]:
    """Return the versions of Python and of the packages that matter, and of more."""
    found = {package: version(package) for package in (*PACKAGES, *more)}
    return {"python": platform.python_version()} | found


def describe(work: Workload) -> dict[str, Any]:
    """Return the document that a run keeps of itself."""
    dataset, identity = work.dataset, work.recipe.model.identity
    return {
        "schema": SCHEMA,
        "options": to_json(work.config),
        "model_keys": options_text(work.config.model),
        **({"module": dict(identity)} if identity else {}),
        "parameters": parameter_count(work.recipe.model),
        "steps": work.steps,
        "steps_per_epoch": work.recipe.steps_per_epoch,
        "data": describe_data(dataset) | {"streamed": work.arrangement.streamed},
        "plan": work.plan.to_json(),
        "machine": machine(work),
        "versions": versions(),
        "label_vectors": 0 if work.vectors is None else len(work.vectors),
        "grown": list(work.grown),
    }


def describe_data(dataset: Dataset) -> dict[str, Any]:
    """Return what a run notes of its data."""
    return {
        "name": dataset.name,
        "digest": dataset.digest,
        "train": len(dataset.train.labels),
        "test": len(dataset.test.labels),
        "classes": dataset.num_classes,
        "class_names": list(dataset.class_names),
        "input_shape": list(dataset.input_shape),
        "facts": dict(dataset.facts),
    }


def create(path: Path, work: Workload) -> None:
    """Make a run folder: its description and an empty record.

    Raises:
        RequestError: Where the folder exists.
    """
    write_run(path, describe(work), work_layout(work))


def write_run(path: Path, document: dict[str, Any], made: record.Layout) -> None:
    """Make a run folder of a description and the layout of a record.

    Raises:
        RequestError: Where the folder exists.
    """
    created = datetime.now(UTC).isoformat(timespec="seconds")
    attributes = {
        "schema": SCHEMA,
        "model": document["options"]["model"],
        "data": document["data"]["name"],
        "digest": document["data"]["digest"],
        "versions": document["versions"],
        **{key: value for key, value in document.items() if key in TIME},
    }
    with new_folder(path) as folder:
        write_json(folder / CONFIG, {**document, "created": created})
        record.create(folder / record.RECORD, made, attributes)
        (folder / record.COMMITS).mkdir()


def work_layout(work: Workload) -> record.Layout:
    """Return the shape of the record of a run of networks."""
    made = layout(
        *(work.config, work.dataset, work.recorded, work.steps),
        *(work.recipe.steps_per_epoch, work.plan.block, work.vectors),
    )
    if not sizes_differ(work.config, work.recipe.pool):
        return made
    steps = record.Named(_member_steps(work, made), ("snapshot", "member"))
    return replace(made, members={**made.members, "member_step": steps})


def _member_steps(
    work: Workload, made: record.Layout
) -> Int[np.ndarray, "snapshot member"]:
    """Return the steps of its own that each member has taken at each snapshot."""
    traits = drawn_traits(work.config, 0, work.config.members)
    traits = traits._replace(examples=made.members["train_examples"].values)
    steps = [
        member.own_steps(work.recipe, traits, jnp.int32(step)) for step in work.steps
    ]
    return np.stack([np.asarray(step) for step in steps])


def reopen(
    run: Run,
    dataset: Dataset,
    devices: Devices,
    members: int | None = None,
    module: Any = None,
) -> Workload:
    """Return the workload of a run that was begun, under the plan it was begun with.

    Args:
        run: The run.
        dataset: Loaded as it says.
        devices: Devices there are.
        members: Members to grow it to; None: as many as it has.
        module: Its network, where that was given as an object.

    Raises:
        RequestError: Where the data or a network of the user's own are others than it
            was begun with.
    """
    check_data(run, dataset)
    vectors = run.document.get("label_vectors")
    work = prepare(
        *(with_members(run, members), dataset, devices),
        Plan.from_json(run.document["plan"]),
        vectors=record.read_root(run.path, VECTORS) if vectors else None,
        grown=grown_before(run, members),
        module=module,
    )
    _check_module(run, work)
    return work


def check_data(run: Run, dataset: Dataset) -> None:
    """Refuse other data than a run was begun with.

    Raises:
        RequestError: Where they are others.
    """
    digest = run.document["data"]["digest"]
    if dataset.digest != digest:
        raise RequestError(
            f"--data {dataset.name}: not the data that {run.path} was begun with "
            f"(digest {dataset.digest[:12]} instead of {digest[:12]}); restore those"
        )


def _check_module(run: Run, work: Workload) -> None:
    """Refuse a network of the user's own that is not the one a run was begun with."""
    then, now = run.document.get("module"), work.recipe.model.identity
    if then is None or now is None:
        return
    # other versions trace the same network to other operations
    same_versions = run.document["versions"] == versions()
    for key in ("digest", *(["program"] if same_versions else [])):
        if then[key] != now[key]:
            raise RequestError(
                f"--models {run.name}: not the module that {run.path} was begun with "
                f"({key} {now[key][:12]} instead of {then[key][:12]}); restore that"
            )
