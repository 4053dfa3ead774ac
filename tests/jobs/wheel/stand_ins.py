"""Stand-ins for the surroundings of a task: the binary, dbutils, the Databricks SDK, the notebook's context."""

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

# Behaves as the variable STAND_IN defines, and records its calls.
_BINARY = """#!{python}
import json, os, sys, time
config = json.loads(os.environ["STAND_IN"])
with open(config["calls"], "a") as calls:
    calls.write(json.dumps({{"argv": sys.argv[1:], "environment": dict(os.environ)}}) + "\\n")
if sys.argv[-3:] == ["config", "secrets", "--json"]:
    print(json.dumps({{"secrets": config.get("secrets", [])}}))
    sys.exit(0)
exec(config.get("does", ""))
if "summary" in config and os.environ.get("LAKEPLAN_SUMMARY"):
    open(os.environ["LAKEPLAN_SUMMARY"], "w").write(json.dumps(config["summary"]))
sys.stdout.flush()
sys.exit(config.get("exit", 0))
"""


class TaskCase(unittest.TestCase):
    """A task with a stand-in for the binary, and without Databricks until a test adds it."""

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
        self.set_binary()

    def enter(self, context: Any) -> Any:
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def set_binary(self, **what: Any) -> None:
        """Sets the behavior of the binary: `secrets`, `does` (Python), `summary`, `exit`."""
        os.environ["STAND_IN"] = json.dumps({"calls": str(self._calls), **what})

    def calls(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._calls.read_text().splitlines()]

    def on_databricks(self) -> DbUtils:
        os.environ["DATABRICKS_RUNTIME_VERSION"] = "client.4.9"
        dbutils = DbUtils()
        self.modules(**{"databricks": {}, "databricks.sdk": {}, "databricks.sdk.runtime": {"dbutils": dbutils}})
        return dbutils

    def modules(self, **named: dict[str, Any]) -> None:
        """Adds importable modules with these contents."""
        for name, what in named.items():
            module = types.ModuleType(name)
            module.__dict__.update(what)
            self.enter(mock.patch.dict(sys.modules, {name: module}))

    def main(self, *args: str) -> Ran:
        """Runs the task with these parameters and returns its output and exception."""
        import lakeplan

        out, err, raised = io.StringIO(), io.StringIO(), None
        with mock.patch.object(sys, "argv", ["lakeplan", *args]):
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    lakeplan.main()
                except Exception as error:
                    raised = error
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
    """Returns the contents of `databricks.sdk` with a host and credentials."""
    config = types.SimpleNamespace(host=host, authenticate=lambda: {"Authorization": authorization})
    return {"WorkspaceClient": lambda: types.SimpleNamespace(config=config)}


def context(url: str, token: str) -> dict[str, Any]:
    """Returns the contents of `dbruntime.databricks_repl_context` in a notebook."""
    return {"get_context": lambda: types.SimpleNamespace(workspaceUrl=url, apiToken=token)}
