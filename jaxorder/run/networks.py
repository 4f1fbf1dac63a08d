"""A run of networks: what it will do, worked out and checked, and the doing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from jaxorder import record
from jaxorder.config import RunConfig, snapshot_steps
from jaxorder.config.optimizers import OPTIMIZERS, is_object
from jaxorder.data.laid_out import LaidOut
from jaxorder.ensemble import member, optax_rules
from jaxorder.ensemble.devices import Devices, cores, device_kind, matmul_precision
from jaxorder.ensemble.mapped import Ensemble
from jaxorder.ensemble.member import Examples, Recipe
from jaxorder.ensemble.optimizer import optimizer
from jaxorder.ensemble.plan import Plan
from jaxorder.ensemble.planner import Job, Measure, check, choose
from jaxorder.errors import RequestError, given
from jaxorder.members.streams import RANDOM
from jaxorder.members.subsets import differ, most_examples, sizes_differ
from jaxorder.members.traits import option_traits
from jaxorder.models import Inputs, architecture, build, options_text, parameter_count
from jaxorder.progress.watch import UNWATCHED, Tick, Watch
from jaxorder.run.arrange import Arrangement, arrange
from jaxorder.run.block import BlockTraining, kept_steps
from jaxorder.run.interruption import Interruption
from jaxorder.run.layout import LabelVectors, layout
from jaxorder.run.objects import NAMED, Objects
from jaxorder.run.work import Work

MOST_STEPS = 2**16 - 1  # an epoch: the product of two such numbers fits 32 bits


@dataclass(frozen=True)
class NetworkWork(Work):
    """A run of networks, ready to be begun or gone on with once it is planned.

    Attributes:
        config: Options, every default filled in.
        data: Training and test examples.
        recipe: How one member is trained.
        devices: Devices there are.
        arrangement: How the data lie on the devices.
        label_vectors: Labels of the training examples, over which members cycle.
        grown: Numbers of members that the run had before it was grown.
        chosen: How members are mapped; None before that is planned.
        batch_asked: Batch size that was asked for; a larger one than there are
            examples would only be padding.
        done: Members that are on disk in whole; None where the run is to be begun.
    """

    kind: ClassVar[str] = "network"

    config: RunConfig
    data: LaidOut
    recipe: Recipe
    devices: Devices
    arrangement: Arrangement
    label_vectors: LabelVectors | None = None
    grown: tuple[int, ...] = ()
    chosen: Plan | None = None
    batch_asked: int = 0
    done: int | None = None

    @property
    def plan(self) -> Plan:
        """How members are mapped."""
        assert self.chosen is not None, "planned() makes the plan"
        return self.chosen

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """First member and number of members of each block."""
        return self.plan.blocks(self.config.members, self.grown)

    @property
    def steps(self) -> list[int]:
        """Steps of the snapshots."""
        config = self.config
        return snapshot_steps(config.snapshots, self.steps_per_epoch, config.epochs)

    @property
    def steps_per_epoch(self) -> int:
        """Steps of the member that has most examples."""
        return self.recipe.steps_per_epoch

    @property
    def record_bytes(self) -> int:
        """Bytes of the record before compression."""
        each = self.recipe.prediction.itemsize
        for name in self.config.record:
            classes = self.data.dataset.num_classes
            values = 2 * classes if name == "probability" else 4
            snapshots = 1 if name in member.LAST_ONLY else len(self.steps)
            each += values * snapshots // len(self.steps)
        return len(self.steps) * self.config.members * self.data.evaluated * each

    @property
    def checkpoint_bytes(self) -> int:
        """Bytes of the checkpoints that are kept."""
        kept = kept_steps(self.config.keep_checkpoints, self.steps)
        return self.job.state_bytes * self.config.members * len(kept)

    @property
    def seconds_at_most(self) -> float | None:
        """About how long a run takes that is to be begun."""
        if self.done is not None:
            return None
        return self.plan.seconds or self.job.seconds_by_rule()

    @property
    def machine(self) -> dict[str, Any]:
        """What the bits depend on beside options and versions."""
        device = self.devices[0]
        return {
            "device": device.platform,
            "device_kind": device_kind(device),
            "cores": cores(),
            "matmul_precision": matmul_precision(self.config.precision),
            "random": f"{RANDOM}, partitionable",
        }

    @property
    def streamed(self) -> bool:
        """Whether the data are too large for the devices."""
        return self.arrangement.streamed

    @property
    def notes(self) -> tuple[str, ...]:
        """Say where a batch holds all examples."""
        if self.batch_asked <= self.recipe.batch_size:
            return ()
        return (
            f"{self.config.key}: a batch of {self.batch_asked} is more than the "
            f"{self.recipe.batch_size} training examples of a member; each step takes "
            "all of them",
        )

    @property
    def own_facts(self) -> dict[str, Any]:
        """What the run's document says of networks."""
        vectors, identity = self.label_vectors, self.recipe.model.identity
        return {
            "model_keys": options_text(self.config.model),
            "module": None if identity is None else dict(identity),
            "optimizer": self.recipe.optimizer_identity,
            "parameters": parameter_count(self.recipe.model),
            "plan": self.plan.to_json(),
            "label_vectors": 0 if vectors is None else len(vectors),
            "grown": self.grown,
        }

    def checked(self) -> "NetworkWork":
        """Return the work, whose plan can be and of which a member fits."""
        if self.chosen is None:
            check(self.job)
        return self

    def planned(self, measure: Measure, watch: Watch = UNWATCHED) -> "NetworkWork":
        """Return the work with the fastest way to map its members, where it has none.

        Args:
            measure: When ways are tried, unless the options name one.
            watch: Told what is tried.

        Raises:
            RequestError: Where memory does not suffice.
        """
        if self.chosen is not None:
            return self

        def say(what: str) -> None:
            watch.phase(f"{self.config.key}: {what}")

        say("planning")
        return replace(self, chosen=choose(self.job, measure, say))

    @cached_property
    def job(self) -> Job:
        """What a plan is wanted for."""
        return Job(
            self.recipe,
            self.config,
            self.devices,
            self.arrangement.examples,
            snapshots=len(self.steps),
            window=self.arrangement.window(self.recipe.batch_size),
        )

    def examples(self) -> Examples:
        """Return the data as they go to the devices, on the host."""
        return self.arrangement.examples(self.plan.evaluate_batch)

    def ensemble(self) -> Ensemble:
        """Return the members' compiled functions, with the data."""
        return Ensemble(
            self.recipe,
            self.config,
            self.plan,
            self.examples(),
            self.devices,
            window=self.arrangement.window(self.recipe.batch_size),
        )

    def layout(self) -> record.Layout:
        """Return the shape of the record."""
        made = layout(
            self.config,
            self.data,
            self.steps,
            self.steps_per_epoch,
            self.plan.block,
            self.label_vectors,
        )
        if not sizes_differ(self.config, self.recipe.pool):
            return made
        own = record.Named(_member_steps(self, made), ("snapshot", "member"))
        return replace(made, members={**made.members, "member_step": own})

    def plan_document(self) -> dict[str, Any]:
        """Return what `plan` prints."""
        config, plan = self.config, self.plan
        return {
            "model": config.key,
            "parameters": parameter_count(self.recipe.model),
            "members": config.members,
            "plan": plan.why,
            "evaluation": f"{plan.evaluate}, in batches of {plan.evaluate_batch}",
            "devices": plan.devices,
            "blocks": len(self.blocks),
            "estimated_seconds": plan.seconds,
            "memory_bytes": plan.memory_bytes,
            "optimizer": config.optimizer,
            "learning_rate": config.learning_rate,
            "schedule": config.schedule,
            "batch_size": config.batch_size,
            "epochs": config.epochs,
            "steps_per_epoch": self.steps_per_epoch,
            "snapshots": len(self.steps),
            "train_examples": self.recipe.train_examples,
            "evaluated_examples": self.data.evaluated,
            "record_bytes_uncompressed": self.record_bytes,
            "checkpoint_bytes": self.checkpoint_bytes,
            "notes": list(self.notes),
            "tried": [trial.to_json() for trial in plan.trials],
        }

    def train(
        self, path: Path, repeatable: bool, interruption: Interruption, watch: Watch
    ) -> None:
        """Train the blocks that are not complete."""
        watch.phase(f"{self.config.key}: compiling the evaluation")
        ensemble = self.ensemble()
        for block in self.blocks:
            training = BlockTraining(
                path,
                self.config,
                self.data,
                self.steps,
                ensemble,
                block,
                repeatable=repeatable,
                interruption=interruption,
                watch=Teller(self.config, watch),
            )
            if not training.complete:
                training.run()


