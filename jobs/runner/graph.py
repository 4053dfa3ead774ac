"""Which task runs next, and whether it runs at all: pure decisions over `depends_on` and `run_if`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from .fault import Fault


class Outcome(Enum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UPSTREAM_FAILED = "upstream failed"
    EXCLUDED = "excluded"


_FOR_FAILURES = {"ALL_FAILED", "AT_LEAST_ONE_FAILED"}


def order(tasks: Sequence[Mapping[str, Any]], job: str) -> list[Mapping[str, Any]]:
    """The tasks with every one after those it depends on, otherwise as they stand in the file.

    Raises Fault where a key is there twice, a dependency is not there, or tasks wait for each other.
    """
    by_key = {task["task_key"]: task for task in tasks}
    if len(by_key) < len(tasks):
        raise Fault(f"{job}: two tasks have the same task_key")
    for task in tasks:
        for key in dependencies(task):
            if key not in by_key:
                raise Fault(f"{job}.{task['task_key']} depends on {key}, and there is no such task")
    ordered: dict[str, Mapping[str, Any]] = {}
    while len(ordered) < len(tasks):
        ready = [task for key, task in by_key.items() if key not in ordered and all(d in ordered for d in dependencies(task))]
        if not ready:
            raise Fault(f"{job}: these tasks wait for each other: {', '.join(key for key in by_key if key not in ordered)}")
        ordered[ready[0]["task_key"]] = ready[0]
    return list(ordered.values())


def dependencies(task: Mapping[str, Any]) -> list[str]:
    return [dependency["task_key"] for dependency in task.get("depends_on", [])]


def instead_of_running(task: Mapping[str, Any], outcomes: Mapping[str, Outcome]) -> Outcome | None:
    """None where the task runs, else the outcome it has without running."""
    before = [outcomes[key] for key in dependencies(task)]
    if not before:
        return None
    if all(outcome is Outcome.EXCLUDED for outcome in before):
        return Outcome.EXCLUDED
    run_if = task.get("run_if", "ALL_SUCCESS")
    succeeded = [outcome is Outcome.SUCCEEDED for outcome in before]
    failed = [outcome in (Outcome.FAILED, Outcome.UPSTREAM_FAILED) for outcome in before]
    runs = {
        "ALL_SUCCESS": not any(failed),
        "ALL_DONE": True,
        "NONE_FAILED": not any(failed) and any(succeeded),
        "AT_LEAST_ONE_SUCCESS": any(succeeded),
        "ALL_FAILED": all(failed),
        "AT_LEAST_ONE_FAILED": any(failed),
    }
    if run_if not in runs:
        raise Fault(f"{task['task_key']}: run_if {run_if} is none of {', '.join(runs)}")
    if runs[run_if]:
        return None
    return Outcome.EXCLUDED if run_if in _FOR_FAILURES else Outcome.UPSTREAM_FAILED
