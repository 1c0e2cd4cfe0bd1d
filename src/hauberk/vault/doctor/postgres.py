"""A PostgreSQL server: the way to it, and how it keeps what it was told."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, make_url

from hauberk.core.database import Database
from hauberk.vault.doctor import clocks
from hauberk.vault.doctor.finding import Finding

_WHY_TLS = "names, decisions and hashes of keys go over this line"
_WHY_DISK = "what was acknowledged must be on the disk when the power fails"
_VERIFYING = "verify-full"


def look(url: str, database: Database) -> Iterator[Finding]:
    """A server, through the connections that the vault works with."""
    place = database.where
    with database.read() as connection:
        yield _line(url, connection, place)
        before = time.time()
        theirs = float(_one(connection, "SELECT extract(epoch FROM clock_timestamp())"))
        yield clocks.compare(theirs, before, time.time(), place)
        yield from _durability(connection, place)
        yield _role(connection, place)
    yield Finding(
        "warn", "disk-encryption", place, "it cannot be seen from here",
        "its files hold names, rights and the trail",
        "put the server's data folder on LUKS, or use a server with transparent encryption",
    )  # fmt: skip


def _line(url: str, connection: Connection, place: str) -> Finding:
    row = connection.exec_driver_sql(
        "SELECT ssl, version, cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    ).one()
    parts = make_url(url)
    if not row.ssl:
        if _is_here(parts.host):
            return Finding("ok", "tls", place, "no TLS; the line does not leave this machine", _WHY_TLS)
        todo = "ssl = on at the server, and ?sslmode=verify-full in the vault's URL"
        return Finding("fail", "tls", place, "no TLS", _WHY_TLS, todo)
    found = f"{row.version}, {row.cipher}"
    if parts.query.get("sslmode") != _VERIFYING:
        return Finding(
            "warn", "tls", place, f"{found}; the server's certificate is not verified", _WHY_TLS,
            "?sslmode=verify-full&sslrootcert=FILE in the vault's URL",
        )  # fmt: skip
    return Finding("ok", "tls", place, f"{found}, certificate verified", _WHY_TLS)


def _is_here(host: str | None) -> bool:
    """A socket in a folder, or loopback."""
    if not host or host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _durability(connection: Connection, place: str) -> Iterator[Finding]:
    for name, why in (
        ("fsync", _WHY_DISK),
        ("full_page_writes", "a page that was half written when the power failed cannot be mended otherwise"),
    ):
        value = _one(connection, f"SHOW {name}")
        if value == "on":
            yield Finding("ok", name, place, "on", why)
        else:
            todo = f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf()"
            yield Finding("fail", name, place, value, why, todo)
    commit = _one(connection, "SHOW synchronous_commit")
    said = commit if commit != "off" else "off; the vault turns it on for its own transactions"
    yield Finding("ok", "synchronous_commit", place, said, _WHY_DISK)
    checksums = _one(connection, "SHOW data_checksums")
    why = "without them a flipped bit on the disk is read as data"
    if checksums == "on":
        yield Finding("ok", "data_checksums", place, "on", why)
    else:
        todo = "pg_checksums --enable, with the server stopped"
        yield Finding("warn", "data_checksums", place, checksums, why, todo)


def _role(connection: Connection, place: str) -> Finding:
    why = "whoever steals its password, or finds a hole, may do what this role may"
    if _one(connection, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        todo = "CREATE ROLE … LOGIN, and let it own the vault's database"
        return Finding("warn", "database-role", place, "a superuser", why, todo)
    return Finding("ok", "database-role", place, "no superuser", why)


def _one(connection: Connection, query: str) -> Any:
    return connection.exec_driver_sql(query).scalar_one()
