"""What was probably meant by an option that there is none of."""

from collections.abc import Sequence

from cyclopts import CycloptsError
from cyclopts.exceptions import UnknownOptionError

# What other tools call these options.
SYNONYMS = {
    "--architecture": "--models",
    "--batch": "--batch-size",
    "--bs": "--batch-size",
    "--dataset": "--data",
    "--epoch": "--epochs",
    "--ensemble-size": "--members",
    "--lr": "--learning-rate",
    "--model": "--models",
    "--n-members": "--members",
    "--networks": "--members",
    "--num-members": "--members",
    "--optim": "--optimizer",
    "--output": "--out",
    "--output-dir": "--out",
    "--save-dir": "--out",
    "--wd": "--weight-decay",
}


def unparsed(error: CycloptsError, words: Sequence[str]) -> str:
    """Return the line that refuses a command line that cannot be parsed.

    Args:
        error: What the parser says.
        words: The command line.
    """
    if not isinstance(error, UnknownOptionError):
        return str(error)
    meant = {w: SYNONYMS[n] for w in words if (n := w.partition("=")[0]) in SYNONYMS}
    for word, option in meant.items():
        if word in str(error):
            return f"Unknown option: {word}. Did you mean {option}?"
    return str(error)
