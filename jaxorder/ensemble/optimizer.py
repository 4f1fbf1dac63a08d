"""Update rules and schedules, by optax."""

from collections.abc import Callable, Mapping
from typing import Any

import optax

from jaxorder.config import RunConfig
from jaxorder.ensemble import optax_rules
from jaxorder.ensemble.optax_rules import RATE

WARMUP = 0.05  # share of the steps over which warmup_cosine rises
DROPS = (0.5, 0.75)  # shares of the steps after which "step" divides by ten

# A member's own values by field, and the steps of the longest member to one of its own.
Rule = Callable[[Mapping[str, Any], Any], optax.GradientTransformation]


def schedule(name: str, peak: float, steps: int) -> optax.Schedule:
    """Return the learning rate over steps.

    Args:
        name: `constant`; `cosine` to 0; `step`, a tenth after one half and again after
            three quarters of the steps; `warmup_cosine`, a linear rise over 5% of the
            steps, then a cosine to 0.
        peak: Largest learning rate.
        steps: Steps of the whole training.

    Returns:
        Step to learning rate.
    """
    if name == "cosine":
        return optax.cosine_decay_schedule(peak, steps)
    if name == "step":
        return optax.piecewise_constant_schedule(
            peak, {round(share * steps): 0.1 for share in DROPS}
        )
    if name == "warmup_cosine":
        warmup = max(1, round(WARMUP * steps))
        return optax.warmup_cosine_decay_schedule(0.0, peak, warmup, max(steps, 2))
    return optax.constant_schedule(peak)


def optimizer(
    config: RunConfig, steps: int, own: optax.GradientTransformation | None = None
) -> Rule:
    """Return what makes the update rule of each member.

    Args:
        config: Options with the architecture's defaults filled in.
        steps: Steps of the whole training, of the member that has most examples.
        own: The rule of all members, where it was given as an object.

    Returns:
        Function of a member's own values and its pace to an optax transformation.
        Weight decay adds to the gradient of every parameter, biases included, and is
        decoupled from it with adamw.
    """

    spec = optax_rules.named(config)

    def rule(values: Mapping[str, Any], pace: Any) -> optax.GradientTransformation:
        if own is not None:
            return own
        if spec is not None:
            has_rate = RATE in values or config.learning_rate is not None
            rate = _paced(config, steps, values.get(RATE), pace) if has_rate else None
            return optax_rules.named_rule(config, spec, rate, values)
        rate = _paced(config, steps, values.get(RATE), pace)
        momentum = values.get("momentum", config.momentum)
        return _rule(config, rate, momentum, values.get("weight_decay"))

    return rule


def _paced(config: RunConfig, steps: int, own: Any, pace: Any) -> optax.Schedule:
    """Return the learning rate over a member's own steps."""
    peak = config.learning_rate if own is None else 1.0
    assert peak is not None
    rate = schedule(config.schedule, peak, steps)
    if own is None and isinstance(pace, int):  # as most are: the schedule itself
        return rate
    # a schedule's peak must be a number: where it varies, it is that of 1, scaled
    scale = 1.0 if own is None else own
    return lambda step: scale * rate(step * pace)


def _rule(
    config: RunConfig, rate: optax.Schedule, momentum: Any, own_decay: Any
) -> optax.GradientTransformation:
    decay = config.weight_decay if own_decay is None else own_decay
    if config.optimizer == "adamw":
        return optax.adamw(rate, weight_decay=decay)
    rules = {
        "sgd": lambda: optax.sgd(rate),
        "momentum": lambda: optax.sgd(rate, momentum=momentum),
        "adam": lambda: optax.adam(rate),
    }
    rule = rules[str(config.optimizer)]()
    if own_decay is None and not config.weight_decay:
        return rule
    return optax.chain(optax.add_decayed_weights(decay), rule)
