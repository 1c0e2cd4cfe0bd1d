"""Finding marks: what a suspect says to a key, and how likely an innocent one would say it."""
