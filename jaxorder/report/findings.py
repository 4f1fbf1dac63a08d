"""Plain sentences that the numbers support, and no others."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from jaxorder.analysis.intervals import FEWEST, Interval, Verdict, beyond
from jaxorder.analysis.numbers import SPLITS, RunNumbers, SplitNumbers
from jaxorder.analysis.reliability import alpha
from jaxorder.analysis.results import PairRow
from jaxorder.analysis.snapshot_measures import BY_NAME
from jaxorder.analysis.snapshots import (
    SUSTAINED,
    Since,
    above_null,
    agreement_since,
    compared_snapshot,
    defined,
)
from jaxorder.errors import on_command_line
from jaxorder.report.blocks import Answer, Finding
from jaxorder.report.wording import (
    counted,
    moment,
    moment_step,
    needed_words,
    no_interval,
    nouns_of,
    null_gap,
    page_nouns,
)

# A reliability from here on is called high: the order of another group of as many
# members would correlate with this one at about 0.9.
HIGH = 0.9
# Two orders are called the same first where their rank correlation is above this: 0
# would let any trace of a relation pass.
SHARED = 0.5
# A list of more pairs than this is summed up by its range.
_MOST_PAIRS = 6


def findings(runs: Sequence[RunNumbers], pairs: Sequence[PairRow]) -> list[Finding]:
    """Answer the page's questions from the numbers.

    Args:
        runs: What was measured.
        pairs: The comparisons on the test and the train examples.

    Returns:
        The questions that apply, with an answer for each run or pair.
    """
    called = page_nouns(runs)
    told = [
        Finding(
            f"Do the {called.member}s get the same examples right, beyond chance?",
            [_agreement(run) for run in runs],
        ),
        Finding("Since when do they agree?", [_since(run) for run in runs]),
        Finding(
            "While learning, is it all or nothing: are examples right for nearly all "
            f"{called.member}s or for nearly none?",
            [_bimodality(run) for run in runs],
        ),
        Finding(
            "Is the order in which examples are learned repeatable?",
            [_repeatable(run) for run in runs],
        ),
    ]
    if len(runs) > 1:
        question = f"Do different {called.model}s learn the same examples first?"
        told.append(Finding(question, list(_across(pairs))))
    return told


def missing(run: RunNumbers) -> str:
    """Tell why nothing can be said of a run's agreement; nothing where it can."""
    if "test" not in run.run.splits:
        return "no test examples are recorded"
    if not run.run.progress.snapshots:
        return "no snapshot is recorded yet"
    if run.test is None:
        return "no member stayed finite"
    return "" if run.test.members > 1 else "it takes two members, and there is one"


def _agreement(run: RunNumbers) -> Answer:
    test = run.test
    if (problem := missing(run)) or test is None:
        return Answer("undefined", f"{run.name}: {problem}.")
    kappa, null = test.kappa[-1], test.by_class[-1].kappa
    accuracy = f"{test.mean_accuracy[-1]:.3f}"
    if math.isnan(kappa.estimate):
        return Answer(
            "undefined",
            f"{run.name}: κ is undefined at the last snapshot, which is saturated: at "
            f"mean test accuracy {accuracy} nothing is left to agree on.",
        )
    verdict = beyond(kappa, null)
    return Answer(
        verdict,
        f"{run.name}: at the last snapshot (test accuracy {accuracy}) agreement is "
        f"κ = {kappa}, {_PLACE[verdict]} what "
        f"{nouns_of(run).member}s with the same accuracy in each class would show by "
        f"chance, {null}.",
    )


_PLACE = {
    "yes": "above",
    "no": "below",
    "undecided": "not told apart from",
    "undefined": "not comparable with",
}


def _since(run: RunNumbers) -> Answer:
    if (problem := missing(run)) or run.test is None:
        return Answer("undefined", f"{run.name}: {problem}.")
    found = since(run.test)
    return replace(found, text=f"{run.name}: {found.text}.")


