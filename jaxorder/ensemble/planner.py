"""The fastest way to train members here: ways are pruned by rule, then tried.

What was measured is kept in the cache folder, by everything that the speed depends on.
"""

import contextlib
import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import jax

from jaxorder.config import RunConfig
from jaxorder.data.cache import cache_folder
from jaxorder.ensemble import member
from jaxorder.ensemble.devices import Devices, cores, device_kind, memory_bytes
from jaxorder.ensemble.mapped import Ensemble
from jaxorder.ensemble.member import Examples, Recipe
from jaxorder.ensemble.plan import (
    AUTO,
    CHUNK,
    Lowering,
    Plan,
    Trial,
    block_members,
    by_rule,
    counted,
    named,
)
from jaxorder.errors import RequestError, given
from jaxorder.files import write_json
from jaxorder.members.subsets import differ
from jaxorder.members.traits import option_traits
from jaxorder.models import Model, forward_flops
from jaxorder.models.ambient import Method, traced_with

Measure = Literal["always", "if long"]

TRIAL_MEMBERS = 64  # a trial of more would take longer and say the same
TRIAL_BATCHES = 2  # of evaluation: more take as long each
TRIAL_SECONDS, TRIAL_TURNS = 0.25, 5
# A run shorter than this, at a speed that any way reaches, is not worth trials.
WORTH_SECONDS = 30.0
FLOPS_A_SECOND = 5e10
MARGIN = 1.05  # another way must be so much faster than the rule's: trials are noisy
# Members in sequence go through a block for each call of some seconds, and their states
# are copied there and back: a step of all should be short, but a block not too small.
STEP_SECONDS, LEAST_BLOCK = 0.1, 32
FORMAT = 2  # of what is kept, and of what is tried
PACKAGES = ("jaxorder", "jax", "jaxlib", "flax", "optax")


@dataclass(frozen=True)
class Job:
    """A run that a plan is wanted for.

    Attributes:
        recipe: How one member is trained.
        config: Options, every default filled in.
        devices: Devices there are.
        examples: Returns the data, to be evaluated in batches of a size.
        snapshots: Snapshots of the run.
        window: Steps that a window of streamed data is for, if they are streamed.
    """

    recipe: Recipe
    config: RunConfig
    devices: Devices
    examples: Callable[[int], Examples]
    snapshots: int
    window: int | None = None

    @property
    def on_cpu(self) -> bool:
        """Whether the devices are cores of the host."""
        return self.devices[0].platform == "cpu"

    @property
    def steps(self) -> int:
        """Steps of the run."""
        return self.recipe.steps_per_epoch * self.config.epochs

    @cached_property
    def data(self) -> Examples:
        """The data, evaluated in batches of one."""
        return self.examples(1)

    @cached_property
    def state_bytes(self) -> int:
        """Bytes of one member's parameters, optimiser state and examples."""
        return state_bytes(self.recipe, self.config)

    @cached_property
    def convolves(self) -> bool:
        """Whether the model has convolutions."""
        return _convolves(self)

    def seconds_by_rule(self) -> float:
        """Return the seconds that the run takes at a speed that any way reaches."""
        flops = forward_flops(self.recipe.model)
        trained = 3 * self.steps * self.recipe.batch_size
        evaluated = self.snapshots * self.data.evaluated.size
        return self.config.members * flops * (trained + evaluated) / FLOPS_A_SECOND


UNCOVERED = (
    "; it has convolutions outside of nn.Conv, which no method of the plan covers: on "
    "a CPU their gradients take several times as long"
)


CONVOLUTION = "conv_general_dilated"  # of JAX's operations
NO_ROOM = "needs"  # begins what a trial says that does not fit
Say = Callable[[str], None]


def _silent(what: str) -> None:
    del what


def check(job: Job) -> None:
    """Refuse a plan that cannot be, before anything is tried.

    Raises:
        RequestError: Where a name is not known, or not even one member fits.
    """
    with jax.enable_x64(False):
        rule = _by_rule(job)
    if job.config.plan != AUTO:
        named(job.config.plan, rule, len(job.devices))


