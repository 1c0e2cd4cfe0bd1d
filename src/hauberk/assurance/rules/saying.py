"""What the rules share: how an answer about a subject is put, and what makes a document one that can answer."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from hauberk.assurance.finding import Severity, State, Subject
from hauberk.assurance.rule import Observation
from hauberk.assurance.target import Model, Target
from hauberk.assurance.text import Text
from hauberk.core.evidence import Evidence

_KINDS = {  # of documents, in the words of the Chinese reports
    "training": "训练",
    "hardening": "加固",
    "import": "导入",
    "evaluation": "评估",
    "attack": "攻击",
    "curve": "曲线",
    "sweep": "参数扫描",
    "certificates": "鲁棒性证明",
    "detection": "检测",
    "corruptions": "常见损坏",
    "poisoning": "投毒",
    "cleansing": "投毒清洗",
    "extraction": "模型窃取",
    "membership": "成员推断",
    "inversion": "模型反演",
    "privacy-audit": "隐私审计",
    "scan": "导入前扫描",
    "sealing": "加密封装",
    "signing": "签名",
    "obfuscation": "混淆",
    "trace": "泄露溯源",
    "watermark": "水印",
    "watermark-verification": "水印检验",
}


def kinds(names: Iterable[str], joined: str = ", ", zh: str = "、") -> Text:
    """Kinds of documents in both languages; one that nobody translated reads as it is."""
    listed = list(names)
    return Text(joined.join(listed), zh.join(_KINDS.get(one, one) for one in listed))


def say(
    state: State,
    subject: Subject,
    seen: Text,
    needed: Text | None = None,
    *,
    evidence: tuple[Evidence, ...] = (),
    fix: tuple[str, ...] = (),
    severity: Severity | None = None,
    **figures: Any,
) -> Observation:
    """An observation; ``evidence`` by the documents, figures by name."""
    return Observation(
        state=state,
        subject=subject,
        seen=seen,
        needed=needed,
        evidence=tuple(one.digest for one in evidence),
        fix=fix,
        figures=figures,
        severity=severity,
    )


def held(holds: bool) -> State:
    return "passed" if holds else "failed"


def percent(share: float) -> str:
    """With one decimal; never rounded up to a limit that was missed."""
    return f"{share:.1%}" if abs(share * 1000 - round(share * 1000)) < 1e-6 else f"{share:.2%}"


def quoted(place: str) -> str:
    """A path or a name as a shell takes it."""
    return shlex.quote(place)


def where(model: Model) -> str:
    """A model's package as a command names it; of one in a vault, the folder that ``mend`` pulls it to."""
    return quoted(model.place.partition("@")[0] if model.vault_version else model.place)


def mend(model: Model, *commands: str) -> tuple[str, ...]:
    """Commands about a package, after the one that brings it out of its vault."""
    if not model.vault_version:
        return commands
    return (f"hauberk vault pull {quoted(model.place)} --out {where(model)}", *commands)


def data_of(model: Model, measured: Evidence | None = None) -> str:
    """The data set of a measurement, else that a model learned from, as ``--data`` takes it.

    NAME where neither is known.
    """
    for one in (*((measured,) if measured else ()), *reversed(model.born)):
        found = one.inputs.get("dataset")
        if isinstance(found, dict) and isinstance(found.get("name"), str):
            return quoted(found["name"].partition("/")[0])
    return "NAME"


def believable(target: Target) -> list[Model]:
    """Models whose package can be believed; of the others ``integrity.package`` speaks."""
    return [one for one in target.models if not one.broken]


def age_days(created: str, at: datetime) -> float:
    """Days since an RFC 3339 time; documents with no such time do not count in the first place."""
    return (at - datetime.fromisoformat(created)).total_seconds() / 86400


def number(result: Mapping[str, Any], *names: str) -> float | None:
    """A figure within a result; None where it is not there or is no number."""
    value: Any = result
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def interval(result: Mapping[str, Any], name: str) -> tuple[float, float] | None:
    """An interval within a result."""
    value = result.get(name)
    if isinstance(value, list) and len(value) == 2 and all(isinstance(one, int | float) for one in value):
        return float(value[0]), float(value[1])
    return None


def missing(model: Model, what: Text, *fix: str) -> Observation:
    """Nobody has looked, so nobody knows."""
    return say("unknown", model.subject, what, fix=mend(model, *fix))
