"""The figures of a piece of evidence that belong on one line; what is not there, or no figure, is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LONGEST = 40  # characters of a text
_SHARES = ("accuracy", "rate", "fidelity", "share")

SHOWN = {
    "training": ("parameters.method", "result.best_epoch"),
    "hardening": ("parameters.method", "parameters.threat.norm", "parameters.threat.eps"),
    "import": ("parameters.format", "result.largest_difference"),
    "evaluation": (
        "parameters.threat.norm",
        "parameters.threat.eps",
        "result.clean_accuracy",
        "result.robust_accuracy",
        "result.samples",
    ),
    "attack": ("parameters.threat.norm", "parameters.threat.eps", "result.clean_accuracy", "result.accuracy"),
    "curve": ("parameters.threat.norm", "result.samples"),
    "corruptions": ("result.clean_accuracy", "result.mean_accuracy"),
    "poisoning": ("result.samples", "result.rate"),
    "cleansing": ("result.flagged", "result.samples"),
    "extraction": ("result.queries", "result.fidelity"),
    "membership": ("result.member_accuracy", "result.non_member_accuracy"),
    "inversion": ("result.classes", "result.judge_accuracy"),
    "certificates": ("parameters.method", "result.clean_accuracy", "result.certified_accuracy"),
    "detection": ("result.clean_accuracy", "result.false_positive_rate"),
    "sweep": ("parameters.over", "result.samples"),
    "sealing": ("parameters.step", "result.size_bytes"),
    "signing": ("parameters.method", "result.files"),
    "scan": ("result.clean",),
    "obfuscation": ("parameters.direction", "result.largest_difference"),
    "watermark": ("parameters.kind", "result.largest_weight_change"),
    "watermark-verification": ("result.found", "result.matched", "result.units", "result.p_value"),
    "trace": ("parameters.action",),
}


def figures(kind: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are there, by the last word of their path.

    Args:
        document: the evidence as JSON.
    """
    found = {}
    for path in SHOWN.get(kind, ()):
        value: Any = document
        for word in path.split("."):
            value = value.get(word) if isinstance(value, Mapping) else None
        if isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= _LONGEST):
            found[path.rpartition(".")[2]] = value
    return found


def written(found: Mapping[str, Any]) -> str:
    """Figures as text: shares in per cent, other numbers with four digits."""
    return ", ".join(_one(name, value) for name, value in found.items())


def _one(name: str, value: Any) -> str:
    label = name.replace("_", " ")
    if isinstance(value, bool):
        return f"{label}: {'yes' if value else 'no'}"
    if isinstance(value, float):
        return f"{label} {value:.1%}" if name.endswith(_SHARES) else f"{label} {value:.4g}"
    return f"{label} {value}" if isinstance(value, int) else str(value)
