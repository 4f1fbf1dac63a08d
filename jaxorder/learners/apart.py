"""What sets the members of a learner apart: their examples, features and seeds."""

import jax
import numpy as np
from jaxtyping import Int, Integer

from jaxorder.config import RunConfig
from jaxorder.errors import RequestError, given
from jaxorder.learners.registry import Learner
from jaxorder.learners.work import Member
from jaxorder.members import subsets
from jaxorder.members.streams import collection_key, fold_name, member_keys

FEATURES = "features"


def member(
    config: RunConfig,
    learner: Learner,
    labels: Integer[np.ndarray, "example"],
    features: int,
    index: int,
) -> Member:
    """Return one member, a function of the study's seed, the model and its number.

    Args:
        config: What was asked.
        learner: Which learner.
        labels: Classes of the training examples.
        features: Features there are.
        index: The member's number.

    Returns:
        Its examples, features and seed.
    """
    return Member(
        index,
        positions(config, labels, index),
        half_of_features(config, features, index),
        seed(config, learner.stream, index),
    )


def positions(
    config: RunConfig, labels: Integer[np.ndarray, "example"], index: int
) -> Int[np.ndarray, "position"] | None:
    """Return the training examples of a member; None where it has all of them."""
    if not subsets.differ(config):
        return None
    return subsets.training_positions(config, labels, index, 1)[0]


def half_of_features(
    config: RunConfig, features: int, index: int
) -> Int[np.ndarray, "chosen"] | None:
    """Return the features that a member sees: its own random half, or None for all.

    Reference:
        The random subspace method, Ho 1998.
    """
    if config.resample != "features":
        return None
    (key,) = member_keys(config, index, 1)
    with jax.threefry_partitionable(True):
        bits = jax.random.bits(fold_name(key, FEATURES), (features,), np.uint32)
    chosen = np.argsort(np.asarray(bits), kind="stable")[: max(1, features // 2)]
    return np.sort(chosen)


def seed(config: RunConfig, stream: str, index: int) -> int:
    """Return the seed of a member's learner, of 32 bits, from a named stream."""
    (key,) = member_keys(config, index, 1)
    if stream in config.frozen:
        key = collection_key(config)
    with jax.threefry_partitionable(True):
        return int(jax.random.bits(fold_name(key, stream), (), np.uint32))


# ---- members that would be one


def check_members(config: RunConfig, learner: Learner) -> None:
    """Refuse an ensemble some members of which would be equal.

    Raises:
        RequestError: Where neither chance nor resampling sets members apart.
    """
    own = learner.random is not None and learner.random not in config.frozen
    if config.members == 1 or own or config.resample == FEATURES:
        return
    asked = f"{given('model', config.model)} {given('members', config.members)}"
    if config.parts and config.members > config.parts:
        raise RequestError(
            f"{asked}: {_why(learner)}, so members on the same of the parts of "
            f"{given(config.trained_on, config.parts)} would be equal; give "
            f"{given('members', config.parts)} at most, or more parts"
        )
    if not config.parts and not _own_examples(config):
        raise RequestError(
            f"{asked}: {_why(learner)}, so all members would be equal; give "
            f"{given('resample')} bootstrap or features, {given('subset')}, "
            f"{given('folds')} or {given('disjoint')}, or {given('members', 1)}"
        )


def _why(learner: Learner) -> str:
    if learner.random is None:
        return "the learner is deterministic"
    return f"its only chance, the stream {learner.random}, is shared by all members"


def _own_examples(config: RunConfig) -> bool:
    """Whether each member draws examples of its own."""
    drawn = subsets.differ(config) and config.subset != 1.0
    return drawn and subsets.STREAM not in config.frozen


def check_examples(
    config: RunConfig, learner: Learner, labels: Integer[np.ndarray, "example"]
) -> None:
    """Refuse members whose examples cannot be learned from.

    Raises:
        RequestError: Where a member has examples of one class only, or too few.
    """
    trained_on = [labels]
    if subsets.differ(config):
        at = subsets.training_positions(config, labels, 0, config.members)
        trained_on = [labels[own] for own in at]
    for index, own in enumerate(trained_on):
        classes = len(np.unique(own))
        if classes < 2 or len(own) < classes + learner.surplus:
            raise RequestError(
                f"{given('model', config.model)}: member {index} would be trained on "
                f"{len(own)} examples of {classes} classes; it needs two classes and "
                f"{learner.surplus} examples more than classes; give more examples"
            )


def what_differs(config: RunConfig, learner: Learner) -> str:
    """Tell, for people, what sets members apart."""
    found = []
    if config.resample:
        found.append(f"their {_RESAMPLED[config.resample]}")
    elif subsets.differ(config):
        found.append("their parts of the training examples")
    if learner.stream == "order" and "order" not in config.frozen:
        found.append("the order of their examples")
    if learner.random == "init" and "init" not in config.frozen:
        found.append("the learner's own chance")
    return " and ".join(found) or "nothing"


_RESAMPLED = {
    "bootstrap": "bootstrap samples of the training examples",
    FEATURES: "random halves of the features",
}
