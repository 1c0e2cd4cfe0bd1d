"""What the guard does about what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hauberk.core.errors import check_known
from hauberk.core.settings import check_settings, require_count, require_positive, require_within
from hauberk.serving.watch import AS_IT_IS, Treatment


class Finding(StrEnum):
    """What a caller can be found doing; drift is found in a model's traffic as a whole."""

    EVASION = "evasion"
    EXTRACTION = "extraction"
    BUDGET = "budget"
    REPETITION = "repetition"
    UNUSUAL = "unusual"
    DRIFT = "drift"


class Action(StrEnum):
    """From the mildest to the strictest."""

    NOTE = "note"
    SLOW = "slow"
    ROUND = "round"
    LABEL = "label"
    NEW_KEY = "new-key"
    BLOCK = "block"

    @property
    def rank(self) -> int:
        return list(Action).index(self)


_ACTIONS = tuple(Finding)[:-1]
_COUNTS = (
    ("repeats", 1, None),
    ("queries", 0, None),
    ("memory", 16, 1 << 14),
    ("callers", 1, 1 << 20),
    ("patience", 1, 64),
    ("decimals", 0, 8),
)


@dataclass(frozen=True, kw_only=True)
class GuardPolicy:
    """Actions by finding, and thresholds.

    Args:
        evasion, extraction, budget, repetition, unusual: one of ``note``, ``slow``, ``round`` (scores to
            ``decimals`` places), ``label`` (the label alone), ``new-key`` (refused until somebody lifts it) and
            ``block`` (refused for ``block_s``).
        threshold: nats of evidence in one scene that make an evasion.
        caller_threshold: nats that make an extraction or unusual inputs.
        repeats: of one input, exactly the same, that make a repetition.
        queries: a caller's allowance for one model; 0 sets none.
        memory: looks kept for a caller at a model; each costs about half a kilobyte.
        callers: kept at once, by last use.
        patience: looks of a calm caller that are judged together.
        slow_s, decimals, block_s: what the actions do.
    """

    evasion: str = "block"
    extraction: str = "note"
    budget: str = "label"
    repetition: str = "note"
    unusual: str = "note"
    threshold: float = 12.0
    caller_threshold: float = 16.0
    repeats: int = 500
    queries: int = 0
    memory: int = 128
    callers: int = 1024
    patience: int = 8
    slow_s: float = 1.0
    decimals: int = 2
    block_s: float = 86_400.0

    def __post_init__(self) -> None:
        for finding in _ACTIONS:
            check_known([getattr(self, finding)], list(Action), what="action", where=f"guard {finding}")
        for name in ("threshold", "caller_threshold", "block_s"):
            require_positive(name, getattr(self, name), "GuardPolicy")
        for name, least, most in _COUNTS:
            require_count(name, getattr(self, name), "GuardPolicy", least=least, most=most)
        require_within("slow_s", self.slow_s, "GuardPolicy", "[0, 60]")

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> GuardPolicy:
        """From a TOML table.

        Raises:
            ConfigError: a setting that is not known or out of range.
        """
        check_settings(cls, settings, where="[guard]")
        return cls(**settings)

    def action(self, finding: Finding) -> Action:
        return Action.NOTE if finding is Finding.DRIFT else Action(getattr(self, finding))

    def treatment(self, action: Action | None) -> Treatment:
        """How a caller under this action is answered."""
        match action:
            case Action.SLOW:
                return Treatment(delay_s=self.slow_s)
            case Action.ROUND:
                return Treatment(decimals=self.decimals)
            case Action.LABEL | Action.NEW_KEY | Action.BLOCK:
                return Treatment(label_only=True)
        return AS_IT_IS
