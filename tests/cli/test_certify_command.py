"""`hauberk certify` by transcript."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from transcripts import Call

import hauberk
from hauberk.core.evidence import Evidence
from hauberk.datasets import Dataset
from hauberk.evaluation.certify import make_certifier
from hauberk.models.parts import BitDepth
from hauberk.models.training import TrainingPlan


@pytest.fixture
def certify(hauberk_command: Call) -> Call:
    return partial(hauberk_command, "certify")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory, digits_train: Dataset) -> Path:
    """A small dense network, saved."""
    blank = hauberk.create("mlp", digits_train, args={"hidden": [24, 16]}).eval()
    model = hauberk.train(blank, digits_train, TrainingPlan(epochs=3, batch_size=32, learning_rate=5e-3))
    path = tmp_path_factory.mktemp("models") / "dense"
    hauberk.save(model, path)
    return path


def test_help_fits_a_screen(certify: Call) -> None:
    said = certify("--help")
    assert said.code == 0
    assert len(said.out.splitlines()) <= 40
    assert "Example: hauberk certify" in said.out


def test_text_and_record(certify: Call, package: Path, tmp_path: Path) -> None:
    few = (package, "--data", "digits", "--eps", 0.01, "--samples", 40)
    said = certify(*few, "--out", tmp_path)
    assert said.code == 0, said.err
    (kept,) = tmp_path.glob("certificates-dense-*.json")
    record = Evidence.load(kept)
    share = record.result["certified_accuracy"]
    assert 0 < share < 1
    assert f"certified accuracy  {share:6.1%}" in said.out
    assert "at linf 0.01, proved" in said.out
    assert "HB103" in said.out  # few samples


def test_json_says_what_the_library_says(certify: Call, package: Path, digits: Dataset, tmp_path: Path) -> None:
    said = certify(package, "--data", "digits", "--eps", 0.01, "--samples", 40, "--method", "crown",
                   "--set", "refine=0", "--json", "--out", tmp_path)  # fmt: skip
    assert said.code == 0, said.err
    document = json.loads(said.out)
    method = make_certifier("crown", refine=0)
    shown = hauberk.evaluation.certify(
        hauberk.load(package), digits.head(40), hauberk.Linf(0.01), method=method
    )
    assert document["certificates"] == [vars(one) for one in shown.certificates]
    assert document["method"] == "crown"
    assert document["threat"]["eps"] == 0.01


def test_too_little_fails_the_check(certify: Call, package: Path, tmp_path: Path) -> None:
    few = (package, "--data", "digits", "--samples", 20, "--method", "ibp", "--out", tmp_path)
    assert certify(*few, "--eps", 0.001, "--require", 0.2).code == 0
    said = certify(*few, "--eps", 0.9, "--require", 0.2)
    assert said.code == 1
    assert "failed: certified accuracy 0.0% is below the required 20.0%" in said.err


def test_misuse_is_one_clear_line(certify: Call, package: Path, tmp_path: Path) -> None:
    few = (package, "--data", "digits", "--eps", 0.1, "--out", tmp_path)
    for options, code, message in (
        (("--norm", "l2"), 2, "error: method auto certifies norm linf, got l2"),
        (("--method", "crwon"), 2, "did you mean 'crown'?"),
        (("--set", "refin=3"), 2, "did you mean 'refine'?"),
        (("--require", 2), 2, "--require is a share between 0 and 1"),
        (("--method", "smoothing", "--norm", "l2"), 3, "error: "),
    ):
        said = certify(*few, *options)
        assert (said.code, said.out) == (code, "")
        assert message in said.err


def test_what_stands_around_the_network_is_named(certify: Call, package: Path, tmp_path: Path) -> None:
    behind = hauberk.load(package)
    behind.defences.append(BitDepth().eval())
    hauberk.save(behind, tmp_path / "behind")
    said = certify(tmp_path / "behind", "--data", "digits", "--eps", 0.1)
    assert said.code == 3
    assert said.err.startswith("error: bounds cannot see through bit-depth")
    assert "hint: " in said.err
