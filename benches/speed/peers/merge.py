"""Merges changed tasks into a Delta table of all tasks, with python deltalake or Sail.

deltalake writes the table as a copy of the lake's tasks. The changed rows are given as a list of ids. If they belong to
few projects, the condition names the projects, so that the peer can prune files."""
import json, os, sys

engine, lake, ids_file, work = sys.argv[1:5]
ids = open(ids_file).read().split()
table = os.path.join(work, f"peer-{engine}")

import pyarrow.compute
from deltalake import DeltaTable, write_deltalake

everything = DeltaTable(os.path.join(lake, "tasks")).to_pyarrow_table()
changed = everything.filter(pyarrow.compute.is_in(everything["id"], pyarrow.array(ids)))
changed = changed.set_column(changed.schema.get_field_index("status"), "status", pyarrow.array(["review"] * len(changed)))
assert len(changed) == len(ids), (len(changed), len(ids))
projects = sorted(set(changed["project_id"].to_pylist()))
write_deltalake(table, everything)
if engine == "sail":
    source = os.path.join(work, "peer-source")
    write_deltalake(source, changed)
print(json.dumps({"table": table, "projects": projects if len(projects) <= 5 else []}))
