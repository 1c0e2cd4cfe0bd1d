"""What the attacker may do, as one value: how far, towards what, seeing what, asking how often."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from hauberk.core.errors import ConfigError, check_known
from hauberk.threats.bounds import Bounds
from hauberk.threats.geometry import GEOMETRIES, Geometry


class Knowledge(IntEnum):
    """What the attacker sees; each level includes the ones below it."""

    LABELS = 0  # the predicted class only
    SCORES = 1  # logits or probabilities
    WHITE_BOX = 2  # weights, hence gradients

    @property
    def word(self) -> str:
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True)
class ThreatModel:
    """Validated once, printed in every report.

    Args:
        geometry: the ball around each image, such as ``Linf(0.3)``.
        targeted: True when the attacker wants a given class rather than any wrong one; the wanted classes
            travel with the images, as the ``targets`` of an attack.
        knowledge: ``white-box`` (default), ``scores`` or ``labels``.
        queries: most forward passes per sample, or None for no limit.
    """

    geometry: Geometry
    targeted: bool = False
    knowledge: Knowledge = Knowledge.WHITE_BOX
    queries: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.geometry, Geometry):
            raise ConfigError(f"a threat needs a geometry such as Linf(0.3), got {self.geometry!r}")
        given: object = self.knowledge
        if not isinstance(given, Knowledge):  # a word, as in recipes
            words = {level.word: level for level in Knowledge}
            check_known([given], words, what="knowledge", where="ThreatModel")
            object.__setattr__(self, "knowledge", words[str(given)])
        if not isinstance(self.targeted, bool):
            raise ConfigError(f"targeted is True or False, got {self.targeted!r}")
        budget: object = self.queries
        if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int) or budget < 1):
            raise ConfigError(f"a query budget is a whole number of at least 1, got {budget!r}")

    @classmethod
    def of(cls, threat: ThreatModel | Geometry) -> ThreatModel:
        """A bare geometry stands for: white box, untargeted, no query limit."""
        if isinstance(threat, ThreatModel):
            return threat
        if isinstance(threat, Geometry):
            return cls(threat)
        raise ConfigError(f"expected a threat such as Linf(0.3) or ThreatModel(...), got {threat!r}")

    def with_eps(self, eps: float) -> ThreatModel:
        """The same attacker with another radius."""
        return replace(self, geometry=self.geometry.with_eps(eps))

    def check_fits(self, bounds: Bounds, shape: tuple[int, ...]) -> None:
        """Refuse a radius that the valid range makes meaningless.

        Raises:
            ConfigError: eps is larger than the distance between the farthest valid inputs.
        """
        most = self.geometry.largest(bounds, shape)
        if self.geometry.eps > most * (1 + 1e-6):
            raise ConfigError(
                f"eps {self.geometry.eps:g} is larger than the valid range allows: with bounds "
                f"{bounds.describe()} the {self.geometry.norm} distance is never above {most:g}",
                hint="eps is in the classifier's own input scale; 8/255 on [0, 1] is 8 on [0, 255]",
            )

    def describe(self) -> dict[str, Any]:
        """JSON for evidence."""
        return {
            **self.geometry.describe(),
            "targeted": self.targeted,
            "knowledge": self.knowledge.word,
            "queries": self.queries,
        }


def geometry(norm: str, eps: float) -> Geometry:
    """A geometry by its name: ``linf``, ``l2``, ``l1`` or ``l0``."""
    check_known([norm], GEOMETRIES, what="norm", where="the threat model")
    return GEOMETRIES[norm](eps)
