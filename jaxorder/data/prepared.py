"""Image sets that TensorFlow Datasets has prepared, read without TensorFlow.

Nothing here downloads: what is not on disk is refused, with the way to get it.
"""

import io
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int32, UInt8

from jaxorder.data.cache import cached
from jaxorder.data.dataset import Dataset, from_arrays
from jaxorder.errors import RequestError

_BATCH = 1000  # records read at once: their undecoded bytes are what is held


def tfds_folder(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder in which prepared data sets are looked for.

    Args:
        data_dir: The folder asked for; None is TFDS's own default.

    Returns:
        `data_dir`, else $TFDS_DATA_DIR, else ~/tensorflow_datasets.
    """
    default = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return Path(default if data_dir is None else data_dir).expanduser()


def find_prepared(name: str, folder: Path) -> Path | None:
    """Find the newest prepared version of a data set, without importing TFDS.

    Args:
        name: Name of the TFDS data set.
        folder: Where TFDS keeps its data sets.

    Returns:
        Its folder, for instance `folder`/mnist/3.0.1, or None.
    """
    infos = (folder / name).glob("*/dataset_info.json")
    versions = [
        info.parent
        for info in infos
        if re.fullmatch(r"\d+\.\d+\.\d+", info.parent.name)
    ]
    return max(
        versions, default=None, key=lambda path: [*map(int, path.name.split("."))]
    )


def load_prepared(name: str, folder: Path) -> Dataset:
    """Load a prepared set of labelled images, from the cache where it has been before.

    Args:
        name: Name of a TFDS data set with the features image and label and the
            splits train and test.
        folder: Where TFDS keeps its data sets.

    Returns:
        The data set, uint8 images; ids are positions in the order of TFDS, which is
        not the official order.

    Raises:
        RequestError: The set is not there, in another file format, or damaged.
    """
    prepared = find_prepared(name, folder)
    if prepared is None:
        raise RequestError(
            f"--data {name}: not prepared in {folder} (no {name}/*/dataset_info.json "
            f"there); point --data-dir at a prepared copy, or {_recipe(name, folder)}"
        )
    return cached(name, prepared.name, prepared, lambda: _decode(name, prepared))


def _recipe(name: str, folder: Path) -> str:
    return (
        "make one where TensorFlow is installed: tfds build "
        f"{name} --file_format=array_record --data_dir={folder}"
    )


def _decode(name: str, prepared: Path) -> Dataset:
    import tensorflow_datasets as tfds

    try:
        _check_format(name, prepared)
        builder: Any = tfds.builder_from_directory(prepared)
        # TFDS's own decoding is slower, and prints a warning where OpenCV is missing
        decoders: Any = {"image": tfds.decode.SkipDecoding()}
        shape = builder.info.features["image"].shape
        train, test = (
            _decode_split(builder.as_data_source(split, decoders=decoders), shape)
            for split in ("train", "test")
        )
        class_names = tuple(builder.info.features["label"].names)
    except (RequestError, ImportError, MemoryError):
        raise
    except Exception as error:  # TFDS, protobuf, array_record, PIL: types of their own
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise RequestError(
            f"--data {name}: cannot read {prepared} ({reason}); if its files are "
            f"damaged, remove them and {_recipe(name, prepared.parent.parent)}"
        ) from error
    return from_arrays(name, *train, *test, class_names=class_names)


def _check_format(name: str, prepared: Path) -> None:
    info = json.loads((prepared / "dataset_info.json").read_text())
    found = info.get("fileFormat", "tfrecord")  # sets older than the field
    if found != "array_record":
        raise RequestError(
            f"--data {name}: {prepared} is in the file format {found}, wanted "
            "array_record; give another --data-dir, or "
            f"{_recipe(name, prepared.parent.parent)}"
        )


def _decode_split(
    source: Any, shape: tuple[int, ...]
) -> tuple[
    UInt8[np.ndarray, "example height width channel"], Int32[np.ndarray, "example"]
]:
    from PIL import Image

    images = np.empty((len(source), *shape), np.uint8)
    labels = np.empty(len(source), np.int32)
    for start in range(0, len(source), _BATCH):
        positions = range(start, min(start + _BATCH, len(source)))
        records = source.__getitems__(list(positions))
        for position, record in zip(positions, records, strict=True):
            with Image.open(io.BytesIO(record["image"])) as image:
                images[position] = np.asarray(image).reshape(shape)
            labels[position] = record["label"]
    return images, labels