def since(test: SplitNumbers) -> Answer:
    """Put in words since when kappa lies above the class null.

    Args:
        test: Numbers of the test split.
    """
    state, first = agreement_since(test)
    if first is not None:
        return Answer("yes", _from(test, first), moment(test, first))
    return _SINCE[state](test)


def _from(test: SplitNumbers, first: int) -> str:
    since = f"from {moment_step(test, first)} on"
    when = f"{since}, at mean test accuracy {test.mean_accuracy[first]:.2f}"
    if test.epoch[first] == 0:
        when = "already before the first step"
    return (
        f"κ lies above chance {when}, and at every later snapshot at which its "
        "interval is defined"
    )


def _counted(test: SplitNumbers) -> str:
    """Count the snapshots that count."""
    return f"{counted(int(defined(test.kappa).sum()), 'snapshot')} with an interval"


def _broken(test: SplitNumbers) -> str:
    above = int(above_null(test).sum())
    return (
        f"κ lies above chance at {above} of {_counted(test)}, but not at the last "
        f"{SUSTAINED} or more of them without a gap"
    )


def _never(test: SplitNumbers) -> str:
    return f"κ lies above chance at none of {_counted(test)}"


def _undefined(test: SplitNumbers) -> str:
    few = test.members < FEWEST
    why = f", for which {test.members} members are too few" if few else ""
    return f"κ has no interval at any snapshot{why}"


_SINCE: dict[Since, Callable[[SplitNumbers], Answer]] = {
    "with gaps": lambda test: Answer("undecided", _broken(test), "with gaps"),
    "not yet": lambda test: Answer("undecided", _broken(test), "not yet"),
    "never": lambda test: Answer("no", _never(test), "never"),
    "undecided": lambda test: Answer(
        "undecided", f"{_never(test)}, and is not told apart from it at some"
    ),
    "undefined": lambda test: Answer("undefined", _undefined(test)),
}


def _bimodality(run: RunNumbers) -> Answer:
    test = run.test
    if (problem := missing(run)) or test is None:
        return Answer("undefined", f"{run.name}: {problem}.")
    measure = BY_NAME["bimodality"]
    snapshot, comparable = compared_snapshot(test, measure)
    accuracy = test.mean_accuracy[snapshot]
    if not comparable:
        low, high = measure.comparable or (0.0, 1.0)
        return Answer(
            "undecided",
            f"{run.name}: cannot be told, since no snapshot has a mean test accuracy "
            f"of {low} to {high} (nearest 0.5: {accuracy:.2f}).",
        )
    observed, null = test.bimodality[snapshot], test.by_class[snapshot].bimodality
    verdict = beyond(_turned(observed), _turned(null))
    return Answer(
        verdict,
        f"{run.name}: at test accuracy {accuracy:.2f} ("
        f"{moment(test, snapshot)}) bimodality is β = {null_gap(observed, null)}; "
        f"{_ruling(verdict, observed)}.",
    )


def _ruling(verdict: Verdict, observed: Interval) -> str:
    if verdict == "undecided" and math.isnan(observed.low):
        few = f" ({counted(observed.units, 'member')})" if observed.of_few else ""
        return f"without an interval{few} it cannot be told from chance"
    return _RULING[verdict]


_RULING = {
    "yes": "lower, so more bimodal than chance",
    "no": "higher, so less bimodal than chance",
    "undecided": "the intervals overlap",
    "undefined": "it is undefined",
}


def _turned(interval: Interval) -> Interval:
    """Change the sign, since lower beta is more bimodal."""
    return Interval(-interval.estimate, -interval.high, -interval.low)


