"""``hauberk scan`` and the scan before every import: what is said, and with which exit code."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from transcripts import Call

import hauberk
from hauberk.core.errors import IntegrityError
from hauberk.models.importing import import_model
from hauberk.protection.scan.importing import import_scanned


class Bomb:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.canary}",)


@pytest.fixture
def bomb(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"w": Bomb(tmp_path / "canary")}, 2))
        archive.writestr("archive/version", "3\n")
    return path


def test_exit_codes(hauberk_command: Call, bomb: Path, tmp_path: Path, plain_package: Path) -> None:
    assert hauberk_command("scan", plain_package).code == 0
    said = hauberk_command("scan", bomb)
    assert said.code == 1
    assert "posix.system" in said.out
    assert "an attacker runs code of his choice" in said.out
    said = hauberk_command("scan", tmp_path / "nowhere")
    assert (said.code, said.err) == (2, f"error: nothing to scan at {tmp_path / 'nowhere'}\n")
    assert hauberk_command("scan").code == 2
    assert not (tmp_path / "canary").exists()


def test_what_could_not_be_read_is_no_pass(
    hauberk_command: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(600))
    monkeypatch.setitem(sys.modules, "h5py", None)  # as on a machine without it
    said = hauberk_command("scan", path)
    assert said.code == 3
    assert "h5py" in said.out


def test_json_and_sarif(hauberk_command: Call, bomb: Path, tmp_path: Path) -> None:
    said = hauberk_command("scan", bomb, "--json", "--sarif", tmp_path / "out.sarif")
    assert said.code == 1
    document = json.loads(said.out)
    assert document["clean"] is False
    assert document["findings"][0]["rule"] == "pickle/dangerous-import"
    assert set(document["findings"][0]) == {
        "rule", "path", "where", "message", "by", "severity", "gains", "remedy",
    }  # fmt: skip
    sarif = json.loads((tmp_path / "out.sarif").read_text())
    assert sarif["runs"][0]["results"][0]["ruleId"] == "pickle/dangerous-import"
    again = hauberk_command("scan", bomb, "--json", "--own-only")
    assert json.loads(again.out)["findings"][0]["by"] == ["hauberk"]


def test_the_scan_starts_without_torch(bomb: Path) -> None:
    code = (
        "import sys\nfrom hauberk.cli.app import run\n"
        f"code = run(['scan', {str(bomb)!r}])\nassert 'torch' not in sys.modules\nsys.exit(code)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert said.returncode == 1, said.stderr


def test_import_scans_first(hauberk_command: Call, bomb: Path, tmp_path: Path) -> None:
    said = hauberk_command(
        "import", bomb, "--factory", "cnn", "--input-shape", "1,8,8", "--out", tmp_path / "mine"
    )
    assert said.code == 1
    assert "was not read: pickle/dangerous-import" in said.err
    assert not (tmp_path / "mine").exists()
    assert not (tmp_path / "canary").exists()


def test_an_import_names_its_scan(hauberk_command: Call, plain_package: Path, tmp_path: Path) -> None:
    said = hauberk_command(
        "import", plain_package / "weights.safetensors", "--factory", "cnn", "--input-shape", "1,8,8",
        "--out", tmp_path / "mine",
    )  # fmt: skip
    assert said.code == 0, said.err
    before, after = hauberk.load(tmp_path / "mine").evidence
    assert (before.kind, after.kind) == ("scan", "import")
    assert after.parents == (before.digest,)
    assert before.inputs["files"][0]["digest"] == after.parameters["file_digest"]


def test_a_file_that_changes_after_the_scan(plain_package: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes((plain_package / "weights.safetensors").read_bytes())

    def swapped(place: Path) -> Any:
        weights = safetensors.torch.load_file(place)
        safetensors.torch.save_file({name: torch.zeros_like(one) for name, one in weights.items()}, place)
        return import_model(place, factory="cnn", input_shape=(1, 8, 8))

    with pytest.raises(IntegrityError, match="changed between the scan and the import"):
        import_scanned(path, swapped)
