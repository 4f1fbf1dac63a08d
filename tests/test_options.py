"""Options are said once: help, default and checks, and what is kept of them as JSON."""

import dataclasses
import inspect
import json
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxorder.config import RunConfig, StudyOptions, to_json
from jaxorder.config.run import GROUPS
from jaxorder.errors import RequestError, on_command_line
from jaxorder.options import (
    annotation,
    given_options,
    names_in,
    parse_bytes,
    several,
    single,
)
from tests.refused import refusal

FIELDS = {field.name: field for field in dataclasses.fields(RunConfig)}
MADE: dict[str, Any] = {"data": "digits", "model": "mlp"}
EVERY = [*GROUPS.values(), StudyOptions, RunConfig]


def run_config(**options: Any) -> RunConfig:
    return RunConfig(**{**MADE, **options})


def message_of(**options: Any) -> str:
    return refusal(run_config, **options)


# ---- what is said of each


@pytest.mark.parametrize("name", FIELDS)
def test_every_option_has_help_and_a_default(name: str) -> None:
    told = on_command_line(FIELDS[name].metadata["help"])
    assert told[0].isupper()
    assert told.endswith(".")
    assert "\n" not in told
    assert FIELDS[name].default is not dataclasses.MISSING
    if name not in MADE:
        assert getattr(run_config(), name) == FIELDS[name].default


@pytest.mark.parametrize("group", EVERY)
def test_the_docstring_of_a_group_lists_its_options(group: type) -> None:
    told = inspect.getdoc(group) or ""
    _, listed = told.split("\n\nAttributes:\n")
    names = [line.strip().partition(":")[0] for line in listed.splitlines()]
    assert names == names_in(group)


def test_options_come_in_the_order_of_their_groups() -> None:
    assert list(GROUPS) == ["data", "training", "members", "recording", "execution"]
    every = [name for group in GROUPS.values() for name in names_in(group)]
    assert names_in(StudyOptions) == every
    assert names_in(RunConfig) == [*names_in(StudyOptions), "model", "name"]


def test_options_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        run_config().members = 3  # type: ignore[misc]


def test_given_options_are_those_that_are_not_the_defaults() -> None:
    asked = run_config(members=3, freeze=["init"], epochs=30)
    assert given_options(asked) == {**MADE, "members": 3, "freeze": ("init",)}
    assert given_options(asked, StudyOptions) == {
        "data": "digits",
        "members": 3,
        "freeze": ("init",),
    }


def test_numbers_of_numpy_are_taken_for_pythons() -> None:
    asked = run_config(members=np.int64(3), learning_rate=np.float32(0.5))
    assert to_json(asked) == to_json(run_config(members=3, learning_rate=0.5))
    assert type(asked.members) is int
    with pytest.raises(RequestError, match="must be a whole number"):
        run_config(members=np.float32(2.5))


# ---- what is allowed


def wrong(name: str) -> list[Any]:
    """Return values that an option's type alone forbids."""
    kind = annotation(RunConfig, name)
    one = single(kind)
    not_none = [] if type(None) in get_args(kind) else [None]
    if several(kind):
        return [*not_none, "text", 3, [3], ["no such"], [["init"]]]
    if get_origin(one) is Literal:
        return [*not_none, "other", "", 3]
    values: dict[Any, list[Any]] = {
        bool: [1, "true"],
        int: [2.5, 1.0, True, "three", -1],
        float: [float("nan"), float("inf"), True, "fast", -0.5],
        str: [3, True, ["digits"]],
        Path: [3, True, ["tfds"]],
    }
    return [*not_none, *values[one]]


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in FIELDS for value in wrong(name)]
)
def test_every_option_refuses_what_is_not_of_its_type(name: str, value: Any) -> None:
    said = message_of(**{name: value})
    assert said.startswith(f"{name}=")
    assert ": must be " in said


COUNTS = (
    "resize",
    "train_examples",
    "test_examples",
    "pca",
    "epochs",
    "batch_size",
    "members",
    "record_examples",
    "block_members",
)


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", [0, -3, 2.5, True])
def test_counts_are_whole_numbers_from_1(name: str, value: object) -> None:
    said = f"{name}={value}: must be a whole number, at least 1"
    assert message_of(**{name: value}) == said


