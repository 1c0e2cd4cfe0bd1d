"""The door of a vault's server: the same answers from memory as from the tables, and none before its line."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from hauberk.access import granting, identities, key_store
from hauberk.access.entering import Access
from hauberk.access.opening import open_access
from hauberk.access.trail.reading import Filter, lines
from hauberk.serving.door import Admission, Ask
from hauberk.serving.problems import Problem
from hauberk.serving.vault_door import VaultDoor
from hauberk.vault import create_vault, open_vault


@pytest.fixture
def access(tmp_path: Path) -> Iterator[Access]:
    create_vault(tmp_path / "house").close()
    with open_vault(tmp_path / "house") as vault:
        found = open_access(vault)
        identities.add(found.database, "ward", "service")
        granting.grant(found.database, "predictor", "ward", "digits")
        yield found
        found.close()


@pytest.fixture
def key(access: Access) -> str:
    return key_store.new(access.database, "ward").text


def ask(key: str | None, model: str = "digits") -> Ask:
    headers = [] if key is None else [(b"authorization", f"Bearer {key}".encode())]
    return Ask("model.predict", model, None, headers, "192.0.2.1", "r")


async def told(door: VaultDoor, one: Ask) -> Admission | Problem:
    try:
        found = await door.admit(one)
        if found.recorded is not None:
            await found.recorded
    except Problem as problem:
        return problem
    return found


async def kinds(door: VaultDoor, asks: list[Ask]) -> list[str | int]:
    found = await asyncio.gather(*(told(door, one) for one in asks))
    return [one.status if isinstance(one, Problem) else one.caller for one in found]


def test_memory_and_tables_agree_and_all_of_it_is_in_the_trail(access: Access, key: str) -> None:
    door = VaultDoor(access, in_use="production")
    asks = [ask(key), ask(key, "other"), ask(None), ask("hbk_nothing"), ask(key[:-2] + "xx")]
    first = asyncio.run(kinds(door, asks))
    assert first == ["ward", 403, 401, 401, 401]
    again = asyncio.run(kinds(door, asks * 20))  # now it is remembered
    assert again == first * 20
    with access.database.read() as connection:
        assert (
            connection.execute(text("SELECT count(*) FROM access_trail")).scalar() == 4 * 21
        )  # who shows nothing is nobody


def test_what_is_remembered_does_not_outlive_a_revocation(access: Access, key: str, tmp_path: Path) -> None:
    door = VaultDoor(access, in_use="production")

    async def revoked_between() -> list[str | int]:
        found = await kinds(door, [ask(key), ask(key)])
        with open_vault(tmp_path / "house") as other:
            granting.take_back(open_access(other).database, "predictor", "ward", "digits")
        return [*found, *await kinds(door, [ask(key)])]

    assert asyncio.run(revoked_between()) == ["ward", "ward", 403]
    assert [one.allowed for one, _hash in lines(access.database, Filter(who="ward"))].count(False) == 1


def test_no_answer_without_a_line(access: Access, key: str) -> None:
    door = VaultDoor(access, in_use="production")
    assert asyncio.run(kinds(door, [ask(key)])) == ["ward"]
    with access.database.write() as connection:
        connection.execute(text("DROP TABLE access_trail"))
    assert asyncio.run(kinds(door, [ask(key), ask(key, "other"), ask("hbk_nothing")])) == [503] * 3


def test_a_caller_who_has_gone_leaves_nothing_behind(access: Access, key: str) -> None:
    door = VaultDoor(access, in_use="production")

    async def gone() -> str:
        await door.admit(ask(key))
        for _ in range(20):
            left = await door.admit(ask(key))
            assert left.recorded is not None
            asyncio.ensure_future(left.recorded).cancel()
        found = await told(door, ask(key))
        assert isinstance(found, Admission)
        return found.caller

    assert asyncio.run(gone()) == "ward"
