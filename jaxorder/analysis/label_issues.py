"""Which labels of a run are likely wrong, and what members that never saw them say."""

import os
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from jaxorder.analysis.inputs import Run, begun, opened
from jaxorder.analysis.label_quality import label_quality
from jaxorder.analysis.unseen import Unseen
from jaxorder.errors import RequestError
from jaxorder.run.folder import labels_of


def label_issues(
    run: Run | str | os.PathLike[str], split: str = "train"
) -> pd.DataFrame:
    """Rank the examples of a run by how likely their labels are wrong.

    By members that an example was left out of, as of `--folds` or `--subset`, and over
    all epochs of the training. Where all members saw all examples, what they learned
    by heart speaks for wrong labels, too; so train with folds. Test examples no member
    saw.

    Args:
        run: a run, as `jaxorder.open_run` gives, or its folder; best one that recorded
            `true_logprob`.
        split: "train" or "test".

    Returns:
        A frame with one row an example, the likeliest error first, and the columns

        - example_id, label: and label_name, where classes have names;
        - label_quality: in [0, 1], how likely the label is right (`label_quality`);
        - suggested, suggested_name: the class that those members vote for most;
        - held_out_members: how many members never saw the example; 0 where none is
          left, and all members count.

    Raises:
        RequestError: no snapshot, or no finite member, is recorded yet.
    """
    run = begun(opened(run), split)
    if run.labels == "original":
        raise RequestError(
            f"label issues of {run.name!r}: members tell of the labels that they were "
            "trained towards; leave the original labels out"
        )
    unseen = Unseen(run.usable(split), split)
    kept, votes = unseen.kept, unseen.votes()
    columns: dict[str, Any] = {
        "example_id": kept["example_id"].values,
        "label": labels_of(kept),
        "label_quality": quality(unseen, votes),
        "suggested": votes.argmax(axis=1),
        "held_out_members": unseen.members,
    }
    if "class_names" in kept.attrs:
        names = np.asarray(kept.attrs["class_names"], object)
        for column in ("label", "suggested"):
            columns[f"{column}_name"] = names[columns[column]]
    frame = pd.DataFrame(columns)
    return frame.sort_values("label_quality", kind="stable", ignore_index=True)


def quality(
    unseen: Unseen, votes: Float[np.ndarray, "example class"]
) -> Float[np.ndarray, " example"]:
    """Measure how likely labels are right, by all that was recorded of them."""
    confidences, counted = unseen.confidences(), unseen.counted
    held_out = np.mean(confidences, axis=0, where=counted)
    met = np.count_nonzero(unseen.seen, axis=0)
    trained = np.sum(confidences, axis=0, where=unseen.seen) / np.where(
        met, met, np.nan
    )
    return label_quality(votes, labels_of(unseen.kept), held_out, trained)
