"""Finds one task by its key in the tasks of a lake, in a new process."""
import sys

engine, lake, key = sys.argv[1:4]
if engine == "deltalake":
    from deltalake import DeltaTable, QueryBuilder

    query = QueryBuilder().register("tasks", DeltaTable(f"{lake}/tasks"))
    print(query.execute(f"select * from tasks where key = '{key}'").read_all())
else:
    import duckdb

    base = duckdb.connect()
    base.execute("load delta")
    print(base.execute(f"select * from delta_scan('{lake}/tasks') where key = '{key}'").fetchall())
