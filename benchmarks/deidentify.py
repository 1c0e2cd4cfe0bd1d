"""How well and how fast people are found in text, and Presidio beside it on the same lines.

    python benchmarks/deidentify.py

Quality: lines of ``benchmarks/people`` (chats, medical notes, contracts, news, forms, court papers, e-mails,
logs, Chinese and English, with decoys), each value counted as found only where start, end and type are exact.
Types are compared under Presidio's words where it has one, for it does not tell mobile from landline. Presidio
runs with all of its own recognisers for English and no language model, because none may be downloaded; so it
finds no names, and the figures for it are those of its patterns.

Names once more on ``people/hard.jsonl``: 370 lines, half of whose names are words too or beside words that run
into them, by somebody who had not seen the detector. A title with a surname (王主任) counts neither way there.

Speed: rows a second on one core, of the same lines in one call each, without what both load once. And the
whole command, from file to file with the record, on a CSV of seven columns (five of them named for what they
hold, one of notes) and on the lines as a text; the second detector's look at the first 4 MB is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from pages import put
from people.filling import Filled, texts

from hauberk.privacy.text.deidentify import deidentify
from hauberk.privacy.text.detector import Detector
from hauberk.privacy.text.finding import TYPES, Finding
from hauberk.privacy.text.policy import Policy
from hauberk.privacy.text.presidio import ENTITIES, from_presidio

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "deidentification.md"
SETS = ("first_zh", "second_zh", "third_zh", "first_en", "second_en", "third_en")
STRUCTURED = frozenset(TYPES) - {"NAME", "ADDRESS"}
GOALS = {"structured": 20_000, "all": 5_000}
Find = Callable[[Sequence[str]], list[list[Finding]]]


def presidio() -> Find:
    """All of Presidio's recognisers for English that need no model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from presidio_analyzer import RecognizerRegistry

        registry = RecognizerRegistry()
        registry.load_predefined_recognizers(languages=["en"])
    own = [one for one in registry.recognizers if type(one).__name__ != "SpacyRecognizer"]
    kinds = [kind for one in own for kind in from_presidio(one)]

    def find(lines: Sequence[str]) -> list[list[Finding]]:
        return [best([found for kind in kinds for found in kind.find(line)]) for line in lines]

    return find


def best(found: list[Finding]) -> list[Finding]:
    """The surest of those that overlap, as Presidio's own anonymiser takes them."""
    kept: list[Finding] = []
    for one in sorted(found, key=lambda each: (-each.score, each.start - each.end)):
        if all(one.end <= other.start or other.end <= one.start for other in kept):
            kept.append(one)
    return kept


def shared(type: str) -> str:
    """The type under the word that both have."""
    return ENTITIES.get(type, type)


def count(
    lines: Sequence[Filled], found: Sequence[Sequence[Finding]], word: Callable[[str], str]
) -> dict[str, list[int]]:
    """By type: found exactly, found and not there, there and not found."""
    counts: dict[str, list[int]] = {}
    for one, said in zip(lines, found, strict=True):
        truth = {(start, end, word(type)) for start, end, type in one.places}
        claimed = {(each.start, each.end, word(each.type)) for each in said}
        for place, group in enumerate((truth & claimed, claimed - truth, truth - claimed)):
            for *_, type in group:
                counts.setdefault(type, [0, 0, 0])[place] += 1
    return counts


def quality(counts: dict[str, list[int]]) -> dict[str, dict[str, float | int | None]]:
    """Precision, recall and the number of values of each type that stands in the lines."""
    return {
        type: {
            "values": right + missed,
            "precision": right / (right + wrong) if right + wrong else None,
            "recall": right / (right + missed),
        }
        for type, (right, wrong, missed) in sorted(counts.items())
        if right + missed
    }


def hard_names(detector: Detector) -> dict[str, dict[str, float | int | None]]:
    """Names on the hard lines, by language."""
    lines = [json.loads(one) for one in (HERE / "people" / "hard.jsonl").read_text("utf-8").splitlines()]
    counts: dict[str, list[int]] = {}
    for one, found in zip(lines, detector.find_all([each["text"] for each in lines]), strict=True):
        truth = {tuple(place) for place in one["names"]}
        claimed = {(each.start, each.end) for each in found if each.type == "NAME"}
        wrong = [
            (start, end)
            for start, end in claimed - truth
            if not any(start < stop and begin < end for begin, stop in one["partial"])
        ]
        here = counts.setdefault(f"hard_{one['lang']}", [0, 0, 0])
        for place, group in enumerate((truth & claimed, wrong, truth - claimed)):
            here[place] += len(group)
    return quality(counts)


def rows_per_second(find: Find, lines: Sequence[str], rounds: int) -> dict[str, float]:
    """The median over rounds, with the lowest and the highest."""
    find(lines[:50])
    speeds = []
    for _ in range(rounds):
        began = time.process_time()
        find(lines)
        speeds.append(len(lines) / (time.process_time() - began))
    return {"median": statistics.median(speeds), "lowest": min(speeds), "highest": max(speeds)}


COLUMNS = "编号,姓名,身份证号,手机号,邮箱,卡号,备注"
NOTES = (
    "第{}次来访，无特殊情况",
    "已回电1380{:07d}，等待确认",
    "客户要求开发票，金额{}元",
    "投诉编号{}，已转交",
    "VIP {}",
    "",
)
ROWS = 20_000


