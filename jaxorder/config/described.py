"""JSON documents that jaxorder wrote: whole, and of a schema that it reads."""

from pathlib import Path
from typing import Any

from jaxorder.config.run import SCHEMA
from jaxorder.errors import RequestError
from jaxorder.files import read_json


def described(file: Path, *keys: str) -> dict[str, Any]:
    """Return a JSON document that jaxorder wrote.

    Args:
        file: File of it.
        *keys: Keys that it must have.

    Raises:
        RequestError: Where it is damaged, or another program's or version's.
    """
    try:
        document = read_json(file)
    except ValueError:  # not JSON, or not text
        document = None
    if not isinstance(document, dict) or not document.keys() >= set(keys):
        raise RequestError(
            f"{file}: damaged, or not written by jaxorder; must be JSON with "
            f"{', '.join(keys)}"
        )
    if document.get("schema", SCHEMA) != SCHEMA:
        raise RequestError(
            f"{file}: of schema {document['schema']}; this version of jaxorder reads "
            f"schema {SCHEMA}; use the version that wrote it"
        )
    return document
