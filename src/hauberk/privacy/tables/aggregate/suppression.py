"""Which cells are not published: those that tell too much, and others so that these cannot be worked out."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_count, require_within
from hauberk.privacy.tables.aggregate.cube import Cube

Mask = npt.NDArray[np.bool_]
Cell = tuple[int, ...]
Line = tuple[int | slice, ...]  # a cell with one axis left open
_FOLLOWING = 3.0  # as bad as a count twenty times as large
_EMPTY = 100.0
_WHERE = "aggregate"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """When a cell tells too much.

    Args:
        min_count: fewer rows than that, and at least one.
        dominance: ``(n, share)``: the ``n`` largest contributions are more than this share of the sum.
        p_percent: the second largest contributor could work out the largest to within this share of it.

    Source: Hundepool et al., Statistical Disclosure Control (2012), section 4.2.
    """

    min_count: int = 5
    dominance: tuple[int, float] | None = None
    p_percent: float | None = None

    def __post_init__(self) -> None:
        require_count("min_count", self.min_count, _WHERE, least=2)
        if self.dominance is not None:
            if len(self.dominance) != 2:
                raise ConfigError(f"{_WHERE}: dominance is N and a share, got {self.dominance!r}")
            require_count("dominance's N", self.dominance[0], _WHERE, most=10)
            require_within("dominance's share", self.dominance[1], _WHERE, "(0, 1)")
        if self.p_percent is not None:
            require_within("p_percent", self.p_percent, _WHERE, "(0, 1)")

    @property
    def contributions(self) -> int:
        """How many of a cell's largest contributions the rules look at."""
        return max(2, 0 if self.dominance is None else self.dominance[0])


def sensitive_cells(cube: Cube, rules: Rules) -> Mask:
    """The cells that tell too much by themselves, of the cube's shape."""
    found = (cube.counts > 0) & (cube.counts < rules.min_count)
    whole = cube.absolute
    if whole is None or cube.largest is None:
        return found
    if rules.dominance is not None:
        number, share = rules.dominance
        found |= (whole > 0) & (cube.largest[..., :number].sum(-1) > share * whole)
    if rules.p_percent is not None:
        first, second = cube.largest[..., 0], cube.largest[..., 1]
        found |= (first > 0) & (whole - first - second < rules.p_percent * first)
    return found


def complete(cube: Cube, suppressed: Mask) -> Mask:
    """More cells, until no line of the table has exactly one that is missing.

    That alone does not hide enough; ``hauberk.privacy.tables.aggregate.bounds`` says where it does not.
    """
    suppressed = suppressed.copy()
    again = True
    while again:
        again = False
        for axis in range(suppressed.ndim):
            for start in np.argwhere(suppressed.sum(axis, keepdims=True) == 1):
                line = tuple(slice(None) if number == axis else int(at) for number, at in enumerate(start))
                if suppressed[line].sum() == 1:
                    _suppress_in(cube, suppressed, line)
                    again = True
    return suppressed


def widen(cube: Cube, suppressed: Mask, narrow: Iterable[Cell], *, careful: bool = True) -> Mask:
    """More cells beside those that can still be worked out too closely.

    Args:
        careful: at most one in each line at a time, since what was hidden for a neighbour may be enough.

    Nothing changes where nothing is left to hide.
    """
    before, suppressed = suppressed, suppressed.copy()
    for cell in narrow:
        lines = list(_lines(cell))
        if careful and any((suppressed[line] != before[line]).any() for line in lines):
            continue
        candidates = [line for line in lines if not suppressed[line].all()]
        if not candidates:  # everything around is hidden already: one step further
            around = (near for line in lines for near in _cells(line, suppressed.shape))
            further = (line for near in around for line in _lines(near) if not suppressed[line].all())
            candidates = list(itertools.islice(further, 1))
        if candidates:
            costs = [_costs(cube, suppressed, line).min() for line in candidates]
            _suppress_in(cube, suppressed, candidates[int(np.argmin(costs))])
    return complete(cube, suppressed)


def _cells(line: Line, shape: tuple[int, ...]) -> Iterator[Cell]:
    for at in range(shape[next(number for number, one in enumerate(line) if isinstance(one, slice))]):
        yield tuple(at if isinstance(one, slice) else one for one in line)


def _suppress_in(cube: Cube, suppressed: Mask, line: Line) -> None:
    suppressed[line][int(_costs(cube, suppressed, line).argmin())] = True


def _costs(cube: Cube, suppressed: Mask, line: Line) -> npt.NDArray[np.float64]:
    """What a reader loses with each cell of a line: what it counts, and what must go after it in its other
    lines.

    An empty cell hides nothing, and goes last.
    """
    axis = next(number for number, at in enumerate(line) if isinstance(at, slice))
    begun = np.zeros(suppressed.shape[axis])
    for other in range(suppressed.ndim):
        if other != axis:
            plane = suppressed[tuple(slice(None) if number == other else at for number, at in enumerate(line))]
            begun += plane.sum(1 if axis < other else 0) == 0
    counts = cube.counts[line]
    costs = np.log1p(counts) + _FOLLOWING * begun + np.where(counts == 0, _EMPTY, 0)
    return np.where(suppressed[line], np.inf, costs)


def _lines(cell: Cell) -> Iterator[Line]:
    for axis in range(len(cell)):
        yield tuple(slice(None) if number == axis else at for number, at in enumerate(cell))
