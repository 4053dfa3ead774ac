"""Rewrites every table of a lake as Spark's OPTIMIZE does where it writes times as INT96 and no statistics, and has lakeplan
go on with it. usage: rewrite_int96.py BINARY LAKE

Before and after, the tables hold the same rows and `doctor --full` names nothing; then a task is added, the tables are
folded and maintained. The lake is a copy that is thrown away.
"""
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import deltalake
import pyarrow.parquet as parquet

BINARY, LAKE = sys.argv[1], Path(sys.argv[2])
TABLES = sorted(path.stem for path in Path("schemas/tables").glob("*.json"))


def lakeplan(*words):
    return subprocess.run([BINARY, "--lake", str(LAKE), *words], check=True, stdout=subprocess.PIPE).stdout


def rows(table):
    found = json.loads(lakeplan("query", f"SELECT * FROM {table}", "--format", "json"))
    return sorted(json.dumps(row, sort_keys=True) for row in found)


def rewrite(table):
    """Returns the number of files with an INT96 column that take the place of the table's."""
    log = LAKE / table / "_delta_log"
    opened = deltalake.DeltaTable(str(LAKE / table))
    actions, written = [], 0
    for add in opened.get_add_actions(flatten=False).to_struct_array().to_pylist() if opened.file_uris() else []:
        new = f"part-{uuid.uuid4()}.parquet"
        content = parquet.ParquetFile(LAKE / table / add["path"]).read()
        parquet.write_table(content, LAKE / table / new, use_deprecated_int96_timestamps=True)
        columns = parquet.ParquetFile(LAKE / table / new).schema
        written += any(columns.column(at).physical_type == "INT96" for at in range(len(columns)))
        partitions = {name: str(value) for name, value in (add.get("partition") or {}).items()}
        size = (LAKE / table / new).stat().st_size
        actions.append({"add": {"path": new, "partitionValues": partitions, "size": size, "modificationTime": 0, "dataChange": False}})
        actions.append({"remove": {"path": add["path"], "deletionTimestamp": 0, "dataChange": False}})
    if not actions:
        return 0
    info = {"commitInfo": {"operation": "OPTIMIZE", "engineInfo": "Apache-Spark/3.5.0 Delta-Lake/3.2.0"}}
    entry = log / f"{opened.version() + 1:020}.json"
    entry.write_text("".join(json.dumps(action) + "\n" for action in [info, *actions]), encoding="utf-8")
    return written


before = {table: rows(table) for table in TABLES}
written = {table: rewrite(table) for table in TABLES}
assert written["journal"] > 0 and written["tasks"] > 0, written
for table in TABLES:
    after = rows(table)
    # A query may fold first, which table_state notes.
    kept = [row for row in after if row in before[table]] if table == "table_state" else after
    assert kept == before[table], f"{table} holds other rows after the rewrite"
lakeplan("doctor", "--full")
tasks = len(before["tasks"])
project = json.loads(lakeplan("project", "list", "--json"))["projects"][0]["key"]
lakeplan("task", "create", "after the rewrite", "--project", project)
for words in (["fold"], ["maintain"], ["fold", "--rebuild"], ["doctor", "--full"]):
    lakeplan(*words)
assert len(rows("tasks")) == tasks + 1
print(f"all equal: {sum(written.values())} files with INT96")
sys.stdout.flush()
# pyarrow leaves threads behind that at times abort a process at its regular end (apache/arrow#34314).
os._exit(0)
