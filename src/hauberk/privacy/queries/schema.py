"""Three tables: in a database of their own, or in a vault's, where its migrations make them.

query_datasets    one row a data set: its description, budget and how its data are known again
query_askers      what one person may spend of it
query_spendings   every price paid, with the answer once there is one
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Integer, MetaData, String, Table, Text

metadata = MetaData()
DATASETS = Table(
    "query_datasets",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("description", Text, nullable=False),
    Column("method", String(8), nullable=False),
    Column("budget", Float, nullable=False),
    Column("delta", Float, nullable=False),
    Column("budget_units", BigInteger, nullable=False),
    Column("delta_units", BigInteger, nullable=False),
    Column("salt", String(64), nullable=False),
    Column("data_seal", String(64), nullable=False),
    Column("evidence", String(80)),
    Column("turns", BigInteger, nullable=False),
)
ASKERS = Table(
    "query_askers",
    metadata,
    Column("dataset", String(200), ForeignKey("query_datasets.name"), primary_key=True),
    Column("asker", String(200), primary_key=True),
    Column("budget_units", BigInteger, nullable=False),
)
SPENDINGS = Table(
    "query_spendings",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("dataset", String(200), ForeignKey("query_datasets.name"), nullable=False),
    Column("asker", String(200), nullable=False),
    Column("question", Text, nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("delta_units", BigInteger, nullable=False),
    Column("asked", String(32), nullable=False),
    Column("answer", Text),
)
