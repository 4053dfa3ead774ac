import sys

import deltalake

from compare import check

table = deltalake.DeltaTable(f"{sys.argv[1]}/journal").to_pyarrow_table(columns=["seq", "ordinal", "op", "entity_id", "after"])
rows = [tuple(row.values()) for row in table.to_pylist()]
check(f"python deltalake {deltalake.__version__}", rows)
