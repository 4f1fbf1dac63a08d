"""Further data are brought to the inputs and classes that members know, or refused."""

import numpy as np
import pytest

from jaxorder.data import DataOptions, Split, from_arrays, load, transformed
from jaxorder.data.further import Further, Known, Named, further, named_split
from jaxorder.errors import RequestError, given

IMAGE = (4, 4, 1)


def images(labels: list[int], value: int = 7) -> Split:
    inputs = np.full((len(labels), *IMAGE), value, np.uint8)
    return Split(inputs, np.array(labels), np.arange(len(labels)) + 100)


def pets(labels: list[int], names: tuple[str, ...] = ("cat", "dog", "owl")) -> Named:
    return Named("pets", images(labels), names, given("data", "pets"))


ANIMALS = Known("animals", ("dog", "fox", "cat"), IMAGE, "uint8")


def test_classes_are_those_of_the_same_name() -> None:
    found = further(pets([0, 1, 2, 1, 0]), ANIMALS, "name")
    assert found.split.labels.tolist() == [2, 0, 0, 2]
    assert found.split.ids.tolist() == [100, 101, 103, 104]
    assert found.left_out == 1
    assert "1 examples of pets are of classes" in found.notes[0]


def test_classes_are_those_of_the_same_number() -> None:
    found = further(pets([0, 1, 2]), ANIMALS, "index")
    assert found.split.labels.tolist() == [0, 1, 2]
    assert not found.left_out
    assert not found.notes


def test_labels_are_left_out_on_request() -> None:
    found = further(pets([0, 1, 2]), ANIMALS, "none")
    assert not found.labelled
    assert len(found.split.labels) == 3


def test_a_split_alone_has_no_names() -> None:
    found = further(Named("a Split", images([2, 0])), ANIMALS, "name")
    assert found.split.labels.tolist() == [2, 0]


def test_no_class_in_common_shows_both_lists() -> None:
    with pytest.raises(RequestError) as refused:
        further(pets([0, 1], ("ant", "bee")), ANIMALS, "name")
    for word in ("ant, bee", "dog, fox, cat", "classes_by='index'", "'none'"):
        assert word in str(refused.value).replace('"', "'")


def test_a_long_list_of_classes_is_cut() -> None:
    names = tuple(f"kind {i}" for i in range(50))
    with pytest.raises(RequestError, match="kind 19 and 30 more"):
        further(pets([0, 49], names), ANIMALS, "name")


def test_numbers_beyond_the_members_classes_are_refused() -> None:
    known = Known("few", ("a", "b"), IMAGE, "uint8")
    with pytest.raises(RequestError, match="class 2, but the members know 0 to 1"):
        further(pets([0, 2]), known, "index")


@pytest.mark.parametrize("shape", [(5, 4, 1), (4, 4, 3)])
def test_inputs_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    known = Known("animals", ("dog", "cat"), shape, "uint8")
    with pytest.raises(RequestError, match=r"one input is uint8 \(4, 4, 1\), but"):
        further(pets([0, 1]), known, "name")


def test_inputs_of_another_type_are_refused() -> None:
    known = Known("animals", ("dog", "cat"), IMAGE, "float32")
    with pytest.raises(RequestError, match="members know float32"):
        further(pets([0, 1]), known, "name")


def test_a_version_before_did_not_note_the_type() -> None:
    known = Known("animals", ("dog", "cat"), IMAGE)
    assert len(further(pets([0, 1]), known, "name").split.labels) == 2


def test_examples_are_a_stratified_choice() -> None:
    found = further(pets([0] * 6 + [1] * 4), ANIMALS, "name", examples=5)
    assert np.bincount(found.split.labels).tolist() == [2, 0, 3]
    unlabelled = further(pets([0] * 6 + [1] * 4), ANIMALS, "none", examples=5)
    assert unlabelled.split.ids.tolist() == found.split.ids.tolist()


def test_inputs_are_projected_as_those_of_the_training() -> None:
    raw = load("digits")
    projected = transformed(raw, DataOptions(data="digits", pca=3))
    named = Named("digits", raw.test, raw.class_names, given("data", "digits"))
    found = further(named, Known.of(projected), "name")
    np.testing.assert_array_equal(found.split.inputs, projected.test.inputs)


def test_inputs_that_cannot_be_projected_are_refused() -> None:
    known = Known.of(transformed(load("digits"), DataOptions(data="digits", pca=3)))
    with pytest.raises(RequestError, match=r"holds 16 numbers, but .* from 64"):
        further(pets([0, 1]), known, "index")


def test_the_digest_tells_other_examples_apart() -> None:
    one, other = (Further("x", images([0, 1], value)) for value in (1, 2))
    assert one.digest == Further("y", images([0, 1], 1)).digest != other.digest


# ---- texts


def write_texts(path, rows: list[tuple[str, str, str]]) -> str:
    lines = ["text,label,split", *(",".join(row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return f"text:{path}"


def test_texts_are_numbered_by_the_words_that_members_know(tmp_path) -> None:
    learned = write_texts(
        tmp_path / "a.csv",
        [("a cat", "x", "train"), ("a dog", "y", "train"), ("cat", "x", "test")],
    )
    others = write_texts(
        tmp_path / "b.csv",
        [("dog bird", "x", "train"), ("b", "y", "train"), ("bird dog", "x", "test")],
    )
    known = Known.of(load(learned))
    found = named_split(DataOptions(data=others), "test", known.words, "data")
    words = [known.vocabulary[word] for word in found.split.inputs[0, :3]]
    assert words == ["<unknown>", "dog", "<pad>"]
    assert further(found, known, "name").split.inputs.shape[1:] == known.input_shape


def test_texts_and_images_are_not_taken_for_each_other(tmp_path) -> None:
    texts = write_texts(
        tmp_path / "a.csv",
        [("a cat", "x", "train"), ("a dog", "y", "train"), ("cat", "x", "test")],
    )
    with pytest.raises(
        RequestError, match="holds texts, but the members know no texts"
    ):
        named_split(DataOptions(data=texts), "test", None, "data")
    words = Known.of(load(texts)).words
    with pytest.raises(
        RequestError, match="holds no texts, but the members know texts"
    ):
        named_split(DataOptions(data="digits"), "test", words, "data")


def test_what_a_data_set_knows_is_what_its_members_know() -> None:
    inputs, labels = np.zeros((2, 3), np.float32), np.array([0, 1])
    known = Known.of(from_arrays("mine", inputs, labels, inputs, labels, ("a", "b")))
    assert (known.class_names, known.input_shape) == (("a", "b"), (3,))
    assert known.input_type == "float32"
    assert known.words is None