def _repeatable(run: RunNumbers) -> Answer:
    test, train = run.test, run.train
    if (problem := missing(run)) or test is None:
        return Answer("undefined", f"{run.name}: {problem}.")
    alpha, member = test.reliability, nouns_of(run).member
    if math.isnan(alpha.estimate):
        return Answer("undefined", f"{run.name}: {_no_order(test)}.")
    return Answer(
        beyond(alpha, Interval(HIGH, HIGH, HIGH)),
        f"{run.name}: the order of the test examples has reliability "
        f"{_of_both(alpha, train)}, the correlation to expect with the order of "
        f"{test.members} other {member}s. "
        f"{needed_words(alpha, test.members, 0.95, member)}.",
    )


def _of_both(alpha: Interval, train: SplitNumbers | None) -> str:
    """Write the reliability on test and, where they are recorded, train examples."""
    told, found = alpha.text(3, few=False), [alpha]
    if train is not None:
        told += f" (train {train.reliability.text(3, few=False)})"
        found.append(train.reliability)
    return told + no_interval(*found)


def _no_order(test: SplitNumbers) -> str:
    """Say why the reliability of an order is undefined."""
    # of few members a negative alpha is not told, though there is one
    if math.isnan(alpha(test.covariance.variances)):
        return "all examples are learned alike"
    return f"the order's reliability is {test.reliability}"


def _across(pairs: Sequence[PairRow]) -> Iterator[Answer]:
    tested = [pair for pair in pairs if pair.split == "test"]
    trained = {(p.model_a, p.model_b): p for p in pairs if p.split == "train"}
    if not tested:
        yield Answer("undefined", "Fewer than two models have a snapshot yet.")
    if len(tested) > _MOST_PAIRS:
        yield _range(tested)
        return
    for pair in tested:
        yield _pair(pair, trained.get((pair.model_a, pair.model_b)))


def _range(pairs: Sequence[PairRow]) -> Answer:
    found = [pair for pair in pairs if not math.isnan(pair.spearman.estimate)]
    if not found:
        return Answer("undefined", "No pair could be compared.")
    found.sort(key=lambda pair: pair.spearman.estimate)
    verdicts: list[Verdict] = [_shared(pair.spearman) for pair in pairs]
    differ = "yes" in verdicts and "no" in verdicts
    return Answer(
        verdicts[0] if len(set(verdicts)) == 1 else "undecided",
        f"of {len(pairs)} pairs, {verdicts.count('yes')} have a rank correlation "
        f"above {SHARED} on the test examples and {verdicts.count('no')} below it, "
        f"with their whole intervals; {_extreme('the least', found[0])}, "
        f"{_extreme('the largest', found[-1])}"
        f"{no_interval(*(pair.spearman for pair in found))}.",
        word="some do" if differ else "",
    )


def _extreme(which: str, pair: PairRow) -> str:
    return f"{which} is {pair.spearman.text(few=False)} ({pair.names})"


def _pair(test: PairRow, train: PairRow | None) -> Answer:
    if test.error is not None:
        why = on_command_line(test.error)
        return Answer("undefined", f"{test.names}: cannot be compared ({why}).")
    found = [test.spearman, *([train.spearman] if train else [])]
    told = [f"{r.text(few=False)} on {s}" for r, s in zip(found, SPLITS, strict=False)]
    return Answer(
        _shared(test.spearman),
        f"{test.names}: the orders have rank correlation {', '.join(told)}"
        f"{no_interval(*found)}. {matched_words(test)}",
    )


def _shared(spearman: Interval) -> Verdict:
    return beyond(spearman, Interval(SHARED, SHARED, SHARED))


def matched_words(pair: PairRow) -> str:
    """Tell what the comparison at matched accuracy says, or why it says nothing."""
    assert pair.comparison is not None
    matched = pair.comparison.matched
    accuracies = f"{matched.accuracy_a:.3f} and {matched.accuracy_b:.3f}"
    if not matched.decided:
        return (
            "At matched accuracy undecided: the nearest mean test accuracies, "
            f"{accuracies}, are {100 * matched.gap:.1f} points apart."
        )
    return (
        f"Up to matched test accuracy ({accuracies}) it is "
        f"{matched.spearman.text(few=False)}."
    )
