"""A model's whole life, from its evidence and from the ledger, each step with its proof.

What the evidence tells is looked up in the log, and what the log tells of the model is laid beside the
evidence. So three things come to light: evidence that was never logged, entries whose document is not shown,
and a log that does not hold what it says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from hauberk.core.errors import DataError, IntegrityError
from hauberk.core.evidence import Evidence
from hauberk.crypto.notes import Checkpoint
from hauberk.ledger import merkle
from hauberk.ledger.checking import verify_inclusion
from hauberk.ledger.documents import evidence_entry
from hauberk.ledger.figures import figures
from hauberk.ledger.hashing import leaf_hash
from hauberk.ledger.packages import read_subject
from hauberk.ledger.policy import Policy
from hauberk.ledger.reading import Reader
from hauberk.ledger.salting import opens
from hauberk.ledger.statements import Statement

Proven = Literal["holds", "fails", "not logged"]
_SALTED = "entries of this kind are salted, and nothing here opens the one of this document"


@dataclass(frozen=True)
class Step:
    """One thing that happened.

    Args:
        kind: of the evidence or statement; ``name`` is what it was done to.
        created: RFC 3339, as the document says; None where it tells none.
        document: digest of the document, or None where that is salted and nothing opens it.
        figures: what matters of it.
        entry: its number in the log, or None.
        proof: whether the entry is proven to be in the log under its head.
        shown: whether the document is here.
        why: what is wrong with the proof, or why an entry may not have been found.
    """

    kind: str
    name: str | None
    created: str | None
    document: str | None
    figures: Mapping[str, Any] = field(default_factory=dict)
    entry: int | None = None
    proof: Proven = "not logged"
    shown: bool = True
    why: str | None = None

    def to_json(self) -> dict[str, Any]:
        """All of it, as JSON."""
        return {**vars(self), "figures": dict(self.figures)}


@dataclass(frozen=True)
class History:
    """A model's life, oldest step first.

    Args:
        head: of the log, verified.
    """

    name: str
    model: str
    head: Checkpoint
    steps: tuple[Step, ...]

    @property
    def holds(self) -> bool:
        """Whether no proof fails. A step that is not logged has none."""
        return all(one.proof != "fails" for one in self.steps)


def history(package: str | Path, log: Reader, policy: Policy, *, evidence: str | Path | None = None) -> History:
    """Everything that is known of a package, with proofs.

    Args:
        log: any reader of the ledger; nothing it says is believed without a proof.
        policy: whose heads are believed.
        evidence: the folder of later evidence [default: ``evidence`` beside the package].

    Raises:
        IntegrityError: the head is not believed, or the package or a piece of evidence was changed.

    Cost: a few proofs for each step; over published tiles also one pass over all entries.
    """
    subject = read_subject(package, evidence)
    head = policy.check(log.head())
    look = _Looking(log, head)
    steps = [look.up(one) for one in subject.evidence]
    steps += look.rest(subject.names(), {one.entry for one in steps})
    # what has no time of its own stands behind the entry before it
    times = {one.entry: one.created for one in steps if one.entry is not None and one.created}
    ordered = sorted(steps, key=lambda one: (one.created or _before(times, one.entry), one.entry or 0))
    return History(subject.name, subject.model, head, tuple(ordered))


def _before(times: Mapping[int, str], entry: int | None) -> str:
    earlier = [number for number in times if entry is not None and number < entry]
    return times[max(earlier)] if earlier else ""


class _Looking:
    """Steps of one history, looked up in one log under one head."""

    def __init__(self, log: Reader, head: Checkpoint) -> None:
        self._log, self._head = log, head
        self._about: dict[str, list[int]] = {}

    def up(self, one: Evidence) -> Step:
        """A piece of evidence, and its entry if there is one."""
        name = one.subject.get("name")
        step = Step(
            one.kind,
            name if isinstance(name, str) else None,
            one.created,
            one.digest,
            figures(one.kind, one.to_json()),
        )
        public = evidence_entry(one)
        entry = None if public.openings else self._log.find(leaf_hash(public.data))
        if entry is None and public.subject is not None:
            entry = self._salted(one, public.subject)
        if entry is not None and entry < self._head.size:
            return self._proven(step, entry)
        return replace(step, why=_SALTED if public.openings else None)

    def rest(self, names: list[str], told: set[int | None]) -> Iterator[Step]:
        """What the log tells of the model besides."""
        numbers = sorted({number for name in names for number in self._numbers(name)} - told)
        for number in numbers:
            step = self._proven(Step("entry", None, None, None, shown=False), number)
            said = self._said(number) if step.proof == "holds" else None
            if said is None or said.subject not in names:
                if step.proof == "fails":
                    yield step
                continue
            document = said.document or self._opened(number, said, "document")
            name = said.name or self._opened(number, said, "name")
            figures = {key: one for key, one in said.facts.items() if isinstance(one, str | int | float)}
            yield replace(
                step, kind=said.kind, name=name, created=said.created, document=document, figures=figures
            )

    def _salted(self, one: Evidence, subject: str) -> int | None:
        """The entry of evidence that was logged with a salted digest, as long as its opening is there."""
        for number in self._numbers(subject):
            said = self._said(number)
            if said is not None and self._opened(number, said, "document") == one.digest:
                return number
        return None

    def _said(self, number: int) -> Statement | None:
        """What an entry says, if it can be read as a statement."""
        try:
            return Statement.parse(self._log.entry(number))
        except (DataError, IntegrityError):
            return None

    def _opened(self, number: int, said: Statement, name: str) -> str | None:
        """A salted fact, if its opening is there and is the right one."""
        opening, digest = self._log.openings(number).get(name), said.salted.get(name)
        if opening is None or digest is None or not opens(opening, digest) or not isinstance(opening.fact, str):
            return None
        return opening.fact

    def _numbers(self, name: str) -> list[int]:
        if name not in self._about:
            self._about[name] = [one for one in self._log.about(name) if one < self._head.size]
        return self._about[name]

    def _proven(self, step: Step, entry: int) -> Step:
        try:
            data = self._log.entry(entry)
            path = merkle.inclusion(entry, self._head.size, self._log.hashes)
            verify_inclusion(leaf_hash(data), entry, self._head.size, path, self._head.root)
        except IntegrityError as error:
            return replace(step, entry=entry, proof="fails", why=str(error))
        return replace(step, entry=entry, proof="holds")
