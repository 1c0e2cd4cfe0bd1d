"""Encrypted data sets: sealed files and folders, encrypted Parquet, and loaders that decrypt as they read."""
