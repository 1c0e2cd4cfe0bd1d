"""Makes the tables anew that come from lists of others: ``python -m hauberk.privacy.text.make_tables``.

Chinese words and their use come from the word list of jieba (MIT, see ``tables/NOTICE``); what given names
are made of, from the names in it and from ``made_from_zh.txt``; English names, from the counts of the 1990
census of the United States, which are in the public domain; common English words, from Faker (MIT); all English
words, from SCOWL (see ``tables/NOTICE``). None of these is needed where the tables are used. The other
tables are written by hand.
"""

from __future__ import annotations

import argparse
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

from hauberk.privacy.text.tables import kinds

Spelt = Callable[[str], int]  # how little the last two characters look like a given name

_HERE = Path(__file__).parent / "tables"
_HAN = re.compile(r"[\u4e00-\u9fff]+")
_SMALLEST_USE = 10
_SMALLEST_USE_AFTER_SURNAME = 3  # rare words that begin as a name does are those that would be taken for one
_WORD_USE_OF_TODAY = 1500
_SURNAME_IS_NO_WORD = 30  # a surname's own use is in names, but for so small a share
_NEW_GIVEN_WEIGHT = 25
_MORE_GIVEN_WEIGHT = 8
_VERB_USE = 60
_RAREST_SOUND = 85
_COMMON = 1.7  # a surname's share, in thousandths
_RARE = 100
_LIKE_A_NAME = 145
_SEEN_OFTEN = 3  # given names as a whole
_PLACES = frozenset("村庄屯县镇乡坝湾坡桥店区市省州路街巷寺庙山河湖海岛港站寨堡沟江国里元一分年月日生人子机学")
_KINDS = kinds("made_from_zh.txt")
_SOUNDS = frozenset("".join(kinds("cues_zh.txt")["sound"]))


def _cost(count: float, total: float) -> int:
    """Minus the natural logarithm of the share, in tenths."""
    return round(-10 * math.log(count / total))


def _surnames() -> dict[str, float]:
    lines = (_HERE / "surnames_zh.txt").read_text("utf-8").splitlines()
    return {one: float(line.split()[0]) for line in lines if line[0] != "#" for one in line.split()[1:]}


def _is_word(word: str, use: int, tag: str, surnames: dict[str, float], spelt: Spelt) -> bool:
    if word in _KINDS["word"]:
        return True
    begins = word[0] in surnames
    if word in _KINDS["name"] or (
        len(word) == 3
        and surnames.get(word[0], 0) >= _COMMON
        and word[-1] not in _PLACES
        and use < _RARE
        and spelt(word) < _LIKE_A_NAME
    ):
        return False
    if tag == "nrt" and len(word) > 2:
        return True  # transliterated: no Chinese name, though it may begin as one
    if tag.startswith("nr"):
        least = _RARE if not begins else _RARE // 3 if surnames[word[0]] < _COMMON else math.inf
        return len(word) == 2 and use >= least
    return use >= (_SMALLEST_USE_AFTER_SURNAME if begins and len(word) < 4 else _SMALLEST_USE)


def _is_foreign_place(word: str, tag: str) -> bool:
    """A longer name that is transliterated, so that no name is found within: 阿尔及利亚."""
    return tag in ("ns", "nrt") and len(word) < 9 and sum(one in _SOUNDS for one in word) >= len(word) - 2


