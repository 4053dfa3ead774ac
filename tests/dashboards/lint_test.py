"""Tests every rule of lint.py: a valid dashboard is broken in one place at a time. usage: lint_test.py FILE"""
import copy
import json
import sys
from pathlib import Path

from lint import problems

GOOD = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))


def widget(dashboard, kind):
    found = (item["widget"] for item in dashboard["pages"][0]["layout"])
    return next(one for one in found if one.get("spec", {}).get("widgetType") == kind)


def query(dashboard, kind):
    return widget(dashboard, kind)["queries"][0]["query"]


def break_rule(what, how):
    dashboard = copy.deepcopy(GOOD)
    how(dashboard)
    found = [f"{place} {message}" for place, message in problems(dashboard)]
    if not any(what in message for message in found):
        sys.exit(f"error: no problem contains {what!r}: {found}")


def item(dashboard, at):
    return dashboard["pages"][0]["layout"][at]


if list(problems(GOOD)):
    sys.exit(f"error: {sys.argv[1]} is not good itself")
CASES = [
    ("dataset x y its name", lambda d: d["datasets"][0].update(name="x y")),
    ("is there twice", lambda d: d["datasets"].append(d["datasets"][0])),
    ("has no title", lambda d: d["datasets"][0].update(displayName="")),
    ("has no queryLines", lambda d: d["datasets"][0].update(queryLines="SELECT 1")),
    ("a line does not end", lambda d: d["datasets"][0].update(queryLines=["SELECT 1 -- all", "FROM portfolio"])),
    ("is not one SELECT", lambda d: d["datasets"][0]["queryLines"].append("; SELECT 2")),
    ("is not one SELECT", lambda d: d["datasets"][0].update(queryLines=["DELETE FROM tasks"])),
    ("names its schema", lambda d: d["datasets"][0].update(queryLines=["SELECT 1 FROM main.plan.portfolio"])),
    ("has no parameter", lambda d: d["datasets"][0]["queryLines"].append(" WHERE project = :project")),
    ("has no dataset", lambda d: d.update(datasets=[])),
    ("has no page", lambda d: d.update(pages=[])),
    ("has no pageType", lambda d: d["pages"][0].pop("pageType")),
    ("GRID_V1", lambda d: d["pages"][0].update(layoutVersion="GRID_V0")),
    ("not 12", lambda d: item(d, 2)["position"].update(width=2)),
    ("begins at x", lambda d: item(d, 3)["position"].update(x=4)),
    ("several heights", lambda d: item(d, 3)["position"].update(height=9)),
    ("a row begins at y", lambda d: item(d, -1)["position"].update(y=99)),
    ("is there twice", lambda d: item(d, 3)["widget"].update(name=item(d, 2)["widget"]["name"])),
    ("its name is not", lambda d: item(d, 3)["widget"].update(name="a" * 61)),
    ("a text has no spec", lambda d: item(d, 0)["widget"]["multilineTextboxSpec"]["lines"].append("more")),
    ("of version 1", lambda d: widget(d, "table")["spec"].update(version=1)),
    ("is a filter of", lambda d: widget(d, "filter-multi-select")["spec"].update(widgetType="filter")),
    ("no title that is shown", lambda d: widget(d, "bar")["spec"]["frame"].update(showTitle=False)),
    ("which is not there", lambda d: query(d, "bar").update(datasetName="elsewhere")),
    ("does not say whether", lambda d: query(d, "bar").pop("disaggregated")),
    ("none of the expressions", lambda d: query(d, "bar")["fields"][0].update(expression="COUNT_IF(`associative_filter_predicate_group`)")),
    ("in a query that is disaggregated", lambda d: query(d, "bar").update(disaggregated=True)),
    ("asks nothing", lambda d: widget(d, "bar").update(queries=[])),
    ("a filter is never", lambda d: query(d, "filter-multi-select").update(disaggregated=True)),
    ("not called main_query", lambda d: widget(d, "bar")["queries"][0].update(name="other")),
    ("a counter shows one row", lambda d: query(d, "counter").update(disaggregated=True)),
    ("a bar needs x", lambda d: widget(d, "bar")["spec"]["encodings"].pop("x")),
    ("which it does not ask for", lambda d: widget(d, "bar")["spec"]["encodings"]["x"].update(fieldName="other")),
    ("which it does not ask for", lambda d: widget(d, "filter-multi-select")["spec"]["encodings"]["fields"][0].update(queryName="other")),
    ("has no title", lambda d: widget(d, "table")["spec"]["encodings"]["columns"][0].update(displayName="")),
    ("has no scale", lambda d: widget(d, "bar")["spec"]["encodings"]["x"].pop("scale")),
    ("and does not show it", lambda d: query(d, "bar")["fields"].append({"name": "more", "expression": "`name`"})),
    ("is shown nowhere", lambda d: d["datasets"].append({"name": "more", "displayName": "More", "queryLines": ["SELECT 1"]})),
]
for what, how in CASES:
    break_rule(what, how)
print(f"every rule finds what breaks it: {len(CASES)}")
