import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxorder.data import folder as module
from jaxorder.data.archive import Tree, open_tree
from jaxorder.data.cache import SPLITS
from jaxorder.data.dataset import Dataset
from jaxorder.data.folder import folder
from jaxorder.data.request import Request
from jaxorder.data.sources import parse_source
from jaxorder.errors import RequestError

ARCHIVES = ("a.tar", "a.tar.gz", "a.tgz", "a.zip")
MEAN = (125.3, 123.0, 113.9)  # of CIFAR-10's training images, as often printed
RED, BLUE = (255, 0, 0), (0, 0, 255)


def asked(path: Path, resize: int | None = None) -> Request:
    return parse_source(f"folder:{path}", resize=resize)[0]


def refusal(path: Path, resize: int | None = None) -> str:
    with pytest.raises(RequestError) as caught:
        folder(asked(path, resize))
    message, start = str(caught.value), f'data="folder:{path}": '
    assert "\n" not in message
    assert message.startswith(start)
    return message.removeprefix(start)


def png(value: int | tuple[int, int, int], width: int = 3, height: int = 2) -> bytes:
    """Return an image of one value; a number makes it grey."""
    file = io.BytesIO()
    mode = "L" if isinstance(value, int) else "RGB"
    Image.new(mode, (width, height), value).save(file, "PNG")
    return file.getvalue()


def images() -> dict[str, bytes]:
    """Return a tree of 3 + 2 grey images of two classes, by path."""
    return {
        "train/dog/a.png": png(10),
        "train/cat/b.png": png(20),
        "train/cat/a.png": png(30),
        "test/cat/a.png": png(40),
        "test/dog/a.png": png(50),
    }


