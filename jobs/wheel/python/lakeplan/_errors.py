"""What goes wrong, as the caller tells it apart."""

from __future__ import annotations

TRY_AGAIN = 4
"""The exit code of `lakeplan` that says: not now, and repeating is safe."""


class CannotStart(RuntimeError):
    """The binary is missing, or is not for this machine."""


class TaskFailed(RuntimeError):
    """`lakeplan` ended with another exit code than 0.

    `exit` is that code (negative: the signal that ended it), `code`, `message` and `hint` are what it said of the error
    where it said so, `tail` is the end of its log. Everything is free of secrets.
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
                what += ", which is mostly what a machine without free memory does"
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
    """Exit 4: storage or network did not answer in time. No change is half done."""

    def _more(self) -> list[str]:
        return ["nothing is half done; repeating the task is safe"]


def failure(command: str, exit: int, *, tail: str = "", **said: str | None) -> TaskFailed:
    """The error that stands for an exit code other than 0."""
    kind = TryAgainLater if exit == TRY_AGAIN else TaskFailed
    return kind(command, exit, tail=tail, **said)
