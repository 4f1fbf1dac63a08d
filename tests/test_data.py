import dataclasses
import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxorder.data import (
    Dataset,
    Split,
    catalog,
    from_arrays,
    load,
    prepared,
    stratified,
    take_examples,
)
from jaxorder.data.cache import cache_folder
from jaxorder.data.prepared import find_prepared, tfds_folder
from jaxorder.data.sources import SOURCES
from tests.refused import refusal

# what we make here counts primes, which no batch size divides
SIZES = {
    "digits": (1297, 500),
    "mnist": (60000, 10000),
    "fashion_mnist": (60000, 10000),
    "tfds": (60000, 10000),
    "cifar10": (103, 37),
    "cifar100": (103, 37),
    "folder": (103, 37),
    "npz": (103, 37),
    "text": (103, 37),
    "newsgroups20": (11314, 7532),
    "gabor": (2000, 1000),
    "gaussian": (2000, 1000),
    "graded": (2000, 1000),
}
SHAPES = {
    "digits": (8, 8, 1),
    "mnist": (28, 28, 1),
    "fashion_mnist": (28, 28, 1),
    "tfds": (28, 28, 1),
    "cifar10": (32, 32, 3),
    "cifar100": (32, 32, 3),
    "folder": (5, 4, 3),
    "npz": (5, 4, 3),
    "text": (6,),
    "newsgroups20": (200,),
    "gabor": (16, 16, 1),
    "gaussian": (100,),
    "graded": (8, 8, 1),
}
TYPES = {
    **dict.fromkeys(("digits", "gabor", "gaussian", "graded"), np.float32),
    **dict.fromkeys(("text", "newsgroups20"), np.int32),
}
DIGITS_DIGEST = "44c4d2da8cd35deb161bd6c61363e11c72b3249221cd1132ad616afa93590535"


def arrays(train: int = 103, test: int = 37, classes: int = 3) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "train_inputs": rng.integers(0, 256, (train, 5, 4, 3), dtype=np.uint8),
        "train_labels": np.arange(train) % classes,
        "test_inputs": rng.integers(0, 256, (test, 5, 4, 3), dtype=np.uint8),
        "test_labels": np.arange(test) % classes,
    }


def write_folder(path: Path) -> str:
    """Write 103 + 37 random images of 3 classes; return the source."""
    from PIL import Image

    made = arrays()
    for split in ("train", "test"):
        images, labels = made[f"{split}_inputs"], made[f"{split}_labels"]
        for i, (image, label) in enumerate(zip(images, labels, strict=True)):
            file = path / split / f"class{label}" / f"{i:03}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(file)
    return f"folder:{path}"


def write_text(path: Path) -> str:
    """Write 103 + 37 random texts of 3 classes; return the source."""
    rng = np.random.default_rng(0)
    words = ["ant", "bee", "cat", "dog", "eel", "fox"]
    rows = [
        {
            "text": " ".join(rng.choice(words, 7)),
            "label": f"class {i % 3}",
        }
        for i in range(140)
    ]
    path.mkdir()
    for name, part in (("train", rows[:103]), ("test", rows[103:])):
        lines = "".join(json.dumps(row) + "\n" for row in part)
        (path / f"{name}.jsonl").write_text(lines)
    return f"text:{path},length=6"


