"""Accuracy over the time of training."""

from collections.abc import Sequence

from jaxorder.analysis.numbers import SplitNumbers
from jaxorder.analysis.snapshots import nearest_snapshot
from jaxorder.report.blocks import Plate, Section
from jaxorder.report.figures.curves import learning_curves, learning_overlay
from jaxorder.report.shown import Page, Shown, absent, shown_nouns
from jaxorder.report.wording import mean_deviation, moment


def learning(page: Page) -> Section:
    """Draw accuracy over the time of training."""
    blocks = absent(page.runs)
    if page.shown:
        blocks.append(_plate(page.shown))
    return Section("learning", "How fast do they learn?", blocks)


def _plate(shown: Sequence[Shown]) -> Plate:
    pictures = [learning_curves(d.test, d.train, d.name, d.look) for d in shown]
    if len(shown) > 1:
        overlay = learning_overlay([(d.test, d.name, d.look) for d in shown])
        pictures.insert(0, overlay)
    member = shown_nouns(shown).member
    return Plate(
        f"How accurate are the {member}s, and how much do they differ?",
        f"Lines are means over the {member}s (coloured: test examples; grey, dashed: "
        "training examples); the dark band holds the middle half of them, the light "
        "band all. Time is stretched at the left, to show the first.",
        pictures,
        [_words(d) for d in shown],
        contradicted=f"Wide bands: {member}s that fare differently have no common "
        "course, and means over them speak for none of them.",
        # four stand better as two by two than as three and one
        grid="large" if len(pictures) in (2, 4) else "middle",
    )


def _words(run: Shown) -> str:
    test, train = run.test, run.train
    final = test.accuracy[-1]
    half = nearest_snapshot(test, 0.5 * float(test.mean_accuracy[-1]))
    return (
        f"{run.heading}: at {moment(test, -1)} test accuracy "
        f"{mean_deviation(float(final.mean()), test.final_deviation)} "
        f"(from {final.min():.3f} to {final.max():.3f}){_on_train(train)}; "
        f"half of the final test accuracy near {moment(test, half)}."
    )


def _on_train(train: SplitNumbers | None) -> str:
    if train is None:
        return ""
    final = float(train.mean_accuracy[-1])
    return f", train {mean_deviation(final, train.final_deviation)}"
