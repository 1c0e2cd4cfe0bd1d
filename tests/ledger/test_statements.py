"""What documents become in the log, and facts that can be taken back."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from hauberk.core.canonical import canonical_bytes
from hauberk.core.errors import ConfigError, DataError, IntegrityError
from hauberk.core.evidence import KINDS as EVIDENCE_KINDS
from hauberk.core.evidence import Evidence
from hauberk.ledger.auditing import audit
from hauberk.ledger.documents import TELL_OF_PEOPLE, evidence_entry, file_entry
from hauberk.ledger.entry import Entry, Opening
from hauberk.ledger.policy import Policy
from hauberk.ledger.salting import opens, salt, salted
from hauberk.ledger.statements import KINDS, SCHEMA, Statement, from_json, state
from hauberk.ledger.store.log import Log

MODEL = f"sha256:{'ab' * 32}"


def evidence(kind: str = "evaluation", **changes: Any) -> Evidence:
    own: dict[str, Any] = {
        "subject": {"name": "net", "digest": MODEL},
        "result": {"clean_accuracy": 0.9, "recipient": "Anna Muster"},
        "parents": (f"sha256:{'01' * 32}",),
        "created": "2026-03-01T10:00:00Z",
    }
    return Evidence(kind=kind, **{**own, **changes})


def deployment(host: str, **changes: Any) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "kind": "deployment",
        "subject": {"name": "net", "digest": MODEL},
        "created": "2026-03-01T10:00:00Z",
        "private": {"host": host},
        **changes,
    }


def test_evidence_becomes_a_small_statement_of_public_facts() -> None:
    one = evidence()
    entry = evidence_entry(one)
    assert json.loads(entry.data) == {
        "schema": "hauberk-statement/1",
        "kind": "evaluation",
        "subject": {"name": "net", "digest": MODEL},
        "created": "2026-03-01T10:00:00Z",
        "document": one.digest,
        "parents": list(one.parents),
    }
    assert entry.data == canonical_bytes(json.loads(entry.data))
    assert entry.subject == MODEL
    assert entry == evidence_entry(one), "the same evidence is always the same entry"
    assert b"Anna" not in entry.data


@pytest.mark.parametrize("kind", EVIDENCE_KINDS)
def test_every_kind_of_evidence_can_be_logged_and_read_back(kind: str) -> None:
    said = Statement.parse(evidence_entry(evidence(kind)).data)
    assert said is not None
    assert (said.kind, said.subject) == (kind, MODEL)
    assert (said.document is None) == (kind in TELL_OF_PEOPLE)


@pytest.mark.parametrize("kind", TELL_OF_PEOPLE)
def test_evidence_that_tells_of_people_is_salted(kind: str) -> None:
    one = evidence(kind, subject={"name": "for-anna", "digest": MODEL})
    entry = evidence_entry(one)
    for secret in (one.digest[7:], "anna", one.parents[0][7:]):
        assert secret.encode() not in entry.data
    said = Statement.parse(entry.data)
    assert said is not None
    assert opens(entry.openings["document"], said.salted["document"])
    assert entry.openings["document"].fact == one.digest
    assert entry.data != evidence_entry(one).data, "each time under a fresh salt"


def test_private_evidence_of_any_kind() -> None:
    entry = evidence_entry(evidence(), private=True)
    assert evidence().digest.encode() not in entry.data
    assert sorted(entry.openings) == ["document", "name", "parents"]


class TestFiles:
    def test_what_a_signature_names_stays_out(self, tmp_path: Path) -> None:
        bundle = {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "certificate": "anna@example.com",
        }
        (tmp_path / "a.sig").write_text(json.dumps(bundle))
        said = Statement.parse(file_entry(tmp_path / "a.sig").data)
        assert said is not None
        assert said.kind == "signature"
        assert said.document == f"sha256:{hashlib.sha256((tmp_path / 'a.sig').read_bytes()).hexdigest()}"
        assert b"anna" not in file_entry(tmp_path / "a.sig").data

    def test_a_sealed_file(self, tmp_path: Path) -> None:
        (tmp_path / "m.sealed").write_bytes(b"age-encryption.org/v1\n-> X25519 x\n" + bytes(range(256)))
        entry = file_entry(tmp_path / "m.sealed")
        file = f"sha256:{hashlib.sha256((tmp_path / 'm.sealed').read_bytes()).hexdigest()}"
        assert Statement.parse(entry.data) == Statement("sealed-file", file, None, None, file)

    def test_a_watermark_commitment(self, tmp_path: Path) -> None:
        made = {
            "format": "hauberk-watermark-commitment/1", "kind": "whitebox", "settings": {"bits": 512},
            "model": MODEL, "created": "2026-03-01T10:00:00Z", "places": [], "commitment": "sha256:77",
        }  # fmt: skip
        (tmp_path / "c.json").write_text(json.dumps(made, indent=3))
        file = f"sha256:{hashlib.sha256((tmp_path / 'c.json').read_bytes()).hexdigest()}"
        entry = file_entry(tmp_path / "c.json")
        said = Statement.parse(entry.data)
        assert said is not None
        assert (said.kind, said.subject, said.document) == ("watermark-commitment", MODEL, file)
        assert said.facts == {"commitment": "sha256:77"}

    def test_other_json_is_logged_byte_for_byte(self, tmp_path: Path) -> None:
        for text in ('{"b": 1,  "a": [2]}\n', "[1]", '"x"'):
            (tmp_path / "any.json").write_text(text)
            assert file_entry(tmp_path / "any.json") == Entry(text.encode())

    @pytest.mark.parametrize("content", [b"\x89PNG", b"", b"{", b'{"a":1,"a":2}', b"NaN"])
    def test_what_is_no_json_is_refused(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(DataError):
            file_entry(tmp_path / "x")

    def test_what_is_too_long_or_missing_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "long.json").write_text(json.dumps("x" * 65_534))
        with pytest.raises(DataError, match="65535"):
            file_entry(tmp_path / "long.json")
        for one in (tmp_path, tmp_path / "missing"):
            with pytest.raises(DataError):
                file_entry(one)

    def test_evidence_that_was_changed_is_refused(self, tmp_path: Path) -> None:
        path = evidence().save(tmp_path)
        path.write_text(path.read_text().replace("0.9", "0.99"))
        with pytest.raises(IntegrityError):
            file_entry(path)

    def test_a_statement_of_ones_own(self, tmp_path: Path) -> None:
        (tmp_path / "d.json").write_text(json.dumps(deployment("gpu-3", facts={"region": "eu"})))
        entry = file_entry(tmp_path / "d.json")
        said = json.loads(entry.data)
        assert said["facts"] == {"region": "eu"}
        assert "private" not in said
        assert "gpu-3" not in entry.data.decode()
        assert entry.openings["host"].fact == "gpu-3"

    @pytest.mark.parametrize(
        "change",
        [
            {"kind": "deploymet"}, {"kind": None}, {"subject": "net"}, {"subject": {"digest": 3}},
            {"created": 5},
            {"extra": 1}, {"facts": []}, {"salted": {"host": 3}}, {"parents": "x"}, {"private": ["host"]},
            {"subject": {"name": "net", "digest": MODEL, "owner": "x"}},
        ],
    )  # fmt: skip
    def test_statements_that_are_malformed(self, tmp_path: Path, change: dict[str, Any]) -> None:
        (tmp_path / "d.json").write_text(json.dumps(deployment("x", **change)))
        with pytest.raises(ValueError) as caught:  # noqa: PT011 (DataError or ConfigError, both of them are)
            file_entry(tmp_path / "d.json")
        assert isinstance(caught.value, DataError | ConfigError)
        assert "\n" not in str(caught.value)


def test_statements_survive_the_round_trip() -> None:
    for kind in KINDS:
        one = Statement(
            kind, MODEL, "net", "2026-01-01T00:00:00Z", MODEL, (MODEL,), {"n": 1}, {"x": "hmac-sha256:1"}
        )
        assert from_json(one.to_json()) == one
        assert Statement.parse(canonical_bytes(one.to_json())) == one
    assert Statement.parse(b"anything") is None
    assert Statement.parse(b'["hauberk-statement/1"]') is None


def test_a_batch_of_the_access_trail() -> None:
    facts = {"count": 500, "first": 1000}
    batch = Statement("access-batch", None, None, "2026-01-02T03:04:05Z", MODEL, facts=facts)
    entry = state(batch, {"who": ["anna", "ben"]})
    said = Statement.parse(entry.data)
    assert said is not None
    assert (said.kind, said.document, dict(said.facts)) == (
        "access-batch",
        MODEL,
        {"count": 500, "first": 1000},
    )
    assert b"anna" not in entry.data


class TestSalting:
    def test_it_is_hmac_sha_256_over_canonical_bytes(self) -> None:
        opening = Opening(bytes(range(32)), {"b": 1, "a": "ü"})
        text = '{"a":"ü","b":1}'.encode()
        expected = hmac.new(bytes(range(32)), text, hashlib.sha256).hexdigest()
        assert salted(opening) == f"hmac-sha256:{expected}"
        assert opens(opening, salted(opening))

    def test_guessing_fails_without_the_salt(self) -> None:
        """All candidates are known, the salt is not: nothing that can be computed from them matches."""
        hosts = [f"gpu-{one}" for one in range(1000)]
        digest_ = salted(salt("gpu-7"))
        hexed = digest_.removeprefix("hmac-sha256:")
        for host in hosts:
            text = canonical_bytes(host)
            for guess in (hashlib.sha256(text), hashlib.sha256(host.encode()), hmac.new(b"", text, "sha256")):
                assert guess.hexdigest() != hexed
            assert not opens(salt(host), digest_)
        assert len({salted(salt("gpu-7")) for _ in range(100)}) == 100

    def test_salts_are_long_and_fresh(self) -> None:
        found = {salt(None).salt for _ in range(50)}
        assert len(found) == 50
        assert {len(one) for one in found} == {32}
        with pytest.raises(ConfigError, match="16 bytes or more"):
            salted(Opening(b"short", 1))
        assert "gpu-7" not in repr(salt("gpu-7"))


class TestErasing:
    def test_the_fact_is_gone_and_the_log_still_verifies(self, log: Log, folder: Path) -> None:
        entry = state(from_json(public(deployment("x"))), {"host": "machine-of-anna", "by": "anna-muster"})
        log.append([b"before"])
        assert log.append([entry]) == [1]
        log.append([b"after"])
        openings = log.openings(1)
        said = Statement.parse(log.entry(1))
        assert said is not None
        assert all(opens(one, said.salted[name]) for name, one in openings.items())
        before = log.head()
        assert stored(folder, b"anna-muster")
        assert log.erase(1) == 2
        assert log.openings(1) == {}
        assert log.erase(1) == 0
        assert log.head() == before
        assert audit(log, Policy.of_log(log.verifier), before).head.size == 3
        for gone in (b"anna", openings["host"].salt, openings["by"].salt, entry.identity or b""):
            assert not stored(folder, gone)

    def test_one_fact_goes_and_the_other_stays(self, log: Log, folder: Path) -> None:
        entry = state(from_json(public(deployment("x"))), {"host": "machine-of-anna", "why": "load"})
        log.append([entry])
        assert log.erase(0, "host") == 1
        assert {name: one.fact for name, one in log.openings(0).items()} == {"why": "load"}
        assert not stored(folder, entry.identity or b""), "a digest over the erased fact would give it away"

    def test_the_same_is_not_logged_twice_until_it_is_erased(self, log: Log) -> None:
        one, other = evidence("sealing"), evidence("sealing", created="2026-03-02T10:00:00Z")
        assert log.append([evidence_entry(one), evidence_entry(other), evidence_entry(one)]) == [0, 1, 0]
        assert log.append([evidence_entry(other)]) == [1]
        log.erase(1)
        assert log.append([evidence_entry(other)]) == [2]
        assert log.append([evidence_entry(one)]) == [0]

    def test_two_deployments_on_one_host_are_two(self, log: Log) -> None:
        days = [from_json(public(deployment("x", created=f"2026-03-0{day}T10:00:00Z"))) for day in (1, 2)]
        assert log.append([state(one, {"host": "gpu-3"}) for one in days]) == [0, 1]


def public(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != "private"}


def stored(folder: Path, what: bytes) -> bool:
    """Whether the bytes stand anywhere in the ledger's files."""
    return any(what in one.read_bytes() for one in folder.iterdir() if one.name.startswith("ledger.sqlite"))


def test_statements_are_found_by_their_subject(log: Log) -> None:
    other = f"sha256:{'cd' * 32}"
    log.append(
        [evidence_entry(evidence()), evidence_entry(evidence(subject={"name": "b", "digest": other})), b"x"]
    )
    log.append([evidence_entry(evidence("attack"))])
    assert log.about(MODEL) == [0, 3]
    assert log.about(other) == [1]
    assert log.about("sha256:none") == []
