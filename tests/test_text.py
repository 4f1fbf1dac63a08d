import csv
import itertools
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxorder.data import newsgroups
from jaxorder.data import text as module
from jaxorder.data.dataset import Dataset, Split
from jaxorder.data.newsgroups import body, find_newsgroups, newsgroups20
from jaxorder.data.request import Request
from jaxorder.data.text import most_frequent, text, tokenise, words
from jaxorder.errors import RequestError, given
from jaxorder.spec import Spec

TEXT = {"text": "text", "label": "label", "length": "200", "vocabulary": "10000"}
NEWS = {"strip": "true", "length": "200", "vocabulary": "10000"}


def asked(path: Path, **keys: str) -> Request:
    source = f"text:{path}"
    return Request(source, str(path), spec(source, path, {**TEXT, **keys}))


def news(path: Path | str = "", data_dir: Path | None = None, **keys: str) -> Request:
    source = f"newsgroups20:{path}" if path else "newsgroups20"
    asked = spec(source, path, {**NEWS, **keys})
    return Request(source, str(path), asked, data_dir)


def spec(source: str, path: Path | str, values: dict[str, str]) -> Spec:
    return Spec(source, source, str(path), values, given("data", source))


def refusal(path: Path, **keys: str) -> str:
    with pytest.raises(RequestError) as caught:
        text(asked(path, **keys))
    return without_start(caught.value, f'data="text:{path}": ')


def news_refusal(request: Request) -> str:
    with pytest.raises(RequestError) as caught:
        newsgroups20(request)
    return without_start(caught.value, f'data="{request.source}": ')


def without_start(error: BaseException, start: str) -> str:
    message = str(error)
    assert "\n" not in message
    assert message.startswith(start)
    return message.removeprefix(start)


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rows(count: int = 23, classes: int = 3) -> list[dict[str, Any]]:
    return [{"text": f"word{i} all", "label": f"c{i % classes}"} for i in range(count)]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write a csv or jsonl file by the ending of its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".jsonl":
            file.writelines(json.dumps(row) + "\n" for row in rows)
        else:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return path


def shown(dataset: Dataset, split: Split) -> list[str]:
    """Return the texts that the numbers stand for."""
    return [
        " ".join(dataset.vocabulary[number] for number in row if number)
        for row in split.inputs
    ]


class TestTokens:
    @pytest.mark.parametrize(
        ("document", "found"),
        [
            ("The cat, the CAT; the-cat.", "the cat the cat the cat"),
            (
                "Don't 'quote' O'Neill's rock'n'roll '' '",
                "don't quote o'neill's rock'n'roll",
            ),
            ("don\u2019t \u2018quote\u2019", "don't quote"),
            ("snake_case 3.14 x2 a@b.org", "snake case 3 14 x2 a b org"),
            ("Äpfel naïve ΣΟΦΟΣ Привет 数据", "äpfel naïve σοφος привет 数据"),
            ("\n\t-- !? __", ""),
        ],
    )
    def test_words(self, document: str, found: str):
        assert words(document) == found.split()

    def test_the_vocabulary_ends_at_its_size_and_ties_are_alphabetical(self):
        documents = ["b b b a a", "d c e e", "c d"]
        ranked = ("<pad>", "<unknown>", "b", "a", "c", "d", "e")
        for size in range(1, 9):
            assert most_frequent(documents, size) == ranked[: 2 + size]

    def test_number_0_is_padding_and_1_any_other_word(self):
        vocabulary = ("<pad>", "<unknown>", "b", "a")
        tokens = tokenise(["a b c", "", "<pad> b. B! b", "z"], vocabulary, 3)
        assert tokens.dtype == np.int32
        assert tokens.tolist() == [[3, 2, 1], [0, 0, 0], [1, 2, 2], [1, 0, 0]]


