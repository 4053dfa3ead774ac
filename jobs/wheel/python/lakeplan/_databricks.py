"""Databricks services for a task: dbutils, the host and the token. Each is optional; outside Databricks there are none."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

HOST, TOKEN = "DATABRICKS_HOST", "DATABRICKS_TOKEN"


def is_databricks(environment: Mapping[str, str] = os.environ) -> bool:
    return bool(environment.get("DATABRICKS_RUNTIME_VERSION"))


def dbutils() -> Any | None:
    """Returns the dbutils of the notebook or of the task, or None outside Databricks."""
    found = _of_notebook()
    if found is not None or not is_databricks():
        return found
    tried = []
    for source in (_dbutils_of_sdk, _dbutils_of_spark):
        try:
            return source()
        except Exception as err:  # Runtimes differ, and each source fails in its own way where it is not available.
            tried.append(f"{source.__doc__} ({type(err).__name__})")
    print(f"lakeplan: no dbutils in {', '.join(tried)}; secrets and task values are left out", file=sys.stderr)
    return None


def credentials(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Returns the host and token to pass to the binary, in addition to its environment.

    They come from the environment, the Databricks SDK, or the notebook's context. A token is never combined with another
    host. If none is found on Databricks, the tried sources are printed to standard error.
    """
    host = environment.get(HOST, "").rstrip("/")
    if host and environment.get(TOKEN):
        return {}
    tried = []
    for source in (_of_sdk, _of_context):
        try:
            found_host, token = source()
        except Exception as err:  # Each source is optional, and fails in its own way where it is not available.
            tried.append(f"{source.__doc__} ({type(err).__name__})")
            continue
        if found_host and token and host in ("", _address(found_host)):
            return {HOST: _address(found_host), TOKEN: token}
        tried.append(f"{source.__doc__} (" + ("for another host" if found_host and token else "no token") + ")")
    if is_databricks(environment):
        print(f"lakeplan: no host and token found in {', '.join(tried)}", file=sys.stderr)
    return {}


def _of_notebook() -> Any | None:
    shell = sys.modules.get("IPython")
    current = shell.get_ipython() if shell is not None and hasattr(shell, "get_ipython") else None
    return getattr(current, "user_ns", {}).get("dbutils")


def _dbutils_of_sdk() -> Any:
    """the Databricks SDK"""
    from databricks.sdk.runtime import dbutils as found

    return found


def _dbutils_of_spark() -> Any:
    """pyspark"""
    from pyspark.dbutils import DBUtils
    from pyspark.sql import SparkSession

    return DBUtils(SparkSession.builder.getOrCreate())


def _of_sdk() -> tuple[str | None, str | None]:
    """the Databricks SDK"""
    from databricks.sdk import WorkspaceClient

    config = WorkspaceClient().config
    scheme, _, token = config.authenticate().get("Authorization", "").partition(" ")
    return config.host, token if scheme == "Bearer" else None


def _of_context() -> tuple[str | None, str | None]:
    """the notebook's context"""
    from dbruntime.databricks_repl_context import get_context

    context = get_context()
    host = getattr(context, "workspaceUrl", None) or getattr(context, "browserHostName", None)
    return host, getattr(context, "apiToken", None)


def _address(host: str) -> str:
    host = host.rstrip("/")
    return host if "://" in host else f"https://{host}"
