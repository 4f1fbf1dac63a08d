import gzip
import hashlib
import importlib
import io
import json
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jaxorder.data.dataset import Dataset
from jaxorder.data.pixels import pixels
from jaxorder.data.prepared import (
    cifar10,
    cifar100,
    fashion_mnist,
    mnist,
    tfds,
)
from jaxorder.data.request import Request
from jaxorder.data.sources import parse_source
from jaxorder.data.tfds_order import official_positions
from tests.refused import refusal

# by name, since the package may export the function under the module's name
prepare = importlib.import_module("jaxorder.data.prepare")

READERS = {
    "mnist": mnist,
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
    "cifar100": cifar100,
}
IDX = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
FASHION_DIGEST = "366901fbc9acf5dee3be4369c3bf0418f8628c2ab6554a00934eb1a82ac59486"


def asked(source: str, folder: Path, resize: int | None = None) -> Request:
    return parse_source(source, folder, resize)[0]


def read(name: str, folder: Path) -> Dataset:
    return READERS[name](asked(name, folder))


def read_tfds(argument: str, folder: Path, resize: int | None = None) -> Dataset:
    return tfds(asked(f"tfds:{argument}", folder, resize))


def silent(line: str) -> None:
    pass


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# -- the real sets ---------------------------------------------------------------------

ALONE = """
import socket, sys
def connect(*args): raise AssertionError("the network was asked")
socket.socket.connect = socket.getaddrinfo = connect
from jaxorder.data.prepare import prepare
name, folder, source = sys.argv[1:]
print(prepare(name, folder, source))
assert not {"tensorflow", "jax"} & set(sys.modules)
"""


