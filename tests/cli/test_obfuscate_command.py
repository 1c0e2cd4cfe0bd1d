"""`hauberk obfuscate` by transcript."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transcripts import Call

import hauberk
from hauberk.core.evidence import Evidence
from hauberk.datasets import Dataset
from hauberk.protection.obfuscate import Key


def test_help_fits_a_screen(hauberk_command: Call) -> None:
    code, said, _ = hauberk_command("obfuscate", "--help")
    assert code == 0
    assert len(said.splitlines()) <= 44
    assert "Example: hauberk obfuscate" in said


def test_there_and_back(hauberk_command: Call, plain_package: Path, digits: Dataset, tmp_path: Path) -> None:
    key, shipped, back = tmp_path / "key", tmp_path / "shipped", tmp_path / "back"
    code, said, errors = hauberk_command(
        "obfuscate", plain_package, "--key", key, "--new-key", "--dummies", 2, "--out", shipped,
        "--evidence", tmp_path / "evidence",
    )  # fmt: skip
    assert code == 0, errors
    assert "weights permuted" in said
    assert "left alone: 9.bias (the order of the classes)" in errors
    original, hidden = hauberk.load(plain_package), hauberk.load(shipped)
    with torch.no_grad():
        a, b = original(digits.images), hidden(digits.images)
    assert float((a - b).abs().max() / a.abs().max()) <= 1e-5
    (kept,) = (tmp_path / "evidence").glob("obfuscation-shipped-*.json")
    assert Evidence.load(kept) == hidden.evidence[-1]
    assert key.read_text().strip() not in kept.read_text()

    code, said, errors = hauberk_command(
        "obfuscate",
        shipped,
        "--key",
        key,
        "--reverse",
        "--out",
        back,
        "--evidence",
        tmp_path / "evidence",
        "--json",
    )
    assert code == 0, errors
    assert json.loads(said)["result"] == {"exact": True}
    weights = [(at / "weights.safetensors").read_bytes() for at in (plain_package, back)]
    assert weights[0] == weights[1]
    code, said, _ = hauberk_command("info", shipped)
    assert code == 0
    assert "obfuscation" in said


def test_wrong_use_is_named(hauberk_command: Call, plain_package: Path, tmp_path: Path) -> None:
    key, other, out = tmp_path / "key", tmp_path / "other", tmp_path / "out"
    Key.new(key)
    Key.new(other)
    evidence = ["--evidence", tmp_path / "evidence"]
    words = ["obfuscate", plain_package, "--key", key, "--keep-architecture", "--out", tmp_path / "hidden"]
    assert hauberk_command(*words, *evidence)[0] == 0
    made = tmp_path / "hidden"
    for given, exit_code, message in (
        (["obfuscate", plain_package, "--key", tmp_path / "none", "--out", out], 2, "no obfuscation key"),
        (["obfuscate", plain_package, "--key", key, "--new-key", "--out", out], 2, "exists already"),
        (["obfuscate", plain_package, "--key", key, "--dummies", -1, "--out", out], 2, "dummies must lie in"),
        (["obfuscate", plain_package, "--key", key, "--out", made], 2, "exists already"),
        (["obfuscate", plain_package, "--key", key, "--reverse", "--out", out], 2, "tells of no obfuscation"),
        (["obfuscate", made, "--key", key, "--reverse", "--dummies", 1, "--out", out], 2, "--reverse undoes"),
        (["obfuscate", made, "--key", other, "--reverse", "--out", out], 1, "not the key"),
    ):
        code, _, errors = hauberk_command(*given, *evidence)
        assert code == exit_code, errors
        assert message in errors
    assert not out.exists()
