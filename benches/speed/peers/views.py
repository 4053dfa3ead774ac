"""Runs the views of the lake in DuckDB over the same files. Each runs five times, and the median counts."""
import json, os, pathlib, statistics, sys, time

import duckdb
from duckdb_extensions import import_extension

lake, now, repeats = sys.argv[1], sys.argv[2], int(sys.argv[3])
names = sys.argv[4:]
import_extension("delta")
base = duckdb.connect()
base.execute("load delta")
base.execute("set timezone='UTC'")
base.execute("set threads=2")
for table in sorted(os.listdir(lake)):
    if os.path.isdir(os.path.join(lake, table, "_delta_log")):
        base.execute(f"attach '{lake}/{table}' as d_{table} (type delta, pin_snapshot)")
        base.execute(f"create view {table} as select * from d_{table}")
base.execute(f"create view clock as select cast('{now[:10]}' as date) as today, cast('{now}' as timestamptz) as now")
views = pathlib.Path(__file__).resolve().parents[3] / "schemas/views"
for name in names:
    base.execute(f"create view {name} as {(views / (name + '.sql')).read_text()}")
found = {}
for name in names:
    times = []
    for _ in range(repeats):
        started = time.monotonic()
        rows = base.execute(f"select * from {name}").fetch_arrow_table().num_rows
        times.append(time.monotonic() - started)
    found[name] = {"seconds": statistics.median(times), "rows": rows}
print(json.dumps(found))
