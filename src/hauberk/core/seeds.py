"""Independent seeds from one: every use names itself, so adding a use never shifts the others."""

from __future__ import annotations

import hashlib

from hauberk.core.errors import ConfigError

SEED_BITS = 63  # torch takes signed 64-bit seeds


def derive_seed(seed: int, *labels: str | int) -> int:
    """A seed in [0, 2**63) for the use that ``labels`` name, from SHA-256 of seed and labels."""
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise ConfigError(f"a seed is an integer, got {seed!r}")
    text = "\x1f".join([str(seed), *map(str, labels)])
    whole = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return whole >> (64 - SEED_BITS)
