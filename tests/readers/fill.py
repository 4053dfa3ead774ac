"""Fills a lake with changes of every kind, through the command line, and makes it where it is not there. usage: fill.py BINARY [CHANGES]"""
import json
import os
import random
import subprocess
import sys

CHANGES = int(sys.argv[2]) if len(sys.argv) > 2 and sys.argv[2] else 60
RANDOM = random.Random(1)


def lakeplan(*words, document=None, check=True):
    subprocess.run([sys.argv[1], *words], input=document, text=True, check=check, stdout=subprocess.DEVNULL,
                   stderr=None if check else subprocess.DEVNULL)


def apply(patches):
    lakeplan("apply", "-", document=json.dumps({"reason": "fill", "patches": patches}), check=False)


if not os.path.exists(os.environ.get("LAKEPLAN_LAKE", "lake")):
    lakeplan("init")
lakeplan("user", "add", "ana", "--email", "ana@example.com")
patches = []
for key in ("PAY", "OPS", "WEB"):
    lakeplan("project", "create", f"Project {key}", "--key", key)
    patches.append({"op": "create", "entity": "requirement", "id": f"$r{key}", "fields": {"project_id": key, "label": "R1", "text": "It\nworks: \"yes\""}})
    for n in range(1, 101):
        fields = {"project_id": key, "title": f"Task {n} – äöü 計画 🚀", "estimate_likely": 60 * n, "tags": ["a", "b\"c"], "due_date": "2026-12-01",
                  "sla_due": "2026-12-01T10:00:00.5Z", "metadata": {"n": n, "deep": {"x": [1, None, "ü"]}}}
        patches.append({"op": "create", "entity": "task", "id": f"${key}{n}", "fields": fields})
        patches.append({"op": "link", "entity": "task_requirement", "fields": {"task_id": f"${key}{n}", "requirement_id": f"$r{key}"}})
        if n > 1:
            patches.append({"op": "link", "entity": "task_link", "fields": {"from_id": f"${key}{n}", "to_id": f"${key}{n - 1}"}})
apply(patches)
lakeplan("plan", "-", "--yes", document="# Portal\n\n- Design the page (1 day)\n- Build it (2 days)\n")
for n in range(CHANGES):
    if n in (CHANGES // 2, CHANGES - 5):
        # The journal's small files become large ones, and the logs get checkpoints.
        lakeplan("maintain")
    task = f"{RANDOM.choice(('PAY', 'OPS', 'WEB'))}-{RANDOM.randint(1, 100)}"
    kind = n % 6
    if kind == 0:
        apply([{"op": "update", "entity": "task", "id": task, "fields": {"status": RANDOM.choice(("completed", "in_progress", "blocked")), "assignee_id": "@ana"}}])
    elif kind == 1:
        apply([{"op": "delete", "entity": "task", "id": task}])
    elif kind == 2:
        apply([{"op": "restore", "entity": "task", "id": task}])
    elif kind == 3:
        apply([{"op": "move", "entity": "task", "id": task, "place": "first"}])
    elif kind == 4:
        apply([{"op": "update", "entity": "task", "id": task, "fields": {"due_date": None, "description": "x" * 2000, "actual_minutes": n}}])
    else:
        lakeplan("undo", check=False)
