"""Emulates dbutils, as far as it is useful on one machine."""

from __future__ import annotations

import os
import re
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

FileInfo = namedtuple("FileInfo", "path name size modificationTime")


class Exit(Exception):
    """`dbutils.notebook.exit`: ends the notebook without a failure."""


class Widgets:
    """Widgets with the given values, or else their defaults."""

    def __init__(self, given: dict[str, str]):
        self.given, self.values = given, {}

    def text(self, name: str, defaultValue: str = "", label: str | None = None) -> None:
        self._make(name, defaultValue)

    def dropdown(self, name: str, defaultValue: str, choices: list[str], label: str | None = None) -> None:
        self._make(name, defaultValue, choices)

    def combobox(self, name: str, defaultValue: str, choices: list[str], label: str | None = None) -> None:
        self._make(name, defaultValue)

    def multiselect(self, name: str, defaultValue: str, choices: list[str], label: str | None = None) -> None:
        self._make(name, defaultValue)
        self._check(name, self.values[name].split(",") if self.values[name] else [], choices)

    def get(self, name: str) -> str:
        if name not in self.values:
            raise KeyError(f"there is no widget {name!r}; there are {', '.join(self.values) or 'none'}")
        return self.values[name]

    def getAll(self) -> dict[str, str]:
        return dict(self.values)

    def remove(self, name: str) -> None:
        self.values.pop(name, None)

    def removeAll(self) -> None:
        self.values.clear()

    def _make(self, name: str, default: str, choices: list[str] | None = None) -> None:
        self.values.setdefault(name, self.given.get(name, default))
        if choices is not None:
            self._check(name, [self.values[name]], choices)

    @staticmethod
    def _check(name: str, values: list[str], choices: list[str]) -> None:
        for value in values:
            if value not in choices:
                raise ValueError(f"the widget {name} cannot be {value!r}; it is one of {', '.join(choices)}")


class Secrets:
    """Secrets from the environment: scope `my-scope` and key `my-key` are the variable MY_SCOPE_MY_KEY."""

    def __init__(self) -> None:
        self.read: set[str] = set()

    def get(self, scope: str, key: str) -> str:
        variable = re.sub(r"\W", "_", f"{scope}_{key}").upper()
        value = os.environ.get(variable)
        if value is None:
            raise KeyError(f"there are no secret scopes on this machine; set {variable} for the secret {scope}/{key}")
        self.read.add(value)
        return value

    def redact(self, text: str) -> str:
        for value in self.read - {""}:
            text = text.replace(value, "[REDACTED]")
        return text


class TaskValues:
    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def set(self, key: str, value: Any) -> None:
        self.values[key] = value

    def get(self, taskKey: str, key: str, default: Any = None, debugValue: Any = None) -> Any:
        return default if debugValue is None else debugValue


def dbutils(widgets: Widgets, secrets: Secrets, say: Callable[[str], None]) -> SimpleNamespace:
    def leave(value: str = "") -> None:
        raise Exit(value)

    def list_files(path: str) -> list[FileInfo]:
        folder = Path(path.removeprefix("dbfs:").removeprefix("file:"))
        stat = lambda file: file.stat()
        return [FileInfo(str(file), file.name, stat(file).st_size, int(stat(file).st_mtime * 1000)) for file in sorted(folder.iterdir())]

    return SimpleNamespace(
        widgets=widgets,
        secrets=secrets,
        notebook=SimpleNamespace(exit=leave),
        jobs=SimpleNamespace(taskValues=TaskValues()),
        fs=SimpleNamespace(ls=list_files),
        library=SimpleNamespace(restartPython=lambda: say("skipped: restarting Python")),
    )
