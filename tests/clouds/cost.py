"""Estimates the monthly cost of a lake on S3 for a team of ten: the counted requests of one day, and the stored gigabytes.

Creates a lake with some history, simulates one working day with the real binary, and lets the proxy count the requests of
each command. The numbers of commands are assumptions, which are printed with the result; the counts are measured. The
prices are arguments. Their defaults are placeholders: replace them with those of your region and contract.

usage: tests/clouds/run python3 tests/clouds/cost.py [--binary PATH] [--put DOLLARS-PER-1000] [--get …] [--storage …] [--transfer …]
           [--job DOLLARS-PER-START]
"""

import argparse
import json
import os
import subprocess
import tempfile
import urllib.parse
import urllib.request
from collections import Counter

parser = argparse.ArgumentParser()
parser.add_argument("--binary", default="target/debug/lakeplan")
parser.add_argument("--put", type=float, default=0.005, help="a thousand PUT or LIST requests, in dollars")
parser.add_argument("--get", type=float, default=0.0004, help="a thousand GET or HEAD requests, in dollars")
parser.add_argument("--storage", type=float, default=0.023, help="a stored gigabyte for a month, in dollars")
parser.add_argument("--transfer", type=float, default=0.0, help="a gigabyte read; nothing within a region, in dollars")
parser.add_argument("--job", type=float, default=0.0, help="a start of a job, in dollars; depends on the compute that runs it")
parser.add_argument("--history", type=int, default=300, help="task changes that the lake has when the day begins")
prices = parser.parse_args()

BINARY = os.path.abspath(prices.binary)
PROXY = os.environ["LAKEPLAN_TEST_S3"]
FOLDER = "cost"
WORKDAYS, DAYS, GB = 21, 30, 1e9
ENVIRONMENT = {
    "USER": "tester", "LAKEPLAN_LAKE": f"s3://clouds/{FOLDER}/lake", "AWS_ENDPOINT_URL": PROXY, "AWS_ALLOW_HTTP": "true",
    "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret",
}
work = tempfile.mkdtemp()


def counted():
    with urllib.request.urlopen(f"{PROXY}/_proxy/counts/clouds/{FOLDER}") as answer:
        rows = json.load(answer)
    counts = Counter()
    for row in rows:
        counts[row["verb"]] += row["requests"]
        counts["sent"] += row["sent"]
        counts["received"] += row["received"]
    return counts


def run(*args, text=None):
    done = subprocess.run([BINARY, *args], env=ENVIRONMENT, cwd=work, input=text, text=True, capture_output=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(args)}: {done.stderr}")
    return counted()


def description(number):
    lines = [f"- Build part {part} of feature {number} (1-2 days)" for part in range(8)]
    return f"# Feature {number}\n\n## Plan\n\n### Phase 1\n\n" + "\n".join(lines) + "\n"


def stored():
    """Returns the number of bytes below the lake, as the storage lists them."""
    total, token = 0, ""
    while True:
        address = f"{PROXY}/clouds?list-type=2&prefix={FOLDER}/lake/" + (f"&continuation-token={token}" if token else "")
        with urllib.request.urlopen(address) as answer:
            page = answer.read().decode()
        total += sum(int(part.split("</Size>")[0]) for part in page.split("<Size>")[1:])
        if "<NextContinuationToken>" not in page:
            return total
        token = urllib.parse.quote(page.split("<NextContinuationToken>")[1].split("<")[0])


def fill():
    run("init")
    for project in range(5):
        run("project", "create", f"Project {project}", "--key", f"P{chr(65 + project)}")
    for start in range(0, prices.history, 20):
        patches = [{"op": "create", "entity": "task", "fields": {"project_id": f"P{chr(65 + n % 5)}", "title": f"Task {n}"}}
                   for n in range(start, min(start + 20, prices.history))]
        run("apply", "-", text=json.dumps({"patches": patches}))
    run("maintain")


# The commands of a working day: the number of runs, the number of counted runs, whether a job
# starts for it, and the command.
DAY = [
    ("a task changed (`task done`, `update`, `create`)", 200, 20, False, lambda n: run("task", "start", f"P{chr(65 + n % 5)}-{n // 5 + 1}")),
    ("a task looked at (`task show`)", 200, 10, False, lambda n: run("task", "show", f"P{chr(65 + n % 5)}-{n // 5 + 1}")),
    ("a question (`query`, notebooks)", 50, 5, False, lambda n: run("query", "--view", "open_work")),
    ("a description planned (job plan)", 20, 5, True, lambda n: run("plan", "-", "--yes", text=description(n))),
    ("the inbox polled (job inbox, every ten minutes)", 144, 5, True, lambda n: run("inbox", "apply")),
    ("the report (job report)", 1, 1, True, lambda n: run("report", "--out", "report.html")),
    ("the night's upkeep (job maintain)", 1, 1, True, lambda n: run("maintain")),
    ("the night's check-up (in job maintain)", 1, 1, False, lambda n: run("doctor")),
]
# Commands that also run on weekends.
DAILY = ("inbox", "report", "upkeep", "check-up")

fill()
counted()
before = stored()
rows, month, starts = [], Counter(), 0
for name, times, sample, is_job, once in DAY:
    total = Counter()
    for n in range(sample):
        total.update(once(n))
    counted()
    days = DAYS if any(word in name for word in DAILY) else WORKDAYS
    each = {key: total[key] / sample for key in ("PUT", "LIST", "GET", "HEAD", "DELETE", "sent", "received")}
    month.update({key: value * times * days for key, value in each.items()})
    starts += times * days if is_job else 0
    rows.append((name, times, days, each))
# The bytes that the day's sample wrote, extrapolated to all changes of the day.
written = sum(each["sent"] * times * days for _, times, days, each in rows)

print(f"Assumed: ten people, {WORKDAYS} working days of {DAYS}, a lake of {prices.history} tasks in five projects when the day begins.")
print("Each line is the mean of the commands that were run and counted.\n")
print("| what | times a day | days | PUT | LIST | GET | HEAD | DELETE | KB up | KB down |")
print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
for name, times, days, each in rows:
    verbs = " | ".join(f"{each[verb]:.1f}" for verb in ("PUT", "LIST", "GET", "HEAD", "DELETE"))
    print(f"| {name} | {times} | {days} | {verbs} | {each['sent'] / 1e3:.0f} | {each['received'] / 1e3:.0f} |")

dear, cheap = month["PUT"] + month["LIST"], month["GET"] + month["HEAD"]
sums = [
    ("PUT and LIST requests", f"{dear:,.0f}", f"{prices.put:g} a thousand", dear / 1e3 * prices.put),
    ("GET and HEAD requests", f"{cheap:,.0f}", f"{prices.get:g} a thousand", cheap / 1e3 * prices.get),
    ("DELETE requests", f"{month['DELETE']:,.0f}", "0", 0.0),
    ("GB stored (a month's writing and what was there)", f"{(written + before) / GB:.2f}", f"{prices.storage:g} a GB",
     (written + before) / GB * prices.storage),
    ("GB read", f"{month['received'] / GB:.2f}", f"{prices.transfer:g} a GB", month["received"] / GB * prices.transfer),
    ("job starts", f"{starts:,}", f"{prices.job:g} a start", starts * prices.job),
]
print("\n| a month | amount | unit price (fill in your own) | dollars |\n|---|--:|--:|--:|")
for name, amount, price, dollars in sums:
    print(f"| {name} | {amount} | {price} | {dollars:.2f} |")
print(f"| together | | | {sum(dollars for *_, dollars in sums):.2f} |")
