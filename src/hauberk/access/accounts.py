"""The console's accounts: a password, and a second factor where one was set up.

Whatever is wrong, name, password or code, is refused after the same work and in the same words. A code is good
once. Recovery codes are good once each, for whoever lost what shows him codes.
"""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Connection, delete, insert, select, update

from hauberk.access import passwords, schema, totp
from hauberk.access.changes import changing, identity_row
from hauberk.access.sessions import end_of
from hauberk.access.words import is_name
from hauberk.core.clock import Clock, now
from hauberk.core.database import Database
from hauberk.core.errors import ConfigError
from hauberk.crypto.secret import Random

RECOVERY_CODES = 10
_RECOVERY_BYTES = 10  # 80 random bits, which need no slow hash
_NOBODY = ""


class Keeper(Protocol):
    """Encrypts what stands in secret columns; ``place`` says which row and column, and is authenticated."""

    def seal(self, place: str, data: bytes) -> bytes: ...

    def open(self, place: str, sealed: bytes) -> bytes | bytearray: ...


@dataclass(frozen=True)
class Enrolment:
    """A new second factor; shown once.

    Args:
        address: for an authenticator app.
        recovery: codes on paper.
    """

    address: str = field(repr=False)
    recovery: tuple[str, ...] = field(repr=False)


class Accounts:
    """Passwords and second factors.

    Args:
        keeper: the vault's keys.
        clock: for codes.
    """

    def __init__(
        self, database: Database, keeper: Keeper, *, clock: Clock = now, random: Random = os.urandom
    ) -> None:
        self._database, self._keeper, self._clock, self._random = database, keeper, clock, random
        text = passwords.hashed(base64.b32encode(random(32)).decode(), random=random)
        self._nobody = (keeper.seal(_password_place(_NOBODY), text.encode()),
                        keeper.seal(_factor_place(_NOBODY), random(totp.SECRET_BYTES)))  # fmt: skip

    def set_password(self, name: str, password: str) -> None:
        """A first or a new password, which ends the person's sessions.

        Raises:
            ConfigError: no such person, or too short or long a password.
        """
        sealed = self._keeper.seal(
            _password_place(name), passwords.hashed(password, random=self._random).encode()
        )
        with changing(self._database) as connection:
            if identity_row(connection, name).kind != "person":
                raise ConfigError(
                    f"'{name}' is a service, and passwords are for people", hint="give it an API key"
                )
            connection.execute(delete(schema.passwords).where(schema.passwords.c.identity == name))
            connection.execute(insert(schema.passwords).values(identity=name, sealed=sealed))
            end_of(connection, name)

    def enrol(self, name: str) -> Enrolment:
        """A second factor, in place of an earlier one; ends the person's sessions.

        Raises:
            ConfigError: no such person.
        """
        secret = self._random(totp.SECRET_BYTES)
        codes = tuple(_grouped(self._random(_RECOVERY_BYTES)) for _ in range(RECOVERY_CODES))
        sealed = self._keeper.seal(_factor_place(name), secret)
        with changing(self._database) as connection:
            if identity_row(connection, name).kind != "person":
                raise ConfigError(f"'{name}' is a service, which has no second factor")
            _forget(connection, name)
            connection.execute(insert(schema.factors).values(identity=name, sealed=sealed, last_step=-1))
            rows = [{"identity": name, "digest": _recovery_digest(name, one)} for one in codes]
            connection.execute(insert(schema.recovery), rows)
            end_of(connection, name)
        return Enrolment(totp.address(secret, name), codes)

    def drop_factor(self, name: str) -> None:
        """No second factor any more; ends the person's sessions."""
        with changing(self._database) as connection:
            identity_row(connection, name)
            _forget(connection, name)
            end_of(connection, name)

    def check(self, name: str, password: str, code: str | None, *, both: bool = False) -> bool:
        """Whether all of it is right; a right code is used up.

        Args:
            both: whoever has no second factor is refused as if something were wrong.

        Cost: the same whatever is wrong, also the name: one password hash.
        """
        with self._database.read() as connection:
            row = _read(connection, name if is_name(name) else _NOBODY)
        known = row is not None and not row.disabled and row.password is not None
        has_factor = row is not None and row.factor is not None
        whose = (name if known else _NOBODY, name if has_factor else _NOBODY)
        stored = self._keeper.open(
            _password_place(whose[0]), row.password if row and known else self._nobody[0]
        )
        secret = self._keeper.open(
            _factor_place(whose[1]), row.factor if row and has_factor else self._nobody[1]
        )
        right = passwords.verify(password, bytes(stored).decode()) and known
        step = totp.matching_step(
            secret, code or "", self._clock().timestamp(), after=row.last_step if row and has_factor else -1
        )
        if not has_factor:
            return right and not both
        return right and code is not None and self._use(name, step, code)

    def _use(self, name: str, step: int | None, code: str) -> bool:
        """Use up a code or a recovery code, which only one of several at once can do."""
        factors, recovery = schema.factors, schema.recovery
        with self._database.write() as connection:
            if step is not None:
                fresh = (factors.c.identity == name) & (factors.c.last_step < step)
                return connection.execute(update(factors).where(fresh).values(last_step=step)).rowcount == 1
            own = (recovery.c.identity == name) & (recovery.c.digest == _recovery_digest(name, code))
            return connection.execute(delete(recovery).where(own)).rowcount == 1


def having(database: Database) -> tuple[frozenset[str], frozenset[str]]:
    """Who has a password, and who a second factor."""
    with database.read() as connection:
        found = [
            frozenset(connection.execute(select(table.c.identity)).scalars())
            for table in (schema.passwords, schema.factors)
        ]
    return found[0], found[1]


def _read(connection: Connection, name: str) -> Any:
    people, known, factors = schema.identities, schema.passwords, schema.factors
    query = select(
        people.c.disabled,
        known.c.sealed.label("password"),
        factors.c.sealed.label("factor"),
        factors.c.last_step,
    ).select_from(people.outerjoin(known).outerjoin(factors, factors.c.identity == people.c.name))
    return connection.execute(query.where(people.c.name == name)).first()


def _forget(connection: Connection, name: str) -> None:
    for table in (schema.factors, schema.recovery):
        connection.execute(delete(table).where(table.c.identity == name))


def _password_place(name: str) -> str:
    return f"access_passwords {name}"


def _factor_place(name: str) -> str:
    return f"access_factors {name}"


def _grouped(code: bytes) -> str:
    text = base64.b32encode(code).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def _recovery_digest(name: str, code: str) -> bytes:
    plain = "".join(code.split()).replace("-", "").lower()
    return hashlib.sha256(f"{name}\n{plain}".encode("utf-8", "surrogatepass")).digest()
