"""`hauberk poison` by transcript."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch
from transcripts import Call, Said

import hauberk
from hauberk.core.evidence import Evidence
from hauberk.datasets import Dataset


@pytest.fixture
def poison(hauberk_command: Call) -> Call:
    """The verb on the first 300 digits, with a short training."""

    def call(*arguments: object, retrain: bool = True) -> Said:
        words = ["poison", "--data", "digits", *map(str, arguments)]
        if "--samples" not in words:
            words += ["--samples", "300"]
        words += ["--epochs", "1", "--set", "batch_size=50"] if retrain else ["--no-retrain"]
        return hauberk_command(*words)

    return call


def test_help_fits_a_screen(hauberk_command: Call) -> None:
    code, said, _ = hauberk_command("poison", "--help")
    assert code == 0
    assert len(said.splitlines()) <= 40
    assert "Example: hauberk poison" in said


def test_everything_is_written_and_agrees(poison: Call, tmp_path: Path, digits_train: Dataset) -> None:
    out = tmp_path / "run"
    said = poison("--method", "badnets", "--rate", 0.1, "--target", 7, "--set", "size=2", "--seed", 3,
                  "--out", out, "--json")  # fmt: skip
    assert said.code == 0, said.err
    document = json.loads(said.out)
    assert sorted(one.name for one in out.iterdir()) == [
        "clean",
        "evidence",
        "poisoned",
        "poisoned.safetensors",
    ]
    tensors = safetensors.torch.load_file(out / "poisoned.safetensors")
    clean = digits_train.head(300)
    touched = tensors["touched"].bool()
    assert int(touched.sum()) == document["touched"] == 30
    differs = (tensors["images"] != clean.images).flatten(1).any(1) | (tensors["labels"] != clean.labels)
    assert torch.equal(differs, touched)
    records = {one.kind: one for one in map(Evidence.load, (out / "evidence").glob("poisoning-*.json"))}
    evidence = records["poisoning"]
    assert evidence.digest == document["evidence"]
    assert evidence.subject["digest"] == hauberk.load(out / "poisoned").digest
    assert evidence.inputs["clean_model"]["digest"] == hauberk.load(out / "clean").digest
    assert len(list((out / "evidence").glob("training-*.json"))) == 2
    assert document["after"] == evidence.result["after"]
    assert "size=2" in document["recipe"]
    assert "gallery" not in document


def test_the_table_shows_before_and_after(poison: Call, tmp_path: Path) -> None:
    said = poison(
        "--method", "class-flip", "--rate", 0.05, "--source", 7, "--target", 1, "--out", tmp_path / "x"
    )
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert lines[0] == "class-flip: 15 of 300 training images touched (5.00%)"
    assert lines[2].split() == ["trained", "on", "clean", "poisoned", "95", "%", "interval"]
    assert lines[3].startswith("test accuracy")
    assert lines[4].startswith("without trigger, 7 read as 1")
    assert len(lines) == 5


def test_no_retrain_writes_the_data_only(poison: Call, tmp_path: Path) -> None:
    out = tmp_path / "x"
    said = poison("--method", "random-flip", "--rate", 0.25, "--out", out, retrain=False)
    assert said.code == 0, said.err
    assert said.out == "random-flip: 75 of 300 training images touched (25.00%)\n"
    assert [one.name for one in out.iterdir()] == ["poisoned.safetensors"]


def test_a_reference_is_trained_or_given(poison: Call, plain_package: Path, tmp_path: Path) -> None:
    base = ("--method", "clean-label", "--rate", 0.05, "--set", "steps=3")
    said = poison(*base, "--reference", plain_package, "--out", tmp_path / "a", retrain=False)
    assert said.code == 0, said.err
    assert "training a reference" not in said.err
    said = poison(*base, "--out", tmp_path / "b")
    assert said.code == 0, said.err
    assert "training a reference" in said.err


def test_the_seed_repeats_the_data(poison: Call, tmp_path: Path) -> None:
    digests = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        said = poison("--method", "blended", "--rate", 0.1, "--seed", seed, "--out", tmp_path / name, "--json",
                      retrain=False)  # fmt: skip
        digests.append(json.loads(said.out)["poisoned_dataset"]["digest"])
    assert digests[0] == digests[1] != digests[2]


def test_force_replaces_earlier_results_and_nothing_else(poison: Call, tmp_path: Path) -> None:
    out = tmp_path / "x"
    base = ("--method", "random-flip", "--rate", 0.1, "--out", out)
    assert poison(*base, retrain=False).code == 0
    said = poison(*base, retrain=False)
    assert said.code == 2
    assert "exists already" in said.err
    assert poison(*base, "--force", retrain=False).code == 0
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    said = poison("--method", "random-flip", "--rate", 0.1, "--out", mine, "--force", retrain=False)
    assert said.code == 2
    assert "is not a result of hauberk poison" in said.err
    assert (mine / "thesis.txt").read_text() == "years of work"


MISUSE: list[tuple[str, list[str]]] = [
    ("rate is a share in (0, 1], got 0.0", ["--method", "badnets", "--rate", "0"]),
    ("rate is a share in (0, 1], got 5.0", ["--method", "badnets", "--rate", "5"]),
    ("touches not one of 300", ["--method", "badnets", "--rate", "0.001"]),
    ("target 12 is not one of the 10 classes", ["--method", "badnets", "--rate", "0.1", "--target", "12"]),
    ("target 12 is not one of the 10 classes", ["--method", "clean-label", "--rate", "0.1", "--target", "12"]),
    ("same class, 3", ["--method", "class-flip", "--rate", "0.1", "--target", "3", "--source", "3"]),
    ("poisoner class-flip needs source", ["--method", "class-flip", "--rate", "0.1", "--target", "3"]),
    ("unknown setting 'target' in poisoner random-flip",
     ["--method", "random-flip", "--rate", "0.1", "--target", "3"]),
    ("did you mean 'badnets'", ["--method", "badnet", "--rate", "0.1"]),
    ("did you mean 'size'", ["--method", "badnets", "--rate", "0.1", "--set", "sise=3"]),
    ("patch of 20x20 with margin 0 does not fit", ["--method", "badnets", "--rate", "0.1", "--set", "size=20"]),
    ("'rate' is given twice", ["--method", "badnets", "--rate", "0.1", "--set", "rate=0.2"]),
    ("consults no model", ["--method", "badnets", "--rate", "0.1", "--reference", "PLAIN"]),
    ("no model package", ["--method", "worst-flip", "--rate", "0.1", "--reference", "nowhere"]),
    ("may touch only", ["--method", "clean-label", "--rate", "0.5"]),
    ("epochs must be a whole number", ["--method", "badnets", "--rate", "0.1", "--epochs", "0"]),
    ("unknown architecture 'cmn'", ["--method", "badnets", "--rate", "0.1", "--arch", "cmn", "--epochs", "1"]),
    ("did you mean 'digits'", ["--data", "digit", "--method", "badnets", "--rate", "0.1"]),
    ("cannot take 0", ["--method", "badnets", "--rate", "0.1", "--samples", "0"]),
]  # fmt: skip


@pytest.mark.parametrize(("message", "arguments"), MISUSE, ids=lambda one: str(one)[:40])
def test_misuse(
    message: str, arguments: list[str], plain_package: Path, tmp_path: Path, hauberk_command: Call
) -> None:
    words = ["--data", "digits", "--samples", "300", "--out", str(tmp_path / "x")]
    words += [str(plain_package) if one == "PLAIN" else one for one in arguments]
    said = hauberk_command("poison", *words)
    assert said.code == 2, said.err
    assert message in said.err
    assert said.out == ""
    assert said.err.startswith("error: ")  # before anything is trained
    assert said.err.count("error: ") == 1
    assert "Traceback" not in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(poison: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    said = poison("--method", "random-flip", "--rate", 0.1, "--out", tmp_path / "x")
    assert said.code == 3
    assert "No space left" in said.err
    assert list(tmp_path.iterdir()) == []
