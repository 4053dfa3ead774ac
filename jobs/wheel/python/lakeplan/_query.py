"""Answers for a notebook: any command as JSON, SQL as Arrow or pandas."""

from __future__ import annotations

import sys
from json import loads
from typing import TYPE_CHECKING, Any

from . import _binary, _environment, _process
from ._errors import failure

if TYPE_CHECKING:
    import pandas
    import pyarrow


def run(*words: str, json: bool = True) -> Any:
    """Runs `lakeplan WORDS --json` and returns its answer, parsed; with `json=False` what it printed, as text.

    What it says beside its answer is printed to standard error. Raises TaskFailed with `code`, `message` and `hint` on
    an error, TryAgainLater where repeating is safe.
    """
    command = " ".join(["lakeplan", *words[:1]])
    out = _answer(command, [*words, *(["--json"] if json else [])]).decode(errors="replace")
    return loads(out) if json else out


def query(sql: str, lake: str | None = None, as_of: str | int | None = None, config: str | None = None) -> pandas.DataFrame:
    """The rows of one SELECT over the tables and views, as a pandas DataFrame.

    `lake` says where the lake is (else LAKEPLAN_LAKE, else the configuration), `as_of` asks an earlier moment: a
    position in the history, a date or a time. Raises as `run` does, and ImportError where pandas is missing.
    """
    table = arrow(sql, lake=lake, as_of=as_of, config=config)
    try:
        import pandas  # noqa: F401
    except ImportError:
        raise ImportError("query needs pandas: %pip install pandas, or use lakeplan.arrow(sql)") from None
    return table.to_pandas()


def arrow(sql: str, lake: str | None = None, as_of: str | int | None = None, config: str | None = None) -> pyarrow.Table:
    """The same as `query`, as a pyarrow Table with the types that the lake has."""
    try:
        from pyarrow import BufferReader, parquet
    except ImportError:
        raise ImportError("asking by SQL needs pyarrow: pip install pyarrow, in a notebook %pip install pyarrow") from None
    words = ["query", "--format", "parquet"]
    for flag, value in (("--lake", lake), ("--as-of", as_of), ("--config", config)):
        if value is not None:
            words += [flag, str(value)]
    answer = BufferReader(_answer("lakeplan query", [*words, "--", sql]))
    # read_table leaves threads behind that at times abort a process which ends right after it (apache/arrow#34314).
    return parquet.ParquetFile(answer).read(use_threads=False)


def _answer(command: str, words: list[str]) -> bytes:
    """What the binary writes to standard output."""
    binary = _binary.find()
    environment = _environment.prepare(binary, words)
    out: list[bytes] = []
    err: list[str] = []

    def take(stream: _process.Stream, line: bytes) -> None:
        if stream == "stdout":
            out.append(line)
        else:
            err.append(environment.redact(line.decode(errors="replace")))

    ended = _process.follow(binary, words, environment.variables, take)
    said = "".join(err).strip()
    if ended != 0:
        error = _environment.error_of(said)
        raise failure(command, ended, **error, tail="" if error else said)
    if said:
        print(said, file=sys.stderr)
    return b"".join(out)
