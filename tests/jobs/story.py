"""Runs the jobs of the bundle with the real wheel and binary through `jobs/run`, each on its own lake.

  WHEEL_PYTHON=…/bin/python python tests/jobs/story.py

WHEEL_PYTHON is the Python of a virtual environment that contains only the wheel. This script needs pyyaml and deltalake,
which writes into the inbox like the engine of an SQL user.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import unittest
from datetime import datetime, timezone
from pathlib import Path

import pyarrow
from deltalake import write_deltalake

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "jobs"))
from runner.bundle import Bundle  # noqa: E402

PYTHON = os.environ["WHEEL_PYTHON"]
BINARY = os.environ.get("LAKEPLAN_BINARY", str(Path(PYTHON).parent / "lakeplan"))
DESCRIPTION = """# Customer portal

## Requirements

- The portal must work without a mouse

## Plan

- Design the sign-in page (1 day) @ana
- Build the sign-in service (1-2 days) @bo, depends on "Design the sign-in page"
"""
CANARY = "canary-7d1e4f-secret"
# Parameters for the jobs that do not run with their defaults. None: the job runs only in Databricks.
PARAMETERS: dict[str, dict[str, str] | None] = {
    "plan": {"description": "portal.md"},
    "plan_classic": {"description": "portal.md"},
    "setup": None,
}


class Jobs(unittest.TestCase):
    """A folder with a lake, in which jobs run."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.volumes = self.folder / "volumes"
        (self.folder / "portal.md").write_text(DESCRIPTION)
        self.lakeplan("init")

    def lakeplan(self, *args: str) -> str:
        done = subprocess.run([BINARY, *args], cwd=self.folder, env=self.environment(), capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAKEPLAN_LAKE", "DATABRICKS_"))}
        return {**kept, "USER": "tester", **more}

    def run_jobs(self, *args: str, expect: int = 0, **environment: str) -> tuple[str, dict]:
        """Returns the output of `jobs/run`, and the task values of each job."""
        values = self.folder / "values.json"
        command = [sys.executable, str(ROOT / "jobs" / "run"), *args, "--python", PYTHON, "--volumes", str(self.volumes)]
        command += ["--values", str(values), "--no-wait"]
        if not any(word.startswith("lake=") for word in args):
            command += ["--var", "lake=lake"]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment(**environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        output = done.stdout.decode(errors="replace")
        self.assertEqual(done.returncode, expect, output[-4000:])
        return output, json.loads(values.read_text()) if values.is_file() else {}

    def ask(self, sql: str) -> list[dict]:
        return json.loads(self.lakeplan("query", sql, "--format", "json"))


class Every(Jobs):
    def test_every_job_of_the_bundle_runs(self):
        jobs = Bundle(ROOT).jobs()
        self.assertLessEqual(set(PARAMETERS), set(jobs), "PARAMETERS names a job that does not exist")
        (self.volumes / "dev" / "lakeplan_tester" / "descriptions").mkdir(parents=True)
        for name in jobs:
            parameters = PARAMETERS.get(name, {})
            if parameters is None:
                continue
            with self.subTest(job=name):
                words = [word for pair in parameters.items() for word in ("--param", "=".join(pair))]
                _, values = self.run_jobs(name, *words)
                self.assertTrue(values[name], "the job has no task")


class Day(Jobs):
    def test_plan_inbox_report_and_maintain_run_in_order_on_a_fresh_lake(self):
        _, values = self.run_jobs("plan", "--param", "description=portal.md")
        planned = values["plan"]["plan"]
        self.assertEqual((planned["exit"], planned["sets_behind"]), (0, 0))
        self.assertEqual(json.loads(planned["summary"])["seq"], planned["seq"])
        self.assertEqual(self.ask("SELECT count(*) AS n FROM tasks")[0]["n"], planned["counts"]["created"])

        project = self.ask("SELECT key FROM projects")[0]["key"]
        asked = {"patches": [{"op": "create", "entity": "task", "fields": {"project_id": project, "title": "Asked by SQL"}}]}
        row = {"request_id": ["r-1"], "at": [datetime.now(timezone.utc)], "user": ["ana"], "patch_set": [json.dumps(asked)]}
        types = [("request_id", "string"), ("at", pyarrow.timestamp("us", "UTC")), ("user", "string"), ("patch_set", "string")]
        schema = pyarrow.schema([pyarrow.field(name, kind, nullable=False) for name, kind in types])
        write_deltalake(str(self.folder / "lake" / "inbox"), pyarrow.table(row, schema=schema), mode="append")

        _, values = self.run_jobs("inbox", "report", "maintain", "--param", f'projects=["{project}"]')
        self.assertGreater(values["inbox"]["apply"]["seq"], planned["seq"])
        self.assertEqual(self.ask("SELECT count(*) AS n FROM tasks WHERE title = 'Asked by SQL'")[0]["n"], 1)
        self.assertEqual(self.ask("SELECT request_id FROM inbox_results")[0]["request_id"], "r-1")
        reports = self.volumes / "dev" / "lakeplan_tester" / "reports"
        for page in (reports / "report.html", reports / f"{project}.html"):
            self.assertIn("Customer portal", page.read_text())
            json.loads(page.with_suffix(".json").read_text())
        self.assertEqual({task: output["exit"] for task, output in values["maintain"].items()}, {"maintain": 0, "doctor": 0})

    def test_a_second_run_of_plan_changes_nothing(self):
        self.run_jobs("plan", "--param", "description=portal.md")
        before = self.ask("SELECT max(seq) AS seq FROM journal")[0]["seq"]
        self.run_jobs("plan", "--param", "description=portal.md")
        self.assertEqual(self.ask("SELECT max(seq) AS seq FROM journal")[0]["seq"], before)

    def test_a_text_parameter_is_planned(self):
        self.run_jobs("plan", "--param", "text=- Write the reader\n- Check the totals")
        self.assertEqual(self.ask("SELECT count(*) AS n FROM tasks")[0]["n"], 2)

    def test_descriptions_in_the_volume_are_planned_on_arrival_and_nightly(self):
        descriptions = self.volumes / "dev" / "lakeplan_tester" / "descriptions"
        descriptions.mkdir(parents=True)
        (descriptions / "portal.md").write_text(DESCRIPTION)
        self.run_jobs("plan_arrived")
        self.assertEqual(self.ask("SELECT name FROM projects")[0]["name"], "Customer portal")
        before = self.ask("SELECT max(seq) AS seq FROM journal")[0]["seq"]
        self.run_jobs("plan_nightly")
        self.assertEqual(self.ask("SELECT max(seq) AS seq FROM journal")[0]["seq"], before)

    def test_the_job_for_classic_compute_runs_the_same_command(self):
        self.run_jobs("plan_classic", "--param", "description=portal.md")
        self.assertEqual(self.ask("SELECT name FROM projects")[0]["name"], "Customer portal")

    def test_quickstart_needs_no_parameters(self):
        output, values = self.run_jobs("quickstart")
        self.assertEqual(values["quickstart"]["quickstart"]["exit"], 0)
        self.assertIn("lakeplan undo", output)


class Failing(Jobs):
    def test_an_invalid_description_fails_the_task_with_the_end_of_the_log(self):
        (self.folder / "bad.md").write_bytes(b"# Plan\n\xff\xfe\x00")
        output, values = self.run_jobs("plan", "--param", "description=bad.md", expect=1)
        self.assertIn("lakeplan.TaskFailed: lakeplan plan ended with exit code 1 (input): bad.md: line 2 is not UTF-8", output)
        self.assertIn("the end of its log:", output)
        self.assertIn("job plan failed: plan", output)
        self.assertEqual(values["plan"]["plan"]["exit"], 1)
        self.assertEqual(self.ask("SELECT count(*) AS n FROM tasks")[0]["n"], 0)

    def test_an_unreachable_lake_raises_try_again_later_without_secrets(self):
        config = self.folder / "jobs.toml"
        config.write_text('[secrets]\nAWS_SECRET_ACCESS_KEY = "team/aws"\n')
        output, values = self.run_jobs(
            "plan", "--param", "description=portal.md", "--var", "lake=s3://nobody/lake", "--var", f"config={config}",
            expect=1, AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_ALLOW_HTTP="true", AWS_REGION="us-east-1",
            AWS_ACCESS_KEY_ID="key", AWS_SECRET_ACCESS_KEY=CANARY, LAKEPLAN_LOG="debug",
        )  # fmt: skip
        self.assertIn("lakeplan.TryAgainLater: lakeplan plan ended with exit code 4", output)
        self.assertIn("repeating the task is safe", output)
        self.assertEqual(values["plan"]["plan"]["exit"], 4)
        self.assertNotIn(CANARY, output + json.dumps(values))

    def test_a_wheel_for_another_machine_is_reported_in_one_sentence(self):
        other = self.folder / "lakeplan"
        with open(BINARY, "rb") as file:
            head = bytearray(file.read(4096))
        arm, here = (0xB7, "x86_64") if head[18] == 0x3E else (0x3E, "aarch64")
        head[18] = arm
        other.write_bytes(head)
        other.chmod(0o755)
        output, _ = self.run_jobs("quickstart", expect=1, LAKEPLAN_BINARY=str(other))
        self.assertIn(f"lakeplan.CannotStart: this machine is {here}, and this wheel's lakeplan is for", output)


class NoSecretIsWritten(Jobs):
    def test_no_output_file_table_or_task_value_contains_the_canary(self):
        config = self.folder / "jobs.toml"
        config.write_text('[secrets]\nTEAM_KEY = "team/key"\n')
        output, values = self.run_jobs(
            "plan", "inbox", "report", "maintain", "--param", "description=portal.md", "--var", f"config={config}",
            TEAM_KEY=CANARY, DATABRICKS_HOST="https://nobody.invalid", DATABRICKS_TOKEN=CANARY + "-token", LAKEPLAN_LOG="debug",
        )  # fmt: skip
        self.assertNotIn(CANARY, output + json.dumps(values))
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        self.assertGreater(len(files), 20)
        for path in files:
            self.assertNotIn(CANARY.encode(), path.read_bytes(), path)
        for table in ("journal", "runs", "tasks", "projects"):
            self.assertNotIn(CANARY, self.lakeplan("query", f"SELECT * FROM {table}", "--format", "json"))


class Notebook(Jobs):
    def python(self, script: str, expect: int = 0) -> str:
        done = subprocess.run(
            [PYTHON, "-I", "-c", f"import lakeplan\n{script}"],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, expect, done.stderr)
        return done.stdout + done.stderr

    def test_answers_come_as_json_arrow_and_pandas(self):
        self.lakeplan("plan", "portal.md", "--yes")
        self.assertIn(
            "'title': 'Design the sign-in page'", self.python("print(lakeplan.run('task', 'list', '--lake', 'lake'))")
        )
        if subprocess.run([PYTHON, "-I", "-c", "import pyarrow, pandas"], capture_output=True, check=False).returncode:
            self.assertIn("%pip install pyarrow", self.python("lakeplan.query('SELECT 1')", expect=1))
            install = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "pyarrow", "pandas"]
            subprocess.run(install, check=True)
        sql = "SELECT title, estimate_likely, created_at FROM tasks ORDER BY title"
        shown = self.python(f"t = lakeplan.arrow({sql!r}, lake='lake'); print(t.schema.types, t.num_rows)")
        self.assertIn("timestamp[us, tz=UTC]", shown)
        self.assertIn("] 2", shown)
        shown = self.python(f"d = lakeplan.query({sql!r}, lake='lake'); print(type(d).__name__, list(d.title))")
        self.assertIn("DataFrame ['Build the sign-in service', 'Design the sign-in page']", shown)
        self.assertIn("0", self.python("print(len(lakeplan.query('SELECT * FROM tasks', lake='lake', as_of=1)))"))
        output = self.python("lakeplan.query('SELECT nothing FROM tasks', lake='lake')", expect=1)
        self.assertIn("lakeplan.TaskFailed: lakeplan query ended with exit code 2", output)


if __name__ == "__main__":
    unittest.main()