def tiny_prepared(
    folder: Path,
    name: str = "mnist",
    shape: tuple[int, int, int] = (28, 28, 1),
    sizes: tuple[int, int] = (23, 11),
) -> Path:
    """Prepare random images of 3 classes as TFDS would; return their folder."""
    import tensorflow_datasets as tfds
    from PIL import Image

    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=shape),
            "label": tfds.features.ClassLabel(names=["ant", "bee", "cat"]),
        }
    )

    class Tiny(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("3.0.1")
        pkg_dir_path = None

        def _info(self):
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, dl_manager: Any):
            counts = dict(zip(("train", "test"), sizes, strict=True))
            return {name: self._generate_examples(n) for name, n in counts.items()}

        def _generate_examples(self, count: int):
            pixels = np.random.default_rng(count).integers(0, 256, (count, *shape))
            for i, image in enumerate(pixels.astype(np.uint8)):
                yield i, {"image": Image.fromarray(image.squeeze()), "label": i % 3}

    Tiny.name = name
    Tiny(data_dir=folder, file_format="array_record").download_and_prepare(
        download_config=tfds.download.DownloadConfig(try_download_gcs=False)
    )
    return folder / name / "3.0.1"


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JAXORDER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def tiny(tmp_path: Path, own_cache: Path) -> Path:
    return tiny_prepared(tmp_path / "tfds").parent.parent


@pytest.fixture(scope="module")
def npz_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("npz") / "mine.npz"
    np.savez(path, **arrays())
    return path


@pytest.fixture(scope="module", params=SOURCES)
def request_of(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, str, Path | None]:
    """Give each source: its name, how to ask for it, and its folder."""
    name = request.param
    if name == "npz":
        return name, f"npz:{request.getfixturevalue('npz_file')}", None
    own = tmp_path_factory.mktemp(name)
    if name == "folder":
        return name, write_folder(own / "images"), None
    if name == "text":
        return name, write_text(own / "texts"), None
    if name in ("cifar10", "cifar100"):
        tiny_prepared(own, name, (32, 32, 3), (103, 37))
        return name, name, own
    if name in ("digits", "gabor", "gaussian", "graded"):
        return name, name, None
    real = request.getfixturevalue("real_data") / "tfds"
    return name, "tfds:fashion_mnist" if name == "tfds" else name, real


@pytest.fixture(scope="module")
def loaded(request_of: tuple[str, str, Path | None]) -> tuple[str, Dataset]:
    name, source, folder = request_of
    return name, load(source, data_dir=folder)