class TestText:
    @pytest.mark.parametrize("train", ["train.csv", "train.jsonl"])
    @pytest.mark.parametrize("test", ["test.csv", "test.jsonl"])
    def test_a_folder_of_two_files(self, tmp_path: Path, train: str, test: str):
        write_rows(
            tmp_path / train,
            [
                {"text": "Good, good film", "label": "pos"},
                {"text": "A bad\nfilm", "label": "neg"},
                {"text": 'It\'s "so" good', "label": "pos"},
            ],
        )
        write_rows(tmp_path / test, [{"label": "neg", "text": "bad bad popcorn"}])
        dataset = text(asked(tmp_path, length="3", vocabulary="3"))
        assert dataset.name == f"text:{tmp_path}"
        assert dataset.scaling == "none"
        assert dataset.class_names == ("neg", "pos")
        # good 3, film 2, then a, bad, it's, so
        assert dataset.vocabulary == ("<pad>", "<unknown>", "good", "film", "a")
        assert dataset.train.tokens
        assert dataset.train.inputs.tolist() == [[2, 2, 3], [4, 1, 3], [1, 1, 2]]
        assert dataset.test.inputs.tolist() == [[1, 1, 1]]
        assert dataset.train.labels.tolist() == [1, 0, 1]
        assert dataset.test.labels.tolist() == [0]
        assert dataset.train.ids.tolist() == [0, 1, 2]
        assert dataset.facts == {"length": 3, "words": 3, "unknown_share_test": 1.0}

    @pytest.mark.parametrize("name", ["all.csv", "all.JSONL"])
    def test_one_file_with_a_column_split(self, tmp_path: Path, name: str):
        which = ["test" if i % 4 == 1 else "train" for i in range(23)]
        path = tmp_path / name.lower()
        both = [{**r, "split": s} for r, s in zip(rows(), which, strict=True)]
        path = write_rows(path, both).rename(tmp_path / name)
        dataset = text(asked(path))
        assert dataset.test.ids.tolist() == [1, 5, 9, 13, 17, 21]
        assert dataset.train.ids.size == 17
        assert shown(dataset, dataset.train)[:2] == ["word0 all", "word2 all"]
        # no word but "all" of the test texts occurs in training
        assert shown(dataset, dataset.test) == ["<unknown> all"] * 6
        assert dataset.facts == {"length": 200, "words": 18, "unknown_share_test": 0.5}

    def test_one_file_without_gives_a_fixed_fifth(self, tmp_path: Path):
        dataset = text(asked(write_rows(tmp_path / "all.csv", rows(104, 4))))
        assert np.bincount(dataset.test.labels).tolist() == [5, 5, 5, 5]
        assert np.bincount(dataset.train.labels).tolist() == [21] * 4
        both = np.concatenate([dataset.train.ids, dataset.test.ids])
        assert np.array_equal(np.sort(both), np.arange(104))
        again = text(asked(write_rows(tmp_path / "all.jsonl", rows(104, 4))))
        assert again.digest == dataset.digest

    def test_each_class_is_in_both_splits_of_few_rows(self, tmp_path: Path):
        dataset = text(asked(write_rows(tmp_path / "all.csv", rows(6, 3))))
        for split in (dataset.train, dataset.test):
            assert sorted(split.labels.tolist()) == [0, 1, 2]

    @pytest.mark.parametrize(
        ("labels", "classes"),
        [
            (["10", "9", "-1"], ("-1", "9", "10")),
            ([10, 9, -1], ("-1", "9", "10")),
            (["10", "9", "x"], ("10", "9", "x")),
            ([" b", "a ", "B"], ("B", "a", "b")),
        ],
    )
    def test_classes_are_sorted_integers_by_number(
        self, tmp_path: Path, labels: list[Any], classes: tuple[str, ...]
    ):
        some = [{"text": "a word", "label": label} for label in labels * 2]
        for name in ("all.csv", "all.jsonl"):
            dataset = text(asked(write_rows(tmp_path / name, some)))
            assert dataset.class_names == classes

    def test_other_names_of_columns(self, tmp_path: Path):
        some = [
            {"id": i, "body": r["text"], "y": r["label"]} for i, r in enumerate(rows())
        ]
        path = write_rows(tmp_path / "all.csv", some)
        assert text(asked(path, text="body", label="y")).class_names == (
            "c0",
            "c1",
            "c2",
        )

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_what_spreadsheets_write(self, tmp_path: Path, end: str):
        lines = [
            "text,label",
            '"Eins, ""zwei""\n\ndrei",a',
            "",
            "Größe,b",
            "vier,a",
            "x,b",
        ]
        path = write(tmp_path / "all.csv", b"\xef\xbb\xbf" + end.join(lines).encode())
        dataset = text(asked(path))
        both = shown(dataset, dataset.train) + shown(dataset, dataset.test)
        assert len(both) == 4
        assert dataset.class_names == ("a", "b")
        train = module._documents(path, asked(path))
        assert train[0].text == 'Eins, "zwei"\n\ndrei'
        assert [row.number for row in train] == [0, 1, 2, 3]
        assert [row.where.split()[-1] for row in train] == ["2", "6", "7", "8"]

    def test_long_texts(self, tmp_path: Path):
        limit = csv.field_size_limit()
        long = [{"text": "word " * limit, "label": c} for c in "aabb"]
        dataset = text(asked(write_rows(tmp_path / "all.csv", long), length="7"))
        assert dataset.train.inputs.tolist() == [[2] * 7] * 2
        assert csv.field_size_limit() == limit

    def test_lines_of_jsonl_end_at_line_feeds_only(self, tmp_path: Path):
        lines = [f'{{"text": "a\u2028b\u0085c", "label": {i % 2}}}' for i in range(4)]
        dataset = text(
            asked(write(tmp_path / "all.jsonl", "\r\n".join(lines) + "\n\n"))
        )
        assert shown(dataset, dataset.test) == ["a b c"] * 2

    def test_reads_once_and_again_after_a_change(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        path = write_rows(tmp_path / "once.csv", rows())
        first = text(asked(path))
        assert text(asked(path, length="1")).input_shape == (1,)
        write_rows(path, rows(24))
        assert text(asked(path)).train.ids.size == first.train.ids.size + 1
        monkeypatch.setattr(module, "read_rows", None)  # a call would raise
        again = text(asked(path))
        assert again.vocabulary[-1] == "word9"
        assert again.facts == {"length": 200, "words": 21, "unknown_share_test": 0.5}


class TestTextRefuses:
    def test_keys_out_of_range(self, tmp_path: Path):
        assert (
            refusal(tmp_path, length="0") == "length=0 must be a whole number from 1 on"
        )
        assert refusal(tmp_path, vocabulary="many").startswith(
            "vocabulary=many must be"
        )

    def test_what_is_not_there(self, tmp_path: Path):
        assert refusal(tmp_path / "no.csv") == (
            "is not there; wanted a .csv or .jsonl file, or a folder with two, train "
            "and test"
        )

    def test_files_of_another_kind(self, tmp_path: Path):
        assert refusal(write(tmp_path / "a.tsv", "text\tlabel\n")) == (
            "a.tsv ends with none of .csv, .jsonl; convert it to one"
        )

    def test_what_cannot_be_read(self, tmp_path: Path):
        (tmp_path / "gone").symlink_to(tmp_path / "no")
        write_rows(tmp_path / "train.csv", rows())
        assert "No such file" in refusal(tmp_path)

    def test_folders_without_or_with_too_many_files(self, tmp_path: Path):
        write_rows(tmp_path / "train.csv", rows())
        assert refusal(tmp_path) == (
            "the folder holds neither test.csv nor test.jsonl; wanted one of them"
        )
        write_rows(tmp_path / "train.jsonl", rows())
        assert refusal(tmp_path) == (
            "the folder holds train.csv and train.jsonl; wanted one of them"
        )

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("", "a.csv holds no row; wanted one for each text"),
            ("text,label\n\n", "a.csv holds no row; wanted one for each text"),
            (
                "Text,topic\na,b\n",
                "a.csv line 2: no 'text' (there are 'Text', 'topic'); name the column "
                "with text=NAME",
            ),
            (
                "text;label\na;b\n",
                "a.csv line 2: no 'text' (there are 'text;label'); name the column ",
            ),
            (
                "text,y\na,b\n",
                "a.csv line 2: no 'label' (there are 'text', 'y'); name the column "
                "with label=NAME",
            ),
            (
                'text,label\n"a\nb",x\n,y\n',
                "a.csv line 4: 'text' is '', wanted a text with at least one word",
            ),
            (
                "text,label\na,x\n--- !,y\n",
                "a.csv line 3: 'text' is '--- !', wanted a text with at least one word",
            ),
            (
                "text,label\na,x\nb, \n",
                "a.csv line 3: 'label' is ' ', wanted the name of a class",
            ),
            (
                "text,label\na,x\nHello, world,y\n",
                "a.csv line 3: not as many fields (3) as in the header (2); put texts ",
            ),
            (
                "text,label\na,x\nb\n",
                "a.csv line 3: not as many fields (1) as in the header (2); put texts ",
            ),
            (
                'text,label\na,x\n"never closed,y\nb,x\n',
                "a.csv line 3: no row of csv (unexpected end of data); put texts with",
            ),
            ('"text', "a.csv line 1: no row of csv (unexpected end of data); put tex"),
            (
                b"text,label\na,x\ncaf\xe9,y\n",
                "a.csv line 3: not UTF-8 (byte 0xe9); save the file as UTF-8",
            ),
            (
                "text,label\na,x\nb,x\n",
                "all training texts are of the class 'x'; wanted two classes or more",
            ),
            (
                'text,label\na,x\nb,"y\nz"\nc,x\n',
                "a.csv line 3: the only text of the class 'y\\nz'; wanted two or more, "
                "since a fifth becomes the test split, or a column 'split' of train ",
            ),
            (
                "text,label,split\na,x,train\nb,y,dev\n",
                "a.csv line 3: 'split' is 'dev'; wanted train or test",
            ),
            (
                "text,label,split\na,x,train\nb,y,\n",
                "a.csv line 3: 'split' is ''; wanted train or test",
            ),
            (
                "text,label,split\na,x,train\nb,y,train\n",
                "'split' is train in every row; wanted rows of train and of test, ",
            ),
            (
                "text,label,split\na,x,train\nb,y,train\nc,z,test\n",
                "a.csv line 4: no training text is of the class 'z'; add some, or "
                "remove the row",
            ),
        ],
    )
    def test_wrong_csv_files(self, tmp_path: Path, content: str | bytes, said: str):
        assert refusal(write(tmp_path / "a.csv", content)).startswith(said)

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            (
                '{"text": "a", "label": }',
                "no JSON (column 24: Expecting value); wanted one object a line",
            ),
            ('["a", "b"]', '\'["a", "b"]\' is no JSON object; wanted one a line'),
            ('{"label": 3}', "no 'text' (there are 'label'); name the column with "),
            ('{"text": 5, "label": 3}', "'text' is 5, wanted a text with at least one"),
            ('{"text": null, "label": 3}', "'text' is None, wanted a text with at le"),
            ('{"text": "a", "label": null}', "'label' is None, wanted a text or a who"),
            ('{"text": "a", "label": 0.5}', "'label' is 0.5, wanted a text or a whole"),
            ('{"text": "a", "label": true}', "'label' is True, wanted a text or a who"),
        ],
    )
    def test_wrong_lines_of_jsonl(self, tmp_path: Path, line: str, said: str):
        write_rows(tmp_path / "train.csv", rows())
        good = '{"text": "a", "label": 1}\n\n'
        write(tmp_path / "test.jsonl", good + line + "\n")
        assert refusal(tmp_path).startswith(f"test.jsonl line 3: {said}")

    def test_a_label_that_only_the_test_file_has(self, tmp_path: Path):
        write_rows(tmp_path / "train.csv", rows(23, 3))
        write_rows(tmp_path / "test.csv", rows(7, 4))
        assert refusal(tmp_path).startswith(
            "test.csv line 5: no training text is of the class 'c3'; "
        )


