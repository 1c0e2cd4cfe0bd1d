"""The tables of a vault, the same in SQLite and PostgreSQL; the migrations make them, step by step.

vault_state       one row: who changes the registry in PostgreSQL locks it, and what tells a wrong key
vault_models      the names, each with the number of its newest version
vault_versions    immutable; only a revocation is written into them
vault_files       what a version is made of, by the SHA-256 of the plain bytes
vault_aliases     names of versions that move, such as ``production``
vault_requests    who asked for an alias to be moved, as long as others have yet to agree
vault_events      what happened to a version, and what of it has yet to reach the ledger

Times are POSIX milliseconds. Access keeps its own tables in the same metadata (``hauberk.access.schema``), and
the budgets of private queries in their own (``hauberk.privacy.queries.schema``).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)

VERSION = "0004"
"""The migration that leads to these tables."""

VERSION_TABLE = "vault_schema"

metadata = MetaData()

state = Table(
    "vault_state",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("key_check", LargeBinary, nullable=False),
)

models = Table(
    "vault_models",
    metadata,
    Column("name", Text, primary_key=True),
    Column("newest", Integer, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)

versions = Table(
    "vault_versions",
    metadata,
    Column("model", ForeignKey(models.c.name), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),  # package, sealed
    Column("digest", Text, nullable=False, index=True),  # of the package, or of the sealed file
    Column("subject", Text, nullable=False),  # the model's digest; the sealed file's where that is not known
    Column("size_bytes", BigInteger, nullable=False),
    Column("signer", Text),  # whose signature the policy asked for
    Column("created_ms", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("revoked_ms", BigInteger),
    Column("revoked_by", Text),
    Column("revoked_reason", Text),
)

files = Table(
    "vault_files",
    metadata,
    Column("model", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("path", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    ForeignKeyConstraint(["model", "number"], ["vault_versions.model", "vault_versions.number"]),
)

aliases = Table(
    "vault_aliases",
    metadata,
    Column("model", Text, primary_key=True),
    Column("alias", Text, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("set_ms", BigInteger, nullable=False),
    Column("set_by", Text, nullable=False),
    ForeignKeyConstraint(["model", "number"], ["vault_versions.model", "vault_versions.number"]),
)

requests = Table(
    "vault_requests",
    metadata,
    Column("model", Text, primary_key=True),
    Column("alias", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("by", Text, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    ForeignKeyConstraint(["model", "number"], ["vault_versions.model", "vault_versions.number"]),
)

events = Table(
    "vault_events",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("model", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("what", Text, nullable=False),  # publication, deployment, revocation
    Column("detail", Text, nullable=False),  # the alias, or the reason
    Column("by", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("entry", BigInteger),  # its number in the ledger; null until it is there
    Column("waiting", LargeBinary),  # what the ledger is to be told; null once it was
    ForeignKeyConstraint(["model", "number"], ["vault_versions.model", "vault_versions.number"]),
    Index("ix_vault_events_version", "model", "number"),
)