def _member_steps(
    work: NetworkWork, made: record.Layout
) -> Int[np.ndarray, "snapshot member"]:
    """Return the steps of its own that each member has taken at each snapshot."""
    traits = option_traits(work.config, 0, work.config.members)
    traits = traits._replace(examples=made.members["train_examples"].values)
    steps = [
        member.own_steps(work.recipe, traits, jnp.int32(step)) for step in work.steps
    ]
    return np.stack([np.asarray(step) for step in steps])


class Teller:
    """Turns the state of a block's training into ticks for those who watch.

    Args:
        config: What the run does.
        watch: Told the progress.
    """

    def __init__(self, config: RunConfig, watch: Watch) -> None:
        self._config = config
        self._watch = watch

    def __call__(self, training: BlockTraining) -> None:
        """Tell where the training is."""
        config = self._config
        later = config.members - training.first - training.members
        whole = training.seconds_of_all / training.members
        done = training.first * config.epochs + training.members * training.epoch
        self._watch(
            Tick(
                model=config.key,
                members=config.members,
                done=done,
                total=config.members * config.epochs,
                examples_per_second=training.examples_per_second,
                train_accuracy=training.accuracy["train"],
                test_accuracy=training.accuracy["test"],
                seconds_left=training.seconds_left + later * whole,
            )
        )
        if not training.examples_per_second:  # the first step is yet to come
            self._watch.phase(f"{config.key}: compiling the training")


