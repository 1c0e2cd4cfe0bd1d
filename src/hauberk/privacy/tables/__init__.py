"""Tabular anonymity: k-anonymity and its kin, aggregation, and what risk is left."""

from hauberk.privacy.tables.anonymize import Anonymised, anonymize, hierarchies_of
from hauberk.privacy.tables.job import Job, run
from hauberk.privacy.tables.plan import Plan, read_settings
from hauberk.privacy.tables.reading import read_table
from hauberk.privacy.tables.table import Table
from hauberk.privacy.tables.writing import write_table

__all__ = [
    "Anonymised", "Job", "Plan", "Table", "anonymize", "hierarchies_of", "read_settings", "read_table", "run",
    "write_table",
]  # fmt: skip
