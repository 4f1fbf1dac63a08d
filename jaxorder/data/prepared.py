"""Image sets that TensorFlow Datasets has prepared, read without TensorFlow.

Nothing here downloads: what is not on disk is refused, with the way to get it.
"""

import io
import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jaxorder.data.cache import cached
from jaxorder.data.dataset import Dataset, Split
from jaxorder.data.pixels import pixels
from jaxorder.data.request import Request
from jaxorder.errors import RequestError, given

# what `jaxorder data prepare` makes from the official files
OFFICIAL = ("mnist", "fashion_mnist", "cifar10", "cifar100")

_BATCH = 1000  # records read at once: their undecoded bytes are what is held
_VERSION = r"\d+\.\d+\.\d+"


def mnist(request: Request) -> Dataset:
    """Handwritten digits, 28x28 grey values, prepared by TFDS."""
    return _load(request, "mnist")


def fashion_mnist(request: Request) -> Dataset:
    """Articles of clothing, 28x28 grey values, prepared by TFDS."""
    return _load(request, "fashion_mnist")


def cifar10(request: Request) -> Dataset:
    """Animals and vehicles, 32x32 RGB photographs, prepared by TFDS."""
    return _load(request, "cifar10")


def cifar100(request: Request) -> Dataset:
    """Things of 100 kinds, 32x32 RGB photographs, prepared by TFDS."""
    return _load(request, "cifar100")


def tfds(request: Request) -> Dataset:
    """Any set of images with one class each that TFDS has prepared as array_record.

    Args:
        request: Its argument is `NAME[/CONFIG][:VERSION]`.

    Returns:
        The splits train and test, or validation where there is no test: `facts` tell
        under "test_split". Ids are positions in the order of TFDS.

    Raises:
        RequestError: The set is not there, damaged, in another file format, or no set
            of images with one class each, all labelled and of one size.
    """
    name, _, version = request.argument.partition(":")
    if not re.fullmatch(rf"\w+(/[^/:]+)?(:{_VERSION})?", request.argument):
        raise RequestError(
            f"{given('data', request.source)}: wanted tfds:NAME[/CONFIG][:VERSION], "
            "for instance tfds:cifar10:3.0.2"
        )
    return _load(request, name, version or "*")


