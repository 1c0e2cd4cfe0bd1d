"""Files with secrets, keys that others may read, files that others may change."""

from __future__ import annotations

from pathlib import Path

import pytest

from hauberk.assurance.environment.files import Exposed, look_at_files
from hauberk.crypto import age

TOKEN = "ghp_" + "a1B2" * 9  # the form of a token, and nobody's


def written(path: Path, text: str, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return path


def what(folder: Path, **options: object) -> list[tuple[str, str, int]]:
    return [(one.file, one.what, one.line) for one in look_at_files(folder, **options).exposed]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("settings.ini", f"token = {TOKEN}"),
        ("run.sh", f"curl -H 'Authorization: {TOKEN}' https://example.org"),
        ("train.py", 'password = "hunter2-x!"'),
        ("conf.yaml", "db: postgresql://model:s3cr3t-9@db.internal/x"),
        ("notes.md", "-----BEGIN RSA PRIVATE KEY-----"),
        (".env", "API_KEY=9f86d081884c7d659a2feaa0"),
    ],
)
def test_a_secret_is_found_by_file_and_line(name: str, line: str, tmp_path: Path) -> None:
    written(tmp_path / "a" / name, f"first\n{line}\n", 0o600)
    assert what(tmp_path) == [(f"a/{name}", "secret", 2)]


@pytest.mark.parametrize(
    "line",
    [
        "token = parse(text)",
        "password: str = field(repr=False)",
        'token = "your-token-here-123"',
        'password = "<password-9>"',
        f'TOKEN = "{TOKEN}"  # pragma: allowlist secret',
        f'TOKEN = "{TOKEN}"  # gitleaks:allow',
        'secret = os.environ["SECRET_KEY_9"]',
    ],
)
def test_a_program_s_variables_and_what_its_author_allowed_are_none(line: str, tmp_path: Path) -> None:
    written(tmp_path / "train.py", f"{line}\n")
    assert what(tmp_path) == []


def test_what_was_found_is_not_repeated(tmp_path: Path) -> None:
    written(tmp_path / "settings.ini", f"token = {TOKEN}\n")
    assert TOKEN not in repr(look_at_files(tmp_path))


def test_data_is_not_read_for_secrets_and_of_long_files_the_head(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"\0\1" + TOKEN.encode())
    written(tmp_path / "long.txt", f"{TOKEN}\n" + "some words\n" * 300_000 + TOKEN)
    assert what(tmp_path) == [("long.txt", "secret", 1)]


def test_a_key_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    for name in ("mine", "owner"):
        age.write_key(tmp_path / name, age.generate("x25519"))  # as hauberk keygen does
    (tmp_path / "owner").chmod(0o640)
    written(tmp_path / "server.key", "-----BEGIN PRIVATE KEY-----\n", 0o604)
    assert what(tmp_path, secrets=False) == [("owner", "readable-key", 0), ("server.key", "readable-key", 0)]


@pytest.mark.parametrize(("mode", "open_to"), [(0o644, False), (0o664, True), (0o646, True), (0o600, False)])
def test_files_that_others_may_change(mode: int, open_to: bool, tmp_path: Path) -> None:
    written(tmp_path / "model.json", "{}", mode)
    assert what(tmp_path) == ([("model.json", "writable", 0)] if open_to else [])


def test_links_are_named_where_they_lead_out_and_not_followed(tmp_path: Path) -> None:
    written(tmp_path / "out" / "secret.txt", TOKEN)
    inside = tmp_path / "repo"
    written(inside / "a.txt", "x")
    (inside / "to-a").symlink_to(inside / "a.txt")
    (inside / "leak").symlink_to(tmp_path / "out" / "secret.txt")
    (inside / "folder").symlink_to(tmp_path / "out")
    assert what(inside) == [("folder", "link-out", 0), ("leak", "link-out", 0)]


def test_git_keeps_tokens_in_its_settings(tmp_path: Path) -> None:
    written(tmp_path / ".git" / "config", f"[remote]\nurl = https://me:{TOKEN}@github.com/x/y\n")
    written(tmp_path / ".git" / "COMMIT_EDITMSG", TOKEN)
    written(tmp_path / ".venv" / "x.py", TOKEN)
    assert what(tmp_path) == [(".git/config", "secret", 2)]


def test_what_was_not_looked_at_is_counted(tmp_path: Path) -> None:
    for number in range(5):
        written(tmp_path / f"{number}.txt", "x")
    found = look_at_files(tmp_path, most=3)
    assert (found.looked, found.beyond) == (3, 2)


def test_one_file_is_a_target_too(tmp_path: Path) -> None:
    one = written(tmp_path / "settings.ini", f"token = {TOKEN}", 0o666)
    assert look_at_files(one).exposed == (
        Exposed("settings.ini", "secret", 1, "666"),
        Exposed("settings.ini", "writable", 0, "666"),
    )
