"""Inserts rows into SQLite, one per transaction, with WAL and synchronous FULL, for a number of seconds."""
import json, sqlite3, sys, time

path, seconds = sys.argv[1], float(sys.argv[2])
base = sqlite3.connect(path, isolation_level=None)
base.execute("pragma journal_mode=wal")
base.execute("pragma synchronous=full")
base.execute("create table changes (id text, status text, at integer)")
done, end = 0, time.monotonic() + seconds
while time.monotonic() < end:
    base.execute("insert into changes values ('x', 'in_progress', 1)")
    done += 1
print(json.dumps({"per_second": done / seconds}))