def seven_columns(path: Path) -> None:
    """Made-up people; their numbers look right and are nobody's."""
    chance = random.Random(0)  # noqa: S311
    with open(path, "w", encoding="utf-8") as file:
        print(COLUMNS, file=file)
        for row in range(ROWS):
            born = f"{chance.randrange(1950, 2005)}{chance.randrange(1, 13):02d}{chance.randrange(1, 29):02d}"
            cells = (
                row,
                "".join(chance.choice(letters) for letters in ("王李张刘陈", "伟芳娜敏静", "伟芳娜敏静")),
                f"{chance.choice(('110105', '310101', '440304'))}{born}{chance.randrange(10_000):04d}",
                f"13{chance.randrange(10**9):09d}",
                f"u{row}@mail.cn",
                f"622202{chance.randrange(10**13):013d}",
                chance.choice(NOTES).format(chance.randrange(10**6)),
            )
            print(*cells, sep=",", file=file)


def whole_command(lines: Sequence[str], rounds: int) -> dict[str, dict[str, float]]:
    """Rows a second of ``deidentify``, with tags: a table without names to be sought, one with, and text."""
    numbers = Policy(types_sought=STRUCTURED)
    with tempfile.TemporaryDirectory() as place:
        table, text, out = (Path(place) / name for name in ("in.csv", "in.txt", "out"))
        seven_columns(table)
        text.write_text("\n".join(lines) + "\n", encoding="utf-8")
        runs = {"table, structured": (table, numbers, ROWS), "table": (table, Policy(), ROWS),
                "text": (text, Policy(), len(lines))}  # fmt: skip
        found = {}
        for name, (source, policy, rows) in runs.items():
            speeds = []
            for _ in range(rounds + 1):  # the first one loads
                began = time.process_time()
                deidentify(source, out, policy, overwrite=True, looked_bytes=0)
                speeds.append(rows / (time.process_time() - began))
            speeds = speeds[1:]
            found[name] = {"median": statistics.median(speeds), "lowest": min(speeds), "highest": max(speeds)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20, help="how often each template is filled")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "deidentify.json")
    arguments = parser.parse_args()
    sets = {name: texts(name, times=arguments.times) for name in SETS}
    everything = [one for each in sets.values() for one in each]
    lines = [one.line for one in everything]
    ours, structured, theirs = Detector(), Detector(types=STRUCTURED), presidio()
    found = {name: ours.find_all([one.line for one in each]) for name, each in sets.items()}
    record: dict[str, Any] = {
        "lines": len(lines),
        "characters": sum(map(len, lines)),
        "quality": {name: quality(count(each, found[name], str)) for name, each in sets.items()},
        "all": quality(count(everything, [one for name in SETS for one in found[name]], str)),
        "both": {
            "hauberk": quality(count(everything, [one for name in SETS for one in found[name]], shared)),
            "presidio": quality(count(everything, theirs(lines), shared)),
        },
        "hard": hard_names(ours),
        "rows_per_s": {
            "structured": rows_per_second(structured.find_all, lines, arguments.rounds),
            "all": rows_per_second(ours.find_all, lines, arguments.rounds),
            "presidio": rows_per_second(theirs, lines[::4], 1 if arguments.rounds < 3 else 3),
        },
        "whole_rows_per_s": whole_command(lines, arguments.rounds),
        "goals": GOALS,
        "versions": {name: metadata.version(name) for name in ("hauberk", "presidio-analyzer", "faker")},
        "machine": {"platform": platform.machine(), "cores": os.cpu_count()},
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(record, indent=1) + "\n")
    text = render(record)
    put(PAGE, "deidentify", text)
    print(text)


def share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def render(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    rows = [
        "| type | values | precision | recall | Presidio's precision | recall |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for type, one in record["all"].items():
        theirs = record["both"]["presidio"].get(shared(type), {"precision": None, "recall": None})
        ours = f"{one['values']} | {share(one['precision'])} | {share(one['recall'])}"
        rows.append(f"| {type} | {ours} | {share(theirs['precision'])} | {share(theirs['recall'])} |")
    rows += ["", "| names in | values | precision | recall |", "| --- | ---: | ---: | ---: |"]
    named = {name: by_type["NAME"] for name, by_type in record["quality"].items()} | record["hard"]
    for name, one in named.items():
        rows.append(f"| {name} | {one['values']} | {share(one['precision'])} | {share(one['recall'])} |")
    rows += ["", "| rows a second on one core | median | goal |", "| --- | ---: | ---: |"]
    speeds = record["rows_per_s"]
    rows.append(f"| numbers and codes | {speeds['structured']['median']:,.0f} | {GOALS['structured']:,} |")
    rows.append(f"| names and addresses too | {speeds['all']['median']:,.0f} | {GOALS['all']:,} |")
    ratio = speeds["all"]["median"] / speeds["presidio"]["median"]
    rows.append(f"| Presidio's patterns ({ratio:.0f} times slower) | {speeds['presidio']['median']:,.0f} | |")
    rows += [
        "",
        "| the whole command, rows a second on one core | median (range) | goal |",
        "| --- | ---: | ---: |",
    ]
    wholes = {"table, structured": ("a table of seven columns, numbers and codes", GOALS["structured"]),
              "table": ("the same, names and addresses too", GOALS["all"]),
              "text": ("lines of text", GOALS["all"])}  # fmt: skip
    for name, (said, goal) in wholes.items():
        one = record["whole_rows_per_s"][name]
        rows.append(
            f"| {said} | {one['median']:,.0f} ({one['lowest']:,.0f}–{one['highest']:,.0f}) | {goal:,} |"
        )
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    mean = record["characters"] / record["lines"]
    rows += ["", f"{record['lines']:,} lines of {mean:.0f} characters on average. {versions}."]
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()
