"""When members are evaluated: schedules of snapshots."""

import math
import re
from collections.abc import Callable

from jaxorder.errors import RequestError, given

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
        f"{given('snapshots', text)}: each rule must be log:N, epoch or every:K with "
        "whole N, K from 1 on, joined by commas; or last, alone"
    )


def _log_steps(per_decade: int, last: int) -> set[int]:
    decades = math.log10(last) if last > 1 else 0.0
    per_decade = min(per_decade, 5 * last)  # which is every step; more are the same
    exponents = range(math.floor(decades * per_decade) + 1)
    return {min(last, round(10 ** (i / per_decade))) for i in exponents}
