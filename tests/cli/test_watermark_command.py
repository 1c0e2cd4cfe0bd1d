"""`hauberk watermark` by transcript: keygen, embed, verify."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transcripts import Call

import hauberk
from hauberk.core.evidence import Evidence


@pytest.fixture
def key(hauberk_command: Call, tmp_path: Path) -> Path:
    path = tmp_path / "owner.key"
    code, said, errors = hauberk_command("watermark", "keygen", "--out", path)
    assert code == 0, errors
    assert path.read_text().split()[1] not in said + errors
    return path


@pytest.mark.parametrize("words", [[], ["keygen"], ["embed"], ["verify"]])
def test_help_fits_a_screen(hauberk_command: Call, words: list[str]) -> None:
    code, said, _ = hauberk_command("watermark", *words, "--help")
    assert code == 0
    assert len(said.splitlines()) <= 44
    assert "Example: hauberk watermark" in said


def test_embed_then_verify(hauberk_command: Call, key: Path, plain_package: Path, tmp_path: Path) -> None:
    out, promise, ledger = tmp_path / "marked", tmp_path / "marked.json", tmp_path / "log"
    assert hauberk_command("ledger", "init", "--ledger", ledger).code == 0
    code, said, errors = hauberk_command(
        "watermark", "embed", plain_package, "--data", "digits", "--key", key, "--epochs", 4,
        "--set", "bits=64", "--out", out, "--commitment", promise, "--ledger", ledger, "--json",
    )  # fmt: skip
    assert code == 0, errors
    told = json.loads(said)
    assert told["entry"] == 0
    code, life, errors = hauberk_command("history", out, "--ledger", ledger)
    assert code == 0, errors
    assert "watermark-commitment" in life
    assert "entry 0, proof holds" in life
    marked = hauberk.load(out)
    assert told["model"] == marked.digest == json.loads(promise.read_text())["model"]
    assert told["test_accuracy"]["after"] >= told["test_accuracy"]["before"] - 0.005
    assert [one.kind for one in marked.evidence] == ["training", "watermark"]
    code, said, errors = hauberk_command("watermark", "verify", out, "--key", key, "--commitment", promise)
    assert code == 0, errors
    assert "whitebox mark found" in said
    kept = next((tmp_path / "evidence").glob("watermark-verification-*.json"))
    assert Evidence.load(kept).parents == (marked.evidence[-1].digest,)
    code, said, _ = hauberk_command("watermark", "verify", out, "--key", key, "--set", "bits=64", "--json")
    assert code == 0
    assert json.loads(said)["parameters"]["commitment"] is None
    # the unmarked one: looked at, and not claimed
    code, said, _ = hauberk_command(
        "watermark",
        "verify",
        plain_package,
        "--key",
        key,
        "--commitment",
        promise,
        "--evidence",
        tmp_path / "e",
    )
    assert code == 1
    assert "not found" in said


def test_a_fingerprint_leaves_the_model(
    hauberk_command: Call, key: Path, plain_package: Path, tmp_path: Path
) -> None:
    out, promise = tmp_path / "same", tmp_path / "same.json"
    code, said, errors = hauberk_command(
        "watermark", "embed", plain_package, "--data", "digits", "--key", key, "--kind", "fingerprint",
        "--set", "lines=64", "--out", out, "--commitment", promise,
    )  # fmt: skip
    assert code == 0, errors
    assert hauberk.load(out).digest == hauberk.load(plain_package).digest
    code, said, errors = hauberk_command(
        "watermark", "verify", out, "--key", key, "--commitment", promise, "--data", "digits"
    )
    assert code == 0, errors
    assert "64 of 64 match" in said


def test_wrong_use_is_named(hauberk_command: Call, key: Path, plain_package: Path, tmp_path: Path) -> None:
    embed = ["watermark", "embed", plain_package, "--data", "digits", "--key", key, "--out", tmp_path / "o",
             "--commitment", tmp_path / "c"]  # fmt: skip
    verify = ["watermark", "verify", plain_package, "--key", key]
    other = tmp_path / "age.key"
    other.write_text("AGE-SECRET-KEY-1\n")
    other.chmod(0o600)
    open_key = tmp_path / "open.key"
    open_key.write_bytes(key.read_bytes())
    open_key.chmod(0o644)
    for words, message in (
        ([*embed, "--kind", "whitbox"], "did you mean 'whitebox'"),
        ([*embed, "--set", "bitz=3"], "bitz"),
        ([*embed, "--kind", "fingerprint", "--epochs", 3], "epochs does not belong"),
        ([*embed, "--kind", "fingerprint", "--samples", 3], "--samples does not belong"),
        ([*verify, "--kind", "blackbox"], "--data"),
        ([*verify, "--kind", "fingerprint", "--data", "digits"], "--commitment FILE"),
        ([*verify, "--set", "bits=16"], "cannot reach p"),
        ([*verify[:-1], other], "opens sealed files"),
        ([*verify[:-1], open_key], "mode 644"),
        ([*verify[:-1], tmp_path / "none"], "no watermark key"),
        (["watermark", "keygen", "--out", key], "exists already"),
    ):
        code, _, errors = hauberk_command(*words)
        assert code == 2, (words, errors)
        assert message in errors
    assert not (tmp_path / "o").exists()
    assert not (tmp_path / "c").exists()
