"""``hauberk ledger init|append|head|export`` and ``hauberk history``: what is said, and which exit code."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from transcripts import Call

import hauberk
from hauberk.core.canonical import digest
from hauberk.core.evidence import Evidence
from hauberk.crypto.notes import Note, parse_verifier, verify
from hauberk.datasets import Dataset
from hauberk.models.training import TrainingPlan

LATER = {"created": "2099-01-01T00:00:00Z"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, digits_train: Dataset) -> Path:
    """A package with the evidence of its birth, in a folder of its own."""
    plan = TrainingPlan(epochs=1, batch_size=64)
    model = hauberk.train(hauberk.create("mlp", digits_train), digits_train.head(128), plan, seed=0, name="net")
    return hauberk.save(model, tmp_path_factory.mktemp("trained") / "net").path


@pytest.fixture
def package(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "models" / "net"))


def model_of(package: Path) -> str:
    return str(json.loads((package / "model.json").read_text())["model"])


def left(package: Path, kind: str, **changes: Any) -> Path:
    """Later evidence, as a verb leaves it."""
    own: dict[str, Any] = {"subject": {"name": "net", "digest": model_of(package)}, **LATER, **changes}
    return Evidence(kind=kind, **own).save(package.parent / "evidence")


@pytest.fixture
def ledger(hauberk_command: Call, tmp_path: Path) -> Path:
    said = hauberk_command("ledger", "init", "--ledger", tmp_path / "log", "--origin", "example.com/log")
    assert said.code == 0, said.err
    assert parse_verifier(said.out.strip()).name == "example.com/log"
    return tmp_path / "log"


def test_append_prints_numbers(hauberk_command: Call, ledger: Path, package: Path, tmp_path: Path) -> None:
    birth = next((package / "evidence").glob("*.json"))
    later = left(package, "evaluation")
    said = hauberk_command("ledger", "append", birth, later, birth, "--ledger", ledger)
    assert (said.code, said.out) == (0, f"0  {birth}\n1  {later}\n0  {birth}\n")
    said = hauberk_command("ledger", "append", later, "--ledger", ledger, "--json")
    assert json.loads(said.out) == {"entries": [{"file": str(later), "entry": 1}]}
    said = hauberk_command("ledger", "head", "--ledger", ledger)
    note = Note.parse(said.out.encode())
    assert note.text.startswith("example.com/log\n2\n")
    verify(note, [parse_verifier((ledger / "key.pub").read_text().strip())])


def test_nothing_is_logged_when_one_file_is_wrong(hauberk_command: Call, ledger: Path, tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text("[1]")
    (tmp_path / "bad.json").write_text("{")
    said = hauberk_command(
        "ledger", "append", tmp_path / "good.json", tmp_path / "bad.json", "--ledger", ledger
    )
    assert said.code == 2
    assert said.err.startswith(f"error: {tmp_path / 'bad.json'} is not valid JSON")
    assert json.loads(hauberk_command("ledger", "head", "--ledger", ledger, "--json").out)["size"] == 0


def test_export_and_reading_what_was_exported(hauberk_command: Call, ledger: Path, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[1]")
    hauberk_command("ledger", "append", tmp_path / "a.json", "--ledger", ledger)
    out = tmp_path / "public"
    said = hauberk_command("ledger", "export", "--ledger", ledger, "--tiles", out)
    assert (said.code, said.out) == (0, f"{out}: 1 entries, 1 of them new, in 2 new files\n")
    assert (out / "tile/entries/000.p/1").read_bytes() == b"\x00\x03[1]"
    heads = {hauberk_command("ledger", "head", "--ledger", one).out for one in (ledger, out)}
    assert heads == {(out / "checkpoint").read_text()}
    said = hauberk_command("ledger", "append", tmp_path / "a.json", "--ledger", out)
    assert said.code == 2
    assert "can only be read" in said.err


def test_a_key_of_ones_own_place(
    hauberk_command: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "safe" / "signing"
    said = hauberk_command("ledger", "init", "--ledger", tmp_path / "log", "--key", key)
    assert said.code == 0, said.err
    assert key.stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "log" / "key").exists()
    (tmp_path / "a.json").write_text("[1]")
    append = ("ledger", "append", tmp_path / "a.json", "--ledger", tmp_path / "log")
    assert hauberk_command(*append).code == 2
    monkeypatch.setenv("HAUBERK_LEDGER_KEY", str(key))
    assert hauberk_command(*append).code == 0


@pytest.mark.parametrize("verb", ["append", "head", "export", "history"])
def test_a_place_without_a_ledger(hauberk_command: Call, verb: str, package: Path, tmp_path: Path) -> None:
    arguments: dict[str, tuple[object, ...]] = {
        "append": ("ledger", "append", next((package / "evidence").glob("*.json"))),
        "head": ("ledger", "head"),
        "export": ("ledger", "export", "--tiles", tmp_path / "out"),
        "history": ("history", package),
    }
    said = hauberk_command(*arguments[verb], "--ledger", tmp_path / "none")
    assert said.code == 2
    assert said.err == (
        f"error: {tmp_path / 'none'} is no ledger\nhint: hauberk ledger init --ledger {tmp_path / 'none'}\n"
    )


class TestHistory:
    def test_a_life_with_what_is_not_logged(self, hauberk_command: Call, ledger: Path, package: Path) -> None:
        birth = next((package / "evidence").glob("*.json"))
        result = {"clean_accuracy": 0.9, "robust_accuracy": 0.4, "samples": 100}
        seen = left(package, "evaluation", result=result)
        left(package, "attack", result={"accuracy": 0.3})
        hauberk_command("ledger", "append", birth, seen, "--ledger", ledger)
        said = hauberk_command("history", package, "--ledger", ledger)
        assert said.code == 0, said.err
        lines = said.out.splitlines()
        assert lines[0] == f"{package}: {model_of(package)}"
        assert lines[1].startswith("example.com/log: 2 entries, root ")
        assert "training" in lines[2]
        assert lines[3].strip() == "entry 0, proof holds"
        assert "clean accuracy 90.0%, robust accuracy 40.0%, samples 100" in said.out
        assert "entry 1, proof holds" in said.out
        assert "attack" in said.out
        assert "not in the ledger\n" in said.out
        assert lines[-1] == "3 steps: 2 proven, 1 not in the ledger"
        told = json.loads(hauberk_command("history", package, "--ledger", ledger, "--json").out)
        assert told["holds"] is True
        assert [(one["kind"], one["entry"], one["proof"]) for one in told["steps"]] == [
            ("training", 0, "holds"),
            ("attack", None, "not logged"),
            ("evaluation", 1, "holds"),
        ]

    def test_what_the_ledger_alone_tells(
        self, hauberk_command: Call, ledger: Path, package: Path, tmp_path: Path
    ) -> None:
        """A bad evaluation that was logged and then taken out of the folder is missed."""
        bad = left(package, "evaluation", result={"robust_accuracy": 0.0})
        (tmp_path / "gone.json").write_text(
            json.dumps(
                {
                    "schema": "hauberk-statement/1",
                    "kind": "revocation",
                    "subject": {"name": "net", "digest": model_of(package)},
                    "facts": {"reason": "stolen"},
                    **LATER,
                }
            )
        )
        hauberk_command("ledger", "append", bad, tmp_path / "gone.json", "--ledger", ledger)
        bad.unlink()
        said = hauberk_command("history", package, "--ledger", ledger)
        assert "evaluation      net: told by the ledger alone" in said.out
        assert "revocation      net: stolen: told by the ledger alone" in said.out
        assert said.out.splitlines()[-1] == "3 steps: 2 proven, 1 not in the ledger"

    def test_salted_entries_are_found_where_their_openings_are(
        self, hauberk_command: Call, ledger: Path, package: Path, tmp_path: Path
    ) -> None:
        sealed = left(package, "sealing", parameters={"step": "seal"})
        hauberk_command("ledger", "append", sealed, "--ledger", ledger)
        assert "entry 0, proof holds" in hauberk_command("history", package, "--ledger", ledger).out
        out = tmp_path / "public"
        hauberk_command("ledger", "export", "--ledger", ledger, "--tiles", out)
        said = hauberk_command("history", package, "--ledger", out, "--policy", ledger / "policy")
        assert said.code == 0, said.err
        assert "nothing here opens" in said.out
        assert "told by the ledger alone" in said.out

    @pytest.mark.parametrize(
        "edit",
        [
            "UPDATE ledger_entries SET data = CAST(replace(data, 'net', 'ten') AS BLOB) WHERE number = 1",
            "DELETE FROM ledger_entries WHERE number = 1",
            "UPDATE ledger_tiles SET hashes = zeroblob(96)",
        ],
    )
    def test_a_proof_that_fails_is_exit_code_1(
        self, hauberk_command: Call, ledger: Path, package: Path, edit: str
    ) -> None:
        birth = next((package / "evidence").glob("*.json"))
        seen = [left(package, kind) for kind in ("evaluation", "attack")]
        hauberk_command("ledger", "append", birth, *seen, "--ledger", ledger)
        with closing(sqlite3.connect(ledger / "ledger.sqlite", isolation_level=None)) as raw:
            raw.execute(edit)
        said = hauberk_command("history", package, "--ledger", ledger)
        assert said.code == 1, said.out + said.err
        assert "PROOF FAILS" in said.out

    def test_a_head_of_another_log_is_not_believed(
        self, hauberk_command: Call, ledger: Path, package: Path, tmp_path: Path
    ) -> None:
        hauberk_command("ledger", "init", "--ledger", tmp_path / "other", "--origin", "example.com/log")
        said = hauberk_command(
            "history", package, "--ledger", ledger, "--policy", tmp_path / "other" / "policy"
        )
        assert said.code == 1
        assert said.out == ""
        hauberk_command("ledger", "export", "--ledger", ledger, "--tiles", tmp_path / "public")
        said = hauberk_command("history", package, "--ledger", tmp_path / "public")
        assert said.code == 2
        assert "--policy" in said.err

    @pytest.mark.parametrize("what", ["weights.safetensors", "model.json", "evidence"])
    def test_a_package_that_was_changed(
        self, hauberk_command: Call, ledger: Path, package: Path, what: str
    ) -> None:
        file = next((package / what).glob("*.json")) if what == "evidence" else package / what
        data = bytearray(file.read_bytes())
        data[-20] ^= 1
        file.write_bytes(bytes(data))
        said = hauberk_command("history", package, "--ledger", ledger)
        assert said.code in (1, 2), said.out
        assert "\nerror: " in said.err

    def test_another_models_digest_is_not_taken_from_the_manifest(
        self, hauberk_command: Call, ledger: Path, package: Path
    ) -> None:
        """Somebody gives his own weights the good model's name, and repairs the manifest's digest."""
        manifest = json.loads((package / "model.json").read_text())
        manifest["model"] = f"sha256:{'ab' * 32}"
        body = {key: value for key, value in manifest.items() if key != "digest"}
        (package / "model.json").write_text(json.dumps({**body, "digest": digest(body)}))
        said = hauberk_command("history", package, "--ledger", ledger)
        assert said.code == 1
        assert "another model" in said.err


def test_history_needs_no_torch(ledger: Path, package: Path) -> None:
    arguments = ["history", str(package), "--ledger", str(ledger)]
    code = (
        f"import sys\nfrom hauberk.cli.app import run\ncode = run({arguments!r})\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules\nsys.exit(code)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=dict(os.environ)
    )
    assert said.returncode == 0, said.stderr
    assert "1 steps: 0 proven, 1 not in the ledger" in said.stdout
