"""What makes each member itself: random streams, varied values, examples, labels."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float, Int

from jaxorder.config import RunConfig, values_of_members
from jaxorder.members.streams import Streams, member_streams
from jaxorder.members.subsets import (
    differ,
    most_examples,
    sizes_differ,
    training_positions,
)


class Traits(NamedTuple):
    """What one member is trained by, or with a leading axis several.

    What all members have in common is None, or not among the values, and then costs
    nothing in a compiled step.

    Attributes:
        streams: Keys of the random streams.
        values: Options that vary over members, by field.
        positions: Training examples of its own, filled up with position 0.
        examples: How many of them count, where members have different numbers.
        label_vector: Which of the vectors of labels it is trained towards.
    """

    streams: Streams
    values: dict[str, Float[Array | np.ndarray, "*member"]]
    positions: Int[Array | np.ndarray, "*member position"] | None = None
    examples: Int[Array | np.ndarray, "*member"] | None = None
    label_vector: Int[Array | np.ndarray, "*member"] | None = None


def option_traits(config: RunConfig, first: int, members: int) -> Traits:
    """Return what members are by the options alone, their examples left open.

    Args:
        config: What was asked.
        first: First member.
        members: Members from there on.
    """
    found = values_of_members(config.varied, first, members)
    values: dict[str, Any] = {
        field: np.array(numbers, np.float32)
        for field, numbers in found.items()
        if field != "subset"  # which says how many examples
    }
    return Traits(member_streams(config, first, members), values)


def member_traits(
    config: RunConfig,
    labels: Int[np.ndarray, "example"],
    label_vectors: int,
    first: int,
    members: int,
) -> Traits:
    """Return what members first .. first + members - 1 are.

    Args:
        config: What was asked.
        labels: Classes of the training examples.
        label_vectors: Vectors of labels, over which members cycle; 0: there are none.
        first: First member.
        members: Members from there on.

    Returns:
        Arrays with a leading member axis.
    """
    traits = option_traits(config, first, members)
    if label_vectors:
        at = np.arange(first, first + members, dtype=np.int32) % label_vectors
        traits = traits._replace(label_vector=at)
    if not differ(config):
        return traits
    own = training_positions(config, labels, first, members)
    positions = np.zeros((members, most_examples(config, len(labels))), np.int32)
    for row, at in zip(positions, own, strict=True):
        row[: len(at)] = at
    traits = traits._replace(positions=positions)
    if not sizes_differ(config, len(labels)):
        return traits
    return traits._replace(examples=np.array([len(at) for at in own], np.int32))
