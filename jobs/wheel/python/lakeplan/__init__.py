"""Lakeplan on Databricks: the binary as a job task, and its answers in a notebook.

`main()` is the entry point of a Python wheel task: it runs the binary with the task's parameters, hands it identity and
secrets in its environment, and tells later tasks what came out of it. `run()`, `query()` and `arrow()` are for notebooks.
"""

from ._errors import CannotStart, TaskFailed, TryAgainLater
from ._query import arrow, query, run
from ._task import main

__all__ = ["CannotStart", "TaskFailed", "TryAgainLater", "arrow", "main", "query", "run"]

# Where a traceback names them, they are called what they are imported as.
for _error in (CannotStart, TaskFailed, TryAgainLater):
    _error.__module__ = __name__
