"""How long the gradients of examples are, of members as they were kept."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.special import softmax

from jaxorder.errors import RequestError
from jaxorder.models.last_layer import last_layer
from jaxorder.run.folder import Run, labels_of
from jaxorder.run.prediction import inspected


def gradient_norm(
    run: Run, split: str, step: int | None = None, *, model: Any = None
) -> Float[np.ndarray, "member example"]:
    """Return the length of each recorded example's gradient, of the last layer.

    The gradient of the cross-entropy for a dense layer's weights and bias is the error
    of the probabilities times what the layer is given, so that its length takes no
    pass back.

    Args:
        run: A run of networks that kept checkpoints.
        split: `train` or `test`.
        step: A step of which a checkpoint was kept; None: the last.
        model: The Linen module, where the run's was given as an object.

    Returns:
        float64, from 0 on, in the order of the record.

    Raises:
        RequestError: Where no such checkpoint was kept, the data cannot be loaded, or
            the network does not end with a dense layer.

    References:
        GraNd, Paul et al. 2021, theirs for all weights.
    """
    recorded = run.record(split)
    label = labels_of(recorded)
    inputs = _inputs(run, split, recorded["example_id"].values)
    found = inspected(run, inputs, step, last_layer, model=model)
    if not np.array_equal(found["logits"], found["output"], equal_nan=True):
        raise RequestError(
            f"{run.path}: gradients of the last layer: wanted a network that returns "
            "what its last dense layer does; this one changes it"
        )
    error = softmax(found["logits"].astype(float), axis=-1)
    error -= np.eye(error.shape[-1])[label]
    return np.linalg.norm(error, axis=-1) * np.sqrt(found["squares"])


def _inputs(run: Run, split: str, ids: Int[np.ndarray, "example"]) -> np.ndarray:
    """Return the inputs of the examples that were recorded, in the record's order."""
    loaded = run.config.load().split(split)
    order = np.argsort(loaded.ids)
    at = order[np.searchsorted(loaded.ids[order], ids)]
    return loaded.inputs[at]
