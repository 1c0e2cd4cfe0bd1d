"""The words everybody shares, free of torch: errors, evidence, canonical bytes, seeds, clock, files."""
