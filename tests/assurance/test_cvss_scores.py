"""Base scores against those that FIRST publishes with its vectors."""

from __future__ import annotations

import pytest

from hauberk.assurance.environment.severity import base_score, rating, severity_of

# FIRST, "Common Vulnerability Scoring System v3.1: Examples"
PUBLISHED = {
    "AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N": 6.1,  # CVE-2013-1937
    "AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N": 6.4,  # CVE-2013-0375
    "AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N": 3.1,  # CVE-2014-3566
    "AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H": 9.9,  # CVE-2012-1516
    "AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L": 4.2,  # CVE-2009-0783
    "AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H": 8.8,  # CVE-2012-0384
    "AV:L/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H": 7.8,  # CVE-2015-1098
    "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N": 7.5,  # CVE-2014-0160
    "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H": 9.8,  # CVE-2014-6271
    "AV:N/AC:H/PR:N/UI:N/S:C/C:N/I:H/A:N": 6.8,  # CVE-2008-1447
    "AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H": 6.8,  # CVE-2014-2005
    "AV:N/AC:L/PR:N/UI:N/S:C/C:L/I:N/A:N": 5.8,  # CVE-2010-0467
    "AV:A/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:H": 9.3,  # CVE-2013-6014
}


@pytest.mark.parametrize(("vector", "score"), PUBLISHED.items())
def test_base_score(vector: str, score: float) -> None:
    assert base_score(f"CVSS:3.1/{vector}") == score
    assert base_score(f"CVSS:3.0/{vector}/E:P/RL:O") == score  # other metrics do not change the base


def test_no_impact_is_no_score() -> None:
    assert base_score("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N") == 0


@pytest.mark.parametrize(
    "vector",
    [None, "", "9.8", "CVSS:4.0/AV:N/AC:L", "CVSS:3.1/AV:N", "CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"],
)
def test_what_is_no_vector_has_no_score(vector: object) -> None:
    assert base_score(vector) is None


@pytest.mark.parametrize(
    ("score", "word"),
    [(0.1, "low"), (3.9, "low"), (4, "medium"), (6.9, "medium"), (7, "high"), (8.9, "high"), (9, "critical")],
)
def test_ratings(score: float, word: str) -> None:
    assert rating(score) == word


def test_the_worst_that_is_said_counts() -> None:
    high = {"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"}]}
    assert severity_of(high) == "high"
    assert severity_of(high | {"database_specific": {"severity": "CRITICAL"}}) == "critical"
    assert severity_of({"affected": [{"ecosystem_specific": {"severity": "Moderate"}}]}) == "medium"
    assert severity_of({"severity": [{"type": "CVSS_V4", "score": "CVSS:4.0/AV:N/AC:L"}]}) == "unknown"
    assert severity_of({}, malicious=True) == "critical"