def write_folder(path: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def write_archive(path: Path, files: Iterable[tuple[str, bytes]]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files:
                archive.writestr(name, content)
        return path
    with open_tar(path) as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def open_tar(path: Path) -> tarfile.TarFile:
    return tarfile.open(path, "w:" if path.suffix == ".tar" else "w:gz")


def values(dataset: Dataset) -> list[list[int]]:
    """Return the first value of each image, by split."""
    splits = (dataset.train, dataset.test)
    return [split.inputs[:, 0, 0, 0].tolist() for split in splits]


class TestReads:
    def test_examples_by_class_and_file_name(self, tmp_path: Path):
        dataset = folder(asked(write_folder(tmp_path / "mine", images())))
        assert dataset.name == f"folder:{tmp_path / 'mine'}"
        assert dataset.class_names == ("cat", "dog")
        assert dataset.scaling == "each"
        assert dataset.train.inputs.dtype == np.uint8
        assert dataset.train.inputs.shape == (3, 2, 3, 1)
        assert values(dataset) == [[30, 20, 10], [40, 50]]
        assert dataset.train.labels.tolist() == [0, 0, 1]
        assert dataset.test.labels.tolist() == [0, 1]
        assert dataset.train.ids.tolist() == [0, 1, 2]
        assert dataset.test.ids.tolist() == [0, 1]

    def test_names_sort_by_code_points(self, tmp_path: Path):
        names = ("é", "b", "B", "a10", "a2")
        files = {f"{s}/{n}/1.png": png(5) for s in ("train", "test") for n in names}
        files |= {"train/b/Z.png": png(1), "train/b/a.png": png(2)}
        dataset = folder(asked(write_folder(tmp_path / "mine", files)))
        assert dataset.class_names == ("B", "a10", "a2", "b", "é")
        assert values(dataset)[0] == [5, 5, 5, 5, 1, 2, 5]

    @pytest.mark.parametrize("name", ARCHIVES)
    @pytest.mark.parametrize("top", ["", "./", "mine/", "./my own/"])
    def test_an_archive_as_its_folder(self, tmp_path: Path, name: str, top: str):
        whole = folder(asked(write_folder(tmp_path / "mine", images())))
        files = [(top + path, content) for path, content in images().items()]
        files += [(f"{top}README.md", b"with a top folder, beside train and test")]
        packed = folder(asked(write_archive(tmp_path / name, files)))
        assert packed.digest == whole.digest
        assert packed.class_names == whole.class_names

    def test_a_folder_one_level_down_and_linked_classes(self, tmp_path: Path):
        write_folder(tmp_path / "kept", images())
        inner = tmp_path / "mine" / "inner"
        (inner / "train").mkdir(parents=True)
        (inner / "test").symlink_to(tmp_path / "kept" / "test")
        for name in ("cat", "dog"):
            (inner / "train" / name).symlink_to(tmp_path / "kept" / "train" / name)
        assert values(folder(asked(tmp_path / "mine"))) == [[30, 20, 10], [40, 50]]

    def test_the_last_of_a_name_in_an_archive(self, tmp_path: Path):
        files = [*images().items(), ("train/cat/a.png", png(77))]
        path = write_archive(tmp_path / "a.tgz", files)
        assert values(folder(asked(path))) == [[77, 20, 10], [40, 50]]

    @pytest.mark.parametrize("name", ["1.png", "2.png", "3.png"])
    def test_one_colour_image_makes_all_rgb(self, tmp_path: Path, name: str):
        files = {f"train/cat/{n}.png": png(n) for n in (1, 2, 3)} | images()
        files[f"train/cat/{name}"] = png(RED)
        inputs = folder(asked(write_folder(tmp_path / "mine", files))).train.inputs
        assert inputs.shape[1:] == (2, 3, 3)
        here = int(name[0]) - 1
        assert (inputs[here] == RED).all()
        others = [0, 1, 2]
        others.remove(here)
        assert (inputs[others] == np.array(others)[:, None, None, None] + 1).all()

    def test_colour_of_the_test_split_counts_too(self, tmp_path: Path):
        files = {**images(), "test/dog/b.JPEG": png(BLUE)}
        dataset = folder(asked(write_folder(tmp_path / "mine", files)))
        assert dataset.train.inputs.shape == (3, 2, 3, 3)
        assert (dataset.test.inputs[2] == BLUE).all()

    def test_resizes(self, tmp_path: Path):
        path = write_folder(
            tmp_path / "m", {**images(), "test/cat/b.png": png(9, 8, 8)}
        )
        dataset = folder(asked(path, resize=5))
        assert dataset.input_shape == (5, 5, 1)
        assert values(dataset) == [[30, 20, 10], [40, 9, 50]]
        assert folder(asked(path, resize=4)).input_shape == (4, 4, 1)

    def test_leaves_out_what_is_hidden_or_no_image(self, tmp_path: Path):
        others = {
            "README.md": b"",
            "val/cat/a.png": b"of a split that is not asked for",
            "__MACOSX/train/cat/._a.png": b"",
            "train/classes.txt": b"",
            "train/.DS_Store": b"",
            "train/cat/._a.png": b"",
            "train/cat/Thumbs.db": b"",
            "train/cat/about.txt": b"",
            "train/.cache/a.png": b"",
        }
        path = write_folder(tmp_path / "mine", {**images(), **others})
        assert values(folder(asked(path))) == [[30, 20, 10], [40, 50]]

    def test_decodes_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        path = write_archive(tmp_path / "once.zip", images().items())
        first = folder(asked(path))
        monkeypatch.setattr(module, "_decode", None)  # a call would raise
        assert folder(asked(path)).digest == first.digest


class TestRefuses:
    def test_what_is_not_there(self, tmp_path: Path):
        assert refusal(tmp_path / "no") == (
            "is not there; wanted a folder or an archive of one (.tar, .tar.gz, .tgz, "
            ".zip)"
        )

    def test_a_file_that_is_no_archive(self, tmp_path: Path):
        (tmp_path / "a.rar").touch()
        assert refusal(tmp_path / "a.rar").startswith("is another file; wanted a fold")

    @pytest.mark.parametrize(
        ("files", "said"),
        [
            (
                {"Train/cat/a.png": png(1), "val/cat/a.png": png(1)},
                "no folder train (its folders: Train, val); wanted train/CLASS/IMAGE "
                "and test/CLASS/IMAGE",
            ),
            ({"a.png": png(1)}, "no folder train (its folders: none); wanted train/"),
            (
                {"train/cat/a.png": png(1), "train/dog/a.png": png(1)},
                "no folder test (its folders: train); wanted train/CLASS/IMAGE and ",
            ),
            (
                {"train/cat/a.png": png(1), "test/cat/a.png": png(1)},
                "train holds one class only, cat; wanted a folder for each of two ",
            ),
            (
                {"train/about.txt": b"", "test/about.txt": b""},
                "train holds no class; wanted a folder for each of two classes or more",
            ),
            (
                {**images(), "train/eel/a.png": png(1)},
                "train has the class eel, test has not; add test/eel, or remove "
                "train/eel",
            ),
            (
                {**images(), "test/eel/a.png": png(1)},
                "test has the class eel, train has not; add train/eel, or remove "
                "test/eel",
            ),
            (
                {**images(), "test/eel/about.txt": b""},
                "test/eel holds no image (.png, .jpg, .jpeg); add some, or remove the "
                "folder",
            ),
            (
                {**images(), "train/a.png": png(1)},
                "train/a.png does not lie in a class folder; wanted train/CLASS/IMAGE ",
            ),
            (
                {**images(), "train/cat/old/a.png": png(1)},
                "train/cat/old/a.png does not lie in a class folder; wanted train/CLA",
            ),
            (
                {**images(), "train/cat/c.WebP": b""},
                "train/cat/c.WebP is of another format than .png, .jpg, .jpeg; convert "
                "it, or remove it",
            ),
            (
                {**images(), "test/dog/b.png": png(1, 4, 7)},
                "test/cat/a.png is 3x2 but test/dog/b.png is 4x7; give resize to bring "
                "all to one",
            ),
            (
                {**images(), "test/dog/b.png": b"<html>not found</html>"},
                "test/dog/b.png cannot be read as an image (it is none); replace it, "
                "or remove it",
            ),
            (
                {**images(), "test/dog/b.png": png(1, 99, 99)[:-30]},
                "test/dog/b.png cannot be read as an image (",
            ),
        ],
    )
    def test_wrong_layouts_and_files(
        self, tmp_path: Path, files: dict[str, bytes], said: str
    ):
        ordered = dict(sorted(files.items(), key=lambda item: "test" in item[0]))
        assert refusal(write_folder(tmp_path / "mine", ordered)).startswith(said)
        assert refusal(write_archive(tmp_path / "a.tgz", ordered.items()))

    @pytest.mark.parametrize("name", ["", *ARCHIVES])
    def test_empty_class_folders(self, tmp_path: Path, name: str):
        path = write_folder(tmp_path / "mine", images())
        (path / "train" / "eel").mkdir()
        if name.endswith(".zip"):
            path = write_archive(
                tmp_path / name, [*images().items(), ("train/eel/", b"")]
            )
        elif name:
            with open_tar(tmp_path / name) as archive:
                archive.add(path, "top")
            path = tmp_path / name
        assert refusal(path).startswith("train/eel holds no image (")

    def test_images_of_16_bits(self, tmp_path: Path):
        path = write_folder(tmp_path / "mine", images())
        deep = Image.fromarray(np.zeros((2, 3), np.uint16))
        deep.save(path / "train" / "dog" / "b.png")
        message = refusal(path)
        assert message.startswith("train/dog/b.png cannot be read as an image (it has ")

    @pytest.mark.parametrize("name", ARCHIVES)
    @pytest.mark.parametrize("share", [0, 0.3, 0.6, 0.9, 0.99])
    def test_truncated_archives(self, tmp_path: Path, name: str, share: float):
        path = write_archive(tmp_path / name, images().items())
        whole = path.read_bytes()
        if path.suffix == ".tar":  # without the padding behind its end mark
            whole = whole[: 11 * 512]
        path.write_bytes(whole[: int(share * len(whole))])
        message = refusal(path)
        assert message.startswith("cannot be read (")
        assert message.endswith("cut short, fetch or make it again")

    @pytest.mark.parametrize("blocks", [2, 3, 8])
    def test_tar_files_that_lack_their_end(self, tmp_path: Path, blocks: int):
        path = write_archive(tmp_path / "a.tar", images().items())
        cut = path.read_bytes()[: blocks * 512]
        path.write_bytes(cut)
        (tmp_path / "a.tgz").write_bytes(gzip.compress(cut))
        assert refusal(path).startswith("cannot be read (")
        assert refusal(tmp_path / "a.tgz").startswith("cannot be read (")

    @pytest.mark.parametrize("name", ["a.tar.gz", "a.tgz", "a.zip"])
    def test_archives_with_one_wrong_bit(self, tmp_path: Path, name: str):
        noise = np.random.default_rng(0).bytes(10**5)  # which gzip keeps as it is
        files = {**images(), "train/cat/z.png": png(1) + noise}
        path = write_archive(tmp_path / name, files.items())
        content = bytearray(path.read_bytes())
        content[content.index(noise[50000:50010])] ^= 1
        path.write_bytes(content)
        assert "CRC" in refusal(path)

    def test_tar_files_with_a_broken_header(self, tmp_path: Path):
        path = write_archive(tmp_path / "a.tar", images().items())
        content = bytearray(path.read_bytes())
        content[8 * 512 : 8 * 512 + 4] = b"none"  # of the last of five files
        path.write_bytes(content)
        assert "(no header and no end mark at 4096)" in refusal(path)

    @pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.FIFOTYPE])
    def test_links_to_what_an_archive_lacks(self, tmp_path: Path, kind: bytes):
        path = write_archive(tmp_path / "a.tar", images().items())
        with tarfile.open(path, "a") as archive:
            link = tarfile.TarInfo("train/cat/z.png")
            link.type, link.linkname = kind, "/elsewhere.png"
            archive.addfile(link)
        assert "(train/cat/z.png is no file or a link to none)" in refusal(path)

    def test_links_to_nothing(self, tmp_path: Path):
        path = write_folder(tmp_path / "mine", images())
        (path / "train" / "cat" / "z.png").symlink_to(tmp_path / "no")
        assert "No such file" in refusal(path)


