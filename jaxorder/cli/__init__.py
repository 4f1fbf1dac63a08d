"""The command line."""

from jaxorder.cli.app import main

__all__ = ["main"]
