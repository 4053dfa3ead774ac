"""Fills a lake with changes of every kind, through the command line. usage: fill.py BINARY"""
import json
import subprocess
import sys


def lakeplan(*words, document=None):
    subprocess.run([sys.argv[1], *words], input=document, text=True, check=True, stdout=subprocess.DEVNULL)


lakeplan("init")
lakeplan("project", "create", "Payments", "--key", "PAY")
lakeplan("user", "add", "ana")
patches = [
    {"op": "create", "entity": "task", "id": f"$t{n}",
     "fields": {"project_id": "PAY", "title": f"Task {n} – äöü 計画 🚀", "estimate_likely": 60 * n, "tags": ["a", "b\"c"]}}
    for n in range(1, 201)
]
patches += [{"op": "link", "entity": "task_link", "fields": {"from_id": f"$t{n + 1}", "to_id": f"$t{n}"}} for n in range(1, 200)]
lakeplan("apply", "-", document=json.dumps({"reason": "fill", "patches": patches}))
for n in range(1, 21):
    lakeplan("task", "update", f"PAY-{n}", "--assignee", "@ana", "--due", "2026-12-01")
lakeplan("task", "delete", "PAY-7")
lakeplan("undo")
