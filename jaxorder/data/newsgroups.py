"""The posts of 20 newsgroups, from the archive that all work on them starts from."""

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

from jaxorder.data.archive import Tree, is_tree, open_tree, refuse_unreadable
from jaxorder.data.cache import cache_folder, cached
from jaxorder.data.dataset import Dataset, Split
from jaxorder.data.request import Request
from jaxorder.data.text import Document, Sizes, text_dataset
from jaxorder.errors import RequestError, given

ARCHIVE = "20news-bydate.tar.gz"
FOLDERS = {"train": "20news-bydate-train", "test": "20news-bydate-test"}
POSTS = {"train": 11314, "test": 7532}
_HOME = "https://people.csail.mit.edu/jrennie/20Newsgroups/"

_QUOTING = re.compile(
    r"writes in|writes:|wrote:|says:|said:|^In article|^Quoted from|^\||^>"
)


def newsgroups20(request: Request) -> Dataset:
    """Posts to 20 newsgroups, split by date, as the words of their bodies."""
    sizes = Sizes.asked(request)
    strip = request.keys.flag("strip")
    asked = given("data", request.source)
    with refuse_unreadable(asked):
        path = find_newsgroups(request.argument, request.data_dir)
        if path is None:
            places = ", ".join(map(str, _places(request.argument, request.data_dir)))
            raise RequestError(
                f"{asked}: no {ARCHIVE}, nor the two folders in it, in {places}; fetch "
                f"it from {_HOME} and put it there, or give newsgroups20:PATH"
            )
        build = partial(_load, path, request.source, sizes, strip)
        return cached(request.source, path, build, how=(sizes, strip))


def find_newsgroups(argument: str, data_dir: Path | None) -> Path | None:
    """Find the archive, or the folder that it was unpacked to.

    Args:
        argument: That path itself or the folder it is in; "" looks in `data_dir`, in
            newsgroups20 in it or beside it, and in the cache's folder.
        data_dir: Folder of data sets, if one was given.

    Returns:
        The first that is there, or None.
    """
    for place in _places(argument, data_dir):
        if is_tree(place) and place.is_file():
            return place
        if (place / ARCHIVE).is_file():
            return place / ARCHIVE
        if any((place / folder).is_dir() for folder in FOLDERS.values()):
            return place
    return None


def _places(argument: str, data_dir: Path | None) -> list[Path]:
    if argument:
        return [Path(argument).expanduser()]
    if data_dir is None:
        return [cache_folder()]
    beside = data_dir.absolute().parent
    inner = [folder / "newsgroups20" for folder in (data_dir, beside)]
    return [data_dir, *inner, cache_folder()]


def _load(path: Path, name: str, sizes: Sizes, strip: bool) -> Dataset:
    with open_tree(path) as tree:
        train, test = (_posts(tree, split, name, strip) for split in FOLDERS)
    classes = sorted({post.label for post in train})
    dataset = text_dataset(name, train, test, classes, sizes)
    empty = {"empty_train": _empty(dataset.train), "empty_test": _empty(dataset.test)}
    return replace(dataset, facts={**dataset.facts, **empty})


def _empty(split: Split) -> int:
    return int((~split.inputs.any(axis=1)).sum())


def _posts(tree: Tree, split: str, name: str, strip: bool) -> list[Document]:
    posts: dict[tuple[str, int], str] = {}
    for path, read in tree.files.items():
        if path[-3:-2] == (FOLDERS[split],) and path[-1].isdecimal():
            post = read().decode("latin-1")
            posts[path[-2], int(path[-1])] = body(post) if strip else post
    if len(posts) != POSTS[split]:
        raise RequestError(
            f"{given('data', name)}: {len(posts)} posts in {FOLDERS[split]}, wanted "
            f"{POSTS[split]}; fetch {ARCHIVE} from {_HOME} again"
        )
    return [
        Document(posts[group, post], group, number)
        for number, (group, post) in enumerate(sorted(posts))
    ]


def body(post: str) -> str:
    """Return what its author wrote in a post, as far as simple rules tell.

    They are those of scikit-learn, in its order, so that results compare.

    Args:
        post: The whole post.

    Returns:
        The post without its header, footer and quotes; often nothing.

    References:
        sklearn.datasets.fetch_20newsgroups(remove=("headers", "footers", "quotes"))

    Example:
        >>> body("From: me\\n\\nYou wrote:\\n> no\\nYes.\\n\\n--\\nme")
        'Yes.\\n'
    """
    return without_quotes(without_footer(without_header(post)))


def without_header(post: str) -> str:
    """Return what follows the first empty line; nothing where there is none."""
    return post.partition("\n\n")[2]


def without_footer(post: str) -> str:
    """Return what precedes the last line that is blank or of hyphens, if any does."""
    lines = post.strip().split("\n")
    blank = [n for n, line in enumerate(lines) if not line.strip().strip("-")]
    last = max(blank, default=0)
    return "\n".join(lines[:last]) if last else post


def without_quotes(post: str) -> str:
    """Return the lines that neither are quoted nor introduce what is."""
    return "\n".join(line for line in post.split("\n") if not _QUOTING.search(line))
