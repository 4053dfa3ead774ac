"""The errors that callers distinguish."""

from __future__ import annotations

TRY_AGAIN = 4
"""The exit code of `lakeplan` for a temporary failure after which a retry is safe."""


class CannotStart(RuntimeError):
    """The binary is missing, or it is for another machine."""


class TaskFailed(RuntimeError):
    """`lakeplan` exited with a code other than 0.

    `exit` is that code (negative: the signal that ended it). `code`, `message` and `hint` describe the error if known,
    and `tail` is the end of the log. Nothing contains secrets.
    """

    def __init__(
        self,
        command: str,
        exit: int,
        *,
        code: str | None = None,
        message: str | None = None,
        hint: str | None = None,
        tail: str = "",
    ) -> None:
        self.command, self.exit, self.code, self.message, self.hint, self.tail = command, exit, code, message, hint, tail
        super().__init__(self._text())

    def _text(self) -> str:
        if self.exit < 0:
            what = f"{self.command} was ended by signal {-self.exit}"
            if self.exit == -9:
                what += ", usually because the machine ran out of memory"
        else:
            what = f"{self.command} ended with exit code {self.exit}" + (f" ({self.code})" if self.code else "")
        lines = [f"{what}: {self.message}" if self.message else what]
        if self.hint:
            lines.append(f"hint: {self.hint}")
        lines += self._more()
        if self.tail:
            lines += ["the end of its log:", self.tail]
        return "\n".join(lines)

    def _more(self) -> list[str]:
        return []


class TryAgainLater(TaskFailed):
    """Exit 4: storage or network did not respond in time. No change is half done."""

    def _more(self) -> list[str]:
        return ["nothing is half done; repeating the task is safe"]


def failure(command: str, exit: int, *, tail: str = "", **details: str | None) -> TaskFailed:
    """Returns the exception for an exit code other than 0."""
    kind = TryAgainLater if exit == TRY_AGAIN else TaskFailed
    return kind(command, exit, tail=tail, **details)