def choose(job: Job, measure: Measure, say: Say = _silent) -> Plan:
    """Return the plan of a run.

    Args:
        job: What to plan.
        measure: Whether to try the ways that suit, `always` or for long runs only; ways
            that were tried before, on such a machine, are not tried again.
        say: Told what is tried.

    Returns:
        What the user named; else the fastest way tried; else that of the rule.

    Raises:
        RequestError: Where a name is not known, or not even one member fits.
    """
    with jax.enable_x64(False):
        plan = _chosen(job, measure, say)
    own = job.recipe.model.identity is not None
    if own and job.on_cpu and _convolves(job, "patches"):
        return dataclasses.replace(plan, why=plan.why + UNCOVERED)
    return plan


def _chosen(job: Job, measure: Measure, say: Say) -> Plan:
    rule = _by_rule(job)
    if job.config.plan != AUTO:
        return named(job.config.plan, rule, len(job.devices))
    kept = _kept_file(job, rule)
    trials = _read_trials(kept)
    if trials is None:
        if measure == "if long" and job.seconds_by_rule() < WORTH_SECONDS:
            return rule
        trials = try_ways(job, rule, memory_bytes(job.devices), say)
        with contextlib.suppress(OSError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_json(kept, {"trials": [trial.to_json() for trial in trials]})
    return fastest(job, rule, trials)


def _by_rule(job: Job) -> Plan:
    config, memory = job.config, memory_bytes(job.devices)
    block = block_members(config.members, job.state_bytes, memory, config.block_members)
    return by_rule(job.devices, config.members, block, job.convolves)


def fastest(job: Job, rule: Plan, trials: tuple[Trial, ...]) -> Plan:
    """Return the plan of the fastest ways tried, or of the rule where none worked.

    Raises:
        RequestError: Where memory suffices for none of them.
    """
    train = _best([t for t in trials if t.what == "train"], rule.train)
    evaluate = _best([t for t in trials if t.what == "evaluate"], rule.evaluate)
    if train is None or evaluate is None:
        problem = next(trial.problem for trial in trials if trial.problem)
        if all(trial.problem.startswith(NO_ROOM) for trial in trials):
            raise RequestError(
                f"{given('model', job.config.model)}: {problem}; give a smaller "
                f"{given('batch_size')} or {given('block_members')}"
            )
        why = f"{rule.train}: by rule, since no trial succeeded ({problem})"
        return dataclasses.replace(rule, why=why, trials=trials)
    compiling = [trial.compile_seconds or 0.0 for trial in (train, evaluate)]
    seconds = sum(compiling) + job.config.members / 1e3 * (
        job.steps * _ms(train) + job.snapshots * _ms(evaluate)
    )
    tried = sum(trial.what == "train" for trial in trials)
    fastest = (
        "the only way that suits" if tried == 1 else f"the fastest of {tried} tried"
    )
    return dataclasses.replace(
        rule,
        train=train.lowering,
        evaluate=evaluate.lowering,
        block=_short_block(job, rule.block, train),
        evaluate_batch=evaluate.batch,
        why=f"{train.lowering}, on {counted(rule.devices)}: {_ms(train):.3g} ms a "
        f"member-step, {fastest}",
        trials=trials,
        seconds=seconds,
    )


def _best(trials: list[Trial], rule: Lowering) -> Trial | None:
    """Return the fastest trial; the rule's, if it is about as fast."""
    worked = [trial for trial in trials if trial.ms is not None]
    return min(
        worked,
        key=lambda t: _ms(t) * (1 if t.lowering == rule else MARGIN),
        default=None,
    )


def _short_block(job: Job, block: int, train: Trial) -> int:
    """Return the members of a pass: fewer, where a step of all would take long."""
    if job.config.block_members or train.lowering.members != "sequential":
        return block
    return min(block, max(LEAST_BLOCK, int(1e3 * STEP_SECONDS / _ms(train))))


def _ms(trial: Trial) -> float:
    return math.inf if trial.ms is None else trial.ms


def state_bytes(recipe: Recipe, config: RunConfig) -> int:
    """Return the bytes of one member's parameters, optimiser state and examples."""
    traits = jax.tree.map(lambda values: values[0], option_traits(config, 0, 1))
    state = jax.eval_shape(lambda: member.init(recipe, traits))
    leaves = jax.tree.leaves(state)
    # its order of an epoch, and which examples are its own
    numbers = (1 + differ(config)) * recipe.train_examples
    return 4 * numbers + sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)


# ---- ways


