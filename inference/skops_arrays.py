"""Reads dictionaries and lists of arrays from a skops file.

skops is what writes one. To read it, skops imports all of scikit-learn, which takes seconds, and what is read here
needs nothing of either: no other types are taken, and nothing that is read can run code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np

_SCHEMA = "schema.json"
_PROTOCOL = 2


def read_arrays(path: Path) -> Any:
    """What a file holds.

    Raises:
        ValueError: it is no skops file of a known protocol, or holds anything but arrays in dictionaries by name and in
            lists.
    """
    try:
        with ZipFile(path) as file:
            schema = json.loads(file.read(_SCHEMA))
            if schema["protocol"] != _PROTOCOL:
                raise ValueError(f"protocol {schema['protocol']} of skops, expected {_PROTOCOL}")
            return _value(schema, file)
    except (OSError, BadZipFile, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not a skops file ({type(error).__name__}: {error})") from error


def _value(node: Mapping[str, Any], file: ZipFile) -> Any:
    kind = f"{node['__module__']}.{node['__class__']}"
    if kind == "builtins.dict":
        return {str(name): _value(inner, file) for name, inner in node["content"].items()}
    if kind == "builtins.list":
        return [_value(inner, file) for inner in node["content"]]
    if kind == "numpy.ndarray" and node["type"] == "numpy":
        with file.open(node["file"]) as array:
            return np.lib.format.read_array(array, allow_pickle=False)
    raise ValueError(f"holds {kind}, expected arrays in dictionaries and lists")
