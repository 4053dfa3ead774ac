"""The environment of the binary: that of this process, plus identity and secrets. Secrets go nowhere else."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import _databricks, _process
from ._errors import TaskFailed, failure
from ._redact import Redactor

_WITH_VALUE = ("--config", "--target", "-t")


@dataclass(frozen=True)
class Secret:
    """A variable of the binary's environment with a value in a secret scope."""

    name: str
    scope: str
    key: str


@dataclass(frozen=True)
class Environment:
    """`variables` is the environment of the child; `redact` knows every secret value in it."""

    variables: dict[str, str] = field(repr=False)
    redact: Redactor
    dbutils: Any | None


def prepare(binary: Path, args: Sequence[str]) -> Environment:
    """Returns the environment for running `binary` with `args`. The environment of this process is not changed.

    Raises TaskFailed if the configuration cannot be read, or if one of its secrets is neither in its scope nor in the
    environment.
    """
    variables = dict(os.environ)
    variables.update(_databricks.credentials(variables))
    redact = Redactor(variables[name] for name in (_databricks.TOKEN, "DATABRICKS_CLIENT_SECRET") if variables.get(name))
    dbutils = _databricks.dbutils()
    for secret in _named(binary, settings_args(args), variables, redact):
        if dbutils is not None:
            try:
                variables[secret.name] = dbutils.secrets.get(scope=secret.scope, key=secret.key)
            except Exception as err:
                if not variables.get(secret.name):
                    raise _unreadable(secret, redact(str(err))) from None
        if variables.get(secret.name):
            redact.add(variables[secret.name])
    return Environment(variables, redact, dbutils)


def settings_args(args: Sequence[str]) -> list[str]:
    """Returns the arguments that select the configuration: --config and --target, in any spelling."""
    chosen: list[str] = []
    rest = iter(args)
    for word in rest:
        if word == "--":
            break
        if word in _WITH_VALUE:
            value = next(rest, None)
            chosen += [word] if value is None else [word, value]
        elif word.startswith(("--config=", "--target=")) or (word.startswith("-t") and not word.startswith("--")):
            chosen.append(word)
    return chosen


def _named(binary: Path, args: list[str], variables: dict[str, str], redact: Redactor) -> list[Secret]:
    output: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
    code = _process.follow(
        binary, [*args, "config", "secrets", "--json"], variables, lambda stream, line: output[stream].append(line)
    )
    out, err = (redact(b"".join(output[stream]).decode(errors="replace")) for stream in ("stdout", "stderr"))
    if code != 0:
        raise failure("lakeplan config secrets", code, **error_of(err), tail=err.strip())
    return [Secret(one["name"], one["scope"], one["key"]) for one in json.loads(out)["secrets"]]


def error_of(stderr: str) -> dict[str, str | None]:
    """Returns code, message and hint of the error that --json prints as the last line, or nothing if there is none."""
    for line in reversed(stderr.splitlines()):
        try:
            error = json.loads(line)["error"]
        except (ValueError, KeyError, TypeError):
            continue
        return {word: error.get(word) for word in ("code", "message", "hint")}
    return {}


def _unreadable(secret: Secret, why: str) -> TaskFailed:
    return failure(
        "lakeplan",
        3,
        code="configuration",
        message=f"{secret.name} is the secret {secret.scope}/{secret.key}, and it cannot be read: {why}",
        hint=f"databricks secrets put-secret {secret.scope} {secret.key} sets it; the user who runs this needs READ: "
        f"databricks secrets put-acl {secret.scope} PRINCIPAL READ",
    )
