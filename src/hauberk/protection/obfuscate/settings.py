"""What is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from hauberk.core.errors import ConfigError

_MOST_DUMMIES = 1024


@dataclass(frozen=True, kw_only=True)
class Obfuscation:
    """What is done besides permuting.

    Args:
        rescale: multiply by powers of two where the functions between layers let it through.
        keep_architecture: keep names, batch norm and architecture, so that the package says what network it is
            and can be trained further; nothing is folded then, and no neurons are added.
        dummies: pairs of dummy neurons added to each group of neurons that can take them.
        keep_history: leave the evidence of the model's birth in the package; it names the architecture and how
            it was trained. Without it only the digest of the step before is named.

    Raises:
        ConfigError: a number out of range, or dummies where the architecture is kept.
    """

    rescale: bool = True
    keep_architecture: bool = False
    dummies: int = 0
    keep_history: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.dummies, bool) or not isinstance(self.dummies, int):
            raise ConfigError(f"dummies must be a whole number, got {self.dummies!r}")
        if not 0 <= self.dummies <= _MOST_DUMMIES:
            raise ConfigError(f"dummies must lie in [0, {_MOST_DUMMIES}], got {self.dummies}")
        if self.keep_architecture and self.dummies:
            raise ConfigError("dummies change the shapes of the weights, so the architecture cannot be kept")
