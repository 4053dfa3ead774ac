import deltalake

from compare import check

check("deltalake", deltalake.__version__, lambda path: deltalake.DeltaTable(path).to_pyarrow_table().to_pylist())
