"""Cells in, treated cells out: what is found in each, what else of it stands in the same record, what is done.

Nothing here reads files or knows who calls; the same records give the same result wherever they are treated.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Sequence
from datetime import date
from typing import Protocol

from hauberk.privacy.text.files import Bare, Cell
from hauberk.privacy.text.finding import Finding
from hauberk.privacy.text.policy import DROP, KEEP, Keys, Policy, Spot, name_of
from hauberk.privacy.text.policy.actions import Action, Mask
from hauberk.privacy.text.treat.spans import Span, again, apart
from hauberk.privacy.text.treat.tally import SAMPLES, Sample, Tally

_LARGEST_RECORD = 1000  # cells and values whose product says whether a record is looked through a second time
_SHORTEST_NUMBER = 5
_REMEMBERED = 1 << 12
_NUMBER = re.compile(r"[1-9][0-9]*")
_SHOWN = Mask(first=1)
_HIDDEN = frozenset(("SECRET",))
Texts = list[str | None]


class Finder(Protocol):
    """Whoever finds something in a line."""

    def find(self, line: str) -> Sequence[Finding]: ...


class Treatment:
    """A policy and a key at work.

    Args:
        keys: None where the policy needs none.
        today: on which ages are counted.
        second: the second detector, which looks at a share of the records before and after; None for none.
        rate: the share of records that it looks at, in [0, 1].

    Limits: what the detector does not find stays, unless the same value was found elsewhere in its record.
    """

    def __init__(
        self, policy: Policy, keys: Keys | None, today: date, *, second: Finder | None = None, rate: float = 0.0
    ) -> None:
        self._policy, self._keys, self._today = policy, keys, today
        self._detector, self._marks = policy.detector, policy.marks
        self._second, self._rate = second, rate
        self._rules: dict[str | None, str | None] = {None: None}
        self._actions: dict[str, tuple[Action, str]] = {}

    def rule(self, column: str | None) -> str | None:
        """What the policy says of a column; see ``Policy.rule``."""
        if column not in self._rules:
            if len(self._rules) >= _REMEMBERED:  # keys of JSON can be data
                self._rules = {None: None}
            self._rules[column] = self._policy.rule(column)
        return self._rules[column]

    def _said(self, column: str) -> str:
        """A column as a record may name it: as the policy does, or by its last part; others may be people."""
        return column if column in self._policy.columns else column.rsplit(".", 1)[-1]

    def _of(self, cell: Cell) -> str | None:
        """What the policy says of a cell's column; of a column's name, only whether the column is dropped."""
        rule = self.rule(cell.column)
        return rule if rule == DROP or not cell.key else None

    def treat(self, records: Sequence[Sequence[Cell]], file: str) -> tuple[list[Texts], Tally]:
        """New texts for the cells of each record; None for a cell that is dropped.

        Args:
            file: its name, which tells places in different files apart.
        """
        tally = Tally(records=len(records))
        found = self._find(records)
        made: list[Texts] = []
        for number, cells in enumerate(records):
            findings = found[number]
            if any(findings) and len(cells) * sum(map(len, findings)) <= _LARGEST_RECORD:
                findings = self._everywhere(cells, findings)
            texts: Texts = []
            inserted: list[list[Span]] = []
            for cell, one in zip(cells, findings, strict=True):
                text, spans = self._cell(cell, one, file, tally)
                texts.append(text)
                inserted.append(spans)
            if self._second is not None and cells and self._looks(file, cells[0].line):
                self._look(cells, findings, texts, inserted, tally)
            made.append(texts)
        named = self._policy.columns
        if named:
            tally.seen.update(
                cell.column
                for cells in records
                for cell in cells
                if cell.column is not None and cell.column in named
            )
        return made, tally

    def _find(self, records: Sequence[Sequence[Cell]]) -> list[list[list[Finding]]]:
        """By record and cell. Cells of one column are searched together, under the column's name."""
        by_label: dict[str, dict[str, list[tuple[int, int]]]] = {}
        columns: dict[tuple[str | None, bool], tuple[str | None, str]] = {}
        found: list[list[list[Finding]]] = []
        for number, cells in enumerate(records):
            row: list[list[Finding]] = []
            for place, cell in enumerate(cells):
                text, column, key = cell.text, cell.column, cell.key
                told = columns.get((column, key))
                if told is None:
                    label = "" if key else (column or "").rsplit(".", 1)[-1]
                    told = columns[column, key] = self._of(cell), label
                rule, label = told
                if rule is None:
                    row.append([])
                    if text and not (cell.number and len(text) < _SHORTEST_NUMBER):
                        by_label.setdefault(label, {}).setdefault(text, []).append((number, place))
                else:
                    row.append([] if rule in (KEEP, DROP) else self._whole(text, rule))
            found.append(row)
        for label, group in by_label.items():  # each text once: columns repeat themselves
            texts = list(group)
            for text, one in zip(texts, self._detector.find_all(texts, label=label), strict=True):
                if one:
                    sure = [each for each in one if each.score >= self._policy.least_score]
                    sure = apart(sure, self._marked(text)) if "[" in text else sure
                    for number, place in group[text]:
                        found[number][place] = sure
        return found

    def _whole(self, text: str, kind: str) -> list[Finding]:
        bare = text.strip()
        if not bare:
            return []
        start = 0 if len(bare) == len(text) else len(text) - len(text.lstrip())
        end = start + len(bare)
        whole = [Finding(start, end, kind, 1.0)]
        return apart(whole, self._marked(text)) if "[" in text else whole

    def _marked(self, text: str) -> list[Span]:
        """What an earlier treatment put there."""
        return [Span(*one.span()) for one in self._marks.finditer(text)] if "[" in text else []

    def _everywhere(self, cells: Sequence[Cell], findings: Sequence[Sequence[Finding]]) -> list[list[Finding]]:
        """The same values wherever else they stand in this record."""
        pairs = [
            (cell.text[one.start : one.end], one)
            for cell, group in zip(cells, findings, strict=True)
            for one in group
        ]
        values, text = dict(pairs), "\n".join(cell.text for cell in cells)
        if sum(map(text.count, values)) <= len(pairs):  # each stands where it was found and nowhere else
            return [list(group) for group in findings]
        made = []
        for cell, group in zip(cells, findings, strict=True):
            if self._of(cell) is not None:
                made.append(list(group))
                continue
            taken = sorted([Span(one.start, one.end) for one in group] + self._marked(cell.text))
            more = [
                Finding(span.start, span.end, one.type, one.score)
                for value, one in values.items()
                for span in again(cell.text, value)
            ]
            made.append(sorted([*group, *apart(more, taken)]))
        return made

    def _cell(
        self, cell: Cell, findings: Sequence[Finding], file: str, tally: Tally
    ) -> tuple[str | None, list[Span]]:
        """The new text, and which parts of it were put there or meant to stay."""
        rule = self._of(cell)
        if rule is not None and not cell.key and cell.column is not None:
            key = (self._said(cell.column), rule)
            tally.columns[key] = tally.columns.get(key, 0) + 1
        if rule == DROP:
            return None, []
        if rule == KEEP:
            return cell.text, [Span(0, len(cell.text))]
        if not findings:
            return cell.text, self._marked(cell.text)
        if len(findings) == 1 and findings[0].end - findings[0].start == len(cell.text) and not cell.number:
            fresh = self._apply(cell, findings[0], file, tally)
            return fresh, [Span(0, len(fresh))]
        out: list[str] = []
        spans: list[Span] = []
        at = length = 0
        for one in findings:
            fresh = self._apply(cell, one, file, tally)
            before = cell.text[at : one.start]
            start = length + len(before)
            out += [before, fresh]
            length = start + len(fresh)
            spans.append(Span(start, length))
            at = one.end
        text = "".join(out) + cell.text[at:]
        if cell.number and _NUMBER.fullmatch(text):
            text = Bare(text)
        return text, sorted({*spans, *self._marked(text)})

    def _apply(self, cell: Cell, one: Finding, file: str, tally: Tally) -> str:
        text = cell.text[one.start : one.end]
        action, named = self._actions.get(one.type) or self._remembered(one.type)
        tally.found(one.type, named, one.score)
        samples = tally.samples.setdefault(one.type, [])
        if len(samples) < SAMPLES:
            samples.append(Sample(one.type, masked(one.type, text), cell.place(one.start, one.end)))
        place = f"{file}\n{cell.line}\n{cell.column}\n{cell.start + one.start}"
        number = cell.number and one.start == 0 and one.end == len(cell.text)
        spot = Spot(self._keys, place, self._today, number=number)
        fresh = action.apply(one.type, text, spot)
        tally.tokens += spot.tokens
        return fresh

    def _remembered(self, kind: str) -> tuple[Action, str]:
        action = self._policy.action(kind)
        self._actions[kind] = action, name_of(action)
        return self._actions[kind]

    def _looks(self, file: str, line: int) -> bool:
        """Whether the second detector looks at this record, which its place alone decides."""
        return zlib.crc32(f"{file}\n{line}".encode()) < self._rate * 2**32

    def _look(
        self,
        cells: Sequence[Cell],
        findings: Sequence[Sequence[Finding]],
        texts: Sequence[str | None],
        inserted: Sequence[Sequence[Span]],
        tally: Tally,
    ) -> None:
        assert self._second is not None
        tally.looked += 1
        left = False
        for cell, treated, text, spans in zip(cells, findings, texts, inserted, strict=True):
            if text is None or self._of(cell) == KEEP:
                continue
            seen = self._second.find(cell.text)
            if seen:
                before = [Span(one.start, one.end) for one in seen]
                ours = [Span(one.start, one.end) for one in treated] + self._marked(cell.text)
                tally.second += len(before)
                tally.both += sum(any(one.meets(other) for other in ours) for one in before)
            if text != cell.text:
                seen = [] if list(spans) == [Span(0, len(text))] else self._second.find(text)
            for one in seen:
                if not any(Span(one.start, one.end).meets(other) for other in spans):
                    left = True
                    tally.left_types[one.type] = tally.left_types.get(one.type, 0) + 1
        tally.left += left


def masked(kind: str, text: str) -> str:
    """For a report: the first letter and stars, for a secret stars alone; no control characters."""
    made = _SHOWN.apply(kind, text, Spot(None, "", date.min)) if kind not in _HIDDEN else "*" * len(text)
    return "".join(
        letter if unicodedata.category(letter)[0] not in "CZ" or letter == " " else "?" for letter in made[:40]
    )