def words(listed: list[tuple[str, int, str]], surnames: dict[str, float], spelt: Spelt) -> str:
    """Lines of a cost and the words that have it."""
    uses = {
        word: use
        for word, use, tag in listed
        if (_is_foreign_place(word, tag) if len(word) > 4 else _is_word(word, use, tag, surnames, spelt))
    }
    single = ((word, use, tag) for word, use, tag in listed if len(word) == 1)
    uses |= {word: use // _SURNAME_IS_NO_WORD if tag.startswith("nr") else use for word, use, tag in single}
    today = (_HERE / "words_more_zh.txt").read_text("utf-8").splitlines()
    for line in today:
        for word in line.split() if line[0] != "#" else ():
            uses[word] = max(uses.get(word, 0), _WORD_USE_OF_TODAY)
    total = sum(use for _, use, _ in listed)
    by_cost = defaultdict(list)
    for word in sorted(uses):
        by_cost[_cost(max(uses[word], 1), total)].append(word)
    return "".join(f"{cost} {' '.join(by_cost[cost])}\n" for cost in sorted(by_cost))


def given(listed: list[tuple[str, int, str]], surnames: dict[str, float]) -> str:
    """Lines of a character and its costs (first of two, second of two, alone), or of two and their cost."""
    first: Counter[str] = Counter()
    second: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    whole = Counter(dict.fromkeys(_KINDS["word_as_given"], 2 * _SEEN_OFTEN))
    titles = frozenset(_KINDS["no_given"])
    for word, _, tag in listed:
        if word[1:] in titles:
            continue
        if tag == "nr" and word[0] in surnames and len(word) == 3:
            first[word[1]] += 1
            second[word[2]] += 1
            whole[word[1:]] += 1
        elif tag == "nr" and word[0] in surnames and len(word) == 2 and word not in _KINDS["word"]:
            alone[word[1]] += 1
    for name in _KINDS["given"]:
        if len(name) == 1:
            alone[name] += _NEW_GIVEN_WEIGHT
            first[name] += 2
            second[name] += _NEW_GIVEN_WEIGHT // 2
        else:
            first[name[0]] += _NEW_GIVEN_WEIGHT
            second[name[1]] += _NEW_GIVEN_WEIGHT
            whole[name] += _NEW_GIVEN_WEIGHT // 2
    for name in _KINDS["given_more"]:
        first[name[0]] += _MORE_GIVEN_WEIGHT
        second[name[1]] += _MORE_GIVEN_WEIGHT
        whole[name] += _MORE_GIVEN_WEIGHT
    for name in _KINDS["alone_more"]:
        alone[name] += _MORE_GIVEN_WEIGHT
    for one in first + second:  # what stands in names of two characters can stand alone, less often
        alone[one] += (first[one] + second[one]) / 8  # type: ignore[assignment]
    places = (first, second, alone)
    totals = [sum(one.values()) for one in places]
    lines = []
    for one in sorted(alone):
        if first[one] + second[one] + alone[one] < 1:
            continue
        costs = [_cost(place[one] + 0.3, total) for place, total in zip(places, totals, strict=True)]
        lines.append(f"{one} {costs[0]} {costs[1]} {costs[2]}\n")
    lines += [
        f"{name} {_cost(count, totals[0])}\n" for name, count in sorted(whole.items()) if count >= _SEEN_OFTEN
    ]
    return "".join(lines)


def verbs(listed: list[tuple[str, int, str]]) -> str:
    """One line of verbs and adverbs of two characters, which often follow a name."""
    kept = (word for word, use, tag in listed if len(word) == 2 and use >= _VERB_USE and tag in ("v", "d"))
    return " ".join(sorted(set(kept) - set(_KINDS["no_verb"]))) + "\n"


def sounds(listed: list[tuple[str, int, str]]) -> str:
    """Lines of a cost and the characters that have it in names of other tongues."""
    counts = Counter(one for word, _, tag in listed if tag == "nrt" and len(word) > 2 for one in word)
    allowed = dict.fromkeys("".join(kinds("cues_zh.txt")["sound"]))
    total = sum(counts.values())
    by_cost = defaultdict(list)
    for one in allowed:
        by_cost[min(_cost(max(counts[one], 1), total), _RAREST_SOUND)].append(one)
    return "".join(f"{cost} {' '.join(by_cost[cost])}\n" for cost in sorted(by_cost))


def english(folder: Path) -> str:
    """Two lines: given names and surnames, most frequent first."""

    def read(name: str, most: int) -> list[str]:
        lines = (folder / name).read_text("ascii").splitlines()[:most]
        return [line.split()[0].capitalize() for line in lines]

    both = dict.fromkeys(read("dist.male.first", 1219) + read("dist.female.first", 3000))
    return f"{' '.join(both)}\n{' '.join(read('dist.all.last', 12000))}\n"


def common_english() -> str:
    """One line of the words that Faker makes sentences from."""
    from faker.providers.lorem.en_US import Provider

    return " ".join(sorted({one.lower() for one in Provider.word_list if one.isalpha()})) + "\n"


def lexicon_english(folder: Path) -> str:
    """Lines of the words of SCOWL up to size 50; what is rarer than size 40 and a name is left out."""

    def read(sizes: tuple[int, ...]) -> set[str]:
        kinds = ("english", "american", "british")
        paths = (folder / f"{kind}-words.{size}" for kind in kinds for size in sizes)
        words = (one for path in paths if path.exists() for one in path.read_text("latin-1").split())
        return {one for one in words if re.fullmatch("[a-z]{2,}", one)}

    names = {one.lower() for one in (_HERE / "names_en.txt").read_text("ascii").split()}
    for table in (kinds("more_en.txt"), kinds("people_en.txt")):
        names |= {one.lower() for kind in ("given", "surnames") for one in table.get(kind, ())}
    all_words = sorted(read((10, 20, 35, 40)) | (read((50,)) - names))
    return "".join(f"{' '.join(all_words[at : at + 200])}\n" for at in range(0, len(all_words), 200))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("jieba", type=Path, help="dict.txt of jieba")
    parser.add_argument(
        "census", type=Path, help="the folder with dist.all.last, dist.male.first, dist.female.first"
    )
    parser.add_argument("scowl", type=Path, help="the folder with english-words.10 and the others")
    arguments = parser.parse_args()
    lines = (line.split() for line in arguments.jieba.read_text("utf-8").splitlines())
    listed = [(one[0], int(one[1]), one[2]) for one in lines if _HAN.fullmatch(one[0])]
    surnames = _surnames()
    table = given(listed, surnames)
    (_HERE / "given_zh.txt").write_text(table, "utf-8")
    costs = {line.split()[0]: [int(one) for one in line.split()[1:]] for line in table.splitlines()}
    rare = [_LIKE_A_NAME] * 3

    def spelt(word: str) -> int:
        return costs.get(word[1], rare)[0] + costs.get(word[2], rare)[1]

    (_HERE / "words_zh.txt").write_text(words(listed, surnames, spelt), "utf-8")
    (_HERE / "verbs_zh.txt").write_text(verbs(listed), "utf-8")
    (_HERE / "sounds_zh.txt").write_text(sounds(listed), "utf-8")
    (_HERE / "names_en.txt").write_text(english(arguments.census), "utf-8")
    (_HERE / "words_en.txt").write_text(common_english(), "utf-8")
    (_HERE / "lexicon_en.txt").write_text(lexicon_english(arguments.scowl), "utf-8")


if __name__ == "__main__":
    main()
