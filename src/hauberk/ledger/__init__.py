"""The ledger: an append-only log of what happened to models, which outsiders can check.

A Merkle tree after RFC 6962 and RFC 9162, published as C2SP tiles and checkpoints.
"""
