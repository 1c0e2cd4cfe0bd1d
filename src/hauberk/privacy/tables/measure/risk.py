"""Who can be found again: the three attackers' risks, and how surely somebody is known to be in the table.

The prosecutor knows that his target is in the table. The journalist looks for anybody out of a population. The
marketer wants as many as he can get. Each knows the quasi-identifiers of those he looks for, exactly, and
takes a row of the right class at random.

Source: El Emam, Guide to the De-Identification of Personal Health Information (2013), chapters 16 and 20.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hauberk.privacy.tables.measure.groups import Groups
from hauberk.privacy.tables.measure.meaning import Meaning
from hauberk.privacy.tables.table import Table

Floats = npt.NDArray[np.float64]
HIGH_RISK = 0.2  # a group of fewer than five, the usual limit for public health data
_CELLS = 1 << 24


def risks(groups: Groups, covered: Floats | None = None) -> dict[str, Any]:
    """Of one table.

    Args:
        groups: its rows by their quasi-identifiers.
        covered: people of the population who fit each group, ``(groups,)``; the table is the population
            where None.

    Returns:
        ``prosecutor`` and ``journalist`` with ``highest``, ``average`` over rows, ``high_share`` (rows with
        a risk above 0.2) and, of the prosecutor, ``unique_share`` (rows that stand alone); ``marketer`` with
        ``average``, the share of rows that he gets right.
    """
    sizes = groups.sizes
    people = sizes.astype(np.float64) if covered is None else covered
    rows = sizes.sum()
    prosecutor = {
        "highest": float(1 / sizes.min()),
        "average": float(len(sizes) / rows),
        "high_share": float(sizes[1 / sizes > HIGH_RISK].sum() / rows),
        "unique_share": float((sizes == 1).sum() / rows),
    }
    average = float((sizes / people).sum() / rows)
    journalist = {
        "highest": float(1 / people.min()),
        "average": average,
        "high_share": float(sizes[1 / people > HIGH_RISK].sum() / rows),
    }
    return {"prosecutor": prosecutor, "journalist": journalist, "marketer": {"average": average}}


@dataclass(frozen=True)
class Fit:
    """A table against a population.

    Args:
        covered: people who fit each group, ``(groups,)``.
        presence: of every different person of the population, the probability of being in the table,
            ``(people,)``.
    """

    covered: Floats
    presence: Floats


def fit(
    groups: Groups, table: Table, meanings: Mapping[str, Meaning], people: Groups, population: Table
) -> Fit:
    """Who of the population fits which group, by what the cells mean.

    Each row of a group is taken to be any of the people who fit the group, all alike; somebody who fits several
    groups has the sum of their shares.

    Cost: groups times different people times columns.
    """
    fits = []
    for number, (name, meaning) in enumerate(meanings.items()):
        cells = {code: meaning.values(table[name].values[code]) for code in np.unique(groups.cells[:, number])}
        allowed = np.zeros((len(table[name].values), len(population[name].values)), bool)
        for code, values in cells.items():
            allowed[code] = [text in values for text in population[name].values]
        fits.append(allowed)
    covered = np.zeros(len(groups.sizes))
    presence = np.zeros(len(people.sizes))
    step = max(1, _CELLS // len(people.sizes))
    for start in range(0, len(covered), step):
        both = np.ones((min(step, len(covered) - start), len(people.sizes)), bool)
        for number, allowed in enumerate(fits):
            both &= allowed[groups.cells[start : start + step, number]][:, people.cells[:, number]]
        found = both @ people.sizes.astype(np.float64)
        covered[start : start + step] = found
        shares = groups.sizes[start : start + step] / np.maximum(found, 1)
        presence += shares @ both
    return Fit(covered, presence)
