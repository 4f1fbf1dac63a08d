"""Images of one's own: a folder for each class, on disk or in an archive."""

import io
import struct
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from jaxorder.data.archive import (
    ARCHIVES,
    Parts,
    Tree,
    is_tree,
    open_tree,
    refuse_unreadable,
)
from jaxorder.data.cache import SPLITS, cached
from jaxorder.data.dataset import Dataset, Split
from jaxorder.data.npz import UNREADABLE
from jaxorder.data.pixels import pixels
from jaxorder.data.request import Request
from jaxorder.errors import RequestError, given

IMAGES = (".png", ".jpg", ".jpeg")
# what would be left out without a word if it were not refused
OTHER_IMAGES = (
    *(".bmp", ".gif", ".tif", ".tiff", ".webp", ".jp2", ".heic", ".avif"),
    *(".ppm", ".pgm"),
)
_LAYOUT = "wanted train/CLASS/IMAGE and test/CLASS/IMAGE"


def folder(request: Request) -> Dataset:
    """Images of your own: train/CLASS/*.png or .jpg and test/CLASS/*, or an archive."""
    path = Path(request.argument).expanduser()
    asked = given("data", request.source)
    with refuse_unreadable(asked):
        if not is_tree(path):
            raise RequestError(
                f"{asked}: is {'another file' if path.exists() else 'not there'}; "
                f"wanted a folder or an archive of one ({', '.join(ARCHIVES)})"
            )
        build = partial(_load, path, request)
        return cached(request.source, path, build, how=request.resize)


def _load(path: Path, request: Request) -> Dataset:
    with open_tree(path) as whole:
        tree = _without_top(whole)
        if problem := _problem(tree):
            raise RequestError(f"{given('data', request.source)}: {problem}")
        train, test = (_images(tree, split) for split in SPLITS)
        inputs = _decode(tree, [*train, *test], request)
    classes = sorted(_classes(train))
    number = {name: position for position, name in enumerate(classes)}
    labels = np.array([number[name] for _, name, _ in (*train, *test)])
    cut = len(train)
    return Dataset(
        request.source,
        Split(inputs[:cut], labels[:cut]),
        Split(inputs[cut:], labels[cut:]),
        tuple(classes),
    )


def _without_top(tree: Tree) -> Tree:
    paths = (*tree.files, *tree.folders)
    tops = {path[0] for path in paths if len(path) > 1}
    if len(tops) != 1 or tops & set(SPLITS):
        return tree
    return Tree(
        {path[1:]: read for path, read in tree.files.items() if len(path) > 1},
        frozenset(path[1:] for path in tree.folders if len(path) > 1),
    )


def _problem(tree: Tree) -> str | None:
    return (
        _split_problem(tree)
        or _file_problem(tree)
        or _empty_class_problem(tree)
        or _classes_problem(tree)
    )


def _split_problem(tree: Tree) -> str | None:
    folders = {path[0] for path in tree.files if len(path) > 1}
    folders |= {path[0] for path in tree.folders}
    missing = [split for split in SPLITS if split not in folders]
    if not missing:
        return None
    found = ", ".join(sorted(folders)[:10]) or "none"
    return f"no folder {missing[0]} (its folders: {found}); {_LAYOUT}"


def _file_problem(tree: Tree) -> str | None:
    for path in tree.files:
        name = path[-1].lower()
        if path[0] not in SPLITS or not name.endswith(IMAGES + OTHER_IMAGES):
            continue
        if len(path) != 3:
            return f"{_name(path)} does not lie in a class folder; {_LAYOUT}"
        if name.endswith(OTHER_IMAGES):
            return (
                f"{_name(path)} is of another format than {', '.join(IMAGES)}; "
                "convert it, or remove it"
            )
    return None


def _empty_class_problem(tree: Tree) -> str | None:
    folders = {path[:2] for path in tree.files if len(path) > 2}
    folders |= {path[:2] for path in tree.folders if len(path) > 1}
    full = {image[:2] for split in SPLITS for image in _images(tree, split)}
    empty = sorted(path for path in folders - full if path[0] in SPLITS)
    if not empty:
        return None
    return (
        f"{_name(empty[0])} holds no image ({', '.join(IMAGES)}); add some, or remove "
        "the folder"
    )


def _classes_problem(tree: Tree) -> str | None:
    train, test = (_classes(_images(tree, split)) for split in SPLITS)
    if in_one := sorted(train ^ test):
        name = in_one[0]
        has, lacks = ("train", "test") if name in train else ("test", "train")
        return (
            f"{has} has the class {name}, {lacks} has not; add {lacks}/{name}, or "
            f"remove {has}/{name}"
        )
    if len(train) > 1:
        return None
    found = f"one class only, {min(train)}" if train else "no class"
    return f"train holds {found}; wanted a folder for each of two classes or more"


def _images(tree: Tree, split: str) -> list[Parts]:
    return sorted(
        path
        for path in tree.files
        if path[0] == split and len(path) == 3 and path[-1].lower().endswith(IMAGES)
    )


def _classes(images: Sequence[Parts]) -> set[str]:
    return {name for _, name, _ in images}


def _decode(
    tree: Tree, images: Sequence[Parts], request: Request
) -> UInt8[np.ndarray, "example height width channel"]:
    positions = {image: position for position, image in enumerate(images)}
    in_order = [path for path in tree.files if path in positions]
    first = _decode_one(tree, in_order[0], request)
    inputs = np.empty((len(images), *first.shape), np.uint8)
    for path in in_order:
        image = _decode_one(tree, path, request)
        if image.shape[:2] != first.shape[:2]:
            raise RequestError(
                f"{given('data', request.source)}: {_name(in_order[0])} is "
                f"{_size(first)} but {_name(path)} is {_size(image)}; give "
                f"{given('resize')} to bring all to one"
            )
        if image.shape[-1] > inputs.shape[-1]:
            inputs = np.repeat(inputs, image.shape[-1], axis=-1)
        inputs[positions[path]] = image  # a grey one goes to all channels
    return inputs


def _decode_one(
    tree: Tree, path: Parts, request: Request
) -> UInt8[np.ndarray, "height width channel"]:
    from PIL import Image, UnidentifiedImageError

    broken = (*UNREADABLE, SyntaxError, struct.error, Image.DecompressionBombError)
    content = tree.files[path]()
    try:
        with Image.open(io.BytesIO(content)) as image:
            return pixels(image, request.resize)
    except UnidentifiedImageError:  # its text names an object in memory
        reason = "it is none"
    except broken as error:
        reason = " ".join(str(error).split()) or type(error).__name__
    raise RequestError(
        f"{given('data', request.source)}: {_name(path)} cannot be read as an image "
        f"({reason}); replace it, or remove it"
    )


def _name(path: Parts) -> str:
    return "/".join(path)


def _size(image: UInt8[np.ndarray, "height width channel"]) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"
