"""What a run fills into the parameters of its tasks: `{{job.parameters.x}}`, `{{tasks.x.values.y}}`, `{{input}}` …"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from .fault import Fault

REFERENCE = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")


def fill(value: Any, known: Mapping[str, Any], place: str) -> Any:
    """`value` with every reference in it replaced; `place` names it where one is not known, which is a Fault."""
    if isinstance(value, list):
        return [fill(inner, known, place) for inner in value]
    if isinstance(value, dict):
        return {key: fill(inner, known, place) for key, inner in value.items()}
    if not isinstance(value, str):
        return value
    return REFERENCE.sub(lambda found: as_text(_find(found[1], known, place)), value)


def as_text(value: Any) -> str:
    """A value as a task gets it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _find(path: str, known: Mapping[str, Any], place: str) -> Any:
    value: Any = known
    for step in path.split("."):
        if not isinstance(value, Mapping) or step not in value:
            raise Fault(f"{place}: {{{{{path}}}}} is not known here")
        value = value[step]
    return value
