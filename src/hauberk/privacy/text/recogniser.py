"""What every recogniser is: it knows its type and finds it in the text of a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from hauberk.privacy.text.finding import Finding


class Recogniser(Protocol):
    """Finds one type in the text of a page; places are counted in that text, overlaps are allowed."""

    @property
    def type(self) -> str: ...

    def find(self, text: str) -> Iterator[Finding]: ...
