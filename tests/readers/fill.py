"""Fills a lake with all kinds of changes through the command line, and creates it if necessary. usage: fill.py BINARY [CHANGES]"""
import json
import os
import random
import subprocess
import sys

CHANGES = int(sys.argv[2]) if len(sys.argv) > 2 and sys.argv[2] else 60
RANDOM = random.Random(1)


def lakeplan(*args, document=None, check=True):
    subprocess.run([sys.argv[1], *args], input=document, text=True, check=check, stdout=subprocess.DEVNULL,
                   stderr=None if check else subprocess.DEVNULL)


def apply(patches, check=False):
    lakeplan("apply", "-", document=json.dumps({"reason": "fill", "patches": list(patches)}), check=check)


TEXTS = ["'", '"', "\\", "null", "NaN", " leading and trailing ", "a\tb", "\x01\x7fshown\x80", "\ufeffbom", "e\u0301 \ufb01 \u0130", "計画 프로젝트 תכנון خطة",
         "\u202eright to left", "zero\u200d\u200bwidth", "a\u2028b\u2029c", "👩‍👩‍👧‍👦 🏳️‍🌈", "\ud7ff\ue000\ufffd\U0010ffff", "?" * 500, "🚀" * 500]
DAYS = ["1900-01-01", "1969-12-31", "1970-01-01", "2000-02-29", "2299-12-31", "9999-12-31"]
TIMES = ["1900-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "2016-12-31T23:59:59.999999Z", "2026-03-29T01:30:00.000001Z", "9999-12-31T23:59:59.999999Z"]


def edges():
    """Creates values at the bounds of each field, which every engine must read in the same way."""
    yield {"op": "create", "entity": "project", "id": "$e", "fields": {"name": TEXTS[-1], "key": "EDGE", "description": "\r\n# x\n" + "é" * 1000,
           "start_date": DAYS[0], "due_date": DAYS[-1], "time_zone": "America/Argentina/ComodRivadavia"}}
    whole = [{"title": text, "description": text + "\n", "source": text[:200], "tags": [text[:100], text[:99] + "x"], "metadata": {text: text}} for text in TEXTS]
    whole += [{"due_date": day} for day in DAYS] + [{"not_before": day} for day in DAYS] + [{"sla_due": at} for at in TIMES]
    whole += [{"estimate_low": n, "estimate_likely": n, "estimate_high": n, "actual_minutes": n} for n in (0, 1, 1248000)]
    whole += [{"importance": n, "source_line": line, "source_end_line": line} for n, line in ((1, 0), (5, 4294967295))]
    whole += [{"description": ""}, {"description": "x" * (1 << 20)}, {"tags": [str(n) for n in range(100)]}, {"metadata": {"n": [0, -1, 1.5, 1e300, 2**63 - 1], "x": "y" * 60000}}]
    for n, fields in enumerate(whole):
        yield {"op": "create", "entity": "task", "id": f"$e{n}", "fields": {"project_id": "$e", "title": "edge", **fields}}
        if n:
            lag = (-1248000, 0, 1248000)[n % 3]
            yield {"op": "link", "entity": "task_link", "fields": {"from_id": f"$e{n}", "to_id": f"$e{n - 1}", "lag_minutes": lag}}
    for n, text in enumerate(TEXTS):
        yield {"op": "create", "entity": "user", "fields": {"handle": f"edge{n}", "name": text[:200], "email": text[:200]}}
        yield {"op": "create", "entity": "requirement", "fields": {"project_id": "$e", "label": text[:200], "text": text}}


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
apply(edges(), check=True)
lakeplan("plan", "-", "--yes", document="# Portal\n\n- Design the page (1 day)\n- Build it (2 days)\n")
for n in range(CHANGES):
    if n in (CHANGES // 2, CHANGES - 5):
        # The journal's small files are compacted, and the logs get checkpoints.
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
