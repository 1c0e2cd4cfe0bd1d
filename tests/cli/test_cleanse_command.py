"""`hauberk cleanse` by transcript, after `hauberk poison`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transcripts import Call

import hauberk
from hauberk.core.evidence import Evidence


@pytest.fixture
def poisoned(hauberk_command: Call, tmp_path: Path) -> Path:
    """What the poison verb leaves of 400 digits after a short training."""
    out = tmp_path / "poisoned-run"
    code, _, errors = hauberk_command(
        "poison", "--data", "digits", "--method", "badnets", "--rate", 0.05, "--target", 7, "--samples", 400,
        "--epochs", 2, "--set", "batch_size=50", "--set", "learning_rate=0.005", "--out", out,
    )  # fmt: skip
    assert code == 0, errors
    return out


def test_help_fits_a_screen(hauberk_command: Call) -> None:
    code, said, _ = hauberk_command("cleanse", "--help")
    assert code == 0
    assert len(said.splitlines()) <= 44
    assert "Example: hauberk cleanse" in said


def test_from_poison_to_before_and_after(hauberk_command: Call, poisoned: Path, tmp_path: Path) -> None:
    words = ["cleanse", poisoned / "poisoned", "--data", "digits", "--poisoned", poisoned]
    out = tmp_path / "healed"
    code, said, errors = hauberk_command(
        *words, "--method", "spectral-signatures", "--set", "classes=[7]", "--set", "expected=0.3",
        "--out", out, "--json",
    )  # fmt: skip
    assert code == 0, errors
    record = Evidence.from_json(json.loads(said))
    assert record.kind == "cleansing"
    assert record.result["touched"] == 20
    assert record.parameters["poisoner"].startswith("BadNets(")
    healed, suspect = hauberk.load(out), hauberk.load(poisoned / "poisoned")
    assert record.subject["digest"] == healed.digest
    assert record.inputs["model"]["digest"] == suspect.digest
    step = healed.evidence[-1]
    assert step.parents == (suspect.evidence[-1].digest,)
    assert step.parameters["plan"] == suspect.evidence[-1].parameters["plan"]  # like with like
    assert step.result["removed"]["flagged"] == record.result["flagged"]
    kinds = [Evidence.load(path).kind for path in (poisoned / "evidence").glob("*.json")]
    assert sorted(kinds) == ["cleansing", "hardening", "poisoning", "training", "training"]
    code, said, errors = hauberk_command("report", poisoned)
    assert code == 0, errors
    # without --out nothing is mended; the text says what was found
    code, said, errors = hauberk_command(*words, "--method", "activation-clustering")
    assert code == 0, errors
    assert "of 20 poisoned rows" in said
    assert "after" not in said


def test_wrong_use_is_named(hauberk_command: Call, poisoned: Path, plain_package: Path, tmp_path: Path) -> None:
    suspect = ["cleanse", poisoned / "poisoned", "--data", "digits"]
    for words, message in (
        ([*suspect, "--method", "pgd"], "pgd"),
        ([*suspect, "--method", "fine-pruning"], "finds nothing by itself"),
        ([*suspect, "--method", "spectral-signatures", "--poisoned", poisoned, "--samples", 50], "--samples"),
        ([*suspect, "--method", "spectral-signatures", "--poisoned", tmp_path], "cannot be read"),
        ([*suspect, "--method", "neural-cleanse", "--set", "steps=1"], "at least 10"),
    ):
        code, _, errors = hauberk_command(*words)
        assert code == 2, errors
        assert message in errors
