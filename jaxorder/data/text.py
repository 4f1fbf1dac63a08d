"""Texts as the numbers of their words, and the source of texts of one's own."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int32

from jaxorder.data.archive import refuse_unreadable
from jaxorder.data.cache import SPLITS, cached
from jaxorder.data.dataset import Dataset, Split
from jaxorder.data.request import Request
from jaxorder.data.rows import SUFFIXES, Row, read_rows
from jaxorder.data.subset import stratified
from jaxorder.errors import RequestError, given
from jaxorder.spec import Spec

PADDING, UNKNOWN = 0, 1
SPECIAL = ("<pad>", "<unknown>")
SPLIT = "split"  # the column that names the split
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def words(document: str) -> list[str]:
    """Return a text's words: lower-cased runs of letters and digits.

    Args:
        document: Any text. An apostrophe between two letters or digits belongs to the
            word, and a typographic one is as good as a straight one.

    Returns:
        The words in their order.

    Example:
        >>> words("DON'T panic: the_answer is '42'.")
        ["don't", 'panic', 'the', 'answer', 'is', '42']
    """
    return _WORD.findall(document.lower().replace("\u2019", "'"))


def most_frequent(documents: Iterable[str], size: int) -> tuple[str, ...]:
    """Return the vocabulary of training texts.

    Args:
        documents: The training texts.
        size: Most words to take.

    Returns:
        The most frequent words, the most frequent first and ties by code points,
        behind the two that stand for padding and for any other word.

    Example:
        >>> most_frequent(["a rose is a rose", "is it"], 3)
        ('<pad>', '<unknown>', 'a', 'is', 'rose')
    """
    counts: Counter[str] = Counter()
    for document in documents:
        counts.update(words(document))
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    return (*SPECIAL, *ranked[:size])


def tokenise(
    documents: Sequence[str], vocabulary: Sequence[str], length: int
) -> Int32[np.ndarray, "example {length}"]:
    """Number the words of texts.

    Args:
        documents: The texts.
        vocabulary: The words by number, those of `most_frequent`.
        length: How many words of each text to keep, from its first on.

    Returns:
        Numbers of words: 0 behind a text's end, 1 for a word not in the vocabulary.

    Example:
        >>> vocabulary = most_frequent(["a rose is a rose"], 2)
        >>> tokenise(["is a rose a flower", "A rose."], vocabulary, 4)
        array([[1, 2, 3, 2], [2, 3, 0, 0]], dtype=int32)
    """
    numbers = {word: number for number, word in enumerate(vocabulary)}
    tokens = np.full((len(documents), length), PADDING, np.int32)
    for row, document in zip(tokens, documents, strict=True):
        found = [numbers.get(word, UNKNOWN) for word in words(document)[:length]]
        row[: len(found)] = found
    return tokens


@dataclass(frozen=True)
class Document:
    """A labelled text.

    Attributes:
        text: Its words and all between them.
        label: Name of its class.
        number: Its position in the source.
        where: File and line, to say what is wrong with it.
        split: Which one the source says it belongs to, "" where it says nothing.
    """

    text: str
    label: str
    number: int
    where: str = ""
    split: str = ""


@dataclass(frozen=True)
class Sizes:
    """How much is kept of texts.

    Attributes:
        length: Words of each text.
        vocabulary: Words that are told apart.
        known: The words themselves, by number, where they are settled already.
    """

    length: int
    vocabulary: int
    known: tuple[str, ...] = ()

    @classmethod
    def asked(cls, request: Request) -> "Sizes":
        """Return what a request's keys say, or the words that are settled."""
        keys, words = request.keys, request.words
        asked = cls(keys.whole("length"), keys.whole("vocabulary"))
        if words is None:
            return asked
        return cls(words.length, len(words.vocabulary), words.vocabulary)


def text_dataset(
    name: str,
    train: Sequence[Document],
    test: Sequence[Document],
    classes: Sequence[str],
    sizes: Sizes,
) -> Dataset:
    """Make a data set of texts; unless known, the words are the training texts'.

    Args:
        name: What to call it.
        train: Texts to learn.
        test: Texts that are only predicted.
        classes: The labels, in the order in which they are to be numbered.
        sizes: How much of them is kept.

    Returns:
        The data set. Its facts are the length, the number of words in the vocabulary,
        and which share of the words kept of the test texts is not in it.
    """
    texts = (one.text for one in train)
    vocabulary = sizes.known or most_frequent(texts, sizes.vocabulary)
    number = {label: position for position, label in enumerate(classes)}
    learned, predicted = (
        Split(
            tokenise([one.text for one in split], vocabulary, sizes.length),
            np.array([number[one.label] for one in split]),
            np.array([one.number for one in split]),
            tokens=True,
        )
        for split in (train, test)
    )
    facts = {
        "length": sizes.length,
        "words": len(vocabulary) - len(SPECIAL),
        "unknown_share_test": _unknown_share(predicted.inputs),
    }
    names = tuple(classes)
    return Dataset(name, learned, predicted, names, "none", vocabulary, facts)


