"""Resolves references to values of a run in task parameters: `{{job.parameters.x}}`, `{{tasks.x.values.y}}`, `{{input}}` …"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from .error import BundleError

REFERENCE = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")


def fill(value: Any, known: Mapping[str, Any], place: str) -> Any:
    """Returns `value` with every reference replaced. Raises BundleError with `place` if one is unknown."""
    if isinstance(value, list):
        return [fill(inner, known, place) for inner in value]
    if isinstance(value, dict):
        return {key: fill(inner, known, place) for key, inner in value.items()}
    if not isinstance(value, str):
        return value
    return REFERENCE.sub(lambda found: as_text(_find(found[1], known, place)), value)


def as_text(value: Any) -> str:
    """Returns a value as a task receives it: text unchanged, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _find(path: str, known: Mapping[str, Any], place: str) -> Any:
    value: Any = known
    for step in path.split("."):
        if not isinstance(value, Mapping) or step not in value:
            raise BundleError(f"{place}: {{{{{path}}}}} is unknown")
        value = value[step]
    return value
