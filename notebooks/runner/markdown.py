"""The subset of Markdown in notebooks: headings, paragraphs, lists, tables, code, bold, italics, links."""

from __future__ import annotations

import re
from html import escape


def html(text: str) -> str:
    found: list[str] = []
    blocks = re.split(r"\n\s*\n", text.strip("\n"))
    while blocks:
        lines = blocks.pop(0).split("\n")
        if lines[0].startswith("```"):
            # A fence ends only at its closing line, regardless of blank lines inside.
            while blocks and not any(line.startswith("```") for line in lines[1:]):
                lines += ["", *blocks.pop(0).split("\n")]
            end = next((at for at, line in enumerate(lines[1:], 1) if line.startswith("```")), len(lines))
            found.append(f"<pre>{escape(chr(10).join(lines[1:end]))}</pre>")
            lines = lines[end + 1 :]
        while lines:
            taken, block = _block(lines)
            found.append(block)
            lines = lines[taken:]
    return "\n".join(found)


def _block(lines: list[str]) -> tuple[int, str]:
    """Returns the number of lines in the first block, and its HTML."""
    heading = re.match(r"(#{1,6})\s+(.*)", lines[0])
    if heading:
        level = len(heading.group(1))
        return 1, f"<h{level}>{_inline(heading.group(2))}</h{level}>"
    for mark, tag in ((r"[-*+]\s+", "ul"), (r"\d+[.)]\s+", "ol")):
        count = _while(lines, mark)
        if count:
            items = "".join(f"<li>{_inline(re.sub(f'^{mark}', '', line))}</li>" for line in lines[:count])
            return count, f"<{tag}>{items}</{tag}>"
    count = _while(lines, r"\|")
    if count > 1 and re.fullmatch(r"[|:\s-]+", lines[1]):
        rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines[:count]]
        head = "".join(f"<th>{_inline(cell)}</th>" for cell in rows[0])
        body = "".join("<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>" for row in rows[2:])
        return count, f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    count = 1
    while count < len(lines) and not re.match(r"#{1,6}\s|[-*+]\s|\d+[.)]\s|\|", lines[count]):
        count += 1
    return count, f"<p>{_inline(' '.join(lines[:count]))}</p>"


def _while(lines: list[str], pattern: str) -> int:
    return next((at for at, line in enumerate(lines) if not re.match(pattern, line)), len(lines))


def _inline(text: str) -> str:
    """Code comes first, because nothing inside it is Markdown."""
    parts = re.split(r"`([^`]+)`", text)
    return "".join(f"<code>{escape(part)}</code>" if at % 2 else _marks(part) for at, part in enumerate(parts))


def _marks(text: str) -> str:
    text = escape(text, quote=False)
    text = re.sub(r"\[([^\]]+)\]\((https?://[^)\s\"]+|#[\w-]+)\)", r'<a href="\2">\1</a>', text)
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text)
    return re.sub(r"\*(.+?)\*", r"<em>\1</em>", text)
