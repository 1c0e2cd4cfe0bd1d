"""What was found and done, counted: pieces of work count apart, and add up to the same in any grouping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hauberk.privacy.text.files import Place
from hauberk.privacy.text.policy import Token

SAMPLES = 3
"""Shown of each type, masked."""

_SCORE = 1000  # scores are added as whole thousandths: sums that do not depend on their order


@dataclass
class Count:
    """Findings of one type that were treated in one way; scores in thousandths."""

    count: int = 0
    score: int = 0
    least: int = _SCORE

    def add(self, count: int, score: int, least: int) -> None:
        self.count += count
        self.score += score
        self.least = min(self.least, least)

    @property
    def mean_score(self) -> float:
        return round(self.score / self.count / _SCORE, 3)

    @property
    def least_score(self) -> float:
        return self.least / _SCORE


@dataclass(frozen=True)
class Sample:
    """One finding, masked: enough to see what kind of thing it is."""

    type: str
    masked: str
    place: Place


@dataclass
class Tally:
    """Counts of a piece of work.

    Args:
        records: lines, rows or documents.
        counts: by type and action.
        columns: cells that were treated whole, by column and type.
        seen: the columns that the policy names and that there are.
        samples: by type, the first few.
        tokens: what is reversible, in order.
        looked: records that the second detector looked at, before and after.
        left: of those, records in which it still finds something.
        left_types: what it finds there, by type.
        second: places that it found before.
        both: of those, places that were treated.
    """

    records: int = 0
    counts: dict[tuple[str, str], Count] = field(default_factory=dict)
    columns: dict[tuple[str, str], int] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    tokens: list[Token] = field(default_factory=list)
    looked: int = 0
    left: int = 0
    left_types: dict[str, int] = field(default_factory=dict)
    second: int = 0
    both: int = 0

    def found(self, kind: str, action: str, score: float) -> None:
        thousandths = round(score * _SCORE)
        held = self.counts.get((kind, action))
        if held is None:
            held = self.counts[kind, action] = Count()
        held.count += 1
        held.score += thousandths
        if thousandths < held.least:
            held.least = thousandths

    @property
    def findings(self) -> int:
        return sum(one.count for one in self.counts.values())

    def add(self, other: Tally) -> None:
        """Another piece of work that comes behind this one."""
        self.records += other.records
        for key, one in other.counts.items():
            self.counts.setdefault(key, Count()).add(one.count, one.score, one.least)
        for name, cells in other.columns.items():
            self.columns[name] = self.columns.get(name, 0) + cells
        self.seen |= other.seen
        for kind, samples in other.samples.items():
            held = self.samples.setdefault(kind, [])
            held += samples[: SAMPLES - len(held)]
        self.tokens += other.tokens
        self.looked += other.looked
        self.left += other.left
        for kind, count in other.left_types.items():
            self.left_types[kind] = self.left_types.get(kind, 0) + count
        self.second += other.second
        self.both += other.both

    def rows(self) -> list[dict[str, Any]]:
        """The counts as a table, most first."""
        ordered = sorted(self.counts.items(), key=lambda one: (-one[1].count, one[0]))
        return [
            {
                "type": kind,
                "action": action,
                "count": one.count,
                "mean_score": one.mean_score,
                "least_score": one.least_score,
            }
            for (kind, action), one in ordered
        ]


def total(tallies: Sequence[Tally]) -> Tally:
    """All of them, in order."""
    summed = Tally()
    for one in tallies:
        summed.add(one)
    return summed
