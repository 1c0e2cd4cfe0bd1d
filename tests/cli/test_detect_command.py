"""`hauberk detect` by transcript."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors.torch
from transcripts import Call

from hauberk.core.evidence import Evidence


@pytest.fixture
def guarded(hauberk_command: Call, plain_package: Path, tmp_path: Path) -> Path:
    out = tmp_path / "guarded"
    said = hauberk_command(
        "harden", plain_package, "--data", "digits", "--method", "confidence", "--norm", "linf", "--eps", 0.1,
        "--set", "measure=margin", "--out", out, "--json",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert json.loads(said.out)["history"] == []
    return out


def test_help_fits_a_screen(hauberk_command: Call) -> None:
    said = hauberk_command("detect", "--help")
    assert said.code == 0
    assert len(said.out.splitlines()) <= 40
    assert "Example: hauberk detect" in said.out


def test_a_detector_is_measured(hauberk_command: Call, guarded: Path, tmp_path: Path) -> None:
    base = ("detect", guarded, "--data", "digits", "--eps", 0.1, "--samples", 60)
    kept = tmp_path / "found.safetensors"
    said = hauberk_command(*base, "--out", kept)
    assert said.code == 0, said.err
    for words in (
        "behind confidence; linf radius 0.1, 60 images",
        "does not know of it",
        "knows of it",
        "HB103",
    ):
        assert words in said.out
    assert len(safetensors.torch.load_file(kept)["images"]) == 60
    (record,) = (tmp_path / "evidence").glob("detection-guarded-*.json")
    first = Evidence.load(record).result

    said = hauberk_command(*base, "--out", kept)
    assert said.code == 2
    assert "exists already" in said.err
    said = hauberk_command(*base, "--json", "--evidence", tmp_path / "elsewhere")
    assert said.code == 0, said.err
    document = json.loads(said.out)
    assert document["adaptive"] == first["adaptive"]
    assert document["detectors"][0]["measure"] == "margin"
    (record,) = (tmp_path / "elsewhere").glob("detection-guarded-*.json")
    assert Evidence.load(record).digest == document["evidence"]


def test_wrong_use_is_one_clear_line(hauberk_command: Call, plain_package: Path) -> None:
    said = hauberk_command("detect", plain_package, "--data", "digits", "--eps", 0.1)
    assert said.code == 2
    assert "error: the model refuses nothing: there is no detector to measure" in said.err
    assert "hint: hauberk harden PKG --method" in said.err
    said = hauberk_command("detect", plain_package, "--data", "digits")
    assert said.code == 2
    assert "Missing option '--eps'" in said.err
