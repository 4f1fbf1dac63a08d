"""How far long work is: what is told of it, and how that is shown."""

from jaxorder.progress.choice import chosen

__all__ = ["chosen"]
