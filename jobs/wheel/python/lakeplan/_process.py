"""Runs the binary: passes its lines and signals on immediately, without deadlock for any output."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Literal

from . import _binary

Stream = Literal["stdout", "stderr"]
GRACE_SECONDS = 20.0
"""Time for a child to exit after a signal; slightly more than the deadline of a commit."""


class _Terminated(BaseException):
    """SIGTERM as an exception, so that it interrupts the wait for lines."""


def follow(binary: Path, args: Sequence[str], environment: Mapping[str, str], take: Callable[[Stream, bytes], None]) -> int:
    """Runs `binary` with `args` and passes each line to `take` in the calling thread. Returns the exit code.

    Both streams are read concurrently, so neither can fill up and block the child. On Ctrl-C and SIGTERM, the child gets
    the same signal and time to exit, its last lines are passed on, and then the signal has its usual effect here.
    Raises CannotStart if the system refuses to start the binary.
    """
    try:
        child = subprocess.Popen(
            [str(binary), *args],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as err:
        raise _binary.cannot_execute(binary, err) from err
    lines: queue.SimpleQueue[tuple[Stream, bytes] | None] = queue.SimpleQueue()
    for name, pipe in (("stdout", child.stdout), ("stderr", child.stderr)):
        threading.Thread(target=_read, args=(name, pipe, lines), daemon=True).start()
    previous = _on_sigterm(_raise_terminated)
    passed_on: int | None = None
    try:
        _drain(lines, take, streams=2)
        return child.wait()
    except (KeyboardInterrupt, _Terminated) as interruption:
        passed_on = signal.SIGTERM if isinstance(interruption, _Terminated) else signal.SIGINT
        _end(child, passed_on, lines, take)
        if passed_on == signal.SIGINT:
            raise
        return child.wait()
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        if previous is not None:
            signal.signal(signal.SIGTERM, previous)
        if passed_on == signal.SIGTERM:
            os.kill(os.getpid(), signal.SIGTERM)


def _read(name: Stream, pipe: IO[bytes], lines: queue.SimpleQueue) -> None:
    with pipe:
        for line in pipe:
            lines.put((name, line))
    lines.put(None)


def _drain(lines: queue.SimpleQueue, take: Callable[[Stream, bytes], None], streams: int) -> None:
    while streams:
        line = lines.get()
        if line is None:
            streams -= 1
        else:
            take(*line)


def _end(child: subprocess.Popen, with_signal: int, lines: queue.SimpleQueue, take: Callable[[Stream, bytes], None]) -> None:
    child.send_signal(with_signal)
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    while True:
        try:
            line = lines.get(timeout=0.5)
        except queue.Empty:
            return
        if line is not None:
            take(*line)


def _raise_terminated(*_: object) -> None:
    raise _Terminated


def _on_sigterm(handler: Callable[..., None]):
    """Sets the handler and returns the previous one, or None in a thread other than the main one, which must not set it."""
    if threading.current_thread() is not threading.main_thread():
        return None
    previous = signal.signal(signal.SIGTERM, handler)
    return signal.SIG_DFL if previous is None else previous
