"""`hauberk train --private` by transcript: the budget in the package, an audit, contradictions refused."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
import torch
from transcripts import Call

import hauberk
from hauberk.core.evidence import Evidence
from hauberk.privacy.training import NoiseSource

SMALL = (
    "--data", "digits", "--arch", "mlp", "--samples", 600, "--private", "--epsilon", 2, "--delta", "1e-4",
    "--epochs", 2,
)  # fmt: skip


@pytest.fixture
def train(hauberk_command: Call) -> Call:
    return partial(hauberk_command, "train")


def test_help_fits_a_screen(train: Call) -> None:
    said = train("--help")
    assert said.code == 0
    assert len(said.out.splitlines()) <= 45
    assert "--private" in said.out


def test_a_package_that_says_what_it_cost(train: Call, tmp_path: Path) -> None:
    said = train(
        *SMALL, "--set", "clipping=automatic", "--set", "hidden=[8]", "--clip", 0.5, "--out", tmp_path / "p"
    )
    assert said.code == 0, said.err
    model = hauberk.load(tmp_path / "p")
    assert model.architecture == {"name": "mlp", "args": {"hidden": [8]}}
    evidence = model.evidence[-1]
    assert (evidence.parameters["clipping"], evidence.parameters["clip"]) == ("automatic", 0.5)
    assert evidence.parameters["plan"]["batch_size"] == 75  # an eighth
    privacy = evidence.result["privacy"]
    assert (
        f"privacy: epsilon {privacy['epsilon']:.3f} at delta 0.0001, one example added or removed (16 steps"
        in said.out
    )
    assert privacy["epsilon"] <= 2


def test_json_and_an_audit(train: Call, tmp_path: Path) -> None:
    said = train(*SMALL, "--audit", 100, "--out", tmp_path / "p", "--json")
    assert said.code == 0, said.err
    document = json.loads(said.out)
    assert document["privacy"] == hauberk.load(tmp_path / "p").evidence[-1].result["privacy"]
    assert "audit: epsilon is at least" in said.err
    (kept,) = (tmp_path / "evidence").glob("privacy-audit-p-*.json")
    evidence = Evidence.load(kept)
    assert evidence.subject["digest"] == document["model"]
    assert evidence.result["holds"]
    assert evidence.parameters["canaries"] == 100
    assert evidence.seed is None


def test_a_broken_trainer_is_exit_code_1(train: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NoiseSource, "normal", lambda self, count: torch.zeros(count).double())
    said = train(
        "--data", "digits", "--arch", "mlp", "--samples", 600, "--private", "--epsilon", 0.5, "--delta", "1e-4",
        "--batch-size", 60, "--learning-rate", 0.5, "--epochs", 60, "--audit", 200, "--out", tmp_path / "p",
    )  # fmt: skip
    assert said.code == 1, said.err
    assert "THE CLAIM IS REFUTED" in said.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--private", "--delta", "1e-5"], 2, "--private needs --epsilon"),
        (["--private", "--epsilon", 3], 2, "--private needs --delta"),
        (["--epsilon", 3], 2, "--epsilon belongs to --private"),
        (["--audit", 50], 2, "--audit belongs to --private"),
        (["--private", "--epsilon", 0, "--delta", "1e-5"], 2, "epsilon must lie in (0, 50], got 0"),
        (["--private", "--epsilon", -3, "--delta", "1e-5"], 2, "epsilon must lie in (0, 50], got -3"),
        (["--private", "--epsilon", "1e9", "--delta", "1e-5"], 2, "epsilon must lie in (0, 50]"),
        (["--private", "--epsilon", "nan", "--delta", "1e-5"], 2, "epsilon must lie in (0, 50], got nan"),
        (["--private", "--epsilon", 3, "--delta", 0.01], 2, "(1/1442)"),
        (["--private", "--epsilon", 3, "--delta", "1e-5", "--held-out", 10], 2, "--held-out does not go with"),
        (
            ["--private", "--epsilon", 3, "--delta", "1e-5", "--workers", "ray:2"],
            2,
            "--workers does not go with",
        ),
        (["--private", "--epsilon", 3, "--delta", "1e-5", "--samples", 60], 2, "below 100"),
        (["--private", "--epsilon", 3, "--delta", "1e-5", "--set", "clipp=1"], 2, "unknown argument 'clipp'"),
        (["--private", "--epsilon", 3, "--delta", "1e-5", "--set", "epsilon=1"], 2, "given twice"),
        (["--private", "--epsilon", 3, "--delta", "1e-5", "--audit", 1442], 2, "1442 canaries cannot be taken"),
        (["--private", "--epsilon", 3, "--delta", "1e-5", "--arch", "wide-resnet"], 3, "BatchNorm2d"),
    ],
)
def test_contradictions_are_one_line(
    arguments: list[object], code: int, words: str, train: Call, tmp_path: Path
) -> None:
    said = train("--data", "digits", *arguments, "--out", tmp_path / "p")
    assert said.code == code
    assert words in said.err
    assert "Traceback" not in said.err
    assert not (tmp_path / "p").exists()
