"""Sessions of the console."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "access_sessions",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("identity", sa.Text, sa.ForeignKey("access_identities.name"), nullable=False),
        sa.Column("how", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("seen_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_access_sessions_identity", "access_sessions", ["identity"])