def _unknown_share(tokens: Int32[np.ndarray, "example token"]) -> float:
    shown = int((tokens != PADDING).sum())
    return round(int((tokens == UNKNOWN).sum()) / max(shown, 1), 4)


def text(request: Request) -> Dataset:
    """Texts of your own: train and test in a folder, or one file, .csv or .jsonl."""
    path = Path(request.argument).expanduser()
    sizes = Sizes.asked(request)
    how = (sizes, request.keys["text"], request.keys["label"])
    asked = given("data", request.source)
    with refuse_unreadable(asked):
        if not path.exists():
            raise RequestError(
                f"{asked}: is not there; wanted a .csv or .jsonl file, or a folder "
                "with two, train and test"
            )
        return cached(request.source, path, partial(_load, path, request, sizes), how)


def _load(path: Path, request: Request, sizes: Sizes) -> Dataset:
    if path.is_dir():
        files = [_file(path, split, request) for split in SPLITS]
        train, test = (_documents(file, request) for file in files)
    else:
        train, test = _divide(_documents(path, request), request)
    classes = _classes(train, test, request)
    return text_dataset(request.source, train, test, classes, sizes)


def _file(folder: Path, split: str, request: Request) -> Path:
    names = [split + suffix for suffix in SUFFIXES]
    found = [name for name in names if (folder / name).is_file()]
    if len(found) != 1:
        holds = " and ".join(found) or "neither " + " nor ".join(names)
        raise RequestError(
            f"{given('data', request.source)}: the folder holds {holds}; wanted one of "
            "them"
        )
    return folder / found[0]


def _divide(
    documents: Sequence[Document], request: Request
) -> tuple[list[Document], list[Document]]:
    if any(document.split for document in documents):
        in_test = _as_the_column_says(documents)
    else:
        in_test = _fixed_fifth(documents)
    train = list(itertools.compress(documents, ~in_test))
    test = list(itertools.compress(documents, in_test))
    if not (train and test):
        raise RequestError(
            f"{given('data', request.source)}: '{SPLIT}' is {documents[0].split} in "
            "every row; wanted rows of train and of test, or no such column"
        )
    return train, test


def _as_the_column_says(documents: Sequence[Document]) -> Bool[np.ndarray, "example"]:
    for document in documents:
        if document.split not in SPLITS:
            raise RequestError(
                f"{document.where}: '{SPLIT}' is {document.split!r}; wanted train or "
                "test"
            )
    return np.array([document.split == "test" for document in documents])


def _fixed_fifth(documents: Sequence[Document]) -> Bool[np.ndarray, "example"]:
    names, labels, counts = np.unique(
        [document.label for document in documents],
        return_inverse=True,
        return_counts=True,
    )
    rare = np.flatnonzero(counts[labels] < 2)
    if rare.size:
        document = documents[rare[0]]
        raise RequestError(
            f"{document.where}: the only text of the class {document.label!r}; wanted "
            "two or more, since a fifth becomes the test split, or a column "
            f"'{SPLIT}' of train and test"
        )
    in_test = np.zeros(len(documents), bool)
    in_test[stratified(labels, max(len(documents) // 5, names.size))] = True
    return in_test


def _classes(
    train: Sequence[Document], test: Sequence[Document], request: Request
) -> list[str]:
    classes = {document.label for document in train}
    if len(classes) == 1:
        raise RequestError(
            f"{given('data', request.source)}: all training texts are of the class "
            f"{min(classes)!r}; wanted two classes or more"
        )
    for document in test:
        if document.label not in classes:
            raise RequestError(
                f"{document.where}: no training text is of the class "
                f"{document.label!r}; add some, or remove the row"
            )
    if all(re.fullmatch("-?[0-9]+", label) for label in classes):
        return sorted(classes, key=lambda label: (int(label), label))
    return sorted(classes)


def _documents(file: Path, request: Request) -> list[Document]:
    place = f"{given('data', request.source)}: {file.name}"
    return [
        _document(row, number, request.keys)
        for number, row in enumerate(read_rows(file, place))
    ]


def _document(row: Row, number: int, keys: Spec) -> Document:
    for role in ("text", "label"):
        if keys[role] not in row.values:
            raise RequestError(
                f"{row.where}: no {keys[role]!r} (there are "
                f"{', '.join(map(repr, row.values))}); name the column with "
                f"{role}=NAME"
            )
    document, label = row.values[keys["text"]], row.values[keys["label"]]
    if not (isinstance(document, str) and _WORD.search(document)):
        raise _refused(row, keys["text"], "a text with at least one word")
    if isinstance(label, bool) or not isinstance(label, str | int):
        raise _refused(row, keys["label"], "a text or a whole number")
    if not str(label).strip():
        raise _refused(row, keys["label"], "the name of a class")
    split = str(row.values.get(SPLIT) or "")
    return Document(document, str(label).strip(), number, row.where, split)


def _refused(row: Row, key: str, wanted: str) -> RequestError:
    got = repr(row.values[key])[:40]
    return RequestError(f"{row.where}: {key!r} is {got}, wanted {wanted}")
