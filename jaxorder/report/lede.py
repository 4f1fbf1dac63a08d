"""What was trained on what, in what members differ, and what is left out."""

from collections.abc import Sequence

from jaxorder.analysis.numbers import RunNumbers
from jaxorder.config.groups import TrainedOn
from jaxorder.report.wording import counted, listed, page_nouns
from jaxorder.run.folder import Run


def lede(runs: Sequence[RunNumbers]) -> list[str]:
    """Say what was trained on what, and what is left out.

    Args:
        runs: What was measured.

    Returns:
        Sentences; how far unfinished runs are stands above them, `unfinished`.
    """
    data = {_data_words(run) for run in runs}
    known = any(run.kind != "imported" for run in runs)
    how = "trained on" if known else "whose predictions are of"
    trained = f"{_trained(runs)}, {how} {listed(sorted(data))}."
    return [trained, *_apart(runs), *left_out(runs)]


def _trained(runs: Sequence[RunNumbers]) -> str:
    called = page_nouns(runs)
    members = sorted({run.run.config.members for run in runs})
    what = counted(len(runs), called.model)
    if members == [1]:
        one = f"one {called.member} each"
        return f"{what}, {one}" if len(runs) > 1 else f"One {called.member}"
    many = f"{members[0]}" if len(members) == 1 else f"{members[0]} to {members[-1]}"
    each = " each" if len(runs) > 1 else ""
    also = " (“members”)" if called.member == "network" else ""
    apart = [*_told_apart(runs)]
    differ = f" that differ {apart[0]}" if len(apart) == 1 else ""
    return f"{what}, {many} {called.member}s{each}{also}{differ}"


def _told_apart(runs: Sequence[RunNumbers]) -> dict[str, list[str]]:
    """Tell what sets members apart, and of which runs."""
    told: dict[str, list[str]] = {}
    for run in runs:
        told.setdefault(members_differ(run.run), []).append(run.name)
    return told


def _apart(runs: Sequence[RunNumbers]) -> list[str]:
    """Say run by run what sets members apart, where that is not the same for all."""
    told = _told_apart(runs)
    if len(told) == 1:
        return []
    words = [f"of {listed(names)} {differ}" for differ, names in told.items()]
    return [f"Members differ: {'; '.join(words)}."]


def members_differ(run: Run) -> str:
    """Tell what sets the members of a run apart, after the word differ.

    Args:
        run: The run.
    """
    if run.document.members_differ:
        return f"in {run.document.members_differ}"
    own = _own(run)
    seeds = f"random seeds ({_seeded(run)})"
    return (
        f"in {listed(own)}, and in their {seeds}" if own else f"only in their {seeds}"
    )


def _own(run: Run) -> list[str]:
    """Name what members differ in beside their seeds."""
    found = [name.replace("_", " ") for name in run.config.varied if name != "subset"]
    found += filter(None, [_TRAINED_ON[run.config.trained_on]])
    return [*found, *(["labels"] if run.document.label_vectors else [])]


_TRAINED_ON: dict[TrainedOn, str] = {
    "all": "",
    "bootstrap": "bootstrap samples of the training examples",
    "subset": "random parts of the training examples",
    "disjoint": "disjoint parts of the training examples",
    "folds": "the part of the training examples left out",
}


def _streams(run: Run) -> dict[str, str]:
    """Name what is random in a run's networks, by the stream that it comes from."""
    found = {"init": "initial weights", "order": "the order of mini-batches"}
    if drops := _dropout(run):
        found["dropout"] = drops
    return found | ({"augment": "augmentation"} if run.config.augment else {})


def _dropout(run: Run) -> str:
    """Name dropout where networks have it, or may have it for all that is known."""
    if run.document.module is not None:  # of the user's own
        return "dropout, if they have any"
    varied = "dropout" in run.config.varied
    rate = run.document.model_keys.get("dropout", 0)
    return "dropout" if varied or float(rate or 0) > 0 else ""


def _seeded(run: Run) -> str:
    streams, shared = _streams(run), run.config.frozen
    own = [words for name, words in streams.items() if name not in shared]
    alike = [words for name, words in streams.items() if name in shared]
    words = ", ".join(own) or "none of which shows"
    return f"{words}; shared: {', '.join(alike)}" if alike else words


def _data_words(run: RunNumbers) -> str:
    data = run.run.document.data
    sizes = {"training": data.train, "test": data.test}
    told = listed([f"{size:,} {split}" for split, size in sizes.items() if size])
    return f"{run.run.config.data} ({told} examples of {data.classes} classes)"


def unfinished(runs: Sequence[RunNumbers]) -> list[str]:
    """Say of each run that is not finished how far it is."""
    return [
        f"Unfinished: {run.name} has {p.snapshots} of {p.total} snapshots, {p.members} "
        f"of {p.planned} members. What follows is about what is recorded so far."
        for run in runs
        if not (p := run.run.progress).finished
    ]


def left_out(runs: Sequence[RunNumbers]) -> list[str]:
    """Name the members that count in no number, run by run, and say why."""
    told = []
    for run in runs:
        names = [f"member {each.member} ({each.reason})" for each in run.excluded]
        told += [
            f"{run.name}: {counted(len(names), 'member')} left out of every number, "
            "for counted as wrong they would agree with one another: "
            f"{listed(names)}."
        ] * bool(names)
    return told
