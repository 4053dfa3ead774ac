"""The local runner: what it resolves, orders, repeats and refuses."""

import contextlib
import io
import os
import stat
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "jobs"))
from runner.bundle import Bundle, merge  # noqa: E402
from runner.fault import Fault  # noqa: E402
from runner.graph import Outcome, instead_of_running, order  # noqa: E402
from runner.references import fill  # noqa: E402
from runner.run import Settings, run_job  # noqa: E402

BUNDLE = """
bundle: {name: b}
include: [jobs/*.yml]
variables:
  catalog: {default: dev}
  lake: {default: "${var.catalog}.plan"}
  mails: {type: complex, default: {on_failure: ["${var.catalog}@x"]}}
  house: {lookup: {warehouse: Starter}}
  empty: {description: has no value}
  round: {default: "${var.robin}"}
  robin: {default: "${var.round}"}
resources:
  schemas: {s: {name: plan}}
targets:
  dev: {default: true}
  prod:
    variables: {catalog: prod}
    resources: {jobs: {j: {tasks: [{task_key: a, timeout_seconds: 9}]}}}
"""
JOB = """
resources:
  jobs:
    j:
      name: ${bundle.name} ${bundle.target} ${resources.schemas.s.name}
      tasks:
        - task_key: a
          timeout_seconds: 5
        - task_key: b
"""


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)


class Resolving(Folder):
    def setUp(self):
        super().setUp()
        (self.root / "jobs").mkdir()
        (self.root / "bundle.yml").write_text(BUNDLE)
        (self.root / "jobs" / "j.yml").write_text(JOB)

    def resolved(self, text, **how):
        return Bundle(self.root, **how).resolved(text)

    def test_a_variable_of_a_variable_is_resolved(self):
        self.assertEqual(self.resolved("--lake=${var.lake}"), "--lake=dev.plan")

    def test_the_target_the_environment_and_the_command_line_win_in_that_order(self):
        self.assertEqual(self.resolved("${var.lake}", target="prod"), "prod.plan")
        with mock.patch.dict(os.environ, BUNDLE_VAR_catalog="env"):
            self.assertEqual(self.resolved("${var.lake}"), "env.plan")
            self.assertEqual(self.resolved("${var.lake}", variables={"lake": "./lake"}), "./lake")

    def test_a_complex_variable_stays_what_it_is(self):
        self.assertEqual(self.resolved("${var.mails}"), {"on_failure": ["dev@x"]})

    def test_what_only_a_workspace_knows_is_named(self):
        self.assertEqual(self.resolved("${var.house} ${resources.jobs.j.id}"), "<warehouse Starter> <resources.jobs.j.id>")

    def test_a_target_changes_the_task_it_names_and_leaves_the_others(self):
        job = Bundle(self.root, "prod").jobs()["j"]
        self.assertEqual(job["name"], "b prod plan")
        self.assertEqual(job["tasks"], [{"task_key": "a", "timeout_seconds": 9}, {"task_key": "b"}])

    def test_references_that_lead_nowhere_or_in_a_circle_are_named(self):
        for text, said in [
            ("${var.nothing}", "no such variable"),
            ("${var.empty}", "has no value; give it one with --var empty=VALUE"),
            ("${var.round}", "leads back to itself: var.round -> var.robin"),
            ("${resources.schemas.s.colour}", "leads nowhere: there is no colour"),
            ("${resources.jobs.other.id}", "leads nowhere: there is no other"),
            ("a${var.mails}", "is no text"),
        ]:
            with self.subTest(text), self.assertRaisesRegex(Fault, said):
                self.resolved(text)

    def test_a_target_or_variable_that_is_not_there_is_named_with_those_that_are(self):
        with self.assertRaisesRegex(Fault, "no target test; there are dev, prod"):
            Bundle(self.root, "test")
        with self.assertRaisesRegex(Fault, "no variable colour; there are catalog"):
            Bundle(self.root, variables={"colour": "red"})

    def test_two_files_with_the_same_job_are_refused(self):
        (self.root / "jobs" / "k.yml").write_text(JOB)
        with self.assertRaisesRegex(Fault, r"k.yml: resources.jobs.j.name is there a second time"):
            Bundle(self.root)

    def test_lists_without_names_are_joined(self):
        self.assertEqual(merge({"a": [1]}, {"a": [2]}), {"a": [1, 2]})


