"""The whole measure of a published table, and where it falls short of what was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hauberk.privacy.tables.measure.diversity import achieved_l, achieved_t
from hauberk.privacy.tables.measure.groups import Groups, group
from hauberk.privacy.tables.measure.loss import check_truth, information_loss
from hauberk.privacy.tables.measure.meaning import Meaning, Path
from hauberk.privacy.tables.measure.risk import fit, risks
from hauberk.privacy.tables.table import Table

_ROUNDING = 1e-6


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the table has to hold to; as in ``Plan``, of which this knows nothing."""

    quasi: Sequence[str]
    sensitive: Sequence[str]
    k: int
    l: float | None = None  # noqa: E741
    l_kind: str = "distinct"
    t: float | None = None
    t_distance: str = "equal"
    presence: tuple[float, float] | None = None
    max_suppressed: float = 0.0


def measure(
    original: Table,
    published: Table,
    kept: npt.NDArray[np.intp],
    asked: Asked,
    paths: Mapping[str, Sequence[Path]],
    population: Table | None = None,
) -> dict[str, Any]:
    """Risks before and after, k, l, t and presence as achieved, and the loss.

    Args:
        kept: the original row of each published one.
        paths: of each quasi-identifier (and hierarchical sensitive column), from its values to ``*``.

    Raises:
        IntegrityError: a published cell that does not cover what stood there.
    """
    meanings = {name: Meaning(name, paths[name], _present(original, name)) for name in asked.quasi}
    check_truth(original, published, kept, meanings)
    before, after = group(original, asked.quasi), group(published, asked.quasi)
    people = None if population is None else group(population, asked.quasi)
    result: dict[str, Any] = {
        "rows": len(original),
        "published": len(published),
        "suppressed_share": 1 - len(published) / len(original),
        "before": _side(original, before, asked, paths),
        "after": _side(published, after, asked, paths),
        "loss": information_loss(published, after, meanings, len(original), asked.k),
    }
    for side, table, groups in (("before", original, before), ("after", published, after)):
        matched = None
        if people is not None and population is not None:
            matched = fit(groups, table, meanings, people, population)
            result[side]["presence"] = [float(matched.presence.min()), float(matched.presence.max())]
        result[side]["risk"] = risks(groups, None if matched is None else matched.covered)
    return result


def _present(table: Table, name: str) -> frozenset[str]:
    column = table[name]
    return frozenset(column.values[code] for code in np.unique(column.codes)) - {""}


def _side(table: Table, groups: Groups, asked: Asked, paths: Mapping[str, Sequence[Path]]) -> dict[str, Any]:
    side: dict[str, Any] = {"k": int(groups.sizes.min()), "classes": len(groups.sizes)}
    if asked.sensitive:
        side["l"] = {name: achieved_l(groups, table[name]) for name in asked.sensitive}
        side["t"] = {
            name: achieved_t(groups, table[name], asked.t_distance, paths.get(name)) for name in asked.sensitive
        }
    return side


def shortfalls(result: Mapping[str, Any], asked: Asked) -> list[str]:
    """What the measured table does not hold to, one line each; empty where it holds to everything."""
    after = result["after"]
    found = []
    if after["k"] < asked.k:
        found.append(f"k is {after['k']}, not {asked.k}")
    for name in asked.sensitive:
        reached, distance = after["l"][name][asked.l_kind], after["t"][name]
        if asked.l is not None and reached < asked.l - _ROUNDING:
            found.append(f"l ({asked.l_kind}) of '{name}' is {reached:.4g}, not {asked.l:g}")
        if asked.t is not None and distance > asked.t + _ROUNDING:
            found.append(f"t of '{name}' is {distance:.4g}, above {asked.t:g}")
    if asked.presence is not None:
        low, high = after["presence"]
        if low < asked.presence[0] - _ROUNDING or high > asked.presence[1] + _ROUNDING:
            wanted = "{:g} to {:g}".format(*asked.presence)
            found.append(f"presence goes from {low:.4g} to {high:.4g}, not {wanted}")
    if result["suppressed_share"] > asked.max_suppressed + _ROUNDING:
        found.append(f"{result['suppressed_share']:.2%} of the rows were left out")
    return found
