"""Validates the bundle with the models of Databricks' own package `databricks-bundles`, in every target: each resource is
valid, every reference resolves, every referenced file exists, and the task graph of every job is valid.

  python tests/jobs/bundles.py        needs databricks-bundles and pyyaml
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from databricks.bundles.alerts import Alert
from databricks.bundles.dashboards import Dashboard
from databricks.bundles.jobs import Job
from databricks.bundles.schemas import Schema
from databricks.bundles.secret_scopes import SecretScope
from databricks.bundles.volumes import Volume

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "jobs"))
from runner.bundle import Bundle, included, read  # noqa: E402
from runner.graph import order  # noqa: E402

MODELS = {
    "alerts": Alert,
    "dashboards": Dashboard,
    "jobs": Job,
    "schemas": Schema,
    "secret_scopes": SecretScope,
    "volumes": Volume,
}
# Built by another command and never checked in.
BUILT = {"../dist/*.whl", "dist/*.whl"}
# Keys with values that are paths, relative to the file that contains them.
PATHS = {"file_path", "notebook_path", "source", "whl", "dependencies", "include", "paths"}


def main() -> int:
    problems = [*files(), *(problem for target in read(ROOT / "bundle.yml")["targets"] for problem in resources(target))]
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if problems else 0


def resources(target: str) -> Iterator[str]:
    bundle = Bundle(ROOT, target)
    # Also everything outside the jobs, such as the paths of the workspace and the identity.
    bundle.resolved(bundle.config)
    checked = 0
    for kind, named in bundle.resolved(bundle.config["resources"]).items():
        for name, resource in named.items():
            try:
                MODELS[kind].from_dict(resource)
                checked += 1
            except Exception as err:
                yield f"{target}: {kind}.{name}: {err}"
            if kind == "jobs":
                order(resource["tasks"], name)
    print(f"{target}: {checked} resources are valid")


def files() -> Iterator[str]:
    """Checks every path that is relative to the file that contains it."""
    root = ROOT / "bundle.yml"
    for file in (root, *included(ROOT, read(root))):
        for path in paths(read(file)):
            if path not in BUILT and not any(file.parent.glob(path)):
                yield f"{file.relative_to(ROOT)} refers to {path}, which does not exist"


def paths(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from paths(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, key)
    elif isinstance(value, str) and key in PATHS and not value.startswith(("/", "$")):
        yield value


if __name__ == "__main__":
    sys.exit(main())
