"""`hauberk bom` by transcript: what it writes is valid, and what cannot be inventoried is refused."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from transcripts import Call

from hauberk.core.evidence import Evidence


@pytest.fixture
def bom(hauberk_command: Call) -> Call:
    return partial(hauberk_command, "bom")


@pytest.fixture
def package(plain_package: Path, tmp_path: Path) -> Path:
    return shutil.copytree(plain_package, tmp_path / "plain")


def test_help_fits_a_screen(bom: Call) -> None:
    said = bom("--help")
    assert said.code == 0
    assert len(said.out.splitlines()) <= 40
    assert "Example: hauberk bom" in said.out


@pytest.mark.parametrize("specification", ["1.6", "1.7"])
def test_it_writes_a_valid_inventory(specification: str, bom: Call, package: Path, tmp_path: Path) -> None:
    out = tmp_path / "bom.json"
    said = bom(package, "--out", out, "--specification", specification, "--licence", "MIT", "--json")
    assert said.code == 0, said.err
    validator = JsonStrictValidator(SchemaVersion.from_version(specification))
    assert validator.validate_str(out.read_text("utf-8")) is None
    document, told = json.loads(out.read_text("utf-8")), json.loads(said.out)
    assert document["serialNumber"] == told["serial_number"]
    assert document["metadata"]["component"]["bom-ref"] == f"model:{told['model']}"
    assert told["libraries"] > 10


def test_evidence_that_does_not_count_is_left_out_and_named(bom: Call, package: Path, tmp_path: Path) -> None:
    folder = tmp_path / "later"
    Evidence(kind="evaluation", subject={"name": "other", "digest": f"sha256:{'0' * 64}"}).save(
        folder, "foreign"
    )
    said = bom(package, "--out", tmp_path / "bom.json", "--evidence", folder)
    assert said.code == 0, said.err
    assert "left out: foreign.json" in said.err
    assert "0 figures" in said.out


def test_libraries_of_a_lock_file(bom: Call, package: Path, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("torch==2.6.0\n")
    said = bom(package, "--out", tmp_path / "bom.json", "--lock", tmp_path / "requirements.txt")
    assert said.code == 0, said.err
    assert "1 libraries" in said.out


def test_nothing_is_replaced_by_accident(bom: Call, package: Path, tmp_path: Path) -> None:
    out = tmp_path / "bom.json"
    assert bom(package, "--out", out).code == 0
    again = bom(package, "--out", out)
    assert (again.code, "exists already" in again.err) == (2, True)
    assert bom(package, "--out", out, "--force").code == 0


def test_a_changed_package_has_no_inventory(bom: Call, package: Path, tmp_path: Path) -> None:
    weights = package / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    said = bom(package, "--out", tmp_path / "bom.json")
    assert said.code == 1
    assert said.err.startswith("error: ")
    assert not (tmp_path / "bom.json").exists()


def test_no_package(bom: Call, tmp_path: Path) -> None:
    said = bom(tmp_path / "none", "--out", tmp_path / "bom.json")
    assert said.code == 2
    assert said.err.startswith("error: ")