class TestEverySource:
    def test_sizes_shapes_and_types(self, loaded: tuple[str, Dataset]):
        name, dataset = loaded
        assert dataset.input_shape == SHAPES[name]
        for split, size in zip((dataset.train, dataset.test), SIZES[name], strict=True):
            assert split.inputs.shape == (size, *SHAPES[name])
            assert split.inputs.dtype == TYPES.get(name, np.uint8)
            assert split.tokens == (len(dataset.vocabulary) > 0)
            assert split.labels.dtype == np.int32
            assert split.ids.dtype == np.int64
            assert split.labels.shape == split.ids.shape == (size,)

    def test_labels_are_all_of_0_to_k_minus_1(self, loaded: tuple[str, Dataset]):
        _, dataset = loaded
        classes = np.arange(dataset.num_classes)
        assert np.array_equal(np.unique(dataset.train.labels), classes)
        assert np.isin(dataset.test.labels, classes).all()
        assert len(dataset.class_names) == dataset.num_classes

    def test_ids_are_positions_in_the_source(self, loaded: tuple[str, Dataset]):
        name, dataset = loaded
        train, test = dataset.train.ids, dataset.test.ids
        assert (np.diff(train) > 0).all()
        assert (np.diff(test) > 0).all()
        if name == "digits":
            both = np.sort(np.concatenate([train, test]))
            assert np.array_equal(both, np.arange(1797))
        else:
            assert np.array_equal(train, np.arange(SIZES[name][0]))
            assert np.array_equal(test, np.arange(SIZES[name][1]))

    def test_is_the_same_each_time(
        self,
        loaded: tuple[str, Dataset],
        request_of: tuple[str, str, Path | None],
    ):
        _, source, folder = request_of
        again = load(source, data_dir=folder)
        assert again.name == source == loaded[1].name
        assert again.digest == loaded[1].digest
        assert again.class_names == loaded[1].class_names

    def test_digest_sees_one_pixel(self, loaded: tuple[str, Dataset]):
        _, dataset = loaded
        train = dataset.train
        inputs = train.inputs.copy()
        last = inputs.reshape(len(inputs), -1)[-1]
        last[2] = last[2] == 0
        columns, tokens = train.columns, train.tokens
        split = Split(inputs, train.labels, train.ids, columns, tokens=tokens)
        changed = dataclasses.replace(dataset, train=split)
        assert re.fullmatch("[0-9a-f]{64}", changed.digest)
        assert changed.digest != dataset.digest

    def test_subset_is_stratified_and_fixed(
        self,
        loaded: tuple[str, Dataset],
        request_of: tuple[str, str, Path | None],
    ):
        _, dataset = loaded
        _, source, folder = request_of
        one, two = (
            load(source, data_dir=folder, train_examples=97, test_examples=31)
            for _ in range(2)
        )
        assert one.digest == two.digest
        for split, whole, size in (
            (one.train, dataset.train, 97),
            (one.test, dataset.test, 31),
        ):
            assert split.ids.size == size
            assert (np.diff(split.ids) > 0).all()
            at = np.searchsorted(whole.ids, split.ids)
            assert np.array_equal(whole.inputs[at], split.inputs)
            assert np.array_equal(whole.labels[at], split.labels)
            quota = np.bincount(whole.labels) * size / whole.labels.size
            assert (np.abs(np.bincount(split.labels) - quota) < 1).all()

    def test_refuses_sizes_out_of_range(
        self,
        loaded: tuple[str, Dataset],
        request_of: tuple[str, str, Path | None],
    ):
        name, dataset = loaded
        _, source, folder = request_of
        train, test = SIZES[name]
        k = dataset.num_classes
        assert refusal(load, source, data_dir=folder, train_examples=train + 1) == (
            f"train_examples={train + 1}: the train labels of {source} hold {train} "
            f"examples of {k} classes; give {k} to {train}"
        )
        message = refusal(load, source, data_dir=folder, test_examples=k - 1)
        assert message.startswith(f"test_examples={k - 1}: ")
        assert message.endswith(f"give {k} to {test}")

    def test_is_in_the_catalog(self, request_of: tuple[str, str, Path | None]):
        name, source, folder = request_of
        entry = next(e for e in catalog(folder) if e.name.split(":")[0] == name)
        if entry.train and "cifar" not in name:
            assert (entry.train, entry.test) == SIZES[name]
            assert entry.classes == len(load(source, data_dir=folder).class_names)
        assert entry.available
        assert entry.description.endswith(".")
        if SOURCES[name].prepared:
            assert entry.where == str(folder / name / "3.0.1")


def test_digits_are_fixed_for_good():
    dataset = load("digits")
    assert dataset.digest == DIGITS_DIGEST
    assert dataset.train.inputs.min() == 0
    assert dataset.train.inputs.max() == 1
    assert dataset.class_names == tuple("0123456789")


def test_mnist_is_the_real_one(real_data: Path):
    train = load("mnist", data_dir=real_data / "tfds").train
    assert train.inputs.mean() == pytest.approx(33.3184, abs=5e-5)
    # counts of the official training labels
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(train.labels).tolist() == counts


def test_fashion_mnist_is_the_real_one(real_data: Path):
    dataset = load("fashion_mnist", data_dir=str(real_data / "tfds"))
    assert np.bincount(dataset.train.labels).tolist() == [6000] * 10
    assert np.bincount(dataset.test.labels).tolist() == [1000] * 10
    assert dataset.class_names[0] == "T-shirt/top"
    assert dataset.class_names[9] == "Ankle boot"


def test_prepared_images_come_in_the_order_of_tfds(real_data: Path):
    import tensorflow_datasets as tfds

    folder = real_data / "tfds"
    theirs = tfds.data_source("mnist", split="test", data_dir=folder, download=False)
    ours = load("mnist", data_dir=folder).test
    for i in (0, 1, 4999, 9999):
        assert np.array_equal(theirs[i]["image"], ours.inputs[i])
        assert theirs[i]["label"] == ours.labels[i]


