"""Compares the rows that an engine reads from the lake's tables with those of lakeplan.

usage of every reader: read_ENGINE.py FOLDER, where FOLDER contains lake/ and the output of export.py.
"""
import datetime
import decimal
import json
import re
import sys
from pathlib import Path

FOLDER = Path(sys.argv[1])
ASKED = json.loads((FOLDER / "questions.json").read_text(encoding="utf-8"))
CLOCK, QUESTIONS = ASKED["clock"], ASKED["questions"]
TABLES = sorted(path.stem for path in FOLDER.glob("*.json") if path.stem != "questions")
INSTANT = re.compile(r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")


def plain(value):
    """Returns a value in a form that is the same for every engine: instants in UTC, dates as text, lists as lists. Integers,
    floats and decimals stay distinct, because dashboards and joins distinguish them. The last digits of floats are dropped,
    because sums depend on the order."""
    if isinstance(value, decimal.Decimal):
        return f"decimal {value}"
    if isinstance(value, float):
        return float(f"{value:.12g}")
    if isinstance(value, datetime.datetime):
        value = value.replace(tzinfo=datetime.timezone.utc) if value.tzinfo is None else value.astimezone(datetime.timezone.utc)
        return value.isoformat(timespec="microseconds")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, str) and INSTANT.match(value):
        text = value.replace("Z", "+00:00")
        try:
            return plain(datetime.datetime.fromisoformat(text))
        except ValueError:
            return value
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def rows(dictionaries):
    lines = (json.dumps({key: plain(value) for key, value in row.items()}, sort_keys=True, ensure_ascii=False) for row in dictionaries)
    return sorted(lines)


def differ(engine, name, found, expected):
    if found != expected:
        different = next(((a, b) for a, b in zip(found, expected) if a != b), None)
        sys.exit(f"{engine}: {name}: read {len(found)} rows, lakeplan has {len(expected)}; first difference: {different}")


def check(engine, version, read=None, view=None, query=None):
    """`read(path)` returns the rows of a table as dictionaries, `query(sql)` those of a query, and `view(name, sql)` creates a view."""
    total = 0
    for table in TABLES if read else ():
        expected = rows(json.loads((FOLDER / f"{table}.json").read_text(encoding="utf-8")))
        found = rows(read(str(FOLDER / "lake" / table)))
        differ(engine, table, found, expected)
        total += len(found)
    for question in QUESTIONS if query else ():
        try:
            if question["view"]:
                view(question["name"], question["sql"])
            found = rows(query(f"select * from {question['name']}" if question["view"] else question["sql"]))
        except Exception as err:
            sys.exit(f"{engine}: {question['name']}: {err}")
        differ(engine, question["name"], found, rows(question["rows"]))
        total += len(found)
    views = sum(question["view"] for question in QUESTIONS) if query else 0
    others = len(QUESTIONS) - views if query else 0
    parts = [f"{len(TABLES)} tables"] if read else []
    parts += [f"{views} views"] if views else []
    parts += [f"{others} datasets and widgets"] if others else []
    print(f"all equal: {engine} {version}, {', '.join(parts)}, {total} rows", flush=True)
