"""`hauberk access` as it is typed: who may call it, what it prints, and that secrets stand nowhere else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from transcripts import Call

from hauberk.vault import create_vault, open_vault


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "vault"
    create_vault(folder).close()
    monkeypatch.setenv("HAUBERK_VAULT", str(folder))
    monkeypatch.delenv("HAUBERK_API_KEY", raising=False)
    return folder


@pytest.fixture
def admin(vault: Path, hauberk_command: Call, tmp_path: Path) -> Path:
    """The key file of an administrator."""
    file = tmp_path / "admin.key"
    for words in (
        ["user", "add", "root1"],
        ["grant", "admin", "--to", "root1", "--as", "owner"],
        ["key", "new", "root1", "--out", file, "--as", "owner"],
    ):
        assert hauberk_command("access", *words).code == 0
    return file


def test_a_vault_without_identities_is_its_owners(vault: Path, hauberk_command: Call) -> None:
    said = hauberk_command("access", "user", "add", "ada")
    assert (said.code, said.out) == (0, "ada: a person, who may do nothing yet\n")
    refused = hauberk_command("access", "user", "list")
    assert refused.code == 1
    assert "say who you are" in refused.err
    assert hauberk_command("access", "user", "list", "--as", "owner").out == "ada  person\n"


def test_a_key_is_shown_once_and_says_who_calls(
    vault: Path, admin: Path, hauberk_command: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert admin.stat().st_mode & 0o777 == 0o600
    key = admin.read_text().strip()
    assert re.fullmatch(r"hbk_[0-9A-Za-z]{61}", key)
    listed = hauberk_command("access", "key", "list", "--api-key-file", admin)
    assert listed.code == 0
    assert key not in listed.out
    assert (
        hauberk_command("access", "user", "show", "root1", "--as", "root1", "--api-key-file", admin).code == 0
    )
    other = hauberk_command("access", "user", "list", "--as", "ada", "--api-key-file", admin)
    assert (other.code, "not one of 'ada'" in other.err) == (1, True)
    monkeypatch.setenv("HAUBERK_API_KEY", key)
    made = json.loads(hauberk_command("access", "key", "new", "root1", "--expires", "90d", "--json").out)
    assert made["key"].startswith("hbk_")
    everything = hauberk_command("access", "log", "--json").out + hauberk_command("access", "key", "list").out
    assert key not in everything
    assert made["key"] not in everything
    monkeypatch.setenv("HAUBERK_API_KEY", made["key"][:-1] + ("0" if made["key"][-1] != "0" else "1"))
    assert hauberk_command("access", "user", "list").code == 1


def test_rotating_and_revoking_by_id(vault: Path, admin: Path, hauberk_command: Call) -> None:
    def call(*words: object) -> tuple[int, str]:
        said = hauberk_command("access", "key", *words, "--as", "owner")
        return said.code, said.out

    old = json.loads(call("new", "root1", "--expires", "90d", "--scope", "model.view:face-*", "--json")[1])
    new = json.loads(call("rotate", old["id"], "--overlap", "1h", "--json")[1])
    rows = {one["id"]: one for one in json.loads(call("list", "root1", "--json")[1])["keys"]}
    assert rows[old["id"]]["successor"] == new["id"]
    assert rows[new["id"]]["scopes"] == ["model.view:face-*"]
    assert call("revoke", new["id"])[0] == 0
    assert hauberk_command("access", "user", "list", "--as", "owner").code == 0
    assert call("revoke", old["key"])[0] == 2, "the key itself, by mistake"
    said = hauberk_command("access", "log", "--json", "--as", "owner").out
    assert old["key"] not in said
    assert f"revoke key {new['id']}" in said


def test_a_key_that_others_may_read_is_not_used(vault: Path, admin: Path, hauberk_command: Call) -> None:
    admin.chmod(0o644)
    said = hauberk_command("access", "user", "list", "--api-key-file", admin)
    assert (said.code, "chmod 600" in said.err) == (2, True)
    assert hauberk_command("access", "user", "list", "--as", "ada").code == 2


def test_grant_check_explain_revoke(vault: Path, admin: Path, hauberk_command: Call) -> None:
    def call(*words: object) -> tuple[int, str]:
        said = hauberk_command("access", *words, "--api-key-file", admin)
        return said.code, said.out

    assert call("user", "add", "ada")[0] == 0
    assert call("grant", "trainer", "--to", "ada", "--on", "face-*") == (
        0,
        "grant 2: allow ada trainer on face-*\n",
    )
    assert call("check", "ada", "model.pull", "face-1") == (0, "yes: grant 2: trainer 2\n")
    assert call("check", "ada", "model.pull", "text") == (1, "no: no rule allows it\n")
    assert call("grant", "model.pull", "--to", "ada", "--on", "face-1@3", "--deny")[0] == 0
    assert call("check", "ada", "model.pull", "face-1@3") == (1, "no: grant 3\n")
    code, said = call("explain", "ada", "model.pull", "face-1@3")
    assert (code, said.splitlines()[:2]) == (
        0,
        ["ada may not model.pull on face-1@3: grant 3", "decided  grant 3: deny model.pull on face-1@3"],
    )
    found = json.loads(call("explain", "ada", "model.pull", "face-1@3", "--json")[1])
    assert [one["decided"] for one in found["rules"]] == [True, False]
    assert call("revoke", "model.pull", "--from", "ada", "--on", "face-1@3", "--deny")[0] == 0
    assert call("check", "ada", "model.pull", "face-1@3")[0] == 0
    assert call("user", "disable", "ada")[0] == 0
    assert call("check", "ada", "model.pull", "face-1") == (1, "no: the identity is disabled or not there\n")


def test_own_roles(vault: Path, admin: Path, hauberk_command: Call) -> None:
    set_ = ["role", "set", "tester", "--allow", "model.*:test-*", "--deny", "model.revoke"]
    said = hauberk_command("access", *set_, "--api-key-file", admin)
    assert said.out.splitlines() == ["tester 1: allow model.* on test-*", "tester 2: deny model.revoke on *"]
    shown = hauberk_command("access", "role", "show", "tester", "--api-key-file", admin)
    assert shown.out == said.out
    assert "tester  your own" in hauberk_command("access", "role", "list", "--api-key-file", admin).out
    wrong = hauberk_command("access", "role", "set", "tester", "--allow", "model.pul", "--api-key-file", admin)
    assert (wrong.code, "model.pull" in wrong.err) == (2, True)


def test_who_may_not_is_refused_and_written_down(
    vault: Path, admin: Path, hauberk_command: Call, tmp_path: Path
) -> None:
    file = tmp_path / "ada.key"
    for words in (
        ["user", "add", "ada"],
        ["grant", "viewer", "--to", "ada"],
        ["key", "new", "ada", "--out", file],
    ):
        assert hauberk_command("access", *words, "--api-key-file", admin).code == 0
    for words in (["user", "add", "eve"], ["log"], ["grant", "admin", "--to", "ada"], ["key", "list"]):
        assert hauberk_command("access", *words, "--api-key-file", file).code == 1
    said = hauberk_command("access", "log", "--who", "ada", "--refused", "--json", "--api-key-file", admin)
    refused = json.loads(said.out)["lines"]
    assert [one["action"] for one in refused] == ["access.manage", "audit.read", "access.manage", "access.view"]
    assert refused[2]["detail"] == "grant admin to ada on *"


def test_the_log_is_checked_exported_and_shortened(vault: Path, admin: Path, hauberk_command: Call) -> None:
    def log(*words: object) -> tuple[int, str]:
        said = hauberk_command("access", "log", *words, "--api-key-file", admin)
        return said.code, said.out

    code, said = log("--publish")
    assert (code, said) == (0, "the ledger covers 4 more lines\n")
    code, said = log("--verify", "--json")
    assert json.loads(said)["covered"] == 4
    events = [json.loads(one) for one in log("--export", "ocsf")[1].splitlines()]
    assert {one["class_uid"] for one in events} == {6003}
    assert log("--keep", "1d") == (0, "0 lines removed\n")
    code, said = log("--keep", "0s", "--json")
    gone = json.loads(said)["removed"]
    assert gone >= 6
    assert json.loads(log("--verify", "--json")[1])["first"] == gone + 1
    with open_vault(vault) as opened, opened.database.write() as connection:
        connection.execute(
            text("UPDATE access_trail SET who = 'bob' WHERE number = (SELECT MIN(number) FROM access_trail)")
        )
    assert log("--verify")[0] == 1
    assert log("--verify", "--publish")[0] == 2
    assert log("--since", "yesterday")[0] == 2


def test_passwords_come_from_standard_input(vault: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hauberk", "access", "user"]
    subprocess.run([*command, "add", "ada"], check=True, capture_output=True)
    given = "correct horse battery"
    said = subprocess.run(
        [*command, "password", "ada", "--as", "owner"], input=f"{given}\n", capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
    assert given not in said.stdout + said.stderr
    short = subprocess.run(
        [*command, "password", "ada", "--as", "owner"], input="short\n", capture_output=True, text=True
    )
    assert short.returncode == 2
    factor = subprocess.run(
        [*command, "factor", "ada", "--as", "owner", "--json"], capture_output=True, text=True, check=True
    )
    made = json.loads(factor.stdout)
    assert made["address"].startswith("otpauth://totp/")
    assert len(made["recovery"]) == 10


def test_access_starts_without_torch(vault: Path) -> None:
    code = "import sys; from hauberk.cli.app import run; run(sys.argv[1:]); print('torch' in sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", code, "access", "user", "add", "ada"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert said.stdout.splitlines()[-1] == "False", said.stderr
