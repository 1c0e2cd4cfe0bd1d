"""Each exercise is run for real; what it says is held against what must be true of any such model."""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from rich.cells import cell_len

from hauberk.core.errors import ConfigError, UnknownName
from hauberk.core.progress import SILENT
from hauberk.learn import EXERCISES, Exercise, find
from hauberk.learn.exercise import Choice, Guess, Number, Outcome, answered
from hauberk.learn.telling import ending, opening, question, texts, verdict

LANGS: tuple[Literal["en", "zh"], ...] = ("en", "zh")


def run(name: str, **given: object) -> Outcome:
    chosen = find(name)
    typed = {key: str(value) for key, value in given.items()}
    return chosen.run(answered(chosen, typed), seed=0, progress=SILENT)


@pytest.fixture(scope="module")
def usual() -> Callable[[str], Outcome]:
    """Each exercise with its usual answers, run once."""
    kept: dict[str, Outcome] = {}

    def outcome(name: str) -> Outcome:
        return kept.setdefault(name, kept.get(name) or run(name))

    return outcome


QUICK = [
    pytest.param(name, marks=pytest.mark.slow) if name in ("harden", "watch") else name for name in EXERCISES
]


@pytest.mark.parametrize("name", QUICK)
def test_an_exercise_tells_its_story_in_both_languages(name: str, usual: Callable[[str], Outcome]) -> None:
    chosen, outcome = find(name), usual(name)
    assert chosen.name == name
    for lang in LANGS:
        told = opening(name, lang, chosen.facts) + "\n" + ending(name, lang, outcome)
        assert "{" not in told
        assert max(map(cell_len, told.splitlines())) <= 82
        assert texts(lang)["common"]["protects"] in told
        assert all(question(name, lang, one) for one in chosen.questions)


def test_a_smaller_radius_fools_less(usual: Callable[[str], Outcome]) -> None:
    figures = run("fool", radius=0.01, guess=0).figures
    assert figures["fooled"] <= 5 < 50 < usual("fool").figures["fooled"]


def test_an_attack_does_more_than_noise(usual: Callable[[str], Outcome]) -> None:
    outcome = usual("fool")
    assert outcome.figures["fooled"] > 5 * outcome.figures["noise"]
    before, after = outcome.pictures
    assert before.read_as != after.read_as
    change = [
        abs(one - other)
        for rows in zip(before.rows, after.rows, strict=True)
        for one, other in zip(*rows, strict=True)
    ]
    assert max(change) <= 0.15 + 1e-6


def test_the_same_answers_and_seed_give_the_same_outcome(usual: Callable[[str], Outcome]) -> None:
    assert run("fool") == usual("fool")
    assert run("catch") == usual("catch")


@pytest.mark.slow
def test_what_looks_like_a_defence_falls_in_the_worst_case(usual: Callable[[str], Outcome]) -> None:
    outcome = usual("harden")
    for name in ("none", "adversarial", "rounding", "jpeg"):
        assert outcome.figures[f"{name}_worst"] <= outcome.figures[f"{name}_naive"]
    for name in ("rounding", "jpeg"):
        assert outcome.figures[f"{name}_naive"] > outcome.figures["adversarial_naive"]
    assert outcome.guess.truth == "adversarial"


def test_a_back_door_opens_with_the_stamp_alone(usual: Callable[[str], Outcome]) -> None:
    outcome = usual("poison")
    assert outcome.figures["touched"] == math.floor(1442 * 0.04)
    assert outcome.figures["opened"] > 80
    assert outcome.figures["opened_before"] < 5
    assert abs(outcome.figures["before"] - outcome.figures["after"]) <= 5
    clean, stamped = outcome.pictures
    assert (clean.read_as, stamped.read_as) == ("5", "7")


def test_more_answers_make_a_better_copy() -> None:
    few, many = run("steal", queries=20), run("steal", queries=400)
    assert few.figures["agreed"] < many.figures["agreed"]
    assert many.figures["agreed"] > 85
    assert many.figures["transferred"] > many.figures["noise"]


def test_fewer_people_are_told_apart_more_easily() -> None:
    few, many = run("leak", people=60), run("leak", people=700)
    assert few.figures["told"] > many.figures["told"] + 5
    assert 45 <= many.figures["told"] <= 60
    assert few.figures["member_right"] >= few.figures["stranger_right"]


@pytest.mark.parametrize(
    ("thief", "disguise"),
    [("north", "none"), ("west", "round"), ("north", "prune"), ("west", "noise"), ("south", "train")],
)
def test_whoever_leaks_is_found_and_nobody_else(thief: str, disguise: str) -> None:
    outcome = run("catch", thief=thief, disguise=disguise, guess="yes")
    assert outcome.figures["accused"] == thief
    assert outcome.guess.right
    assert float(outcome.figures["score"]) > 5 > float(outcome.figures["next"])


@pytest.mark.slow
@pytest.mark.parametrize("search", ["simba", "nes", "hop-skip-jump"])
def test_a_search_is_seen_before_it_ends(search: str) -> None:
    outcome = run("watch", search=search)
    assert outcome.case in ("found-seen", "gave-up-seen")
    assert 1 < outcome.figures["alarm"] < outcome.figures["asked"] <= 3003
    before, after = outcome.pictures
    assert (before.read_as != after.read_as) == (outcome.case == "found-seen")


def placeholders(text: str) -> set[str]:
    return {name.partition(":")[0] for _, name, _, _ in string.Formatter().parse(text) if name}


def leaves(table: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def test_both_languages_say_the_same_things() -> None:
    english, chinese = (dict(leaves(texts(lang))) for lang in LANGS)
    assert english.keys() == chinese.keys()
    for path, words in english.items():
        if isinstance(words, list):
            assert words == chinese[path]
        else:
            assert placeholders(words) == placeholders(chinese[path]), path


@pytest.mark.parametrize("name", EXERCISES)
def test_usual_answers_answer_their_questions(name: str) -> None:
    chosen: Exercise = find(name)
    assert answered(chosen, {}) == {one.key: one.parse(str(one.default)) for one in chosen.questions}
    assert {one.key for one in chosen.questions} == texts("en")[name]["ask"].keys()


def test_answers_that_do_not_fit() -> None:
    fool = find("fool")
    with pytest.raises(UnknownName, match="radius"):
        answered(fool, {"radus": "0.1"})
    for value in ("0.6", "-1", "much", "nan", ""):
        with pytest.raises(ConfigError, match=r"a number from 0\.01 to 0\.5"):
            answered(fool, {"radius": value})
    with pytest.raises(ConfigError, match="whole number"):
        answered(fool, {"guess": "3.5"})
    assert Number(key="share", low=0, high=100, default=1).parse(" 40% ") == 40
    with pytest.raises(UnknownName, match="south"):
        Choice(key="thief", choices=("north", "south"), default="north").parse("sout")
    with pytest.raises(UnknownName, match="fool"):
        find("fol")


@pytest.mark.parametrize(
    ("guess", "says"),
    [
        (Guess(20, 88, close=10), "You said 20, it is 88."),
        (Guess(80, 88, close=10), "well judged"),
        (Guess("yes", "yes"), "right"),
        (Guess("no", "yes"), "You said no; it is yes."),
        (Guess(20, "–"), "You said 20; it is –."),
    ],
)
def test_predictions_are_answered(guess: Guess, says: str) -> None:
    assert says in verdict(guess, "en")
