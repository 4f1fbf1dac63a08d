"""Prepare sets of images as TFDS does, from their official files, without TensorFlow.

The builders are TFDS's own; only how files are unpacked and read is replaced, since it
needs TensorFlow there. Nothing takes its place in the folder before it is whole.
"""

import contextlib
import gzip
import hashlib
import http.client
import io
import os
import shlex
import tarfile
import tempfile
import time
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from jaxorder.data.prepared import OFFICIAL, file_format, find_prepared, tfds_folder
from jaxorder.errors import RequestError, given

# sha256 of the unpacked files, so that ones that were packed anew are known too; TFDS
# registers the archives' sums only. Fashion-MNIST's are of files whose archives have
# the registered sums, MNIST's of files with the md5 sums that are widely listed
# (6bbc9ace..., a25bea73..., 2646ac64..., 27ae3e4e...).
_CONTENT = {
    "mnist": {
        "train-images-idx3-ubyte.gz": (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
        ),
        "train-labels-idx1-ubyte.gz": (
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
        ),
        "t10k-images-idx3-ubyte.gz": (
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
        ),
        "t10k-labels-idx1-ubyte.gz": (
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
        ),
    },
    "fashion_mnist": {
        "train-images-idx3-ubyte.gz": (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
        ),
        "train-labels-idx1-ubyte.gz": (
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
        ),
        "t10k-images-idx3-ubyte.gz": (
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
        ),
        "t10k-labels-idx1-ubyte.gz": (
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
        ),
    },
}

_PATIENCE = 10.0  # seconds without a byte after which a download is given up
_NEWS = 5.0  # seconds between two words about a download that goes on
_CHUNK = 1 << 16


@dataclass(frozen=True)
class _Official:
    """An official file.

    Attributes:
        name: As it is published.
        url: Where.
        size: In bytes.
        archive: Its sha256.
        content: Sha256 of what it unpacks to; None where that is not known.
    """

    name: str
    url: str
    size: int
    archive: str
    content: str | None


