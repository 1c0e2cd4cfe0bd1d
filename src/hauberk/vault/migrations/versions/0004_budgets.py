"""Budgets of private queries: data sets, who may ask them, and every price that was paid."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "query_datasets",
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("method", sa.String(8), nullable=False),
        sa.Column("budget", sa.Float, nullable=False),
        sa.Column("delta", sa.Float, nullable=False),
        sa.Column("budget_units", sa.BigInteger, nullable=False),
        sa.Column("delta_units", sa.BigInteger, nullable=False),
        sa.Column("salt", sa.String(64), nullable=False),
        sa.Column("data_seal", sa.String(64), nullable=False),
        sa.Column("evidence", sa.String(80)),
        sa.Column("turns", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "query_askers",
        _dataset(primary_key=True),
        sa.Column("asker", sa.String(200), primary_key=True),
        sa.Column("budget_units", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "query_spendings",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        _dataset(),
        sa.Column("asker", sa.String(200), nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("units", sa.BigInteger, nullable=False),
        sa.Column("delta_units", sa.BigInteger, nullable=False),
        sa.Column("asked", sa.String(32), nullable=False),
        sa.Column("answer", sa.Text),
    )


def _dataset(*, primary_key: bool = False) -> sa.Column[str]:
    owner = sa.ForeignKey("query_datasets.name")
    return sa.Column("dataset", sa.String(200), owner, primary_key=primary_key, nullable=False)
