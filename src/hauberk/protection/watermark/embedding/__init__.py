"""Making marks: a marked copy of a model, from a key."""
