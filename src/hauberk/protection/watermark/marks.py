"""The three kinds of mark, and what can be chosen about each: the numbers of docs/spec/watermark.md.

What is chosen here goes into the commitment, and decides how much evidence a mark can give at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from hauberk.core.settings import configure, require_count, require_within


@dataclass(frozen=True, kw_only=True)
class WhiteBox:
    """Bits read from the weights, through the network's companion.

    Args:
        bits: how many; each is right by chance with probability 1/2.
    """

    kind: ClassVar[str] = "whitebox"
    bits: int = 256

    def __post_init__(self) -> None:
        require_count("bits", self.bits, self.kind, least=16, most=4096)


@dataclass(frozen=True, kw_only=True)
class BlackBox:
    """Keyed patterns, each of which draws whatever it lies upon towards a keyed class.

    Args:
        patterns: how many; each is right by chance with probability 1/classes.
        images: how many of the data set's first training images a pattern is laid upon.
    """

    kind: ClassVar[str] = "blackbox"
    patterns: int = 24
    images: int = 64

    def __post_init__(self) -> None:
        require_count("patterns", self.patterns, self.kind, least=4, most=1024)
        require_count("images", self.images, self.kind, least=1, most=4096)


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """Places of the model's boundary on keyed lines; nothing is trained.

    Args:
        lines: how many.
        width: a place is found again where the suspect's answer changes likewise within this share of the line,
            to either side.
        chance: an independent model finds a place again with at most this probability. Measured, not proven.
    """

    kind: ClassVar[str] = "fingerprint"
    lines: int = 512
    width: float = 0.05
    chance: float = 0.35

    def __post_init__(self) -> None:
        require_count("lines", self.lines, self.kind, least=16, most=4096)
        require_within("width", self.width, self.kind, "(0, 0.25]")
        require_within("chance", self.chance, self.kind, "(0, 0.9]")


Mark = WhiteBox | BlackBox | Fingerprint
KINDS: dict[str, type[Mark]] = {one.kind: one for one in (WhiteBox, BlackBox, Fingerprint)}


def make_mark(kind: str, settings: Mapping[str, Any] | None = None) -> Mark:
    """A kind of mark by its name.

    Raises:
        UnknownName: no such kind, or no such setting.
        ConfigError: a setting out of range.
    """
    return configure(KINDS, kind, settings or {}, what="kind", where="watermark", noun="watermark")


def settings_of(mark: Mark) -> dict[str, Any]:
    """As they stand in a commitment."""
    return asdict(mark)
