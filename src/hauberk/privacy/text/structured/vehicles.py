"""Licence plates of mainland China, new-energy vehicles, police, embassies and border traffic included."""

from __future__ import annotations

import re

from hauberk.privacy.text.structured.rule import Rule

_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_LETTERS = "A-HJ-NP-Za-hj-np-z"


def _plate(match: re.Match[str]) -> float:
    serial = match["serial"] or match["special"]
    return 0.95 if sum(one.isdigit() for one in serial) >= 2 else 0.0


RULES = (
    Rule(
        "PLATE",
        re.compile(
            rf"[{_PROVINCES}][ ·•.-]?[{_LETTERS}][ ·•.・-]?"
            rf"(?P<serial>[A-HJKa-hjk][{_LETTERS}0-9]\d{{4}}|\d{{5}}[A-HJKa-hjk]"
            rf"|[{_LETTERS}0-9]{{4}}[{_LETTERS}0-9挂学警港澳])"
            rf"(?![A-Za-z0-9])|(?<![A-Za-z])(?P<special>WJ[ ·•]?[{_PROVINCES}0-9]\d{{4}}[0-9A-Z]"
            rf"|使\d{{6}}|\d{{6}}使)(?![A-Za-z0-9])"
        ),
        _plate,
    ),
)
