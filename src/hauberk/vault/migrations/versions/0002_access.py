"""Access: identities, keys, roles, grants, and the audit trail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_COUNTED = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_BEGINNING = {"id": 1, "epoch": 0, "number": 0, "hash": b"", "first": 1, "before": b""}


def _identity(*, primary_key: bool = False) -> sa.Column[str]:
    owner = sa.ForeignKey("access_identities.name")
    return sa.Column("identity", sa.Text, owner, primary_key=primary_key, nullable=False)


def upgrade() -> None:
    state = op.create_table(
        "access_state",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("before", sa.LargeBinary, nullable=False),
    )
    op.bulk_insert(state, [_BEGINNING])
    _who_may()
    _entering()
    _trail()


def _who_may() -> None:
    op.create_table(
        "access_identities",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
    )
    op.create_table("access_roles", sa.Column("name", sa.Text, primary_key=True))
    op.create_table(
        "access_rules",
        sa.Column("role", sa.Text, sa.ForeignKey("access_roles.name"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("effect", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("pattern", sa.Text, nullable=False),
    )
    op.create_table(
        "access_grants",
        sa.Column("id", sa.Integer, primary_key=True),
        _identity(),
        sa.Column("effect", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("pattern", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_access_grants_identity", "access_grants", ["identity"])


def _entering() -> None:
    op.create_table(
        "access_links",
        sa.Column("authority", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        _identity(),
    )
    op.create_index("ix_access_links_identity", "access_links", ["identity"])
    op.create_table(
        "access_keys",
        sa.Column("id", sa.Text, primary_key=True),
        _identity(),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("expires_ms", sa.BigInteger),
        sa.Column("revoked_ms", sa.BigInteger),
        sa.Column("successor", sa.Text),
    )
    op.create_index("ix_access_keys_identity", "access_keys", ["identity"])
    op.create_table(
        "access_passwords", _identity(primary_key=True), sa.Column("sealed", sa.LargeBinary, nullable=False)
    )
    op.create_table(
        "access_factors",
        _identity(primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("last_step", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "access_recovery", _identity(primary_key=True), sa.Column("digest", sa.LargeBinary, primary_key=True)
    )
    op.create_table(
        "access_failures",
        sa.Column("whom", sa.Text, primary_key=True),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("last_ms", sa.BigInteger, nullable=False),
        sa.Column("until_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_access_failures_last_ms", "access_failures", ["last_ms"])


def _trail() -> None:
    op.create_table(
        "access_trail",
        sa.Column("number", _COUNTED, primary_key=True, autoincrement=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("how", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("allowed", sa.Boolean, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    for column in ("time_ms", "who", "model"):
        op.create_index(f"ix_access_trail_{column}", "access_trail", [column])
    op.create_table(
        "access_batches",
        sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("entry", sa.BigInteger, nullable=False),
    )