def tfds_folder(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder in which prepared data sets are looked for.

    Args:
        data_dir: The folder asked for; None is TFDS's own default.

    Returns:
        `data_dir`, else $TFDS_DATA_DIR, else ~/tensorflow_datasets.
    """
    default = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return Path(default if data_dir is None else data_dir).expanduser()


def find_prepared(name: str, folder: Path, version: str = "*") -> Path | None:
    """Find the newest prepared version of a data set, without importing TFDS.

    Args:
        name: Name of the TFDS data set, `NAME` or `NAME/CONFIG`.
        folder: Where TFDS keeps its data sets.
        version: The one wanted, or "*" for any.

    Returns:
        Its folder, for instance `folder`/mnist/3.0.1, or None.
    """
    infos = (folder / name).glob(f"{version}/dataset_info.json")
    versions = [
        info.parent for info in infos if re.fullmatch(_VERSION, info.parent.name)
    ]
    return max(
        versions, default=None, key=lambda path: [*map(int, path.name.split("."))]
    )


def file_format(prepared: Path) -> str:
    """Return the format of a prepared set's files, for instance "array_record".

    Args:
        prepared: Folder of a version.

    Raises:
        OSError: Its dataset_info.json cannot be read.
        ValueError: That is no JSON.
    """
    info = json.loads((prepared / "dataset_info.json").read_text())
    return info.get("fileFormat", "tfrecord")  # sets older than the field


def _load(request: Request, name: str, version: str = "*") -> Dataset:
    folder = tfds_folder(request.data_dir)
    prepared = find_prepared(name, folder, version)
    if prepared is None:
        raise RequestError(
            f"{given('data', request.source)}: not prepared in {folder} (no "
            f"{name}/{version}/dataset_info.json there{_others(name, folder)}); point "
            f"{given('data_dir')} at a prepared copy, or {_recipe(name, folder)}"
        )
    return cached(
        request.source,
        prepared,
        lambda: _decode(request, name, prepared),
        how=request.resize,
    )


def _others(name: str, folder: Path) -> str:
    """Name other configurations and versions of a set that are there."""
    infos = (folder / name.partition("/")[0]).rglob("dataset_info.json")
    found = sorted(
        str(info.parent.relative_to(folder))
        for info in infos
        if re.fullmatch(_VERSION, info.parent.name)
    )
    return f", but {', '.join(found[:5])}" if found else ""


def _recipe(name: str, folder: str | Path) -> str:
    where = shlex.quote(str(folder))
    if name in OFFICIAL:
        return (
            f"make one: jaxorder data prepare {name} --data-dir {where}, offline with "
            "--from DIR for the folder of its official files"
        )
    return (
        "make one with TensorFlow (pip install 'jaxorder[tensorflow]'): tfds build "
        f"{name} --file_format=array_record --data_dir={where}"
    )


def _decode(request: Request, name: str, prepared: Path) -> Dataset:
    try:
        train, test, class_names, test_split = _read(name, prepared, request.resize)
    except RequestError as error:
        raise RequestError(
            f"{given('data', request.source)}: {error.message}"
        ) from error
    except (ImportError, MemoryError):
        raise
    except Exception as error:  # TFDS, protobuf, array_record, PIL: types of their own
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        recipe = _recipe(name, tfds_folder(request.data_dir))
        raise RequestError(
            f"{given('data', request.source)}: cannot read {prepared} ({reason}); if "
            f"its files are damaged, remove them and {recipe}"
        ) from error
    facts = {"test_split": test_split}
    return Dataset(request.source, train, test, class_names, facts=facts)


def _read(
    name: str, prepared: Path, resize: int | None
) -> tuple[Split, Split, tuple[str, ...], str]:
    import tensorflow_datasets as tfds

    if (found := file_format(prepared)) != "array_record":
        raise RequestError(
            f"{prepared} is in the file format {found}, wanted array_record; give "
            f"another {given('data_dir')}, or {_recipe(name, 'ANOTHER_FOLDER')}"
        )
    builder: Any = tfds.builder_from_directory(prepared)
    image, label = _features(builder.info)
    test_split = _test_split(set(builder.info.splits))
    train = _read_split(builder, "train", image, label, resize)
    test = _read_split(builder, test_split, image, label, resize)
    return train, test, tuple(builder.info.features[label].names), test_split


def _features(info: Any) -> tuple[str, str]:
    """Return the names of the image and of the class among a set's features."""
    import tensorflow_datasets as tfds

    features = dict(sorted(info.features.items()))
    images = [k for k, f in features.items() if type(f) is tfds.features.Image]
    labels = [k for k, f in features.items() if isinstance(f, tfds.features.ClassLabel)]
    pairs = [(image, label) for image in images for label in labels]
    if info.supervised_keys in pairs:
        pairs = [info.supervised_keys]
    if len(pairs) != 1:
        raise RequestError(
            "wanted one image and one class for each example; this set has the images "
            f"{images}, the classes {labels} and no word which to take"
        )
    ((image, label),) = pairs
    dtype = np.dtype(features[image].np_dtype)
    if dtype != np.uint8:
        raise RequestError(f"its images hold {dtype} values; wanted 8 bits a channel")
    return image, label


def _test_split(splits: set[str]) -> str:
    for test in ("test", "validation"):
        if {"train", test} <= splits:
            return test
    raise RequestError(
        f"has the splits {', '.join(sorted(splits))}; wanted train and test, or train "
        "and validation"
    )


def _read_split(
    builder: Any, split: str, image_key: str, label_key: str, resize: int | None
) -> Split:
    from PIL import Image

    size = builder.info.splits[split].num_examples
    # grey files in a colour set are spread over its channels
    channels = 1 if builder.info.features[image_key].shape[-1] == 1 else 3
    images, labels = np.empty(0, np.uint8), np.empty(size, np.int32)
    for i, record in enumerate(_records(builder, split)):
        with Image.open(io.BytesIO(record[image_key].bytes_list.value[0])) as image:
            array = pixels(image, resize)
        if i == 0:
            images = np.empty((size, *array.shape[:2], channels), np.uint8)
        _check_size(split, i, array.shape, images.shape[1:])
        images[i] = array
        labels[i] = record[label_key].int64_list.value[0]
    if labels.min() < 0:
        raise RequestError(
            f"the {split} split is not labelled (example {labels.argmin()} has the "
            f"label {labels.min()}); wanted a class for each example"
        )
    return Split(images, labels)


def _records(builder: Any, split: str) -> Iterator[Any]:
    """Yield the features of each example, undecoded."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.proto import tf_example_pb2

    example: Any = tf_example_pb2  # protobuf makes its classes at import
    # TFDS's own decoding is slower, and prints a warning where OpenCV is missing
    source = builder.as_data_source(
        split, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES
    )
    for start in range(0, len(source), _BATCH):
        positions = range(start, min(start + _BATCH, len(source)))
        for record in source.__getitems__(list(positions)):
            yield example.Example.FromString(record).features.feature


def _check_size(
    split: str, example: int, found: tuple[int, ...], first: tuple[int, ...]
) -> None:
    if found[:2] != first[:2]:
        raise RequestError(
            f"images of several sizes: of {split}, example 0 is {first[0]}x{first[1]} "
            f"(height x width) and example {example} {found[0]}x{found[1]}; bring them "
            f"to one with {given('resize')}"
        )
