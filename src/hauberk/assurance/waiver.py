"""Waivers: somebody who may takes a risk on himself, for one rule and one thing, for a time, and signs it.

A waiver is a signed note (c2sp.org/signed-note). Its text is a line that says what it is and one line of
canonical JSON. It names the subject by digest, so it dies with the next version of the model; it has an end;
and it never makes a finding disappear: the finding is shown as waived, with name, reason and end.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from hauberk.core.canonical import canonical_bytes, parse_json
from hauberk.core.clock import Clock, now, timestamp
from hauberk.core.errors import ConfigError, DataError, HauberkError, IntegrityError
from hauberk.core.files import read_bytes, write_atomic
from hauberk.crypto.notes import Ed25519Signer, Note, Verifier, parse_verifier, verify

HEAD = "hauberk-waiver/1"
_KEYS = {"rule", "subject", "reason", "issued", "until"}
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST = 2000  # characters of a reason

Standing = Literal["counts", "unused", "expired", "not yet", "too long", "not believed"]


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """What was waived. That it is here says nothing: ``standing`` says whether it counts.

    Args:
        rule: the rule's id.
        subject: digest of what it is about.
        reason: why the risk is taken.
        issued: RFC 3339; ``until`` is the moment from which it counts no longer.

    Raises:
        ConfigError: no digest, no reason, no such time, or an end before the beginning.
    """

    rule: str
    subject: str
    reason: str
    issued: str
    until: str

    def __post_init__(self) -> None:
        if not _SHA256.fullmatch(self.subject):
            raise ConfigError(f"a waiver names its subject by digest, sha256:…, got {self.subject[:80]!r}")
        if not 10 <= len(self.reason.strip()) <= _LONGEST:
            raise ConfigError(f"a waiver's reason has 10 to {_LONGEST} letters, got {len(self.reason)}")
        if _time(self.issued) >= _time(self.until):
            raise ConfigError(f"a waiver ends after it was issued; got {self.issued} to {self.until}")

    @property
    def days(self) -> float:
        return (_time(self.until) - _time(self.issued)) / timedelta(days=1)

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{HEAD}\n{canonical_bytes(dict(vars(self))).decode()}\n"

    @classmethod
    def parse(cls, text: str, *, where: str) -> Waiver:
        """Raises ``IntegrityError``: not the text of a waiver, in its one form."""
        head, _, body = text.partition("\n")
        try:
            document = parse_json(body.encode(), where=where) if head == HEAD else None
            if not isinstance(document, dict) or document.keys() != _KEYS:
                raise DataError(f"it does not say '{HEAD}' and {', '.join(sorted(_KEYS))}")
            if not all(isinstance(one, str) for one in document.values()):
                raise DataError("its values are not texts")
            waiver = cls(**document)
        except (ConfigError, DataError) as error:
            raise IntegrityError(f"{where} is no waiver: {error}") from None
        if waiver.text != text:
            raise IntegrityError(f"{where} is no waiver: it is not written in its one form")
        return waiver


@dataclass(frozen=True, kw_only=True)
class Given:
    """A waiver that was handed in, and whether it counts.

    Args:
        path: its file; ``digest`` of its bytes.
        waiver: None where it cannot be read or is not believed.
        by: the name of the key that signed.
        why: what is wrong with it; "" where it counts.
    """

    path: str
    digest: str
    standing: Standing
    waiver: Waiver | None = None
    by: str = ""
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        told = {} if self.waiver is None else dict(vars(self.waiver))
        return {
            "file": Path(self.path).name,
            "digest": self.digest,
            "standing": self.standing,
            "by": self.by,
            "why": self.why,
            **{name: told.get(name) for name in sorted(_KEYS)},
        }


def write_waiver(path: str | Path, waiver: Waiver, signer: Ed25519Signer) -> Path:
    """Sign a waiver and write it; raises ``EnvironmentFailure`` where the folder cannot be written."""
    return write_atomic(path, bytes(Note(waiver.text, (signer.sign(waiver.text),))))


def make_waiver(rule: str, subject: str, reason: str, *, days: int, clock: Clock = now) -> Waiver:
    """A waiver from now on; raises as ``Waiver``."""
    begin = clock()
    end = timestamp(lambda: begin + timedelta(days=days))
    return Waiver(rule=rule, subject=subject, reason=reason, issued=timestamp(lambda: begin), until=end)


def read_waivers(
    paths: Iterable[str | Path], trusted: Iterable[str], *, at_most_days: int, clock: Clock = now
) -> list[Given]:
    """Each file with its standing; ``counts`` still depends on whether a finding asks for it.

    Args:
        trusted: verifiers of those whose waivers count.

    Raises:
        DataError: no such file.
    """
    verifiers = [parse_verifier(one) for one in trusted]
    present = clock()
    return [_given(Path(path), verifiers, at_most_days, present) for path in paths]


def _given(path: Path, verifiers: list[Verifier], at_most_days: int, present: datetime) -> Given:
    data = read_bytes(path, what="waiver")
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    try:
        note = Note.parse(data)
        by = verify(note, verifiers)[0].verifier.name
        waiver = Waiver.parse(note.text, where=path.name)
    except HauberkError as error:
        return Given(path=str(path), digest=digest, standing="not believed", why=str(error))
    begin, end = _time(waiver.issued), _time(waiver.until)
    standing, why = "counts", ""
    if present >= end:
        standing, why = "expired", f"it ended on {waiver.until}"
    elif present < begin - timedelta(minutes=5):
        standing, why = "not yet", f"it begins on {waiver.issued}"
    elif end - begin > timedelta(days=at_most_days):
        standing, why = "too long", f"it was given for {waiver.days:.0f} days, the policy allows {at_most_days}"
    return Given(path=str(path), digest=digest, standing=standing, waiver=waiver, by=by, why=why)  # type: ignore[arg-type]


def _time(text: str) -> datetime:
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except ValueError:
        raise ConfigError(
            f"a time of a waiver is written like 2026-01-31T09:30:00Z, got {text[:40]!r}"
        ) from None
