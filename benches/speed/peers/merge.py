"""Merges changed tasks into a Delta table of all tasks, by python deltalake or by Sail.

The table is a copy of the lake's tasks, written by deltalake; the changed rows come from a list of ids. Where they are of
few projects, the projects are named in the condition, so that the peer may prune."""
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
