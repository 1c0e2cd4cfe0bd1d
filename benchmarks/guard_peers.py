"""Two published detectors, in short, as the guard's benchmark compares with them: one caller's worth each.

Both flag a query or not; neither bounds its memory, as in their papers.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict

import numpy as np
import numpy.typing as npt
from scipy import stats

Image = npt.NDArray[np.float32]


class Blacklight:
    """Hashes of quantised windows; a query that shares too many with an earlier one is an attack's.

    Source: Li et al., Blacklight, USENIX Security 2022, with its values for MNIST: windows of 20 pixels, 50
    levels, the 50 first hashes, an alarm at more than 25 shared; an identical query counts, as it does there.
    """

    def __init__(self, window: int = 20, levels: int = 50, kept: int = 50, shared: int = 25) -> None:
        self._window, self._step, self._kept, self._shared = window, 255 // levels, kept, shared
        self._seen: dict[bytes, list[int]] = defaultdict(list)
        self._count = 0

    def look(self, image: Image, label: int) -> bool:
        pixels = ((image.ravel() * 255).round().astype(np.int64) // self._step).astype(np.uint8).tobytes()
        size = self._window
        windows = {pixels[start : start + size] for start in range(len(pixels) - size + 1)}
        prints = sorted(hashlib.sha256(b"salt" + one).digest() for one in windows)[: self._kept]
        hits = Counter(earlier for one in prints for earlier in self._seen.get(one, ()))
        for one in prints:
            self._seen[one].append(self._count)
        self._count += 1
        return bool(hits) and hits.most_common(1)[0][1] > self._shared


class Prada:
    """Smallest distances to earlier queries of the same answer; an attack's are not distributed normally.

    Source: Juuti et al., PRADA, EuroS&P 2019, algorithm 2: Shapiro and Wilk's statistic below 0.9 is an attack,
    from 100 distances on, outliers beyond three deviations left out. Tested at every tenth query, to save time.
    """

    def __init__(self, threshold: float = 0.9, least: int = 100, most: int = 4000) -> None:
        self._threshold, self._least, self._most = threshold, least, most
        self._sets: dict[int, list[Image]] = defaultdict(list)
        self._largest: dict[int, float] = {}
        self._distances: list[float] = []
        self._count = 0

    def look(self, image: Image, label: int) -> bool:
        self._count += 1
        mine = self._sets[label]
        flat = image.ravel()
        if mine:
            nearest = float(np.sqrt(np.square(np.stack(mine[-500:]) - flat).sum(axis=1).min()))
            self._distances.append(nearest)
            ordered = np.array(self._distances[-500:])
            if nearest > ordered.mean() - ordered.std():
                mine.append(flat)
        else:
            mine.append(flat)
        if len(self._distances) < self._least or self._count % 10:
            return False
        found = np.array(self._distances[-self._most :])
        found = found[np.abs(found - found.mean()) <= 3 * found.std()]
        if len(found) < self._least or found.std() == 0:
            return bool(found.std() == 0)
        return bool(stats.shapiro(found).statistic < self._threshold)
