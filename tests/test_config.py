"""Options are checked once, with a line that says what is allowed, and kept as JSON."""

import dataclasses
import importlib.util
import json
import re
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxorder import config
from jaxorder.config import (
    RunConfig,
    StudyOptions,
    check_models,
    folder_name,
    option_name,
    options_from_json,
    parse_model,
    parse_snapshots,
    snapshot_steps,
    to_json,
    varied,
)
from jaxorder.errors import RequestError


def unchecked() -> ModuleType:
    """Return the module as users have it: tests check the types of all arguments."""
    spec = importlib.util.spec_from_file_location("unchecked_config", config.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


UNCHECKED = unchecked()


def message_of(**options: Any) -> str:
    with pytest.raises(RequestError) as refused:
        UNCHECKED.StudyOptions(data="digits", **options)
    return str(refused.value)


# ---- bounds

COUNTS = (
    "members",
    "epochs",
    "train_examples",
    "test_examples",
    "batch_size",
    "record_examples",
    "block_members",
)


@pytest.mark.parametrize("field", COUNTS)
@pytest.mark.parametrize("value", [0, -3, 2.5, 1.0, True, "three"])
def test_counts_are_whole_numbers_from_1(field: str, value: object) -> None:
    assert message_of(**{field: value}) == (
        f"{option_name(field)} {value}: must be a whole number, at least 1"
    )


@pytest.mark.parametrize("value", [-1, 2**32, 0.0, True, None])
def test_seeds_fit_into_32_bits(value: object) -> None:
    assert message_of(seed=value) == (
        f"--seed {value}: must be a whole number, from 0 to 4294967295"
    )


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("learning_rate", 0.0, "above 0"),
        ("learning_rate", -0.1, "above 0"),
        ("learning_rate", float("nan"), "above 0"),
        ("learning_rate", float("inf"), "above 0"),
        ("learning_rate", "fast", "above 0"),
        ("momentum", -0.1, "at least 0 and below 1"),
        ("momentum", 1.0, "at least 0 and below 1"),
        ("momentum", float("nan"), "at least 0 and below 1"),
        ("weight_decay", -1e-9, "at least 0"),
        ("weight_decay", float("inf"), "at least 0"),
        ("weight_decay", True, "at least 0"),
        ("checkpoint_seconds", -1.0, "at least 0"),
        ("checkpoint_seconds", float("nan"), "at least 0"),
    ],
)
def test_numbers_are_finite_and_within_bounds(
    field: str, value: object, allowed: str
) -> None:
    assert message_of(**{field: value}) == (
        f"{option_name(field)} {value}: must be a finite number {allowed}"
    )


@pytest.mark.parametrize(
    ("field", "allowed"),
    [
        ("optimizer", "sgd, momentum, adam, adamw"),
        ("schedule", "constant, cosine, step, warmup_cosine"),
        ("precision", "float32, bfloat16"),
        ("order", "member, shared"),
        ("keep_checkpoints", "none, last, log, all"),
    ],
)
def test_choices_are_listed(field: str, allowed: str) -> None:
    assert message_of(**{field: "other"}) == (
        f"{option_name(field)} other: must be one of {allowed}"
    )


def test_only_an_optimizer_may_be_left_to_the_architecture() -> None:
    assert StudyOptions(data="digits", optimizer=None).optimizer is None
    assert message_of(schedule=None).startswith("--schedule None: must be one of")


def test_recorded_quantities_are_known_and_named_once() -> None:
    assert message_of(record=("loss", "entropy")) == (
        "--record entropy: must be one of loss, margin, true_logprob, error_norm, "
        "probability"
    )
    assert message_of(record=("loss", "margin", "loss")) == (
        "--record loss margin loss: must name each once"
    )


