"""Accuracy over epochs."""

from collections.abc import Sequence

from jaxorder.report.blocks import Plate, Section
from jaxorder.report.figures.curves import (
    learning_curves,
    learning_overlay,
)
from jaxorder.report.numbers import (
    RunNumbers,
    nearest_snapshot,
)
from jaxorder.report.sections.drawn import Drawn, absent
from jaxorder.report.wording import (
    mean_deviation,
    short,
)


def learning(runs: Sequence[RunNumbers], drawn: Sequence[Drawn]) -> Section:
    """Draw accuracy over epochs."""
    blocks = absent(runs)
    if drawn:
        blocks.append(_learning_plate(drawn))
    return Section("learning", "How fast they learn", blocks)


def _learning_plate(drawn: Sequence[Drawn]) -> Plate:
    pictures = [learning_curves(d.test, d.train, d.name, d.look) for d in drawn]
    if len(drawn) > 1:
        pictures.append(learning_overlay([(d.test, d.name, d.look) for d in drawn]))
    return Plate(
        "How accurate are the networks, and how much do they differ?",
        "The line is the mean over the networks; the dark band holds the middle half of "
        "them, the light band all of them. Coloured: test examples; grey, dashed: "
        "training examples. Epochs are stretched at the left so that the first is seen.",
        pictures,
        [_learning_words(d) for d in drawn],
    )


def _learning_words(run: Drawn) -> str:
    test, train = run.test, run.train
    final = test.accuracy[-1]
    half = nearest_snapshot(test, 0.5 * float(test.mean_accuracy[-1]))
    return (
        f"{run.heading}: at epoch {short(float(test.epoch[-1]))} test accuracy "
        f"{mean_deviation(float(final.mean()), test.final_deviation)} "
        f"(from {final.min():.3f} to {final.max():.3f}), train "
        f"{mean_deviation(float(train.mean_accuracy[-1]), train.final_deviation)}; "
        f"half of the final test accuracy near epoch {short(float(test.epoch[half]))}."
    )
