"""How much a group of rows tells about its sensitive values: l-diversity and t-closeness as achieved."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from hauberk.privacy.tables.measure.groups import Groups, histograms
from hauberk.privacy.tables.table import Column

Floats = npt.NDArray[np.float64]
_ENTRIES = 1 << 22


def achieved_l(groups: Groups, column: Column) -> dict[str, float]:
    """``distinct``: fewest different values in a group; ``entropy``: smallest exponential of a group's
    entropy."""
    found = histograms(groups, column)
    distinct = np.diff(np.r_[found.starts, len(found.count)])
    sizes = np.add.reduceat(found.count, found.starts)
    # log(n) - sum(c log c) / n
    entropy = np.log(sizes) - np.add.reduceat(found.count * np.log(found.count), found.starts) / sizes
    return {"distinct": int(distinct.min()), "entropy": float(np.exp(entropy.min()))}


def achieved_t(
    groups: Groups, column: Column, distance: str, paths: Sequence[tuple[str, ...]] | None = None
) -> float:
    """The largest earth mover's distance between a group's values and the whole table's, in [0, 1].

    Args:
        distance: ``equal``, ``ordered`` (numbers by size, text by the alphabet, one step between
            neighbours), or ``hierarchical`` (height at which two values meet by the whole height), which
            needs ``paths``.
    """
    values = sorted({column.values[code] for code in np.unique(column.codes)}, key=_by_size(column.values))
    place = {text: number for number, text in enumerate(values)}
    moved = np.array([place.get(text, 0) for text in column.values])
    renamed = Column(tuple(values), moved[column.codes].astype(np.int32))
    found = histograms(groups, renamed)
    whole = np.bincount(renamed.codes, minlength=len(values)) / len(renamed.codes)
    sizes = np.add.reduceat(found.count, found.starts)
    worst, step = 0.0, max(1, _ENTRIES // len(values))
    for start in range(0, len(sizes), step):
        part = slice(*np.searchsorted(found.group, [start, start + step]))
        shares = np.zeros((min(step, len(sizes) - start), len(values)))
        shares[found.group[part] - start, found.value[part]] = found.count[part]
        excess = shares / sizes[start : start + step, None] - whole
        worst = max(worst, float(_distance(excess, distance, values, paths).max()))
    return worst


def _by_size(values: Sequence[str]) -> Callable[[str], float | str]:
    try:
        return {text: float(text) for text in values}.__getitem__
    except ValueError:
        return str


def _distance(
    excess: Floats, distance: str, values: Sequence[str], paths: Sequence[tuple[str, ...]] | None
) -> Floats:
    if distance == "equal":
        return np.asarray(np.maximum(excess, 0).sum(1))
    if distance == "ordered":
        return np.asarray(np.abs(excess.cumsum(1)).sum(1) / max(1, len(values) - 1))
    # a tree whose edges all have one length: what passes through an edge is the surplus below it
    assert paths is not None
    way = {path[0]: path for path in paths}
    height = len(paths[0]) - 1
    total = np.zeros(len(excess))
    for level in range(height):
        below: dict[tuple[str, ...], list[int]] = {}
        for number, value in enumerate(values):
            below.setdefault(way[value][level:], []).append(number)
        for members in below.values():
            total += np.abs(excess[:, members].sum(1))
    return total / (2 * height)