def test_bounds_themselves_are_allowed() -> None:
    options = dict.fromkeys(COUNTS, 1) | {
        "momentum": 0.0,
        "weight_decay": 0.0,
        "checkpoint_seconds": 0.0,
        "learning_rate": 5e-324,
    }
    for seed in (0, 2**32 - 1):
        made = StudyOptions(data="digits", seed=seed, **options)  # type: ignore[arg-type]
        assert made.seed == seed


def test_a_run_checks_its_model_and_its_options() -> None:
    with pytest.raises(RequestError, match="--models mlp:: must be NAME"):
        RunConfig(data="digits", model="mlp:")
    with pytest.raises(RequestError, match="--members 0"):
        RunConfig(data="digits", model="mlp", members=0)


def test_options_are_frozen() -> None:
    options = StudyOptions(data="digits")
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.members = 3  # type: ignore[misc]


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
    shuffle_labels=True,
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
)


# which examples a member is trained on is said in one way
OTHERWISE = {"disjoint": 2, "folds": 3}


def through_text(options: StudyOptions) -> Any:
    return json.loads(json.dumps(to_json(options), allow_nan=False))


def test_json_keeps_everything() -> None:
    default = RunConfig(data="digits", model="mlp")
    for field in dataclasses.fields(RunConfig):
        if field.name not in ("data", *OTHERWISE):
            assert getattr(EVERYTHING, field.name) != getattr(default, field.name)
    assert RunConfig.from_json(through_text(EVERYTHING)) == EVERYTHING
    assert RunConfig.from_json(through_text(default)) == default
    for name, value in OTHERWISE.items():
        other = dataclasses.replace(EVERYTHING, subset=None, **{name: value})
        assert RunConfig.from_json(through_text(other)) == other


