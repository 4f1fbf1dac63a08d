"""Which training examples a member is trained on, where members differ in that.

Positions are a function of the seed, the member's number and the labels alone, worked
out on the host: the same for a network and for a learner that is none, alone and among
others, today and when the run is grown.
"""

from collections.abc import Iterator

import jax
import numpy as np
from jaxtyping import Array, Int, Key

from jaxorder.config import RunConfig, values_of_members
from jaxorder.errors import RequestError, given
from jaxorder.members.streams import RANDOM, collection_key, fold_name, member_keys

Positions = Int[np.ndarray, "position"]
STREAM = "subset"


def differ(config: RunConfig) -> bool:
    """Whether members are trained on examples of their own."""
    return config.trained_on != "all"


def sizes_differ(config: RunConfig, examples: int) -> bool:
    """Whether members are trained on different numbers of the training examples.

    As `most_examples`, it does not depend on how many members there are.
    """
    uneven = bool(config.parts and examples % config.parts)
    return "subset" in config.varied or uneven


def most_examples(config: RunConfig, examples: int) -> int:
    """Return how many examples the member with the most of them may be trained on.

    Args:
        config: What was asked.
        examples: Training examples there are.

    Returns:
        A number that does not depend on how many members there are.

    Raises:
        RequestError: Where a member would have none.
    """
    shares = _shares(config)
    for share in shares:
        if not _size(share, examples):
            raise RequestError(
                f"{given('subset', share)}: less than half an example of {examples:,}; "
                f"give a share from {1 / examples:.2g} on"
            )
    if config.parts and config.parts > examples:
        raise RequestError(
            f"{given(config.trained_on, config.parts)}: more parts than the "
            f"{examples:,} training examples; give fewer"
        )
    if config.disjoint:
        return -(-examples // config.disjoint)
    if config.folds:
        return examples - examples // config.folds
    return max(_size(share, examples) for share in shares)


def _shares(config: RunConfig) -> tuple[float, ...]:
    """Return the shares of the examples that members draw."""
    return config.varied.get("subset", (config.subset or 1.0,))


def _size(share: float, examples: int) -> int:
    return round(share * examples)


def training_positions(
    config: RunConfig, labels: Int[np.ndarray, "example"], first: int, members: int
) -> list[Positions]:
    """Return the training examples of members first .. first + members - 1.

    Args:
        config: What was asked.
        labels: Classes of the training examples.
        first: First member.
        members: Members from there on.

    Returns:
        Sorted positions among the training examples, for each member; one that a
        bootstrap drew several times is there as often.
    """
    if config.parts:
        parts = partition(config, labels)
        of = [parts == part for part in part_of(config, first, members)]
        return [np.flatnonzero(own if config.disjoint else ~own) for own in of]
    return list(_draws(config, len(labels), first, members))


def part_of(config: RunConfig, first: int, members: int) -> Int[np.ndarray, "member"]:
    """Return the part that each member is trained on, or that is left out of it."""
    assert config.parts
    return np.arange(first, first + members) % config.parts


def partition(
    config: RunConfig, labels: Int[np.ndarray, "example"]
) -> Int[np.ndarray, "example"]:
    """Return the part of each training example, the same for every architecture.

    Within a class examples are dealt to the parts in a random order, so that parts
    differ by one example at most in size and hardly in the shares of classes.
    """
    root = jax.random.key(config.seed, impl=RANDOM)
    shuffled = _shuffled(fold_name(root, STREAM), len(labels))
    dealt = shuffled[np.argsort(labels[shuffled], kind="stable")]
    parts = np.empty(len(labels), int)
    parts[dealt] = np.arange(len(labels)) % (config.parts or 1)
    return parts


def _draws(
    config: RunConfig, examples: int, first: int, members: int
) -> Iterator[Positions]:
    shares = values_of_members(config.varied, first, members).get("subset")
    keys = _keys(config, first, members)
    for member in range(members):
        if config.trained_on == "bootstrap":
            bits = jax.random.randint(keys[member], (examples,), 0, examples)
            yield np.sort(np.asarray(bits))
            continue
        share = shares[member] if shares else config.subset or 1.0
        yield np.sort(_shuffled(keys[member], examples)[: _size(share, examples)])


def _keys(config: RunConfig, first: int, members: int) -> Key[Array, "member"]:
    if STREAM in config.frozen:
        shared = fold_name(collection_key(config), STREAM)
        return jax.vmap(lambda _: shared)(np.arange(members))
    own = member_keys(config, first, members)
    return jax.vmap(lambda key: fold_name(key, STREAM))(own)


def _shuffled(key: Key[Array, ""], examples: int) -> Positions:
    with jax.threefry_partitionable(True):
        bits = np.asarray(jax.random.bits(key, (examples,), np.uint32))
    return np.argsort(bits, kind="stable")