class TestPrepared:
    def test_decodes_once(self, tiny: Path, monkeypatch: pytest.MonkeyPatch):
        first = load("mnist", data_dir=tiny)
        monkeypatch.setattr(prepared, "_decode", None)  # a call would raise
        second = load("mnist", data_dir=tiny)
        assert first.digest == second.digest
        assert first.class_names == second.class_names == ("ant", "bee", "cat")
        assert first.train.labels.size == 23

    @pytest.mark.parametrize("damage", ["cut", "flipped", "other"])
    def test_rebuilds_a_broken_cache_entry(
        self, tiny: Path, own_cache: Path, damage: str
    ):
        digest = load("mnist", data_dir=tiny).digest
        (entry,) = (own_cache / "data").iterdir()
        whole = entry.read_bytes()
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        broken = {"cut": whole[:middle], "flipped": flipped, "other": b"other"}
        entry.write_bytes(broken[damage])
        assert load("mnist", data_dir=tiny).digest == digest
        assert [file.name for file in entry.parent.iterdir()] == [entry.name]
        assert entry.read_bytes() == whole

    def test_a_changed_source_is_decoded_again(self, tiny: Path, own_cache: Path):
        load("mnist", data_dir=tiny)
        os.utime(tiny / "mnist" / "3.0.1" / "dataset_info.json", (1, 1))
        load("mnist", data_dir=tiny)
        assert len(list((own_cache / "data").iterdir())) == 2

    def test_does_without_a_writable_cache(
        self, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        (tmp_path / "file").write_text("no folder can be made in a file")
        monkeypatch.setenv("JAXORDER_CACHE", str(tmp_path / "file" / "cache"))
        assert load("mnist", data_dir=tiny).train.labels.size == 23

    def test_a_full_disk_leaves_no_part_behind(
        self, tiny: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
    ):
        def full(*args: object, **kwargs: object):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(np, "savez", full)
        assert load("mnist", data_dir=tiny).train.labels.size == 23
        assert list((own_cache / "data").iterdir()) == []

    def test_refuses_what_is_not_prepared(self, tmp_path: Path):
        (tmp_path / "mnist" / "incomplete.X_3.0.1").mkdir(parents=True)
        (tmp_path / "mnist" / "incomplete.X_3.0.1" / "dataset_info.json").touch()
        message = refusal(load, "mnist", data_dir=tmp_path)
        assert message.startswith(f'data="mnist": not prepared in {tmp_path} ')
        assert "point data_dir at a prepared copy" in message
        assert "jaxorder data prepare mnist --data-dir" in message
        entry = next(entry for entry in catalog(tmp_path) if entry.name == "mnist")
        assert not entry.available
        assert entry.where == str(tmp_path)

    def test_refuses_another_file_format(self, tiny: Path):
        info = tiny / "mnist" / "3.0.1" / "dataset_info.json"
        info.write_text(info.read_text().replace('"array_record"', '"tfrecord"'))
        message = refusal(load, "mnist", data_dir=tiny)
        assert "is in the file format tfrecord, wanted array_record" in message

    @pytest.mark.parametrize(
        "file", ["mnist-train.array_record-00000-of-00001", "dataset_info.json"]
    )
    def test_refuses_damaged_files(self, tiny: Path, file: str):
        path = tiny / "mnist" / "3.0.1" / file
        path.write_bytes(path.read_bytes()[:100])
        message = refusal(load, "mnist", data_dir=tiny)
        assert message.startswith(f'data="mnist": cannot read {path.parent} (')

    def test_missing_parts_of_the_installation_are_not_the_data(
        self, tiny: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setitem(sys.modules, "PIL", None)
        with pytest.raises(ImportError):
            load("mnist", data_dir=tiny)

    def test_takes_the_newest_version(self, tmp_path: Path):
        for version in ("3.0.9", "3.0.10", "2.11.0"):
            (tmp_path / "mnist" / version).mkdir(parents=True)
            (tmp_path / "mnist" / version / "dataset_info.json").touch()
        assert find_prepared("mnist", tmp_path) == tmp_path / "mnist" / "3.0.10"
        assert find_prepared("fashion_mnist", tmp_path) is None

    def test_folders_come_from_the_environment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        for name in ("TFDS_DATA_DIR", "JAXORDER_CACHE", "XDG_CACHE_HOME"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        assert tfds_folder() == tmp_path / "tensorflow_datasets"
        assert tfds_folder("~/mine") == tmp_path / "mine"
        assert cache_folder() == tmp_path / ".cache" / "jaxorder"
        monkeypatch.setenv("TFDS_DATA_DIR", "/data")
        monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
        assert tfds_folder() == Path("/data")
        assert cache_folder() == Path("/xdg/jaxorder")
        monkeypatch.setenv("JAXORDER_CACHE", "/cache")
        assert cache_folder() == Path("/cache")


ALONE = """
import socket, sys
def connect(*args): raise AssertionError("the network was asked")
socket.socket.connect = socket.getaddrinfo = connect
from jaxorder.data import catalog, load
catalog(sys.argv[1])
try:
    load("fashion_mnist", data_dir=sys.argv[1])
except ValueError as error:
    assert "not prepared" in str(error)
assert not {"tensorflow_datasets", "sklearn"} & set(sys.modules)
print(load("mnist", data_dir=sys.argv[1]).train.labels.size)
assert not {"tensorflow", "jax"} & set(sys.modules)
"""


def test_needs_no_tensorflow_no_jax_and_no_network_and_is_silent(tiny: Path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ALONE, str(tiny)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("23\n", "", 0)


class TestNpz:
    @pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
    def test_reads_arrays_and_class_names(self, tmp_path: Path, save: Any):
        names = np.array(["ant", "bee", "cat"])
        save(tmp_path / "a.npz", **arrays(), class_names=names)
        dataset = load(f"npz:{tmp_path / 'a.npz'}")
        assert dataset.class_names == ("ant", "bee", "cat")
        assert np.array_equal(dataset.train.inputs, arrays()["train_inputs"])

    def test_names_classes_by_number(self, npz_file: Path):
        assert load(f"npz:{npz_file}").class_names == ("0", "1", "2")

    def test_names_what_is_missing_and_what_was_found(self, tmp_path: Path):
        path = tmp_path / "a.npz"
        np.savez(path, train_inputs=np.zeros((2, 2)), labels=np.zeros(2))
        assert refusal(load, f"npz:{path}") == (
            f'data="npz:{path}": lacks train_labels, test_inputs, test_labels (it '
            "holds train_inputs, labels); wanted train_inputs, train_labels, "
            "test_inputs, test_labels and optionally class_names"
        )

    @pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
    @pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
    def test_refuses_truncated_files(self, tmp_path: Path, save: Any, share: float):
        path = tmp_path / "a.npz"
        save(path, **arrays())
        whole = path.read_bytes()
        path.write_bytes(whole[: int(share * len(whole))])
        message = refusal(load, f"npz:{path}")
        assert message.startswith(f'data="npz:{path}": cannot read {path} as an npz')

    @pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
    def test_refuses_damaged_files(self, tmp_path: Path, save: Any):
        path = tmp_path / "a.npz"
        save(path, **arrays())
        damaged = bytearray(path.read_bytes())
        damaged[len(damaged) // 3 : len(damaged) // 3 + 50] = bytes(50)
        path.write_bytes(damaged)
        assert "as an npz file (" in refusal(load, f"npz:{path}")

    def test_refuses_files_of_another_kind(self, tmp_path: Path):
        missing, array, text = (tmp_path / name for name in ("no", "a.npy", "a.txt"))
        np.save(array, np.zeros(3))
        text.write_text("inputs,labels\n1,0\n")
        assert "(No such file or directory)" in refusal(load, f"npz:{missing}")
        assert "(Is a directory)" in refusal(load, f"npz:{tmp_path}")
        assert "(it holds one bare array)" in refusal(load, f"npz:{array}")
        assert "as an npz file" in refusal(load, f"npz:{text}")

    @pytest.mark.parametrize("key", ["train_inputs", "test_labels", "class_names"])
    def test_refuses_what_only_pickle_reads(self, tmp_path: Path, key: str):
        path = tmp_path / "a.npz"
        np.savez(path, **{**arrays(), key: np.array([None, {}], object)})
        message = refusal(load, f"npz:{path}")
        assert message.startswith(f'data="npz:{path}": {key} holds Python objects')

    @pytest.mark.parametrize("names", [np.arange(3), np.array([["a", "b", "c"]])])
    def test_refuses_class_names_that_are_no_strings(
        self, tmp_path: Path, names: np.ndarray
    ):
        np.savez(tmp_path / "a.npz", **arrays(), class_names=names)
        message = refusal(load, f"npz:{tmp_path / 'a.npz'}")
        assert message.endswith("wanted [class] of strings")


class TestFromArrays:
    @pytest.mark.parametrize(
        ("dtype", "kept"),
        [
            (np.uint8, np.uint8),
            (np.float32, np.float32),
            (np.dtype(">f4"), np.float32),
            (np.float16, np.float32),
            (np.float64, np.float32),
            (np.int64, np.float32),
            (np.uint16, np.float32),
            (np.bool_, np.float32),
        ],
    )
    def test_converts_inputs(self, dtype: Any, kept: Any):
        inputs = np.array([[0, 1], [1, 0], [1, 1]], dtype)
        split = Split(inputs, np.array([0, 1, 0], np.uint8))
        assert split.inputs.dtype == kept
        assert split.inputs.tolist() == [[0, 1], [1, 0], [1, 1]]
        assert split.labels.dtype == np.int32
        assert split.ids.tolist() == [0, 1, 2]

    def test_arrays_cannot_be_changed(self):
        mine = arrays()
        dataset = from_arrays("mine", **mine)
        with pytest.raises(ValueError, match="read-only"):
            dataset.train.inputs[0] = 0
        assert mine["train_inputs"].flags.writeable

    def test_split_by_name(self):
        dataset = from_arrays("mine", **arrays())
        assert dataset.split("train") is dataset.train
        assert dataset.split("test") is dataset.test

    def test_refuses_another_split(self):
        message = refusal(from_arrays("mine", **arrays()).split, "validation")
        assert message == (
            'split="validation": a data set has the splits train and test'
        )

    @pytest.mark.parametrize(
        ("key", "value", "said"),
        [
            ("train_inputs", np.zeros((103, 5, 4)), "inputs[..., None]"),
            ("test_inputs", np.zeros(37), "have shape (37,); wanted [example height"),
            ("test_inputs", np.zeros(()), "have shape (); wanted [example height"),
            ("train_inputs", np.zeros((0, 5, 4, 3)), "are empty (shape (0, 5, 4, 3))"),
            ("test_inputs", np.zeros((37, 0)), "are empty (shape (37, 0))"),
            ("train_inputs", np.zeros((103, 2), str), "have dtype <U1; wanted uint8"),
            ("train_inputs", np.zeros((103, 2), complex), "have dtype complex128"),
            ("train_inputs", np.zeros((103, 2), object), "have dtype object"),
            ("train_labels", np.eye(103), "labels.argmax(axis=1)"),
            ("train_labels", np.zeros(103), "have dtype float64; wanted integers"),
            ("test_labels", np.zeros(37, bool), "have dtype bool; wanted integers"),
            ("test_labels", np.arange(37) - 1, "run from -1 to 35; wanted 0..K-1"),
            ("train_labels", np.full(103, 2**31), "run from 2147483648 to 2147483648"),
            ("train_labels", np.arange(103) % 3 * 2, "lack class 1 though they go up"),
            ("train_labels", np.arange(103) % 3 + 1, "lack class 0 though they go up"),
            ("train_labels", np.zeros(103, int), "hold one class only; wanted two"),
            ("test_labels", np.arange(37) % 4, "hold class 3, which train_labels (0"),
        ],
    )
    def test_refuses_wrong_arrays(self, key: str, value: np.ndarray, said: str):
        message = refusal(from_arrays, "mine", **{**arrays(), key: value})
        assert message.startswith(f'data="mine": {key} ')
        assert said in message

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
    def test_refuses_what_float32_cannot_hold(self, bad: float):
        inputs = np.zeros((37, 5, 4, 3))
        inputs[17, 0, 3, 1] = inputs[30] = bad
        assert refusal(from_arrays, "mine", **{**arrays(), "test_inputs": inputs}) == (
            f'data="mine": test_inputs hold 61 values that are not finite as float32, '
            f"the first ({bad}) at [17, 0, 3, 1]: replace, rescale or drop them"
        )

    def test_refuses_lengths_that_differ(self):
        message = refusal(
            from_arrays, "mine", **{**arrays(), "train_labels": np.zeros(7, int)}
        )
        assert message == (
            'data="mine": train_inputs count 103 examples, labels 7 and ids 7; wanted '
            "as many of each"
        )

    @pytest.mark.parametrize(
        "ids", [np.zeros(3, int), np.arange(3.0), np.arange(3)[:, None]]
    )
    def test_refuses_ids_that_are_not_unique_integers(self, ids: np.ndarray):
        message = refusal(Split, np.zeros((3, 2)), np.zeros(3, int), ids)
        assert "wanted one unique integer an example" in message

    def test_refuses_splits_that_differ(self):
        other_shape = {**arrays(), "test_inputs": np.zeros((37, 60), np.uint8)}
        assert refusal(from_arrays, "mine", **other_shape) == (
            'data="mine": one input is uint8 (5, 4, 3) in train_inputs but uint8 (60,) '
            "in test_inputs; wanted the same"
        )
        other_type = {**arrays(), "test_inputs": np.zeros((37, 5, 4, 3))}
        assert "but float32 (5, 4, 3) in test" in refusal(
            from_arrays, "mine", **other_type
        )

    def test_refuses_class_names_of_another_count(self):
        message = refusal(from_arrays, "mine", **arrays(), class_names=("a", "b"))
        assert message.startswith('data="mine": 2 class_names for the 3 classes of ')


class TestDigest:
    def test_is_the_sha256_that_is_documented(self):
        dataset = from_arrays("mine", **arrays())
        sha = hashlib.sha256()
        for split in (dataset.train, dataset.test):
            for array in (split.inputs, split.labels, split.ids):
                sha.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
        assert dataset.digest == sha.hexdigest()

    @pytest.mark.parametrize("what", ["inputs", "labels", "ids", "shape", "dtype"])
    def test_sees_each_part(self, what: str):
        dataset = from_arrays("mine", **arrays())
        test = dataset.test
        inputs, labels, ids = test.inputs.copy(), test.labels.copy(), test.ids.copy()
        train = dataset.train
        if what == "inputs":
            inputs[0] += 1
        if what == "labels":
            labels[0] += 1
        if what == "ids":
            ids[0] = 99
        if what == "shape":
            inputs = inputs.reshape(37, 60)
            train = Split(train.inputs.reshape(103, 60), train.labels)
        if what == "dtype":
            inputs = inputs.astype(np.float32)
            train = Split(train.inputs.astype(np.float32), train.labels)
        other = Dataset("mine", train, Split(inputs, labels, ids), dataset.class_names)
        assert other.digest != dataset.digest

    def test_does_not_see_names(self):
        one = from_arrays("one", **arrays())
        assert one.digest == from_arrays("two", **arrays()).digest


class TestStratified:
    @settings(deadline=None)
    @given(
        st.lists(st.integers(1, 40), min_size=1, max_size=6).flatmap(
            lambda sizes: st.tuples(
                st.just(sizes), st.integers(len(sizes), sum(sizes)), st.randoms()
            )
        )
    )
    def test_keeps_shares(self, drawn: tuple[list[int], int, Any]):
        sizes, size, random = drawn
        labels = np.repeat(np.arange(len(sizes)), sizes)
        random.shuffle(labels)
        positions = stratified(labels, size)
        assert positions.size == size
        assert (np.diff(positions) > 0).all()
        counts = np.bincount(labels[positions], minlength=len(sizes))
        assert (counts >= 1).all()
        quota = np.array(sizes) * size / labels.size
        assert (counts[quota < 1] == 1).all()
        if (quota >= 1).all():
            assert (np.abs(counts - quota) < 1).all()

    def test_rounds_by_largest_remainder(self):
        labels = np.repeat([0, 1, 2], [50, 33, 17])
        # quotas 5.5, 3.63, 1.87 of 11
        assert np.bincount(labels[stratified(labels, 11)]).tolist() == [5, 4, 2]

    def test_keeps_rare_classes(self):
        labels = np.repeat([0, 1, 2], [997, 2, 1])
        assert np.bincount(labels[stratified(labels, 3)]).tolist() == [1, 1, 1]
        assert np.bincount(labels[stratified(labels, 10)]).tolist() == [8, 1, 1]

    def test_smaller_choices_lie_within_larger_ones(self):
        labels = np.arange(1003) % 10
        choices = [set(stratified(labels, size)) for size in (10, 50, 300, 1003)]
        assert choices == sorted(choices, key=len)
        for smaller, larger in itertools.pairwise(choices):
            assert smaller < larger

    def test_is_fixed_for_good(self):
        assert stratified(np.arange(100) % 3, 7).tolist() == [3, 11, 13, 48, 69, 88, 92]

    @pytest.mark.parametrize("size", [-1, 0, 2, 13])
    def test_refuses_sizes_out_of_range(self, size: int):
        assert refusal(stratified, np.arange(12) % 3, size, option="few") == (
            f"few={size}: the labels hold 12 examples of 3 classes; give 3 to 12"
        )

    def test_take_examples_keeps_what_is_not_asked_for(self):
        dataset = from_arrays("mine", **arrays())
        fewer = take_examples(dataset, train_examples=11)
        assert fewer.train.ids.size == 11
        assert fewer.test is dataset.test
        assert fewer.digest != dataset.digest


class TestNames:
    def test_refuses_unknown_sources(self):
        assert refusal(load, "imagenet") == (
            'data="imagenet": no such source; allowed are digits, mnist, '
            "fashion_mnist, cifar10, cifar100, tfds:NAME, "
            "folder:PATH, npz:PATH, text:PATH, newsgroups20, gabor, gaussian, graded"
        )

    @pytest.mark.parametrize(
        ("typed", "meant"),
        [
            ("MNIST", "mnist"),
            ("fashion-mnist", "fashion_mnist"),
            ("digit", "digits"),
            ("npy:a/b", "npz:PATH"),
            ("a/b.npz", "npz:a/b.npz"),
            ("npy:a/b.npz", "npz:a/b.npz"),
        ],
    )
    def test_says_what_may_have_been_meant(self, typed: str, meant: str):
        assert refusal(load, typed).endswith(f"did you mean {meant}?")

    @pytest.mark.parametrize(
        ("typed", "wanted"),
        [("npz", "npz:PATH"), ("npz:", "npz:PATH"), ("digits:8", "digits")],
    )
    def test_refuses_a_missing_or_needless_argument(self, typed: str, wanted: str):
        assert refusal(load, typed) == f'data="{typed}": wanted {wanted}'
