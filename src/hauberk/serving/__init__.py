"""Serving: predictions over the Open Inference Protocol, for callers who are known, watched and limited."""
