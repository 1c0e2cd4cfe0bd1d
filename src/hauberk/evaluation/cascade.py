"""Cascades: which attacks, in which order, on whom.

Measured on adversarially trained MNIST networks: nearly all samples that fall do so within the first fifty
steps, and those that fall later are the ones whose margin was smallest by then (of 911 left standing, the
three that fell to a hundred times the effort had the three smallest margins). So every sample gets a little,
and the few that came close get the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hauberk.attacks import Attack
from hauberk.core.errors import ConfigError
from hauberk.models import Classifier


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One attack of a cascade and whom it is for.

    Args:
        attack: a configured attack.
        share: of all samples, at most so many are attacked: of those that stand, the ones the attacker came
            closest to. In (0, 1].
        carried: begin where the attacks before came closest, in place of the attack's own starts.
        gradients_from: a classifier to take gradients from (BPDA stand-in, substitute, member of an ensemble).
        note: what sets it apart from the same attack elsewhere in the cascade; becomes part of its name.

    Raises:
        ConfigError: a share out of range, or no attack.
    """

    attack: Attack
    share: float = 1.0
    carried: bool = False
    gradients_from: Classifier | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        given: object = self.attack
        if not isinstance(given, Attack):
            raise ConfigError(f"an evaluation runs attacks such as PGD(steps=40), got {given!r}")
        if isinstance(self.share, bool) or not 0 < self.share <= 1:
            raise ConfigError(f"a stage's share lies in (0, 1], got {self.share!r}")

    @property
    def label(self) -> str:
        return self.attack.name if self.note is None else f"{self.attack.name} ({self.note})"

    @property
    def recipe(self) -> str:
        """The attack with its settings, and how the stage uses it."""
        extra = [f"on the closest {self.share:.0%}"] if self.share < 1 else []
        extra += ["from the closest points"] if self.carried else []
        if self.gradients_from is not None:
            extra.append(f"gradients from {self.note or 'another model'}")
        return ", ".join([repr(self.attack), *extra])


def stages(attacks: Sequence[Attack | Stage]) -> tuple[Stage, ...]:
    """Bare attacks as stages for everybody."""
    return tuple(one if isinstance(one, Stage) else Stage(attack=one) for one in attacks)
