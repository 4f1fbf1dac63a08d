"""Update rules that are optax's own, by name, and those given as objects.

A named one is given the run's learning rate and schedule, through
`optax.inject_hyperparams`, and its weight decay, as far as it takes them; these may
then vary over members. An object has its own, of which nothing is known but what it
does.
"""

import dataclasses
import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import numpy as np
import optax

from jaxorder.config import RunConfig
from jaxorder.config.groups import TrainingOptions
from jaxorder.config.optimizers import OBJECT, is_named, is_object, parse_optimizer
from jaxorder.errors import RequestError, given
from jaxorder.models import Model
from jaxorder.models.factories import refusing
from jaxorder.models.identity import digest, operations_digest, shapes_text
from jaxorder.spec import Spec, typed, unknown

RATE = "learning_rate"
# Options of a run that an optimiser given as an object has of its own.
ITS_OWN = (RATE, "schedule", "momentum", "weight_decay")


def named(config: RunConfig) -> Spec | None:
    """Return the parts of an optimiser's name, where it is one of optax's."""
    if config.optimizer is None:
        return None
    spec = parse_optimizer(config.optimizer)
    return spec if is_named(spec) else None


def check_asked(config: RunConfig) -> None:
    """Refuse options that an optimiser of optax's does not go with.

    Args:
        config: What was asked, the architecture's learning rate not filled in.

    Raises:
        RequestError: Where there is no such optimiser or key, it lacks a learning rate,
            or has of its own what was given, too.
    """
    if is_object(config.optimizer):
        _check_own(config)
    elif spec := named(config):
        _check_named(config, spec, _parameters(spec))


def _check_own(config: RunConfig) -> None:
    for name in ITS_OWN:
        value = getattr(config, name)
        if name in config.varied:
            raise RequestError(
                f"{given('vary', name.replace('_', '-'))}: the optimizer was given as "
                "an object, which is the same for all members; name it, as optax:lion"
            )
        if value != TrainingOptions.__dataclass_fields__[name].default:
            raise RequestError(
                f"{given(name, value)}: the optimizer was given as an object, which "
                "has its own; leave one of the two out"
            )


def _check_named(
    config: RunConfig, spec: Spec, takes: Mapping[str, inspect.Parameter]
) -> None:
    for key in spec.values:
        if key in (RATE, "weight_decay"):
            raise RequestError(f"{spec.asked}: {key} is an option; give {given(key)}")
        if key not in takes:
            raise RequestError(unknown("key", spec.asked, key, _keys(takes)))
    has_rate = config.learning_rate is not None or RATE in config.varied
    if not has_rate and takes[RATE].default is inspect.Parameter.empty:
        raise RequestError(
            f"{spec.asked}: give {given(RATE)} too; that of {config.model} is not "
            f"meant for {spec.argument}"
        )
    if not has_rate and config.schedule != "constant":
        raise RequestError(
            f"{given('schedule', config.schedule)}: {spec.argument} finds its own "
            f"learning rate; give {given(RATE)} too, or leave the schedule out"
        )
    if "momentum" in config.varied and "momentum" not in takes:
        raise RequestError(
            f"{given('vary', 'momentum')}: {spec.argument} of optax takes no momentum"
        )
    if config.momentum != TrainingOptions.__dataclass_fields__["momentum"].default:
        raise RequestError(
            f"{given('momentum', config.momentum)}: is for the optimizer momentum; of "
            f"optax's it is a key, if they have one, as optax:sgd:momentum=0.9"
        )


def _keys(takes: Iterable[str]) -> list[str]:
    return [name for name in takes if name not in (RATE, "weight_decay")]


def _function(spec: Spec) -> Callable[..., optax.GradientTransformation]:
    known = _known()
    if spec.argument not in known:
        raise RequestError(
            unknown("optimizer of optax", spec.asked, spec.argument, known)
        )
    return known[spec.argument]


@functools.cache
def _known() -> dict[str, Callable[..., optax.GradientTransformation]]:
    """Return optax's optimisers by name: whole rules, that take a learning rate.

    Those that draw noise of a key are left out: it would be the same for all members.
    """
    found = {}
    for name, function in vars(optax).items():
        kind = inspect.isfunction(function) or isinstance(function, functools.partial)
        if name.startswith(("_", "scale_by")) or not kind:
            continue
        takes = inspect.signature(function).parameters
        if RATE in takes and "key" not in takes:
            found[name] = function
    return dict(sorted(found.items()))


def _parameters(spec: Spec) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(_function(spec)).parameters


