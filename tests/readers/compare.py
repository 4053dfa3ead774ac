"""Compares the journal as an engine read it with what lakeplan says of it."""
import json
import sys


def expected():
    """The changes lakeplan tells of: (seq, ordinal, op, entity id, after)."""
    history = json.load(open(sys.argv[2], encoding="utf-8"))
    rows = []
    for change_set in history["changes"]:
        for ordinal, change in enumerate(change_set["changes"]):
            rows.append((change_set["seq"], ordinal, change["op"], change["id"], change["after"]))
    return sorted(rows, key=lambda row: row[:2])


def check(engine, rows):
    """`rows`: what the engine read, each (seq, ordinal, op, entity_id, after as JSON text)."""
    read = sorted(((s, o, op, i, json.loads(after)) for s, o, op, i, after in rows), key=lambda row: row[:2])
    wanted = expected()
    if read == wanted:
        print(f"{engine}: {len(read)} journal rows equal")
        return
    different = next(((a, b) for a, b in zip(read, wanted) if a != b), None)
    print(f"{engine}: read {len(read)} rows, lakeplan says {len(wanted)}; first difference: {different}", file=sys.stderr)
    sys.exit(1)
