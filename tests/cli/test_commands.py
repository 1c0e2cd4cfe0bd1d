"""The command line by transcript: output on stdout, everything else on stderr, exit codes as promised."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from transcripts import Call

import hauberk
from hauberk.core.evidence import Evidence


def test_help_fits_a_screen_and_ends_with_an_example(hauberk_command: Call) -> None:
    for verb in ((), ("train",), ("attack",), ("harden",), ("evaluate",), ("import",), ("report",),
                 ("info",), ("run",), ("quickstart",), ("poison",), ("extract",), ("infer",)):  # fmt: skip
        said = hauberk_command(*verb, "--help")
        assert said.code == 0
        assert len(said.out.splitlines()) <= (80 if verb == () else 45)  # all verbs, under headings
        assert "Example: hauberk" in said.out


def test_train_attack_harden_evaluate_report(hauberk_command: Call, tmp_path: Path) -> None:
    plain, hard = tmp_path / "plain", tmp_path / "hard"
    said = hauberk_command(
        "train", "--data", "digits", "--arch", "cnn", "--epochs", 3, "--learning-rate", 0.005, "--out", plain
    )
    assert said.code == 0, said.err
    assert "right on 355 test images" in said.out

    said = hauberk_command(
        "harden", plain, "--data", "digits", "--method", "pgd", "--norm", "linf", "--eps", 0.15,
        "--epochs", 3, "--samples", 400, "--set", "steps=2", "--out", hard, "--json",
    )  # fmt: skip
    assert said.code == 0, said.err
    document = json.loads(said.out)
    assert len(document["history"]) == 3
    assert document["digest"].startswith("sha256:")

    said = hauberk_command(
        "attack", plain, "--data", "digits", "--attack", "pgd", "--norm", "linf", "--eps", 0.15,
        "--steps", 10, "--restarts", 2, "--samples", 60, "--json", "--out", tmp_path / "adv.safetensors",
    )  # fmt: skip
    assert said.code == 0, said.err
    document = json.loads(said.out)
    assert document["samples"] == len(document["verdicts"]) == 60
    assert document["accuracy"] <= document["clean_accuracy"]
    assert "PGD" in document["recipe"]
    assert (tmp_path / "adv.safetensors").exists()

    said = hauberk_command(
        "evaluate", hard, "--data", "digits", "--norm", "linf", "--eps", 0.15, "--samples", 60, "--json"
    )
    assert said.code == 0, said.err
    document = json.loads(said.out)
    assert {"clean_accuracy", "robust_accuracy", "attacks", "verdicts"} <= document.keys()
    (kept,) = (tmp_path / "evidence").glob("evaluation-hard-*.json")
    assert Evidence.load(kept).digest == document["evidence"]

    said = hauberk_command("report", tmp_path, "--lang", "zh", "--out", tmp_path / "r.html")
    assert said.code == 0, said.err
    assert "对抗" in (tmp_path / "r.html").read_text("utf-8")

    said = hauberk_command("report", tmp_path / "evidence", "--json")
    assert json.loads(said.out)["schema"] == "hauberk-report/1"

    said = hauberk_command("info", hard)
    assert said.code == 0
    assert "hardening pgd" in said.out


def test_seed_repeats_the_result(hauberk_command: Call, plain_package: Path, tmp_path: Path) -> None:
    arguments = (
        "attack", plain_package, "--data", "digits", "--eps", 0.1, "--samples", 40, "--steps", 5,
        "--evidence", tmp_path, "--json", "--seed", 7,
    )  # fmt: skip
    first, second = (json.loads(hauberk_command(*arguments).out) for _ in range(2))
    assert first["verdicts"] == second["verdicts"]


def test_targeted_attack(hauberk_command: Call, plain_package: Path, tmp_path: Path) -> None:
    said = hauberk_command(
        "attack", plain_package, "--data", "digits", "--eps", 0.25, "--samples", 40, "--target", 3,
        "--evidence", tmp_path, "--json",
    )  # fmt: skip
    document = json.loads(said.out)
    assert document["threat"]["targeted"] is True
    assert {one["prediction"] for one in document["verdicts"] if one["status"] == "broken"} == {3}


def test_require_sets_the_exit_code(hauberk_command: Call, plain_package: Path, tmp_path: Path) -> None:
    base = (
        "evaluate",
        plain_package,
        "--data",
        "digits",
        "--eps",
        0.2,
        "--samples",
        40,
        "--evidence",
        tmp_path,
    )
    assert hauberk_command(*base, "--require", 0.0).code == 0
    failed = hauberk_command(*base, "--require", 0.9)
    assert failed.code == 1
    assert "failed: worst case" in failed.err
    assert "worst case" in failed.out


MISUSE: list[tuple[int, str, list[str]]] = [
    (2, "did you mean 'evaluate'", ["evalute"]),
    (2, "--epz", ["evaluate", "PLAIN", "--data", "digits", "--epz", "0.1"]),
    (2, "Missing option '--eps'", ["evaluate", "PLAIN", "--data", "digits"]),
    (2, "eps must be greater than 0", ["evaluate", "PLAIN", "--data", "digits", "--eps", "0"]),
    (2, "eps must be greater than 0", ["attack", "PLAIN", "--data", "digits", "--eps", "-0.1"]),
    (2, "larger than the valid range", ["attack", "PLAIN", "--data", "digits", "--eps", "8"]),
    (2, "did you mean 'digits'", ["attack", "PLAIN", "--data", "digit", "--eps", "0.1"]),
    (2, "did you mean 'pgd'", ["attack", "PLAIN", "--data", "digits", "--eps", "0.1", "--attack", "pdg"]),
    (2, "unknown setting 'steps' in attack fgsm",
     ["attack", "PLAIN", "--data", "digits", "--eps", "0.1", "--attack", "fgsm", "--steps", "3"]),
    (2, "cannot take 9999", ["attack", "PLAIN", "--data", "digits", "--eps", "0.1", "--samples", "9999"]),
    (2, "cannot take 0", ["attack", "PLAIN", "--data", "digits", "--eps", "0.1", "--samples", "0"]),
    (2, "no model package", ["info", "nowhere"]),
    (2, "KEY=VALUE", ["attack", "PLAIN", "--data", "digits", "--eps", "0.1", "--set", "steps"]),
    (3, "device 'cuda:99' cannot be used",
     ["evaluate", "PLAIN", "--data", "digits", "--eps", "0.1", "--device", "cuda:99"]),
    (2, "exists already", ["train", "--data", "digits", "--out", "PLAIN"]),
    (2, "no evidence", ["report", "EMPTY"]),
    (2, "--require is a share", ["evaluate", "PLAIN", "--data", "digits", "--eps", "0.1", "--require", "60"]),
    (2, "no recipe at", ["run", "nowhere.toml"]),
    (2, "'steps' is given twice",
     ["attack", "PLAIN", "--data", "digits", "--eps", "0.1", "--steps", "3", "--set", "steps=4"]),
    (2, "'steps' is set twice",
     ["attack", "PLAIN", "--data", "digits", "--eps", "0.1", "--set", "steps=3", "--set", "steps=4"]),
    (2, "random_start is true or false",
     ["attack", "PLAIN", "--data", "digits", "--eps", "0.1", "--set", "random_start=False"]),
    (2, "'epochs' is given twice",
     ["harden", "PLAIN", "--data", "digits", "--eps", "0.1", "--out", "EMPTY/x", "--epochs", "3", "--set",
      "epochs=4"]),
    (2, "fresh is true or false",
     ["harden", "PLAIN", "--data", "digits", "--eps", "0.1", "--out", "EMPTY/x", "--set", "fresh=no"]),
]  # fmt: skip


@pytest.mark.parametrize(("code", "message", "arguments"), MISUSE, ids=lambda one: str(one)[:40])
def test_misuse(
    code: int, message: str, arguments: list[str], hauberk_command: Call, plain_package: Path, tmp_path: Path
) -> None:
    words = {"PLAIN": str(plain_package), "EMPTY": str(tmp_path)}
    said = hauberk_command(*(words.get(one, one) for one in arguments))
    assert said.code == code, said
    assert said.out == ""
    errors = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in said.err
    assert "Traceback" not in said.err


def test_a_flipped_byte_is_exit_code_1(hauberk_command: Call, plain_package: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(plain_package, copy)
    weights = bytearray((copy / "weights.safetensors").read_bytes())
    weights[len(weights) // 2] ^= 1
    (copy / "weights.safetensors").write_bytes(weights)
    said = hauberk_command("evaluate", copy, "--data", "digits", "--eps", 0.1)
    assert said.code == 1
    assert said.err.startswith("error: ")
    assert "weights.safetensors was changed" in said.err


def test_a_full_disk_is_exit_code_3_and_leaves_nothing(
    hauberk_command: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import os

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    out = tmp_path / "out"
    said = hauberk_command("train", "--data", "digits", "--epochs", 1, "--samples", 64, "--out", out)
    assert said.code == 3
    assert "No space left" in said.err
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_traceback(hauberk_command: Call) -> None:
    said = hauberk_command("info", "nowhere", "--debug")
    assert said.code == 2
    assert "Traceback" in said.err


def test_import_state_dict_and_evaluate(hauberk_command: Call, plain_package: Path, tmp_path: Path) -> None:
    """Weights with a built-in architecture's name, all the way to an evaluation."""
    said = hauberk_command(
        "import", plain_package / "weights.safetensors", "--factory", "cnn", "--input-shape", "1,8,8",
        "--out", tmp_path / "mine", "--json",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert hauberk.load(tmp_path / "mine").module is not None
    said = hauberk_command("evaluate", tmp_path / "mine", "--data", "digits", "--eps", 0.1, "--samples", 30)
    assert said.code == 0, said.err


def test_a_reader_that_went_away_is_no_pass(hauberk_command: Call, plain_package: Path, tmp_path: Path) -> None:
    """The check after the printing was not made: exit code 0 would let a bad model through."""
    words = ["evaluate", str(plain_package), "--data", "digits", "--eps", "0.2", "--samples", "20",
             "--evidence", str(tmp_path), "--require", "0.9"]  # fmt: skip
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        said = subprocess.run(
            [sys.executable, "-m", "hauberk", *words], stdout=gone, stderr=subprocess.PIPE, timeout=120
        )
    assert said.returncode == 3


def test_the_report_names_the_command_that_repeats_it(
    hauberk_command: Call, plain_package: Path, tmp_path: Path
) -> None:
    out = tmp_path / "page.html"
    assert hauberk_command("report", plain_package, "--title", "mine", "--out", out).code == 0
    assert f"--lang en --title mine --out {out}" in out.read_text("utf-8")


def test_bars_end_with_the_command() -> None:
    import click

    from hauberk.cli import common

    ended = []

    class Watched(common.Bars):
        def end(self) -> None:
            ended.append(True)

    @click.command()
    def stopped() -> None:
        Watched()
        raise KeyboardInterrupt

    with pytest.raises(click.exceptions.Abort):
        stopped.main([], standalone_mode=False)
    assert ended == [True]
