"""What the tables know about a capitalised English word, as one number, looked up once for each spelling."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from hauberk.privacy.text import tables

GIVEN, SURNAME = 1, 2
WORD = 4  # also a word written small
COMMON = 8  # one of the thousand commonest, a month or a day
THING = 16  # a town, a people, a product
FOLLOWER = 32  # after a name it makes it a street or a firm
NEVER = 64  # of these, what is no surname either
TITLE, ALONE = 128, 256  # ALONE: a title that a surname alone follows
PLACE = 512  # what stands before the names of towns, ships and storms
FIRM = 1024  # a word, yet a name where it is large inside a sentence
SOFT = 2048  # of these, what is a word as often
INITIAL, PARTICLE = 4096, 8192  # J., T.J.; Van, Abu
LOUD = 16384  # capitals only
PINYIN = 32768  # a surname of China
RARE = 65536  # in no table

_PARTICLES = frozenset(
    (
        "Van",
        "Von",
        "De",
        "Di",
        "Da",
        "Del",
        "Du",
        "Dos",
        "Della",
        "Ter",
        "Ten",
        "Bin",
        "Ibn",
        "Abu",
        "Mac",
        "Ní",
        "Ó",
    )
)
_ARTICLES = re.compile(r"^(?:al|el|ad|as|ash|an|ar|ul)-|^d['’]")  # al-Rashid, d'Arc
_MOST_KEPT = 50_000  # spellings; a long text full of others is no reason to fill the memory
_kept: dict[str, int] = {}


def spelt(token: str) -> str:
    """A word as the tables spell it: no accents, one capital, the first part of what a hyphen joins."""
    bare = token.rstrip(".").replace("’", "'")
    if not bare.isascii():
        bare = "".join(one for one in unicodedata.normalize("NFD", bare) if not unicodedata.combining(one))
        bare = bare.translate(_STROKES)
    if "-" in bare:
        first = bare.partition("-")[0]
        bare = first if len(first) > 1 else bare
    return bare.capitalize() if bare.isupper() and len(bare) > 1 else bare


_STROKES = str.maketrans({"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i", "ß": "ss",
                          "æ": "ae", "Æ": "Ae", "þ": "th", "Þ": "Th"})  # fmt: skip


def flags(token: str) -> int:
    """All that the tables say about a word, as it stands in the text."""
    known = _kept.get(token)
    if known is None:
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        known = _kept[token] = _flags(token)
    return known


def _flags(token: str) -> int:
    sets = _sets()
    title = token.capitalize() if token in ("MR.", "MRS.", "MS.", "DR.", "MR", "MRS", "MS", "DR") else token
    if title in sets["title"] or title.rstrip(".") in sets["title"]:
        return TITLE | (ALONE if title.rstrip(".") in sets["alone"] else 0)
    if token in sets["before"]:
        return PLACE | (SURNAME if token in sets["surname"] else 0)
    bare = token.rstrip(".")
    if token in ("I", "A") or token in sets["behind"]:
        return WORD | COMMON
    if len(bare) == 1 or re.fullmatch(r"(?:\w\.){2,4}", token):
        return INITIAL | (PARTICLE if bare == "Ó" else 0)
    if token in _PARTICLES:
        return PARTICLE | WORD
    token = _ARTICLES.sub("", token)
    word = spelt(token)
    found = LOUD if bare.isupper() else 0
    found |= (word in sets["given"]) * GIVEN | (word in sets["surname"]) * SURNAME
    found |= (word in sets["thing"]) * THING | (word in sets["pinyin"]) * PINYIN
    found |= (word in sets["follower"] or token in sets["follower"]) * FOLLOWER
    found |= (word in sets["word"]) * COMMON | (word in sets["never"]) * NEVER
    if word in sets["firm"]:
        return found | GIVEN | FIRM | (word in sets["soft"]) * SOFT
    if "-" in token and found & SURNAME and not found & FOLLOWER:
        return found  # Smith-Jones is no smith
    small = word.lower()
    named = found & (GIVEN | SURNAME)  # Martins is no more than one martin
    if word in sets["word"] or small in sets["small"] or (not named and _is_inflected(small, sets["small"])):
        found |= WORD
    joined = bare.replace("’", "'")
    if (
        "-" in joined
        and not found & (GIVEN | SURNAME)
        and any(one.lower() in sets["small"] for one in joined.split("-"))
    ):
        found |= WORD  # Harley-Davidson is listed, Follow-Up is two words
    return found or RARE


def _is_inflected(word: str, small: frozenset[str]) -> bool:
    return len(word) > 5 and (
        (word.endswith("s") and word[:-1] in small) or (word.endswith("ing") and word[:-3] in small)
    )


def word_set(name: str, kind: str) -> frozenset[str]:
    return frozenset(tables.kinds(name).get(kind, ()))


@cache
def _sets() -> dict[str, frozenset[str]]:
    given, surnames = tables.english()
    more, things = tables.kinds("more_en.txt"), tables.kinds("things_en.txt")
    people = tables.kinds("people_en.txt")
    titles = frozenset((*more["titles"], *things["title"]))
    return {
        "given": given | {spelt(one) for one in (*more["given"], *people["given"], *more["soft"])},
        "surname": surnames | {spelt(one) for one in people["surnames"]},
        "word": frozenset(more["words"]) | tables.common_english(),
        "small": tables.lexicon_english() | word_set("cues_en.txt", "role"),
        "thing": frozenset(things["place"]) | frozenset(things["brand"]),
        "follower": frozenset(more["organisations"]) | frozenset(things["follower"]),
        "firm": frozenset(things["firm"]) | frozenset(more["soft"]),
        "never": frozenset(things["never"]),
        "soft": frozenset(more["soft"]),
        "behind": frozenset(things["behind"]),
        "title": titles,
        "alone": frozenset(one.rstrip(".") for one in (*more["titles_alone"], *things["title"])),
        "before": frozenset((*more["places"], *things["before"])),
        "pinyin": frozenset(more["pinyin"]),
    }


@cache
def phrases() -> frozenset[tuple[str, str]]:
    """First and second word of what is one thing: Wells Fargo, Monte Carlo."""
    listed = (one.split("_") for one in tables.kinds("things_en.txt")["phrase"])
    return frozenset((one[0], one[1]) for one in listed)


@cache
def houses() -> frozenset[str]:
    """Names that are shops or illnesses where 's follows: Macy's, Crohn's."""
    return word_set("things_en.txt", "house")
