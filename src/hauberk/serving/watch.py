"""What the server asks of whoever watches its callers (``hauberk.serving.guard``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

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


class NoWatch:
    """Looks away."""

    def check(self, caller: str) -> None:
        return None

    def look(self, caller: str, entry: Entry, rows: Floats, answer: Answer) -> Treatment:
        return AS_IT_IS
