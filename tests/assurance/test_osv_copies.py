"""Copies of OSV: what is found with them, how old they are, and that a damaged one is refused."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from made_advisories import advisory, folder_of, zipped

from hauberk.assurance.environment.packages import Package, named
from hauberk.assurance.environment.snapshot import read_snapshot
from hauberk.assurance.environment.vulnerable import judge
from hauberk.core.errors import DataError

LOAD = advisory(
    "GHSA-53q9-r3pm-6pq6",
    aliases=["CVE-2025-32434", "PYSEC-2025-41"],
    database_specific={"severity": "CRITICAL"},
)
SAME = advisory(
    "PYSEC-2025-41", "torch", {"introduced": "0"}, {"last_affected": "2.5.1"}, aliases=["CVE-2025-32434"]
)


def flaws_of(place: Path, *packages: Package) -> list[tuple[str, str, str, str]]:
    copy = read_snapshot(place)
    return [(one.package.name, one.id, one.severity, one.fixed) for one in judge(packages, copy.about)[0]]


def test_one_flaw_under_three_names_is_one(tmp_path: Path) -> None:
    copy = zipped(tmp_path / "all.zip", LOAD, SAME)
    assert flaws_of(copy, named("Torch", "2.5.1+cpu", "installed")) == [
        ("torch", "CVE-2025-32434", "critical", "2.6.0")
    ]
    assert flaws_of(copy, named("torch", "2.6.0", "installed")) == []
    # what one of them calls fixed counts only where the others agree
    later = advisory(
        "OSV-9", "torch", {"introduced": "0"}, {"last_affected": "2.6.0"}, aliases=["CVE-2025-32434"]
    )
    three = zipped(tmp_path / "three.zip", LOAD, SAME, later)
    assert flaws_of(three, named("torch", "2.5.1", "x"))[0][3] == ""


def test_aliases_join_through_a_third(tmp_path: Path) -> None:
    first, second = advisory("GHSA-1", aliases=["CVE-1"]), advisory("PYSEC-2", aliases=["CVE-2"])
    both = advisory("OSV-3", aliases=["CVE-1", "CVE-2"])
    copy = folder_of(tmp_path / "osv", first, second, both)
    found = judge([named("torch", "1.0", "x")], read_snapshot(copy).about)[0]
    assert [one.id for one in found] == ["CVE-1"]
    assert set(found[0].aliases) == {"CVE-2", "GHSA-1", "OSV-3", "PYSEC-2"}


def test_what_was_withdrawn_says_nothing(tmp_path: Path) -> None:
    copy = folder_of(tmp_path / "osv", LOAD | {"withdrawn": "2025-06-01T00:00:00Z"})
    assert flaws_of(copy, named("torch", "1.0", "x")) == []
    # but its alias, which stands, does
    copy = zipped(tmp_path / "all.zip", LOAD | {"withdrawn": "2025-06-01T00:00:00Z"}, SAME)
    assert [one[1] for one in flaws_of(copy, named("torch", "1.0", "x"))] == ["CVE-2025-32434"]


@pytest.mark.parametrize("written", ["Pillow", "pillow", "PIL_low", "pil.low"])
def test_names_are_normalised_on_both_sides(written: str, tmp_path: Path) -> None:
    copy = folder_of(tmp_path / "osv", advisory("GHSA-1", written))
    other = "pillow" if "_" not in written and "." not in written else "pil-low"
    assert len(flaws_of(copy, named(other, "1.0", "x"))) == 1


def test_other_ecosystems_are_left_alone(tmp_path: Path) -> None:
    npm = advisory("GHSA-npm")
    npm["affected"][0]["package"]["ecosystem"] = "npm"
    copy = zipped(tmp_path / "all.zip", npm, advisory("GHSA-1", "keras"))
    assert flaws_of(copy, named("torch", "1.0", "x")) == []
    assert read_snapshot(copy).count == 1
    npm_only = zipped(tmp_path / "npm.zip", npm)
    with pytest.raises(DataError, match="holds no advisory about packages of PyPI"):
        read_snapshot(npm_only)


def test_a_malicious_package_is_critical(tmp_path: Path) -> None:
    bad = advisory("MAL-2026-1", "torchh", {"introduced": "0"})
    assert flaws_of(folder_of(tmp_path / "osv", bad), named("torchh", "0.1", "x"))[0][1:3] == (
        "MAL-2026-1",
        "critical",
    )


def test_the_worst_comes_first_and_neighbours_before_others(tmp_path: Path) -> None:
    copy = folder_of(
        tmp_path / "osv",
        advisory("GHSA-a", "aaa", database_specific={"severity": "HIGH"}),
        advisory("GHSA-t", "torch", database_specific={"severity": "HIGH"}),
        advisory("GHSA-z", "zzz", database_specific={"severity": "CRITICAL"}),
    )
    packages = [named(name, "1.0", "x") for name in ("aaa", "torch", "zzz")]
    assert [one[0] for one in flaws_of(copy, *packages)] == ["zzz", "torch", "aaa"]


@pytest.mark.parametrize("version", ["", "not a version"])
def test_what_has_no_version_is_not_called_free_of_flaws(version: str, tmp_path: Path) -> None:
    copy = read_snapshot(folder_of(tmp_path / "osv", LOAD))
    flaws, unjudged = judge([named("torch", version, "x")], copy.about)
    assert flaws == []
    assert len(unjudged) == 1


def test_the_age_is_that_of_the_newest_advisory_not_of_the_file(tmp_path: Path) -> None:
    older = advisory("GHSA-old", modified="2024-01-01T00:00:00Z")
    copy = read_snapshot(zipped(tmp_path / "all.zip", older, LOAD))
    assert copy.newest == datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert copy.age_days(copy.newest + timedelta(days=3)) == pytest.approx(3)
    assert copy.age_days(copy.newest - timedelta(days=3)) == pytest.approx(-3)


def test_a_copy_may_lie_in_folders_below(tmp_path: Path) -> None:
    below = tmp_path / "osv" / "pypi" / "torch"
    below.parent.mkdir(parents=True)
    folder_of(below, LOAD)
    assert read_snapshot(tmp_path / "osv").count == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cut.zip", b"PK\x03\x04 cut", "cannot be read as a zip"),
        ("text.zip", b"hello", "cannot be read as a zip"),
    ],
)
def test_a_damaged_zip_is_refused(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_snapshot(tmp_path / name)


def test_bytes_that_changed_in_a_zip_are_refused(tmp_path: Path) -> None:
    copy = zipped(tmp_path / "all.zip", LOAD)  # stored, not compressed: the text stands in it
    data = copy.read_bytes()
    copy.write_bytes(data.replace(b"a flaw in torch", b"no flaw in this", 1))
    with pytest.raises(DataError, match="cannot be read as a zip"):
        read_snapshot(copy)


@pytest.mark.parametrize(
    "change",
    [
        {"id": None},
        {"id": ""},
        {"modified": "yesterday"},
        {"modified": "2026-01-01T00:00:00"},  # no zone
        {"modified": None},
        {"withdrawn": 7},
        {"aliases": "CVE-1"},
        {"affected": "torch"},
        {"affected": [{"package": {"ecosystem": "PyPI"}}]},
        {"affected": [{"package": {"ecosystem": "PyPI", "name": "torch"}, "versions": [1]}]},
        {
            "affected": [
                {
                    "package": {"ecosystem": "PyPI", "name": "torch"},
                    "ranges": [{"type": "ECOSYSTEM", "events": [{"fixed": 2}]}],
                }
            ]
        },
    ],
)
def test_an_advisory_that_does_not_fit_the_schema_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    place = folder_of(tmp_path / "osv", LOAD)
    document = LOAD | change
    (place / "bad.json").write_text(json.dumps(document), "utf-8")
    with pytest.raises(DataError, match=r"bad\.json"):
        read_snapshot(place)


def test_commits_alone_say_nothing_of_versions(tmp_path: Path) -> None:
    only = advisory("OSV-1")
    only["affected"] = [
        {"ranges": [{"type": "GIT", "repo": "https://example.org", "events": [{"introduced": "0"}]}]}
    ]
    place = folder_of(tmp_path / "osv", LOAD, only)
    assert read_snapshot(place).count == 1


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no advisories at") as refused:
        read_snapshot(tmp_path / "none.zip")
    assert "all.zip" in str(refused.value.hint)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no advisory"):
        read_snapshot(tmp_path / "empty")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(DataError, match="holds no advisory"):
        read_snapshot(tmp_path / "empty.zip")
