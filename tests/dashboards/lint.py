"""Checks the dashboards against the rules of their format, which has no schema. usage: lint.py FILE...

A dashboard that breaks one of these rules deploys without an error, and then shows an error in place of a widget.
"""
import json
import re
import sys
from pathlib import Path

VERSIONS = {"counter": 2, "table": 2, "bar": 3, "line": 3, "pie": 3, "area": 3, "scatter": 3, "pivot": 3, "combo": 1,
            "filter-single-select": 2, "filter-multi-select": 2, "filter-date-range-picker": 2}
NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
EXPRESSION = re.compile(r"""`\w+`|(?:SUM|AVG|COUNT|MIN|MAX)\(`\w+`\)|COUNT\(DISTINCT `\w+`\)|COUNT\(`\*`\)"""
                        r"""|DATE_TRUNC\("(?:DAY|WEEK|MONTH|QUARTER|YEAR)", `\w+`\)""")
NEEDED = {"bar": ("x", "y"), "line": ("x", "y"), "area": ("x", "y"), "scatter": ("x", "y"), "counter": ("value",), "table": ("columns",)}


def problems(dashboard):
    """Yields the problems of a dashboard, each with its place."""
    names, datasets = set(), {}
    for dataset in dashboard.get("datasets", ()):
        place = f"dataset {dataset.get('name')}"
        if not NAME.fullmatch(dataset.get("name", "")):
            yield place, "its name is not of letters, digits, - and _, at most 60"
        if dataset.get("name") in datasets:
            yield place, "is there twice"
        if not dataset.get("displayName"):
            yield place, "has no title"
        lines = dataset.get("queryLines")
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            yield place, "has no queryLines"
            lines = []
        # The lines are concatenated without separators.
        for line in lines[:-1]:
            if not line.endswith("\n"):
                yield place, f"a line does not end: {line!r}"
        sql = "".join(lines)
        datasets[dataset.get("name")] = sql
        if ";" in sql or not re.match(r"\s*(SELECT|WITH)\b", sql):
            yield place, "is not one SELECT"
        for table in re.findall(r"\b(?:FROM|JOIN)\s+([\w.`]+)", sql):
            if "." in table or "`" in table:
                yield place, f"{table} names its schema, which the deployment does"
        for word in re.findall(r":(?!:)([a-z]\w*)", re.sub(r"'[^']*'", "", sql)):
            if word not in [parameter.get("keyword") for parameter in dataset.get("parameters", ())]:
                yield place, f"has no parameter {word}"
    if not datasets:
        yield "dashboard", "has no dataset"
    if not dashboard.get("pages"):
        yield "dashboard", "has no page"
    for page in dashboard.get("pages", ()):
        place = f"page {page.get('name')}"
        if not NAME.fullmatch(page.get("name", "")) or not page.get("displayName"):
            yield place, "has no good name or no title"
        if page.get("pageType") not in ("PAGE_TYPE_CANVAS", "PAGE_TYPE_GLOBAL_FILTERS") or page.get("layoutVersion") != "GRID_V1":
            yield place, "has no pageType or is not of GRID_V1"
        yield from misplaced(place, page.get("layout", ()))
        for item in page.get("layout", ()):
            widget = item["widget"]
            if widget.get("name") in names:
                yield f"widget {widget.get('name')}", "is there twice"
            names.add(widget.get("name"))
            yield from widget_problems(widget, datasets)
    used = {query["query"]["datasetName"] for page in dashboard.get("pages", ()) for item in page.get("layout", ())
            for query in item["widget"].get("queries", ())}
    for unused in sorted(set(datasets) - used):
        yield f"dataset {unused}", "is shown nowhere"


