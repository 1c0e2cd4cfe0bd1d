"""`hauberk infer` by transcript: both designs, both questions, and every contradiction refused."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from transcripts import Call

import hauberk
from hauberk.core.evidence import Evidence


@pytest.fixture
def infer(hauberk_command: Call) -> Call:
    return partial(hauberk_command, "infer")


SMALL = ("--data", "digits", "--arch", "mlp", "--samples", 120, "--epochs", 3, "--set", "batch_size=20")


def test_help_fits_a_screen(infer: Call) -> None:
    said = infer("--help")
    assert said.code == 0
    assert len(said.out.splitlines()) <= 40
    assert "Example: hauberk infer" in said.out


def test_a_target_of_its_own(infer: Call, tmp_path: Path) -> None:
    out = tmp_path / "privacy"
    said = infer(*SMALL, "--shadows", 4, "--out", out, "--json")
    assert said.code == 0, said.err
    document = json.loads(said.out)
    assert [row["name"] for row in document["attacks"]] == [
        "loss", "entropy", "shadow", "lira-offline", "lira", "rmia-offline", "rmia",
    ]  # fmt: skip
    assert (document["members"], document["non_members"]) == (60, 60)
    assert {flag["code"] for flag in document["flags"]} == {"HB103", "HB301"}
    (kept,) = (out / "evidence").glob("membership-target-*.json")
    evidence = Evidence.load(kept)
    assert evidence.digest == document["evidence"]
    assert evidence.parameters["random_split"] is True
    assert hauberk.load(out / "target").evidence[-1].inputs["dataset"]["samples"] == 60
    assert len(list((out / "shadows").iterdir())) == 4

    again = infer(*SMALL, "--shadows", 4, "--out", out, "--json")
    assert again.code == 0, again.err
    for first, second in zip(document["attacks"], json.loads(again.out)["attacks"], strict=True):
        assert {**first, "seconds": 0} == {**second, "seconds": 0}
    other = infer(*SMALL, "--shadows", 4, "--out", out, "--seed", 1)
    assert other.code == 2
    assert "other settings, data or seed" in other.err


def test_a_package(infer: Call, plain_package: Path, tmp_path: Path) -> None:
    said = infer(plain_package, "--data", "digits", "--evidence", tmp_path)
    assert said.code == 0, said.err
    assert "1442 members, 355 others" in said.out
    assert "HB301: 355 non-members are too few" in said.out
    assert "HB303: members are training images" in said.out
    (kept,) = tmp_path.glob("membership-plain-*.json")
    assert [row["name"] for row in Evidence.load(kept).result["attacks"]] == ["loss", "entropy"]


def test_a_package_with_shadow_models(infer: Call, plain_package: Path, tmp_path: Path) -> None:
    said = infer(
        plain_package, "--data", "digits", "--attack", "rmia", "--shadows", 2, "--epochs", 1, "--members", 40,
        "--evidence", tmp_path, "--json",
    )  # fmt: skip
    assert said.code == 0, said.err
    document = json.loads(said.out)
    assert (document["members"], document["non_members"]) == (40, 40)
    (kept,) = tmp_path.glob("membership-plain-*.json")
    plan = Evidence.load(kept).parameters["shadow_plan"]
    assert (plan["epochs"], plan["batch_size"], plan["schedule"]) == (1, 64, "one-cycle")  # else the package's


def test_inversion(infer: Call, plain_package: Path, hardened_package: Path, tmp_path: Path) -> None:
    base = (plain_package, "--data", "digits", "--inversion", "--evidence", tmp_path)
    out = tmp_path / "classes.png"
    said = infer(*base, "--attack", "gaussian", "--out", out, "--json")
    assert said.code == 0, said.err
    document = json.loads(said.out)
    assert document["judge_accuracy"] > 0.8
    assert document["attacks"][0]["recognised"] > 0.6
    assert out.read_bytes().startswith(b"\x89PNG")
    refused = infer(*base, "--out", out)
    assert refused.code == 2
    assert "exists already" in refused.err
    said = infer(*base, "--attack", "gradient", "--judge", hardened_package, "--out", out, "--force")
    assert said.code == 0, said.err
    assert "10 classes" in said.out
    assert "noise" in said.out
    assert hauberk.load(hardened_package).digest in {
        Evidence.load(one).inputs["judge"]["digest"] for one in tmp_path.glob("inversion-plain-*.json")
    }


DIGITS = ["--data", "digits"]
MISUSE: list[tuple[int, str, list[str]]] = [
    (2, "Missing option '--data'", ["PLAIN"]),
    (2, "without a PKG, --arch is needed", [*DIGITS]),
    (2, "without a PKG, --out is needed", [*DIGITS, "--arch", "cnn"]),
    (2, "--inversion needs a PKG", [*DIGITS, "--inversion"]),
    (2, "--arch trains a target, but there is a PKG", ["PLAIN", *DIGITS, "--arch", "cnn"]),
    (2, "--samples trains a target, but there is a PKG", ["PLAIN", *DIGITS, "--samples", "50"]),
    (2, "--epochs is for shadow models", ["PLAIN", *DIGITS, "--epochs", "3"]),
    (2, "--set is for shadow models", ["PLAIN", *DIGITS, "--set", "batch_size=3"]),
    (2, "--out is for shadow models", ["PLAIN", *DIGITS, "--out", "DIR/x"]),
    (2, "lira needs shadow models", ["PLAIN", *DIGITS, "--attack", "lira"]),
    (2, "none of loss looks at shadow models", ["PLAIN", *DIGITS, "--attack", "loss", "--shadows", "4"]),
    (2, "even and at least 2, got 3", ["PLAIN", *DIGITS, "--attack", "rmia", "--shadows", "3"]),
    (2, "each once", ["PLAIN", *DIGITS, "--attack", "loss", "--attack", "loss"]),
    (2, "did you mean 'lira'", ["PLAIN", *DIGITS, "--attack", "liraa"]),
    (2, "unknown membership attack 'gradient'", ["PLAIN", *DIGITS, "--attack", "gradient"]),
    (2, "unknown inversion 'lira'", ["PLAIN", *DIGITS, "--inversion", "--attack", "lira"]),
    (2, "--shadows asks about membership", ["PLAIN", *DIGITS, "--inversion", "--shadows", "4"]),
    (2, "--members asks about membership", ["PLAIN", *DIGITS, "--inversion", "--members", "4"]),
    (2, "must end in .png", ["PLAIN", *DIGITS, "--inversion", "--out", "DIR/x.jpg"]),
    (2, "--judge belongs to --inversion", ["PLAIN", *DIGITS, "--judge", "PLAIN"]),
    (2, "--force belongs to --inversion", ["PLAIN", *DIGITS, "--force"]),
    (2, "judge is the attacked model itself", ["PLAIN", *DIGITS, "--inversion", "--judge", "PLAIN"]),
    (2, "cannot score 400", ["PLAIN", *DIGITS, "--members", "400"]),
    (2, "scored must be", ["PLAIN", *DIGITS, "--members", "0"]),
    (2, "did you mean 'batch_size'",
     [*DIGITS, "--arch", "cnn", "--out", "DIR/x", "--set", "batchsize=3"]),
    (2, "did you mean 'digits'", ["PLAIN", "--data", "digit"]),
    (2, "no model package", ["nowhere", *DIGITS]),
    (3, "device 'cuda:99'", ["PLAIN", *DIGITS, "--device", "cuda:99"]),
]  # fmt: skip


@pytest.mark.parametrize(("code", "message", "arguments"), MISUSE, ids=lambda one: str(one)[:40])
def test_misuse(
    code: int, message: str, arguments: list[str], infer: Call, plain_package: Path, tmp_path: Path
) -> None:
    words = {"PLAIN": str(plain_package)}
    said = infer(*(words.get(one, one).replace("DIR", str(tmp_path)) for one in arguments))
    assert said.code == code, said
    assert said.out == ""
    assert message in said.err
    assert "Traceback" not in said.err
    assert list(tmp_path.iterdir()) == []  # nothing was begun
