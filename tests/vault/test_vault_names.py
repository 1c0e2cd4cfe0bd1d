"""Names in one spelling only, and references that mean one thing."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk.core.errors import ConfigError
from hauberk.vault.names import Reference, check_alias, check_model, parse_reference

BAD = [
    "", ".", "..", "a/b", "../a", "a\\b", "a b", " a", "a ", "a\n", "a\0", "-a", "a-", ".a", "a.", "_a", "a..b",
    "a@b", "a:b", "a" * 101, "а", "ａ", "café", "cafe\u0301", "a\u200bb", "a\u202eb", "①", "٣", "a%2fb",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_name_is_refused_in_one_line(name: str) -> None:
    for check in (check_model, check_alias):
        with pytest.raises(ConfigError) as caught:
            check(name)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 700


@given(st.text(max_size=120))
def test_a_name_is_one_folder_name_that_no_normalisation_changes(name: str) -> None:
    try:
        check_model(name)
    except ConfigError:
        return
    assert name.isascii()
    assert all(unicodedata.normalize(form, name) == name for form in ("NFC", "NFD", "NFKC", "NFKD"))
    assert "/" not in name
    assert 1 <= len(name) <= 100
    assert not name.startswith((".", "-"))


@given(
    st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,30}[A-Za-z0-9])?", fullmatch=True),
    st.one_of(
        st.none(),
        st.integers(1, 999_999_999).map(str),
        st.sampled_from(["staging", "production", "blue-2"]),
        st.binary(min_size=32, max_size=32).map(lambda one: f"sha256:{one.hex()}"),
    ),
)
def test_a_reference_reads_as_it_is_written(model: str, version: str | None) -> None:
    text = model if version is None else f"{model}@{version}"
    found = parse_reference(text)
    assert str(found) == text
    assert found.model == model


@pytest.mark.parametrize(
    "text",
    ["a@", "a@0", "a@01", "a@-1", "a@1.0", "a@٣", "a@1@2", "a@latest", "a@sha256:00", "a@Production", "@1"],
)
def test_what_names_no_version_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_reference(text)


def test_a_number_is_never_an_alias() -> None:
    assert parse_reference("a@3") == Reference("a", number=3)
    with pytest.raises(ConfigError):
        check_alias("3")
