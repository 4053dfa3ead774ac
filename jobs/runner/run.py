"""Runs one job: its tasks in order, with retries, timeouts, and values passed between tasks."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .error import BundleError
from .graph import Outcome, outcome_if_skipped, order
from .references import fill

_WHEEL_TASK = Path(__file__).with_name("wheel_task.py")
_KINDS = ("python_wheel_task", "for_each_task")


@dataclass
class Settings:
    """`python` has the wheel installed, `volumes` is the folder for /Volumes, and `waits` enables the delay before a retry."""

    python: str
    volumes: Path | None = None
    waits: bool = True


@dataclass
class JobRun:
    """Result of a run: the outcome of each task, and the values that it set."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    values: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        return all(outcome in (Outcome.SUCCEEDED, Outcome.EXCLUDED) for outcome in self.outcomes.values())


def run_job(name: str, job: Mapping[str, Any], parameters: Mapping[str, str], settings: Settings) -> JobRun:
    """Runs the tasks of `job` one after the other. A failed task is an outcome; an invalid job raises BundleError."""
    started, run_id = datetime.now(timezone.utc), str(time.time_ns() // 1000)
    known = {
        "job": {
            "id": name,
            "name": job.get("name", name),
            "run_id": run_id,
            "parameters": {one["name"]: one["default"] for one in job.get("parameters", [])} | dict(parameters),
            "start_time": {"iso_date": started.date().isoformat(), "iso_datetime": started.isoformat(timespec="seconds")},
        }
    }
    tasks = order(job["tasks"], name)
    for task in tasks:
        _check(name, task)
    run = JobRun()
    print(f"job {name}, run {run_id}", flush=True)
    for task in tasks:
        key = task["task_key"]
        outcome = outcome_if_skipped(task, run.outcomes)
        if outcome is None:
            earlier = {done: {"values": values} for done, values in run.values.items()}
            here = {**known, "task": {"name": key}, "tasks": earlier}
            outcome, run.values[key] = _run_task(f"{name}.{key}", task, here, settings)
        run.outcomes[key] = outcome
        values = {word: value for word, value in run.values.get(key, {}).items() if word != "summary"}
        print(f"[{key}] {outcome.value}" + (f" {json.dumps(values)}" if values else ""), flush=True)
    return run


def _check(job: str, task: Mapping[str, Any]) -> None:
    kinds = [word for word in task if word.endswith("_task")]
    if len(kinds) != 1 or kinds[0] not in _KINDS:
        found = ", ".join(kinds) or "nothing"
        raise BundleError(f"{job}.{task['task_key']}: the task type must be one of {', '.join(_KINDS)}, not {found}")
    if "for_each_task" in task:
        _check(job, task["for_each_task"]["task"])


def _run_task(place: str, task: Mapping[str, Any], known: Mapping[str, Any], settings: Settings) -> tuple[Outcome, dict]:
    if "for_each_task" in task:
        return _run_each(place, task["for_each_task"], known, settings)
    for attempt in range(task.get("max_retries", 0) + 1):
        if attempt:
            wait = task.get("min_retry_interval_millis", 0) / 1000 if settings.waits else 0
            print(f"[{task['task_key']}] try {attempt + 1}" + (f" in {wait:.0f} s" if wait else ""), flush=True)
            time.sleep(wait)
        code, values = _run_wheel(place, task, known, settings)
        if code == 0:
            return Outcome.SUCCEEDED, values
    return Outcome.FAILED, values


def _run_each(place: str, loop: Mapping[str, Any], known: Mapping[str, Any], settings: Settings) -> tuple[Outcome, dict]:
    written = fill(loop["inputs"], known, f"{place}.inputs")
    try:
        inputs = json.loads(written)
    except ValueError:
        inputs = None
    if not isinstance(inputs, list):
        raise BundleError(f"{place}.inputs: {written!r} is not a JSON array")
    outcomes = [_run_task(place, loop["task"], {**known, "input": one}, settings)[0] for one in inputs]
    return (Outcome.FAILED if Outcome.FAILED in outcomes else Outcome.SUCCEEDED), {}


def _run_wheel(place: str, task: Mapping[str, Any], known: Mapping[str, Any], settings: Settings) -> tuple[int, dict]:
    wheel = task["python_wheel_task"]
    parameters = [_local(word, settings, place) for word in fill(wheel.get("parameters", []), known, place)]
    print(f"[{task['task_key']}] {wheel['package_name']} {json.dumps(parameters)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="lakeplan-job-") as folder:
        file = Path(folder, "values.json")
        with subprocess.Popen(
            [settings.python, "-I", str(_WHEEL_TASK), wheel["package_name"], wheel["entry_point"], *parameters],
            env={**os.environ, "LAKEPLAN_TASK_VALUES": str(file)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        ) as child:
            limit = task.get("timeout_seconds", 0)
            clock = threading.Timer(limit or threading.TIMEOUT_MAX, child.terminate)
            clock.daemon = True
            clock.start()
            try:
                for line in child.stdout or ():
                    print(f"[{task['task_key']}] | {line.decode(errors='replace').rstrip()}", flush=True)
                code = child.wait()
            finally:
                clock.cancel()
                child.terminate()
        return code, json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def _local(word: str, settings: Settings, place: str) -> str:
    """Returns a parameter with a path below /Volumes mapped to this machine. Creates the volume if it does not exist."""
    flag, separator, path = word.partition("=") if word.startswith("--") else ("", "", word)
    if not path.startswith("/Volumes/"):
        return word
    if settings.volumes is None:
        raise BundleError(f"{place}: {path} is a volume; --volumes FOLDER maps /Volumes to a folder")
    local = settings.volumes.resolve() / path.removeprefix("/Volumes/")
    volume = settings.volumes.resolve().joinpath(*Path(path).parts[2:5])
    volume.mkdir(parents=True, exist_ok=True)
    return f"{flag}{separator}{local}"
