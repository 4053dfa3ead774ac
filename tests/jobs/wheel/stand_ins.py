"""Stand-ins for what a task has around it: the binary, dbutils, the Databricks SDK, the notebook's context."""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat
import sys
import tempfile
import types
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

# Does what STAND_IN says, and notes how it was called.
_BINARY = """#!{python}
import json, os, sys, time
told = json.loads(os.environ["STAND_IN"])
with open(told["calls"], "a") as calls:
    calls.write(json.dumps({{"argv": sys.argv[1:], "environment": dict(os.environ)}}) + "\\n")
if sys.argv[-3:] == ["config", "secrets", "--json"]:
    print(json.dumps({{"secrets": told.get("secrets", [])}}))
    sys.exit(0)
exec(told.get("does", ""))
if "summary" in told and os.environ.get("LAKEPLAN_SUMMARY"):
    open(os.environ["LAKEPLAN_SUMMARY"], "w").write(json.dumps(told["summary"]))
sys.stdout.flush()
sys.exit(told.get("exit", 0))
"""


class TaskCase(unittest.TestCase):
    """A task with a stand-in for the binary and nothing of Databricks, until a test adds it."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.binary = self.folder / "lakeplan"
        self.binary.write_text(_BINARY.format(python=sys.executable))
        self.binary.chmod(self.binary.stat().st_mode | stat.S_IXUSR)
        self._calls = self.folder / "calls"
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.enter(mock.patch.dict(os.environ, {**kept, "LAKEPLAN_BINARY": str(self.binary)}, clear=True))
        self.told()

    def enter(self, context: Any) -> Any:
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def told(self, **what: Any) -> None:
        """What the binary does: `secrets`, `does` (Python), `summary`, `exit`."""
        os.environ["STAND_IN"] = json.dumps({"calls": str(self._calls), **what})

    def calls(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._calls.read_text().splitlines()]

    def on_databricks(self) -> DbUtils:
        os.environ["DATABRICKS_RUNTIME_VERSION"] = "client.4.9"
        dbutils = DbUtils()
        self.modules(**{"databricks": {}, "databricks.sdk": {}, "databricks.sdk.runtime": {"dbutils": dbutils}})
        return dbutils

    def modules(self, **named: dict[str, Any]) -> None:
        """Modules that can be imported, each with what is in it."""
        for name, what in named.items():
            module = types.ModuleType(name)
            module.__dict__.update(what)
            self.enter(mock.patch.dict(sys.modules, {name: module}))

    def main(self, *words: str) -> Ran:
        """Runs the task with these parameters; what it raised is kept, not raised."""
        import lakeplan

        out, err, raised = io.StringIO(), io.StringIO(), None
        with mock.patch.object(sys, "argv", ["lakeplan", *words]):
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    lakeplan.main()
                except Exception as fault:
                    raised = fault
        return Ran(out.getvalue(), err.getvalue(), raised)


class Ran:
    def __init__(self, out: str, err: str, raised: Exception | None) -> None:
        self.out, self.err, self.raised = out, err, raised


class DbUtils:
    """dbutils with secrets and task values, both kept in memory."""

    def __init__(self) -> None:
        self.scopes: dict[tuple[str, str], str] = {}
        self.values: dict[str, Any] = {}
        self.secrets = types.SimpleNamespace(get=self._secret)
        self.jobs = types.SimpleNamespace(taskValues=types.SimpleNamespace(set=self._set))

    def _secret(self, scope: str, key: str) -> str:
        if (scope, key) not in self.scopes:
            raise RuntimeError(f"Secret does not exist with scope: {scope} and key: {key}")
        return self.scopes[scope, key]

    def _set(self, key: str, value: Any) -> None:
        if value is None or len(json.dumps(value)) > 48 * 1024:
            raise ValueError(f"{key} is no task value")
        self.values[key] = value


def sdk(host: str, authorization: str) -> dict[str, Any]:
    """What `databricks.sdk` holds where it knows a host and a way to sign in."""
    config = types.SimpleNamespace(host=host, authenticate=lambda: {"Authorization": authorization})
    return {"WorkspaceClient": lambda: types.SimpleNamespace(config=config)}


def context(url: str, token: str) -> dict[str, Any]:
    """What `dbruntime.databricks_repl_context` holds in a notebook."""
    return {"get_context": lambda: types.SimpleNamespace(workspaceUrl=url, apiToken=token)}
