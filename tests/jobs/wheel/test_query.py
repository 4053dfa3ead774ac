"""`lakeplan.run()`: results and errors for a notebook. `story.py` tests SQL with a real lake."""

import contextlib
import io
import sys
import unittest
from unittest import mock

import lakeplan
from stand_ins import TaskCase


class Run(TaskCase):
    def test_json_is_requested_and_parsed(self):
        self.set_binary(does="print('{\"tasks\": [1]}')")
        self.assertEqual(lakeplan.run("task", "list"), {"tasks": [1]})
        self.assertEqual(self.calls()[-1]["argv"], ["task", "list", "--json"])

    def test_text_is_returned_as_printed(self):
        self.set_binary(does="print('CP-1 Sign-in')")
        self.assertEqual(lakeplan.run("task", "tree", json=False), "CP-1 Sign-in\n")

    def test_an_error_carries_code_message_and_hint(self):
        self.set_binary(
            does="""print('{"error": {"code": "not_found", "message": "no task X-1", "hint": "look"}}', file=sys.stderr)""",
            exit=1,
        )
        with self.assertRaises(lakeplan.TaskFailed) as caught:
            lakeplan.run("task", "show", "X-1")
        raised = caught.exception
        self.assertEqual((raised.exit, raised.code, raised.message, raised.hint), (1, "not_found", "no task X-1", "look"))

    def test_exit_4_raises_try_again_later(self):
        self.set_binary(exit=4)
        with self.assertRaises(lakeplan.TryAgainLater):
            lakeplan.run("fold")

    def test_standard_error_is_printed_without_secrets(self):
        self.set_binary(
            secrets=[{"name": "KEY", "scope": "s", "key": "k"}], does="print(os.environ['KEY'], file=sys.stderr); print('{}')"
        )
        err = io.StringIO()
        with mock.patch.dict("os.environ", KEY="canary"), contextlib.redirect_stderr(err):
            lakeplan.run("fold")
        self.assertEqual(err.getvalue(), "[REDACTED]\n")

    def test_a_missing_pyarrow_error_says_what_to_install(self):
        with mock.patch.dict(sys.modules, {"pyarrow": None}):
            with self.assertRaisesRegex(ImportError, "%pip install pyarrow"):
                lakeplan.query("SELECT 1")


if __name__ == "__main__":
    unittest.main()
