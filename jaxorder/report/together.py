"""Words for how far members are wrong, or have learned, together."""

import math

from jaxorder.analysis.agreement import PairAgreement
from jaxorder.analysis.containment import HALF, Containment
from jaxorder.analysis.intervals import number
from jaxorder.analysis.shared_errors import ErrorAgreement
from jaxorder.report.wording import counted, percent

# Of fewer examples a share says little.
FEW = 30


def contained_words(pair: PairAgreement) -> str:
    """Tell how much of what the weaker has learned the stronger has, beside chance."""
    found = pair.containment
    learned = round(float(found.learned[HALF]))
    if not learned:
        return f"{pair.weaker} has learned no example"
    few = f"; {pair.stronger} has not learned {_few(found)}" * _says_little(found)
    return (
        f"of the {counted(learned, 'example')} on which more than half of "
        f"{pair.weaker} are right, more than half of {pair.stronger} are right on "
        f"{percents(found, HALF)}"
        f"{few}"
    )


def _says_little(found: Containment) -> bool:
    return float(found.unlearned[HALF]) < FEW


def _few(found: Containment) -> str:
    return f"{counted(round(float(found.unlearned[HALF])), 'example')} only"


def percents(found: Containment, at: int) -> str:
    """Write a share of a curve with its interval, beside what chance gives.

    Args:
        found: the curve.
        at: position of the threshold.
    """
    share, chance = float(found.share[at]), float(found.chance[at])
    if math.isnan(share):
        return "undefined"
    ends = f"{percent(float(found.low[at]))} to {percent(float(found.high[at]))}"
    return f"{percent(share)} ({ends}; chance {percent(chance)})"


def only_words(pair: PairAgreement) -> str:
    """Tell how many examples the stronger alone has learned, as its halves say."""
    if pair.only is None:
        return f"undefined ({pair.stronger} has one member)"
    only = pair.only
    if not only.selected:
        return f"half of {pair.stronger} names none"
    return (
        f"{only.confirmed:,} of the {only.selected:,} that half of {pair.stronger} "
        f"names are confirmed by the other half, {percent(only.share)} "
        f"({percent(only.low)} to {percent(only.high)}; chance {percent(only.chance)})"
    )


def errors_words(found: ErrorAgreement) -> str:
    """Write how often wrong answers agree, beside chance; or that none meet."""
    if math.isnan(found.share.estimate):
        return "undefined"
    return f"{found.share.text(few=False)} (chance {number(found.chance)})"
