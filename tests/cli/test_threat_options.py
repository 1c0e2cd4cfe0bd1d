"""What the attacker sees, may ask and wants, as options; other models and workers for an evaluation."""

from __future__ import annotations

import json
from pathlib import Path

from transcripts import Call

from hauberk.core.evidence import Evidence


def test_black_box_attack_within_its_budget(hauberk_command: Call, plain_package: Path, tmp_path: Path) -> None:
    code, out, err = hauberk_command(
        "attack", plain_package, "--data", "digits", "--attack", "square", "--eps", 0.2, "--knowledge",
        "scores",
        "--queries", 40, "--samples", 30, "--evidence", tmp_path, "--json",
    )  # fmt: skip
    assert code == 0, err
    told = json.loads(out)
    assert told["threat"]["knowledge"] == "scores"
    assert max(one["queries"] for one in told["verdicts"]) <= 40


def test_gradients_are_refused_to_a_black_box(
    hauberk_command: Call, plain_package: Path, tmp_path: Path
) -> None:
    code, _, err = hauberk_command(
        "attack", plain_package, "--data", "digits", "--attack", "pgd", "--eps", 0.2, "--knowledge", "labels",
        "--samples", 5, "--evidence", tmp_path,
    )  # fmt: skip
    assert code == 2
    assert "pgd needs white-box knowledge" in err
    code, _, err = hauberk_command(
        "attack", plain_package, "--data", "digits", "--attack", "pgd", "--eps", 0.2, "--knowledge", "label",
        "--samples", 5, "--evidence", tmp_path,
    )  # fmt: skip
    assert code == 2
    assert "did you mean 'labels'" in err


def test_advgan_is_trained_on_the_spot(hauberk_command: Call, plain_package: Path, tmp_path: Path) -> None:
    code, out, err = hauberk_command(
        "attack", plain_package, "--data", "digits", "--attack", "advgan", "--eps", 0.2, "--samples", 60,
        "--set", "epochs=1", "--set", "width=8", "--set", "blocks=1", "--evidence", tmp_path, "--json",
    )  # fmt: skip
    assert code == 0, err
    assert json.loads(out)["recipe"].startswith("AdvGAN(generator=")
    code, _, err = hauberk_command(
        "attack", plain_package, "--data", "digits", "--attack", "advgan", "--eps", 0.2, "--set", "epoch=1",
        "--evidence", tmp_path,
    )  # fmt: skip
    assert code == 2
    assert "did you mean 'epochs'" in err


def test_evaluate_black_box_targeted_and_with_a_source(
    hauberk_command: Call, plain_package: Path, hardened_package: Path, tmp_path: Path
) -> None:
    code, out, err = hauberk_command(
        "evaluate", plain_package, "--data", "digits", "--eps", 0.2, "--knowledge", "labels", "--queries", 100,
        "--samples", 20, "--evidence", tmp_path, "--json",
    )  # fmt: skip
    assert code == 0, err
    assert "rays" in {row["name"] for row in json.loads(out)["attacks"]}

    code, out, err = hauberk_command(
        "evaluate", hardened_package, "--data", "digits", "--eps", 0.2, "--target", 3, "--samples", 40,
        "--source", plain_package, "--evidence", tmp_path, "--json",
    )  # fmt: skip
    assert code == 0, err
    told = json.loads(out)
    assert told["threat"]["targeted"]
    assert all(one["label"] != 3 for one in told["verdicts"])
    assert "transfer" in {row["name"] for row in told["attacks"]}
    kept = [Evidence.load(path) for path in tmp_path.glob("*.json")]
    assert any(len(one.parameters["sources"]) == 1 for one in kept)
    assert not (tmp_path / ".under-way").exists()


def test_workers_that_do_not_exist(hauberk_command: Call, plain_package: Path, tmp_path: Path) -> None:
    code, _, err = hauberk_command(
        "evaluate", plain_package, "--data", "digits", "--eps", 0.2, "--workers", "many", "--evidence", tmp_path
    )
    assert code == 2
    assert "no such workers: 'many'" in err
