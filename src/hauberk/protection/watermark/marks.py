"""The three kinds of mark, and what can be chosen about each: the numbers of docs/spec/watermark.md.

What is chosen here goes into the commitment, and decides how much evidence a mark can give at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

from hauberk.core.errors import ConfigError
from hauberk.core.settings import configure


@dataclass(frozen=True, kw_only=True)
class WhiteBox:
    """Bits read from the weights, through the network's companion.

    Args:
        bits: how many; each is right by chance with probability 1/2.
    """

    kind: ClassVar[str] = "whitebox"
    bits: int = 256

    def __post_init__(self) -> None:
        _check_count("bits", self.bits, 16, 4096, self.kind)


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
        _check_count("patterns", self.patterns, 4, 1024, self.kind)
        _check_count("images", self.images, 1, 4096, self.kind)


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
        _check_count("lines", self.lines, 16, 4096, self.kind)
        for name, most in (("width", 0.25), ("chance", 0.9)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
                raise ConfigError(f"{self.kind}: {name} must lie in (0, {most}], got {value!r}")


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


def setting_names(kind: str) -> list[str]:
    """What can be chosen."""
    return [one.name for one in fields(KINDS[kind])]


def _check_count(name: str, value: object, low: int, high: int, where: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(f"{where}: {name} must be a whole number in [{low}, {high}], got {value!r}")
