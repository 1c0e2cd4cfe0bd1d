"""Signing and verifying whole packages: every file, every byte, whoever signs."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from sign_files import (
    NOW,
    bundle_of,
    encoded_for_signing,
    statement_of,
    write_certificate,
    write_keys,
)

from hauberk.core.errors import ConfigError, DataError, DependencyMissing, IntegrityError
from hauberk.models.package import read
from hauberk.protection.sign import (
    Authority,
    CertificateSigner,
    Identity,
    KeySigner,
    Pkcs11Signer,
    PublicKey,
    library,
    sign,
    verify,
)
from hauberk.protection.sign.provenance import encoded, statement
from hauberk.protection.sign.statement import digests, list_files


def listing(package: Path) -> dict[str, str]:
    return {
        one.relative_to(package).as_posix(): hashlib.sha256(one.read_bytes()).hexdigest()
        for one in sorted(package.rglob("*"))
        if one.is_file()
    }


@pytest.mark.parametrize("curve", [ec.SECP256R1, ec.SECP384R1, ec.SECP521R1])
def test_round_trip_checked_from_the_specification(curve: Any, package: Path, keys: Path) -> None:
    key = write_keys(keys, "curve", ec.generate_private_key(curve()), b"words")
    signed = sign(package, KeySigner(keys / "curve.pem", b"words"), keys / "sig")
    found = verify(package, keys / "sig", PublicKey(keys / "curve.pub"))
    assert found.ok
    assert found.digests == listing(package)
    assert {"model.json", "weights.safetensors", "provenance.json"} < found.digests.keys()
    assert signed.files == found.files == len(listing(package))
    # once more by hand: DSSE over ECDSA with the curve's own hash
    envelope = json.loads((keys / "sig").read_bytes())["dsseEnvelope"]
    payload = base64.b64decode(envelope["payload"])
    hash_ = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}[curve().key_size]
    raw = base64.b64decode(envelope["signatures"][0]["sig"])
    key.public_key().verify(raw, encoded_for_signing(payload), ec.ECDSA(hash_))
    resources = json.loads(payload)["predicate"]["resources"]
    assert {one["name"]: one["digest"] for one in resources} == listing(package)


def test_the_evidence_of_a_signature(package: Path, keys: Path) -> None:
    evidence = sign(package, KeySigner(keys / "own.pem"), keys / "sig").evidence
    found = read(package)
    assert evidence.kind == "signing"
    assert evidence.subject["digest"] == found.model_digest
    assert evidence.inputs["package"]["digest"] == found.digest
    assert evidence.parents == (found.evidence[-1].digest,)
    assert evidence.result["signature"] == f"sha256:{hashlib.sha256((keys / 'sig').read_bytes()).hexdigest()}"
    assert "PRIVATE" not in json.dumps(evidence.to_json())
    assert "words" not in repr(KeySigner("k", b"words"))


def test_provenance_is_about_the_files_and_the_evidence(package: Path, keys: Path) -> None:
    sign(package, KeySigner(keys / "own.pem"), keys / "sig")
    document = json.loads((package / "provenance.json").read_bytes())
    others = {name: one for name, one in listing(package).items() if name != "provenance.json"}
    assert {one["name"]: one["digest"]["sha256"] for one in document["subject"]} == others
    assert document["_type"] == "https://in-toto.io/Statement/v1"
    assert document["predicateType"] == "https://slsa.dev/provenance/v1"
    build = document["predicate"]["buildDefinition"]
    (step,) = build["externalParameters"]["steps"]
    birth = read(package).evidence[0]
    assert (step["kind"], step["evidence"], step["seed"]) == ("training", birth.digest, 3)
    assert {"name": "dataset:digits", "digest": {"sha256": "ab" * 32}} in build["resolvedDependencies"]
    assert any(one["name"] == "torch" for one in build["resolvedDependencies"])
    assert document["predicate"]["runDetails"]["builder"]["version"]["python"] == birth.versions["python"]
    again = encoded(statement(read(package), others))
    assert again == (package / "provenance.json").read_bytes()  # anybody can make it again


def test_a_provenance_of_other_files(package: Path, keys: Path) -> None:
    """Signed, but speaking of something else: the signer's mistake is found as well."""
    own = serialization.load_pem_private_key((keys / "own.pem").read_bytes(), None)
    for text in ('{"subject": [{"name": "a", "digest": {"sha256": "00"}}]}', "{}", "no JSON"):
        (package / "provenance.json").write_text(text)
        (keys / "sig").write_text(json.dumps(bundle_of(statement_of(listing(package)), own)))
        with pytest.raises(IntegrityError, match=r"provenance\.json"):
            verify(package, keys / "sig", PublicKey(keys / "own.pub"))


