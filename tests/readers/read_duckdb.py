import duckdb
from duckdb_extensions import import_extension

from compare import CLOCK, FOLDER, TABLES, check

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


def view(name, sql):
    connection.execute(f"create view {name} as {sql}")


for table in TABLES:
    view(table, f"select * from delta_scan('{FOLDER / 'lake' / table}')")
view("clock", f"select cast('{CLOCK['today']}' as date) as today, cast('{CLOCK['now']}' as timestamptz) as now")
check("duckdb", duckdb.__version__, read, view, answer)
