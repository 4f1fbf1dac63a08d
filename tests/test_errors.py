"""One message, two spellings: Python's where it is raised, options where typed."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from jaxorder.config import RunConfig, StudyOptions, check_names
from jaxorder.data import DataOptions, from_arrays, load
from jaxorder.data.prepare import prepare
from jaxorder.errors import (
    Interrupted,
    RequestError,
    WorkError,
    call,
    given,
    on_command_line,
)
from jaxorder.models import Inputs, build


def options(**options: Any) -> Callable[[], object]:
    return lambda: StudyOptions(data="digits", **options)


def two_classes(labels: list[int]) -> Callable[[], object]:
    inputs = np.zeros((4, 2))
    return lambda: from_arrays("mine", inputs, np.array(labels), inputs, np.arange(4))


# what is asked, the beginning in Python, the same as it is typed
SPELLED: list[tuple[Callable[[], object], str, str]] = [
    (options(batch_size=0), "batch_size=0: ", "--batch-size 0: "),
    (options(seed=None), "seed=None: ", "--seed None: "),
    (options(schedule="up"), 'schedule="up": ', "--schedule up: "),
    (options(record=["loss"] * 2), 'record=["loss", "loss"]: ', "--record loss loss: "),
    (options(vary="x=1"), 'vary="x=1": ', "--vary x=1: "),
    (options(snapshots="log"), 'snapshots="log": ', "--snapshots log: "),
    (options(plan="vmap:"), 'plan="vmap:": ', "--plan vmap:: "),
    (
        options(subset=0.5, folds=2),
        "subset folds: each says which",
        "--subset --folds: each says which",
    ),
    (
        options(vary=["momentum=0,0.5"], momentum=0.1),
        'momentum=0.1: varies over members by vary="momentum"; ',
        "--momentum 0.1: varies over members by --vary momentum; ",
    ),
    (lambda: DataOptions(), "data: must name", "--data: must name"),
    (lambda: RunConfig(data="digits"), "model: at least", "--models: at least"),
    (
        lambda: RunConfig(data="digits", model="mlp:"),
        'model="mlp:": must',
        "--models mlp:: must",
    ),
    (
        lambda: check_names(["mlp", "MLP"]),
        'model=["mlp", "MLP"]: both',
        "--models mlp MLP: both",
    ),
    (lambda: load("digit"), 'data="digit": no such', "--data digit: no such"),
    (
        lambda: load("digits", train_examples=2000),
        "train_examples=2000: the train labels",
        "--train-examples 2000: the train labels",
    ),
    (
        lambda: load("digits", shuffle_labels=True, label_noise=0.1),
        "shuffle_labels: not with label_noise=0.1, since",
        "--shuffle-labels: not with --label-noise 0.1, since",
    ),
    # what a data set says of its arrays names what they were given as
    (two_classes([0, 0, 1, 3]), 'data="mine": train_labels ', "--data mine: train_lab"),
    (
        lambda: build("mlp:widths=0", Inputs((8,)), 10),
        'model="mlp:widths=0": widths=0 must',
        "--models mlp:widths=0: widths=0 must",
    ),
    (
        lambda: build("mlp:dropout=0", Inputs((8,)), 10, shares=(0.1, 0.2)),
        'vary="dropout": mlp',
        "--vary dropout: mlp",
    ),
]


@pytest.mark.parametrize(("asked", "python", "typed"), SPELLED)
def test_an_error_is_spelled_as_it_was_asked_for(
    asked: Callable[[], object], python: str, typed: str
) -> None:
    with pytest.raises(RequestError) as refused:
        asked()
    assert str(refused.value).startswith(python)
    assert on_command_line(refused.value).startswith(typed)


def test_a_message_within_another_keeps_its_marks(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as refused:
        prepare("mnist", tmp_path / "tfds", tmp_path / "no", print)
    absent = tmp_path / "no"
    begins = "data prepare mnist: "
    assert str(refused.value).startswith(f'{begins}source="{absent}" is no folder')
    typed = on_command_line(refused.value)
    assert typed.startswith(f"{begins}--from {absent} is no folder")


def test_marks_last_through_several_errors() -> None:
    inner = RequestError(f"{given('seed', -1)}: too small")
    outer = WorkError(f"{given('model', 'mlp')}: {inner.message}; {call('resume', 1)}")
    assert str(outer) == 'model="mlp": seed=-1: too small; jaxorder.resume("1")'
    assert on_command_line(outer) == "--models mlp: --seed -1: too small; " + (
        "jaxorder resume 1"
    )
    again = pickle.loads(pickle.dumps(outer))  # from the process of a learner
    assert on_command_line(again) == on_command_line(outer)


def test_an_error_of_others_is_shown_as_it_is() -> None:
    assert on_command_line(OSError("no space")) == "no space"
    assert on_command_line(Interrupted(2, f"see {given('out', 'x')}")) == "see --out x"


@pytest.mark.parametrize(
    ("value", "python", "typed"),
    [
        (1, "a_b=1", "--a-b 1"),
        (0.5, "a_b=0.5", "--a-b 0.5"),
        (True, "a_b=True", "--a-b True"),
        (None, "a_b=None", "--a-b None"),
        ("x y", 'a_b="x y"', "--a-b x y"),
        (Path("p/q"), 'a_b="p/q"', "--a-b p/q"),
        (("x", "y"), 'a_b=["x", "y"]', "--a-b x y"),
        ([], "a_b=[]", "--a-b"),
    ],
)
def test_values_are_written_by_their_type(
    value: object, python: str, typed: str
) -> None:
    error = RequestError(given("a_b", value))
    assert str(error) == python
    assert on_command_line(error) == typed


@drawn(st.text())
def test_any_value_stays_in_its_line_and_its_mark(value: str) -> None:
    error = RequestError(f"{given('data', value)}: no such source")
    for shown in (str(error), on_command_line(error)):
        assert shown.isprintable()
        assert shown.endswith(": no such source")
    if value.isprintable():
        assert str(error) == f'data="{value}": no such source'
