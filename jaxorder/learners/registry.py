"""The learners by name: their keys, what their time is, what sets members apart."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from jaxorder.errors import RequestError
from jaxorder.learners.ensembles import (
    DEPTH,
    adaboost,
    gradient_boosting,
    random_forest,
)
from jaxorder.learners.growing import knn, lda, naive_bayes, svm
from jaxorder.learners.linear import perceptron, sgd
from jaxorder.learners.problem import Fit
from jaxorder.spec import SKLEARN as PREFIX
from jaxorder.spec import Spec, parse_model, unknown


class Time(NamedTuple):
    """What stands for the time of training.

    Attributes:
        axis: What it is called on an axis.
        unit: What one moment of it is called, before its number.
        length: Where its length comes from: a key, the epochs, or the examples there
            are.
    """

    axis: str
    unit: str
    length: Literal["rounds", "trees", "epochs", "examples"]


ROUNDS = Time("boosting rounds", "round", "rounds")
TREES = Time("trees", "tree", "trees")
EPOCHS = Time("epochs", "epoch", "epochs")
SHARE = Time("share of the training set", "training share", "examples")


@dataclass(frozen=True)
class Learner:
    """What is known of a learner.

    Attributes:
        name: As in `sklearn:NAME`.
        summary: A line for a listing.
        keys: Each key's default, as text.
        time: What its time is.
        random: The stream that its own chance comes from: `init`, `order`, or none:
            it is deterministic, trained to the end on the same examples.
        fit: Keys to the function that learns and predicts.
        stream: The stream that its seed comes from.
        sparse: Whether it takes bags of words.
        surplus: Examples that it needs beyond one a class.
    """

    name: str
    summary: str
    keys: Mapping[str, str]
    time: Time
    random: Literal["init", "order"] | None
    fit: Callable[[Spec], Fit]
    sparse: bool = True
    surplus: int = 0

    @property
    def stream(self) -> str:
        """The named stream that a member's seed is drawn from."""
        return "order" if self.time in (EPOCHS, SHARE) else "init"

    @property
    def grows(self) -> bool:
        """Whether it has no time of its own and is fitted to growing training sets."""
        return self.time.length == "examples"

    def options(self, text: str) -> Spec:
        """Return the keys of a model string, defaults filled in."""
        return parse_model(text).filled(self.keys)


LEARNERS: dict[str, Learner] = {
    learner.name: learner
    for learner in (
        Learner(
            "adaboost",
            "AdaBoost of stumps, trees or linear classifiers, by rounds",
            {"weak": "stump", "depth": DEPTH, "rate": "1", "rounds": "100"},
            ROUNDS,
            None,
            adaboost,
        ),
        Learner(
            "gradient_boosting",
            "gradient boosting of trees over histograms, by rounds",
            {"leaves": "31", "rate": "0.1", "rounds": "100"},
            ROUNDS,
            None,
            gradient_boosting,
            sparse=False,
        ),
        Learner(
            "random_forest",
            "a random forest, by trees",
            {"trees": "100", "depth": "none", "bootstrap": "true"},
            TREES,
            "init",
            random_forest,
        ),
        Learner(
            "sgd",
            "logistic regression by single examples, by epoch",
            {"alpha": "0.0001"},
            EPOCHS,
            "order",
            sgd,
        ),
        Learner("perceptron", "perceptrons, by epoch", {}, EPOCHS, "order", perceptron),
        Learner(
            "svm",
            "a support vector machine on growing training sets",
            {"kernel": "rbf", "C": "1"},
            SHARE,
            None,
            svm,
        ),
        Learner(
            "knn",
            "k nearest neighbours on growing training sets",
            {"k": "5"},
            SHARE,
            None,
            knn,
        ),
        Learner(
            "naive_bayes",
            "naive Bayes on growing training sets",
            {"smoothing": "auto"},
            SHARE,
            None,
            naive_bayes,
        ),
        Learner(
            "lda",
            "linear discriminants on growing training sets",
            {"shrinkage": "none"},
            SHARE,
            None,
            lda,
            sparse=False,
            surplus=1,
        ),
    )
}


def is_learner(text: str) -> bool:
    """Whether a model string names a learner that is not a network."""
    return text.startswith(f"{PREFIX}:")


def learner(text: str) -> Learner:
    """Return the learner of a model string.

    Raises:
        RequestError: Where the name or a key is unknown.
    """
    spec = parse_model(text)
    if spec.argument not in LEARNERS:
        raise RequestError(unknown("learner", spec.asked, spec.argument, LEARNERS))
    known = LEARNERS[spec.argument]
    spec.filled(known.keys)
    return known