class Graph(unittest.TestCase):
    def test_tasks_run_after_those_they_depend_on_otherwise_as_written(self):
        tasks = [task("c", "b"), task("a"), task("b", "a"), task("d")]
        self.assertEqual([one["task_key"] for one in order(tasks, "j")], ["a", "b", "c", "d"])

    def test_a_graph_that_cannot_run_is_refused_by_name(self):
        for tasks, said in [
            ([task("a", "b"), task("b", "a")], "wait for each other: a, b"),
            ([task("a", "x")], "j.a depends on x, and there is no such task"),
            ([task("a"), task("a")], "two tasks have the same task_key"),
        ]:
            with self.subTest(said), self.assertRaisesRegex(Fault, said):
                order(tasks, "j")

    def test_run_if_decides_by_what_became_of_the_tasks_before(self):
        good, bad, out = Outcome.SUCCEEDED, Outcome.FAILED, Outcome.EXCLUDED
        cases = {
            "ALL_SUCCESS": [(good, good, None), (good, bad, Outcome.UPSTREAM_FAILED), (good, out, None)],
            "ALL_DONE": [(bad, bad, None)],
            "NONE_FAILED": [(good, out, None), (good, bad, Outcome.UPSTREAM_FAILED)],
            "AT_LEAST_ONE_SUCCESS": [(good, bad, None), (bad, bad, Outcome.UPSTREAM_FAILED)],
            "ALL_FAILED": [(bad, bad, None), (good, bad, out)],
            "AT_LEAST_ONE_FAILED": [(good, bad, None), (good, good, out)],
        }
        for run_if, expected in cases.items():
            for first, second, outcome in expected:
                with self.subTest(run_if, first=first, second=second):
                    told = {**task("c", "a", "b"), "run_if": run_if}
                    self.assertIs(instead_of_running(told, {"a": first, "b": second}), outcome)


class References(unittest.TestCase):
    def test_values_of_the_run_are_filled_in(self):
        known = {"job": {"parameters": {"x": "y"}}, "tasks": {"a": {"values": {"seq": 3}}}, "input": "PAY"}
        text = "{{job.parameters.x}} {{ tasks.a.values.seq }} {{input}}"
        self.assertEqual(fill([text], known, "j.a"), ["y 3 PAY"])

    def test_an_unknown_one_is_named_with_its_place(self):
        with self.assertRaisesRegex(Fault, r"j.a: \{\{tasks.b.values.seq\}\} is not known here"):
            fill("{{tasks.b.values.seq}}", {"tasks": {}}, "j.a")


# Stands in for a Python with the wheel: notes its parameters, and fails as often as it is told to.
_PYTHON = """#!{python}
import json, os, sys, time
here = os.path.dirname(os.path.abspath(sys.argv[0]))
package, entry_point, *parameters = sys.argv[3:]
with open(here + "/ran", "a") as ran:
    ran.write(json.dumps(parameters) + "\\n")
open(os.environ["LAKEPLAN_TASK_VALUES"], "w").write(json.dumps({{"seq": 7, "echo": parameters[-1]}}))
if parameters[0] == "sleep":
    time.sleep(60)
fails = sum(1 for _ in open(here + "/ran")) <= int(os.environ.get("FAILS", "0"))
sys.exit(1 if fails else 0)
"""