def named_rule(
    config: RunConfig, spec: Spec, rate: optax.Schedule | None, values: Mapping
) -> optax.GradientTransformation:
    """Return the update rule of a member, by optax's name.

    Args:
        config: Options.
        spec: The optimiser's name and keys.
        rate: Learning rate over steps; None: the optimiser's own.
        values: The member's own values by field.

    Returns:
        The rule; weight decay is its own where it takes one, and else adds to the
        gradient.
    """
    function, takes = _function(spec), _parameters(spec)
    decay = values.get("weight_decay", config.weight_decay)
    keys = {key: typed(text) for key, text in spec.values.items()}
    if "weight_decay" in takes:
        keys["weight_decay"] = decay
    if "momentum" in values:
        keys["momentum"] = values["momentum"]
    if rate is not None:
        # as a value, not a function, since some take none
        function = optax.inject_hyperparams(
            function, static_args=[*takes.keys() - {RATE}]
        )
        keys[RATE] = rate
    rule = function(**keys)
    penalised = "weight_decay" in values or config.weight_decay
    if "weight_decay" in takes or not penalised:
        return rule
    return optax.chain(optax.add_decayed_weights(decay), rule)


# ---- objects


def object_name(optimizer: Any) -> str:
    """Return the name of an optimiser that is given as an object.

    Args:
        optimizer: An optax transformation.

    Returns:
        `optax@` and a digest of what it was made with.

    Raises:
        RequestError: Where it is none.
    """
    fits = isinstance(optimizer, optax.GradientTransformation)
    if not fits:
        made = callable(optimizer) and hasattr(optimizer, "__name__")
        kind = optimizer.__name__ if made else type(optimizer).__name__
        raise RequestError(
            f"{given('optimizer')}: must be a name or an optax transformation, as "
            f"optax.lion(1e-3), not {kind}"
        )
    return OBJECT + digest(_described(optimizer, ()))[:8]


def _described(value: Any, above: tuple[int, ...]) -> str:
    """Return what functions hold as text, the same in every process.

    A transformation is functions alone, which hold the numbers that it was made with.
    """
    if id(value) in above:
        return "itself"
    above = (*above, id(value))
    if isinstance(value, functools.partial):
        parts = (value.func, value.args, value.keywords)
        return f"partial{_described(parts, above)}"
    if isinstance(value, Mapping):
        value = [item for pair in value.items() for item in pair]
    if isinstance(value, list | tuple):
        return f"({', '.join(_described(each, above) for each in value)})"
    if isinstance(value, np.ndarray | jax.Array):
        return f"{value.dtype}{value.shape}{digest(np.asarray(value).tobytes())}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value).__name__ + _described(vars(value), above)
    if inspect.isfunction(value):
        held = [cell.cell_contents for cell in value.__closure__ or ()]
        return value.__qualname__ + _described([*held, value.__defaults__], above)
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def identity(rule: optax.GradientTransformation, model: Model) -> dict[str, str]:
    """Return what tells an optimiser from others, to go on with the right one.

    Args:
        rule: The optimiser.
        model: What it trains.

    Returns:
        `digest` of its state's shapes, and `program`, one of what it was made with and
        of its operations, which other versions may change.
    """
    params, _ = jax.eval_shape(model.init, jax.random.key(0))
    state = jax.eval_shape(rule.init, params)
    program = jax.make_jaxpr(lambda g, s, p: updated(rule, g, s, p, _no_loss))
    operations = operations_digest(program(params, state, params).jaxpr)
    return {
        "digest": digest(shapes_text(state)),
        "program": digest(object_name(rule) + operations),
    }


def _no_loss(params: Any) -> Any:
    return sum(leaf.sum() for leaf in jax.tree.leaves(params))


def updated(
    rule: optax.GradientTransformation,
    gradient: Any,
    state: Any,
    params: Any,
    loss_of: Callable[[Any], Any],
    loss: Any = 0.0,
) -> tuple[Any, Any]:
    """Return a rule's updates and new state; it is told the loss if it asks for it.

    Args:
        rule: The optimiser.
        gradient: Of the loss.
        state: Of the optimiser.
        params: Parameters.
        loss_of: Parameters to loss, of the same examples.
        loss: Before the step.
    """
    told = {"value": loss, "grad": gradient, "value_fn": loss_of}
    return optax.with_extra_args_support(rule).update(gradient, state, params, **told)


def check_runs(
    asked: str, made: Callable[[], optax.GradientTransformation], model: Model
) -> None:
    """Refuse an optimiser that fails on a network's parameters.

    Args:
        asked: What it was asked for with.
        made: Makes the optimiser.
        model: The network.

    Raises:
        RequestError: Where it cannot be made of its keys, a step fails, or changes the
            shapes of what it is given.
    """
    params, _ = jax.eval_shape(model.init, jax.random.key(0))
    with refusing(f"{asked}: a step of the optimizer"):
        rule = made()
        state = jax.eval_shape(rule.init, params)
        step = functools.partial(updated, rule, loss_of=_no_loss)
        updates, after = jax.eval_shape(step, params, state, params)
    if shapes_text((params, state)) != shapes_text((updates, after)):
        raise RequestError(
            f"{asked}: the optimizer's updates and state must keep their shapes and "
            "types"
        )
