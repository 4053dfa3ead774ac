"""The bundle as one target sees it: `bundle.yml` and what it includes, merged, every `${…}` resolved."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from .fault import Fault

REFERENCE = re.compile(r"\$\{([^{}]+)\}")
_KEYED = {"tasks": "task_key", "job_clusters": "job_cluster_key", "parameters": "name", "environments": "environment_key"}
_GIVEN_BY_THE_WORKSPACE = {"id"}


class Bundle:
    """One target of a bundle.

    `workspace` overrides what the workspace would say, such as `file_path`. Raises Fault where the files cannot be read,
    contradict each other, or name a target or variable that is not there.
    """

    def __init__(
        self, root: Path, target: str | None = None, variables: Mapping[str, str] = {}, workspace: Mapping[str, str] = {}
    ) -> None:
        config = merged_files(root)
        targets = config.pop("targets", {})
        self.root, self.target = root, target or _default_target(targets)
        if self.target not in targets:
            raise Fault(f"there is no target {self.target}; there are {', '.join(targets)}")
        overrides = deepcopy(targets[self.target] or {})
        declared, chosen = config.get("variables", {}), overrides.pop("variables", {})
        self.config = merge(config, overrides)
        self.config.setdefault("bundle", {})["target"] = self.target
        self.config["workspace"] = {**_workspace_defaults(), **self.config.get("workspace", {}), **workspace}
        self._variables = _values(declared, chosen, variables)

    def resolved(self, value: Any) -> Any:
        """`value` with every reference in it replaced. Raises Fault where one leads nowhere or to itself."""
        return self._resolve(value, ())

    def jobs(self) -> dict[str, Any]:
        return self.resolved(self.config.get("resources", {}).get("jobs", {}))

    def _resolve(self, value: Any, within: tuple[str, ...]) -> Any:
        if isinstance(value, dict):
            return {key: self._resolve(inner, within) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._resolve(inner, within) for inner in value]
        if not isinstance(value, str):
            return value
        whole = REFERENCE.fullmatch(value)
        if whole:
            return self._lookup(whole[1], within)
        return REFERENCE.sub(lambda found: _text(found[1], self._lookup(found[1], within)), value)

    def _lookup(self, path: str, within: tuple[str, ...]) -> Any:
        if path in within:
            raise Fault(f"${{{path}}} leads back to itself: {' -> '.join((*within, path))}")
        first, *rest = path.split(".")
        if first == "var":
            if len(rest) != 1 or rest[0] not in self._variables:
                raise Fault(f"${{{path}}}: there is no such variable; declare it in `variables`")
            value = self._variables[rest[0]]
            if value is None:
                raise Fault(f"${{{path}}} has no value; give it one with --var {rest[0]}=VALUE")
        else:
            value = self._at(path)
        return self._resolve(value, (*within, path))

    def _at(self, path: str) -> Any:
        value: Any = self.config
        steps = path.split(".")
        for depth, step in enumerate(steps):
            if isinstance(value, dict) and step in value:
                value = value[step]
            elif depth == 3 and steps[0] == "resources" and step in _GIVEN_BY_THE_WORKSPACE:
                return f"<{path}>"
            else:
                raise Fault(f"${{{path}}} leads nowhere: there is no {step}")
        return value


def merged_files(root: Path) -> dict[str, Any]:
    """`bundle.yml` and the files it includes as one mapping."""
    config = read(root / "bundle.yml")
    for file in included(root, config):
        config = merge(config, read(file), place=str(file))
    return config


def included(root: Path, config: Mapping[str, Any]) -> Iterator[Path]:
    for pattern in config.get("include", []):
        found = sorted(root.glob(pattern))
        if not found:
            raise Fault(f"bundle.yml includes {pattern}, and there is no such file")
        yield from found


def read(file: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as fault:
        raise Fault(f"{file} cannot be read: {fault.strerror}") from fault
    except yaml.YAMLError as fault:
        raise Fault(f"{file} is not YAML: {fault}") from fault
    if not isinstance(config, dict):
        raise Fault(f"{file} holds no mapping")
    return config


def merge(below: Any, above: Any, place: str | None = None, path: str = "") -> Any:
    """`above` over `below`: mappings by key, lists of named things by name, other lists end to end.

    With a `place`, which is a file beside others, a value that both have is a Fault.
    """
    if isinstance(below, dict) and isinstance(above, dict):
        result = dict(below)
        for key, value in above.items():
            result[key] = merge(below[key], value, place, f"{path}.{key}".lstrip(".")) if key in below else value
        return result
    if isinstance(below, list) and isinstance(above, list):
        name = _KEYED.get(path.rsplit(".", 1)[-1])
        return _merge_named(below, above, name) if name else below + above
    if place is not None:
        raise Fault(f"{place}: {path} is there a second time")
    return above


def _merge_named(below: list, above: list, name: str) -> list:
    result = {item[name]: item for item in below}
    for item in above:
        result[item[name]] = merge(result[item[name]], item) if item[name] in result else item
    return list(result.values())


def _default_target(targets: Mapping[str, Any]) -> str:
    for name, target in targets.items():
        if (target or {}).get("default"):
            return name
    raise Fault("bundle.yml has no default target; name one with --target")


def _values(declared: Mapping[str, Any], chosen: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    for name in (*chosen, *given):
        if name not in declared:
            raise Fault(f"there is no variable {name}; there are {', '.join(declared)}")
    values = {}
    for name, declaration in declared.items():
        setting = chosen.get(name, declaration)
        if not isinstance(setting, dict):
            setting = {"default": setting}
        lookup = " ".join(f"{kind} {wanted}" for kind, wanted in setting.get("lookup", {}).items())
        default = f"<{lookup}>" if lookup else setting.get("default")
        values[name] = given.get(name, os.environ.get(f"BUNDLE_VAR_{name}", default))
    return values


def _workspace_defaults() -> dict[str, Any]:
    user = os.environ.get("USER") or os.environ.get("USERNAME") or "someone"
    return {
        "current_user": {"userName": user, "short_name": re.sub(r"\W+", "_", user.split("@")[0])},
        "root_path": "/Workspace/Users/${workspace.current_user.userName}/.bundle/${bundle.name}/${bundle.target}",
        "file_path": "${workspace.root_path}/files",
        "artifact_path": "${workspace.root_path}/artifacts",
    }


def _text(path: str, value: Any) -> str:
    if isinstance(value, (dict, list)):
        raise Fault(f"${{{path}}} is no text and cannot be part of one")
    return str(value)
