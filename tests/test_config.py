"""What a study and its runs are asked to do, and what cannot be asked together."""

import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxorder.config import (
    RunConfig,
    StudyOptions,
    check_names,
    folder_name,
    snapshot_steps,
    to_json,
    values_of_members,
)
from jaxorder.config.snapshots import parse_snapshots
from jaxorder.errors import RequestError
from tests.refused import refusal


def message_of(**options: Any) -> str:
    return refusal(StudyOptions, **{"data": "digits", **options})


# ---- studies and runs


def test_a_run_of_a_study_has_its_options() -> None:
    study = StudyOptions(data="digits", members=5, record=("loss",))
    run = RunConfig(**to_json(study), model="mlp")
    assert to_json(run) == to_json(study) | {"model": "mlp", "name": ""}


def test_a_run_is_called_by_its_name_or_its_model() -> None:
    assert RunConfig(data="digits", model="mlp").key == "mlp"
    assert RunConfig(data="digits", model="mlp", name="small").key == "small"


def test_a_run_checks_its_model_and_its_options() -> None:
    with pytest.raises(RequestError, match='model="mlp:": must be NAME'):
        RunConfig(data="digits", model="mlp:")
    with pytest.raises(RequestError, match="members=0"):
        RunConfig(data="digits", model="mlp", members=0)
    with pytest.raises(RequestError, match="model: at least one model is needed"):
        RunConfig(data="digits")


def test_data_must_be_named() -> None:
    assert message_of(data="") == (
        "data: must name a source of data, as digits; `jaxorder data list` lists them"
    )


def test_defaults_fill_only_what_was_left_open() -> None:
    asked = RunConfig(data="digits", model="mlp", learning_rate=0.5)
    filled = asked.with_defaults({"learning_rate": 0.02, "optimizer": "sgd"})
    assert (filled.learning_rate, filled.optimizer) == (0.5, "sgd")
    assert asked.optimizer is None


# ---- what members differ in


@pytest.mark.parametrize(
    ("vary", "message"),
    [
        (("batch-size=1,2",), 'vary="batch-size=1,2": must be NAME=value,value of '),
        (
            ("learning-rate",),
            'vary="learning-rate": must be NAME=value,value: at least',
        ),
        (("learning-rate=0.1",), "at least two different numbers joined by commas"),
        (("learning-rate=0.1,0.1",), "at least two different numbers"),
        (("learning-rate=0.1,x",), "at least two different numbers"),
        (
            ("learning-rate=0.1,-1",),
            "learning_rate=-1.0: must be a finite number above",
        ),
        (("learning_rate=1,2", "learning-rate=3,4"), "names learning-rate twice"),
        (("subset=0.5,1.5",), "subset=1.5: must be a finite number above 0 and at m"),
    ],
)
def test_a_wrong_variation_is_named(vary: tuple[str, ...], message: str) -> None:
    assert message in message_of(vary=vary)


def test_every_combination_occurs() -> None:
    grid = ("learning-rate=0.1,0.2", "momentum=0.5,0.9,0.95")
    assert "6 combinations of values, but members=5" in message_of(vary=grid, members=5)
    study = StudyOptions(data="digits", vary=grid, members=6)
    found = values_of_members(study.varied, 0, 6)
    pairs = set(zip(found["learning_rate"], found["momentum"], strict=True))
    assert len(pairs) == 6
    later = values_of_members(study.varied, 4, 2)
    assert later == {name: values[4:] for name, values in found.items()}


def test_an_option_is_given_or_varied() -> None:
    assert message_of(vary=("learning-rate=0.1,0.2",), learning_rate=0.1) == (
        'learning_rate=0.1: varies over members by vary="learning-rate"; give one of '
        "the two"
    )
    asked = RunConfig(data="digits", model="mlp", vary=("learning-rate=0.1,0.2",))
    run = asked.with_defaults({"learning_rate": 0.5})
    assert run.learning_rate is None


@pytest.mark.parametrize(
    "options",
    [
        {"subset": 0.5, "folds": 2},
        {"disjoint": 2, "resample": "bootstrap"},
        {"vary": ("subset=0.1,0.2",), "subset": 0.5},
        {"vary": ("subset=0.1,0.2",), "folds": 3},
    ],
)
def test_training_examples_are_chosen_in_one_way(options: dict[str, Any]) -> None:
    assert "give one" in message_of(**options)


# ---- names


def test_folder_names_are_the_models_made_safe() -> None:
    assert folder_name("mlp:widths=64-64,dropout=0.5") == "mlp_widths=64-64_dropout=0.5"
    assert folder_name("my.module:factory/../ü") == "my.module_factory_..__"


