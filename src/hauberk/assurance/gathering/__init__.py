"""Reads what is there: packages, vaults, running servers, repositories. Facts only; nothing is judged here."""
