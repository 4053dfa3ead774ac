"""Notebooks on this machine: widgets, magics, cell output, and the end of a run."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

RUN = Path(__file__).parents[2] / "notebooks" / "run"
CELL = "\n\n# COMMAND ----------\n\n"
PACKAGE = """
import pandas
def query(sql, lake=None):
    return pandas.DataFrame({"sql": [sql], "lake": [lake]})
"""


class Run(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "lakeplan.py").write_text(PACKAGE)

    def run_cells(self, *cells, args=(), name="book.py", environment=None):
        (self.folder / name).write_text("# Databricks notebook source\n" + CELL.join(cells) + "\n")
        command = [sys.executable, str(RUN), str(self.folder / name), "--out", str(self.folder / "out.html"), *args]
        environment = {"PYTHONPATH": str(self.folder), **(environment or {})}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=self.folder, check=False)
        page = self.folder / "out.html"
        return done, page.read_text() if page.exists() else ""

    def test_widgets_have_their_defaults_unless_set(self):
        cells = ['dbutils.widgets.text("a", "one")\ndbutils.widgets.dropdown("b", "no", ["no", "yes"])', "print(dbutils.widgets.getAll())"]
        done, page = self.run_cells(*cells, args=["--set", "b=yes"])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("{&#x27;a&#x27;: &#x27;one&#x27;, &#x27;b&#x27;: &#x27;yes&#x27;}", page)

    def test_a_value_for_an_unknown_widget_is_an_error_with_the_widgets(self):
        done, _ = self.run_cells('dbutils.widgets.text("lake", "")\nprint("ran")', args=["--set", "lak=x"])
        self.assertEqual(done.returncode, 2)
        self.assertNotIn("ran", done.stdout, "no cell ran")
        self.assertIn("has no widget lak; it has lake", done.stderr)

    def test_an_invalid_dropdown_choice_fails(self):
        done, _ = self.run_cells('dbutils.widgets.dropdown("b", "no", ["no", "yes"])', args=["--set", "b=maybe"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot be 'maybe'; it is one of no, yes", done.stderr)

    def test_the_run_stops_at_the_first_failing_cell_and_names_it(self):
        done, page = self.run_cells("print('before')", "def f():\n    return 1 / 0", "f()", "print('after')")
        self.assertEqual(done.returncode, 1)
        self.assertIn("book.py, cell 3: ZeroDivisionError: division by zero", done.stderr)
        self.assertIn("return 1 / 0", done.stderr, "the traceback shows the line")
        self.assertNotIn("notebook.py", done.stderr, "and nothing of the runner")
        self.assertIn("before", page)
        self.assertNotIn("after", page)
        self.assertIn("ZeroDivisionError", page)

    def test_a_cell_that_exits_the_process_fails(self):
        done, _ = self.run_cells("import sys\nsys.exit(0)")
        self.assertEqual(done.returncode, 1)
        self.assertIn("cell 1: SystemExit: 0", done.stderr)

    def test_exit_ends_the_notebook_without_a_failure(self):
        done, page = self.run_cells("dbutils.notebook.exit('enough')", "1 / 0")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("ended itself: enough", page)

    def test_magics_are_handled_and_others_refused(self):
        done, page = self.run_cells(
            "# MAGIC %md\n# MAGIC # Title <i>\n# MAGIC\n# MAGIC | a | b |\n# MAGIC |---|---|\n# MAGIC | `x|y` | **z** |",
            "# MAGIC %pip install no-such-package",
            'dbutils.widgets.text("lake", "")',
            "# MAGIC %sql\n# MAGIC SELECT 1",
            "_sqldf",
            args=["--set", "lake=here"],
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("<h1>Title &lt;i&gt;</h1>", page)
        self.assertIn("<strong>z</strong>", page)
        self.assertEqual(page.count("<td>SELECT 1</td><td>here</td>"), 2)
        self.assertIn("skipped: %pip", done.stdout)
        done, _ = self.run_cells("# MAGIC %sh ls")
        self.assertEqual(done.returncode, 1)
        self.assertIn("cell 1: runner.source.Unreadable: %sh runs only on Databricks", done.stderr)

    def test_run_shares_the_names_of_the_other_notebook(self):
        (self.folder / "other.py").write_text("# Databricks notebook source\nshared = 41\n")
        done, page = self.run_cells("# MAGIC %run ./other", "shared + 1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("<pre>42</pre>", page)

    def test_cell_output_cannot_escape_its_frame(self):
        done, page = self.run_cells("print('</pre><script>alert(1)</script>')", 'displayHTML(\'<b title="x">bold</b>\')')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("<script>alert", page)
        self.assertIn('&lt;b title=&quot;x&quot;&gt;bold&lt;/b&gt;"></iframe>', page)
        self.assertIn('sandbox="allow-scripts"', page)

    def test_tables_align_numbers_right_and_leave_missing_values_empty(self):
        _, page = self.run_cells("import pandas\ndisplay(pandas.DataFrame({'n': [1.5, None], 't': ['<x>', None]}))")
        self.assertIn('<td class="number">1.5</td><td>&lt;x&gt;</td>', page)
        self.assertIn('<td class="number"></td><td></td>', page)

    def test_secrets_come_from_the_environment_and_are_never_shown(self):
        cells = ["value = dbutils.secrets.get('my-scope', 'key')", "print('it is', value)\ndisplayHTML(value)", "raise ValueError(value)"]
        done, page = self.run_cells(*cells, environment={"MY_SCOPE_KEY": "canary-4711"})
        self.assertEqual(done.returncode, 1)
        self.assertNotIn("canary-4711", page + done.stdout + done.stderr)
        self.assertIn("it is [REDACTED]", page)
        done, _ = self.run_cells(*cells)
        self.assertIn("set MY_SCOPE_KEY for the secret my-scope/key", done.stderr)

    def test_an_invalid_notebook_is_refused_with_the_reason(self):
        (self.folder / "plain.py").write_text("print(1)\n")
        done = subprocess.run([sys.executable, str(RUN), str(self.folder / "plain.py")], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("its first line is to be '# Databricks notebook source'", done.stderr)
        done, _ = self.run_cells("# MAGIC %md\nprint(1)")
        self.assertEqual(done.returncode, 2)
        self.assertIn("cell 1: Python and # MAGIC lines stand in one cell", done.stderr)

    def test_another_python_runs_the_cells_with_the_same_arguments(self):
        done, page = self.run_cells("import sys\nprint('ran by', sys.executable)", args=["--python", sys.executable])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"ran by {sys.executable}", page)


if __name__ == "__main__":
    unittest.main()
