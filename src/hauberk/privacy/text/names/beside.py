"""What stands beside a place in Chinese text, and how much it speaks for a name there (tenths of nats)."""

from __future__ import annotations

from hauberk.privacy.text.names import cues

EDGE = 9  # a run begins or ends here
_SEX = 60  # 男 or 女 follows
_SEPARATORS = ":：=\"' \t（(【[|,，、;；/<《“‘@#.*-1234567890\x0b"
_STRIPPED = " \t:：=\"'“‘（(【["


class Beside:
    """Looks left and right of places in one text, once at each."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._left: dict[int, int] = {}
        self._right: dict[int, int] = {}

    def left(self, place: int) -> int:
        """What stands before a place and speaks for a name."""
        known = self._left.get(place)
        if known is None:
            known = self._left[place] = _left(self._text, place)
        return known

    def right(self, place: int) -> int:
        """What stands after a place and speaks for a name."""
        known = self._right.get(place)
        if known is None:
            known = self._right[place] = _right(self._text, place)
        return known


def _left(text: str, place: int) -> int:
    """What stands before a place and speaks for a name."""
    held = text[max(0, place - 10) : place].rpartition("\n")[2]
    if not held:
        return EDGE
    last = held[-1]
    if last in _SEPARATORS:
        told = held.rstrip(_STRIPPED)
        for length in (6, 5, 4, 3, 2, 1):
            if told[-length:] in cues.LABELS and len(told) >= length:
                return cues.LABELS[told[-length:]]
        return EDGE
    if not is_han(last):
        return EDGE
    for length in (4, 3, 2, 1):
        spoken = cues.LEFT.get(held[-length:])
        if spoken is not None:
            return spoken
    return 0


def _right(text: str, place: int) -> int:
    """What stands after a place and speaks for a name."""
    following = text[place : place + 3]
    if not is_han(following[:1]):
        told = text[place : place + 5].lstrip('，, （(:：　\t、|/"')[:1]
        return _SEX if told in ("男", "女") else EDGE
    for length in (3, 2, 1):
        spoken = cues.RIGHT.get(following[:length])
        if spoken is not None:
            return spoken
    return 0


def is_han(one: str) -> bool:
    """Whether this is one Chinese character."""
    return "\u4e00" <= one <= "\u9fff"
