"""How numbers stand in a sentence: undefined ones are said to be, never drawn as 0."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from jaxorder.analysis.intervals import FEWEST, Interval
from jaxorder.analysis.numbers import RunNumbers, SplitNumbers
from jaxorder.analysis.reliability import members_needed_between


class Nouns(NamedTuple):
    """What members and their collections are called, each one of them."""

    member: str
    model: str


def nouns(kinds: Iterable[str]) -> Nouns:
    """Choose what members are called that are networks, other learners, or both.

    Example:
        >>> nouns(["network", "network"]).model, nouns(["network", "learner"]).model
        ('architecture', 'model')
    """
    found = set(kinds)
    if found == {"network"}:
        return Nouns("network", "architecture")
    return Nouns("member", "learner" if found == {"learner"} else "model")


def nouns_of(numbers: SplitNumbers | RunNumbers) -> Nouns:
    """Choose what the members of one run are called."""
    return nouns([numbers.kind])


def page_nouns(runs: Iterable[RunNumbers]) -> Nouns:
    """Choose what the members of all runs are called together."""
    return nouns(run.kind for run in runs)


def moment(numbers: SplitNumbers, snapshot: int) -> str:
    """Write when a snapshot was taken: epoch 0.048, round 12."""
    return f"{numbers.time_unit} {short(float(numbers.epoch[snapshot]))}"


def moment_step(numbers: SplitNumbers, snapshot: int) -> str:
    """Write the same with its step, where that says more."""
    step, when = int(numbers.step[snapshot]), moment(numbers, snapshot)
    if numbers.kind == "learner" and step == numbers.epoch[snapshot]:
        return when
    return f"{when} (step {step:,})"


def null_gap(observed: Interval, null: Interval, digits: int = 2) -> str:
    """Write an observed value beside what a null expects.

    Example:
        >>> null_gap(Interval(0.5, 0.4, 0.6), Interval(0.1, 0.05, 0.15))
        '0.50 [0.40, 0.60] against 0.10 [0.05, 0.15] by chance'
    """
    told = observed.text(digits, few=False)
    return f"{told} against {null.text(digits)} by chance"


def no_interval(*found: Interval) -> str:
    """Say once of all numbers of a line that some have no interval, and why.

    Example:
        >>> nan = float("nan")
        >>> no_interval(Interval(0.5, nan, nan, units=3), Interval(0.5, 0.4, 0.6))
        ', without an interval (3 members)'
    """
    few = sorted({each.units for each in found if each.of_few})
    if not few:
        return ""
    return f", without an interval ({counted(few[-1], 'member')})"


def few_members(members: Iterable[int]) -> str:
    """Say once beneath a table that so few members have no intervals, if any have.

    Example:
        >>> few_members([8, 3]), few_members([8])
        (' 3 members are too few for intervals.', '')
    """
    few = sorted({each for each in members if each < FEWEST})
    if not few:
        return ""
    many = "1 member is" if few == [1] else f"{listed(list(map(str, few)))} members are"
    return f" {many} too few for intervals."


def needed(alpha: Interval, members: int, wanted: float) -> str:
    """Write between which numbers of members a reliability is reached.

    Example:
        >>> needed(Interval(0.9, 0.8, 0.95), 8, 0.95)
        '8 to 38'
    """
    least, most = members_needed_between(alpha, members, wanted)
    if least is None:
        return "cannot be told"
    if most is None:
        return f"at least {least:,}"
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def needed_words(alpha: Interval, members: int, wanted: float, member: str) -> str:
    """Write the same as a sentence, without its full stop.

    Example:
        >>> needed_words(Interval(0.9, 0.8, 0.95), 8, 0.95, "network")
        '8 to 38 networks would do for 0.95'
    """
    least, most = members_needed_between(alpha, members, wanted)
    if least is None:
        here = counted(members, member)
        return f"How many {member}s {wanted} takes cannot be told from {here}"
    many = "" if (least, most) == (1, 1) else "s"
    verb = "would be needed" if most is None else "would do"
    return f"{needed(alpha, members, wanted)} {member}{many} {verb} for {wanted}"


def mean_deviation(mean: float, deviation: float) -> str:
    """Write a mean and a standard deviation.

    Example:
        >>> mean_deviation(0.9, 0.01), mean_deviation(0.9, float("nan"))
        ('0.900 ± 0.010', '0.900')
    """
    return f"{mean:.3f}" + ("" if math.isnan(deviation) else f" ± {deviation:.3f}")


def percent(share: float) -> str:
    """Write a share.

    Example:
        >>> percent(0.25), percent(0.0042), percent(1e-6)
        ('25 %', '0.42 %', 'under 0.1 %')
    """
    if 0 < share < 0.001:
        return "under 0.1 %"
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.3g} %"


def counted(count: int, thing: str) -> str:
    """Write how many there are of something.

    Example:
        >>> counted(1, "network"), counted(1297, "example")
        ('1 network', '1,297 examples')
    """
    return f"{count:,} {thing}" + ("" if count == 1 else "s")


def listed(words: Sequence[str], most: int = 8) -> str:
    """Write a list as in a sentence, cut after some.

    Example:
        >>> listed(["a", "b", "c"]), listed(["a", "b", "c"], most=2)
        ('a, b and c', 'a, b and 1 more')
    """
    if len(words) > most:
        return ", ".join(words[:most]) + f" and {len(words) - most} more"
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def short(value: float) -> str:
    """Write a positive number in as few digits as tell it apart: 0.048, 1.5, 30.

    Example:
        >>> short(0.0476), short(1.0), short(123.4)
        ('0.048', '1', '123')
    """
    return f"{value:.0f}" if value >= 100 else f"{value:.2g}"


def shortened(text: str, most: int) -> str:
    """Cut the middle out of a text that is too long, and what cannot be printed.

    Example:
        >>> shortened("mlp:widths=512-512-512,linear=true", 20)
        'mlp:widths…near=true'
    """
    text = "".join(c if c.isprintable() else "�" for c in text)
    if len(text) <= most:
        return text
    tail = (most - 1) // 2
    return text[: most - 1 - tail] + "…" + text[len(text) - tail :]