@pytest.mark.parametrize("name", ["seed", "noise_seed", "shuffle_seed"])
@pytest.mark.parametrize("value", [-1, 2**32, 0.0, True, None])
def test_seeds_fit_into_32_bits(name: str, value: object) -> None:
    assert message_of(**{name: value}) == (
        f"{name}={value}: must be a whole number, from 0 to 4294967295"
    )


@pytest.mark.parametrize(
    ("name", "values", "allowed"),
    [
        ("learning_rate", [0.0, -0.1], "above 0"),
        ("momentum", [-0.1, 1.0], "at least 0 and below 1"),
        ("weight_decay", [-1e-9], "at least 0"),
        ("label_smoothing", [-0.1, 1.0], "at least 0 and below 1"),
        ("subset", [0.0, 1.1], "above 0 and at most 1"),
        ("checkpoint_seconds", [-1.0], "at least 0"),
    ],
)
def test_numbers_are_finite_and_within_bounds(
    name: str, values: list[float], allowed: str
) -> None:
    for value in (*values, float("nan"), float("inf")):
        assert message_of(**{name: value}) == (
            f"{name}={value}: must be a finite number {allowed}"
        )


CHOICES = {
    name: get_args(single(annotation(RunConfig, name)))
    for name in FIELDS
    if get_origin(single(annotation(RunConfig, name))) is Literal
}


@pytest.mark.parametrize("name", CHOICES)
def test_choices_are_listed_and_allowed(name: str) -> None:
    said = f'{name}="other": must be one of {", ".join(CHOICES[name])}'
    assert message_of(**{name: "other"}) == said
    for value in CHOICES[name]:
        assert getattr(run_config(**{name: value}), name) == value


def test_recorded_quantities_are_known_and_named_once() -> None:
    assert message_of(record=("loss", "entropy")) == (
        'record="entropy": must be one of loss, margin, true_logprob, error_norm, '
        "probability"
    )
    assert message_of(record=("loss", "margin", "loss")) == (
        'record=["loss", "margin", "loss"]: must name each once'
    )


def test_bounds_themselves_are_allowed() -> None:
    least: dict[str, Any] = {
        **dict.fromkeys(COUNTS, 1),
        "seed": 0,
        "noise_seed": 2**32 - 1,
        "label_noise": 1.0,
        "momentum": 0,
        "weight_decay": 0.0,
        "checkpoint_seconds": 0,
        "learning_rate": 5e-324,
        "subset": 1,
    }
    made = run_config(**least)
    assert {name: getattr(made, name) for name in least} == least


# ---- what is meant


def test_lists_are_taken_for_tuples() -> None:
    asked = run_config(record=["loss", "margin"], vary=["momentum=0,0.5"], augment=[])
    assert asked == run_config(
        record=("loss", "margin"), vary=("momentum=0,0.5",), augment=()
    )
    assert hash(asked)


def test_texts_are_taken_for_paths() -> None:
    assert run_config(data_dir="a/b").data_dir == Path("a/b")
    assert run_config(data_dir="~/tfds").data_dir == Path.home() / "tfds"


def test_a_shared_order_is_one_thing_in_two_spellings() -> None:
    frozen = run_config(freeze=["order"])
    assert frozen == run_config(order="shared")
    assert to_json(frozen) == to_json(run_config(order="shared"))
    assert frozen.frozen == {"order"}
    both = run_config(freeze=["init", "order"], order="shared")
    assert both == run_config(freeze=("init",), order="shared")
    assert both.frozen == {"init", "order"}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1B", 1),
        ("500MB", 500_000_000),
        ("1.5 gb", 1_500_000_000),
        ("0.1TB", 10**11),
        # which binary fractions would miss by one
        ("1.001KB", 1001),
        ("4.35KB", 4350),
        ("1" + "0" * 400 + "kb", 10**403),
    ],
)
def test_bytes_are_read_exactly(text: str, count: int) -> None:
    assert parse_bytes(text, "device_memory") == count


