"""What a table lost, and whether what is left is true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from hauberk.core.errors import IntegrityError
from hauberk.privacy.tables.measure.groups import Groups
from hauberk.privacy.tables.measure.meaning import Meaning
from hauberk.privacy.tables.table import Table


def information_loss(
    table: Table, groups: Groups, meanings: Mapping[str, Meaning], rows: int, k: int
) -> dict[str, Any]:
    """Of a published table, which had ``rows`` before.

    Returns:
        ``gcp`` (each cell's lost share, averaged over the attributes and all rows; a row left out lost 1),
        the same by attribute under ``by_column``, ``discernibility`` (each row costs its group's size, one
        left out ``rows``) and the same as a share of the worst, ``average_class`` (rows of a group) and that
        by ``k``.

    Source: Xu et al., Utility-based anonymization (KDD 2006) for NCP; Ghinita et al. (VLDB 2007) for GCP;
        Bayardo, Agrawal (ICDE 2005) for discernibility; LeFevre et al. (ICDE 2006) for the average class.
    """
    suppressed = rows - len(table)
    by_column = {}
    for name, meaning in meanings.items():
        lost = np.array([meaning.lost(cell) for cell in table[name].values])
        weights = np.bincount(table[name].codes, minlength=len(lost))
        by_column[name] = float((lost @ weights + suppressed) / rows)
    discernibility = float((groups.sizes.astype(np.float64) ** 2).sum() + float(suppressed) * rows)
    average = float(groups.sizes.mean())
    return {
        "gcp": sum(by_column.values()) / len(by_column),
        "by_column": by_column,
        "discernibility": discernibility,
        "discernibility_share": discernibility / float(rows) ** 2,
        "average_class": average,
        "average_class_by_k": average / k,
    }


def check_truth(
    original: Table, published: Table, kept: npt.NDArray[np.intp], meanings: Mapping[str, Meaning]
) -> None:
    """Every published cell covers what stood there, and every other column is as it was.

    Args:
        kept: the original row of each published one.

    Raises:
        IntegrityError: a cell that says something else.
    """
    for name in published.names:
        before, after = original[name], published[name]
        pairs = np.unique(before.codes[kept].astype(np.int64) * len(after.values) + after.codes)
        for was, now in zip(pairs // len(after.values), pairs % len(after.values), strict=True):
            value, cell = before.values[was], after.values[now]
            if value != cell and (name not in meanings or value not in meanings[name].values(cell)):
                raise IntegrityError(
                    f"column '{name}': '{value}' was published as '{cell}', which does not cover it"
                )
