"""Decides which task runs next, and whether it runs at all, from `depends_on` and `run_if`. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from .error import BundleError


class Outcome(Enum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UPSTREAM_FAILED = "upstream failed"
    EXCLUDED = "excluded"


_FOR_FAILURES = {"ALL_FAILED", "AT_LEAST_ONE_FAILED"}


def order(tasks: Sequence[Mapping[str, Any]], job: str) -> list[Mapping[str, Any]]:
    """Returns the tasks ordered so that each comes after its dependencies, and otherwise as in the file.

    Raises BundleError for a duplicate key, a missing dependency, or a cycle.
    """
    by_key = {task["task_key"]: task for task in tasks}
    if len(by_key) < len(tasks):
        raise BundleError(f"{job}: two tasks have the same task_key")
    for task in tasks:
        for key in dependencies(task):
            if key not in by_key:
                raise BundleError(f"{job}.{task['task_key']} depends on {key}, which does not exist")
    ordered: dict[str, Mapping[str, Any]] = {}
    while len(ordered) < len(tasks):
        ready = [task for key, task in by_key.items() if key not in ordered and all(d in ordered for d in dependencies(task))]
        if not ready:
            raise BundleError(f"{job}: these tasks form a cycle: {', '.join(key for key in by_key if key not in ordered)}")
        ordered[ready[0]["task_key"]] = ready[0]
    return list(ordered.values())


def dependencies(task: Mapping[str, Any]) -> list[str]:
    return [dependency["task_key"] for dependency in task.get("depends_on", [])]


def outcome_if_skipped(task: Mapping[str, Any], outcomes: Mapping[str, Outcome]) -> Outcome | None:
    """Returns None if the task runs, or its outcome if it is skipped."""
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
        raise BundleError(f"{task['task_key']}: run_if {run_if} is none of {', '.join(runs)}")
    if runs[run_if]:
        return None
    return Outcome.EXCLUDED if run_if in _FOR_FAILURES else Outcome.UPSTREAM_FAILED
