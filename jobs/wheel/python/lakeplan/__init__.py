"""Lakeplan on Databricks: the binary as a job task, and its results in a notebook.

`main()` is the entry point of a Python wheel task. It runs the binary with the task's parameters, passes identity and
secrets in its environment, and sets task values for later tasks. `run()`, `query()` and `arrow()` are for notebooks.
"""

from ._errors import CannotStart, TaskFailed, TryAgainLater
from ._query import arrow, query, run
from ._task import main

__all__ = ["CannotStart", "TaskFailed", "TryAgainLater", "arrow", "main", "query", "run"]

# The module of the public name, so that a traceback prints `lakeplan.TaskFailed`.
for _error in (CannotStart, TaskFailed, TryAgainLater):
    _error.__module__ = __name__
