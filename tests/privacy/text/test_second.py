"""The second detector: what it finds, and that it shares nothing with the first but the form of a finding."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import hauberk.privacy.text.second as second

DETECTOR = second.SecondDetector()


@pytest.mark.parametrize(
    ("line", "type", "what"),
    [
        ("电话13800138000。", "MOBILE", "13800138000"),
        ("电话138-0013-8000。", "MOBILE", "138-0013-8000"),
        ("身份证110101199003070011", "ID", "110101199003070011"),
        ("卡6222021234567890128", "CARD", "6222021234567890128"),
        ("座机0571-88123456", "LANDLINE", "0571-88123456"),
        ("车京A12345", "PLATE", "京A12345"),
        ("写到a.b@mail.cn。", "EMAIL", "a.b@mail.cn"),
        ("请张伟先生签字", "NAME", "张伟"),
        ("姓名：王芳", "NAME", "王芳"),
        ("met John Smith there", "NAME", "John Smith"),
        ("文三路478号", "ADDRESS", "文三路478号"),
    ],
)
def test_found(line: str, type: str, what: str) -> None:
    assert (type, what) in [(one.type, one.of(line)) for one in DETECTOR.find(line)]


@pytest.mark.parametrize("line", ["", "今天天气很好", "订单240918334720015", "The report is due on Friday."])
def test_left(line: str) -> None:
    assert DETECTOR.find(line) == []


def test_it_imports_nothing_of_the_first() -> None:
    tree = ast.parse(Path(second.__file__).read_text("utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {one for one in imported if one and one.startswith("hauberk")} == {"hauberk.privacy.text.finding"}
