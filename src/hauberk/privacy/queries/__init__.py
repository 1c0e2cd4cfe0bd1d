"""Differentially private queries with a budget that is kept."""
