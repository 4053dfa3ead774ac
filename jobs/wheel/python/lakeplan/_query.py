"""Results for a notebook: any command as JSON, SQL as Arrow or pandas."""

from __future__ import annotations

import sys
from json import loads
from typing import TYPE_CHECKING, Any

from . import _binary, _environment, _process
from ._errors import failure

if TYPE_CHECKING:
    import pandas
    import pyarrow


def run(*args: str, json: bool = True) -> Any:
    """Runs `lakeplan ARGS --json` and returns the parsed result, or with `json=False` the printed text.

    Other output goes to standard error. Raises TaskFailed with `code`, `message` and `hint` on an error, and
    TryAgainLater if a retry is safe.
    """
    command = " ".join(["lakeplan", *args[:1]])
    out = _answer(command, [*args, *(["--json"] if json else [])]).decode(errors="replace")
    return loads(out) if json else out


def query(sql: str, lake: str | None = None, as_of: str | int | None = None, config: str | None = None) -> pandas.DataFrame:
    """Returns the rows of one SELECT over the tables and views as a pandas DataFrame.

    `lake` is the location of the lake (default: LAKEPLAN_LAKE, then the configuration). `as_of` selects a point in the
    past: a position in the history, a date or a time. Raises like `run`, and ImportError if pandas is missing.
    """
    table = arrow(sql, lake=lake, as_of=as_of, config=config)
    try:
        import pandas  # noqa: F401
    except ImportError:
        raise ImportError("query needs pandas: %pip install pandas, or use lakeplan.arrow(sql)") from None
    return table.to_pandas()


def arrow(sql: str, lake: str | None = None, as_of: str | int | None = None, config: str | None = None) -> pyarrow.Table:
    """Like `query`, but returns a pyarrow Table with the types of the lake."""
    try:
        from pyarrow import BufferReader, parquet
    except ImportError:
        raise ImportError("asking by SQL needs pyarrow: pip install pyarrow, in a notebook %pip install pyarrow") from None
    args = ["query", "--format", "parquet"]
    for flag, value in (("--lake", lake), ("--as-of", as_of), ("--config", config)):
        if value is not None:
            args += [flag, str(value)]
    answer = BufferReader(_answer("lakeplan query", [*args, "--", sql]))
    # read_table leaves threads behind that sometimes abort a process that exits right afterwards
    # (apache/arrow#34314).
    return parquet.ParquetFile(answer).read(use_threads=False)


def _answer(command: str, args: list[str]) -> bytes:
    """Returns the standard output of the binary."""
    binary = _binary.find()
    environment = _environment.prepare(binary, args)
    out: list[bytes] = []
    err: list[str] = []

    def take(stream: _process.Stream, line: bytes) -> None:
        if stream == "stdout":
            out.append(line)
        else:
            err.append(environment.redact(line.decode(errors="replace")))

    ended = _process.follow(binary, args, environment.variables, take)
    errors = "".join(err).strip()
    if ended != 0:
        error = _environment.error_of(errors)
        raise failure(command, ended, **error, tail="" if error else errors)
    if errors:
        print(errors, file=sys.stderr)
    return b"".join(out)
