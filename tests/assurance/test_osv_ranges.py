"""Which versions an advisory means: the schema's own algorithm against lists written out in full."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from hauberk.assurance.environment.advisories import Affected, Range
from hauberk.assurance.environment.ranges import fixes, is_affected

# in the order of PEP 440, which is not that of the letters
IN_ORDER = """
    0.4.1 1.0.dev1 1.0a1 1.0rc1 1.0 1.0.post1 1.9.1 1.10.0 2.0.0rc2 2.0.0 2.5.1 2.6.0 2.6.1 2.10.0 1!0.1
""".split()  # noqa: SIM905


def affected(*events: tuple[str, str], versions: tuple[str, ...] = ()) -> Affected:
    return Affected("torch", (Range(events),) if events else (), versions)


def test_the_list_is_in_order() -> None:
    assert all(Version(a) < Version(b) for a, b in pairwise(IN_ORDER))


@given(data=st.data())
def test_ranges_mean_the_versions_between_their_events(data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(IN_ORDER) - 1), min_size=1, max_size=6)))
    last = data.draw(st.booleans())
    kinds = ["introduced", "last_affected" if last else "fixed"]
    events = [(kinds[place % 2], IN_ORDER[cut]) for place, cut in enumerate(cuts)]
    meant: set[str] = set()
    for start, end in zip(cuts[::2], [*cuts[1::2], len(IN_ORDER)], strict=False):
        meant |= set(IN_ORDER[start : end + 1 if last else end])
    shuffled = data.draw(st.permutations(events))  # the schema promises no order
    found = {one for one in IN_ORDER if is_affected(Version(one), affected(*shuffled))}
    assert found == meant


@pytest.mark.parametrize("version", ["2.5.1", "2.5.1+cpu", "2.5.1+cu124", "2.5.0a0+git123"])
def test_builds_are_their_release(version: str) -> None:
    assert is_affected(Version(version), affected(("introduced", "0"), ("last_affected", "2.5.1")))
    assert is_affected(Version(version), affected(("introduced", "0"), ("fixed", "2.6.0")))


@pytest.mark.parametrize("version", ["2.6.0", "2.6.0+cpu", "2.6.0.post1", "2.7.0rc1"])
def test_what_is_fixed_is_not_meant(version: str) -> None:
    assert not is_affected(Version(version), affected(("introduced", "0"), ("fixed", "2.6.0")))


def test_a_release_candidate_comes_before_the_fix() -> None:
    assert is_affected(Version("2.6.0rc3"), affected(("introduced", "0"), ("fixed", "2.6.0")))


def test_a_patch_in_the_local_part_counts_where_the_advisory_names_it() -> None:
    patched = affected(("introduced", "0"), ("fixed", "1.0+patched.2"))
    assert is_affected(Version("1.0"), patched)
    assert is_affected(Version("1.0+patched.1"), patched)
    assert not is_affected(Version("1.0+patched.2"), patched)


def test_single_versions_are_enough() -> None:
    listed = affected(versions=("1.0", "2.0"))
    assert is_affected(Version("2.0.0"), listed)  # PEP 440: the same version
    assert is_affected(Version("1.0+local"), listed)
    assert not is_affected(Version("1.5"), listed)


def test_introduced_and_last_affected_at_one_version() -> None:
    one = affected(("introduced", "1.0"), ("last_affected", "1.0"))
    assert [v for v in ("0.9", "1.0", "1.0.1") if is_affected(Version(v), one)] == ["1.0"]


def test_fixed_and_introduced_again() -> None:
    twice = affected(("introduced", "0"), ("fixed", "1.0"), ("introduced", "2.0"), ("fixed", "2.1"))
    assert [v for v in ("0.5", "1.0", "1.9", "2.0", "2.1") if is_affected(Version(v), twice)] == ["0.5", "2.0"]
    assert fixes(Version("0.5"), twice) == [Version("1.0"), Version("2.1")]
    assert fixes(Version("2.0"), twice) == [Version("2.1")]


def test_a_fix_that_another_range_means_is_none() -> None:
    two = Affected(
        "torch",
        (
            Range((("introduced", "0"), ("fixed", "1.5"))),
            Range((("introduced", "1.4"), ("fixed", "1.8"))),
        ),
        (),
    )
    assert fixes(Version("1.0"), two) == [Version("1.8")]


def test_without_an_end_everything_after_is_meant() -> None:
    assert is_affected(Version("99"), affected(("introduced", "1.0")))
    assert fixes(Version("99"), affected(("introduced", "1.0"))) == []


def test_limits_are_the_schema_s() -> None:
    limited = affected(("introduced", "0"), ("limit", "2.0"))
    assert is_affected(Version("1.9"), limited)
    assert not is_affected(Version("2.0"), limited)
    assert is_affected(Version("3.0"), affected(("introduced", "0"), ("limit", "*")))


def test_an_event_that_cannot_be_read_is_no_all_clear() -> None:
    assert is_affected(Version("1.0"), affected(("introduced", "0"), ("fixed", "nobody-knows")))
