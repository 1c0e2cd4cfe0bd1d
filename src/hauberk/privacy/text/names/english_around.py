"""How much the words around a capitalised English word speak for a person; 1 is a fair sign, -2 a bad one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from hauberk.privacy.text.names.english_words import word_set
from hauberk.privacy.text.page import before

_LABEL = re.compile(r"([A-Za-z_]+)[\"']?\s{0,3}[:=|\t][\"']?\s{0,3}[\"'“]?$")
_SAID_TO_BE = re.compile(
    r"(?:\bmy|his|her|their|whose|the) (?:(?:full|last|first|maiden) )?name(?:'s| is| was| be)? $"
)
_CHINESE_LABEL = re.compile(
    r"(?:姓名|联系人|收货人|客户|名字|叫|发件人|收件人|户名|持卡人|经理|患者)[：: ]{0,2}$"
)
_INTRODUCES = re.compile(
    r"\b(?:thank you|well done|I am|this is|call me|ask for|speak (?:to|with)|spoke (?:to|with)),? $",
    re.IGNORECASE,
)
_MARKS = frozenset(":=|\t\"'“")
_LAST_WORD = re.compile(r"\W*([A-Za-z](?:[\w'’-]|[.](?=\w))*)(,?) {1,3}$")
_NEXT = re.compile(r"(['’]s?\b|['’](?= ))?([,:;]?)( ?\(?)([A-Za-z]+(?:['’][a-z]+)?|\d+)?")
_WORD_AFTER = re.compile(r" ([a-z]+|[A-Z]+|\d\d(?= years))")
_ASKED = re.compile(
    r", (?:please|can you|could you|would you|will you|do you|are you|have you|did you|thanks|you\b)"
)
_AGED = re.compile(r",? ?\(?(?:aged )?\d{2}\)?(?:,| ?[yY]|[MF]\b|\))")
_STARTS = frozenset('.!?:;"“”•*>-–—([{|\t\n/')  # a sentence or an entry begins behind these
_QUOTED = re.compile(r"[\"”] (?:[a-z]{2,12}ed|[a-z]{2,12}s|said|wrote) $")  # "I quit," snapped Ann
PLACE_BEFORE, ARTICLE = -2.0, -1.5
_ROLE_BRACKET = re.compile(r"([A-Za-z]+) \($")
_OWNED = 0.6
_ENDS = frozenset(("", *"\n.,!?;"))
_HELPS = frozenset(("has", "had", "will", "would", "can", "could", "should", "did", "does",
                    "can't", "won't", "didn't", "doesn't"))  # fmt: skip
_PAST = re.compile(r"[a-z]{3,12}ed")


@dataclass(frozen=True, slots=True)
class _Cues:
    says: frozenset[str]
    acts: frozenset[str]
    state: frozenset[str]
    loose: frozenset[str]
    kin: frozenset[str]
    by: frozenset[str]
    strong: frozenset[str]
    role: frozenset[str]
    place: frozenset[str]
    article: frozenset[str]
    greets: frozenset[str]
    field: frozenset[str]
    follower: frozenset[str]
    owned: frozenset[str]


@cache
def _cues() -> _Cues:
    kinds = (
        "says",
        "acts",
        "is",
        "loose",
        "kin",
        "by",
        "strong",
        "role",
        "place_before",
        "article",
        "greets",
        "field",
    )
    listed = [word_set("cues_en.txt", one) for one in kinds]
    more = [word_set("things_en.txt", one) for one in ("follower", "owned")]
    return _Cues(*listed, *more)


@dataclass(frozen=True, slots=True)
class Around:
    """What stands beside a run of words.

    Args:
        left, right: how much it speaks for a person.
        starts: whether a sentence or an entry begins here, so that any word would be large.
        labelled: whether a form's field, a greeting or the like asks for a name here.
        barred: whether what follows makes it a street, a firm or an illness.
        owned: whether something is said to be his or hers.
        ends: whether a clause ends here.
    """

    left: float
    right: float
    starts: bool
    labelled: bool
    barred: bool
    owned: bool
    ends: bool


def around(text: str, start: int, end: int) -> Around:
    """Judges the words beside ``text[start:end]``."""
    cues = _cues()
    left, starts, labelled, barred = _left(text, start, end, cues)
    right, stopped = _right(text, end, cues)
    if starts and text.startswith(": ", end) and not before(text, start, 1):
        right = 1.2  # who speaks
    return Around(
        left, right, starts, labelled, barred or stopped, right == _OWNED, text[end : end + 1] in _ENDS
    )


def _left(text: str, start: int, end: int, cues: _Cues) -> tuple[float, bool, bool, bool]:
    held = before(text, start, 48)
    if not held.strip(" -~–—"):
        return (2.0 if held.strip() and text[end : end + 1] in ("", "\n") else 0.0), True, False, False
    if held.endswith(("& ", "/ ")):
        return 0.0, False, False, held.endswith("& ") and not held.endswith(", & ")
    bare = held.rstrip(" ")
    label = _LABEL.search(held) if bare[-1] in _MARKS else None
    if label:
        word = label[1].lower().rpartition("_")[2]
        if word in cues.field or word in cues.role:
            return 3.0, True, True, False
    if "ame" in held and _SAID_TO_BE.search(held):
        return 3.0, False, True, False
    if not held.isascii() and _CHINESE_LABEL.search(held):
        return 3.0, False, True, False
    if ('"' in held or "”" in held) and _QUOTED.search(held):
        return 1.8, False, False, False
    bracket = _ROLE_BRACKET.search(held) if bare[-1] == "(" else None
    if bracket and bracket[1].lower() in cues.role:
        return 1.8, False, False, False
    last_word = _LAST_WORD.match(bare[bare.rfind(" ") + 1 :] + held[len(bare) :])
    if last_word is None:
        last = bare[-1]
        return (-1.0 if last.isdigit() else 0.0), last in _STARTS, False, False
    if last_word[1].lower() in cues.greets or _INTRODUCES.search(held):
        return 2.0, False, False, False
    return _after_word(last_word[1], last_word[2], cues), False, False, False


def _after_word(raw: str, comma: str, cues: _Cues) -> float:
    word = raw.lower()
    if comma:
        return 0.3 if word not in cues.role else 1.0
    if word in cues.strong:
        return 2.0
    if word in cues.role:
        return 1.8
    if word in cues.place:
        return PLACE_BEFORE
    if word in cues.article:
        return ARTICLE
    return 1.0 if word in cues.by or _PAST.fullmatch(word) else 0.0


def _right(text: str, end: int, cues: _Cues) -> tuple[float, bool]:
    if text.startswith(" & ", end) or text.startswith("&", end):
        return 0.0, True
    following = _NEXT.match(text, end)
    if following is None:
        return 0.0, False
    owns, sign, gap, word = following[1], following[2], following[3], following[4] or ""
    if _AGED.match(text, end):
        return 1.5, False
    if (word in cues.follower or (owns and word in cues.owned)) and not sign and gap == " ":
        # Anna's garden is Anna's, and Mercedes parts are nobody's
        return (0.0, True) if not owns or word[0].isupper() or word in cues.owned else (_OWNED, False)
    if owns:
        return _OWNED, False
    if sign == ":" and not gap:
        return 0.0, False
    if sign and _ASKED.match(text, end):
        return 1.7, False
    if sign == "," or not gap or "(" in gap:
        return 0.2 if sign == "," and word in ("who", "whose") else 0.0, False
    return _before_word(text, end + len(gap), word, cues), False


def _before_word(text: str, place: int, word: str, cues: _Cues) -> float:
    if word.isupper() and len(word) > 1:
        word = word.lower()  # DESHAWN IS OUT
    if not word[1:].islower():
        return 0.0
    if word in cues.says:
        return 2.0
    if word in cues.acts:
        return 1.4
    if word in ("is", "was", "isn't", "wasn't"):
        second = _WORD_AFTER.match(text, place + len(word))
        if second and second[1].lower() in cues.loose:
            return 1.0
        return (
            1.3
            if second
            and (second[1].isdigit() or second[1].lower() in cues.state or _PAST.fullmatch(second[1].lower()))
            else 0.3
        )
    if word in _HELPS:
        return 1.2
    if word == "to":
        return 1.0
    if word in ("are", "were"):
        second = _WORD_AFTER.match(text, place + len(word))
        return 2.0 if second and second[1] in cues.kin else 0.3
    if word == "and":
        return 0.5
    if word == "of":
        return -1.0  # Bill of Rights
    if word in ("who", "whose", "whom", "herself", "himself"):
        return 1.3
    return 1.0 if _PAST.fullmatch(word) else 0.0
