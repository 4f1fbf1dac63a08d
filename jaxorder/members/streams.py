"""Named random streams: a member is a function of its seed and nothing else."""

import zlib
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Key, UInt64

from jaxorder.config import RunConfig

RANDOM = "threefry2x32"


class Streams(NamedTuple):
    """The keys of one member, or with a leading axis those of several.

    Attributes:
        init: Initial parameters.
        order: Order of the examples in each epoch.
        dropout: Dropped units in each step.
        augment: Changes to the images in each step.
    """

    init: Key[Array, "*member"]
    order: Key[Array, "*member"]
    dropout: Key[Array, "*member"]
    augment: Key[Array, "*member"]


def fold_name(key: Key[Array, ""], name: str) -> Key[Array, ""]:
    """Return the key of a named stream."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))


def collection_key(config: RunConfig) -> Key[Array, ""]:
    """Return a run's key: of the study's seed and, unless shared, its name."""
    root = jax.random.key(config.seed, impl=RANDOM)
    return fold_name(root, "any" if config.share_streams else config.key)


def member_keys(config: RunConfig, first: int, members: int) -> Key[Array, "member"]:
    """Return the keys of members first .. first + members - 1."""
    collection = collection_key(config)
    indices = np.arange(first, first + members, dtype=np.uint32)
    return jax.vmap(lambda i: jax.random.fold_in(collection, i))(indices)


def member_streams(config: RunConfig, first: int, members: int) -> Streams:
    """Return the streams of members first .. first + members - 1, member axis first.

    A frozen stream is the collection's own, the same for each of its members.
    """
    keys = member_keys(config, first, members)
    named = {
        name: jax.vmap(lambda key, name=name: fold_name(key, name))(keys)
        for name in Streams._fields
    }
    for name in config.frozen & named.keys():
        shared = fold_name(collection_key(config), name)
        named[name] = jax.vmap(lambda _, key=shared: key)(np.arange(members))
    return Streams(**named)


def seeds(config: RunConfig) -> UInt64[np.ndarray, "member"]:
    """Return each member's seed: the 64 bits that all of its streams come from.

    Two collections whose seeds overlap share mini-batches.
    """
    keys = member_keys(config, 0, config.members)
    words = np.asarray(jax.random.key_data(keys)).astype(np.uint64)
    return (words[:, 0] << np.uint64(32)) | words[:, 1]
