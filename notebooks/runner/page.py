"""Renders the output of the cells as one self-contained HTML page."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from .markdown import html as markdown
from .notebook import Shown

MAX_ROWS = 1000

_STYLE = """
:root { color-scheme: light dark; --ground: #f6f6f4; --panel: #fff; --ink: #1d2127; --quiet: #59616c; --line: #e1e2e0; --late: #a8231b; }
@media (prefers-color-scheme: dark) { :root { --ground: #14161a; --panel: #1b1e23; --ink: #e7e9ec; --quiet: #a5adb8; --line: #30353d; --late: #ff968c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 20px 24px; max-width: 1320px; background: var(--ground); color: var(--ink); font: 14px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 24px; } h2 { font-size: 18px; margin-top: 28px; }
section { margin-bottom: 14px; }
.silent { margin-bottom: 0; }
summary { color: var(--quiet); font-size: 12.5px; cursor: pointer; }
pre { margin: 6px 0; padding: 10px 12px; background: var(--panel); border: 1px solid var(--line); border-radius: 6px; overflow-x: auto; font: 12.5px/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
.source { color: var(--quiet); }
.note { color: var(--quiet); font-size: 12.5px; margin: 4px 0; }
.error { border-color: var(--late); color: var(--late); white-space: pre-wrap; }
.table { overflow-x: auto; max-height: 460px; overflow-y: auto; border: 1px solid var(--line); border-radius: 6px; background: var(--panel); margin: 6px 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.table table { width: 100%; }
th, td { text-align: left; padding: 4px 12px; border-bottom: 1px solid var(--line); vertical-align: top; }
.table th { position: sticky; top: 0; background: var(--panel); color: var(--quiet); font-weight: 600; white-space: nowrap; }
.number { text-align: right; }
iframe { width: 100%; height: 400px; border: 1px solid var(--line); border-radius: 6px; background: var(--panel); }
code { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: .92em; overflow-wrap: break-word; }
td:not(:first-child) code { overflow-wrap: anywhere; }
@media (max-width: 600px) { body { padding: 14px 12px; } th, td { padding: 4px 8px; } .markdown table { display: block; overflow-x: auto; } }
@media print { :root { color-scheme: light; --ground: #fff; --panel: #fff; --ink: #000; --quiet: #444; --line: #c8c8c8; } body { padding: 0; max-width: none; } details, .note { display: none; } .table { max-height: none; overflow: visible; } pre { white-space: pre-wrap; } }
"""

# A page in a cell is rendered in a separate frame without access to this page, and sends its
# height. The script comes first, because a page may forbid scripts from a certain point on.
_SEND_HEIGHT = """<script>(() => { const send = () => parent.postMessage({ height: document.documentElement.offsetHeight }, '*');
new ResizeObserver(send).observe(document.documentElement); addEventListener('load', send); })();</script>"""
_RECEIVE_HEIGHT = """<script>addEventListener('message', (event) => { for (const frame of document.querySelectorAll('iframe'))
if (frame.contentWindow === event.source && event.data.height) frame.style.height = `${Math.min(Math.max(event.data.height + 4, 60), 6000)}px`; });</script>"""


def page(name: str, shown: list[Shown], exited: str | None) -> str:
    cells = "\n".join(_cell(one) for one in shown)
    left = "" if exited is None else f'<p class="note">The notebook ended itself{f": {escape(exited)}" if exited else ""}.</p>'
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(name)}</title>\n'
        f"<style>{_STYLE}</style>\n{_RECEIVE_HEIGHT}\n</head>\n<body>\n{cells}\n{left}\n</body>\n</html>\n"
    )


def _cell(one: Shown) -> str:
    items = "\n".join(_item(kind, thing) for kind, thing in one.items)
    if one.cell.magic == "md":
        return f"<section>{items}</section>"
    kind = f" %{one.cell.magic}" if one.cell.magic else ""
    label = f"Cell {one.cell.number}{kind}" + (f": {escape(one.cell.title)}" if one.cell.title else "")
    source = f'<details><summary>{label}</summary><pre class="source">{escape(one.cell.text)}</pre></details>'
    silent = "" if items else ' class="silent"'
    return f"<section{silent}>{source}\n{items}</section>"


def _item(kind: str, thing: Any) -> str:
    match kind:
        case "markdown":
            return f'<div class="markdown">{markdown(thing)}</div>'
        case "table":
            return _table(thing)
        case "html":
            return f'<iframe sandbox="allow-scripts" title="What the cell shows" srcdoc="{escape(_telling(thing))}"></iframe>'
        case "note":
            return f'<p class="note">{escape(thing)}</p>'
        case "error":
            return f'<pre class="error" role="alert">{escape(thing)}</pre>'
        case _:
            return f"<pre>{escape(thing.rstrip())}</pre>"


def _telling(html: str) -> str:
    doctype = re.match(r"\s*<!doctype[^>]*>", html, re.IGNORECASE)
    at = doctype.end() if doctype else 0
    return (html[:at] or "<!doctype html>") + _SEND_HEIGHT + html[at:]


def _table(frame: Any) -> str:
    """Renders a DataFrame as a table, with numbers aligned to the right and missing values empty."""
    kinds = ["number" if getattr(kind, "kind", "O") in "iuf" else "" for kind in frame.dtypes]
    mark = lambda kind: f' class="{kind}"' if kind else ""
    head = "".join(f"<th{mark(kind)}>{escape(str(name))}</th>" for name, kind in zip(frame.columns, kinds))
    rows = []
    for row in frame.head(MAX_ROWS).itertuples(index=False):
        cells = (f"<td{mark(kind)}>{escape(_value(value))}</td>" for value, kind in zip(row, kinds))
        rows.append(f"<tr>{''.join(cells)}</tr>")
    more = f", the first {MAX_ROWS} of them shown" if len(frame) > MAX_ROWS else ""
    count = f'<p class="note">{len(frame)} row{"" if len(frame) == 1 else "s"}{more}</p>'
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>{count}'


def _value(value: Any) -> str:
    # Missing values are None, NaN or NaT, and of these only None equals itself.
    if value is None or value != value:
        return ""
    if isinstance(value, float):
        return f"{value:g}" if abs(value) < 1e15 else str(value)
    return str(value)
