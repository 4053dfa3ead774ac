"""`lakeplan.run()`: answers and errors for a notebook. What SQL answers is asked of a real lake in `story.py`."""

import contextlib
import io
import sys
import unittest
from unittest import mock

import lakeplan
from stand_ins import TaskCase


class Run(TaskCase):
    def test_the_answer_is_parsed_and_asked_for_as_json(self):
        self.told(does="print('{\"tasks\": [1]}')")
        self.assertEqual(lakeplan.run("task", "list"), {"tasks": [1]})
        self.assertEqual(self.calls()[-1]["argv"], ["task", "list", "--json"])

    def test_as_text_it_is_what_was_printed(self):
        self.told(does="print('CP-1 Sign-in')")
        self.assertEqual(lakeplan.run("task", "tree", json=False), "CP-1 Sign-in\n")

    def test_an_error_carries_code_message_and_hint(self):
        self.told(
            does="""print('{"error": {"code": "not_found", "message": "no task X-1", "hint": "look"}}', file=sys.stderr)""",
            exit=1,
        )
        with self.assertRaises(lakeplan.TaskFailed) as caught:
            lakeplan.run("task", "show", "X-1")
        raised = caught.exception
        self.assertEqual((raised.exit, raised.code, raised.message, raised.hint), (1, "not_found", "no task X-1", "look"))

    def test_exit_4_is_told_apart(self):
        self.told(exit=4)
        with self.assertRaises(lakeplan.TryAgainLater):
            lakeplan.run("fold")

    def test_what_is_said_beside_the_answer_is_shown_without_secrets(self):
        self.told(
            secrets=[{"name": "KEY", "scope": "s", "key": "k"}], does="print(os.environ['KEY'], file=sys.stderr); print('{}')"
        )
        err = io.StringIO()
        with mock.patch.dict("os.environ", KEY="canary"), contextlib.redirect_stderr(err):
            lakeplan.run("fold")
        self.assertEqual(err.getvalue(), "[REDACTED]\n")

    def test_without_pyarrow_it_says_what_to_install(self):
        with mock.patch.dict(sys.modules, {"pyarrow": None}):
            with self.assertRaisesRegex(ImportError, "%pip install pyarrow"):
                lakeplan.query("SELECT 1")


if __name__ == "__main__":
    unittest.main()
