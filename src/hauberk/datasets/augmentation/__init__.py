"""Changes of a batch before it is learnt from, by name: ``augmentations(("shift", "rotation:15"))``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hauberk.core.errors import ConfigError, check_known
from hauberk.datasets.augmentation.augmentation import Augmentation, Draw
from hauberk.datasets.augmentation.augmix import AugMix
from hauberk.datasets.augmentation.covering import Cutout, Noise
from hauberk.datasets.augmentation.mixing import CutMix, Mixup
from hauberk.datasets.augmentation.moving import Flip, Rotation, Scaling, Shift

AUGMENTATIONS: dict[str, type[Augmentation]] = {
    one.name: one for one in (Shift, Flip, Rotation, Scaling, Noise, Cutout, Mixup, CutMix, AugMix)
}


def augmentations(names: Sequence[str]) -> tuple[Augmentation, ...]:
    """Configured augmentations, in the order in which they are applied.

    Args:
        names: each a name, or ``name:strength`` where the default strength does not suit.

    Raises:
        UnknownName: no such augmentation.
        ConfigError: a strength that is no number, or out of range.
    """
    return tuple(_one(text) for text in names)


def _one(text: str) -> Augmentation:
    name, colon, strength = str(text).partition(":")
    check_known([name], AUGMENTATIONS, what="augmentation", where="augment")
    if not colon:
        plain: Any = AUGMENTATIONS[name]  # each has a strength of its own
        made: Augmentation = plain()
        return made
    try:
        value = float(strength)
    except ValueError:
        raise ConfigError(f"augment: the strength of {name} is a number, got '{strength}'") from None
    return AUGMENTATIONS[name](value)


__all__ = [
    "AUGMENTATIONS",
    "AugMix",
    "Augmentation",
    "CutMix",
    "Cutout",
    "Draw",
    "Flip",
    "Mixup",
    "Noise",
    "Rotation",
    "Scaling",
    "Shift",
    "augmentations",
]
