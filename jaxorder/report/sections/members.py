"""What was trained, on what, how and how fast."""

from collections.abc import Callable, Sequence

from jaxorder import record
from jaxorder.analysis.numbers import RunNumbers
from jaxorder.config.optimizers import is_object
from jaxorder.progress.wording import duration
from jaxorder.report.blocks import Block, Notes, Section, Table
from jaxorder.report.figures.canvas import Look
from jaxorder.report.lede import left_out, members_differ
from jaxorder.report.shown import Page
from jaxorder.report.wording import listed, page_nouns
from jaxorder.run.folder import Run

# More columns would not fit a printed page.
_SIDE_BY_SIDE = 5


def members(page: Page) -> Section:
    """Tabulate the data and the members of every run."""
    runs, looks = page.runs, page.looks
    blocks: list[Block] = [_data_table(runs)]
    for kind, what in _KINDS.items():
        pairs = [p for p in zip(runs, looks, strict=True) if p[0].run.kind == kind]
        blocks += [
            _member_table(pairs[first : first + _SIDE_BY_SIDE], *what)
            for first in range(0, len(pairs), _SIDE_BY_SIDE)
        ]
    title = f"The data and the {page_nouns(runs).member}s"
    return Section("members", title, [*blocks, Notes(left_out(runs))])


def _data_table(runs: Sequence[RunNumbers]) -> Table:
    rows = {tuple(_data_cells(run)): None for run in runs}
    return Table(
        "Data",
        [
            "Source",
            "Training examples",
            "Test examples",
            "Recorded",
            "Classes",
            "One input",
            "Digest",
        ],
        list(rows),
        f"An answer counts as right if it is the label that {_counted_right(runs)}."
        + "".join(_relabelled(run) for run in runs),
    )


def _counted_right(runs: Sequence[RunNumbers]) -> str:
    towards = {
        "label": "the members were trained towards",
        "original": "the example came with",
    }
    return " or ".join(
        [towards[labels] for labels in sorted({r.run.labels for r in runs})]
    )


def _data_cells(run: RunNumbers) -> list[str]:
    data = run.run.document.data
    sizes = [_recorded(run, split) for split in run.run.splits[::-1]]
    return [
        run.run.config.data,
        f"{data.train:,}" if data.train else "not recorded",
        f"{data.test:,}" if data.test else "not recorded",
        ", ".join(sizes),
        f"{data.classes} ({listed(data.class_names, 10)})",
        " x ".join(map(str, data.input_shape)) or "not known",
        data.digest[:12],
    ]


def _recorded(run: RunNumbers, split: str) -> str:
    """Count the examples of a split that are recorded."""
    numbers = run.split(split)
    examples = run.run.record(split).sizes["example"]
    return f"{split} {len(numbers.label) if numbers else examples:,}"


def _relabelled(run: RunNumbers) -> str:
    if run.train is None or not run.train.relabelled:
        return ""
    right = {"label": "the changed label", "original": "the one they came with"}
    return (
        f" {run.name}: {run.train.relabelled:,} training examples have another label "
        f"than they came with; all figures count {right[run.run.labels]} as right."
    )


def _member_table(
    pairs: Sequence[tuple[RunNumbers, Look]], title: str, rows: "Rows", note: str
) -> Table:
    names = [f"{look.letter} {run.name}" for run, look in pairs]
    letters, runs = (
        listed([look.letter for _, look in pairs]),
        [run for run, _ in pairs],
    )
    return Table(
        f"{title}: {letters}",
        ["", *names],
        [[what, *_told(runs, tell)] for what, tell in rows.items()],
        note,
    )


def _told(runs: Sequence[RunNumbers], tell: Callable[[RunNumbers], str]) -> list[str]:
    """Give a cell for each run, or one for all where they are alike."""
    cells = [tell(run) for run in runs]
    return cells[:1] if len(set(cells)) == 1 else cells


def _keys(run: RunNumbers) -> str:
    keys = run.run.document.model_keys
    return ", ".join(f"{key}={value}" for key, value in keys.items()) or "none"


def _counting(run: RunNumbers) -> str:
    progress = run.run.progress
    left_out = f", {len(run.excluded)} left out" if run.excluded else ""
    return f"{progress.finite} of {progress.planned}{left_out}"


def _optimizer(run: RunNumbers) -> str:
    config = run.run.config
    words = [str(config.optimizer)]
    if config.optimizer == "momentum":
        words.append(f"momentum {config.momentum:g}")
    if config.weight_decay:
        words.append(f"weight decay {config.weight_decay:g}")
    return ", ".join(words)


