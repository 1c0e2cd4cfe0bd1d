"""What holds whatever the line: places, order, linear time, own patterns, and that no torch is needed."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk.core.errors import ConfigError, UnknownName
from hauberk.privacy.text.detector import Detector
from hauberk.privacy.text.finding import Finding
from hauberk.privacy.text.overlaps import resolve
from hauberk.privacy.text.page import Page, fold
from hauberk.privacy.text.second import SecondDetector

DETECTOR = Detector()
PIECES = st.sampled_from(
    (
        "张伟", "欧阳娜", "李", "王", "先生", "患者", "姓名：", "13800138000", "１３８",
        "110101199003070011", "6222021234567890128", "0571-88123456", "京A12345", "a@b.cn", "John",
        "Smith", "Mr.", "Dr.", "浙江省", "杭州市", "西湖区", "文三路", "478号", "3栋", "😀", "𠮷", "·",
        ",", "，", "。", " ", "\t", "\x0b", "\r", "\n", "e\u0301", "\ud800", "password=", "AKIA", "::",
        "(", ")", "@", "-", "E12345678",
    )
)  # fmt: skip
LINES = st.lists(PIECES | st.text(max_size=4), max_size=14).map("".join)


ALONE = Detector(types=frozenset({"ADDRESS", "MOBILE", "LANDLINE", "PHONE", "ID", "CARD", "SECRET", "PLATE"}))
ENGLISH = st.sampled_from(
    ("12 High Street, London", "9 Elm Ave, Boston", ", ", "London", "Apt 3", "IL 62704", ".")
)


@settings(max_examples=200, deadline=None)
@given(st.lists(LINES | st.lists(ENGLISH, max_size=4).map("".join), min_size=1, max_size=4))
def test_what_is_found_in_a_line_does_not_depend_on_the_lines_beside_it(lines: list[str]) -> None:
    assert ALONE.find_all(lines) == [ALONE.find(one) for one in lines]


@settings(max_examples=300, deadline=None)
@given(LINES)
def test_findings_lie_in_the_line_in_order_and_apart(line: str) -> None:
    for detector in (DETECTOR, SecondDetector()):
        end = 0
        for one in detector.find(line):
            assert end <= one.start < one.end <= len(line)
            assert 0 < one.score <= 1
            assert one.of(line) == line[one.start : one.end] != ""
            end = one.end


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_folding_keeps_every_character_in_its_place(line: str) -> None:
    folded = fold(line)
    assert len(folded) == len(line)
    assert "\n" not in folded
    assert all(
        one == other or not one.isascii() or one in "\n\r" for one, other in zip(line, folded, strict=True)
    )


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(["电话13800138000", "京A12345", "", "证件110101199003070011", "a@b.cn"]), max_size=8
    )
)
def test_lines_are_read_apart(lines: list[str]) -> None:
    assert DETECTOR.find_all(lines) == [DETECTOR.find(one) for one in lines]


def test_offsets_under_wide_astral_and_combining_characters() -> None:
    line = "😀𠮷é　手机１３８００１３８０００，𠀀王芳😀"
    (mobile, name) = DETECTOR.find(line)
    assert (mobile.type, mobile.of(line)) == ("MOBILE", "１３８００１３８０００")
    assert (name.type, name.of(line)) == ("NAME", "王芳")


def test_pages_give_back_the_lines_own_places() -> None:
    page = Page.of(["ab", "", "c\nd"])
    assert page.text == "ab\n\nc\x0bd"
    assert page.split([Finding(0, 2, "A", 1.0), Finding(4, 7, "B", 1.0)]) == [
        [Finding(0, 2, "A", 1.0)], [], [Finding(0, 3, "B", 1.0)],
    ]  # fmt: skip


def test_the_better_explanation_stays() -> None:
    card, number = Finding(0, 18, "CARD", 0.95), Finding(0, 18, "ID", 1.0)
    assert resolve([card, number]) == [number]
    long, short = Finding(0, 9, "NAME", 0.6), Finding(2, 5, "NAME", 0.9)
    assert resolve([short, long]) == [long]
    apart = [Finding(0, 2, "NAME", 0.5), Finding(2, 4, "NAME", 0.5)]
    assert resolve(apart) == apart


def test_a_label_over_a_column_counts_and_is_not_found_itself() -> None:
    assert DETECTOR.find("高兴") == []
    assert DETECTOR.find_all(["高兴", "王芳"], label="姓名") == [
        [Finding(0, 2, "NAME", 0.99)],
        [Finding(0, 2, "NAME", 0.99)],
    ]


def test_a_name_that_is_certain_once_counts_in_the_whole_document() -> None:
    lines = ["本书由刘伟翻译，官顺校订", "联系人：官顺"]
    assert "官顺" not in [one.of(lines[0]) for one in DETECTOR.find(lines[0])]
    assert "官顺" in [one.of(lines[0]) for one in DETECTOR.find_all(lines)[0]]


BOMBS = (
    "1", "12 ", "a", "A", "Aa ", "王", "市", "1号", "路1", "a.", "@a.", "a@", "::", " ", "A B ", "John ",
    "John van ", "阿·", "6222 ", "1-", "(86)", "eyJ", "password", "password=", "北京", "在省", "McA",
    "O'A", "É", "DE89", "name: ", "姓名：", "\t", "0571-", "+1 ", "1 A ", "Unit 1, Box 1 ", "A-", "://a:",
    "ab:", "号楼", "2020年", "生", "QQ", "微信", "1.", "京A", "12 Aa", "在到", "区县镇村", "3栋",
)  # fmt: skip


@pytest.mark.parametrize("detector", [DETECTOR, SecondDetector()], ids=["first", "second"])
def test_time_grows_with_the_line_and_no_faster(detector: Detector | SecondDetector) -> None:
    """Quadratic work on 30,000 characters would take minutes; the limit is far above what linear work takes."""
    for unit in BOMBS:
        line = (unit * 30_000)[:30_000]
        began = time.process_time()
        detector.find(line)
        assert time.process_time() - began < 10, unit


def test_own_patterns_and_words() -> None:
    own = Detector(patterns={"PROJECT": "项目[A-Z]{2}-[0-9]+"}, words={"CODE_NAME": ("凤凰计划", "Blue Heron")})
    line = "在项目AB-12里，blue heron和凤凰计划，Blue Herons"
    assert [(one.type, one.of(line)) for one in own.find(line)] == [
        ("PROJECT", "项目AB-12"), ("CODE_NAME", "blue heron"), ("CODE_NAME", "凤凰计划"),
    ]  # fmt: skip
    only = Detector(types=frozenset({"PROJECT"}), patterns={"PROJECT": "项目[A-Z]{2}-[0-9]+"})
    assert [one.type for one in only.find("项目AB-12 13800138000")] == ["PROJECT"]


def test_own_patterns_cannot_hang() -> None:
    own = Detector(types=frozenset({"BOMB"}), patterns={"BOMB": "(a+)+b|(x|x)*y"})
    began = time.process_time()
    assert own.find("a" * 200_000 + "x" * 200_000) == []
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"types": frozenset({"NAMES"})}, UnknownName, "did you mean 'NAME'"),
        ({"types": frozenset()}, ConfigError, "types is empty"),
        ({"languages": frozenset({"fr"})}, UnknownName, "language 'fr'"),
        ({"patterns": {"X": "(a"}}, ConfigError, "own pattern 'X'"),
        ({"patterns": {"X": "(?<=a)b"}}, ConfigError, "own pattern 'X'"),
        ({"patterns": {"X": "a*"}}, ConfigError, "where nothing is"),
        ({"patterns": {"lower": "a"}}, ConfigError, "capitals"),
        ({"patterns": {"X": "a"}, "words": {"X": ("b",)}}, ConfigError, "both"),
        ({"words": {"X": ()}}, ConfigError, "needs words"),
        ({"words": {"X": (" ",)}}, ConfigError, "needs words"),
    ],
)
def test_misuse_is_one_clear_line(settings: dict[str, object], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says.replace("(", r"\(")) as caught:
        Detector(**settings)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_nothing_heavy_is_loaded_and_no_socket_opened() -> None:
    code = (
        "import sys, socket\n"
        "socket.socket = None\n"
        "from hauberk.privacy.text.detector import Detector\n"
        "from hauberk.privacy.text.second import SecondDetector\n"
        "assert Detector().find('联系张伟13800138000')\n"
        "SecondDetector().find('张伟')\n"
        "print(sorted({'torch', 'jieba', 'presidio_analyzer', 'spacy', 'pandas', 'numpy'} & "
        "set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
