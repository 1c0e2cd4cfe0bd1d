"""The registry: models, versions, files, aliases, requests, events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_VERSION = ["vault_versions.model", "vault_versions.number"]
_COUNTED = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "vault_state",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("key_check", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "vault_models",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("newest", sa.Integer, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "vault_versions",
        sa.Column("model", sa.Text, sa.ForeignKey("vault_models.name"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("signer", sa.Text),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("revoked_ms", sa.BigInteger),
        sa.Column("revoked_by", sa.Text),
        sa.Column("revoked_reason", sa.Text),
    )
    op.create_index("ix_vault_versions_digest", "vault_versions", ["digest"])
    op.create_table(
        "vault_files",
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["model", "number"], _VERSION),
    )
    op.create_table(
        "vault_aliases",
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("alias", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("set_ms", sa.BigInteger, nullable=False),
        sa.Column("set_by", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["model", "number"], _VERSION),
    )
    op.create_table(
        "vault_requests",
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("alias", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("by", sa.Text, primary_key=True),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["model", "number"], _VERSION),
    )
    op.create_table(
        "vault_events",
        sa.Column("id", _COUNTED, primary_key=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("entry", sa.BigInteger),
        sa.Column("waiting", sa.LargeBinary),
        sa.ForeignKeyConstraint(["model", "number"], _VERSION),
    )
    op.create_index("ix_vault_events_version", "vault_events", ["model", "number"])
