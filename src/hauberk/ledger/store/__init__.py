"""Where a log is kept while it grows: one set of tables in SQLite or PostgreSQL."""
