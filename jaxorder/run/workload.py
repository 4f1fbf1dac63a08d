"""What a run will do, worked out and checked before anything is written."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Int

from jaxorder import record
from jaxorder.config import RunConfig, parse_vary, snapshot_steps
from jaxorder.data import Dataset, stratified
from jaxorder.ensemble import member
from jaxorder.ensemble.devices import Devices
from jaxorder.ensemble.mapped import Ensemble
from jaxorder.ensemble.member import Examples, Recipe
from jaxorder.ensemble.optimizer import optimizer
from jaxorder.ensemble.plan import Plan
from jaxorder.ensemble.planner import Job, Measure, choose, state_bytes
from jaxorder.ensemble.subsets import differ, most_examples, sizes_differ
from jaxorder.errors import RequestError, given
from jaxorder.models import Inputs, architecture, build, options_text
from jaxorder.run.arrange import Arrangement, Vectors, arrange

SPLITS = ("train", "test")
MOST_STEPS = 2**16 - 1  # an epoch: the product of two such numbers fits 32 bits


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
        raise RequestError(f"{given('augment')}: {dataset.name} holds no images")
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
            f"{given('batch_size', batch_size)}: {per_epoch:,} steps an epoch; members "
            f"with more and fewer examples take at most {MOST_STEPS:,}; give larger "
            "batches"
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
            f"{given('resample', 'features')}: {config.model} is a network, which sees "
            f"all features; networks take {given('resample', 'bootstrap')}"
        )
    if "momentum" in parse_vary(config.vary) and config.optimizer != "momentum":
        raise RequestError(
            f"{given('vary', 'momentum')}: {config.model} is trained by "
            f"{config.optimizer}, which has none; give {given('optimizer', 'momentum')}"
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
            f"{given('freeze', config.freeze)}: nothing would set the members of "
            f"{config.model} apart; freeze fewer streams, or give {given('members', 1)}"
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
        else stratified(split.labels, bound, option="record_examples")
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