class Running(Folder):
    def setUp(self):
        super().setUp()
        self.python = self.root / "python"
        self.python.write_text(_PYTHON.format(python=sys.executable))
        self.python.chmod(self.python.stat().st_mode | stat.S_IXUSR)

    def run_job(self, tasks, parameters=(), **settings):
        job = {"parameters": [{"name": name, "default": ""} for name in parameters], "tasks": tasks}
        with contextlib.redirect_stdout(io.StringIO()) as self.log:
            return run_job("j", job, dict(parameters), Settings(str(self.python), waits=False, **settings))

    def ran(self):
        ran = self.root / "ran"
        return ran.read_text().splitlines() if ran.exists() else []

    def test_values_go_from_task_to_task(self):
        run = self.run_job(
            [wheel("b", "{{tasks.a.values.seq}}", "x", after=["a"]), wheel("a", "first", "{{job.parameters.p}}")], {"p": "q"}
        )
        self.assertEqual(self.ran(), ['["first", "q"]', '["7", "x"]'])
        self.assertEqual(run.values["a"], {"seq": 7, "echo": "q"})
        self.assertTrue(run.succeeded)

    def test_a_task_is_repeated_as_often_as_it_says(self):
        with mock.patch.dict(os.environ, FAILS="2"):
            self.assertTrue(self.run_job([wheel("a", "x") | {"max_retries": 2}]).succeeded)
            self.assertEqual(len(self.ran()), 3)

    def test_a_task_that_fails_keeps_those_after_it_from_running(self):
        with mock.patch.dict(os.environ, FAILS="9"):
            run = self.run_job([wheel("a", "x"), wheel("b", "y", after=["a"])])
        self.assertEqual(run.outcomes, {"a": Outcome.FAILED, "b": Outcome.UPSTREAM_FAILED})
        self.assertEqual(self.ran(), ['["x"]'])
        self.assertFalse(run.succeeded)

    def test_a_task_that_takes_too_long_fails(self):
        self.assertFalse(self.run_job([wheel("a", "sleep") | {"timeout_seconds": 1}]).succeeded)

    def test_a_loop_runs_its_task_for_each_input(self):
        run = self.run_job([loop("{{job.parameters.keys}}", wheel("one", "--project={{input}}"))], {"keys": '["PAY", "CP"]'})
        self.assertEqual(self.ran(), ['["--project=PAY"]', '["--project=CP"]'])
        self.assertTrue(run.succeeded)

    def test_a_loop_over_nothing_runs_nothing_and_succeeds(self):
        self.assertTrue(self.run_job([loop("[]", wheel("one", "{{input}}"))]).succeeded)
        self.assertEqual(self.ran(), [])

    def test_a_loop_over_something_else_than_a_list_is_refused(self):
        with self.assertRaisesRegex(Fault, r"j.each.inputs: 'PAY' is no JSON array"):
            self.run_job([loop("PAY", wheel("one", "{{input}}"))])

    def test_a_path_in_a_volume_is_one_of_the_folder_for_volumes_and_the_volume_is_there(self):
        self.run_job([wheel("a", "--out=/Volumes/c/s/v/r.html", "/Volumes/c/s/w")], volumes=self.root / "vols")
        self.assertEqual(self.ran(), [f'["--out={self.root}/vols/c/s/v/r.html", "{self.root}/vols/c/s/w"]'])
        self.assertTrue((self.root / "vols/c/s/v").is_dir())
        self.assertTrue((self.root / "vols/c/s/w").is_dir())

    def test_a_path_in_a_volume_without_a_folder_for_them_is_refused(self):
        with self.assertRaisesRegex(Fault, "--volumes FOLDER says which folder"):
            self.run_job([wheel("a", "/Volumes/c/s/v")])

    def test_a_kind_of_task_that_does_not_run_here_is_refused_before_anything_runs(self):
        with self.assertRaisesRegex(Fault, r"j.b: what runs here is one of python_wheel_task, for_each_task, not sql_task"):
            self.run_job([wheel("a", "x"), {"task_key": "b", "sql_task": {}}])
        self.assertEqual(self.ran(), [])


def task(key, *after):
    return {"task_key": key, "depends_on": [{"task_key": one} for one in after]}


def wheel(key, *parameters, after=()):
    named = {"package_name": "p", "entry_point": "main", "parameters": list(parameters)}
    return {**task(key, *after), "python_wheel_task": named}


def loop(inputs, inner):
    return {"task_key": "each", "for_each_task": {"inputs": inputs, "task": inner}}


if __name__ == "__main__":
    unittest.main()
