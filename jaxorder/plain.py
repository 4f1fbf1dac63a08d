"""Whatever a command or a run says, as JSON values."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Return a dataclass, or anything in one, as JSON values; NaN becomes None.

    Tuples with names for their fields become dictionaries of these.

    Example:
        >>> plain({"a": (1.0, float("nan")), 2: np.arange(2)})
        {'a': [1.0, None], '2': [0, 1]}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)
        }
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        named: Any = value
        return plain(named._asdict())
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
