"""Names in lists: beside a name, what could be one is one (参会人员：张弛、麻利、苗圃).

A list is what 、 ； / | or a tab parts; a neighbour is all that stands between two such signs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_MARKS = "、；;/\t|"
_AFTER = re.compile(rf"[{_MARKS}]([\u4e00-\u9fff]{{2,4}})(?=[{_MARKS}，。,.！）)\n]|等|$)")
_BEFORE = re.compile(rf"(?:^|[{_MARKS}：:，。,（(\n])([\u4e00-\u9fff]{{2,4}})[{_MARKS}]$")


def neighbours(
    text: str, spans: list[tuple[int, int]], could_be: Callable[[str], bool]
) -> Iterator[tuple[int, int]]:
    """Places of further names beside those that were found, one after another."""
    taken = set(spans)
    waiting = list(spans)
    while waiting:
        start, stop = waiting.pop()
        ahead = _AFTER.match(text, stop)
        behind = _BEFORE.search(text[max(0, start - 8) : start])
        found = []
        if ahead:
            found.append(ahead.span(1))
        if behind:
            shift = max(0, start - 8)
            found.append((behind.start(1) + shift, behind.end(1) + shift))
        for span in found:
            if span not in taken and could_be(text[span[0] : span[1]]):
                taken.add(span)
                waiting.append(span)
                yield span
