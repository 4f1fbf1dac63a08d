"""What a source is asked for, as its reader gets it."""

from dataclasses import dataclass
from pathlib import Path

from jaxorder.spec import Spec


@dataclass(frozen=True)
class Words:
    """How texts become numbers, where that is settled already.

    Attributes:
        vocabulary: The words, by number.
        length: Words of each text.
    """

    vocabulary: tuple[str, ...]
    length: int


@dataclass(frozen=True)
class Request:
    """A source as it was asked for.

    Attributes:
        source: The whole text, which names the data set; errors begin with it.
        argument: A path or name behind the colon, "" where there is none.
        keys: What was given as key=value, with the source's defaults.
        data_dir: Folder of data sets that was given, if any.
        resize: Pixels to bring the images' sides to; None leaves them.
        words: How texts become numbers; None: as the training texts and the keys say.
    """

    source: str
    argument: str
    keys: Spec
    data_dir: Path | None = None
    resize: int | None = None
    words: Words | None = None
