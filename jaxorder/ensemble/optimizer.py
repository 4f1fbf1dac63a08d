"""Update rules and schedules, by optax."""

import optax

from jaxorder.config import RunConfig

WARMUP = 0.05  # share of the steps over which warmup_cosine rises
DROPS = (0.5, 0.75)  # shares of the steps after which "step" divides by ten


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


def optimizer(config: RunConfig, steps: int) -> optax.GradientTransformation:
    """Return the update rule of a run.

    Args:
        config: Options with the architecture's defaults filled in.
        steps: Steps of the whole training.

    Returns:
        An optax transformation. Weight decay adds to the gradient of every parameter,
        biases included, and is decoupled from it with adamw.
    """
    assert config.learning_rate is not None
    rate = schedule(config.schedule, config.learning_rate, steps)
    if config.optimizer == "adamw":
        return optax.adamw(rate, weight_decay=config.weight_decay)
    rules = {
        "sgd": lambda: optax.sgd(rate),
        "momentum": lambda: optax.sgd(rate, momentum=config.momentum),
        "adam": lambda: optax.adam(rate),
    }
    rule = rules[str(config.optimizer)]()
    if not config.weight_decay:
        return rule
    return optax.chain(optax.add_decayed_weights(config.weight_decay), rule)
