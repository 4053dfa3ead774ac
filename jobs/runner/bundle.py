"""One target of the bundle: `bundle.yml` and its includes, merged, with every `${…}` resolved."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from .error import BundleError

REFERENCE = re.compile(r"\$\{([^{}]+)\}")
_KEYED = {"tasks": "task_key", "job_clusters": "job_cluster_key", "parameters": "name", "environments": "environment_key"}
_GIVEN_BY_THE_WORKSPACE = {"id"}


class Bundle:
    """One target of a bundle.

    `workspace` overrides values of the workspace, such as `file_path`. Raises BundleError if the files cannot be read,
    contradict each other, or refer to a missing target or variable.
    """

    def __init__(
        self, root: Path, target: str | None = None, variables: Mapping[str, str] = {}, workspace: Mapping[str, str] = {}
    ) -> None:
        config = merged_files(root)
        targets = config.pop("targets", {})
        self.root, self.target = root, target or _default_target(targets)
        if self.target not in targets:
            raise BundleError(f"there is no target {self.target}; there are {', '.join(targets)}")
        overrides = deepcopy(targets[self.target] or {})
        declared, chosen = config.get("variables", {}), overrides.pop("variables", {})
        self.config = merge(config, overrides)
        self.config.setdefault("bundle", {})["target"] = self.target
        self.config["workspace"] = {**_workspace_defaults(), **self.config.get("workspace", {}), **workspace}
        self._variables = _values(declared, chosen, variables)

    def resolved(self, value: Any) -> Any:
        """Returns `value` with every reference replaced. Raises BundleError if one is unknown or refers to itself."""
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
            raise BundleError(f"${{{path}}} refers to itself: {' -> '.join((*within, path))}")
        first, *rest = path.split(".")
        if first == "var":
            if len(rest) != 1 or rest[0] not in self._variables:
                raise BundleError(f"${{{path}}}: there is no such variable; declare it in `variables`")
            value = self._variables[rest[0]]
            if value is None:
                raise BundleError(f"${{{path}}} has no value; give it one with --var {rest[0]}=VALUE")
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
                raise BundleError(f"${{{path}}} does not resolve: there is no {step}")
        return value


def merged_files(root: Path) -> dict[str, Any]:
    """Returns `bundle.yml` and its includes as one mapping."""
    config = read(root / "bundle.yml")
    for file in included(root, config):
        config = merge(config, read(file), place=str(file))
    return config


def included(root: Path, config: Mapping[str, Any]) -> Iterator[Path]:
    for pattern in config.get("include", []):
        found = sorted(root.glob(pattern))
        if not found:
            raise BundleError(f"bundle.yml includes {pattern}, but no file matches")
        yield from found


def read(file: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as err:
        raise BundleError(f"{file} cannot be read: {err.strerror}") from err
    except yaml.YAMLError as err:
        raise BundleError(f"{file} is not YAML: {err}") from err
    if not isinstance(config, dict):
        raise BundleError(f"{file} is not a mapping")
    return config


def merge(below: Any, above: Any, place: str | None = None, path: str = "") -> Any:
    """Merges `above` over `below`: mappings by key, lists of named items by name, and other lists by concatenation.

    With a `place`, which is an included file, a value that both have raises BundleError.
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
        raise BundleError(f"{place}: {path} is defined twice")
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
    raise BundleError("bundle.yml has no default target; name one with --target")


def _values(declared: Mapping[str, Any], chosen: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    for name in (*chosen, *given):
        if name not in declared:
            raise BundleError(f"there is no variable {name}; there are {', '.join(declared)}")
    values = {}
    for name, declaration in declared.items():
        setting = chosen.get(name, declaration)
        if not isinstance(setting, dict):
            setting = {"default": setting}
        lookup = " ".join(f"{kind} {value}" for kind, value in setting.get("lookup", {}).items())
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
        raise BundleError(f"${{{path}}} is not a string and cannot be part of one")
    return str(value)