# ---- before anything is written


def prepare(
    config: RunConfig,
    data: LaidOut,
    devices: Devices,
    *,
    label_vectors: LabelVectors | None = None,
    objects: Objects = NAMED,
    grown: tuple[int, ...] = (),
    plan: Plan | None = None,
    done: int | None = None,
) -> NetworkWork:
    """Work out what a run will do but how it is mapped, and refuse what cannot be done.

    Args:
        config: What was asked.
        data: Loaded as asked.
        devices: Devices there are.
        label_vectors: Labels of the training examples, over which members cycle.
        objects: What was given as objects.
        grown: Numbers of members that the run had before it was grown.
        plan: Plan to keep to, when going on with a run.
        done: Members of it that are on disk in whole.

    Returns:
        The work, which is planned where a plan was given; nothing is written.

    Raises:
        RequestError: Where model and data do not fit.
    """
    _check_optimizer(config, objects)
    config = config.with_defaults(_defaults(config))
    check_variation(config)
    recipe = _recipe(config, data, objects)
    if label_vectors is None and recipe.model.identity is None:
        check_alike(config)
    arrangement = arrange(data, config, devices, label_vectors)
    _check_devices(plan, devices)
    return NetworkWork(
        config=config,
        data=data,
        recipe=recipe,
        devices=devices,
        arrangement=arrangement,
        label_vectors=label_vectors,
        grown=grown,
        chosen=plan,
        batch_asked=config.batch_size or 0,
        done=done,
    )


def _defaults(config: RunConfig) -> Mapping[str, Any]:
    """Return the architecture's options of training, as far as they suit."""
    defaults = architecture(config.model).training
    if config.optimizer is None or config.optimizer in OPTIMIZERS:
        return defaults
    # of optax's it is asked for, unless they have one of their own
    return {k: v for k, v in defaults.items() if k != "learning_rate"}


