"""Progress as an argument: rooms report ticks, the command line draws them, a library call stays silent."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """What a long run tells its caller."""

    def begin(self, title: str, total: int) -> None:
        """A stage of ``total`` ticks starts."""

    def advance(self, ticks: int = 1, note: str = "") -> None:
        """``ticks`` more are done; ``note`` is a short live figure such as ``loss 0.31``."""

    def end(self) -> None:
        """The stage is over."""


class Silent:
    """The default: no output."""

    def begin(self, title: str, total: int) -> None: ...

    def advance(self, ticks: int = 1, note: str = "") -> None: ...

    def end(self) -> None: ...


SILENT = Silent()
