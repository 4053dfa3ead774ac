"""Merges the changed tasks with python deltalake; prepared by merge.py."""
import json, os, sys, time

import pyarrow.compute
from deltalake import DeltaTable

lake, ids_file, table, projects = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
ids = open(ids_file).read().split()
import pyarrow.dataset

target = DeltaTable(table)
changed = pyarrow.dataset.dataset(target.file_uris()).to_table(filter=pyarrow.compute.field("id").isin(ids))
changed = changed.set_column(changed.schema.get_field_index("status"), "status", pyarrow.array(["review"] * len(changed)))
where = "t.id = s.id"
if projects:
    where += " AND t.project_id IN (" + ", ".join(f"'{project}'" for project in projects) + ")"
started = time.monotonic()
target.merge(changed, where, source_alias="s", target_alias="t").when_matched_update_all().when_not_matched_insert_all().execute()
seconds = time.monotonic() - started
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"seconds": seconds, "peak_mib": peak // 1024}), flush=True)
os._exit(0)
