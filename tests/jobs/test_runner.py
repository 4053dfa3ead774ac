"""The local runner: resolution, order, retries and errors."""

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
from runner.error import BundleError  # noqa: E402
from runner.graph import Outcome, outcome_if_skipped, order  # noqa: E402
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

    def test_the_command_line_overrides_the_environment_and_the_target(self):
        self.assertEqual(self.resolved("${var.lake}", target="prod"), "prod.plan")
        with mock.patch.dict(os.environ, BUNDLE_VAR_catalog="env"):
            self.assertEqual(self.resolved("${var.lake}"), "env.plan")
            self.assertEqual(self.resolved("${var.lake}", variables={"lake": "./lake"}), "./lake")

    def test_a_complex_variable_keeps_its_type(self):
        self.assertEqual(self.resolved("${var.mails}"), {"on_failure": ["dev@x"]})

    def test_values_of_the_workspace_become_placeholders(self):
        self.assertEqual(self.resolved("${var.house} ${resources.jobs.j.id}"), "<warehouse Starter> <resources.jobs.j.id>")

    def test_a_target_overrides_only_the_named_task(self):
        job = Bundle(self.root, "prod").jobs()["j"]
        self.assertEqual(job["name"], "b prod plan")
        self.assertEqual(job["tasks"], [{"task_key": "a", "timeout_seconds": 9}, {"task_key": "b"}])

    def test_unresolved_and_cyclic_references_are_named(self):
        for text, output in [
            ("${var.nothing}", "no such variable"),
            ("${var.empty}", "has no value; give it one with --var empty=VALUE"),
            ("${var.round}", "refers to itself: var.round -> var.robin"),
            ("${resources.schemas.s.colour}", "does not resolve: there is no colour"),
            ("${resources.jobs.other.id}", "does not resolve: there is no other"),
            ("a${var.mails}", "is not a string"),
        ]:
            with self.subTest(text), self.assertRaisesRegex(BundleError, output):
                self.resolved(text)

    def test_an_unknown_target_or_variable_is_reported_with_the_known_ones(self):
        with self.assertRaisesRegex(BundleError, "no target test; there are dev, prod"):
            Bundle(self.root, "test")
        with self.assertRaisesRegex(BundleError, "no variable colour; there are catalog"):
            Bundle(self.root, variables={"colour": "red"})

    def test_two_files_with_the_same_job_are_refused(self):
        (self.root / "jobs" / "k.yml").write_text(JOB)
        with self.assertRaisesRegex(BundleError, r"k.yml: resources.jobs.j.name is defined twice"):
            Bundle(self.root)

    def test_lists_without_names_are_concatenated(self):
        self.assertEqual(merge({"a": [1]}, {"a": [2]}), {"a": [1, 2]})


class Graph(unittest.TestCase):
    def test_tasks_run_after_their_dependencies_and_otherwise_in_file_order(self):
        tasks = [task("c", "b"), task("a"), task("b", "a"), task("d")]
        self.assertEqual([one["task_key"] for one in order(tasks, "j")], ["a", "b", "c", "d"])

    def test_an_invalid_graph_is_refused_by_name(self):
        for tasks, output in [
            ([task("a", "b"), task("b", "a")], "these tasks form a cycle: a, b"),
            ([task("a", "x")], "j.a depends on x, which does not exist"),
            ([task("a"), task("a")], "two tasks have the same task_key"),
        ]:
            with self.subTest(output), self.assertRaisesRegex(BundleError, output):
                order(tasks, "j")

    def test_run_if_decides_by_the_outcomes_of_the_dependencies(self):
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
                    dependent = {**task("c", "a", "b"), "run_if": run_if}
                    self.assertIs(outcome_if_skipped(dependent, {"a": first, "b": second}), outcome)


class References(unittest.TestCase):
    def test_values_of_the_run_are_filled_in(self):
        known = {"job": {"parameters": {"x": "y"}}, "tasks": {"a": {"values": {"seq": 3}}}, "input": "PAY"}
        text = "{{job.parameters.x}} {{ tasks.a.values.seq }} {{input}}"
        self.assertEqual(fill([text], known, "j.a"), ["y 3 PAY"])

    def test_an_unknown_reference_is_named_with_its_place(self):
        with self.assertRaisesRegex(BundleError, r"j.a: \{\{tasks.b.values.seq\}\} is unknown"):
            fill("{{tasks.b.values.seq}}", {"tasks": {}}, "j.a")


# Replaces a Python with the wheel: records its parameters, and fails the given number of times.
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

    def test_values_are_passed_between_tasks(self):
        run = self.run_job(
            [wheel("b", "{{tasks.a.values.seq}}", "x", after=["a"]), wheel("a", "first", "{{job.parameters.p}}")], {"p": "q"}
        )
        self.assertEqual(self.ran(), ['["first", "q"]', '["7", "x"]'])
        self.assertEqual(run.values["a"], {"seq": 7, "echo": "q"})
        self.assertTrue(run.succeeded)

    def test_a_task_is_retried_up_to_max_retries(self):
        with mock.patch.dict(os.environ, FAILS="2"):
            self.assertTrue(self.run_job([wheel("a", "x") | {"max_retries": 2}]).succeeded)
            self.assertEqual(len(self.ran()), 3)

    def test_a_failed_task_skips_its_dependents(self):
        with mock.patch.dict(os.environ, FAILS="9"):
            run = self.run_job([wheel("a", "x"), wheel("b", "y", after=["a"])])
        self.assertEqual(run.outcomes, {"a": Outcome.FAILED, "b": Outcome.UPSTREAM_FAILED})
        self.assertEqual(self.ran(), ['["x"]'])
        self.assertFalse(run.succeeded)

    def test_a_task_fails_at_its_timeout(self):
        self.assertFalse(self.run_job([wheel("a", "sleep") | {"timeout_seconds": 1}]).succeeded)

    def test_a_loop_runs_its_task_for_each_input(self):
        run = self.run_job([loop("{{job.parameters.keys}}", wheel("one", "--project={{input}}"))], {"keys": '["PAY", "CP"]'})
        self.assertEqual(self.ran(), ['["--project=PAY"]', '["--project=CP"]'])
        self.assertTrue(run.succeeded)

    def test_an_empty_loop_succeeds(self):
        self.assertTrue(self.run_job([loop("[]", wheel("one", "{{input}}"))]).succeeded)
        self.assertEqual(self.ran(), [])

    def test_a_loop_over_a_non_list_is_refused(self):
        with self.assertRaisesRegex(BundleError, r"j.each.inputs: 'PAY' is not a JSON array"):
            self.run_job([loop("PAY", wheel("one", "{{input}}"))])

    def test_a_volume_path_is_mapped_and_the_volume_is_created(self):
        self.run_job([wheel("a", "--out=/Volumes/c/s/v/r.html", "/Volumes/c/s/w")], volumes=self.root / "vols")
        self.assertEqual(self.ran(), [f'["--out={self.root}/vols/c/s/v/r.html", "{self.root}/vols/c/s/w"]'])
        self.assertTrue((self.root / "vols/c/s/v").is_dir())
        self.assertTrue((self.root / "vols/c/s/w").is_dir())

    def test_a_volume_path_without_a_mapping_is_refused(self):
        with self.assertRaisesRegex(BundleError, "--volumes FOLDER maps"):
            self.run_job([wheel("a", "/Volumes/c/s/v")])

    def test_an_unsupported_task_type_is_refused_before_anything_runs(self):
        with self.assertRaisesRegex(BundleError, r"j.b: the task type must be one of python_wheel_task, for_each_task, not sql_task"):
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