POST = """From: me
Subject: again

In article <1>, you wrote:
> never
Well, ever.
| neither
--
My name
"""


def write_posts(folder: Path) -> Path:
    """Write 3 + 2 posts to two groups, as the archive holds them."""
    write(folder / "20news-bydate-train" / "sci.b" / "9", POST)
    write(
        folder / "20news-bydate-train" / "sci.b" / "10",
        "To: b\n\nLa bo\xeete".encode("latin-1"),
    )
    write(folder / "20news-bydate-train" / "sci.a" / "11", "To: a\n\n> only quoted\n")
    write(folder / "20news-bydate-test" / "sci.a" / "1", "To: a\n\nEver gone.")
    write(folder / "20news-bydate-test" / "sci.b" / "2", "To: b\n\n> no\n> no\n")
    return folder


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newsgroups, "POSTS", {"train": 3, "test": 2})


@pytest.mark.usefixtures("few")
class TestNewsgroups:
    def test_posts_by_group_and_number(self, tmp_path: Path):
        dataset = newsgroups20(news(write_posts(tmp_path / "news")))
        assert dataset.class_names == ("sci.a", "sci.b")
        assert shown(dataset, dataset.train) == ["", "well ever", "la boîte"]
        assert shown(dataset, dataset.test) == ["ever <unknown>", ""]
        assert dataset.train.labels.tolist() == [0, 1, 1]
        assert dataset.train.ids.tolist() == [0, 1, 2]
        assert dataset.facts == {
            "length": 200,
            "words": 4,
            "unknown_share_test": 0.5,
            "empty_train": 1,
            "empty_test": 1,
        }

    def test_whole_posts(self, tmp_path: Path):
        path = write_posts(tmp_path / "news")
        dataset = newsgroups20(news(path, strip="false", length="5"))
        assert shown(dataset, dataset.train) == [
            "to a only quoted",
            "from me subject again in",
            "to b la boîte",
        ]
        assert (dataset.facts["empty_train"], dataset.facts["empty_test"]) == (0, 0)

    def test_the_archive_as_its_folder(self, tmp_path: Path):
        path = write_posts(tmp_path / "news")
        with tarfile.open(tmp_path / "mine.tgz", "w:gz") as archive:
            for folder in sorted(path.iterdir(), reverse=True):
                archive.add(folder, folder.name)
        packed = newsgroups20(news(tmp_path / "mine.tgz"))
        assert packed.digest == newsgroups20(news(path)).digest

    @pytest.mark.parametrize("place", ["", "newsgroups20", "../newsgroups20"])
    def test_is_found_in_the_folder_of_data_sets(self, tmp_path: Path, place: str):
        data_dir = tmp_path / "tfds"
        data_dir.mkdir()
        assert find_newsgroups("", data_dir) is None
        found = write_posts((data_dir / place).resolve())
        assert find_newsgroups("", data_dir) == found
        archive = write(found / "20news-bydate.tar.gz", b"")
        assert find_newsgroups("", data_dir) == archive
        assert find_newsgroups(str(found), None) == archive

    def test_is_found_in_the_folder_of_the_cache(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("JAXORDER_CACHE", str(tmp_path))
        write_posts(tmp_path)
        assert find_newsgroups("", tmp_path / "other") == tmp_path
        assert newsgroups20(news()).train.ids.size == 3

    def test_refuses_where_it_is_nowhere(self, tmp_path: Path, cache: Path):
        assert news_refusal(news(data_dir=tmp_path / "tfds")) == (
            "no 20news-bydate.tar.gz, nor the two folders in it, in "
            f"{tmp_path / 'tfds'}, {tmp_path / 'tfds' / 'newsgroups20'}, "
            f"{tmp_path / 'newsgroups20'}, {cache}; fetch it from "
            "https://people.csail.mit.edu/jrennie/20Newsgroups/ and put it there, or "
            "give newsgroups20:PATH"
        )
        path = tmp_path / "no.tar.gz"
        assert f"nor the two folders in it, in {path}; fetch" in news_refusal(
            news(path)
        )

    def test_refuses_another_number_of_posts(self, tmp_path: Path):
        path = write_posts(tmp_path / "news")
        (path / "20news-bydate-test" / "sci.b" / "2").unlink()
        assert news_refusal(news(path)).startswith(
            "1 posts in 20news-bydate-test, wanted 2; fetch 20news-bydate.tar.gz from "
        )

    def test_refuses_a_truncated_archive(self, tmp_path: Path):
        archive = write(tmp_path / "20news-bydate.tar.gz", b"\x1f\x8b")
        assert news_refusal(news(archive)).startswith("cannot be read (")

    def test_refuses_wrong_keys(self):
        assert news_refusal(news(strip="some")).startswith("strip=some must be one of ")
        assert news_refusal(news(length="0")).startswith("length=0 must be a whole ")


def test_the_rules_for_bodies_are_those_of_scikit_learn(real_data: Path):
    theirs = pytest.importorskip("sklearn.datasets._twenty_newsgroups")
    posts = ["", "\n\n", "a", "\n\n\n--\n", "a\n\n---\n\nb", POST]
    with tarfile.open(archive(real_data)) as file:
        members = (member for member in file if member.isfile())
        for member in itertools.islice(members, 1000):
            content = file.extractfile(member)
            assert content
            posts.append(content.read().decode("latin-1"))
    for post in posts:
        expected = theirs.strip_newsgroup_header(post)
        expected = theirs.strip_newsgroup_footer(expected)
        assert body(post) == theirs.strip_newsgroup_quoting(expected)


def archive(real_data: Path) -> Path:
    return real_data / "newsgroups20" / "20news-bydate.tar.gz"


def test_the_real_posts(real_data: Path, monkeypatch: pytest.MonkeyPatch):
    dataset = newsgroups20(news(data_dir=real_data / "tfds"))
    assert dataset.name == "newsgroups20"
    assert dataset.class_names[::19] == ("alt.atheism", "talk.religion.misc")
    for split, size, first, last in (
        (dataset.train, 11314, 480, 377),
        (dataset.test, 7532, 319, 251),
    ):
        assert split.inputs.shape == (size, 200)
        assert np.bincount(split.labels)[::19].tolist() == [first, last]
    # "ax" is of a few encoded files, not of English
    assert dataset.vocabulary[2:8] == ("the", "ax", "to", "of", "a", "and")
    assert dataset.facts == {
        "length": 200,
        "words": 10000,
        "unknown_share_test": 0.0855,
        "empty_train": 310,
        "empty_test": 223,
    }
    monkeypatch.setattr(newsgroups, "open_tree", None)  # a call would raise
    again = newsgroups20(news(data_dir=real_data / "tfds"))
    assert again.digest == dataset.digest
    assert again.facts == dataset.facts
