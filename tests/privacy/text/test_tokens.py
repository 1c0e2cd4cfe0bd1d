"""The table of tokens: who may read reads, nobody else, and nothing in it can be moved or changed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from hauberk.core.errors import ConfigError, DataError, EnvironmentFailure, IntegrityError, NoIdentityMatched
from hauberk.crypto import age
from hauberk.privacy.text.policy import Token
from hauberk.privacy.text.tokens import OpenTokens, TokenTable

ONE = Token("NAME:aaaaaaaaaaaaaaaa", "张伟", b"1" * 16)
TWO = Token("NAME:bbbbbbbbbbbbbbbb", "李娜" * 20, b"2" * 16)


@pytest.fixture
def me() -> age.Identity:
    return age.generate("x25519")


def made(path: Path, identity: age.Identity, *tokens: Token) -> Path:
    with TokenTable(path, [identity.recipient]) as table:  # type: ignore[attr-defined]
        table.add(tokens)
        table.commit()
    return path


def test_readers_read_and_others_do_not(tmp_path: Path, me: age.Identity) -> None:
    path = made(tmp_path / "t", me, ONE, TWO)
    assert oct(path.stat().st_mode)[-3:] == "600"
    with OpenTokens(path, [me]) as known:
        assert known.text(ONE.name) == ONE.text
        assert known.text(TWO.name) == TWO.text
        assert known.text("NAME:cccccccccccccccc") is None
    with pytest.raises(NoIdentityMatched):
        OpenTokens(path, [age.generate("x25519")])


def test_another_run_adds_without_a_secret_and_for_its_own_readers(tmp_path: Path, me: age.Identity) -> None:
    you = age.generate("x25519")
    path = made(made(tmp_path / "t", me, ONE), you, ONE, TWO)
    with OpenTokens(path, [me]) as known:
        assert (known.text(ONE.name), known.text(TWO.name)) == (ONE.text, None)
    with OpenTokens(path, [me, you]) as known:
        assert (known.text(ONE.name), known.text(TWO.name)) == (ONE.text, TWO.text)


def test_a_token_never_stands_for_two_values(tmp_path: Path, me: age.Identity) -> None:
    path = made(tmp_path / "t", me, ONE)
    with TokenTable(path, [me.recipient]) as table, pytest.raises(IntegrityError, match="another value"):  # type: ignore[attr-defined]
        table.add([Token(ONE.name, "other", b"9" * 16)])


def test_what_is_not_committed_is_not_there(tmp_path: Path, me: age.Identity) -> None:
    path = made(tmp_path / "t", me, ONE)
    with TokenTable(path, [me.recipient]) as table:  # type: ignore[attr-defined]
        table.add([TWO])
    with OpenTokens(path, [me]) as known:
        assert known.text(TWO.name) is None


def test_two_runs_do_not_write_at_once(
    tmp_path: Path, me: age.Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hauberk.privacy.text.tokens._PATIENCE_S", 0.1)
    path = made(tmp_path / "t", me, ONE)
    with TokenTable(path, [me.recipient]), pytest.raises(EnvironmentFailure, match="another run"):  # type: ignore[attr-defined]
        TokenTable(path, [me.recipient])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "change",
    [
        "update tokens set sealed = (select sealed from tokens where name like '%b')",
        "update tokens set sealed = zeroblob(length(sealed))",
        "update tokens set sealed = substr(sealed, 1, 50)",
        "update tokens set name = 'NAME:cccccccccccccccc' where name like '%b'",
    ],
)
def test_changes_are_noticed(tmp_path: Path, me: age.Identity, change: str) -> None:
    path = made(tmp_path / "t", me, ONE, TWO)
    base = sqlite3.connect(path)
    base.execute(change)
    base.commit()
    base.close()
    name = "NAME:cccccccccccccccc" if "'NAME:c" in change else ONE.name
    with OpenTokens(path, [me]) as known, pytest.raises(IntegrityError):
        known.text(name)


def test_lengths_are_rounded_up(tmp_path: Path, me: age.Identity) -> None:
    path = made(tmp_path / "t", me, ONE, Token("NAME:dddddddddddddddd", "Jane Roe", b"3" * 16))
    base = sqlite3.connect(path)
    sizes = {size for (size,) in base.execute("select length(sealed) from tokens")}
    base.close()
    assert len(sizes) == 1


def test_wrong_files_and_readers_are_refused(tmp_path: Path, me: age.Identity) -> None:
    (tmp_path / "t").write_text("no database, but long enough to look like one" * 10)
    with pytest.raises(DataError, match="not a table of tokens"):
        TokenTable(tmp_path / "t", [me.recipient])  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match="nobody could open it"):
        TokenTable(tmp_path / "u", [])
    assert not (tmp_path / "u").exists()
    with pytest.raises(EnvironmentFailure, match="could not write"):
        TokenTable(tmp_path / "no" / "folder", [me.recipient])  # type: ignore[attr-defined]