@given(st.text(max_size=20))
def test_folder_names_hold_safe_characters_only(text: str) -> None:
    name = folder_name(text)
    assert len(name) == len(text)
    assert re.fullmatch(r"[A-Za-z0-9.=_-]*", name)
    assert folder_name(name) == name


def test_different_models_are_accepted() -> None:
    check_names(["mlp", "mlp:widths=8", "mlp:widths=8,linear=true"])


@pytest.mark.parametrize(
    ("models", "folder"),
    [
        (["mlp", "small_st_vgg", "mlp"], "mlp"),
        (["mlp:widths=8", "mlp_widths=8"], "mlp_widths=8"),
        # some file systems do not tell the two apart
        (["mlp", "MLP"], "mlp"),
    ],
)
def test_models_that_share_a_folder_are_refused(models: list[str], folder: str) -> None:
    assert refusal(check_names, models) == (
        f'model=["{models[0]}", "{models[-1]}"]: both would be written to the folder '
        f"{folder}; name each model once"
    )


def test_a_study_has_a_run() -> None:
    with pytest.raises(RequestError, match="model: at least one model"):
        check_names([])


def test_a_name_too_long_for_a_folder_is_refused() -> None:
    with pytest.raises(RequestError, match="must be at most 200, for the name"):
        check_names(["mlp:widths=" + "-".join(["8"] * 200)])


# ---- snapshots


@pytest.mark.parametrize(
    ("text", "steps_per_epoch", "epochs", "steps"),
    [
        # 10 ** (i / 10), rounded: 1.26 and 1.58 fall on steps that are there
        ("log:10,epoch", 20, 2, [0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 40]),
        ("log:1", 1000, 2, [0, 1, 10, 100, 1000, 2000]),
        ("log:3", 10, 3, [0, 1, 2, 5, 10, 30]),
        ("every:1", 3, 2, [0, 1, 2, 3, 4, 5, 6]),
        ("every:4", 5, 2, [0, 4, 8, 10]),
        ("every:100", 5, 2, [0, 10]),
        ("epoch", 5, 3, [0, 5, 10, 15]),
        ("epoch,every:4", 5, 2, [0, 4, 5, 8, 10]),
        # a single step an epoch
        ("log:10,epoch", 1, 3, [0, 1, 2, 3]),
        ("log:10", 1, 1, [0, 1]),
        # more than there are steps to take
        ("log:999999999", 7, 2, [0, 1, 2, 3, 4, 5, 6, 7, 14]),
    ],
)
def test_snapshots_by_hand(
    text: str, steps_per_epoch: int, epochs: int, steps: list[int]
) -> None:
    assert snapshot_steps(text, steps_per_epoch, epochs) == steps


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log",
        "log:",
        "log:0",
        "log:-1",
        "log:1.5",
        "log:01",
        "every",
        "every:0",
        "every:x",
        "every:1000000000",
        "epoch:2",
        "epoch:",
        "epoch,",
        "steps:3",
        "log:10;epoch",
    ],
)
def test_other_schedules_are_refused(text: str) -> None:
    expected = (
        f'snapshots="{text}": each rule must be log:N, epoch or every:K with whole N, '
        "K from 1 on, joined by commas; or last, alone"
    )
    assert refusal(parse_snapshots, text) == expected
    assert message_of(snapshots=text) == expected


RULES = (
    st.integers(1, 50).map("log:{}".format)
    | st.just("epoch")
    | st.integers(1, 300).map("every:{}".format)
)


@given(st.lists(RULES, min_size=1, max_size=4), st.integers(1, 200), st.integers(1, 10))
def test_snapshots_increase_from_0_to_the_last_step(
    rules: list[str], steps_per_epoch: int, epochs: int
) -> None:
    steps = snapshot_steps(",".join(rules), steps_per_epoch, epochs)
    assert steps[0] == 0
    assert steps[-1] == steps_per_epoch * epochs
    assert all(a < b for a, b in pairwise(steps))
    # each rule gives what it gives alone
    alone = {s for rule in rules for s in snapshot_steps(rule, steps_per_epoch, epochs)}
    assert set(steps) == alone


@given(st.integers(1, 2000), st.integers(1, 200), st.integers(1, 3))
def test_logarithmic_snapshots_belong_to_the_first_epoch(
    per_decade: int, steps_per_epoch: int, epochs: int
) -> None:
    steps = snapshot_steps(f"log:{per_decade}", steps_per_epoch, epochs)
    assert all(s <= steps_per_epoch for s in steps[:-1])
    if per_decade >= 5 * steps_per_epoch:
        assert set(range(steps_per_epoch + 1)) <= set(steps)
