"""Creates a lake like a team has after five weeks of work. With faketime, each change happens on its own day."""

import json
import os
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

HERE = Path(__file__).parent
# Unescaped, this title would end a script element and inject markup and quotes.
HOSTILE = """Mind </script><b>"quotes"</b> & 'marks' <img src=x onerror=alert(1)>"""
# Title, the number of working days since it was started and done (None if it is not), and the
# logged work.
STORY = [
    ("Design the sign-in page", 24, 23, "1d"),
    ("Agree on the session length", 24, 22, "3h"),
    ("Build the sign-in service", 22, 18, "4d"),
    ("Send the one-time codes", 17, 16, "6h"),
    ("Show the list of invoices", 16, 13, "2.5d"),
    ("Offer each invoice as PDF", 12, 10, "2d"),
    ("Find an invoice by its number", 9, 8, "1d"),
    ("Design the address form", 7, 5, "1.5d"),
    ("Check addresses against the register", 4, None, "1d"),
    ("Write the letter to all customers", 2, None, None),
    ("Copy the accounts", 15, 12, "2d"),
    ("Copy the bookings of ten years", 11, 3, "6d"),
]


def working_day(ago: int) -> date:
    day = date.today()
    while ago > 0 or day.weekday() > 4:
        day -= timedelta(days=1)
        ago -= day.weekday() < 5
    return day


class Team:
    def __init__(self, binary: str, lake: str):
        self.binary, self.environment = binary, os.environ | {"LAKEPLAN_LAKE": lake, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        self.faketime = shutil.which("faketime")
        if not self.faketime:
            print("skipped: a history of several weeks (faketime is not installed); everything happens today")

    def run(self, *args: str, ago: int = 0) -> dict:
        before = (date.today() - working_day(ago)).days
        earlier = [self.faketime, "-f", f"-{before}d"] if self.faketime and before else []
        command = [*earlier, self.binary, "--json", *args]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(args)}: {done.stderr}")
        return json.loads(done.stdout)


def main(binary: str, lake: str) -> None:
    team = Team(binary, lake)
    team.run("init", ago=26)
    for name in ("portal", "ledger"):
        team.run("plan", str(HERE / "descriptions" / f"{name}.md"), "--split", "--yes", ago=25)
    keys = {task["title"]: task["key"] for task in team.run("task", "list", "--limit", "1000")["tasks"]}
    key = lambda start: next(key for title, key in keys.items() if title.startswith(start))
    events = []
    for title, started, done, spent in STORY:
        # A task that was split has the progress of its subtasks.
        whole, *parts = sorted((key for found, key in keys.items() if found.startswith(title)), key=lambda key: int(key.split("-")[1]))
        events += [(started, ("task", "start", key)) for key in [whole, *parts[:1]]]
        if spent:
            events.append((done or 0, ("task", "log", parts[0] if parts else whole, spent)))
        if done is not None:
            events += [(done, ("task", "done", key)) for key in [*parts, whole]]
    events.append((6, ("task", "update", key("Tell the warehouse"), "--status", "blocked", "--priority", "high")))
    soon = lambda days: str(date.today() + timedelta(days=days))
    # More work than fits into three working days, so it is late on every day of the week.
    events.append((20, ("task", "update", key("Try the portal"), "--due", soon(2), "--priority", "critical")))
    events.append((20, ("task", "update", key("Open the portal"), "--due", soon(30))))
    events.append((20, ("task", "update", key("Write the letter"), "--due", soon(-1), "--priority", "low")))
    events.append((1, ("task", "create", HOSTILE, "--project", "CP", "--assignee", "@ana", "--estimate", "2h")))
    events.append((1, ("task", "update", key("Point the shop"), "--status", "cancelled")))
    for ago, args in sorted(events, key=lambda event: -event[0]):
        team.run(*args, ago=ago)
    # A project of 2,000 tasks: 40 phases of 49 tasks, each task after the one before it.
    team.run("project", "create", "Everything at once", "--key", "BIG")
    patches = []
    for phase in range(40):
        patches.append({"op": "create", "entity": "task", "id": f"$p{phase}", "fields": {"project_id": "BIG", "title": f"Phase {phase + 1}"}})
        for part in range(49):
            name = f"$t{phase}x{part}"
            fields = {"project_id": "BIG", "title": f"Part {part + 1} of phase {phase + 1}", "parent_id": f"$p{phase}", "estimate_likely": 60 + 60 * (part % 9)}
            patches.append({"op": "create", "entity": "task", "id": name, "fields": fields})
            if part:
                patches.append({"op": "link", "entity": "task_link", "fields": {"from_id": name, "to_id": f"$t{phase}x{part - 1}"}})
    document = Path(lake).parent / "big.json"
    document.write_text(json.dumps({"patches": patches}))
    team.run("apply", str(document))


if __name__ == "__main__":
    main(*sys.argv[1:])