def ways(job: Job, rule: Plan) -> list[Lowering]:
    """Return the ways to map members that are worth a trial, the rule's first.

    On a CPU no convolution is mapped by vmap, where it would become a grouped one, nor
    differentiated natively inside a loop: both are some twenty times slower.
    """
    each = -(-min(rule.block, TRIAL_MEMBERS) // rule.devices)
    methods: list[Method] = ["native"]
    if job.convolves:
        own: list[Method] = ["winograd", "direct"]
        methods = _different(job, own if job.on_cpu else ["native", "patches"])
    together: list[Lowering] = []
    if each > 1 and not (job.on_cpu and job.convolves):
        together = [Lowering("vmap", method) for method in methods]
    if each > CHUNK and together:
        together.append(Lowering("chunks", methods[0], CHUNK))
    apart = [Lowering("sequential", method) for method in methods]
    return apart + together if job.on_cpu else together + apart


def _different(job: Job, methods: list[Method]) -> list[Method]:
    """Return the methods that make different programs of the model."""
    programs = {}
    for method in methods:
        programs.setdefault(_program(job, method), method)
    return list(programs.values())


def _program(job: Job, method: Method) -> str:
    return program(job.recipe.model, job.recipe.batch_size, method)


def program(model: Model, batch: int, method: Method) -> str:
    """Return what a network computes of a batch, by a method of convolution."""
    variables = jax.eval_shape(model.init, jax.random.key(0))
    with traced_with(convolution=method):
        # a function that is new each time, since JAX remembers what it traced
        logits = jax.make_jaxpr(lambda v, x: model.logits(*v, x))
        return str(logits(variables, model.inputs.of(batch)))


def _convolves(job: Job, method: Method = "native") -> bool:
    """Whether there are convolutions, or by the method of patches, some left of them.

    That method makes matrix products of all that it covers.
    """
    return CONVOLUTION in _program(job, method)


def to_evaluate(model: Model, devices: Devices, members: int) -> Plan:
    """Return the plan, by rule, of members that are only evaluated here.

    Args:
        model: The network.
        devices: Devices there are.
        members: How many there are.

    Raises:
        RequestError: Where not even one member fits.
    """
    leaves = jax.tree.leaves(jax.eval_shape(model.init, jax.random.key(0)))
    each = sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)
    block = block_members(members, each, memory_bytes(devices), None)
    convolves = CONVOLUTION in program(model, 1, "native")
    return by_rule(devices, members, block, convolves)


# ---- trials


def try_ways(
    job: Job, rule: Plan, memory: int, say: Say = _silent
) -> tuple[Trial, ...]:
    """Try to train, then to evaluate, in each of the ways that suit.

    Args:
        job: What to plan.
        rule: Devices and block.
        memory: Bytes that may be used.
        say: Told what is tried.

    Returns:
        A trial of each; one that failed says why.
    """
    found = ways(job, rule)
    train = []
    for number, way in enumerate(found, start=1):
        say(f"trying plans, {number} of {len(found)} to train ({way})")
        train.append(_tried(_try_train, job, rule, way, 1, memory))
    best = _best(train, rule.train)
    batches = [rule.evaluate_batch]
    if not (job.on_cpu and job.convolves):
        batches.append(4 * rule.evaluate_batch)
    mapped = best.lowering if best else rule.train
    say("trying plans, to evaluate")
    evaluate = [
        _tried(_try_evaluate, job, rule, way, batch, memory)
        for way in found
        if (way.members, way.chunk) == (mapped.members, mapped.chunk)
        for batch in batches
    ]
    return (*train, *evaluate)


def _tried(
    function: Callable[..., Trial],
    job: Job,
    rule: Plan,
    way: Lowering,
    batch: int,
    memory: int,
) -> Trial:
    what: Any = "train" if function is _try_train else "evaluate"
    batch = job.recipe.batch_size if what == "train" else batch
    empty = Trial(what, way, batch)
    plan = dataclasses.replace(rule, train=way, evaluate=way, evaluate_batch=batch)
    try:
        return function(job, plan, empty, memory)
    except Exception as error:  # whatever it is, another way may do
        problem = " ".join(str(error).split())[:200] or type(error).__name__
        return dataclasses.replace(empty, problem=problem)


