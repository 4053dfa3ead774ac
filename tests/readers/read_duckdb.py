import duckdb
from duckdb_extensions import import_extension

from compare import check

import_extension("delta")
connection = duckdb.connect()
connection.execute("load delta")
connection.execute("set timezone = 'UTC'")


def read(path):
    relation = connection.execute("select * from delta_scan(?)", [path])
    names = [column[0] for column in relation.description]
    return [dict(zip(names, row)) for row in relation.fetchall()]


check("duckdb", duckdb.__version__, read)
