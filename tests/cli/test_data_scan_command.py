"""``hauberk data scan``: one line of JSON for each finding, masked samples, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transcripts import Call

TEXT = (
    "患者张伟，身份证110101199003070011，手机１３８００１３８０００\n今天天气很好\nContact: "
    "John Smith, john@example.com\n"
)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes.txt"
    path.write_text(TEXT, "utf-8")
    return path


def test_json_is_a_line_for_each_finding(hauberk_command: Call, notes: Path) -> None:
    said = hauberk_command("data", "scan", notes, "--json")
    assert said.code == 0
    found = [json.loads(line) for line in said.out.splitlines()]
    assert all(one.keys() == {"line", "start", "end", "type", "score"} for one in found)
    lines = TEXT.splitlines()
    assert [(one["type"], lines[one["line"] - 1][one["start"] : one["end"]]) for one in found] == [
        ("NAME", "张伟"), ("ID", "110101199003070011"), ("MOBILE", "１３８００１３８０００"),
        ("NAME", "John Smith"), ("EMAIL", "john@example.com"),
    ]  # fmt: skip


def test_text_never_shows_what_was_found(hauberk_command: Call, notes: Path) -> None:
    said = hauberk_command("data", "scan", notes)
    assert (said.code, said.out.splitlines()[-1]) == (0, "5 findings")
    for whole in ("张伟", "110101199003070011", "John", "john@"):
        assert whole not in said.out


def test_a_gate_asks_for_its_exit_code(hauberk_command: Call, notes: Path, tmp_path: Path) -> None:
    assert hauberk_command("data", "scan", notes, "--fail-on-findings").code == 1
    clean = tmp_path / "clean.txt"
    clean.write_text("今天天气很好\n", "utf-8")
    said = hauberk_command("data", "scan", clean, "--fail-on-findings")
    assert (said.code, said.out) == (0, "nothing found\n")


def test_columns_and_files_are_named_where_there_are_several(hauberk_command: Call, notes: Path) -> None:
    table = notes.with_name("people.csv")
    table.write_text('姓名,备注\n高兴,"住文三路478号，好"\n', "utf-8")
    said = hauberk_command("data", "scan", notes, table, "--json", "--types", "NAME", "--types", "ADDRESS")
    found = [json.loads(line) for line in said.out.splitlines()]
    assert [(Path(one["file"]).name, one["type"], one.get("column")) for one in found] == [
        ("notes.txt", "NAME", None), ("notes.txt", "NAME", None),
        ("people.csv", "NAME", "姓名"), ("people.csv", "ADDRESS", "备注"),
    ]  # fmt: skip
    row = table.read_text("utf-8").splitlines()[1]
    assert [row[one["start"] : one["end"]] for one in found[2:]] == ["高兴", "文三路478号"]


def test_own_patterns(hauberk_command: Call, notes: Path) -> None:
    own = notes.with_name("own.toml")
    own.write_text('[patterns]\nWEATHER = "天气.好"\n[words]\nDAY = ["今天"]\n', "utf-8")
    said = hauberk_command(
        "data", "scan", notes, "--json", "--own-patterns", own, "--types", "WEATHER", "--types", "DAY"
    )
    assert [json.loads(line)["type"] for line in said.out.splitlines()] == ["DAY", "WEATHER"]
    own.write_text('[pattern]\nX = "a"\n', "utf-8")
    assert hauberk_command("data", "scan", notes, "--own-patterns", own).code == 2
    own.write_text('[patterns]\nX = "(a"\n', "utf-8")
    said = hauberk_command("data", "scan", notes, "--own-patterns", own)
    assert (said.code, said.err.splitlines()[0]) == (2, "error: own pattern 'X': missing ): (a")


@pytest.mark.parametrize(
    "arguments", [(), ("nowhere.txt",), ("notes.txt", "--types", "NAMES"), ("notes.txt", "--language", "fr")]
)
def test_misuse(hauberk_command: Call, notes: Path, arguments: tuple[str, ...]) -> None:
    paths = [str(notes) if one == "notes.txt" else one for one in arguments]
    said = hauberk_command("data", "scan", *paths)
    assert said.code == 2
    assert "Traceback" not in said.err
