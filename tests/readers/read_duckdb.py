import duckdb
from duckdb_extensions import import_extension

from compare import FOLDER, TABLES, check

import_extension("delta")
connection = duckdb.connect()
connection.execute("load delta")
connection.execute("set timezone = 'UTC'")


def answer(sql, parameters=None):
    relation = connection.execute(sql, parameters or [])
    names = [column[0] for column in relation.description]
    return [dict(zip(names, row)) for row in relation.fetchall()]


def read(path):
    return answer("select * from delta_scan(?)", [path])


def query(name, sql):
    connection.execute(f"create view {name} as {sql}")
    return answer(f"select * from {name}")


for table in TABLES:
    connection.execute(f"create view {table} as select * from delta_scan('{FOLDER / 'lake' / table}')")
connection.execute("create view clock as select current_date as today, now() as now")
check("duckdb", duckdb.__version__, read, query)