def prepare(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    source: str | os.PathLike[str] | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Prepare a set of images as array_record, as TFDS would.

    Args:
        name: mnist, fashion_mnist, cifar10 or cifar100.
        data_dir: Folder of TFDS's data sets; None is TFDS's own default.
        source: Folder with the official files; None downloads them.
        say: Told, a line at a time, what is being done.

    Returns:
        The prepared version's folder, for instance `data_dir`/mnist/3.0.1.

    Raises:
        RequestError: Another name; a file is missing, damaged or not the official one,
            or cannot be fetched; the folder cannot be written.
    """
    try:
        return _prepare(name, tfds_folder(data_dir), source, say)
    except RequestError as error:
        raise RequestError(f"data prepare {name}: {error.message}") from error


def _prepare(
    name: str,
    folder: Path,
    source: str | os.PathLike[str] | None,
    say: Callable[[str], None],
) -> Path:
    _check_name(name, folder)
    if found := _prepared_before(name, folder):
        say(f"{name} is prepared already: {found}")
        return found
    with _scratch(folder) as scratch:
        files = _unpacked(name, source, scratch, say)
        say(f"preparing {name}: this takes less than a minute")
        made = _build(name, files, scratch)
        target = folder / name / made.name
        target.parent.mkdir(exist_ok=True)
        made.rename(target)
    say(f"{name} is prepared: {target}")
    return target


def _check_name(name: str, folder: Path) -> None:
    if name not in OFFICIAL:
        raise RequestError(
            "needs TensorFlow: pip install 'jaxorder[tensorflow]', then tfds build "
            f"{name} --file_format=array_record "
            f"--data_dir={shlex.quote(str(folder))}; without it {', '.join(OFFICIAL)} "
            "can be prepared"
        )


def _prepared_before(name: str, folder: Path) -> Path | None:
    found = find_prepared(name, folder)
    if found is None:
        return None
    try:
        found_format = file_format(found)
    except (OSError, ValueError):
        raise RequestError(
            f"{found} is there but damaged; remove it and try again"
        ) from None
    if found_format != "array_record":
        raise RequestError(
            f"{found} is there in the file format {found_format}, wanted "
            f"array_record; give another {given('data_dir')}"
        )
    return found


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Give a place to work in, on the disk of a folder, which is made if need be."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".preparing-", dir=folder) as scratch:
            yield Path(scratch)
    except (OSError, RuntimeError) as error:  # the latter is what array_record raises
        raise RequestError(
            f"cannot write to {folder} ({_reason(error)}); give another "
            f"{given('data_dir')}"
        ) from error
    finally:
        for path in made:
            with contextlib.suppress(OSError):  # not empty: it was prepared
                path.rmdir()


def _unpacked(
    name: str,
    source: str | os.PathLike[str] | None,
    scratch: Path,
    say: Callable[[str], None],
) -> dict[str, Path]:
    """Return what each official file unpacks to, all checked."""
    wanted = _wanted(name)
    if source is None:
        found = [_fetch(official, scratch, say) for official in wanted]
    else:
        found = _find(wanted, Path(source).expanduser())
    return {
        official.name: _unpack(official, path, scratch)
        for official, path in zip(wanted, found, strict=True)
    }


def _wanted(name: str) -> list[_Official]:
    import tensorflow_datasets as tfds

    officials = []
    for url, info in (tfds.builder_cls(name).url_infos or {}).items():
        file = _file_name(url)
        content = _CONTENT.get(name, {}).get(file)
        officials.append(_Official(file, url, int(info.size), info.checksum, content))
    return officials


def _find(wanted: list[_Official], source: Path) -> list[Path]:
    found = {official.name: _find_one(official, source) for official in wanted}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        form = (
            "as published or without .gz"
            if wanted[0].content
            else "as published: only the archive can be checked"
        )
        names = f"{', '.join(missing)} ({form})"
        state = "holds no" if source.is_dir() else "is no folder; wanted one with"
        raise RequestError(
            f"{given('source', source)} {state} {names}, from "
            f"{wanted[0].url.rpartition('/')[0]}"
        )
    return [path for path in found.values() if path]


def _find_one(official: _Official, source: Path) -> Path | None:
    names = [official.name]
    if official.content:
        names.append(official.name.removesuffix(".gz"))
    return next((source / name for name in names if (source / name).is_file()), None)


def _fetch(official: _Official, scratch: Path, say: Callable[[str], None]) -> Path:
    say(f"fetching {official.url} ({official.size / 1e6:.1f} MB)")
    target = scratch / official.name
    try:
        with (
            urllib.request.urlopen(official.url, timeout=_PATIENCE) as response,
            target.open("wb") as file,
        ):
            _copy(response, file, official.size, say)
    except (OSError, http.client.HTTPException) as error:
        raise RequestError(
            f"cannot fetch {official.url} ({_reason(error)}); without a network, give "
            f"the folder of its official files as {given('source')}"
        ) from error
    return target


def _copy(
    response: BinaryIO, file: BinaryIO, size: int, say: Callable[[str], None]
) -> None:
    told = time.monotonic()
    while chunk := response.read(_CHUNK):
        file.write(chunk)
        if time.monotonic() - told > _NEWS:
            told = time.monotonic()
            say(f"  {file.tell() / 1e6:.0f} of {size / 1e6:.0f} MB")


def _unpack(official: _Official, path: Path, scratch: Path) -> Path:
    try:
        if official.content:
            return _unpack_file(official, path, scratch)
        return _unpack_archive(official, path, scratch)
    except (OSError, EOFError, zlib.error) as error:
        raise RequestError(
            f"cannot unpack {path.name} ({_reason(error)}); if it is damaged, get it "
            f"again from {official.url}"
        ) from error


def _unpack_file(official: _Official, path: Path, scratch: Path) -> Path:
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    digest = hashlib.sha256(content).hexdigest()
    if digest != official.content:
        raise RequestError(
            f"{path.name} is not the official file: its content has {len(content)} "
            f"bytes and the sha256 {digest}, wanted {official.content}; get it from "
            f"{official.url}"
        )
    target = scratch / official.name.removesuffix(".gz")
    target.write_bytes(content)
    return target


def _unpack_archive(official: _Official, path: Path, scratch: Path) -> Path:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != official.archive:
        raise RequestError(
            f"{path.name} is not the official archive: it has {path.stat().st_size} "
            f"bytes and the sha256 {digest}, wanted {official.size} and "
            f"{official.archive}; it is cut short, damaged or packed anew, and only "
            f"the archive as published can be checked: get it from {official.url}"
        )
    with tarfile.open(path) as archive:
        # its sum was right, so it is trusted; Python 3.12 warns without a filter
        archive.extraction_filter = lambda member, path: member
        archive.extractall(scratch)
    return scratch


def _build(name: str, files: Mapping[str, Path], scratch: Path) -> Path:
    import tensorflow_datasets as tfds

    quiet = io.StringIO()  # TFDS's own words and progress bars
    with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        builder = _builder_class(name, files)(
            data_dir=scratch / "tfds", file_format="array_record"
        )
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(try_download_gcs=False)
        )
    return Path(builder.data_dir)


def _builder_class(name: str, files: Mapping[str, Path]) -> Any:
    """Return TFDS's builder, but for how it gets at files and reads them."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.registered import skip_registration

    stock: Any = tfds.builder_cls(name)
    with skip_registration():

        class Prepared(stock):
            name = stock.name
            __module__ = stock.__module__  # stands in dataset_info.json
            _generate_examples = (
                _mnist_examples if name in _CONTENT else _cifar_examples
            )

            def _split_generators(self, dl_manager: Any) -> Any:
                return super()._split_generators(_HandOut(files))

    return Prepared


@dataclass(frozen=True)
class _HandOut:
    """Stands in for TFDS's download manager: gives what is unpacked already."""

    files: Mapping[str, Path]

    def download_and_extract(self, urls: str | Mapping[str, str]) -> Any:
        if isinstance(urls, str):
            return self.files[_file_name(urls)]
        return {key: self.files[_file_name(url)] for key, url in urls.items()}


def _mnist_examples(
    builder: Any, num_examples: int, data_path: Path, label_path: Path
) -> Iterator[tuple[int, dict[str, Any]]]:
    from PIL import Image

    images = np.fromfile(data_path, np.uint8, offset=16).reshape(num_examples, 28, 28)
    labels = np.fromfile(label_path, np.uint8, offset=8)
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        yield i, {"image": Image.fromarray(image), "label": int(label)}


def _cifar_examples(
    builder: Any, split_prefix: str, filepaths: Iterator[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    from PIL import Image

    keys = builder._cifar_info.label_keys
    files = (np.fromfile(path, np.uint8) for path in filepaths)
    rows = (row for file in files for row in file.reshape(-1, len(keys) + 3 * 32 * 32))
    for i, row in enumerate(rows):
        example = dict(zip(keys, row[: len(keys)].tolist(), strict=True))
        planes = row[len(keys) :].reshape(3, 32, 32)
        example["image"] = Image.fromarray(planes.transpose(1, 2, 0).copy())
        example["id"] = f"{split_prefix}{i:05d}"
        yield i, example


def _file_name(url: str) -> str:
    return url.rpartition("/")[2]


def _reason(error: Exception) -> str:
    cause = getattr(error, "reason", error)  # what urllib wraps
    text = getattr(cause, "strerror", None) or str(cause)
    return " ".join(text.split()) or type(cause).__name__
