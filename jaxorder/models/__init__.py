"""Architectures: the only place that knows Flax."""

from jaxorder.models.linen import from_module
from jaxorder.models.model import Inputs, Model
from jaxorder.models.own import is_object, object_name
from jaxorder.models.registry import (
    ARCHITECTURES,
    architecture,
    build,
    forward_flops,
    layer_flops,
    options_text,
    parameter_count,
)

__all__ = [
    "ARCHITECTURES",
    "Inputs",
    "Model",
    "architecture",
    "build",
    "forward_flops",
    "from_module",
    "is_object",
    "layer_flops",
    "object_name",
    "options_text",
    "parameter_count",
]
