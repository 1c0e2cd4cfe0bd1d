"""The figures of evidence as MLflow keeps them: flat names and numbers, and curves by epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from hauberk.core.evidence import Evidence


def metrics(evidence: Evidence) -> Iterator[tuple[str, float, int]]:
    """``(name, value, step)``; the step is 0 but for what was measured each epoch.

    Names start with the kind and, where there is one, the attacker: ``evaluation.linf-0.2.robust_accuracy``.
    An interval becomes ``….low`` and ``….high``.
    """
    prefix = ".".join([evidence.kind, *_threat(evidence)])
    yield from _numbers(evidence.result, prefix, 0)
    for row in evidence.result.get("history", ()):
        if isinstance(row, Mapping) and isinstance(row.get("epoch"), int):
            others = {key: value for key, value in row.items() if key != "epoch"}
            yield from _numbers(others, f"{prefix}.epoch", row["epoch"])


def _numbers(found: Mapping[str, Any], prefix: str, step: int) -> Iterator[tuple[str, float, int]]:
    for key, value in found.items():
        name = f"{prefix}.{key}"
        if isinstance(value, Mapping):
            yield from _numbers(value, name, step)
        elif key.endswith("interval") and isinstance(value, list) and all(map(_is_number, value)):
            yield from (
                (f"{name}.{end}", float(one), step) for end, one in zip(("low", "high"), value, strict=False)
            )
        elif _is_number(value):
            yield name, float(value), step


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _threat(evidence: Evidence) -> list[str]:
    threat = evidence.parameters.get("threat")
    if not isinstance(threat, Mapping) or not {"norm", "eps"} <= threat.keys():
        return []
    return [f"{threat['norm']}-{threat['eps']:g}"]
