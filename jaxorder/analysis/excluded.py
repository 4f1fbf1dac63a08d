"""Members whose predictions count in no number, and why."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Bool

from jaxorder import record
from jaxorder.run.folder import Run


@dataclass(frozen=True)
class Excluded:
    """A member whose predictions do not count.

    Attributes:
        member: Its position in the ensemble.
        reason: Why, as the end of a sentence that starts with the member.
    """

    member: int
    reason: str


def excluded_members(run: Run) -> Iterator[Excluded]:
    """Find the members that are not finite, or not as far as the foremost.

    Args:
        run: The run.

    Yields:
        The members, in their order; none where nothing is recorded.
    """
    blocks = record.commits(run.path)
    most = max((commit.snapshots for commit in blocks), default=0)
    if not most:
        return
    dataset = run.record(run.splits[0])
    finite = np.asarray(dataset["finite"])
    done = record.committed(blocks, most, dataset.sizes["member"])
    for member in np.flatnonzero(~finite[-1]):
        yield Excluded(
            int(member),
            _not_finite(dataset, finite[:, member])
            if done[-1, member]
            else f"has {done[:, member].sum()} of the {most} snapshots recorded so far",
        )


def _not_finite(dataset: xr.Dataset, finite: Bool[np.ndarray, "snapshot"]) -> str:
    # the last run of snapshots that are not finite is what excludes it
    last = np.flatnonzero(finite)
    first = int(last[-1]) + 1 if len(last) else 0
    step, epoch = int(dataset["step"][first]), float(dataset["epoch"][first])
    return f"diverged: not finite from step {step:,} (epoch {epoch:.3g}) on"
