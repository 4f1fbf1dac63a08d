"""Names of groups of the record beside the splits, and the probes that fill some."""

import re
from collections.abc import Sequence

from jaxorder.errors import RequestError, given

SPLITS = ("train", "test")
# what else a record holds beside the splits
TAKEN = (
    "input_mean",
    "input_deviation",
    "pca_components",
    "pca_mean",
    "label_vectors",
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


def check_group(option: str, name: str, asked: str) -> None:
    """Refuse a name that a group of the record cannot have.

    Args:
        option: The option that names it.
        name: The name.
        asked: What was given.

    Raises:
        RequestError: Where it is a split's or taken, or not fit for a file's name.
    """
    if name in (*SPLITS, *TAKEN):
        raise RequestError(
            f"{given(option, asked)}: {name} is the record's own; name it otherwise"
        )
    if not _NAME.fullmatch(name) or name.endswith(".json"):
        raise RequestError(
            f"{given(option, asked)}: wanted a name of letters, digits, '_', '-' and "
            f"'.', that begins with a letter or digit, got {name!r}"
        )


def parse_probes(texts: Sequence[str]) -> dict[str, str]:
    """Return the sources of probes by name.

    Args:
        texts: `NAME=SOURCE` each.

    Raises:
        RequestError: Where a text does not have that form, or a name is taken.

    Example:
        >>> parse_probes(["noisy=npz:noisy.npz", "digits=digits"])
        {'noisy': 'npz:noisy.npz', 'digits': 'digits'}
    """
    found: dict[str, str] = {}
    for text in texts:
        name, _, source = text.partition("=")
        if not (name and source):
            raise RequestError(
                f"{given('probe', text)}: must be NAME=SOURCE, as noisy=npz:noisy.npz"
            )
        check_group("probe", name, text)
        if name.lower() in {known.lower() for known in found}:
            raise RequestError(f"{given('probe', texts)}: names {name} twice")
        found[name] = source
    return found
