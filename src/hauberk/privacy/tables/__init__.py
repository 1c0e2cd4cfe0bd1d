"""Tabular anonymity: k-anonymity and its kin, aggregation, and what risk is left."""
