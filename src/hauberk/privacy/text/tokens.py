"""The table of tokens: what each reversible pseudonym stands for, for those alone who have a key.

A SQLite file. Every value is one FLOE message (AES-256-GCM, committing to its key), bound to its token and to
the table; its length is rounded up. Each run that adds to the table has a file key of its own, wrapped in an
age header for its readers: who adds needs their public keys only, and cannot read what is there.

    table(id, format)    runs(run, header)    tokens(name, run, checked, sealed)

Limits: whoever holds the file sees how many values of which type there are, and can delete some. The
``checked`` column holds a digest under the pseudonym key; who has that key can test values he can think of.
"""

from __future__ import annotations

import hmac
import os
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from hauberk.core.errors import ConfigError, DataError, EnvironmentFailure, IntegrityError
from hauberk.crypto import age
from hauberk.crypto.age import header as age_header
from hauberk.crypto.age.wrapping import check_recipients
from hauberk.crypto.derive import hkdf_sha256
from hauberk.crypto.floe import Floe
from hauberk.crypto.secret import Random, Secret
from hauberk.privacy.text.policy import Token

FORMAT = "hauberk-tokens/1"

_FLOE = Floe(segment_bytes=1 << 16)
_ROUND = 32  # lengths of texts are hidden up to so many bytes
_PATIENCE_S = 5.0  # with another run that writes
_SCHEMA = """
create table "table" (id blob not null, format text not null);
create table runs (run integer primary key, header blob not null);
create table tokens (
    name text primary key, run integer not null, checked blob not null, sealed blob not null
) without rowid;
"""