@given(
    st.fixed_dictionaries(
        {
            "data": st.text(),
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
    assert options_from_json(through_text(options)) == options


def test_a_relative_folder_is_kept_as_the_one_it_meant() -> None:
    options = StudyOptions(data="mnist", data_dir=Path("tfds"))
    assert options_from_json(to_json(options)).data_dir == Path.cwd() / "tfds"


def test_options_read_from_json_are_checked_again() -> None:
    with pytest.raises(RequestError, match="--epochs 0"):
        RunConfig.from_json(to_json(EVERYTHING) | {"epochs": 0})


def test_a_run_of_a_study_has_its_options() -> None:
    study = StudyOptions(data="digits", members=5, record=("loss",))
    run = RunConfig.of_study(study, "mlp")
    assert run.model == "mlp"
    assert to_json(run) == to_json(study) | {"model": "mlp"}


def test_defaults_fill_only_what_was_left_open() -> None:
    asked = RunConfig(data="digits", model="mlp", learning_rate=0.5)
    filled = asked.with_defaults({"learning_rate": 0.02, "optimizer": "sgd"})
    assert (filled.learning_rate, filled.optimizer) == (0.5, "sgd")
    assert asked.optimizer is None


# ---- what members differ in


@pytest.mark.parametrize(
    ("vary", "message"),
    [
        (("batch-size=1,2",), "--vary batch-size=1,2: must be NAME=value,value of "),
        (
            ("learning-rate",),
            "--vary learning-rate: must be NAME=value,value: at least",
        ),
        (("learning-rate=0.1",), "at least two different numbers joined by commas"),
        (("learning-rate=0.1,0.1",), "at least two different numbers"),
        (("learning-rate=0.1,x",), "at least two different numbers"),
        (("learning-rate=0.1,-1",), "--learning-rate -1.0: must be a finite number ab"),
        (("learning_rate=1,2", "learning-rate=3,4"), "names learning-rate twice"),
        (("subset=0.5,1.5",), "--subset 1.5: must be a finite number above 0 and at m"),
    ],
)
def test_a_wrong_variation_is_named(vary: tuple[str, ...], message: str) -> None:
    assert message in message_of(vary=vary)


def test_every_combination_occurs() -> None:
    grid = ("learning-rate=0.1,0.2", "momentum=0.5,0.9,0.95")
    assert "6 combinations of values, but --members 5" in message_of(
        vary=grid, members=5
    )
    found = varied(StudyOptions(data="digits", vary=grid, members=6), 0, 6)
    pairs = set(zip(found["learning_rate"], found["momentum"], strict=True))
    assert len(pairs) == 6
    later = varied(StudyOptions(data="digits", vary=grid, members=6), 4, 2)
    assert later == {name: values[4:] for name, values in found.items()}


def test_an_option_is_given_or_varied() -> None:
    assert message_of(vary=("learning-rate=0.1,0.2",), learning_rate=0.1) == (
        "--learning-rate 0.1: varies over members by --vary learning-rate; give one of "
        "the two"
    )
    asked = StudyOptions(data="digits", vary=("learning-rate=0.1,0.2",))
    run = RunConfig.of_study(asked, "mlp").with_defaults({"learning_rate": 0.5})
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


# ---- models

# one part; a dot or sklearn would make the next part belong to the name
NAMES = st.text(min_size=1).filter(
    lambda text: not set(text) & set(":.") and text != "sklearn"
)
KEYS = st.text(min_size=1).filter(lambda text: not set(text) & set("=,"))
VALUES = st.text(min_size=1).filter(lambda text: "," not in text)


def written(name: str, options: dict[str, str]) -> str:
    pairs = ",".join(f"{key}={value}" for key, value in options.items())
    return f"{name}:{pairs}" if options else name


@given(NAMES, st.dictionaries(KEYS, VALUES, max_size=4))
def test_a_model_reads_as_it_was_written(name: str, options: dict[str, str]) -> None:
    spec = parse_model(written(name, options))
    assert spec.name == name
    assert list(spec.options.items()) == list(options.items())


@pytest.mark.parametrize("name", ["sklearn:adaboost", "my.module:factory"])
@pytest.mark.parametrize("options", [{}, {"a": "1", "b": "2"}])
def test_a_name_of_two_parts(name: str, options: dict[str, str]) -> None:
    spec = parse_model(written(name, options))
    assert (spec.name, dict(spec.options)) == (name, options)


@given(st.text(alphabet="ab.:=,1", max_size=12))
def test_any_text_is_refused_or_reads_as_it_stands(text: str) -> None:
    try:
        spec = parse_model(text)
    except RequestError:
        return
    assert written(spec.name, dict(spec.options)) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", ":a=1", "mlp:", "mlp:a", "mlp:a=", "mlp:=1", "mlp:a=1,", "mlp:a=1,a=2"),
        *("sklearn:", "sklearn::a=1", "sklearn:svm:", "my.module:", "my.module:f:a"),
    ],
)
def test_other_forms_of_models_are_refused(text: str) -> None:
    with pytest.raises(RequestError) as refused:
        parse_model(text)
    assert str(refused.value) == (
        f"--models {text}: must be NAME or NAME:key=value,key=value, each key once"
    )


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
    check_models(["mlp", "mlp:widths=8", "mlp:widths=8,linear=true"])


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
    with pytest.raises(RequestError) as refused:
        check_models(models)
    assert str(refused.value) == (
        f"--models {models[0]} {models[-1]}: both would be written to the folder "
        f"{folder}; name each model once"
    )


def test_a_list_of_models_holds_models() -> None:
    with pytest.raises(RequestError, match="--models: at least one model"):
        check_models([])
    with pytest.raises(RequestError, match="--models mlp:widths: must be"):
        check_models(["mlp", "mlp:widths"])


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
        f"--snapshots {text}: each rule must be log:N, epoch or every:K with whole N, "
        "K from 1 on, joined by commas; or last, alone"
    )
    with pytest.raises(RequestError) as refused:
        parse_snapshots(text)
    assert str(refused.value) == expected
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


def test_a_name_too_long_for_a_folder_is_refused() -> None:
    with pytest.raises(RequestError, match="must be at most 200, for the name"):
        check_models(["mlp:widths=" + "-".join(["8"] * 200)])
