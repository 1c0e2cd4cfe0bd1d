"""What ``hauberk harden`` asks for, and of which method."""

from __future__ import annotations

from pathlib import Path

import pytest
from transcripts import Call

import hauberk

QUICK = ("--samples", 64, "--epochs", 1)


def test_a_radius_is_asked_of_those_who_prepare_for_one(
    hauberk_command: Call, plain_package: Path, tmp_path: Path
) -> None:
    said = hauberk_command("harden", plain_package, "--data", "digits", "--method", "trades", "--out", "never")
    assert said.code == 2
    assert "error: method trades prepares for attacks of a certain radius: it needs --eps" in said.err
    assert "hint: --eps 0.3" in said.err
    said = hauberk_command(
        "harden", plain_package, "--data", "digits", "--method", "ensemble", "--set", "inner=mart",
        "--out", "never",
    )  # fmt: skip
    assert said.code == 2
    assert "error: method ensemble prepares for attacks" in said.err


@pytest.mark.parametrize(("method", "more"), [("jpeg", ()), ("label-smoothing", QUICK)])
def test_others_are_made_without(
    method: str, more: tuple[object, ...], hauberk_command: Call, plain_package: Path, tmp_path: Path
) -> None:
    call = ("harden", plain_package, "--data", "digits", "--method", method, *more)
    out = tmp_path / "without"
    said = hauberk_command(*call, "--out", out)
    assert said.code == 0, said.err
    assert f"{out}: {method}, " in said.out
    assert "hint:" not in said.err
    assert f"measure it: hauberk evaluate {out} --data digits --norm linf --eps E" in said.err
    assert "threat" not in hauberk.load(out).evidence[-1].parameters

    given = tmp_path / "given"
    said = hauberk_command(*call, "--eps", 0.2, "--out", given)
    assert said.code == 0, said.err
    assert f"hint: method {method} looks at no threat: --eps 0.2 changes nothing" in said.err
    assert "--eps 0.2" in said.err.splitlines()[-1]
    assert hauberk.load(given).digest == hauberk.load(out).digest


def test_a_norm_is_spelt_rightly_even_where_it_does_not_matter(
    hauberk_command: Call, plain_package: Path
) -> None:
    said = hauberk_command(
        "harden", plain_package, "--data", "digits", "--method", "jpeg", "--norm", "lnf", "--out", "never"
    )
    assert said.code == 2
    assert "lnf" in said.err


@pytest.mark.parametrize("method", ["ensemble", "snapshot", "fusion", "distill", "ibp", "fine-pruning", "adp"])
def test_methods_of_several_steps_say_which_can_be_shared(
    method: str, hauberk_command: Call, plain_package: Path
) -> None:
    said = hauberk_command(
        "harden", plain_package, "--data", "digits", "--method", method, "--eps", 0.1, "--workers", "ray:2",
        "--out", "never",
    )  # fmt: skip
    assert said.code == 2
    assert f"error: method {method} learns in several steps, which workers cannot share" in said.err
    (hint,) = (line for line in said.err.splitlines() if line.startswith("hint: it goes with"))
    named = hint.removeprefix("hint: it goes with ").split(", ")
    assert {"pgd", "trades", "free", "gaussian", "spectral-norm"} <= set(named)
    assert not {"ensemble", "jpeg", "distill", "thermometer", method} & set(named)


def test_mixed_labels_are_refused_before_anything_is_read(hauberk_command: Call) -> None:
    said = hauberk_command(
        "harden", "no-such-package", "--data", "digits", "--method", "pgd", "--eps", 0.1,
        "--set", 'augment=["mixup"]', "--out", "never",
    )  # fmt: skip
    assert said.code == 2
    assert "error: mixup mixes labels, which method pgd cannot learn from" in said.err
