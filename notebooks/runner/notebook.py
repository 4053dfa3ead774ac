"""Runs the cells of a notebook one after the other and keeps their output."""

from __future__ import annotations

import ast
import contextlib
import io
import linecache
import re
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from .databricks import Exit, Secrets, Widgets, dbutils
from .source import Cell, Unreadable, read


class Failed(Exception):
    """A cell failed; the message contains its number and the traceback."""


@dataclass
class Shown:
    """A cell and its output: pairs of a kind (text, html, table, markdown, note, error) and the value."""

    cell: Cell
    source: Path
    items: list[tuple[str, Any]] = field(default_factory=list)


class Notebook:
    def __init__(self, path: Path, given: dict[str, str]):
        self.path, self.given = path, given
        self.cells = read(path)
        self.shown: list[Shown] = []
        self.exited: str | None = None
        self._widgets, self._secrets = Widgets(given), Secrets()
        self._names: dict[str, Any] = {
            "__name__": "__main__",
            "dbutils": dbutils(self._widgets, self._secrets, lambda message: self._show("note", message)),
            "display": self._display,
            "displayHTML": lambda html: self._show("html", str(html)),
            "spark": None,
        }

    @property
    def widgets(self) -> set[str] | None:
        """Returns the widgets that the cells declare, before any of them runs; None if that is only known after the run."""
        code = "\n".join(cell.text for cell in self.cells if cell.magic is None)
        calls = len(re.findall(r"dbutils\.widgets\.(?:text|dropdown|combobox|multiselect)\(", code))
        named = re.findall(r"""dbutils\.widgets\.(?:text|dropdown|combobox|multiselect)\(\s*(?:name\s*=\s*)?["']([^"']+)["']""", code)
        is_complete = calls == len(named) and not any(cell.magic == "run" for cell in self.cells)
        return set(named) if is_complete else None

    @property
    def created_widgets(self) -> set[str]:
        """Returns the widgets that exist after the cells have run."""
        return set(self._widgets.values)

    def run(self, say: Callable[[str], None]) -> None:
        """Runs every cell. Raises Failed at the first that fails. `say` receives a line for each."""
        try:
            self._run_all(self.path, self.cells, say)
        except Exit as left:
            self.exited = self._secrets.redact(str(left))

    def _run_all(self, path: Path, cells: list[Cell], say: Callable[[str], None]) -> None:
        for cell in cells:
            self.shown.append(Shown(cell, path))
            try:
                with self._streams():
                    self._run_cell(path, cell, say)
            except (Exit, Failed):
                raise
            except (Exception, SystemExit, KeyboardInterrupt) as err:
                message = self._secrets.redact(_format_error(err))
                self._show("error", message)
                name = f" ({cell.title})" if cell.title else ""
                raise Failed(f"{path}, cell {cell.number}{name}: {message}") from err
            kind = f"%{cell.magic}" if cell.magic else "python"
            say(f"{path.name} cell {cell.number}: {kind}" + "".join(f"; {text}" for is_kind, text in self.shown[-1].items if is_kind == "note"))

    def _run_cell(self, path: Path, cell: Cell, say: Callable[[str], None]) -> None:
        match cell.magic:
            case None:
                self._python(path, cell)
            case "md":
                self._show("markdown", cell.text)
            case "sql":
                import lakeplan

                found = lakeplan.query(cell.text, lake=self._widgets.values.get("lake") or None)
                self._names["_sqldf"] = found
                self._display(found)
            case "pip":
                self._show("note", "skipped: %pip; this Python has what it has")
            case "run":
                other = (path.parent / cell.text.strip().strip("\"'")).resolve()
                other = other if other.suffix else other.with_suffix(".py")
                self._run_all(other, read(other), say)
            case other:
                raise Unreadable(f"%{other} runs only on Databricks")

    def _python(self, path: Path, cell: Cell) -> None:
        name = f"<{path.name} cell {cell.number}>"
        # So that a traceback shows the source lines.
        linecache.cache[name] = (len(cell.text), None, [f"{line}\n" for line in cell.text.split("\n")], name)
        tree = ast.parse(cell.text, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), self._names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), name, "eval"), self._names)
            if value is not None:
                self._display(value)

    def _display(self, value: Any, *_: Any, **__: Any) -> None:
        if hasattr(value, "toPandas"):
            value = value.toPandas()
        if hasattr(value, "columns") and hasattr(value, "itertuples"):
            self._show("table", value)
        elif hasattr(value, "_repr_html_"):
            self._show("html", value._repr_html_())
        else:
            self._show("text", value if isinstance(value, str) else repr(value))

    def _show(self, kind: str, thing: Any) -> None:
        items = self.shown[-1].items
        thing = self._secrets.redact(thing) if isinstance(thing, str) else thing
        if kind == "text" and items and items[-1][0] == "text":
            items[-1] = ("text", items[-1][1] + thing)
        else:
            items.append((kind, thing))

    @contextlib.contextmanager
    def _streams(self):
        notebook = self

        class Stream(io.TextIOBase):
            def write(self, text: str) -> int:
                notebook._show("text", text)
                return len(text)

        with contextlib.redirect_stdout(Stream()), contextlib.redirect_stderr(Stream()):
            yield


def _format_error(err: BaseException) -> str:
    """Returns name and message of an exception, then the traceback without the frames of this runner."""
    frames = [frame for frame in traceback.extract_tb(err.__traceback__) if Path(frame.filename).parent != Path(__file__).parent]
    message = "".join(traceback.format_exception_only(err)).strip()
    return message + ("\n" + "".join(traceback.format_list(frames)).rstrip() if frames else "")
