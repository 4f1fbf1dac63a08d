"""What can be asked of data, and the data that are asked for."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jaxorder.errors import RequestError, given
from jaxorder.options import Checked, option, options, share, whole

if TYPE_CHECKING:
    from jaxorder.data.dataset import Dataset

Noise = Literal["symmetric", "pair", "shuffle"]
Duplicates = Literal["exact", "near"]
Scaling = Literal["standard", "unit"]
ClassesBy = Literal["name", "index", "none"]

SEED = whole(least=0, most=2**32 - 1)
SIZE = whole(least=1)


@options
class DataOptions(Checked):
    """Which data, and what is done to them before they are learned."""

    data: str = option(
        "Source of the data, as `jaxorder data list` lists them.", default=""
    )
    data_dir: Path | str | None = option(
        "Folder of prepared TFDS data sets (else TFDS's own).", default=None
    )
    resize: int | None = option(
        "Resize images to this many pixels a side.", default=None, check=SIZE
    )
    classes: str | None = option(
        "Keep these classes only, by number or name, joined by commas.", default=None
    )
    drop_duplicates: Duplicates | None = option(
        "Drop examples that are exactly or nearly an earlier one.", default=None
    )
    train_examples: int | None = option(
        "Train on this many examples, a fixed stratified choice.",
        default=None,
        check=SIZE,
    )
    test_examples: int | None = option(
        "Test on this many examples, a fixed stratified choice.",
        default=None,
        check=SIZE,
    )
    label_noise: float = option(
        "Share of the training labels to change.", default=0.0, check=share
    )
    noise: Noise = option(
        "To any other class, to the next class, or among the chosen examples.",
        default="symmetric",
    )
    noise_seed: int = option("Seed of the label noise.", default=0, check=SEED)
    shuffle_labels: bool = option("Shuffle all training labels.", default=False)
    shuffle_seed: int = option("Seed of the shuffled labels.", default=0, check=SEED)
    pca: int | None = option(
        "Project the inputs onto this many principal components.",
        default=None,
        check=SIZE,
    )
    scaling: Scaling = option(
        "Inputs of mean 0 and deviation 1, or unit: bytes divided by 255.",
        default="standard",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.data:
            raise RequestError(
                f"{given('data')}: must name a source of data, as digits; "
                "`jaxorder data list` lists them"
            )
        if self.shuffle_labels and self.label_noise:
            raise RequestError(
                f"{given('shuffle_labels')}: not with "
                f"{given('label_noise', self.label_noise)}, since shuffling leaves no "
                "label to change; give one of them"
            )

    def load(self) -> "Dataset":
        """Return the data, transformed as asked.

        Returns:
            The data set; the ids of its examples are positions in the source.

        Raises:
            RequestError: There is no such source, it is not there or not readable, its
                arrays are not as they must be, or what is asked cannot be done to it.
        """
        # it knows what can be asked for
        from jaxorder.data.sources import read

        return read(self)
