"""Rewrites every table of a lake like Spark's OPTIMIZE with INT96 times and without statistics, and continues to use it with
lakeplan. usage: rewrite_int96.py BINARY LAKE

The tables have the same rows before and after, and `doctor --full` has no findings. Then a task is added, and the tables are
folded and maintained. The lake is a temporary copy.
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


def lakeplan(*args):
    return subprocess.run([BINARY, "--lake", str(LAKE), *args], check=True, stdout=subprocess.PIPE).stdout


def rows(table):
    found = json.loads(lakeplan("query", f"SELECT * FROM {table}", "--format", "json"))
    return sorted(json.dumps(row, sort_keys=True) for row in found)


def rewrite(table):
    """Rewrites the files of a table. Returns the number of new files with an INT96 column."""
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
    # A query may fold first, which adds rows to table_state.
    kept = [row for row in after if row in before[table]] if table == "table_state" else after
    assert kept == before[table], f"{table} holds other rows after the rewrite"
lakeplan("doctor", "--full")
tasks = len(before["tasks"])
project = json.loads(lakeplan("project", "list", "--json"))["projects"][0]["key"]
lakeplan("task", "create", "after the rewrite", "--project", project)
for args in (["fold"], ["maintain"], ["fold", "--rebuild"], ["doctor", "--full"]):
    lakeplan(*args)
assert len(rows("tasks")) == tasks + 1
print(f"all equal: {sum(written.values())} files with INT96")
sys.stdout.flush()
# pyarrow leaves threads behind that sometimes abort a process on normal exit (apache/arrow#34314).
os._exit(0)
