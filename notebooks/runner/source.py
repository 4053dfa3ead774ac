"""Reads a notebook in Databricks source format, a Python file with a marker in its first line, and splits it into cells."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FIRST_LINE = "# Databricks notebook source"
_BORDER = re.compile(r"^# COMMAND -+[ \t]*$", re.MULTILINE)
_MAGIC = re.compile(r"^# MAGIC ?(.*)$")
_TITLE = re.compile(r"^# DBTITLE \d+,(.*)$")


class Unreadable(Exception):
    """The file is not a runnable notebook; the message says where and why."""


@dataclass(frozen=True)
class Cell:
    """`magic` is the word after the percent sign, or None for Python; `text` is the rest of the cell, or the code."""

    number: int
    magic: str | None
    text: str
    title: str | None = None


def read(path: Path) -> list[Cell]:
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise Unreadable(f"{path} cannot be read: {err}") from err
    first, _, body = source.partition("\n")
    if first.rstrip() != FIRST_LINE:
        raise Unreadable(f"{path} is no notebook: its first line is to be {FIRST_LINE!r}")
    texts = [text.strip("\n") for text in _BORDER.split(body)]
    return [_cell(path, number, text) for number, text in enumerate(texts, 1) if text.strip()]


def _cell(path: Path, number: int, text: str) -> Cell:
    lines = text.split("\n")
    titled = _TITLE.match(lines[0])
    title = titled.group(1).strip() if titled else None
    lines = lines[1:] if titled else lines
    found = [_MAGIC.match(line) for line in lines]
    if not any(found):
        return Cell(number, None, "\n".join(lines), title)
    if any(line.strip() and not match for line, match in zip(lines, found)):
        raise Unreadable(f"{path}, cell {number}: Python and # MAGIC lines stand in one cell")
    inner = "\n".join(match.group(1) for match in found if match).strip("\n")
    word = re.match(r"%(\w+)[ \t]*\n?", inner)
    if not word:
        raise Unreadable(f"{path}, cell {number}: its # MAGIC lines do not begin with a word such as %md")
    return Cell(number, word.group(1), inner[word.end() :], title)
