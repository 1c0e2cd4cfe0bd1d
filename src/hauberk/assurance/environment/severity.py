"""How bad an advisory is: the word of its database, or the base score of its CVSS 3 vector.

Source: FIRST, Common Vulnerability Scoring System v3.1, sections 7.1 (base score) and 7.4 (values), appendix A
(rounding up). CVSS 4 needs a table of 270 classes; databases that write such vectors say the word beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

Severity = Literal["unknown", "low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("unknown", "low", "medium", "high", "critical")

_WORDS: dict[str, Severity] = {
    "LOW": "low",
    "MODERATE": "medium",
    "MEDIUM": "medium",
    "IMPORTANT": "high",
    "HIGH": "high",
    "CRITICAL": "critical",
}
_VALUES = {
    "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
    "AC": {"L": 0.77, "H": 0.44},
    "UI": {"N": 0.85, "R": 0.62},
    "C": {"H": 0.56, "L": 0.22, "N": 0.0},
    "I": {"H": 0.56, "L": 0.22, "N": 0.0},
    "A": {"H": 0.56, "L": 0.22, "N": 0.0},
}
_PRIVILEGES = {"U": {"N": 0.85, "L": 0.62, "H": 0.27}, "C": {"N": 0.85, "L": 0.68, "H": 0.5}}


def severity_of(document: Mapping[str, Any], *, malicious: bool = False) -> Severity:
    """The worst word or vector in an OSV document; a package that is malicious itself is critical."""
    if malicious:
        return "critical"
    return max(_said(document), key=SEVERITIES.index, default="unknown")


def _said(document: Mapping[str, Any]) -> Iterator[Severity]:
    affected = document.get("affected")
    parts = [document, *(affected if isinstance(affected, list) else [])]
    for part in parts:
        if not isinstance(part, Mapping):
            continue
        for key in ("database_specific", "ecosystem_specific"):
            own = part.get(key)
            word = own.get("severity") if isinstance(own, Mapping) else None
            if isinstance(word, str) and word.upper() in _WORDS:
                yield _WORDS[word.upper()]
        listed = part.get("severity")
        for one in listed if isinstance(listed, list) else []:
            score = base_score(one.get("score")) if isinstance(one, Mapping) else None
            if score is not None:
                yield rating(score)


def rating(score: float) -> Severity:
    """The qualitative rating of a score (CVSS 3.1, section 5); none, 0.0, counts as low."""
    if score >= 9:
        return "critical"
    if score >= 7:
        return "high"
    return "medium" if score >= 4 else "low"


def base_score(vector: object) -> float | None:
    """The base score of a CVSS 3.0 or 3.1 vector, from 0 to 10; None for what is none."""
    if not isinstance(vector, str) or not vector.startswith(("CVSS:3.0/", "CVSS:3.1/")):
        return None
    said = dict(one.split(":", 1) for one in vector.split("/")[1:] if ":" in one)
    try:
        value = {name: values[said[name]] for name, values in _VALUES.items()}
        changed = {"U": False, "C": True}[said["S"]]
        value["PR"] = _PRIVILEGES[said["S"]][said["PR"]]
    except KeyError:
        return None
    left = 1 - (1 - value["C"]) * (1 - value["I"]) * (1 - value["A"])
    impact = 7.52 * (left - 0.029) - 3.25 * (left - 0.02) ** 15 if changed else 6.42 * left
    if impact <= 0:
        return 0.0
    ease = 8.22 * value["AV"] * value["AC"] * value["PR"] * value["UI"]
    return _up(min((impact + ease) * (1.08 if changed else 1), 10))


def _up(score: float) -> float:
    """To one decimal, upwards, in whole numbers: 4.0000001 through rounding errors is 4.0."""
    whole = round(score * 100_000)
    return whole / 100_000 if whole % 10_000 == 0 else (whole // 10_000 + 1) / 10
