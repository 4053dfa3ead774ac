"""The entry point of a Python wheel task: one `lakeplan` command, its output, its values for later tasks, its failure."""

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
"""How much of the log an error carries."""

VALUE_BYTES = 48 * 1024
"""The largest task value that Databricks takes."""

_SINGLE_FACTS = ("exit", "seq", "duration_ms", "sets_behind", "counts")


def main() -> None:
    """Runs `lakeplan` with the parameters of the task, which are `sys.argv[1:]`.

    Prints its output as it comes, then sets the task values `summary` (the JSON that --summary writes), `exit`, `seq`,
    `duration_ms`, `sets_behind` and `counts`. Where LAKEPLAN_TASK_VALUES names a file, they go there as JSON instead.
    Returns on success. Raises TaskFailed with the end of the log on another exit code, TryAgainLater on exit 4,
    CannotStart where the binary is not for this machine. No secret is in anything it prints, sets or raises.
    """
    words = sys.argv[1:]
    binary = _binary.find()
    environment = _environment.prepare(binary, words)
    redact = environment.redact
    tail: collections.deque[str] = collections.deque(maxlen=TAIL_LINES)

    def take(stream: _process.Stream, line: bytes) -> None:
        text = redact(line.decode(errors="replace"))
        tail.append(text.rstrip("\n"))
        print(text, end="", file=sys.stdout if stream == "stdout" else sys.stderr, flush=True)

    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lakeplan-") as folder:
        file = Path(folder, "summary.json")
        variables = environment.variables
        ended = _process.follow(binary, words, {**variables, "LAKEPLAN_SUMMARY": str(file)}, take)
        written = file.read_text(encoding="utf-8") if file.is_file() else ""
    summary = redact.inside(json.loads(written)) if written.strip() else {}
    summary.setdefault("exit", ended)
    summary.setdefault("duration_ms", round((time.monotonic() - began) * 1000))
    hand_on(_values(summary), environment)
    if ended != 0:
        command = f"lakeplan {summary['command']}" if summary.get("command") else "lakeplan"
        said = {word: summary.get(word) for word in ("code", "message", "hint")}
        raise failure(command, ended, **said, tail="\n".join(tail))


def hand_on(values: dict[str, Any], environment: _environment.Environment) -> None:
    """Sets the task values: in the file that LAKEPLAN_TASK_VALUES names, else through dbutils, else nowhere."""
    named = os.environ.get("LAKEPLAN_TASK_VALUES")
    if named:
        Path(named).write_text(json.dumps(values), encoding="utf-8")
    elif environment.dbutils is not None:
        for key, value in values.items():
            try:
                environment.dbutils.jobs.taskValues.set(key=key, value=value)
            except Exception as fault:  # What the command did is done; that nobody was told must not undo it.
                told = environment.redact(str(fault))
                print(f"lakeplan: the task value {key} could not be set: {told}", file=sys.stderr)


def _values(summary: dict[str, Any]) -> dict[str, Any]:
    """The summary as task values, none of them empty or larger than Databricks takes."""
    facts = {word: summary.get(word) for word in _SINGLE_FACTS} | {"summary": json.dumps(summary)}
    return {
        word: value for word, value in facts.items() if value is not None and len(json.dumps(value).encode()) <= VALUE_BYTES
    }
