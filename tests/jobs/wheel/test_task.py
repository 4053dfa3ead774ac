"""`lakeplan.main()`: the output, task values and exceptions of a task."""

import json
import os
import signal
import subprocess
import sys
import time
import unittest

import lakeplan
from stand_ins import TaskCase

SUMMARY = {
    "command": "plan", "exit": 0, "code": None, "message": None, "hint": None, "started_at": "2026-11-21T10:00:00Z",
    "duration_ms": 120, "lake": "dev.lakeplan", "seq": 42, "sets_behind": 0, "counts": {"created": 12},
}  # fmt: skip


class Success(TaskCase):
    def test_parameters_are_passed_unchanged(self):
        self.main("--lake=x", "plan", "", "--text=- one\n- two", "--yes")
        self.assertEqual(self.calls()[-1]["argv"], ["--lake=x", "plan", "", "--text=- one\n- two", "--yes"])

    def test_both_streams_are_passed_on(self):
        self.set_binary(does="print('planned', flush=True); print('note', file=sys.stderr)")
        ran = self.main("plan")
        self.assertEqual((ran.out, ran.err, ran.raised), ("planned\n", "note\n", None))

    def test_a_child_that_floods_both_streams_does_not_deadlock(self):
        self.set_binary(does="for i in range(20000): print('o' * 100); print('e' * 100, file=sys.stderr)")
        ran = self.main("plan")
        self.assertEqual((len(ran.out), len(ran.err)), (20000 * 101, 20000 * 101))

    def test_the_summary_becomes_task_values(self):
        dbutils = self.on_databricks()
        self.set_binary(summary=SUMMARY)
        self.main("plan")
        facts = {key: value for key, value in dbutils.values.items() if key != "summary"}
        self.assertEqual(facts, {"exit": 0, "seq": 42, "duration_ms": 120, "sets_behind": 0, "counts": {"created": 12}})
        self.assertEqual(json.loads(dbutils.values["summary"]), SUMMARY)

    def test_a_too_large_summary_is_omitted_and_the_other_values_are_set(self):
        dbutils = self.on_databricks()
        self.set_binary(summary=SUMMARY | {"message": "m" * 50_000})
        ran = self.main("plan")
        self.assertNotIn("could not be set", ran.err)
        self.assertNotIn("summary", dbutils.values)
        self.assertEqual(dbutils.values["seq"], 42)

    def test_outside_databricks_the_values_are_written_to_the_given_file(self):
        file = self.folder / "values.json"
        os.environ["LAKEPLAN_TASK_VALUES"] = str(file)
        self.set_binary(summary=SUMMARY)
        self.main("plan")
        self.assertEqual(json.loads(file.read_text())["counts"], {"created": 12})

    def test_a_binary_that_writes_no_summary_still_sets_exit_and_duration(self):
        dbutils = self.on_databricks()
        self.main("plan")
        self.assertEqual(dbutils.values["exit"], 0)
        self.assertIn("duration_ms", dbutils.values)

    def test_values_that_cannot_be_set_are_reported_and_do_not_fail_the_task(self):
        dbutils = self.on_databricks()
        del dbutils.jobs.taskValues.set
        self.set_binary(summary=SUMMARY)
        ran = self.main("plan")
        self.assertIsNone(ran.raised)
        self.assertIn("the task value seq could not be set", ran.err)


class Failure(TaskCase):
    def test_a_refusal_fails_the_task_with_its_message_and_the_end_of_the_log(self):
        self.set_binary(
            does="for i in range(100): print('line', i)",
            exit=1,
            summary=SUMMARY | {"exit": 1, "code": "refused", "message": "no such project", "hint": "lakeplan project list"},
        )
        raised = self.main("plan").raised
        self.assertIsInstance(raised, lakeplan.TaskFailed)
        self.assertNotIsInstance(raised, lakeplan.TryAgainLater)
        self.assertEqual((raised.exit, raised.code, raised.hint), (1, "refused", "lakeplan project list"))
        self.assertIn("lakeplan plan ended with exit code 1 (refused): no such project", str(raised))
        self.assertEqual(raised.tail.splitlines()[-1], "line 99")
        self.assertNotIn("line 10\n", raised.tail)

    def test_the_values_of_a_failed_task_are_set_too(self):
        dbutils = self.on_databricks()
        self.set_binary(exit=1, summary=SUMMARY | {"exit": 1})
        self.main("plan")
        self.assertEqual(dbutils.values["exit"], 1)

    def test_exit_4_raises_an_error_that_says_a_retry_is_safe(self):
        self.set_binary(exit=4)
        raised = self.main("plan").raised
        self.assertIsInstance(raised, lakeplan.TryAgainLater)
        self.assertIn("repeating the task is safe", str(raised))

    def test_a_killed_child_is_reported_with_its_signal(self):
        self.set_binary(does="os.kill(os.getpid(), 9)")
        self.assertIn("was ended by signal 9", str(self.main("plan").raised))

    def test_a_terminated_task_ends_its_child_first(self):
        ended = self.folder / "ended"
        self.set_binary(
            does="import signal\n"
            f"def end(*_): open({str(ended)!r}, 'w').write('yes'); os.write(1, b'ending\\n'); os._exit(0)\n"
            "signal.signal(signal.SIGTERM, end); print('ready', flush=True); time.sleep(60)"
        )
        script = "import sys, lakeplan; sys.argv = ['lakeplan', 'plan']; lakeplan.main()"
        task = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        self.assertEqual(task.stdout.readline(), "ready\n")
        task.send_signal(signal.SIGTERM)
        started = time.monotonic()
        rest, _ = task.communicate(timeout=30)
        self.assertEqual((rest, task.returncode, ended.read_text()), ("ending\n", -signal.SIGTERM, "yes"))
        self.assertLess(time.monotonic() - started, 15)

    def test_an_interrupt_is_passed_on_and_raised(self):
        self.set_binary(
            does="import signal\n"
            "def end(*_): os.write(1, b'ending\\n'); os._exit(0)\n"
            "signal.signal(signal.SIGINT, end); print('ready', flush=True); time.sleep(60)"
        )
        # A background process, such as these tests, may ignore Ctrl-C from the start; a task does
        # not.
        script = "import signal, sys, lakeplan; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        script += "sys.argv = ['lakeplan', 'plan']; lakeplan.main()"
        task = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(task.stdout.readline(), "ready\n")
        task.send_signal(signal.SIGINT)
        rest, err = task.communicate(timeout=30)
        self.assertEqual((rest, task.returncode), ("ending\n", -signal.SIGINT))
        self.assertIn("KeyboardInterrupt", err)

    def test_a_child_that_ignores_the_signal_is_killed(self):
        self.set_binary(
            does="import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN); print(os.getpid(), flush=True); time.sleep(60)"
        )
        script = "import sys, lakeplan; from lakeplan import _process; _process.GRACE_SECONDS = 0.5\n"
        script += "sys.argv = ['lakeplan', 'plan']; lakeplan.main()"
        task = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        child = int(task.stdout.readline())
        task.send_signal(signal.SIGTERM)
        task.communicate(timeout=20)
        self.assertEqual(task.returncode, -signal.SIGTERM)
        with self.assertRaises(ProcessLookupError):
            os.kill(child, 0)


if __name__ == "__main__":
    unittest.main()
