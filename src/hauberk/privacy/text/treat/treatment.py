"""Cells in, treated cells out: what is found in each, what else of it stands in the same record, what is done.

Nothing here reads files or knows who calls; the same records give the same result wherever they are treated.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from hauberk.privacy.text.files import Bare, Cell
from hauberk.privacy.text.finding import Finding
from hauberk.privacy.text.policy import DROP, KEEP, Keys, Policy, Spot, name_of
from hauberk.privacy.text.policy.actions import Action, Delete, Mask, Tag
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


@dataclass(slots=True)
class _Column:
    """Cells of one name: what the policy says of them, how many that was, and texts still to be searched."""

    rule: str | None
    texts: dict[str, list[tuple[int, int]]]
    whole: int = 0


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
        self._actions: dict[str, tuple[Action, str, str | None]] = {}

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

    def _of(self, column: str | None, key: bool) -> str | None:
        """What the policy says of a cell's column; of a column's name, only whether the column is dropped."""
        rule = self.rule(column)
        return rule if rule == DROP or not key else None

    def treat(self, records: Sequence[Sequence[Cell]], file: str) -> tuple[list[Texts], Tally]:
        """New texts for the cells of each record; None for a cell that is dropped.

        Args:
            file: its name, which tells places in different files apart.
        """
        tally = Tally(records=len(records))
        found, ruled = self._find(records, tally)
        made: list[Texts] = []
        for cells, findings, rules in zip(records, found, ruled, strict=True):
            if any(findings) and len(cells) * sum(map(len, findings)) <= _LARGEST_RECORD:
                findings = self._everywhere(cells, findings, rules)
            looks = self._rate > 0 and cells and self._second is not None and self._looks(file, cells[0].line)
            inserted: list[list[Span]] | None = [] if looks else None
            texts = [
                self._cell(cell, rule, one, file, tally, inserted)
                for cell, rule, one in zip(cells, rules, findings, strict=True)
            ]
            if inserted is not None:
                self._look(cells, rules, findings, texts, inserted, tally)
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

    def _find(
        self, records: Sequence[Sequence[Cell]], tally: Tally
    ) -> tuple[list[list[list[Finding]]], list[list[str | None]]]:
        """Findings, and what the policy says of the column, by record and cell.

        Cells of one column are searched together, under the column's name.
        """
        by_label: dict[str, dict[str, list[tuple[int, int]]]] = {}
        columns: dict[str | None, _Column] = {}
        keys: dict[str | None, _Column] = {}
        found: list[list[list[Finding]]] = []
        ruled: list[list[str | None]] = []
        for number, cells in enumerate(records):
            row: list[list[Finding]] = []
            rules: list[str | None] = []
            for place, cell in enumerate(cells):
                text, name, alike = cell.text, cell.column, keys if cell.key else columns
                column = alike.get(name)
                if column is None:
                    label = "" if cell.key else (name or "").rsplit(".", 1)[-1]
                    column = alike[name] = _Column(self._of(name, cell.key), by_label.setdefault(label, {}))
                rule = column.rule
                rules.append(rule)
                if rule is None:
                    row.append([])
                    if text and not (cell.number and len(text) < _SHORTEST_NUMBER):
                        where = column.texts.get(text)
                        if where is None:
                            where = column.texts[text] = []
                        where.append((number, place))
                else:
                    column.whole += 1
                    row.append([] if rule in (KEEP, DROP) else self._whole(text, rule))
            found.append(row)
            ruled.append(rules)
        for name, column in columns.items():
            if name is not None and column.rule is not None:
                said = self._said(name), column.rule
                tally.columns[said] = tally.columns.get(said, 0) + column.whole
        for label, group in by_label.items():  # each text once: columns repeat themselves
            texts = list(group)
            for text, one in zip(texts, self._detector.find_all(texts, label=label), strict=True):
                if one:
                    sure = [each for each in one if each.score >= self._policy.least_score]
                    sure = apart(sure, self._marked(text)) if "[" in text else sure
                    for number, place in group[text]:
                        found[number][place] = sure
        return found, ruled

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

    def _everywhere(
        self, cells: Sequence[Cell], findings: list[list[Finding]], rules: Sequence[str | None]
    ) -> list[list[Finding]]:
        """The same values wherever else they stand in this record, in columns without a rule."""
        text = "\n".join([cell.text for cell, rule in zip(cells, rules, strict=True) if rule is None])
        if not text:
            return findings
        values = {
            cell.text[one.start : one.end]: one
            for cell, group in zip(cells, findings, strict=True)
            for one in group
        }
        there = sum([len(group) for group, rule in zip(findings, rules, strict=True) if rule is None])
        if sum(map(text.count, values)) <= there:  # each stands where it was found and nowhere else
            return findings
        made = []
        for cell, rule, group in zip(cells, rules, findings, strict=True):
            if rule is not None:
                made.append(group)
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
        self,
        cell: Cell,
        rule: str | None,
        findings: Sequence[Finding],
        file: str,
        tally: Tally,
        inserted: list[list[Span]] | None,
    ) -> str | None:
        """The new text; ``inserted`` gets the parts of it that were put there or meant to stay."""
        text: str | None
        if rule == DROP:
            text, spans = None, []
        elif rule == KEEP:
            text, spans = cell.text, [Span(0, len(cell.text))]
        elif not findings:
            text, spans = cell.text, self._marked(cell.text) if inserted is not None else []
        elif len(findings) == 1 and findings[0].end - findings[0].start == len(cell.text) and not cell.number:
            text = self._apply(cell, findings[0], file, tally)
            spans = [Span(0, len(text))] if inserted is not None else []
        else:
            text, spans = self._replaced(cell, findings, file, tally)
        if inserted is not None:
            inserted.append(spans)
        return text

    def _replaced(
        self, cell: Cell, findings: Sequence[Finding], file: str, tally: Tally
    ) -> tuple[str, list[Span]]:
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
        action, named, fixed = self._actions.get(one.type) or self._remembered(one.type)
        tally.found(one.type, named, one.score)
        samples = tally.samples.get(one.type, ())
        if len(samples) < SAMPLES:
            shown = masked(one.type, cell.text[one.start : one.end])
            sample = Sample(one.type, shown, cell.place(one.start, one.end))
            tally.samples.setdefault(one.type, []).append(sample)
        if fixed is not None:
            return fixed
        text = cell.text[one.start : one.end]
        place = f"{file}\n{cell.line}\n{cell.column}\n{cell.start + one.start}"
        number = cell.number and one.start == 0 and one.end == len(cell.text)
        spot = Spot(self._keys, place, self._today, number=number)
        fresh = action.apply(one.type, text, spot)
        tally.tokens += spot.tokens
        return fresh

    def _remembered(self, kind: str) -> tuple[Action, str, str | None]:
        """The action, its name, and what it puts in the place of every value, if that is always the same."""
        action = self._policy.action(kind)
        fixed = (
            action.apply(kind, "", Spot(None, "", self._today)) if isinstance(action, Tag | Delete) else None
        )
        self._actions[kind] = action, name_of(action), fixed
        return self._actions[kind]

    def _looks(self, file: str, line: int) -> bool:
        """Whether the second detector looks at this record, which its place alone decides."""
        return zlib.crc32(f"{file}\n{line}".encode()) < self._rate * 2**32

    def _look(
        self,
        cells: Sequence[Cell],
        rules: Sequence[str | None],
        findings: Sequence[Sequence[Finding]],
        texts: Sequence[str | None],
        inserted: Sequence[Sequence[Span]],
        tally: Tally,
    ) -> None:
        assert self._second is not None
        tally.looked += 1
        left = False
        for cell, rule, treated, text, spans in zip(cells, rules, findings, texts, inserted, strict=True):
            if text is None or rule == KEEP:
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