def misplaced(place, layout):
    """Rows must be full, have one height, and follow each other without a gap."""
    rows = {}
    for item in layout:
        rows.setdefault(item["position"]["y"], []).append(item["position"])
    below = 0
    for y, row in sorted(rows.items()):
        row.sort(key=lambda position: position["x"])
        if y != below:
            yield place, f"a row begins at y {y} where {below} is free"
        x = 0
        for position in row:
            if position["x"] != x:
                yield place, f"in the row at y {y} something begins at x {position['x']} where {x} is free"
            x += position["width"]
        if x != 12:
            yield place, f"the row at y {y} is {x} wide, not 12"
        if len({position["height"] for position in row}) != 1:
            yield place, f"the row at y {y} has several heights"
        below = y + row[0]["height"]


def widget_problems(widget, datasets):
    place = f"widget {widget.get('name')}"
    if not NAME.fullmatch(widget.get("name", "")):
        yield place, "its name is not of letters, digits, - and _, at most 60"
    if "multilineTextboxSpec" in widget:
        lines = widget["multilineTextboxSpec"].get("lines", ())
        if "spec" in widget or len(lines) != 1:
            yield place, "a text has no spec and one line, because its lines are joined"
        return
    spec = widget.get("spec", {})
    kind = spec.get("widgetType")
    if VERSIONS.get(kind) is None or spec.get("version") != VERSIONS[kind]:
        yield place, f"is a {kind} of version {spec.get('version')}, and there is {VERSIONS.get(kind)}"
    if not spec.get("frame", {}).get("showTitle") or not spec["frame"].get("title"):
        yield place, "has no title that is shown"
    fields, by_query = set(), {}
    for query in widget.get("queries", ()):
        asked = query["query"]
        if asked.get("datasetName") not in datasets:
            yield place, f"asks dataset {asked.get('datasetName')}, which is not there"
        by_query[query["name"]] = {field["name"] for field in asked.get("fields", ())}
        fields |= by_query[query["name"]]
        if not isinstance(asked.get("disaggregated"), bool):
            yield place, "does not say whether it is disaggregated"
        for field in asked.get("fields", ()):
            if not EXPRESSION.fullmatch(field["expression"]):
                yield place, f"{field['expression']} is none of the expressions that every dashboard knows"
            is_aggregate = re.match(r"(SUM|AVG|COUNT|MIN|MAX)\(", field["expression"])
            if is_aggregate and asked.get("disaggregated"):
                yield place, f"{field['expression']} in a query that is disaggregated"
    if not by_query:
        yield place, "asks nothing"
    is_filter = str(kind).startswith("filter-")
    if is_filter and any(query["query"].get("disaggregated") for query in widget["queries"]):
        yield place, "a filter is never disaggregated"
    if not is_filter and list(by_query) != ["main_query"]:
        yield place, "its query is not called main_query"
    if not is_filter and kind == "counter" and widget["queries"][0]["query"].get("disaggregated"):
        yield place, "a counter shows one row, so it aggregates"
    encodings = spec.get("encodings", {})
    for side in NEEDED.get(kind, ()):
        if side not in encodings:
            yield place, f"a {kind} needs {side}"
    shown = set()
    for encoding in encodings.values():
        for one in encoding if isinstance(encoding, list) else [encoding]:
            shown.add(one.get("fieldName"))
            of = by_query.get(one.get("queryName"), ()) if is_filter else fields
            if one.get("fieldName") not in of:
                yield place, f"shows {one.get('fieldName')}, which it does not ask for"
            if not one.get("displayName"):
                yield place, f"{one.get('fieldName')} has no title"
            if kind in ("bar", "line", "area", "scatter") and not one.get("scale", {}).get("type"):
                yield place, f"{one.get('fieldName')} has no scale"
    for unused in sorted(fields - shown):
        yield place, f"asks for {unused} and does not show it"


def main():
    failed = False
    for file in map(Path, sys.argv[1:]):
        found = list(problems(json.loads(file.read_text(encoding="utf-8"))))
        for place, what in found:
            print(f"error: {file.name}: {place} {what}", file=sys.stderr)
        failed = failed or bool(found)
    if failed:
        sys.exit(1)
    print(f"every dashboard keeps the rules: {len(sys.argv) - 1}")


if __name__ == "__main__":
    main()
