"""The entry point of a Python wheel task: one `lakeplan` command, its output, its task values, and its failure."""

from __future__ import annotations

import collections
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from . import _binary, _environment, _process
from ._errors import failure

TAIL_LINES = 40
"""Number of log lines in an error."""

VALUE_BYTES = 48 * 1024
"""The largest task value that Databricks accepts."""

_SINGLE_FACTS = ("exit", "seq", "duration_ms", "sets_behind", "counts")


def main() -> None:
    """Runs `lakeplan` with the parameters of the task, which are `sys.argv[1:]`.

    Prints the output immediately, then sets the task values `summary` (the JSON that --summary writes), `exit`, `seq`,
    `duration_ms`, `sets_behind` and `counts`. If LAKEPLAN_TASK_VALUES names a file, they are written there as JSON instead.
    Returns on success. Raises TaskFailed with the end of the log on another exit code, TryAgainLater on exit 4, and
    CannotStart if the binary is for another machine. Nothing that it prints, sets or raises contains a secret.
    """
    args = sys.argv[1:]
    binary = _binary.find()
    environment = _environment.prepare(binary, args)
    redact = environment.redact
    tail: collections.deque[str] = collections.deque(maxlen=TAIL_LINES)

    def take(stream: _process.Stream, line: bytes) -> None:
        text = redact(line.decode(errors="replace"))
        tail.append(text.rstrip("\n"))
        print(text, end="", file=sys.stdout if stream == "stdout" else sys.stderr, flush=True)

    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lakeplan-") as folder:
        file = Path(folder, "summary.json")
        variables = environment.variables
        ended = _process.follow(binary, args, {**variables, "LAKEPLAN_SUMMARY": str(file)}, take)
        written = file.read_text(encoding="utf-8") if file.is_file() else ""
    summary = redact.inside(json.loads(written)) if written.strip() else {}
    summary.setdefault("exit", ended)
    summary.setdefault("duration_ms", round((time.monotonic() - started) * 1000))
    set_task_values(_values(summary), environment)
    if ended != 0:
        command = f"lakeplan {summary['command']}" if summary.get("command") else "lakeplan"
        details = {word: summary.get(word) for word in ("code", "message", "hint")}
        raise failure(command, ended, **details, tail="\n".join(tail))


def set_task_values(values: dict[str, Any], environment: _environment.Environment) -> None:
    """Sets the task values: in the file of LAKEPLAN_TASK_VALUES, or else through dbutils if available."""
    named = os.environ.get("LAKEPLAN_TASK_VALUES")
    if named:
        Path(named).write_text(json.dumps(values), encoding="utf-8")
    elif environment.dbutils is not None:
        for key, value in values.items():
            try:
                environment.dbutils.jobs.taskValues.set(key=key, value=value)
            except Exception as err:  # The command has succeeded; a value that cannot be set must not fail it.
                message = environment.redact(str(err))
                print(f"lakeplan: the task value {key} could not be set: {message}", file=sys.stderr)


def _values(summary: dict[str, Any]) -> dict[str, Any]:
    """Returns the summary as task values, without empty values and values that are too large for Databricks."""
    facts = {word: summary.get(word) for word in _SINGLE_FACTS} | {"summary": json.dumps(summary)}
    return {
        word: value for word, value in facts.items() if value is not None and len(json.dumps(value).encode()) <= VALUE_BYTES
    }
