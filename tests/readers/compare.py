"""Compares what an engine read from the lake's tables with what lakeplan says they hold.

usage of every reader: read_ENGINE.py FOLDER, where FOLDER holds lake/ and one TABLE.json per table.
"""
import datetime
import json
import re
import sys
from pathlib import Path

FOLDER = Path(sys.argv[1])
TABLES = sorted(path.stem for path in FOLDER.glob("*.json"))
INSTANT = re.compile(r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")


def plain(value):
    """A value as every engine would give it: instants in UTC, dates as text, lists as lists."""
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


VIEWS = ("run_log", "agent_runs", "latest_table_state", "lag")


def differ(engine, name, found, wanted):
    if found != wanted:
        different = next(((a, b) for a, b in zip(found, wanted) if a != b), None)
        sys.exit(f"{engine}: {name}: read {len(found)} rows, lakeplan says {len(wanted)}; first difference: {different}")


def check(engine, version, read, query=None):
    """`read(path)` gives a table's rows as dictionaries; `query(name, sql)` makes a view and gives its rows."""
    total = 0
    for table in TABLES:
        wanted = rows(json.loads((FOLDER / f"{table}.json").read_text(encoding="utf-8")))
        found = rows(read(str(FOLDER / "lake" / table)))
        differ(engine, table, found, wanted)
        total += len(found)
    for view in VIEWS if query else ():
        sql = (FOLDER / "views" / f"{view}.sql").read_text(encoding="utf-8")
        wanted = rows(json.loads((FOLDER / "views" / f"{view}.json").read_text(encoding="utf-8")))
        found = rows(query(view, sql))
        differ(engine, view, found, wanted)
        total += len(found)
    views = f" and {len(VIEWS)} views" if query else ""
    print(f"every table equal: {engine} {version}, {len(TABLES)} tables{views}, {total} rows", flush=True)
