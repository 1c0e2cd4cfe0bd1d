"""Waivers: signed, dated, for one thing; expired, foreign and forged ones are shown and do not count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from audit_packages import NOW, Made, facts, make
from hypothesis import given
from hypothesis import strategies as st

from hauberk.assurance.auditing import judge
from hauberk.assurance.finding import Finding
from hauberk.assurance.layer import Layer
from hauberk.assurance.policy import Policy, resolve
from hauberk.assurance.verdict import Verdict
from hauberk.assurance.waiver import Given, Waiver, make_waiver, read_waivers, write_waiver
from hauberk.core.errors import ConfigError, IntegrityError
from hauberk.crypto.notes import Ed25519Signer, Note, Signature, generate, verify

RULE = "robustness.corruptions"
REASON = "indoor cameras alone"
OFF = {"use": False, "because": "not here"}


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return make(tmp_path / "net")


@pytest.fixture
def signer() -> Ed25519Signer:
    found = generate("alice@bank.example")
    assert isinstance(found, Ed25519Signer)
    return found


def policy() -> Policy:
    """Asks for one rule that this package cannot meet, and for those that it can."""
    others = (
        "integrity.signature",
        "integrity.ledger",
        "privacy.membership",
        "property.sealed",
        "robustness.worst-case",
        "robustness.clean",
        "robustness.fresh",
    )
    return resolve(Layer(rules={name: OFF for name in others}))


def judged(made: Made, given: list[Given]) -> Verdict:
    return judge(facts(made.path), policy(), given)


def the(verdict: Verdict) -> Finding:
    (found,) = [one for one in verdict.findings if one.rule == RULE]
    return found


def waiver(subject: str, *, days: int = 30, rule: str = RULE, at: datetime = NOW) -> Waiver:
    return make_waiver(rule, subject, REASON, days=days, clock=lambda: at)


def read(path: Path, signer: Ed25519Signer | None, *, at: datetime = NOW, most: int = 90) -> Given:
    trusted = [] if signer is None else [str(signer.verifier)]
    (found,) = read_waivers([path], trusted, at_most_days=most, clock=lambda: at)
    return found


def test_a_waiver_that_counts_is_shown_and_fails_nothing(
    made: Made, signer: Ed25519Signer, tmp_path: Path
) -> None:
    assert not judged(made, []).passed
    path = write_waiver(tmp_path / "w", waiver(made.model), signer)
    verdict = judged(made, [read(path, signer)])
    finding = the(verdict)
    assert verdict.passed
    assert finding.state == "waived"
    assert finding.excuse is not None
    assert (finding.excuse.by, finding.excuse.reason, finding.excuse.was) == (signer.name, REASON, "unknown")
    assert finding.excuse.until == "2026-03-31T12:00:00Z"
    assert finding.fix  # what would mend it is still told
    assert [one["standing"] for one in verdict.waivers] == ["counts"]
    assert Verdict.from_evidence(verdict.to_evidence()) == verdict


@pytest.mark.parametrize(("at", "most", "standing"), [
    (NOW + timedelta(days=30), 90, "expired"),
    (NOW + timedelta(days=30, seconds=-1), 90, "counts"),
    (NOW - timedelta(minutes=6), 90, "not yet"),
    (NOW - timedelta(minutes=4), 90, "counts"),
    (NOW, 29, "too long"),
    (NOW, 0, "too long"),
])  # fmt: skip
def test_its_time(
    made: Made, signer: Ed25519Signer, tmp_path: Path, at: datetime, most: int, standing: str
) -> None:
    path = write_waiver(tmp_path / "w", waiver(made.model), signer)
    given = read(path, signer, at=at, most=most)
    assert given.standing == standing
    verdict = judged(made, [given])
    assert verdict.passed is (standing == "counts")
    assert verdict.waivers[0]["standing"] == standing
    assert bool(verdict.waivers[0]["why"]) is (standing != "counts")


def test_nobody_else_s_signature_counts(made: Made, signer: Ed25519Signer, tmp_path: Path) -> None:
    stranger = generate(signer.name)  # the same name, another key
    assert isinstance(stranger, Ed25519Signer)
    path = write_waiver(tmp_path / "w", waiver(made.model), stranger)
    for trusted in (signer, None):
        given = read(path, trusted)
        assert (given.standing, given.waiver) == ("not believed", None)
        assert not judged(made, [given]).passed


@pytest.mark.parametrize("changed", [
    lambda data: data.replace(b'"until":"2026', b'"until":"2036'),
    lambda data: data.replace(REASON.encode(), b"nothing to see here"),
    lambda data: data.replace(b"corruptions", b"worst-case!"),
    lambda data: data[:-10],
    lambda data: data.replace(b"hauberk-waiver/1", b"hauberk-waiver/2"),
    lambda _data: b"",
])  # fmt: skip
def test_a_changed_waiver_is_not_believed(
    made: Made, signer: Ed25519Signer, tmp_path: Path, changed: object
) -> None:
    path = write_waiver(tmp_path / "w", waiver(made.model), signer)
    path.write_bytes(changed(path.read_bytes()))  # type: ignore[operator]
    assert read(path, signer).standing == "not believed"


def test_it_is_for_one_rule_and_one_thing(made: Made, signer: Ed25519Signer, tmp_path: Path) -> None:
    other = make(tmp_path / "other" / "net", seed=1)
    for name, one in {
        "model": waiver(other.model),
        "rule": waiver(made.model, rule="robustness.certified"),
        "passed": waiver(made.model, rule="integrity.scan"),
    }.items():
        given = read(write_waiver(tmp_path / name, one, signer), signer)
        verdict = judged(made, [given])
        assert not verdict.passed
        assert [one["standing"] for one in verdict.waivers] == ["unused"]


def test_text_of_another_form_is_no_waiver(signer: Ed25519Signer, tmp_path: Path) -> None:
    good = waiver("sha256:" + "a" * 64)
    for text in (
        good.text.replace(",", ", "),
        good.text + "more\n",
        good.text.replace('"issued"', '"given"'),
        "hauberk-waiver/1\n{}\n",
        "words\n",
    ):
        path = tmp_path / "w"
        path.write_bytes(bytes(Note(text, (signer.sign(text),))))
        assert read(path, signer).standing == "not believed"


@pytest.mark.parametrize("fields", [
    {"subject": "net"},
    {"subject": "sha256:12"},
    {"reason": "short"},
    {"reason": "x" * 2001},
    {"until": "2026-01-01T00:00:00Z"},
    {"until": "tomorrow"},
])  # fmt: skip
def test_what_no_waiver_can_say(fields: dict[str, str]) -> None:
    good = vars(waiver("sha256:" + "a" * 64))
    with pytest.raises(ConfigError):
        Waiver(**{**good, **fields})


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=10, max_size=60),
    st.integers(1, 3660),
    st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1)),
)
def test_a_waiver_comes_back(reason: str, days: int, at: datetime) -> None:
    if len(reason.strip()) < 10:
        return
    one = make_waiver(RULE, "sha256:" + "a" * 64, reason, days=days, clock=lambda: at.replace(tzinfo=UTC))
    assert Waiver.parse(one.text, where="test") == one
    assert one.days == days


def test_the_signature_is_the_note_s_own(signer: Ed25519Signer, tmp_path: Path) -> None:
    """Whoever reads signed notes can check a waiver without this package's code for waivers."""
    path = write_waiver(tmp_path / "w", waiver("sha256:" + "a" * 64), signer)
    note = Note.parse(path.read_bytes())
    (found,) = verify(note, [signer.verifier])
    assert found.verifier.name == signer.name
    broken = Signature(signer.name, note.signatures[0].key_id, bytes(64))
    with pytest.raises(IntegrityError):
        verify(Note(note.text, (broken,)), [signer.verifier])
