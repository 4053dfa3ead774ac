import sys

import duckdb
from duckdb_extensions import import_extension

from compare import check

import_extension("delta")
connection = duckdb.connect()
connection.execute("load delta")
query = 'select seq, ordinal, op, entity_id, "after" from delta_scan(?)'
check(f"duckdb {duckdb.__version__}", connection.execute(query, [f"{sys.argv[1]}/journal"]).fetchall())
