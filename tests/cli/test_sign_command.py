"""``hauberk sign`` and ``hauberk verify``: what is said, what is left, and with which exit code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from transcripts import Call

import hauberk
from hauberk.core.evidence import load_folder
from hauberk.datasets import Dataset

pytest.importorskip("model_signing")


@pytest.fixture
def package(tmp_path: Path, digits: Dataset) -> Path:
    return hauberk.save(hauberk.create("mlp", digits), tmp_path / "small").path


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    folder.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    for name, sealed in (
        ("open.pem", serialization.NoEncryption()),
        ("locked.pem", serialization.BestAvailableEncryption(b"open-sesame")),
    ):
        form = serialization.PrivateFormat.PKCS8
        (folder / name).write_bytes(key.private_bytes(serialization.Encoding.PEM, form, sealed))
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / "public.pem").write_bytes(public)
    return folder


def test_sign_and_verify(hauberk_command: Call, package: Path, keys: Path, tmp_path: Path) -> None:
    signature = tmp_path / "small.sig"
    said = hauberk_command("sign", package, "--key", keys / "open.pem", "--out", signature)
    assert said.code == 0, said.err
    assert said.out == f"{signature}: 3 files of {package} signed\n"
    (record,) = load_folder(tmp_path / "evidence")
    assert record.kind == "signing"
    check = ("verify", package, "--signature", signature, "--public-key", keys / "public.pem")
    said = hauberk_command(*check)
    assert said.code == 0, said.err
    assert "all 3 files as signed" in said.out
    (package / "weights.safetensors").write_bytes(b"x")
    (package / "new").write_text("x")
    (package / "provenance.json").unlink()
    said = hauberk_command(*check)
    assert said.code == 1
    for line in ("changed  'weights.safetensors'", "missing  'provenance.json'", "added    'new'"):
        assert line in said.out
    document = json.loads(hauberk_command(*check, "--json").out)
    assert (document["ok"], document["added"]) == (False, ["new"])
    signature.write_bytes(b"{}")
    said = hauberk_command(*check)
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("error: ")


def test_passwords_come_from_a_file(hauberk_command: Call, package: Path, keys: Path, tmp_path: Path) -> None:
    words = ("sign", package, "--key", keys / "locked.pem", "--out", tmp_path / "small.sig")
    said = hauberk_command(*words)
    assert said.code == 2
    assert "encrypted and no password" in said.err
    assert "hint: --password-file FILE" in said.err
    (keys / "password").write_text("open-sesame\n")
    said = hauberk_command(*words, "--password-file", keys / "password", "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["files"] == 3
    assert "open-sesame" not in said.out + said.err


def test_misuse(hauberk_command: Call, package: Path, keys: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "small.sig")
    for words, message in (
        (("sign", package, *out), "one of --key, --pkcs11-uri and --sigstore"),
        (("sign", package, *out, "--key", keys / "open.pem", "--sigstore"), "one of --key"),
        (("sign", package, *out, "--key", keys / "open.pem", "--chain", "x"), "--chain goes with"),
        (("sign", package, *out, "--key", keys / "nowhere"), "no private key at"),
        (("verify", package, "--signature", "x"), "one of --public-key, --ca and --identity"),
        (("verify", package, "--signature", "x", "--identity", "me"), "go together"),
        (("verify", package, "--signature", "x", "--public-key", keys / "public.pem"), "no signature at x"),
    ):
        said = hauberk_command(*words)
        assert said.code == 2, words
        assert message in said.err
    shutil.rmtree(package)
    assert hauberk_command("sign", package, *out, "--key", keys / "open.pem").code == 2
