"""Accuracy over epochs."""

from collections.abc import Sequence

from jaxorder.report.blocks import Plate, Section
from jaxorder.report.figures.curves import learning_curves, learning_overlay
from jaxorder.report.numbers import RunNumbers, nearest_snapshot
from jaxorder.report.sections.drawn import Drawn, absent
from jaxorder.report.wording import mean_deviation, short


def learning(runs: Sequence[RunNumbers], drawn: Sequence[Drawn]) -> Section:
    """Draw accuracy over epochs."""
    blocks = absent(runs)
    if drawn:
        blocks.append(_plate(drawn))
    return Section("learning", "How fast do they learn?", blocks)


def _plate(drawn: Sequence[Drawn]) -> Plate:
    pictures = [learning_curves(d.test, d.train, d.name, d.look) for d in drawn]
    if len(drawn) > 1:
        overlay = learning_overlay([(d.test, d.name, d.look) for d in drawn])
        pictures.insert(0, overlay)
    return Plate(
        "How accurate are the networks, and how much do they differ?",
        "Lines are means over the networks (coloured: test examples; grey, dashed: "
        "training examples); the dark band holds the middle half of the networks, the "
        "light band all of them. Epochs are stretched at the left, to show the first.",
        pictures,
        [_words(d) for d in drawn],
        # four stand better as two by two than as three and one
        grid="large" if len(pictures) in (2, 4) else "middle",
    )


def _words(run: Drawn) -> str:
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
