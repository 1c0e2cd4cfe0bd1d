"""`hauberk sweep` by transcript."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transcripts import Call

from hauberk.core.evidence import Evidence
from hauberk.reports import render_html


def test_help_fits_a_screen(hauberk_command: Call) -> None:
    said = hauberk_command("sweep", "--help")
    assert said.code == 0
    assert len(said.out.splitlines()) <= 40
    assert "Example: hauberk sweep" in said.out


def test_pruning_is_measured_and_drawn(hauberk_command: Call, plain_package: Path, tmp_path: Path) -> None:
    base = (
        "sweep", plain_package, "--data", "digits", "--over", "pruning", "--eps", 0.1, "--attack", "fgsm",
        "--samples", 40, "--evidence", tmp_path,
    )  # fmt: skip
    said = hauberk_command(*base, "--at", 0.5, "--at", 0)
    assert said.code == 0, said.err
    assert "sparsity    clean  under attack" in said.out
    assert "40 images, attacked at linf 0.1" in said.out
    (path,) = tmp_path.glob("sweep-plain-*.json")
    record = Evidence.load(path)
    assert [one["x"] for one in record.result["points"]] == [0, 0.5]
    said = hauberk_command(*base, "--at", 0.5, "--json")
    document = json.loads(said.out)
    assert document["points"] == record.result["points"][1:]
    assert document["over"] == "pruning"
    for lang, words in (("en", "share of weights set to zero"), ("zh", "置零权重的比例")):
        page = render_html([record], lang=lang)  # type: ignore[arg-type]
        assert '<section id="sweeps">' in page
        assert words in page


def test_randomised_models_are_averaged_and_come_out_again(
    hauberk_command: Call, plain_package: Path, tmp_path: Path
) -> None:
    said = hauberk_command(
        "harden", plain_package, "--data", "digits", "--method", "resize-pad", "--norm", "linf", "--eps", 0.1,
        "--out", tmp_path / "shaky",
    )  # fmt: skip
    assert said.code == 0, said.err
    base = (
        "sweep", tmp_path / "shaky", "--data", "digits", "--over", "quantisation", "--eps", 0.05, "--at", 32,
        "--attack", "fgsm", "--samples", 30, "--json", "--evidence", tmp_path,
    )  # fmt: skip
    first, second = (json.loads(hauberk_command(*base).out) for _ in range(2))
    assert "eot=16" in first["attack"]
    assert first["points"] == second["points"]


def test_training_takes_a_plan(hauberk_command: Call, plain_package: Path, tmp_path: Path) -> None:
    said = hauberk_command(
        "sweep", plain_package, "--data", "digits", "--over", "epochs", "--eps", 0.05, "--attack", "fgsm",
        "--samples", 30, "--train-samples", 128, "--at", 2, "--set", "batch_size=32", "--evidence", tmp_path,
    )  # fmt: skip
    assert said.code == 0, said.err
    assert "on its own data" in said.out
    (path,) = tmp_path.glob("sweep-plain-*.json")
    assert Evidence.load(path).parameters["plan"]["batch_size"] == 32


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (("--over", "pruning", "--at", 1), "error: sparsity must lie in [0, 1), got 1"),
        (("--over", "quantisation", "--at", 1), "error: bits must be a whole number from 2 to 16"),
        (
            ("--over", "pruning", "--set", "epochs=3"),
            "error: a sweep over pruning does not train: leave out --set",
        ),
        (("--over", "epochs", "--set", "epoch=3"), "error: unknown setting 'epoch' in the training plan"),
        (("--over", "everything"), "error: Invalid value for '--over'"),
    ],
)
def test_wrong_use_is_one_clear_line(
    hauberk_command: Call, plain_package: Path, more: tuple[object, ...], line: str
) -> None:
    said = hauberk_command("sweep", plain_package, "--data", "digits", "--eps", 0.1, "--samples", 5, *more)
    assert said.code == 2
    assert line in said.err


def test_workers_for_training_have_names_of_their_own(hauberk_command: Call, plain_package: Path) -> None:
    harden = ("harden", plain_package, "--data", "digits", "--eps", 0.1, "--out", "never")
    said = hauberk_command(*harden, "--workers", 4)
    assert said.code == 2
    assert "error: no such workers for training: '4'" in said.err
    assert "ray:2" in said.err
    said = hauberk_command(*harden, "--method", "jpeg", "--workers", "ray:2")
    assert said.code == 2
    assert "error: method jpeg does not train: --workers does not belong to it" in said.err
