"""Parses the dashboards with the model that was generated from the service's own description. usage: parse.py FILE...

The model is older than some of the current properties. Everything that it knows must survive a round trip.
"""
import json
import sys
from importlib.metadata import version
from pathlib import Path

from databricks.labs.lsql.lakeview.model import Dashboard

# Properties that are newer than the model.
NEWER = {"pageType", "layoutVersion", "multilineTextboxSpec", "displayName", "format"}


def missing(given, kept, place):
    """Yields the places of values that did not survive the round trip."""
    if isinstance(given, dict):
        for key, value in given.items():
            if key == "queryLines":
                if kept.get("query") != "".join(value):
                    yield f"{place}.{key}"
            elif key in NEWER and (not isinstance(kept, dict) or key not in kept):
                continue
            elif not isinstance(kept, dict) or key not in kept:
                # The model omits false values.
                if value is not False:
                    yield f"{place}.{key}"
            else:
                yield from missing(value, kept[key], f"{place}.{key}")
    elif isinstance(given, list):
        if len(given) != len(kept):
            yield place
        for at, (one, other) in enumerate(zip(given, kept)):
            yield from missing(one, other, f"{place}[{at}]")
    elif given != kept:
        yield place


lost = False
for file in map(Path, sys.argv[1:]):
    given = json.loads(file.read_text(encoding="utf-8"))
    for place in missing(given, Dashboard.from_dict(given).as_dict(), file.name):
        print(f"error: the model does not know {place}", file=sys.stderr)
        lost = True
if not lost:
    print(f"every dashboard parses: lsql {version('databricks-labs-lsql')}, {len(sys.argv) - 1} dashboards")
