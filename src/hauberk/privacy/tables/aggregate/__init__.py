"""Grouped tables with their margins, in which no small group can be read or worked out."""

from hauberk.privacy.tables.aggregate.job import AggregatePlan, aggregate, run

__all__ = ["AggregatePlan", "aggregate", "run"]
