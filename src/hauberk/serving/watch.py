"""What the server asks of whoever watches its callers (``hauberk.serving.guard``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hauberk.serving.protocol import Answer, Floats
    from hauberk.serving.rack import Entry


@dataclass(frozen=True, slots=True)
class Treatment:
    """How a caller is answered.

    Args:
        delay_s: seconds to wait before the answer.
        decimals: round scores to so many places; None gives them exactly.
        label_only: give the label and nothing else: probabilities become 0 and 1, and logits go.
    """

    delay_s: float = 0.0
    decimals: int | None = None
    label_only: bool = False


AS_IT_IS = Treatment()


class Watch(Protocol):
    """Looks at every question and its answer; must be quick."""

    def check(self, caller: str) -> None:
        """Refuse a caller who has been found out.

        Raises:
            Problem: 403 for one who is blocked or needs a new key.
        """

    def look(self, caller: str, entry: Entry, rows: Floats, answer: Answer) -> Treatment:
        """Take note of a question and its answer; says how to answer it."""


class Memory(Protocol):
    """What a watch remembers beyond its process. Called on the loop; waits for the disk beside it."""

    async def begin(self) -> None:
        """Before the first request.

        Raises:
            HauberkError: what was kept cannot be read.
        """

    async def turn(self) -> None:
        """About once a second; tells what goes wrong, and raises nothing."""

    async def end(self) -> None:
        """After the last request."""


class NoWatch:
    """Looks away."""

    def check(self, caller: str) -> None:
        return None

    def look(self, caller: str, entry: Entry, rows: Floats, answer: Answer) -> Treatment:
        return AS_IT_IS


@dataclass(frozen=True)
class Watched:
    """A watch, and its memory where it has one."""

    watch: Watch = field(default_factory=NoWatch)
    memory: Memory | None = None