@pytest.mark.parametrize("text", ["", "500", "3 potatoes", "-1MB", "MB", "1e3MB"])
def test_what_is_no_number_of_bytes_is_refused(text: str) -> None:
    said = f'device_memory="{text}": must be bytes, as 500MB or 2GB'
    assert message_of(device_memory=text) == said


# ---- JSON

EVERYTHING = RunConfig(
    data="npz:some where/data.npz",
    data_dir=Path("/data/tfds"),
    resize=16,
    classes="3,5",
    drop_duplicates="near",
    train_examples=100,
    test_examples=50,
    label_noise=0.2,
    noise="pair",
    noise_seed=1,
    probe=("shifted=npz:shifted.npz", "again=digits"),
    classes_by="index",
    shuffle_seed=2,
    pca=5,
    scaling="unit",
    augment=("flip", "crop"),
    members=3,
    epochs=2,
    seed=7,
    optimizer="adamw",
    learning_rate=0.1,
    momentum=0.5,
    weight_decay=1e-4,
    label_smoothing=0.1,
    schedule="warmup_cosine",
    batch_size=10,
    precision="bfloat16",
    order="shared",
    share_streams=True,
    freeze=("init", "subset"),
    vary=("dropout=0.1,0.2",),
    subset=0.5,
    resample="features",
    snapshots="every:3",
    record=("loss", "probability"),
    record_examples=20,
    keep_checkpoints="all",
    checkpoint_seconds=1.5,
    block_members=2,
    plan="chunks:size=2",
    device_memory="2GB",
    model="mlp:widths=8",
    name="small",
)
# what cannot be asked for together with the above
OTHERWISE: list[dict[str, Any]] = [
    {"disjoint": 2, "subset": None},
    {"folds": 3, "subset": None},
    {"shuffle_labels": True, "label_noise": 0.0},
]


def through_text(options: StudyOptions) -> Any:
    return json.loads(json.dumps(to_json(options), allow_nan=False))


def test_json_keeps_everything() -> None:
    others = [dataclasses.replace(EVERYTHING, **changed) for changed in OTHERWISE]
    asked = [EVERYTHING, *others]
    for field in FIELDS.values():
        assert any(getattr(each, field.name) != field.default for each in asked)
    for each in (*asked, run_config()):
        assert RunConfig.from_json(through_text(each)) == each


@given(
    st.fixed_dictionaries(
        {
            "data": st.text(min_size=1),
            "members": st.integers(1, 2**40),
            "seed": st.integers(0, 2**32 - 1),
            "learning_rate": st.none()
            | st.floats(0, exclude_min=True, allow_infinity=False),
            "weight_decay": st.floats(0, allow_infinity=False),
            "optimizer": st.sampled_from([None, "sgd", "adam"]),
            "record": st.sampled_from([(), ("loss",), ("margin", "loss")]),
        }
    )
)
def test_json_keeps_any_options(given_options: dict[str, Any]) -> None:
    options = StudyOptions(**given_options)
    assert StudyOptions(**through_text(options)) == options


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in MADE])
def test_a_document_of_a_version_without_an_option_has_its_default(name: str) -> None:
    document = through_text(EVERYTHING)
    del document[name]
    default = FIELDS[name].default
    found = RunConfig.from_json(document)
    assert getattr(found, name) == default
    assert found == dataclasses.replace(EVERYTHING, **{name: default})


def test_a_document_of_the_version_before_is_read() -> None:
    """It had no name of a run, and a frozen order stood among the streams."""
    before = {"data": "digits", "data_dir": None, "model": "mlp", "freeze": ["order"]}
    assert RunConfig.from_json(before) == run_config(order="shared")


def test_a_relative_folder_is_kept_as_the_one_it_meant() -> None:
    options = StudyOptions(data="mnist", data_dir=Path("tfds"))
    assert StudyOptions(**to_json(options)).data_dir == Path.cwd() / "tfds"


def test_options_read_from_json_are_checked_again() -> None:
    with pytest.raises(RequestError, match="epochs=0: must be"):
        RunConfig.from_json(to_json(EVERYTHING) | {"epochs": 0})
