"""The register: to whom copies of a model were issued.

It holds names, nothing that could be embedded: code words come from the key. It is sealed with an HMAC under
the key, so that a name that was added, changed or taken away shows, and its commitment tells another key at
once. Whoever issues holds a lock beside the file, so that two issuers at once cannot lose each other's entries.
"""

from __future__ import annotations

import fcntl
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hauberk.core.canonical import canonical_bytes, parse_json
from hauberk.core.clock import Clock, now, timestamp
from hauberk.core.errors import ConfigError, DataError, HauberkError, IntegrityError, check_known
from hauberk.core.evidence import Evidence
from hauberk.core.files import machine_errors, read_bytes, write_atomic
from hauberk.crypto.secret import Secret
from hauberk.protection.trace.code import CodePlan, checked_name
from hauberk.protection.trace.key import commitment, tag

FORMAT = "hauberk-trace-register/1"
_KEYS = ("format", "key", "model", "code", "strength", "issued", "mac")


@dataclass(frozen=True)
class Issued:
    """Args:
    name: the recipient.
    copy: digest of the copy's model.
    evidence: digest of the evidence that says it was issued.
    created: RFC 3339 time.
    """

    name: str
    copy: str
    evidence: str
    created: str


@dataclass(frozen=True)
class Register:
    """To whom copies of one model were issued under one key.

    Args:
        key: the key's commitment.
        model: the original's digest.
        plan: the code's.
        strength: the mark's size, in root mean squares of each tensor.
        issued: oldest first.
    """

    key: str
    model: str
    plan: CodePlan
    strength: float
    issued: tuple[Issued, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.issued)

    def with_recipient(self, name: str, issue: Evidence, clock: Clock = now) -> Register:
        """The register with one more entry: who got the copy whose making ``issue`` records.

        Raises:
            ConfigError: the name stands in it already, or the code's recipients are all given out.
        """
        self.check_free(name)
        entry = Issued(checked_name(name), str(issue.subject["digest"]), issue.digest, timestamp(clock))
        return replace(self, issued=(*self.issued, entry))

    def check_free(self, name: str) -> None:
        """Refuse a name that was used, and one recipient more than the code is made for."""
        if checked_name(name) in self.names:
            raise ConfigError(
                f"'{checked_name(name)}' has a copy already",
                hint="for a further copy choose another name, such as 'NAME, second copy'",
            )
        if len(self.issued) >= self.plan.recipients:
            raise ConfigError(f"the register is full: its code is made for {self.plan.recipients} recipients")

    def check_model(self, digest: str) -> None:
        """Refuse a model that the register is not about."""
        if digest != self.model:
            raise ConfigError(
                f"the register is about another model ({self.model[:19]}…) than the one given ({digest[:19]}…)",
                hint="keep one register for each original",
            )

    def _body(self) -> dict[str, Any]:
        code = self.plan.describe()
        return {
            "format": FORMAT,
            "key": self.key,
            "model": self.model,
            "code": code,
            "strength": self.strength,
            "issued": [asdict(one) for one in self.issued],
        }

    def save(self, path: str | Path, key: Secret) -> Path:
        """Replace the file; it holds the old register or the new one, never a part."""
        body = self._body()
        document = {**body, "mac": tag(key, "register", canonical_bytes(body))}
        return write_atomic(path, json.dumps(document, indent=1, ensure_ascii=False).encode(), mode=0o600)

    @classmethod
    def load(cls, path: str | Path, key: Secret) -> Register:
        """Read what ``save`` wrote.

        Raises:
            DataError: no file, or not a register.
            IntegrityError: it belongs to another key, or was changed since it was written.
        """
        where = f"register {path}"
        document = _parsed(read_bytes(path, what="register"), where)
        if document.get("key") != commitment(key):
            raise IntegrityError(f"{where} was made with another key", hint="give the key it was made with")
        body = {name: value for name, value in document.items() if name != "mac"}
        mac = document.get("mac")
        if not hmac.compare_digest(str(mac).encode(), tag(key, "register", canonical_bytes(body)).encode()):
            raise IntegrityError(f"{where} is damaged or was changed by somebody without the key")
        check_known(document, _KEYS, what="key", where=where)
        try:
            code = dict(body["code"])
            length = code.pop("length")
            plan = CodePlan(**code)
            found = cls(
                body["key"], body["model"], plan, float(body["strength"]),
                tuple(Issued(**one) for one in body["issued"]),
            )  # fmt: skip
        except HauberkError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{where} is malformed: {error!r}") from error
        if plan.length != length:
            raise DataError(f"{where}: {length} positions are not what this version makes of its plan")
        return found


def _parsed(data: bytes, where: str) -> dict[str, Any]:
    try:
        document = parse_json(data, where=where)
    except DataError as error:
        raise IntegrityError(f"{error}: it is damaged") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise DataError(f"{where} is not a {FORMAT} document")
    return document


@contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Hold the register's lock, waiting for whoever has it."""
    lock = Path(f"{path}.lock")
    with machine_errors("lock", lock):
        lock.parent.mkdir(parents=True, exist_ok=True)
        handle = open(lock, "a")  # noqa: SIM115 (closed below, after the block)
    try:
        with machine_errors("lock", lock):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        handle.close()
