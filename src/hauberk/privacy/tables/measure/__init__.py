"""What a published table is worth and what it gives away, counted from its cells; knows nothing of who made
it."""