def _try_train(job: Job, plan: Plan, empty: Trial, memory: int) -> Trial:
    ensemble, held, members = _begun(job, plan, job.examples(plan.evaluate_batch))
    order = ensemble.order(0)
    compiled, trial = _compiled(
        ensemble.lower("train", held[0], order), plan, empty, memory
    )

    def steps(count: int) -> None:
        arguments = ensemble.train_arguments(held[0], order, 0, count)
        held[0] = jax.block_until_ready(compiled(*arguments))[0]

    seconds = _seconds(steps, ensemble.held_steps)
    return dataclasses.replace(trial, ms=1e3 * seconds / members)


def _try_evaluate(job: Job, plan: Plan, empty: Trial, memory: int) -> Trial:
    data = job.examples(plan.evaluate_batch)
    few = data._replace(evaluated=data.evaluated[:1, :TRIAL_BATCHES])
    ensemble, held, members = _begun(job, plan, few)
    lowered = ensemble.lower("evaluate", held[0], ensemble.order(0))
    _, trial = _compiled(lowered, plan, empty, memory)

    def groups(count: int) -> None:
        for _ in range(count):
            ensemble.predict_group(held[0], 0)

    parts = data.evaluated.size / few.evaluated.size
    seconds = parts * _seconds(groups, 100)
    return dataclasses.replace(trial, ms=1e3 * seconds / members)


def _begun(job: Job, plan: Plan, data: Examples) -> tuple[Ensemble, list[Any], int]:
    ensemble = Ensemble(job.recipe, job.config, plan, data, job.devices, job.window)
    members = min(plan.block, TRIAL_MEMBERS)
    ensemble.begin(0, members)
    return ensemble, [ensemble.init()], members


def _compiled(
    lowered: jax.stages.Lowered, plan: Plan, empty: Trial, memory: int
) -> tuple[Any, Trial]:
    """Compile, and refuse to run what would not fit."""
    began = time.perf_counter()
    compiled = lowered.compile()
    seconds = time.perf_counter() - began
    needed = plan.devices * held_bytes(compiled)
    if needed > memory:
        raise RequestError(
            f"{NO_ROOM} {needed >> 20} MiB of memory, here are {memory >> 20}"
        )
    trial = dataclasses.replace(empty, compile_seconds=seconds, memory_bytes=needed)
    return compiled, trial


def held_bytes(compiled: Any) -> int:
    """Return the bytes that a compiled function holds on each device while it runs."""
    size = compiled.memory_analysis()
    return (
        size.argument_size_in_bytes
        + size.output_size_in_bytes
        - size.alias_size_in_bytes
        + size.temp_size_in_bytes
    )


def _seconds(run: Callable[[int], None], most: int) -> float:
    """Return the seconds that one of some repetitions takes: the least of some turns.

    What else the machine does can only add to them.
    """
    run(1)
    one = _timed(run, 1)
    count = max(1, min(most, int(TRIAL_SECONDS / one)))
    if one > TRIAL_SECONDS:
        return one
    return min(_timed(run, count) for _ in range(TRIAL_TURNS))


def _timed(run: Callable[[int], None], count: int) -> float:
    began = time.perf_counter()
    run(count)
    return (time.perf_counter() - began) / count


# ---- what was measured before


def _kept_file(job: Job, rule: Plan) -> Path:
    """Return the file for all that the speed of a run depends on."""
    config, device = job.config, job.devices[0]
    params = jax.eval_shape(job.recipe.model.init, jax.random.key(0))
    facts = (
        FORMAT,
        (config.model, config.optimizer, config.schedule, config.precision),
        job.recipe.model.identity,
        (config.record, job.recipe.batch_size, job.recipe.train_examples),
        (config.vary, config.subset, config.disjoint, config.folds, config.resample),
        (config.label_smoothing, job.data.label_vectors is None),
        [(leaf.shape, str(leaf.dtype)) for leaf in jax.tree.leaves(params)],
        (job.data.inputs.shape, str(job.data.inputs.dtype), job.data.evaluated.size),
        (min(rule.block, TRIAL_MEMBERS), rule.devices, job.window, job.recipe.augment),
        (device.platform, device_kind(device), cores()),
        [version(package) for package in PACKAGES],
    )
    digest = hashlib.sha256(repr(facts).encode()).hexdigest()[:24]
    return cache_folder() / "plans" / f"{digest}.json"


def _read_trials(path: Path) -> tuple[Trial, ...] | None:
    try:
        kept = json.loads(path.read_text())["trials"]
        return tuple(map(Trial.from_json, kept))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # none yet, or not readable: measured again