def test_links_within_an_archive_are_followed(tmp_path: Path):
    path = write_archive(tmp_path / "a.tar", images().items())
    with tarfile.open(path, "a") as archive:
        link = tarfile.TarInfo("train/cat/z.png")
        link.type, link.linkname = tarfile.LNKTYPE, "train/dog/a.png"
        archive.addfile(link)
    assert values(folder(asked(path))) == [[30, 20, 10, 10], [40, 50]]


def test_a_folder_that_cannot_be_listed_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(PermissionError), open_tree(tmp_path):
        pass


def cifar10_jpeg(real_data: Path) -> Path:
    return real_data / "cifar10_jpeg" / "cifar10-jpeg.tar.gz"


@pytest.mark.slow
def test_real_images_from_their_archive_and_unpacked(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def every_97th(tree: Tree, split: str) -> list[tuple[str, ...]]:
        return all_images(tree, split)[::97]

    all_images = module._images
    with open_tree(cifar10_jpeg(real_data)) as tree:
        assert [len(all_images(tree, split)) for split in SPLITS] == [50000, 10000]
        part = {path for split in SPLITS for path in every_97th(tree, split)}
        in_order = (path for path in tree.files if path in part)
        files = {"/".join(path): tree.files[path]() for path in in_order}
    write_folder(tmp_path / "part", files)
    unpacked = folder(asked(tmp_path / "part"))
    assert unpacked.train.inputs.shape == (516, 32, 32, 3)
    # or later tests of the archive would be given this part of it
    monkeypatch.setenv("JAXORDER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "_images", every_97th)
    archived = folder(asked(cifar10_jpeg(real_data)))
    assert archived.digest == unpacked.digest
    assert archived.class_names == unpacked.class_names


@pytest.mark.slow
def test_all_real_images(real_data: Path):
    dataset = folder(asked(cifar10_jpeg(real_data)))
    for split, size in ((dataset.train, 5000), (dataset.test, 1000)):
        assert np.bincount(split.labels).tolist() == [size] * 10
        assert split.inputs.shape == (10 * size, 32, 32, 3)
        # the mean of CIFAR-10, which is known, has suffered little from JPEG
        assert split.inputs.mean(axis=(0, 1, 2)) == pytest.approx(MEAN, abs=1)
