"""How sure a share of n samples can be."""

from __future__ import annotations

import math

_Z_95 = 1.959963984540054  # two-sided 95 % of the normal distribution


def wilson(successes: int, samples: int) -> tuple[float, float]:
    """95 % Wilson interval for a proportion (E. B. Wilson, JASA 1927), good near 0 and 1 too."""
    if samples == 0:
        return 0.0, 1.0
    share, z2 = successes / samples, _Z_95**2
    centre = (share + z2 / (2 * samples)) / (1 + z2 / samples)
    spread = _Z_95 * math.sqrt(share * (1 - share) / samples + z2 / (4 * samples**2)) / (1 + z2 / samples)
    low = 0.0 if successes == 0 else max(0.0, centre - spread)
    return low, 1.0 if successes == samples else min(1.0, centre + spread)
