"""The tables of a vault, the same in SQLite and PostgreSQL."""

from __future__ import annotations

from sqlalchemy import MetaData

metadata = MetaData()