@pytest.fixture(scope="module")
def fashion(
    real_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """Prepare the real set; return its folder and all that was printed."""
    folder = tmp_path_factory.mktemp("tfds") / "sets"
    source = real_data / "fashion_mnist"
    return folder, prepare_alone("fashion_mnist", folder, source)


def prepare_alone(name: str, folder: Path, source: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ALONE, name, str(folder), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


@pytest.mark.slow
def test_prepares_fashion_mnist_as_tensorflow_would(
    fashion: tuple[Path, str], real_data: Path
):
    folder, printed = fashion
    made = folder / "fashion_mnist" / "3.0.1"
    theirs = real_data / "tfds" / "fashion_mnist" / "3.0.1"
    assert files_below(folder) == [
        "fashion_mnist",
        "fashion_mnist/3.0.1",
        *(f"fashion_mnist/3.0.1/{name}" for name in files_below(theirs)),
    ]
    ours, theirs = (
        json.loads((path / "dataset_info.json").read_text()) for path in (made, theirs)
    )
    for key in ("name", "version", "moduleName", "fileFormat", "supervisedKeys"):
        assert ours[key] == theirs[key]
    assert printed.splitlines() == [
        "preparing fashion_mnist: this takes less than a minute",
        f"fashion_mnist is prepared: {made}",
        str(made),
    ]
    dataset = read("fashion_mnist", folder)
    assert dataset.digest == FASHION_DIGEST
    assert dataset.class_names[9] == "Ankle boot"


@pytest.mark.slow  # as the test above, but reads both
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_equals_what_was_prepared_before(name: str, real_data: Path, tmp_path: Path):
    prepare_alone(name, tmp_path, real_data / name)
    ours, theirs = (read(name, path) for path in (tmp_path, real_data / "tfds"))
    assert ours.digest == theirs.digest
    assert theirs.digest == FASHION_DIGEST or name == "mnist"


def test_says_what_is_prepared_already(fashion: tuple[Path, str]):
    folder, said = fashion[0], []
    before = files_below(folder)
    path = prepare.prepare("fashion_mnist", str(folder), say=said.append)
    assert path == folder / "fashion_mnist" / "3.0.1"
    assert said == [f"fashion_mnist is prepared already: {path}"]
    assert files_below(folder) == before


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_positions_lead_to_the_official_files(
    name: str, real_data: Path, fashion: tuple[Path, str]
):
    dataset = read(name, real_data / "tfds" if name == "mnist" else fashion[0])
    for split, file in (("train", "train"), ("test", "t10k")):
        ours = dataset.split(split)
        positions = official_positions(name, split, ours.labels.size)
        images, labels = (
            np.frombuffer(
                gzip.decompress((real_data / name / f"{file}-{part}.gz").read_bytes()),
                np.uint8,
                offset=offset,
            )
            for part, offset in (("images-idx3-ubyte", 16), ("labels-idx1-ubyte", 8))
        )
        assert np.array_equal(labels[positions], ours.labels)
        theirs = images.reshape(ours.inputs.shape)[positions]
        assert np.array_equal(theirs, ours.inputs)


class TestOfficialPositions:
    def test_is_the_order_of_the_hasher_of_tfds(self):
        from tensorflow_datasets.core.hashing import Hasher

        for split in ("train", "test"):
            hashes = list(map(Hasher(split).hash_key, range(1009)))
            assert official_positions("cifar10", split, 1009).tolist() == sorted(
                range(1009), key=hashes.__getitem__
            )

    def test_refuses_sets_and_splits_whose_keys_are_not_known(self):
        assert refusal(official_positions, "emnist", "test", 5) == (
            "emnist: its official order is not known; it is for mnist, fashion_mnist, "
            "cifar10, cifar100"
        )
        assert refusal(official_positions, "mnist", "validation", 5) == (
            "mnist has the splits train and test, not validation"
        )


# -- the CIFARs, of random pixels in the official layout -------------------------------

LAYOUT = {
    "cifar10": (
        "cifar-10-binary.tar.gz",
        "cifar-10-batches-bin",
        [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"],
    ),
    "cifar100": (
        "cifar-100-binary.tar.gz",
        "cifar-100-binary",
        ["train.bin", "test.bin"],
    ),
}


class Cifar:
    """An archive in the official layout, each file with 7 images more than classes."""

    def __init__(self, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch):
        self.name, self.folder = name, folder
        archive, self.inside, self.files = LAYOUT[name]
        self.path = folder / archive
        self.coarse = name == "cifar100"
        self.classes = 100 if self.coarse else 10
        self.names = [f"thing {i}" for i in range(self.classes)]
        self.rows = {file: self.random_rows(file) for file in self.files}
        self.write()
        self.register(monkeypatch)

    def random_rows(self, file: str) -> np.ndarray:
        rng = np.random.default_rng(len(file) + ord(file[-5]))
        count = self.classes + 7
        rows = rng.integers(0, 256, (count, 3072 + 1 + self.coarse), dtype=np.uint8)
        rows[:, int(self.coarse)] = np.arange(count) % self.classes
        if self.coarse:
            rows[:, 0] = rows[:, 1] // 5
        return rows

    def write(self) -> None:
        names = "\n".join([*self.names, "", ""])
        contents = {file: rows.tobytes() for file, rows in self.rows.items()}
        if self.coarse:
            contents["fine_label_names.txt"] = names.encode()
            kinds = "\n".join(f"kind {i}" for i in range(20))
            contents["coarse_label_names.txt"] = kinds.encode()
        else:
            contents["batches.meta.txt"] = names.encode()
        with tarfile.open(self.path, "w:gz") as archive:
            for file, content in contents.items():
                member = tarfile.TarInfo(f"{self.inside}/{file}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))

    def register(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the archive pass for the official one."""
        digest = hashlib.sha256(self.path.read_bytes()).hexdigest()
        official = prepare._Official(
            self.path.name, self.path.as_uri(), self.path.stat().st_size, digest, None
        )
        monkeypatch.setattr(prepare, "_wanted", lambda name: [official])

    def official(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Return images and fine labels in the order of the official files."""
        test = [file for file in self.files if "test" in file]
        files = test if split == "test" else self.files[:-1]
        rows = np.concatenate([self.rows[file] for file in files])
        planes = rows[:, -3072:].reshape(-1, 3, 32, 32)
        return planes.transpose(0, 2, 3, 1), rows[:, -3073]


@pytest.fixture
def cifar_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Cifar]:
    (tmp_path / "official").mkdir()
    return lambda name: Cifar(name, tmp_path / "official", monkeypatch)


# tfds.testing.mock_data cannot stand in for these: it hands out decoded noise, and to
# encode it, as files hold images, it needs TensorFlow
@pytest.mark.parametrize("name", LAYOUT)
def test_prepares_and_reads_the_cifars(
    name: str, cifar_of: Callable[[str], Cifar], tmp_path: Path
):
    cifar = cifar_of(name)
    made = prepare.prepare(name, tmp_path / "tfds", cifar.folder, say=silent)
    assert made == tmp_path / "tfds" / name / "3.0.2"
    dataset = read(name, tmp_path / "tfds")
    assert dataset.class_names == tuple(cifar.names)
    assert dataset.input_shape == (32, 32, 3)
    for split in ("train", "test"):
        images, labels = cifar.official(split)
        ours = dataset.split(split)
        positions = official_positions(name, split, len(images))
        assert np.array_equal(ours.inputs, images[positions])
        assert np.array_equal(ours.labels, labels[positions])
    again = read_tfds(f"{name}:3.0.2", tmp_path / "tfds")
    assert again.digest == dataset.digest
    assert again.name == f"tfds:{name}:3.0.2"


# -- what can be wrong with official files ---------------------------------------------


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder of four small files that pass for the official ones of MNIST."""
    folder = tmp_path / "official"
    folder.mkdir()
    officials = []
    for number, name in enumerate(IDX):
        content = np.random.default_rng(number).bytes(5003)
        path = folder / f"{name}.gz"
        path.write_bytes(gzip.compress(content))
        digest = hashlib.sha256(content).hexdigest()
        officials.append(
            prepare._Official(path.name, path.as_uri(), 5026, "unused", digest)
        )
    monkeypatch.setattr(prepare, "_wanted", lambda name: officials)
    monkeypatch.setattr(prepare, "_build", build)
    return folder


def build(name: str, files: dict[str, Path], scratch: Path) -> Path:
    """Stand in for TFDS: keep what files were handed out."""
    made = scratch / name / "3.0.1"
    made.mkdir(parents=True)
    (made / "dataset_info.json").write_text('{"fileFormat": "array_record"}')
    for file, path in files.items():
        (made / file).write_bytes(path.read_bytes())
    return made


def handed_out(folder: Path) -> list[bytes]:
    return [(folder / "mnist" / "3.0.1" / f"{name}.gz").read_bytes() for name in IDX]


def contents() -> list[bytes]:
    return [np.random.default_rng(number).bytes(5003) for number in range(4)]


class TestOfficialFiles:
    def test_takes_them_packed_anew_or_unpacked(self, tiny: Path, tmp_path: Path):
        first, second = (tiny / f"{name}.gz" for name in IDX[:2])
        first.write_bytes(gzip.compress(gzip.decompress(first.read_bytes()), 1))
        (tiny / IDX[1]).write_bytes(gzip.decompress(second.read_bytes()))
        second.unlink()
        prepare.prepare("mnist", tmp_path / "tfds", tiny, silent)
        assert handed_out(tmp_path / "tfds") == contents()

    def test_refuses_missing_ones(self, tiny: Path, tmp_path: Path):
        for name in IDX[1:3]:
            (tiny / f"{name}.gz").unlink()
        message = refusal(prepare.prepare, "mnist", tmp_path / "tfds", tiny, silent)
        assert message == (
            f'data prepare mnist: source="{tiny}" holds no {IDX[1]}.gz, {IDX[2]}.gz '
            f"(as published or without .gz), from {tiny.as_uri()}"
        )
        absent = tmp_path / "absent"
        message = refusal(prepare.prepare, "mnist", tmp_path / "tfds", absent, silent)
        assert f'source="{absent}" is no folder; wanted one with ' in message
        assert not (tmp_path / "tfds").exists()

    @pytest.mark.parametrize("damage", ["cut", "flipped"])
    def test_refuses_damaged_ones(self, tiny: Path, tmp_path: Path, damage: str):
        path = tiny / f"{IDX[2]}.gz"
        whole = path.read_bytes()
        flipped = whole[:2000] + bytes([whole[2000] ^ 1]) + whole[2001:]
        path.write_bytes(whole[:2000] if damage == "cut" else flipped)
        message = refusal(prepare.prepare, "mnist", tmp_path / "tfds", tiny, silent)
        assert message.startswith(f"data prepare mnist: cannot unpack {path.name} (")
        assert message.endswith(f"if it is damaged, get it again from {path.as_uri()}")
        assert not (tmp_path / "tfds").exists()

    def test_refuses_other_content(self, tiny: Path, tmp_path: Path):
        other = tiny / f"{IDX[3]}.gz"
        other.write_bytes(gzip.compress(b"labels of another set"))
        message = refusal(prepare.prepare, "mnist", tmp_path / "tfds", tiny, silent)
        assert message.startswith(
            f"data prepare mnist: {other.name} is not the official file: its content "
            "has 21 bytes and the sha256 "
        )
        assert not (tmp_path / "tfds").exists()

    def test_refuses_those_of_the_other_mnist(self, real_data: Path, tmp_path: Path):
        source = real_data / "mnist"
        message = refusal(prepare.prepare, "fashion_mnist", tmp_path, source, silent)
        assert "t10k-images-idx3-ubyte.gz is not the official file" in message

    @pytest.mark.parametrize("damage", ["cut", "flipped", "packed anew"])
    def test_refuses_archives_but_as_published(
        self, cifar_of: Callable[[str], Cifar], tmp_path: Path, damage: str
    ):
        cifar = cifar_of("cifar10")
        whole, path = cifar.path.read_bytes(), cifar.path
        flipped = whole[:2000] + bytes([whole[2000] ^ 1]) + whole[2001:]
        anew = gzip.compress(gzip.decompress(whole), 1)
        path.write_bytes({"cut": whole[:-9], "flipped": flipped}.get(damage, anew))
        size = path.stat().st_size
        message = refusal(
            prepare.prepare, "cifar10", tmp_path / "tfds", cifar.folder, silent
        )
        assert message.startswith(
            f"data prepare cifar10: {path.name} is not the official archive: it has "
            f"{size} bytes and the sha256 "
        )
        assert "only the archive as published can be checked: get it from" in message
        assert not (tmp_path / "tfds").exists()

    def test_refuses_unpacked_archives(
        self, cifar_of: Callable[[str], Cifar], tmp_path: Path
    ):
        cifar = cifar_of("cifar100")
        with tarfile.open(cifar.path) as archive:
            archive.extraction_filter = lambda member, path: member
            archive.extractall(cifar.folder)
        cifar.path.unlink()
        message = refusal(
            prepare.prepare, "cifar100", tmp_path / "tfds", cifar.folder, silent
        )
        assert "holds no cifar-100-binary.tar.gz (as published: only the " in message

    def test_are_those_that_tfds_names(self):
        for name in prepare.OFFICIAL:
            officials = prepare._wanted(name)
            assert {official.name for official in officials} == (
                set(prepare._CONTENT[name])
                if name in prepare._CONTENT
                else {LAYOUT[name][0]}
            )
            for official in officials:
                assert official.url.endswith(f"/{official.name}")
                assert len(official.archive) == 64
                assert official.size > 4000


class TestDownload:
    def test_fetches_and_says_so(
        self, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(prepare, "_NEWS", 0.0)
        monkeypatch.setattr(prepare, "_CHUNK", 4000)
        said: list[str] = []
        path = prepare.prepare("mnist", tmp_path / "tfds", say=said.append)
        assert handed_out(tmp_path / "tfds") == contents()
        one = (tiny / f"{IDX[0]}.gz").as_uri()
        assert said[:2] == [f"fetching {one} (0.0 MB)", "  0 of 0 MB"]
        assert said[-1] == f"mnist is prepared: {path}"
        assert files_below(tmp_path / "tfds")[:2] == ["mnist", "mnist/3.0.1"]

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (None, "timed out"),
            (b"nonsense\r\n", "nonsense"),
            ("", "Connection refused"),
        ],
    )
    def test_gives_up_soon(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        answer: bytes | str | None,
        reason: str,
    ):
        monkeypatch.setenv("no_proxy", "*")
        monkeypatch.setattr(prepare, "_PATIENCE", 0.3)
        said: list[str] = []
        with socket.create_server(("127.0.0.1", 0)) as server:
            url = f"http://127.0.0.1:{server.getsockname()[1]}/a.gz"
            official = prepare._Official("a.gz", url, 10**6, "", "")
            monkeypatch.setattr(prepare, "_wanted", lambda name: [official])
            if answer == "":
                server.close()
            elif answer:
                threading.Thread(target=reply, args=(server, answer)).start()
            message = refusal(
                prepare.prepare, "mnist", tmp_path / "tfds", None, said.append
            )
        assert said == [f"fetching {url} (1.0 MB)"]
        assert message == (
            f"data prepare mnist: cannot fetch {url} ({reason}); without a network, "
            "give the folder of its official files as source"
        )
        assert not (tmp_path / "tfds").exists()


def reply(server: socket.socket, answer: bytes) -> None:
    with server.accept()[0] as connection:
        connection.recv(10_000)
        connection.sendall(answer)


# -- what can be wrong with the folder -------------------------------------------------


class TestFolder:
    def test_refuses_other_names(self, tmp_path: Path):
        folder = tmp_path / "my sets"
        assert refusal(prepare.prepare, "imagenette", folder) == (
            "data prepare imagenette: needs TensorFlow: pip install "
            "'jaxorder[tensorflow]', then tfds build imagenette "
            f"--file_format=array_record --data_dir='{folder}'; without it mnist, "
            "fashion_mnist, cifar10, cifar100 can be prepared"
        )

    def test_refuses_one_that_cannot_be_written(self, tiny: Path, tmp_path: Path):
        (tmp_path / "file").touch()
        folder = tmp_path / "file" / "tfds"
        assert refusal(prepare.prepare, "mnist", folder, tiny, silent) == (
            f"data prepare mnist: cannot write to {folder} (Not a directory); give "
            "another data_dir"
        )

    def test_refuses_one_that_fills_up(
        self, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        def full(*args: object):
            raise RuntimeError("write() failed:\nNo space left on device")

        monkeypatch.setattr(prepare, "_build", full)
        folder = tmp_path / "tfds"
        assert refusal(prepare.prepare, "mnist", folder, tiny, silent) == (
            f"data prepare mnist: cannot write to {folder} (write() failed: No space "
            "left on device); give another data_dir"
        )
        assert not folder.exists()

    def test_keeps_what_is_there_in_another_format(self, tiny: Path, tmp_path: Path):
        made = prepare.prepare("mnist", tmp_path / "tfds", tiny, silent)
        (made / "dataset_info.json").write_text("{}")
        message = refusal(prepare.prepare, "mnist", tmp_path / "tfds", tiny, silent)
        assert message.endswith(
            "is there in the file format tfrecord, wanted array_record; give another "
            "data_dir"
        )
        (made / "dataset_info.json").write_text("{")
        assert refusal(prepare.prepare, "mnist", tmp_path / "tfds", tiny, silent) == (
            f"data prepare mnist: {made} is there but damaged; remove it and try again"
        )

    @pytest.mark.parametrize("existed", [True, False])
    @pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
    def test_leaves_nothing_half_written(
        self,
        cifar_of: Callable[[str], Cifar],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        error: type[BaseException],
        existed: bool,
    ):
        folder = tmp_path / "above" / "tfds"
        if existed:
            folder.mkdir(parents=True)
        fromarray, left = Image.fromarray, iter(range(60))

        def interrupted(array: np.ndarray) -> Image.Image:
            if next(left, None) is None:
                raise error
            return fromarray(array)

        monkeypatch.setattr(Image, "fromarray", interrupted)
        source = cifar_of("cifar10").folder
        with pytest.raises(error):
            prepare.prepare("cifar10", folder, source, silent)
        assert (tmp_path / "above").exists() == existed
        assert not existed or files_below(folder) == []


# -- other sets of images --------------------------------------------------------------


def prepared_set(
    folder: Path,
    splits: dict[str, list[dict[str, Any]]],
    features: dict[str, Any] | None = None,
    supervised_keys: tuple[str, str] | None = None,
) -> Path:
    """Prepare examples as TFDS would; return the folder of sets."""
    import tensorflow_datasets as tfds

    kinds = features or {"image": tfds.features.Image(), "label": classes()}

    class Things(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")
        pkg_dir_path = None

        def _info(self):
            return tfds.core.DatasetInfo(
                builder=self,
                features=tfds.features.FeaturesDict(kinds),
                supervised_keys=supervised_keys,
            )

        def _split_generators(self, dl_manager: Any):
            return {k: self._generate_examples(v) for k, v in splits.items()}

        def _generate_examples(self, examples: list[dict[str, Any]]):
            yield from enumerate(examples)

    Things(data_dir=folder, file_format="array_record").download_and_prepare(
        download_config=tfds.download.DownloadConfig(try_download_gcs=False)
    )
    return folder


def classes() -> Any:
    import tensorflow_datasets as tfds

    return tfds.features.ClassLabel(names=["ant", "bee"])


def colour(value: int = 0, size: tuple[int, int] = (5, 4)) -> Image.Image:
    return Image.new("RGB", size, (value, 2 * value, 7))


def examples(count: int, **changed: Any) -> list[dict[str, Any]]:
    return [{"image": colour(i), "label": i % 2, **changed} for i in range(count)]


class TestTfds:
    def test_reads_any_images_with_a_class(self, tmp_path: Path):
        prepared_set(tmp_path, {"train": examples(11), "test": examples(3)})
        dataset = read_tfds("things", tmp_path)
        assert dataset.name == "tfds:things"
        assert dataset.class_names == ("ant", "bee")
        assert dataset.facts == {"test_split": "test"}
        assert dataset.train.inputs.shape == (11, 4, 5, 3)
        assert dataset.test.inputs.shape == (3, 4, 5, 3)
        first = dataset.train.inputs[:, 0, 0]
        assert sorted(first.tolist()) == [[i, 2 * i, 7] for i in range(11)]
        assert np.array_equal(first[:, 0] % 2, dataset.train.labels)
        assert np.array_equal(dataset.train.ids, np.arange(11))

    def test_takes_validation_where_there_is_no_test(self, tmp_path: Path):
        splits = {"train": examples(5), "validation": examples(3)}
        dataset = read_tfds("things", prepared_set(tmp_path, splits))
        assert dataset.test.labels.size == 3
        assert dataset.facts == {"test_split": "validation"}
        again = read_tfds("things", tmp_path)  # from the cache
        assert again.facts == {"test_split": "validation"}

    def test_takes_configurations_and_versions(self, tmp_path: Path):
        splits = {"train": examples(5), "test": examples(3)}
        things = prepared_set(tmp_path, splits) / "things"
        (things / "small-1.5").mkdir()
        (things / "1.0.0").rename(things / "small-1.5" / "1.0.0")
        dataset = read_tfds("things/small-1.5:1.0.0", tmp_path)
        assert dataset.train.labels.size == 5
        assert read_tfds("things/small-1.5", tmp_path).digest == dataset.digest
        message = refusal(read_tfds, "things", tmp_path)
        assert message.startswith(
            f'data="tfds:things": not prepared in {tmp_path} (no '
            "things/*/dataset_info.json there, but things/small-1.5/1.0.0); point "
        )
        message = refusal(read_tfds, "things/small-1.5:2.0.0", tmp_path)
        assert "(no things/small-1.5/2.0.0/dataset_info.json there, but " in message

    def test_takes_the_supervised_keys_of_several(self, tmp_path: Path):
        import tensorflow_datasets as tfds

        image = tfds.features.Image()
        features = {"image": image, "mask": image, "label": classes()}
        splits = {
            "train": examples(3, mask=colour(9)),
            "test": examples(3, mask=colour(9)),
        }
        prepared_set(tmp_path / "told", splits, features, ("mask", "label"))
        dataset = read_tfds("things", tmp_path / "told")
        assert (dataset.train.inputs[..., 0] == 9).all()
        prepared_set(tmp_path / "untold", splits, features)
        assert refusal(read_tfds, "things", tmp_path / "untold") == (
            'data="tfds:things": wanted one image and one class for each example; this '
            "set has the images ['image', 'mask'], the classes ['label'] and no word "
            "which to take"
        )

    def test_refuses_sets_without_classes(self, tmp_path: Path):
        import tensorflow_datasets as tfds

        features = {
            "image": tfds.features.Image(),
            "label": tfds.features.Scalar(np.int64),
        }
        splits = {"train": examples(3), "test": examples(3)}
        prepared_set(tmp_path, splits, features, ("image", "label"))
        message = refusal(read_tfds, "things", tmp_path)
        assert "has the images ['image'], the classes [] and" in message

    def test_refuses_sets_without_a_split_to_test(self, tmp_path: Path):
        prepared_set(tmp_path, {"train": examples(3), "extra": examples(3)})
        assert refusal(read_tfds, "things", tmp_path) == (
            'data="tfds:things": has the splits extra, train; wanted train and test, '
            "or train and validation"
        )

    def test_refuses_unlabelled_examples(self, tmp_path: Path):
        splits = {"train": examples(3), "test": examples(3, label=-1)}
        prepared_set(tmp_path, splits)
        assert refusal(read_tfds, "things", tmp_path) == (
            'data="tfds:things": the test split is not labelled (example 0 has the '
            "label -1); wanted a class for each example"
        )

    def test_refuses_several_sizes_unless_they_are_resized(self, tmp_path: Path):
        large = {"image": colour(9, size=(8, 6)), "label": 0}
        splits = {"train": [*examples(5), large], "test": examples(3)}
        prepared_set(tmp_path, splits)
        message = refusal(read_tfds, "things", tmp_path)
        start, _, end = message.partition(" is ")
        assert (
            start == 'data="tfds:things": images of several sizes: of train, example 0'
        )
        assert "6x8" in end
        assert "4x5" in end
        assert end.endswith("; bring them to one with resize")
        for size in (3, 2):  # each of them decoded, not the other's from the cache
            dataset = read_tfds("things", tmp_path, resize=size)
            assert dataset.train.inputs.shape == (6, size, size, 3)
        assert sorted(dataset.train.inputs[:, 0, 0, 0].tolist()) == [0, 1, 2, 3, 4, 9]

    def test_spreads_grey_files_over_the_channels_of_a_colour_set(self, tmp_path: Path):
        grey = {"image": Image.new("L", (5, 4), 99), "label": 1}
        splits = {"train": [*examples(4), grey], "test": [grey]}
        dataset = read_tfds("things", prepared_set(tmp_path, splits))
        assert (dataset.test.inputs == 99).all()
        assert dataset.test.inputs.shape == (1, 4, 5, 3)

    def test_refuses_more_than_8_bits(self, tmp_path: Path):
        import tensorflow_datasets as tfds

        image = tfds.features.Image(shape=(4, 5, 1), dtype=np.uint16)
        deep = examples(3, image=Image.new("I;16", (5, 4), 999))
        features = {"image": image, "label": classes()}
        prepared_set(tmp_path, {"train": deep, "test": deep}, features)
        assert refusal(read_tfds, "things", tmp_path) == (
            'data="tfds:things": its images hold uint16 values; wanted 8 bits a channel'
        )

    @pytest.mark.parametrize(
        "argument", ["../x", "a/b/c", "a:1", "a/", "a b", ":1.0.0"]
    )
    def test_refuses_other_arguments(self, tmp_path: Path, argument: str):
        assert refusal(read_tfds, argument, tmp_path) == (
            f'data="tfds:{argument}": wanted tfds:NAME[/CONFIG][:VERSION], for '
            "instance tfds:cifar10:3.0.2"
        )

    def test_says_how_sets_are_prepared(self, tmp_path: Path):
        with_tensorflow = refusal(read_tfds, "imagenette/160px", tmp_path)
        assert with_tensorflow.endswith(
            "or make one with TensorFlow (pip install 'jaxorder[tensorflow]'): tfds "
            f"build imagenette/160px --file_format=array_record --data_dir={tmp_path}"
        )
        for name, reader in READERS.items():
            message = refusal(reader, asked(name, tmp_path))
            assert message == (
                f'data="{name}": not prepared in {tmp_path} (no '
                f"{name}/*/dataset_info.json there); point data_dir at a prepared "
                f"copy, or make one: jaxorder data prepare {name} --data-dir "
                f"{tmp_path}, offline with --from DIR for the folder of its official "
                "files"
            )


class TestPixels:
    @pytest.mark.parametrize(
        ("mode", "value", "expected"),
        [
            ("L", 200, [200]),
            ("1", 1, [255]),
            ("RGB", (1, 2, 3), [1, 2, 3]),
            ("RGBA", (1, 2, 3, 0), [1, 2, 3]),
            ("LA", (9, 0), [9, 9, 9]),
            ("CMYK", (0, 255, 255, 0), [255, 0, 0]),
            ("YCbCr", (128, 128, 128), [128, 128, 128]),
        ],
    )
    def test_become_grey_or_rgb(self, mode: str, value: Any, expected: list[int]):
        array = pixels(Image.new(mode, (4, 2), value))
        assert array.dtype == np.uint8
        assert array.shape == (2, 4, len(expected))
        assert (array == expected).all()

    def test_of_palettes_are_their_colours(self):
        image = Image.new("P", (4, 2), 1)
        image.putpalette([0, 0, 0, 10, 20, 30])
        image.info["transparency"] = b"\x00\xff"  # PIL warns of it
        assert (pixels(image) == [10, 20, 30]).all()

    def test_are_resized_by_averaging(self):
        stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
        for image in (Image.fromarray(stripes), Image.fromarray(stripes).convert("1")):
            array = pixels(image, resize=4)
            assert array.shape == (4, 4, 1)
            assert np.abs(array[1:-1, 1:-1].astype(int) - 127).max() <= 2

    @pytest.mark.parametrize("mode", ["I;16", "I;16B", "I", "F"])
    def test_refuse_more_than_8_bits(self, mode: str):
        with pytest.raises(ValueError, match="has more than 8 bits a channel"):
            pixels(Image.new(mode, (4, 2)))
