"""Hauberk: the security of deep-learning models, from training to release.

    import hauberk
    classifier = hauberk.load("runs/quickstart/undefended")
    test = hauberk.datasets.load("digits", split="test")
    result = hauberk.evaluate(classifier, test.images, test.labels, hauberk.Linf(0.2))

Names are resolved when first used: importing this package loads neither torch nor a server.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hauberk import attacks, datasets, defenses
    from hauberk.core.evidence import Evidence
    from hauberk.defenses import harden
    from hauberk.evaluation import evaluate
    from hauberk.models import Classifier, create, load, save
    from hauberk.models.training import train
    from hauberk.threats import L0, L1, L2, Linf, ThreatModel

_WHERE = {
    "Classifier": "hauberk.models",
    "Evidence": "hauberk.core.evidence",
    "L0": "hauberk.threats",
    "L1": "hauberk.threats",
    "L2": "hauberk.threats",
    "Linf": "hauberk.threats",
    "ThreatModel": "hauberk.threats",
    "create": "hauberk.models",
    "evaluate": "hauberk.evaluation",
    "harden": "hauberk.defenses",
    "load": "hauberk.models",
    "save": "hauberk.models",
    "train": "hauberk.models.training",
}
_ROOMS = ("attacks", "datasets", "defenses")

__all__ = [
    "L0",
    "L1",
    "L2",
    "Classifier",
    "Evidence",
    "Linf",
    "ThreatModel",
    "attacks",
    "create",
    "datasets",
    "defenses",
    "evaluate",
    "harden",
    "load",
    "save",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        found = getattr(importlib.import_module(_WHERE[name]), name)
    elif name in _ROOMS:
        found = importlib.import_module(f"hauberk.{name}")
    else:
        raise AttributeError(f"module 'hauberk' has no attribute '{name}'")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
