"""What is named with keys: any text is refused, or reads as it stands."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxorder.data.sources import SOURCES, parse_source
from jaxorder.errors import RequestError
from jaxorder.spec import Spec, parse_model, parse_spec, unknown
from tests.refused import refusal

FORM = "must be NAME or NAME:key=value,key=value, each key once"
# pieces of which texts almost of the right form are likely
TEXTS = st.lists(
    st.sampled_from([*"ab.:=,1", "sklearn", "text", "gabor", "size=", "length=9"]),
    max_size=9,
).map("".join) | st.text(max_size=12)


def keys_of(spec: Spec) -> str:
    return ",".join(f"{key}={value}" for key, value in spec.values.items())


def written(spec: Spec, between: str = ":") -> str:
    """Return a spec as it is asked for; `between` parts its argument from its keys."""
    behind = between.join(part for part in (spec.argument, keys_of(spec)) if part)
    return f"{spec.name}:{behind}" if behind else spec.name


def spec_of(**values: str) -> Spec:
    return Spec("thing", "thing", "", values, "thing")


# ---- any text is refused or reads as it stands


@given(TEXTS)
def test_a_model_reads_as_it_stands(text: str) -> None:
    try:
        spec = parse_model(text)
    except RequestError:
        return
    assert written(spec) == text
    assert spec.text == text


@given(TEXTS)
def test_a_plan_reads_as_it_stands(text: str) -> None:
    try:
        spec = parse_spec(text, "plan")
    except RequestError:
        return
    assert written(spec) == text
    assert spec.argument == ""


@given(st.sampled_from([None, ["length"], []]), TEXTS)
def test_a_source_reads_as_it_stands(known: list[str] | None, text: str) -> None:
    try:
        spec = parse_spec(text, "data", between=",", known=known)
    except RequestError:
        return
    # that an argument is missing is what the table of sources says
    assert text in (written(spec, ","), f"{spec.name}:")
    assert known is None or spec.values.keys() <= set(known)


# one part; a dot or sklearn would make the next part an argument
NAMES = st.text(min_size=1).filter(
    lambda text: not set(text) & set(":.") and text != "sklearn"
)
KEYS = st.text(min_size=1).filter(lambda text: not set(text) & set("=,"))
VALUES = st.text(min_size=1).filter(lambda text: "," not in text)


@given(NAMES, st.dictionaries(KEYS, VALUES, max_size=4))
def test_a_model_reads_as_it_was_written(name: str, values: dict[str, str]) -> None:
    spec = parse_model(written(Spec("", name, "", values)))
    assert spec.name == name
    assert list(spec.values.items()) == list(values.items())


# ---- models


@pytest.mark.parametrize(
    ("name", "argument"), [("sklearn", "adaboost"), ("my.module", "factory")]
)
@pytest.mark.parametrize("values", [{}, {"a": "1", "b": "2"}])
def test_a_name_may_take_an_argument(
    name: str, argument: str, values: dict[str, str]
) -> None:
    spec = parse_model(written(Spec("", name, argument, values)))
    assert (spec.name, spec.argument, dict(spec.values)) == (name, argument, values)


@pytest.mark.parametrize(
    "text",
    [
        *("", ":a=1", "mlp:", "mlp:a", "mlp:a=", "mlp:=1", "mlp:a=1,", "mlp:a=1,a=2"),
        *("mlp:,", "mlp:,a=1", "mlp:a=1,,b=2", "mlp:x,a=1"),
        *("sklearn:", "sklearn::a=1", "sklearn:svm:", "my.module:", "my.module:f:a"),
    ],
)
def test_other_forms_of_models_are_refused(text: str) -> None:
    assert refusal(parse_model, text) == f'model="{text}": {FORM}'


# ---- sources

WITH_KEYS = [name for name, source in SOURCES.items() if source.keys]


@pytest.mark.parametrize("name", WITH_KEYS)
def test_a_repeated_key_of_a_source_is_refused(name: str) -> None:
    key, value = next(iter(SOURCES[name].keys.items()))
    behind = "a.csv," * (SOURCES[name].argument == "PATH")
    text = f"{name}:{behind}{key}={value},{key}={value}"
    assert refusal(parse_source, text) == f'data="{text}": {FORM}'


@pytest.mark.parametrize("name", WITH_KEYS)
def test_keys_that_are_left_out_have_their_defaults(name: str) -> None:
    key = list(SOURCES[name].keys)[-1]
    behind = "a.csv," * (SOURCES[name].argument == "PATH")
    request, _ = parse_source(f"{name}:{behind}{key}=1")
    assert request.keys.values == {**SOURCES[name].keys, key: "1"}


def test_an_unknown_key_of_a_source_says_what_was_meant() -> None:
    assert refusal(parse_source, "gabor:sise=8") == (
        'data="gabor:sise=8": no key sise (did you mean size?); there are '
        + ", ".join(SOURCES["gabor"].keys)
    )
    assert refusal(parse_source, "digits:size=8") == (
        'data="digits:size=8": no key size; it has none'
    )


@pytest.mark.parametrize(
    ("text", "argument"),
    [
        ("text:a,b.csv", "a,b.csv"),
        ("text:a=b.csv", "a=b.csv"),
        ("text:a,b=c.csv", "a,b=c.csv"),
        ("text:run=1,lr=2/x.csv,length=9", "run=1,lr=2/x.csv"),
        ("text:C:/a.csv,length=9", "C:/a.csv"),
        ("folder:a,length=9", "a,length=9"),
        ("npz:~/x=1,y=2.npz", "~/x=1,y=2.npz"),
        ("tfds:imagenette/160px:1.0.0", "imagenette/160px:1.0.0"),
        ("newsgroups20:/data,strip=false", "/data"),
    ],
)
def test_a_path_may_hold_commas_and_what_looks_like_keys(
    text: str, argument: str
) -> None:
    request, source = parse_source(text)
    assert request.argument == argument
    given_keys = text.removeprefix(f"{request.keys.name}:{argument}").strip(",")
    expected = dict([given_keys.split("=")] if given_keys else [])
    assert request.keys.values == {**source.keys, **expected}


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
def test_any_path_comes_through(path: str) -> None:
    assert parse_source(f"folder:{path}")[0].argument == path


def test_a_folder_of_data_may_be_a_text() -> None:
    assert parse_source("mnist", "~/tfds")[0].data_dir == Path.home() / "tfds"


# ---- keys by type


def test_defaults_fill_only_what_was_left_out() -> None:
    asked = parse_model("mlp:widths=8")
    filled = asked.filled({"widths": "256-128", "dropout": "0"})
    assert filled.values == {"widths": "8", "dropout": "0"}
    assert asked.values == {"widths": "8"}
    assert filled.with_value("dropout", "0.5")["dropout"] == "0.5"
    assert filled["dropout"] == "0"


def test_unknown_names_say_what_was_meant() -> None:
    with pytest.raises(RequestError) as refused:
        parse_model("mlp:width=8").filled({"widths": "none", "norm": "none"})
    assert str(refused.value) == (
        'model="mlp:width=8": no key width (did you mean widths?); there are widths, '
        "norm"
    )
    assert unknown("key", "x", "a", []) == "x: no key a; it has none"


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        ("flag", "true", True),
        ("flag", "false", False),
        ("whole", "1", 1),
        ("whole", "999999999", 999999999),
        ("widths", "none", ()),
        ("widths", "64-32", (64, 32)),
    ],
)
def test_keys_are_read_by_type(read: str, text: str, value: object) -> None:
    assert getattr(spec_of(key=text), read)("key") == value


@pytest.mark.parametrize(
    ("read", "text", "allowed"),
    [
        ("flag", "yes", "one of true, false"),
        ("flag", "True", "one of true, false"),
        ("whole", "0", "a whole number from 1 on"),
        ("whole", "-1", "a whole number from 1 on"),
        ("whole", "1.0", "a whole number from 1 on"),
        ("whole", "9" * 5000, "a whole number from 1 on"),
        ("widths", "", "none or widths from 1 on, as 128-64"),
        ("widths", "8-0", "none or widths from 1 on, as 128-64"),
        ("widths", "8--8", "none or widths from 1 on, as 128-64"),
        ("widths", "9" * 5000, "none or widths from 1 on, as 128-64"),
    ],
)
def test_other_texts_are_refused(read: str, text: str, allowed: str) -> None:
    found = refusal(getattr(spec_of(key=text), read), "key")
    assert found == f"thing: key={text} must be {allowed}"


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "-0.1", "1.1"])
def test_numbers_are_finite_and_within_bounds(text: str) -> None:
    spec = spec_of(key=text)
    refused = f"thing: key={text} must be a number from 0 to 1"
    assert refusal(spec.number, "key", 0, 1) == refused


def test_the_end_of_a_range_may_be_open() -> None:
    assert spec_of(key="1").number("key", 0, 1) == 1
    assert refusal(spec_of(key="1").number, "key", 0, 1, open_end=True) == (
        "thing: key=1 must be a number from 0 to below 1"
    )
