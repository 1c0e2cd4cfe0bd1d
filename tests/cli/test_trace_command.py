"""`hauberk trace` by transcript."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
from transcripts import Call

import hauberk
from hauberk.core.evidence import Evidence
from hauberk.datasets import Dataset


@pytest.fixture
def issued(hauberk_command: Call, plain_package: Path, tmp_path: Path) -> Path:
    """A key, a register and copies for Ward 1 and Ward 2."""
    assert hauberk_command("trace", "keygen", "--out", tmp_path / "key").code == 0
    for number in (1, 2):
        code, said, errors = hauberk_command(
            "trace", "issue", plain_package, "--recipient", f"Ward {number}", "--key", tmp_path / "key",
            "--register", tmp_path / "issued.json", "--out", tmp_path / f"ward-{number}",
        )  # fmt: skip
        assert code == 0, errors
        assert f"copy for 'Ward {number}', 4931 positions in 35456 weights" in said
    return tmp_path


def accuse(call: Call, leaked: Path, original: Path, folder: Path, *more: object) -> tuple[int, str, str]:
    return call(
        "trace", "accuse", leaked, "--original", original, "--key", folder / "key",
        "--register", folder / "issued.json", *more,
    )  # fmt: skip


@pytest.mark.parametrize("words", [["trace"], ["trace", "issue"], ["trace", "accuse"], ["trace", "keygen"]])
def test_help_fits_a_screen(words: list[str], hauberk_command: Call) -> None:
    code, said, _ = hauberk_command(*words, "--help")
    assert code == 0
    assert len(said.splitlines()) <= 44
    assert f"Example: hauberk {' '.join(words)}" in said


def test_keygen_starts_without_torch(tmp_path: Path) -> None:
    said = subprocess.run(
        [
            sys.executable, "-c",
            "import sys\nfrom hauberk.cli.app import run\n"
            f"code = run(['trace', 'keygen', '--out', {str(tmp_path / 'key')!r}])\n"
            "assert 'torch' not in sys.modules\nsys.exit(code)",
        ],
        capture_output=True, text=True, timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert "sha256:" in said.stdout
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_who_leaked_it(hauberk_command: Call, issued: Path, plain_package: Path) -> None:
    code, said, errors = accuse(hauberk_command, issued / "ward-1", plain_package, issued)
    assert code == 0, errors
    assert "accused: Ward 1" in said
    assert "Ward 2" not in said
    assert "2 recipients; threshold p < 1.0e-10" in said
    # both together, as a bare file
    one, two = (hauberk.load(issued / f"ward-{number}").weights() for number in (1, 2))
    mixed = issued / "found.safetensors"
    safetensors.torch.save_file({name: (one[name] + two[name]) / 2 for name in one}, mixed)
    code, said, errors = accuse(hauberk_command, mixed, plain_package, issued, "--json")
    assert code == 0, errors
    answer = json.loads(said)
    assert [row["name"] for row in sorted(answer["accused"], key=lambda row: row["name"])] == [
        "Ward 1",
        "Ward 2",
    ]
    records = [Evidence.load(path) for path in (issued / "evidence").glob("trace-*.json")]
    assert answer["evidence"] in {record.digest for record in records}
    assert {record.parameters["action"] for record in records} == {"accuse"}


def test_nobody(hauberk_command: Call, issued: Path, plain_package: Path) -> None:
    code, said, errors = accuse(hauberk_command, plain_package, plain_package, issued)
    assert code == 1, errors
    assert said.startswith("nobody is accused")
    assert "error" not in errors


def test_copies_keep_the_life_of_the_original(hauberk_command: Call, issued: Path, plain_package: Path) -> None:
    kinds = [one.kind for one in hauberk.load(issued / "ward-1").evidence]
    assert kinds == ["training", "trace"]
    code, said, _ = hauberk_command("info", issued / "ward-1")
    assert code == 0
    assert "trace" in said


def test_wrong_use_is_named(
    hauberk_command: Call, issued: Path, plain_package: Path, digits: Dataset, tmp_path: Path
) -> None:
    other, strange = tmp_path / "other", tmp_path / "strange"
    hauberk.save(hauberk.create("cnn", digits, seed=9), strange)
    assert hauberk_command("trace", "keygen", "--out", other).code == 0
    settings = ["--register", issued / "issued.json", "--key", issued / "key"]
    issue = ["trace", "issue", plain_package, *settings, "--out", tmp_path / "new"]
    blame = ["trace", "accuse", issued / "ward-1", "--original", plain_package, *settings]
    for words, expected, message in (
        ([*issue, "--recipient", "Ward 1"], 2, "'Ward 1' has a copy already"),
        ([*issue, "--recipient", "Ward 3", "--key", other], 1, "made with another key"),
        ([*issue, "--recipient", "Ward 3", "--colluders", 5], 2, "begun with colluders 3, not 5"),
        ([*issue, "--recipient", "Ward 3", "--key", tmp_path / "absent"], 2, "no tracing key at"),
        ([*issue, "--recipient", " "], 2, "recipient's name"),
        ([*issue, "--recipient", "Ward 3", "--register", tmp_path / "n", "--colluders", 9], 3, "too small"),
        ([*issue, "--recipient", "Ward 3", "--register", tmp_path / "n", "--strength", 3], 2, "strength"),
        (["trace", "keygen", "--out", other], 2, "exists already"),
        ([*blame, "--key", other], 1, "made with another key"),
        ([*blame, "--original", strange], 2, "another model"),
        ([*blame, "--register", tmp_path / "absent"], 2, "no register at"),
        ([*blame, "--max-false", 2], 2, "max_false"),
    ):
        code, said, errors = hauberk_command(*words)
        assert (code, said) == (expected, ""), errors
        assert message in errors
        assert len(errors.splitlines()) <= 2, errors
    assert not (tmp_path / "new").exists()
    (issued / "issued.json").write_bytes((issued / "issued.json").read_bytes()[:-40])
    code, _, errors = hauberk_command(*blame)
    assert code == 1
    assert "damaged" in errors
