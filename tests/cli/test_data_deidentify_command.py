"""`hauberk data deidentify` and `reidentify` by transcript."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from transcripts import Call

from hauberk.core.evidence import Evidence

LINE = "患者张伟，身份证号11010519491231002X，手机13812345678。\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "a.txt"
    path.write_text(LINE * 2)
    return path


@pytest.fixture
def reversible(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text('[default]\naction = "pseudonym"\nreversible = true\n')
    return path


@pytest.mark.parametrize("verb", ["deidentify", "reidentify"])
def test_help_fits_a_screen(hauberk_command: Call, verb: str) -> None:
    code, said, _ = hauberk_command("data", verb, "--help")
    assert code == 0
    assert len(said.splitlines()) <= 44
    assert f"Example: hauberk data {verb}" in said


def test_without_a_policy_everything_becomes_a_tag(hauberk_command: Call, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "clean.txt"
    code, said, errors = hauberk_command("data", "deidentify", source, "--out", out)
    assert code == 0, errors
    assert out.read_text() == "患者[NAME]，身份证号[ID]，手机[MOBILE]。\n" * 2
    assert "6 findings treated in 2 records of 1 file" in said
    assert "left, as a second detector sees it: in 0 of 2 records" in said
    (kept,) = (tmp_path / "evidence").glob("deidentification-clean.txt-*.json")
    record = Evidence.load(kept)
    assert {row["type"]: row["count"] for row in record.result["counts"]} == {"NAME": 2, "ID": 2, "MOBILE": 2}
    assert not any(value in kept.read_text() for value in ("张伟", "13812345678", "11010519491231002X"))
    page = tmp_path / "report.html"
    code, _, errors = hauberk_command("report", kept, "--out", page, "--lang", "zh")
    assert code == 0, errors
    assert "数据中的个人信息" in page.read_text()


def test_there_and_back_with_a_key(
    hauberk_command: Call, source: Path, reversible: Path, tmp_path: Path
) -> None:
    key, table, out = tmp_path / "key", tmp_path / "tokens", tmp_path / "out.txt"
    for name in ("me", "you"):
        assert hauberk_command("keygen", "--out", tmp_path / name).code == 0
    code, said, errors = hauberk_command(
        "data", "deidentify", source, "--out", out, "--policy", reversible, "--key", key, "--new-key",
        "--tokens", table, "--recipient", tmp_path / "me.pub", "--json",
    )  # fmt: skip
    assert code == 0, errors
    assert json.loads(said)["result"]["tokens"] == 3
    assert oct(key.stat().st_mode)[-3:] == "600"
    assert key.read_text().split()[1] not in said + errors
    assert "张伟" not in out.read_text()

    back = tmp_path / "back.txt"
    code, said, errors = hauberk_command(
        "data", "reidentify", out, "--out", back, "--tokens", table, "--identity", tmp_path / "you"
    )
    assert (code, said) == (1, "")
    assert errors.startswith("error: none of the given keys opens it")
    assert not back.exists()
    code, said, errors = hauberk_command(
        "data", "reidentify", out, "--out", back, "--tokens", table, "--identity", tmp_path / "me"
    )
    assert code == 0, errors
    assert back.read_bytes() == source.read_bytes()
    assert oct(back.stat().st_mode)[-3:] == "600"

    out.write_text(out.read_text() + "[NAME:aaaaaaaaaaaaaaaa]")
    code, said, _ = hauberk_command(
        "data", "reidentify", out, "--out", back, "--tokens", table, "--identity", tmp_path / "me", "--force"
    )
    assert code == 1
    assert "1 are not in this table" in said


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--new-key",), "error: --new-key makes the key at --key FILE"),
        (("--tokens", "t"), "error: --tokens goes with --recipient or --vault"),
        (("--policy", "none.toml"), "error: no policy at none.toml"),
        (("--key", "none"), "error: no pseudonym key at none"),
        (("--workers", "many"), "error: no such workers: 'many'"),
        (("--format", "xml"), "error: unknown format 'xml'"),
        (("--encoding", "big5"), "error: encoding is utf-8 or gb18030"),
        (("--longest-line", "10"), "line 1: the line has more than 10 characters"),
    ],
)
def test_wrong_use_is_one_clear_line(
    hauberk_command: Call, source: Path, tmp_path: Path, more: tuple[str, ...], says: str
) -> None:
    out = tmp_path / "out.txt"
    code, said, errors = hauberk_command("data", "deidentify", source, "--out", out, *more)
    assert (code, said) == (2, "")
    assert says in errors
    assert "Traceback" not in errors
    assert not out.exists()


def test_an_earlier_output_is_not_replaced_by_accident(
    hauberk_command: Call, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.txt"
    out.write_text("mine")
    code, _, errors = hauberk_command(
        "data", "deidentify", source, "--out", out, "--key", tmp_path / "k", "--new-key"
    )
    assert code == 2
    assert "exists already" in errors
    assert out.read_text() == "mine"
    assert not (tmp_path / "k").exists()


def test_no_table_of_tokens_is_one_clear_line(hauberk_command: Call, source: Path, tmp_path: Path) -> None:
    assert hauberk_command("keygen", "--out", tmp_path / "me").code == 0
    for table, says in ((tmp_path / "none", "no table of tokens"), (source, "is not a table of tokens")):
        code, _, errors = hauberk_command(
            "data",
            "reidentify",
            source,
            "--out",
            tmp_path / "o",
            "--tokens",
            table,
            "--identity",
            tmp_path / "me",
        )
        assert code == 2
        assert says in errors


def test_it_starts_without_torch(source: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom hauberk.cli.app import run\n"
        f"code = run(['data', 'deidentify', {str(source)!r}, '--out', {str(tmp_path / 'o')!r}])\n"
        "assert code == 0 and not {'torch', 'sklearn', 'pandas', 'ray'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
