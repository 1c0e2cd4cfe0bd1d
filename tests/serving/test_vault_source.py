"""Following a registry: promotion, revocation, names that stand for nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from hauberk.core.errors import DataError
from hauberk.serving.vault_source import VaultSource


@dataclass(frozen=True)
class Row:
    number: int
    digest: str
    aliases: tuple[str, ...] = ()
    revoked: Any = None

    @property
    def names(self) -> tuple[str, ...]:
        return (str(self.number), *self.aliases)


def test_an_alias_is_followed_and_a_revocation_told() -> None:
    rows = [Row(1, "sha256:aa", ("production",)), Row(2, "sha256:bb", ("staging",))]
    loaded: list[tuple[str, int, str | None]] = []

    def versions(name: str) -> list[Row]:
        if name != "net":
            raise DataError(f"the vault has no model '{name}'")
        return rows

    source = VaultSource(("net", "other"), versions, lambda *given: loaded.append(given))  # type: ignore[arg-type,return-value]
    found = source.look()
    assert [(one.name, one.version, one.digest) for one in found.models] == [("net", "1", "sha256:aa")]
    assert found.models[0].names == ("1", "production")
    assert list(found.unread) == ["other"]
    found.models[0].load()
    assert loaded == [("net", 1, "production")]

    rows[:] = [replace(rows[0], aliases=()), replace(rows[1], aliases=("staging", "production"))]
    assert source.look().models[0].version == "2"

    rows[1] = replace(rows[1], revoked=SimpleNamespace(reason="wrong answers"))
    assert source.look().revoked == {("net", "2"): "wrong answers"}

    rows[:] = [replace(one, aliases=()) for one in rows]
    found = source.look()
    assert set(found.unread) == {"net", "other"}
    assert found.revoked == {("net", "2"): "wrong answers"}  # whatever else goes wrong


def test_numbers_and_other_aliases() -> None:
    rows = [Row(1, "sha256:aa", ("trial",)), Row(2, "sha256:bb")]
    loaded: list[Any] = []
    names = ("a@trial", "b@2")
    source = VaultSource(names, lambda _name: rows, lambda *given: loaded.append(given))  # type: ignore[arg-type,return-value]
    found = source.look().models
    assert [(one.name, one.version) for one in found] == [("a", "1"), ("b", "2")]
    for one in found:
        one.load()
    assert loaded == [("a", 1, "trial"), ("b", 2, None)]  # whose number was asked for needs no promotion
