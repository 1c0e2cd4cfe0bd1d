"""Canonical JSON against the examples printed in RFC 8785, and a reader that refuses what is ambiguous."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk.core.canonical import canonical_bytes, digest, file_digest, finite, parse_json
from hauberk.core.errors import DataError

# RFC 8785, appendix B: bits of the double, its text
NUMBERS = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-(2**53) + 1, 2**53 - 1)  # larger ones are written as integers that no reader need keep
    | st.text(st.characters(codec="utf-8"), max_size=8)
)
keys = st.text(st.characters(codec="utf-8"), max_size=6)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)


@pytest.mark.parametrize(("bits", "text"), NUMBERS)
def test_numbers_are_written_as_the_rfc_prints_them(bits: str, text: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical_bytes(number) == text.encode()


def test_the_document_of_section_3_2_2_is_written_as_printed() -> None:
    source = rb"""{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }"""
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical_bytes(parse_json(source, where="rfc")) == expected.encode()


def test_keys_are_sorted_by_utf_16_code_units() -> None:
    source = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7}
    order = list(json.loads(canonical_bytes(source)).values())
    assert order == [2, 4, 6, 7, 1, 5, 3]


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        -float("inf"),
        2**53,
        -(2**53),
        "\ud800",
        {1: 2},
        {"a": object()},
        b"bytes",
        {"a": [float("nan")]},
    ],
)
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(DataError, match="canonical JSON"):
        canonical_bytes(value)


def test_endless_nesting_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(DataError):
        canonical_bytes(value)


@settings(deadline=None, max_examples=100)
@given(values)
def test_canonical_bytes_are_a_fixed_point(value: Any) -> None:
    once = canonical_bytes(value)
    assert canonical_bytes(parse_json(once, where="test")) == once


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(keys, scalars, max_size=6))
def test_the_order_of_keys_does_not_matter(value: dict[str, Any]) -> None:
    assert canonical_bytes(dict(reversed(value.items()))) == canonical_bytes(value)


def test_digests_are_sha256_of_the_bytes(tmp_path: Path) -> None:
    assert digest({"b": 1, "a": [True, None]}) == (
        "sha256:" + hashlib.sha256(b'{"a":[true,null],"b":1}').hexdigest()
    )
    (tmp_path / "file").write_bytes(b"x" * 300_000)
    assert file_digest(tmp_path / "file") == "sha256:" + hashlib.sha256(b"x" * 300_000).hexdigest()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"a": 1, "a": 2}', "stands twice"),
        (b'{"b": [{"a": 1, "a": 1}]}', "stands twice"),
        (b"NaN", "NaN is not JSON"),
        (b"[Infinity]", "Infinity is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"[1e999]", "too large"),
        (b"[-1e999]", "too large"),
        (b"\xff", "not valid JSON"),
        ('"é"'.encode("latin-1"), "not valid JSON"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"{} {}", "not valid JSON"),
        (b"{'a': 1}", "not valid JSON"),
        (b"[1,]", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"9" * 10_000, "not valid JSON"),
    ],
)
def test_ambiguous_or_broken_json_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(DataError, match=why):
        parse_json(data, where="the file")


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        found = parse_json(data, where="test")
    except DataError:
        return
    assert json.loads(data) == found


def test_none_stands_for_no_finite_number() -> None:
    assert [finite(one) for one in (1.5, float("inf"), float("nan"))] == [1.5, None, None]
