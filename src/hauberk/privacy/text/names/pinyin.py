"""Chinese names in Latin letters: a surname and a given name of one or two syllables, in either order."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hauberk.privacy.text.names import english_words as en

_SYLLABLE = (
    r"(?:(?:zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw])?(?:iang|iong|uang|ang|eng|ing|ong|iao|ian|uai"
    r"|uan|ai|ei|ao|ou|an|en|in|un|ia|ie"
    r"|iu|ua|uo|ui|ue|ve|er|a|o|e|i|u|v))"
)
_GIVEN = re.compile(rf"{_SYLLABLE}(?:[-' ]?{_SYLLABLE})?", re.IGNORECASE)


def _is_syllables(word: str) -> bool:
    return _GIVEN.fullmatch(word) is not None


def is_pinyin(words: Sequence[str], kinds: Sequence[int]) -> bool:
    """Whether the first two words are a name, as the tables spell and know them."""
    if len(words) < 2 or not (kinds[0] | kinds[1]) & en.PINYIN or kinds[0] & kinds[1] & en.WORD:
        return False
    if kinds[0] & en.PINYIN and not kinds[1] & en.WORD and _is_syllables(words[1]):
        return True
    return bool(kinds[1] & en.PINYIN) and not kinds[0] & (en.WORD | en.GIVEN) and _is_syllables(words[0])


def pinyin_length(words: Sequence[str], kinds: Sequence[int]) -> int:
    """Two words or three: Ouyang Na Na."""
    third = len(words) > 2 and len(words[2]) < 6 and kinds[0] & en.PINYIN and not kinds[2] & en.PINYIN
    return 3 if third and _is_syllables(words[2]) else 2
