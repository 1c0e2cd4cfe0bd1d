"""`hauberk data query` and `reidentify` with a vault, as people with API keys type them."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from transcripts import Call

from hauberk.vault import create_vault

LINE = "患者张伟，身份证号11010519491231002X。\n"
COUNT = "SELECT COUNT(*) FROM data"


@pytest.fixture
def keys(tmp_path: Path, hauberk_command: Call, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Key files of ann, who may do what the tests let her, and of sam, the steward."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HAUBERK_API_KEY", raising=False)
    create_vault(tmp_path / "vault").close()
    files = {}
    for name in ("ann", "sam"):
        files[name] = tmp_path / f"{name}.key"
        assert hauberk_command("access", "user", "add", name, "--vault", "vault", "--as", "owner").code == 0
        made = hauberk_command(
            "access", "key", "new", name, "--out", files[name], "--vault", "vault", "--as", "owner"
        )
        assert made.code == 0
    grant(hauberk_command, "data.manage", "sam", "*")
    return files


def grant(call: Call, action: str, name: str, pattern: str) -> None:
    said = call("access", "grant", action, "--to", name, "--on", pattern, "--vault", "vault", "--as", "owner")
    assert said.code == 0, said.err


def test_a_budget_in_a_vault(
    keys: dict[str, Path], hauberk_command: Call, tmp_path: Path, absent: Callable[[str, str], None]
) -> None:
    for part in ("opendp", "sqlglot"):
        if importlib.util.find_spec(part) is None:
            absent(part, "pip install 'hauberk[queries]'")
    (tmp_path / "people.csv").write_text("age\n" + "\n".join(map(str, range(90))) + "\n")

    def query(who: str, *words: object) -> tuple[int, str, str]:
        code, out, err = hauberk_command(
            "data", "query", *words, "--vault", "vault", "--api-key-file", keys[who]
        )
        return code, out, err

    declared = ("init", "people.csv", "--budget", 1, "--bounds", "age=0:110", "--asker", "ann=0.5")
    assert query("ann", *declared)[0] == 1
    assert query("sam", *declared)[0] == 0
    assert not (tmp_path / "people.csv.budget").exists()
    code, _out, err = query("ann", "people.csv", COUNT, "--epsilon", 0.4)
    assert (code, "is refused data.query on people.csv" in err) == (1, True)
    grant(hauberk_command, "data.query", "ann", "people.*")
    code, out, err = query("ann", "people.csv", COUNT, "--epsilon", 0.4)
    assert (code, "ann has epsilon 0.1 left" in out) == (0, True), err
    code, _out, err = query("ann", "people.csv", COUNT, "--epsilon", 0.2)
    assert (code, "nothing was spent" in err) == (1, True)
    code, _out, err = query("ann", "people.csv", COUNT, "--epsilon", 0.1, "--as", "sam")
    assert (code, "not one of 'sam'" in err) == (1, True)
    code, _out, err = hauberk_command("data", "query", "people.csv", COUNT, "--epsilon", 1, "--vault", "vault")
    assert (code, "say who you are" in err) == (1, True)
    assert query("ann", "status", "people.csv")[0] == 1
    found = json.loads(query("sam", "status", "people.csv", "--json")[1])
    assert (found["left"], found["askers"]) == ({"epsilon": 0.6}, {"ann": {"epsilon": 0.4}})
    assert [(one["asker"], one["price"]) for one in found["last"]] == [("ann", {"epsilon": 0.4})]
    assert "ann  epsilon 0.4" in query("sam", "status", "people.csv")[1]
    assert query("sam", "status", "people.csv", "--store", "sqlite:///x")[0] == 2
    records = [json.loads(one.read_text()) for one in (tmp_path / "evidence").glob("private-query-*")]
    assert [one["parameters"]["asker"] for one in records if one["parameters"]["step"] == "ask"] == ["ann"]


def test_the_vault_turns_back_what_it_was_let_read(
    keys: dict[str, Path], hauberk_command: Call, tmp_path: Path
) -> None:
    (tmp_path / "in.txt").write_text(LINE)
    (tmp_path / "policy.toml").write_text('[default]\naction = "pseudonym"\nreversible = true\n')
    treat = ("data", "deidentify", "in.txt", "--out", "out.txt", "--policy", "policy.toml", "--key", "p.key",
             "--new-key", "--tokens", "patients.tokens", "--vault", "vault")  # fmt: skip
    assert hauberk_command(*treat, "--api-key-file", keys["ann"]).code == 1
    assert not (tmp_path / "p.key").exists()
    done = hauberk_command(*treat, "--api-key-file", keys["sam"])
    assert done.code == 0, done.err
    assert "张伟" not in (tmp_path / "out.txt").read_text()

    def back(*words: object) -> tuple[int, str, str]:
        code, out, err = hauberk_command(
            "data", "reidentify", "out.txt", "--out", "back.txt", *words,
            "--vault", "vault", "--api-key-file", keys["ann"],
        )  # fmt: skip
        return code, out, err

    assert back("--tokens", "patients.tokens")[0] == 1
    grant(hauberk_command, "data.reidentify", "ann", "mine")
    (tmp_path / "mine").write_bytes((tmp_path / "patients.tokens").read_bytes())
    assert back("--tokens", "mine")[0] == 1, "another name does not open it"
    assert not (tmp_path / "back.txt").exists()
    grant(hauberk_command, "data.reidentify", "ann", "patients.*")
    assert back("--tokens", "patients.tokens", "--identity", "x")[0] == 2
    code, _out, err = back("--tokens", "mine", "--table", "patients.tokens")
    assert code == 0, err
    assert (tmp_path / "back.txt").read_text() == LINE
    said = hauberk_command("access", "log", "--json", "--vault", "vault", "--as", "owner").out
    lines = [one for one in json.loads(said)["lines"] if one["action"] == "data.reidentify"]
    assert [(one["model"], one["allowed"]) for one in lines] == [
        ("patients.tokens", False), ("mine", True), ("mine", False), ("patients.tokens", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        ("reidentify", "a", "--out", "b", "--tokens", "t", "--identity", "k", "--table", "x"),
        ("reidentify", "a", "--out", "b", "--tokens", "t", "--identity", "k", "--as", "ann"),
        ("deidentify", "a", "--out", "b", "--tokens", "t"),
        ("deidentify", "a", "--out", "b", "--table", "x"),
        ("query", "a", "SELECT COUNT(*) FROM data", "--epsilon", 1),
        ("query", "a", "SELECT COUNT(*) FROM data", "--epsilon", 1, "--as", "ann", "--api-key-file", "k"),
        ("query", "status", "a", "--as", "ann"),
    ],
)
def test_what_belongs_to_a_vault_needs_one(words: tuple[object, ...], hauberk_command: Call) -> None:
    code, _out, err = hauberk_command("data", *words)
    assert (code, "Traceback" in err) == (2, False), err
