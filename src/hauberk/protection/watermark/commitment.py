"""A commitment: that a key, a mark and a model belonged together at a time, said without telling the key.

A mark proves something only if it was there before the quarrel: whoever may choose keys after he has seen a
model can try a million of them until one fits by chance. So the commitment is made when the mark is, and put
where its time can be shown: signed and sent to somebody, later in the ledger.

The commitment is SHA-256 over a label, the key and the record. The key has 256 bits nobody can guess, so the
record tells nothing of it; and nobody can find a second key for the same record.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hauberk.core.canonical import canonical_bytes, parse_json
from hauberk.core.clock import Clock, now, timestamp
from hauberk.core.errors import DataError, IntegrityError, check_known
from hauberk.core.files import read_bytes, write_atomic
from hauberk.protection.watermark.keys import MarkKey
from hauberk.protection.watermark.marks import Mark, make_mark, settings_of

FORMAT = "hauberk-watermark-commitment/1"
_KEYS = ("format", "kind", "settings", "model", "created", "places", "commitment")


@dataclass(frozen=True)
class Place:
    """Where a model's boundary crosses a keyed line; worth nothing without the key.

    Args:
        line: the line's number.
        before, after: the classes on the two sides.
        at: share of the line at which it crosses, in (0, 1), in millionths.
    """

    line: int
    before: int
    after: int
    at: int


@dataclass(frozen=True)
class Commitment:
    """The record, as it may be published.

    Args:
        mark: kind and settings.
        model: digest of the marked model.
        created: RFC 3339.
        digest: ``sha256:…``, which binds the key to all of this.
        places: of a fingerprint; else empty.
    """

    mark: Mark
    model: str
    created: str
    digest: str
    places: tuple[Place, ...] = field(default=(), repr=False)

    def to_json(self) -> dict[str, Any]:
        """The document as it stands in a file."""
        return {**_body(self.mark, self.model, self.created, self.places), "commitment": self.digest}

    def save(self, path: str | Path) -> Path:
        """Write it as JSON."""
        return write_atomic(path, (json.dumps(self.to_json(), indent=1) + "\n").encode())


def commit(
    key: MarkKey, mark: Mark, model: str, *, places: Sequence[Place] = (), clock: Clock = now
) -> Commitment:
    """Bind a key to a mark and a model's digest, now."""
    created = timestamp(clock)
    digest = _digest(key, _body(mark, model, created, places))
    return Commitment(mark, model, created, digest, tuple(places))


def read(path: str | Path, key: MarkKey) -> Commitment:
    """A commitment that ``key`` belongs to.

    Raises:
        DataError: no commitment, or a malformed one.
        IntegrityError: it was made with another key, or changed since.
    """
    document = parse_json(read_bytes(path, what="commitment"), where=str(path))
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise DataError(f"{path} is not a {FORMAT} document")
    body = {name: value for name, value in document.items() if name != "commitment"}
    if not hmac.compare_digest(str(document.get("commitment")).encode(), _digest(key, body).encode()):
        raise IntegrityError(
            f"{path}: this key was not committed to here: it is another key's commitment, or changed"
        )
    check_known(document, _KEYS, what="key", where=str(path))
    try:
        places = tuple(Place(*map(int, one)) for one in document["places"])
        mark = make_mark(document["kind"], document["settings"])
        return Commitment(mark, document["model"], document["created"], document["commitment"], places)
    except (KeyError, TypeError) as error:
        raise DataError(f"{path} is malformed: {error!r}") from error


def _body(mark: Mark, model: str, created: str, places: Sequence[Place]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "kind": mark.kind,
        "settings": settings_of(mark),
        "model": model,
        "created": created,
        "places": [[one.line, one.before, one.after, one.at] for one in places],
    }


def _digest(key: MarkKey, body: Mapping[str, Any]) -> str:
    state = hashlib.sha256(FORMAT.encode() + b"\0" + key.secret)
    state.update(canonical_bytes(dict(body)))
    return f"sha256:{state.hexdigest()}"
