"""Words, answers and figures put together: what a learner reads before and after an exercise.

The texts are broken into lines as they stand; nothing here wraps them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Literal

from hauberk.learn import EXERCISES
from hauberk.learn.exercise import Choice, Guess, Outcome, Picture, Question

Lang = Literal["en", "zh"]
_INK = " ░▒▓█"
_WIDE = 2  # characters of a terminal are twice as high as wide
_GAP = 6


@cache
def texts(lang: Lang) -> Mapping[str, Any]:
    """All words of a language."""
    return tomllib.loads(resources.files("hauberk.learn").joinpath("texts", f"{lang}.toml").read_text("utf-8"))


def listing(lang: Lang, done: frozenset[str] = frozenset()) -> str:
    """All exercises, a line each."""
    words = texts(lang)
    lines = [words["common"]["list"], ""]
    for name in EXERCISES:
        mark = f"  [{words['common']['done']}]" if name in done else ""
        lines.append(f"  {name:<8}{words[name]['line']}{mark}")
    return "\n".join(lines)


def opening(name: str, lang: Lang, facts: Mapping[str, Any]) -> str:
    """Title and story.

    Args:
        facts: figures that the story names, which an exercise knows beforehand.
    """
    own = texts(lang)[name]
    return f"{own['title']}\n\n{own['story'].format_map(facts)}"


def question(name: str, lang: Lang, asked: Question) -> str:
    """One question, with what may be answered."""
    text: str = texts(lang)[name]["ask"][asked.key]
    if isinstance(asked, Choice):
        return f"{text} [{', '.join(asked.choices)}]"
    span = texts(lang)["common"]["number"].format(low=f"{asked.low:g}", high=f"{asked.high:g}")
    return f"{text} [{span}]"


def ending(name: str, lang: Lang, outcome: Outcome) -> str:
    """What happened, how good the prediction was, why, what would have protected, where to read on."""
    own, common = texts(lang)[name], texts(lang)["common"]
    parts = [_of_case(own, "result", outcome.case).format_map(outcome.figures)]
    if outcome.pictures:
        parts.append(_side_by_side(outcome.pictures, common["read_as"]))
    parts += [
        verdict(outcome.guess, lang),
        _of_case(own, "why", outcome.case),
        f"{common['protects']}\n{own['protects']}",
        f"{common['read']}: {', '.join(own['read'])}",
        _what_next(name, common),
    ]
    return "\n\n".join(part.strip("\n") for part in parts)


def verdict(guess: Guess, lang: Lang) -> str:
    """The prediction beside the truth."""
    number = not isinstance(guess.truth, str)
    key = ("close" if number else "right") if guess.right else ("far" if number else "wrong")
    sentence: str = texts(lang)["common"][key]
    return sentence.format(guessed=_shown(guess.guessed), truth=_shown(guess.truth))


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _of_case(own: Mapping[str, str], part: str, case: str) -> str:
    return own.get(f"{part}_{case}") or own[part]


def _what_next(name: str, common: Mapping[str, str]) -> str:
    number = EXERCISES.index(name) + 1
    if number == len(EXERCISES):
        return common["all_done"]
    return common["next"].format(name=EXERCISES[number])


def _side_by_side(pictures: tuple[Picture, ...], caption: str) -> str:
    drawn = [["".join(_ink(one) * _WIDE for one in row) for row in picture.rows] for picture in pictures]
    captions = [caption.format(label=one.read_as, certainty=round(100 * one.certainty)) for one in pictures]
    width = max(*(len(part[0]) for part in drawn), *map(_columns, captions)) + _GAP
    lines = [("".join(row.ljust(width) for row in rows)).rstrip() for rows in zip(*drawn, strict=True)]
    lines.append("".join(one + " " * (width - _columns(one)) for one in captions).rstrip())
    return "\n".join(f"  {line}" for line in lines)


def _ink(value: float) -> str:
    return _INK[min(len(_INK) - 1, max(0, round(value * (len(_INK) - 1))))]


def _columns(text: str) -> int:
    """Columns of a terminal that a text takes."""
    from rich.cells import cell_len

    return cell_len(text)
