"""The verbs about vaults, as a person uses them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "vault"))
from vault_packages import make_package

from hauberk.cli.app import run


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a vault and a package."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HAUBERK_VAULT", raising=False)
    monkeypatch.delenv("HAUBERK_API_KEY", raising=False)
    make_package(tmp_path / "models" / "hard")
    assert run(["vault", "init"]) == 0
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    capsys.readouterr()
    assert run(["vault", *arguments]) == code
    found = capsys.readouterr()
    assert "Traceback" not in found.err
    return found.out if code in (0, 1) and found.out else found.err


def test_a_model_s_life(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "digits@1: " in said(capsys, "push", "models/hard", "digits")
    assert "already" in said(capsys, "push", "models/hard", "digits")
    assert said(capsys, "promote", "digits@1", "--to", "production") == "digits@production is version 1 now\n"
    assert "entry 0" in said(capsys, "pull", "digits@production", "--out", "served")
    assert (place / "served" / "model.json").read_bytes() == (place / "models/hard/model.json").read_bytes()
    assert "[production]" in said(capsys, "list")
    shown = said(capsys, "show", "digits@production")
    for word in ("package/weights.safetensors", "publication", "deployment: production, by owner", "entry 1"):
        assert word in shown
    assert "revoked" in said(capsys, "revoke", "digits@1", "--reason", "no good")
    assert said(capsys, "pull", "digits@1", "--out", "again", code=1).startswith(
        "error: digits@1 was revoked: no good"
    )
    assert said(capsys, "gc") == "0 leftovers removed, 0 entries told to the ledger\n"
    assert "nothing to do" in said(capsys, "upgrade")


def test_all_of_it_as_json(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pushed = json.loads(said(capsys, "push", "models/hard", "digits", "--json"))
    assert (pushed["version"], pushed["fresh"], pushed["entry"]) == (1, True, 0)
    assert json.loads(said(capsys, "list", "--json"))["versions"][0]["digest"] == pushed["digest"]
    moved = json.loads(said(capsys, "promote", "digits", "--to", "staging", "--json"))
    assert (moved["done"], moved["agreed"]) == (True, ["owner"])
    shown = json.loads(said(capsys, "show", "digits", "--json"))
    assert [one["what"] for one in shown["events"]] == ["publication", "deployment"]
    pulled = json.loads(said(capsys, "pull", "digits@staging", "--out", "served", "--json"))
    assert pulled["path"] == "served"


def test_a_promotion_that_waits_is_no_success(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = place / "vault" / "vault.toml"
    settings.write_text(settings.read_text().replace("approvals = 0", "approvals = 1"))
    said(capsys, "push", "models/hard", "digits")
    for _ in range(2):
        assert "1 more must" in said(capsys, "promote", "digits@1", "--to", "production", code=1)
    assert "no version" in said(capsys, "pull", "digits@production", "--out", "served", code=2)


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["push", "models/hard", "../etc"], 2, "no name for a model"),
        (["push", "models/hard", "dıgits"], 2, "no name for a model"),
        (["push", "nothing", "digits"], 2, "nothing to push"),
        (["pull", "digits@3", "--out", "x"], 2, "no model 'digits'"),
        (["pull", "digits@03", "--out", "x"], 2, "names no version"),
        (["promote", "digits@1", "--to", "Production"], 2, "no alias"),
        (["revoke", "digits@1", "--reason", ""], 2, "reason"),
        (["show", "digits"], 2, "no model 'digits'"),
        (["list", "--vault", "elsewhere"], 2, "is no vault"),
        (["init"], 2, "not empty"),
        (["gc", "--older-than", "nan"], 2, "must be a number"),
        (["psuh"], 2, "did you mean 'push'"),
    ],
)
def test_misuse_is_said_in_one_line(
    place: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, word: str
) -> None:
    message = said(capsys, *arguments, code=code)
    assert message.startswith("error: ")
    assert word in message
    assert len(message.splitlines()) <= 2


def test_the_vault_works_without_torch(place: Path) -> None:
    script = """
import sys
from hauberk.cli.app import run
pull = ["pull", "digits", "--out", "served"]
for arguments in (["push", "models/hard", "digits"], ["list"], pull, ["--help"]):
    assert run(["vault", *arguments]) == 0
assert "torch" not in sys.modules, "torch was imported"
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=place, stdout=subprocess.DEVNULL)