def _rate(run: RunNumbers) -> str:
    config = run.run.config
    if is_object(config.optimizer):
        return "the optimizer's own"
    rate = "default" if config.learning_rate is None else f"{config.learning_rate:g}"
    return f"{rate}, {config.schedule}"


def _epochs(run: RunNumbers) -> str:
    progress, config = run.run.progress, run.run.config
    if progress.finished or run.train is None:
        return f"{config.epochs}"
    return f"{run.train.epoch[-1]:.3g} of {config.epochs} so far"


def _plan(run: RunNumbers) -> str:
    return run.run.document.plan.get("why", "not said")


def _seconds(run: RunNumbers) -> str:
    progress = run.run.progress
    return (
        f"{duration(progress.train_seconds)} training, "
        f"{duration(progress.evaluate_seconds)} evaluation"
    )


def _speed(run: RunNumbers) -> str:
    speed = member_examples_a_second(run.run)
    return "not timed" if speed is None else f"{speed:,.0f} member-examples/s"


def member_examples_a_second(run: Run) -> float | None:
    """Measure how many examples all members together trained on a second.

    Args:
        run: The run.

    Returns:
        Examples times members over the seconds in training steps, or None where no
        time was spent in them.
    """
    examples = run.document.data.train / run.document.steps_per_epoch
    blocks = record.commits(run.path)
    seconds = sum(block.train_seconds for block in blocks)
    trained = sum(block.step * block.members for block in blocks)
    return trained * examples / seconds if seconds > 0 else None


def _field(name: str) -> Callable[[RunNumbers], str]:
    return lambda run: str(getattr(run.run.config, name))


def device(run: RunNumbers) -> str:
    """Name the devices that trained a run, and how many cores there were."""
    machine = run.run.document.machine
    found = [str(machine[key]) for key in ("device", "device_kind") if key in machine]
    named = ", ".join(dict.fromkeys(found)) or "not noted"
    return f"{named}, {machine['cores']} cores" if "cores" in machine else named


def _parameters(run: RunNumbers) -> str:
    count = run.run.document.parameters
    return "not noted" if count is None else f"{count:,}"


# Whose order of mini-batches is whose.
MINI_BATCHES = {
    "member": "for each network alone",
    "shared": "the same for all networks",
}


def _snapshots(run: RunNumbers) -> str:
    progress = run.run.progress
    return f"{progress.snapshots} of {progress.total} ({run.run.config.snapshots})"


def _time(run: RunNumbers) -> str:
    """Name a learner's time, and say of growing training sets that it has none."""
    document = run.run.document
    last = document.steps[-1]
    if not document.time_note:
        return f"{run.run.time_axis}, to {last:,}"
    return f"{run.run.time_axis}, to {last:,} examples; {document.time_note}"


def _imported_time(run: RunNumbers) -> str:
    axis = run.run.time_axis
    found = run.test or run.train
    return axis if found is None else f"{axis}, to {found.epoch[-1]:g}"


Rows = dict[str, Callable[[RunNumbers], str]]
_ROWS: Rows = {
    "Architecture": _field("model"),
    "Its keys": _keys,
    "Parameters": _parameters,
    "Members counted": _counting,
    "Members differ": lambda run: members_differ(run.run),
    "Optimiser": _optimizer,
    "Learning rate": _rate,
    "Batch size": _field("batch_size"),
    "Mini-batches drawn": lambda run: MINI_BATCHES[run.run.config.order],
    "Epochs": _epochs,
    "Snapshots": _snapshots,
    "Plan": _plan,
    "Device": device,
    "Time": _seconds,
    "Speed": _speed,
}
_LEARNER_ROWS: Rows = {
    "Learner": _field("model"),
    "Its keys": _keys,
    "Members counted": _counting,
    "Members differ": lambda run: members_differ(run.run),
    "Its time": _time,
    "Snapshots": _snapshots,
    "Plan": _plan,
    "Device": device,
    "Time": _seconds,
}
_IMPORTED_ROWS: Rows = {
    "Called": lambda run: run.name,
    "Members counted": _counting,
    "Members differ": lambda run: members_differ(run.run),
    "Its time": _imported_time,
    "Snapshots": lambda run: str(run.run.progress.snapshots),
}
_KINDS = {
    "network": (
        "Networks and training",
        _ROWS,
        "Speed: training examples times networks, over the time spent in training "
        "steps alone (padding of the last mini-batch not counted).",
    ),
    "learner": (
        "Learners that are not networks",
        _LEARNER_ROWS,
        "Time: of all members together, as if one after the other; predicting counts "
        "as training.",
    ),
    "imported": (
        "Imported predictions",
        _IMPORTED_ROWS,
        "How these members were trained is not known here.",
    ),
}
