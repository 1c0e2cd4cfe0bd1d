"""The evidence of private queries: what was promised, what was asked, what it cost. The only figures about the
data in it are the noisy ones that were given away anyhow; not even a digest of the data, which would tell
whoever guesses them that he is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hauberk.core.canonical import digest
from hauberk.core.evidence import Evidence, software_versions
from hauberk.privacy.queries.accounting import UNITS
from hauberk.privacy.queries.store import Registration

if TYPE_CHECKING:
    from hauberk.privacy.queries.asking import Asked


def registration_evidence(one: Registration) -> Evidence:
    """Of a data set's budget."""
    return Evidence(
        kind="private-query",
        subject=_subject(one),
        parameters={"step": "register", "description": one.description.to_json(), **_promise(one)},
        result={"askers": {asker: units / UNITS for asker, units in one.askers.items()}},
    )


def answer_evidence(asked: Asked, asker: str, *, duration_s: float = 0.0) -> Evidence:
    """Of an answer; its parent is the evidence of the registration, where there is one."""
    one = asked.registration
    return Evidence(
        kind="private-query",
        subject=_subject(one),
        parameters={"step": "ask", "question": asked.answer.question, "asker": asker, **_promise(one)},
        result={"answer": asked.answer.to_json(), "again": asked.again, "left": dict(asked.left)},
        parents=(one.evidence,) if one.evidence else (),
        duration_s=duration_s,
        versions=software_versions(("hauberk", "opendp", "sqlglot", "numpy")),
    )


def _subject(one: Registration) -> dict[str, str]:
    return {"name": one.name, "digest": digest(one.description.to_json())}


def _promise(one: Registration) -> dict[str, object]:
    accounting = one.accounting
    return {
        "unit": one.description.unit_text,
        "accounting": accounting.method,
        "budget": {"epsilon": accounting.budget, "delta": accounting.delta},
    }