def command(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "model_signing", *map(str, words)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def test_its_own_command_verifies_ours_and_we_verify_its(package: Path, keys: Path) -> None:
    sign(package, KeySigner(keys / "own.pem"), keys / "ours.sig")
    said = command("verify", "key", package, "--signature", keys / "ours.sig", "--public_key", keys / "own.pub")
    assert said.returncode == 0, said.stderr
    said = command("sign", "key", package, "--signature", keys / "its.sig", "--private_key", keys / "own.pem")
    assert said.returncode == 0, said.stderr
    assert verify(package, keys / "its.sig", PublicKey(keys / "own.pub")).ok


@pytest.mark.parametrize("setting", ["blake2", "blake3", "shards"])
def test_other_ways_of_hashing(setting: str, package: Path, keys: Path) -> None:
    """The library offers them; packages signed so are compared file by file too."""
    hashing = library.part("hashing").Config()
    if setting == "shards":
        hashing.use_shard_serialization(shard_size=1000)
    else:
        hashing.use_file_serialization(hashing_algorithm=setting)
    config = library.part("signing").Config().set_hashing_config(hashing)
    config.use_elliptic_key_signer(private_key=keys / "own.pem").sign(package, keys / "sig")
    assert verify(package, keys / "sig", PublicKey(keys / "own.pub")).ok
    with open(package / "weights.safetensors", "r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\xaa")
    found = verify(package, keys / "sig", PublicKey(keys / "own.pub"))
    assert found.changed
    assert all(name.startswith("weights.safetensors") for name in found.changed)
    assert not found.missing
    assert not found.added


def test_every_difference_is_listed(package: Path, keys: Path) -> None:
    (package / "notes.txt").write_text("signed too")
    sign(package, KeySigner(keys / "own.pem"), keys / "sig")
    (package / "weights.safetensors").write_bytes(b"other")
    (package / "provenance.json").write_text("{}")
    (package / "notes.txt").unlink()
    (package / ".git").mkdir()
    (package / ".git" / "hook").write_text("the library would not look here")
    (package / "sub").mkdir()
    (package / "sub" / "new.py").write_text("x")
    found = verify(package, keys / "sig", PublicKey(keys / "own.pub"))
    assert found.changed == ("provenance.json", "weights.safetensors")
    assert found.missing == ("notes.txt",)
    assert found.added == (".git/hook", "sub/new.py")
    with pytest.raises(
        IntegrityError, match=r"changed provenance.json, .*missing notes.txt; added .git/hook"
    ) as c:
        found.require()
    assert c.value.facts["added"] == found.added


def test_what_a_signer_told_to_leave_out_counts_as_added(package: Path, keys: Path) -> None:
    hashing = library.part("hashing").Config().set_ignored_paths(paths=["weights.safetensors"])
    config = library.part("signing").Config().set_hashing_config(hashing)
    config.use_elliptic_key_signer(private_key=keys / "own.pem").sign(package, keys / "sig")
    assert verify(package, keys / "sig", PublicKey(keys / "own.pub")).added == ("weights.safetensors",)


def test_every_byte_of_a_signature_flipped(package: Path, keys: Path) -> None:
    sign(package, KeySigner(keys / "own.pem"), keys / "sig")
    data = (keys / "sig").read_bytes()
    trust = PublicKey(keys / "own.pub")
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << (place % 8)
        (keys / "bad").write_bytes(changed)
        with pytest.raises(IntegrityError) as caught:
            verify(package, keys / "bad", trust)
        assert "\n" not in str(caught.value)


def test_every_truncation_of_a_signature(package: Path, keys: Path) -> None:
    sign(package, KeySigner(keys / "own.pem"), keys / "sig")
    data = (keys / "sig").read_bytes()
    for length in range(0, len(data), 3):
        (keys / "bad").write_bytes(data[:length])
        with pytest.raises(IntegrityError, match="is no signature of a model"):
            verify(package, keys / "bad", PublicKey(keys / "own.pub"))


BAD_NAMES = ["../outside", "/etc/passwd", "a/../../b", "..\\a", "a\0b"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_leave_the_package(name: str, package: Path, keys: Path) -> None:
    own = serialization.load_pem_private_key((keys / "own.pem").read_bytes(), None)
    resources = {**listing(package), name: "00" * 32}
    (keys / "sig").write_text(json.dumps(bundle_of(statement_of(resources), own)))
    with pytest.raises(IntegrityError, match="outside of the package"):
        verify(package, keys / "sig", PublicKey(keys / "own.pub"))


def test_more_in_a_signature_than_was_signed(package: Path, keys: Path) -> None:
    sign(package, KeySigner(keys / "own.pem"), keys / "sig")
    good = json.loads((keys / "sig").read_bytes())

    def refused(change: Any, match: str) -> None:
        document = json.loads(json.dumps(good))
        change(document)
        (keys / "bad").write_text(json.dumps(document))
        with pytest.raises(IntegrityError, match=match):
            verify(package, keys / "bad", PublicKey(keys / "own.pub"))

    envelope = "dsseEnvelope"
    refused(lambda one: one.update(note="x"), "other keys")
    refused(lambda one: one[envelope]["signatures"].append(one[envelope]["signatures"][0]), "than one")
    refused(lambda one: one[envelope]["signatures"][0].update(keyid="x"), "not checked")
    refused(lambda one: one[envelope].update(payload="AB=="), "canonical base64")
    refused(lambda one: one.update(mediaType="text/plain"), "its kind is")
    refused(lambda one: one["verificationMaterial"].pop("publicKey"), "how to verify")
    text = (keys / "sig").read_text().replace('"mediaType":', '"mediaType":"x","mediaType":', 1)
    (keys / "bad").write_text(text)
    with pytest.raises(IntegrityError, match="stands twice"):
        verify(package, keys / "bad", PublicKey(keys / "own.pub"))
    (keys / "bad").write_bytes(b"[" * 100_000)
    with pytest.raises(IntegrityError, match="is no signature"):
        verify(package, keys / "bad", PublicKey(keys / "own.pub"))


def test_keys_that_are_not_the_one(package: Path, keys: Path) -> None:
    sign(package, KeySigner(keys / "own.pem"), keys / "sig")
    with pytest.raises(IntegrityError, match="does not hold"):
        verify(package, keys / "sig", PublicKey(keys / "other.pub"))
    document = json.loads((keys / "sig").read_bytes())
    other = (keys / "other.pub").read_bytes()
    document["verificationMaterial"]["publicKey"]["hint"] = hashlib.sha256(other).hexdigest()
    (keys / "bad").write_text(json.dumps(document))  # even where it names the other key
    with pytest.raises(IntegrityError, match="made with another key"):
        verify(package, keys / "bad", PublicKey(keys / "other.pub"))
    write_certificate(keys, "ca", write_keys(keys, "ca"), "ca", write_keys(keys, "ca2"))
    with pytest.raises(IntegrityError, match="made with a bare key, not with a certificate"):
        verify(package, keys / "sig", Authority((keys / "ca.crt",)))


def test_keys_that_cannot_be_used(package: Path, keys: Path) -> None:
    out = keys / "sig"
    write_keys(keys, "rsa", rsa.generate_private_key(65537, 2048))
    write_keys(keys, "ed", ed25519.Ed25519PrivateKey.generate())
    write_keys(keys, "koblitz", ec.generate_private_key(ec.SECP256K1()))
    write_keys(keys, "locked", None, b"words")
    (keys / "junk.pem").write_text("no key")
    for signer, match in (
        (KeySigner(keys / "rsa.pem"), "no elliptic-curve key"),
        (KeySigner(keys / "ed.pem"), "no elliptic-curve key"),
        (KeySigner(keys / "koblitz.pem"), "supported curve"),
        (KeySigner(keys / "locked.pem"), "is encrypted and no password"),
        (KeySigner(keys / "locked.pem", b"wrong"), "password is wrong"),
        (KeySigner(keys / "own.pem", b"words"), "not encrypted"),
        (KeySigner(keys / "junk.pem"), "cannot be used"),
        (KeySigner(keys / "own.pub"), "cannot be used"),
    ):
        with pytest.raises(ConfigError, match=match) as caught:
            sign(package, signer, out)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="no private key at"):
        sign(package, KeySigner(keys / "nowhere.pem"), out)
    for name in ("rsa", "ed", "koblitz", "junk"):
        place = keys / (f"{name}.pub" if name != "junk" else "junk.pem")
        with pytest.raises(ConfigError):
            verify(package, out, PublicKey(place))
    assert not out.exists()
    with pytest.raises(ConfigError, match="starts with 'pkcs11:'"):
        Pkcs11Signer("file:key")
    with pytest.raises((ConfigError, DependencyMissing)):
        sign(package, Pkcs11Signer("pkcs11:token=none;object=none?module-path=/nowhere.so"), out)


def _authority(keys: Path) -> tuple[Any, Any, Any]:
    root, middle, leaf = (write_keys(keys, name) for name in ("root", "middle", "leaf"))
    write_certificate(keys, "root", root, "root", root, authority=True, days=3000)
    write_certificate(keys, "middle", middle, "root", root, authority=True)
    write_certificate(keys, "leaf", leaf, "middle", middle)
    return root, middle, leaf


def test_certificates(package: Path, keys: Path) -> None:
    _root, middle, leaf = _authority(keys)
    signer = CertificateSigner(keys / "leaf.pem", keys / "leaf.crt", (keys / "middle.crt",))
    sign(package, signer, keys / "sig")
    trust = Authority((keys / "root.crt",))
    found = verify(package, keys / "sig", trust, clock=lambda: NOW)
    assert found.ok
    assert found.signer == "CN=leaf, certified by CN=middle"
    with pytest.raises(IntegrityError, match="expired on 2026-06-21"):
        verify(package, keys / "sig", trust, clock=lambda: NOW + timedelta(days=300))
    with pytest.raises(IntegrityError, match="not valid before 2026-05-22"):
        verify(package, keys / "sig", trust, clock=lambda: NOW - timedelta(days=300))
    write_certificate(keys, "stranger", write_keys(keys, "stranger"), "stranger", write_keys(keys, "x"))
    with pytest.raises(IntegrityError, match="does not hold"):
        verify(package, keys / "sig", Authority((keys / "stranger.crt",)), clock=lambda: NOW)
    write_certificate(keys, "leaf", leaf, "middle", middle, signs=False)
    sign(package, signer, keys / "sig", overwrite=True)
    with pytest.raises(IntegrityError, match="cannot be used for signing"):
        verify(package, keys / "sig", trust, clock=lambda: NOW)
    with pytest.raises(ConfigError, match="does not match"):
        sign(package, CertificateSigner(keys / "own.pem", keys / "leaf.crt"), keys / "sig2")
    with pytest.raises(ConfigError, match="name the authority"):
        Authority(())


def test_a_certificate_right_under_its_authority(package: Path, keys: Path) -> None:
    root, _middle, leaf = _authority(keys)
    write_certificate(keys, "leaf", leaf, "root", root)
    sign(package, CertificateSigner(keys / "leaf.pem", keys / "leaf.crt"), keys / "sig")
    trust = Authority((keys / "root.crt",))
    assert verify(package, keys / "sig", trust, clock=lambda: NOW).ok
    said = command(
        "verify", "certificate", package, "--signature", keys / "sig", "--certificate_chain", keys / "root.crt"
    )
    assert said.returncode == 0, said.stderr
    # certificates that take no part could hide anything
    document = json.loads((keys / "sig").read_bytes())
    chain = document["verificationMaterial"]["x509CertificateChain"]["certificates"]
    stranger = write_keys(keys, "stranger")
    write_certificate(keys, "stranger", stranger, "unknown", write_keys(keys, "unknown"))
    pem = (keys / "stranger.crt").read_text().splitlines()[1:-1]
    for extra, match in (({"rawBytes": "".join(pem)}, "issued by nobody"), (chain[0], "stands in it twice")):
        changed = json.loads(json.dumps(document))
        changed["verificationMaterial"]["x509CertificateChain"]["certificates"].append(extra)
        (keys / "bad").write_text(json.dumps(changed))
        with pytest.raises(IntegrityError, match=match):
            verify(package, keys / "bad", trust, clock=lambda: NOW)


def test_every_byte_of_a_certified_signature_flipped(package: Path, keys: Path) -> None:
    root, _middle, leaf = _authority(keys)
    write_certificate(keys, "leaf", leaf, "root", root)
    sign(package, CertificateSigner(keys / "leaf.pem", keys / "leaf.crt"), keys / "sig")
    data = (keys / "sig").read_bytes()
    trust = Authority((keys / "root.crt",))
    for place in range(0, len(data), 7):
        changed = bytearray(data)
        changed[place] ^= 1 << (place % 8)
        (keys / "bad").write_bytes(changed)
        with pytest.raises(IntegrityError):
            verify(package, keys / "bad", trust, clock=lambda: NOW)


def test_sigstore_is_asked_for_by_identity(package: Path, keys: Path) -> None:
    """Without the network: what was signed by a key is not taken for an identity's."""
    sign(package, KeySigner(keys / "own.pem"), keys / "sig")
    with pytest.raises((IntegrityError, ConfigError, DataError)):
        verify(package, keys / "sig", Identity("me@example.org", "https://example.org", keys / "own.pub"))


def test_a_package_that_changes_while_it_is_signed(
    package: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashing = library.part("hashing")
    real = hashing.Config.hash

    def meanwhile(change: Any) -> None:
        def hashed(self: Any, *arguments: Any, **settings: Any) -> Any:
            found = real(self, *arguments, **settings)
            change()
            return found

        monkeypatch.setattr(hashing.Config, "hash", hashed)
        with pytest.raises(IntegrityError, match="changed while it was being signed"):
            sign(package, KeySigner(keys / "own.pem"), keys / "sig")
        assert not (keys / "sig").exists()

    meanwhile(lambda: (package / "new").write_text("x"))
    (package / "new").unlink()
    labels = (package / "model.json").read_bytes()
    meanwhile(lambda: (package / "model.json").write_bytes(labels + b" "))


def test_links_and_odd_files(package: Path, keys: Path) -> None:
    sign(package, KeySigner(keys / "own.pem"), keys / "sig")
    (package / "out").symlink_to("/etc/passwd")
    for act in (
        lambda: sign(package, KeySigner(keys / "own.pem"), keys / "sig2"),
        lambda: verify(package, keys / "sig", PublicKey(keys / "own.pub")),
    ):
        with pytest.raises(IntegrityError, match="holds a link, 'out' to '/etc/passwd'"):
            act()
    (package / "out").unlink()
    os.mkfifo(package / "pipe")  # reading it would wait for ever
    with pytest.raises(IntegrityError, match="neither a file nor a folder"):
        sign(package, KeySigner(keys / "own.pem"), keys / "sig2")
    assert digests(list_files(keys))["sig"] == hashlib.sha256((keys / "sig").read_bytes()).hexdigest()


def test_misuse(package: Path, keys: Path) -> None:
    signer = KeySigner(keys / "own.pem")
    with pytest.raises(ConfigError, match="would lie in the package"):
        sign(package, signer, package / "own.sig")
    with pytest.raises(DataError, match="not a model package"):
        sign(keys / "own.pem", signer, keys / "sig")
    (keys / "sig").write_text("precious")
    with pytest.raises(ConfigError, match="exists already"):
        sign(package, signer, keys / "sig")
    with pytest.raises(DataError, match="no signature at"):
        verify(package, keys / "nowhere", PublicKey(keys / "own.pub"))
    (package / "weights.safetensors").write_bytes(b"damaged")
    with pytest.raises(IntegrityError, match="truncated or changed"):
        sign(package, signer, keys / "sig", overwrite=True)
    assert (keys / "sig").read_text() == "precious"