class TokenTable:
    """A table that is being added to. ``close`` without ``commit`` leaves it as it was.

    Args:
        path: of the file; made where there is none.
        recipients: who will be able to read what is added now.
        mixed: allow hybrid and X25519 recipients together.

    Raises:
        ConfigError: nobody could read it, or recipients who do not belong together.
        DataError: the file is no table of tokens.
        EnvironmentFailure: it cannot be written, or somebody else is writing it.
    """

    def __init__(
        self,
        path: str | Path,
        recipients: Sequence[age.Recipient],
        *,
        mixed: bool = False,
        random: Random = os.urandom,
    ) -> None:
        check_recipients(recipients, mixed=mixed)
        self.path, self._random, self.added = Path(path), random, 0
        self._base = _connected(self.path, new=not self.path.exists())
        try:
            self._base.execute("begin immediate")
            self._id = self._opened()
            with age.new_file_key(random) as file_key:
                header = age_header.write(age.wrap(file_key, recipients, random=random), file_key)
                self._key = _message_key(file_key, self._id)
            self._run = int(
                self._base.execute("insert into runs (header) values (?)", (header,)).lastrowid or 0
            )
        except sqlite3.Error as error:
            self._base.close()
            raise _refused(self.path, error) from error
        except BaseException:
            self._base.close()
            raise

    def _opened(self) -> bytes:
        if not self._base.execute("select 1 from sqlite_master").fetchone():
            for statement in _SCHEMA.split(";"):
                self._base.execute(statement)
            self._base.execute('insert into "table" values (?, ?)', (self._random(16), FORMAT))
        return _identified(self._base, self.path)

    def add(self, tokens: Iterable[Token]) -> None:
        """What these tokens stand for, where the table does not know it yet.

        Raises:
            IntegrityError: a token stands for something else already; nothing is added by this run.
        """
        try:
            for one in tokens:
                known = self._base.execute("select checked from tokens where name = ?", (one.name,)).fetchone()
                if known is None:
                    sealed = _FLOE.seal(
                        self._key,
                        _bound(self._id, self._run, one.name),
                        _padded(one.text),
                        random=self._random,
                    )
                    self._base.execute(
                        "insert into tokens values (?, ?, ?, ?)",
                        (one.name, self._run, one.check, bytes(sealed)),
                    )
                    self.added += 1
                elif not hmac.compare_digest(known[0], one.check):
                    raise IntegrityError(
                        f"{self.path}: the token [{one.name}] stands for another value already",
                        hint="was the table made with another pseudonym key? take a new --tokens file",
                    )
        except sqlite3.Error as error:
            raise _refused(self.path, error) from error

    def commit(self) -> None:
        """Keep what was added, on disk, before anything that depends on it is seen."""
        try:
            if not self.added:
                self._base.execute("delete from runs where run = ?", (self._run,))
            self._base.execute("commit")
        except sqlite3.Error as error:
            raise _refused(self.path, error) from error

    def close(self) -> None:
        self._key.wipe()
        self._base.close()

    def __enter__(self) -> TokenTable:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class OpenTokens:
    """A table that is being read.

    Args:
        identities: keys of readers; those runs are read whose headers one of them opens.

    Raises:
        DataError: no table of tokens.
        NoIdentityMatched: none of the keys opens any run.
    """

    def __init__(self, path: str | Path, identities: Sequence[age.Identity]) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise DataError(f"no table of tokens at {self.path}")
        self._base = _connected(self.path, new=False)
        self._keys: dict[int, Secret] = {}
        try:
            self._id = _identified(self._base, self.path)
            refusal: IntegrityError | None = None
            for run, header in self._base.execute("select run, header from runs").fetchall():
                parsed = age_header.parse(header)
                try:
                    with age.unwrap(parsed, identities) as file_key:
                        self._keys[run] = _message_key(file_key, self._id)
                except IntegrityError as error:
                    refusal = error
            if refusal is not None and not self._keys:
                raise refusal
        except sqlite3.Error as error:
            self._base.close()
            raise _refused(self.path, error) from error
        except BaseException:
            self._base.close()
            raise

    def text(self, name: str) -> str | None:
        """What a token stands for; None where the table does not say, or not to these keys.

        Raises:
            IntegrityError: the table was changed.
        """
        try:
            row = self._base.execute("select run, sealed from tokens where name = ?", (name,)).fetchone()
        except sqlite3.Error as error:
            raise _refused(self.path, error) from error
        if row is None or row[0] not in self._keys:
            return None
        run, sealed = row
        return _unpadded(bytes(_FLOE.open(self._keys[run], _bound(self._id, run, name), sealed)))

    def close(self) -> None:
        for key in self._keys.values():
            key.wipe()
        self._base.close()

    def __enter__(self) -> OpenTokens:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def _connected(path: Path, *, new: bool) -> sqlite3.Connection:
    if new:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        except OSError as error:
            raise EnvironmentFailure(f"could not write {path}: {error.strerror}") from error
    try:
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=_PATIENCE_S
        )
    except sqlite3.Error as error:
        raise _refused(path, error) from error


def _identified(base: sqlite3.Connection, path: Path) -> bytes:
    found = base.execute('select id, format from "table"').fetchall()
    if len(found) != 1 or found[0][1] != FORMAT:
        raise DataError(f"{path} is not a table of tokens")
    return bytes(found[0][0])


def _refused(path: Path, error: sqlite3.Error) -> DataError | EnvironmentFailure | ConfigError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return EnvironmentFailure(f"{path} is being written by another run", hint="wait until it is done")
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR):
        return EnvironmentFailure(f"could not use {path}: {error}")
    return DataError(f"{path} is not a table of tokens: {error}")


def _message_key(file_key: Secret, table: bytes) -> Secret:
    return hkdf_sha256(file_key, salt=table, info=FORMAT.encode())


def _bound(table: bytes, run: int, name: str) -> bytes:
    return table + run.to_bytes(8, "big") + name.encode()


def _padded(text: str) -> bytes:
    data = text.encode() + b"\x80"
    return data + bytes(-len(data) % _ROUND)


def _unpadded(data: bytes) -> str:
    return data.rstrip(b"\0")[:-1].decode()
