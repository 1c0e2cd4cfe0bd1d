"""What was read from a suspect, and how likely an innocent one would have said it."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from hauberk.core.errors import ConfigError
from hauberk.protection.watermark.verification.tail import needed, tail

MAX_P = 1e-6
"""A mark is claimed where chance alone would do as well with at most this probability."""


@dataclass(frozen=True)
class Reading:
    """The result of a verification.

    Args:
        kind: of the mark.
        units: what could have matched.
        matched: what did.
        chance: with which one unit matches by chance.
        p_value: probability that at least as many match by chance.
    """

    kind: str
    units: int
    matched: int
    chance: Fraction
    p_value: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "p_value", float(tail(self.units, self.matched, self.chance)))

    def found(self, max_p: float = MAX_P) -> bool:
        """Whether the mark may be claimed."""
        return self.p_value <= max_p

    def needed(self, max_p: float = MAX_P) -> int:
        """Matches from which on it may be.

        Raises:
            ConfigError: even if all units matched, it might not.
        """
        fewest = needed(self.units, self.chance, max_p)
        if fewest is None:
            raise ConfigError(
                f"{self.kind}: {self.units} units of chance {float(self.chance):g} cannot reach p <= {max_p:g}"
            )
        return fewest

    def to_json(self) -> dict[str, Any]:
        """For evidence."""
        return {
            "kind": self.kind,
            "units": self.units,
            "matched": self.matched,
            "chance": float(self.chance),
            "p_value": self.p_value,
        }