def _check_optimizer(config: RunConfig, objects: Objects) -> None:
    """Refuse an optimiser that lacks its object, is another, or its options."""
    asked, own = given("optimizer", config.optimizer), objects.optimizer
    if is_object(config.optimizer) and own is None:
        raise RequestError(
            f"{asked}: an optimizer that was given from Python; give it again, as "
            "jo.train(optimizer=...) or jo.resume(path, optimizer=...)"
        )
    if own is not None and not is_object(config.optimizer):
        raise RequestError(
            f"{asked}: has a name; give no optimizer, which would be another"
        )
    optax_rules.check_asked(config)


def _recipe(config: RunConfig, data: LaidOut, objects: Objects) -> Recipe:
    dataset = data.dataset
    inputs = Inputs(dataset.input_shape, len(dataset.vocabulary))
    if config.augment and len(inputs.shape) != 3:
        raise RequestError(
            f"{given('augment', config.augment)}: {dataset.name} holds no images"
        )
    model = build(
        config.model,
        inputs,
        dataset.num_classes,
        config.precision,
        config.varied.get("dropout", ()),
        module=objects.model,
    )
    most = most_examples(config, data.pool)
    assert config.batch_size is not None
    # a larger batch would only be padding
    batch_size = min(config.batch_size, most)
    per_epoch = -(-most // batch_size)
    if sizes_differ(config, data.pool) and per_epoch > MOST_STEPS:
        raise RequestError(
            f"{given('batch_size', batch_size)}: {per_epoch:,} steps an epoch; members "
            f"with more and fewer examples take at most {MOST_STEPS:,}; give larger "
            "batches"
        )
    own = objects.optimizer
    rule = optimizer(config, per_epoch * config.epochs, own)
    elementwise = config.optimizer in OPTIMIZERS
    if not elementwise:
        varied = option_traits(config, 0, 1).values
        values = {name: jnp.asarray(each[0]) for name, each in varied.items()}
        asked = given("optimizer", config.optimizer)
        optax_rules.check_runs(asked, lambda: rule(values, 1), model)
    return Recipe(
        model,
        rule,
        pool=data.pool,
        train_examples=most,
        batch_size=batch_size,
        prediction=record.prediction_type(dataset.num_classes),
        quantities=tuple(config.record),
        augment=tuple(config.augment),
        label_smoothing=config.label_smoothing,
        elementwise=elementwise,
        optimizer_identity=None if own is None else optax_rules.identity(own, model),
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
    named = optax_rules.named(config)  # which say themselves what they take
    if "momentum" in config.varied and not named and config.optimizer != "momentum":
        raise RequestError(
            f"{given('vary', 'momentum')}: {config.model} is trained by "
            f"{config.optimizer}, which has none; give "
            f"{given('optimizer', 'momentum')}"
        )


def check_alike(config: RunConfig) -> None:
    """Refuse members that nothing sets apart: they would agree with themselves.

    Raises:
        RequestError: Where their streams are frozen and no option varies.
    """
    drops = float(options_text(config.model).get("dropout", 0)) > 0
    random = {"init", "order"} | ({"dropout"} if drops else set())
    random |= {"augment"} if config.augment else set()
    apart = random - config.frozen or config.vary or differ(config)
    if config.members > 1 and not apart:
        raise RequestError(
            f"{given('freeze', sorted(config.frozen))}: nothing would set the members "
            f"of {config.model} apart; freeze fewer streams, or give "
            f"{given('members', 1)}"
        )


def _check_devices(plan: Plan | None, devices: Devices) -> None:
    if plan is not None and plan.devices > len(devices):
        raise RequestError(
            f"the run was planned for {plan.devices} devices, here are {len(devices)}; "
            "go on where there are as many, or in a process that has not used JAX yet"
        )
