"""The database of a ledger, by what its messages say."""

from __future__ import annotations

from sqlalchemy import URL

from hauberk.core.database import Database
from hauberk.core.errors import DataError


def ledger_database(url: URL, where: str) -> Database:
    """Connections to a ledger's tables; ``where`` is what messages call it."""
    return Database(url, where, noun="ledger", absent=no_ledger)


def no_ledger(where: str) -> DataError:
    """The error for a place that holds none."""
    return DataError(f"{where} is no ledger", hint=f"hauberk ledger init --ledger {where}")
