"""``kill -9`` at any moment, a full disk, a database that goes away, pushes side by side.

Nothing acknowledged is lost, and no half version is ever seen.
"""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from postgres_server import Server
from sqlalchemy import text
from vault_packages import make_package

from hauberk.core.errors import DataError, EnvironmentFailure, HauberkError
from hauberk.ledger.auditing import audit
from hauberk.ledger.policy import Policy
from hauberk.ledger.statements import Statement
from hauberk.vault import Vault, collect, create_vault, open_vault, promote, pull, push, revoke, settle
from hauberk.vault.listing import visible

PUSHERS = Path(__file__).parent / "pushers.py"


def published(vault: Vault) -> dict[int, str | None]:
    """Version and package of every publication that the ledger holds."""
    size = audit(vault.ledger, Policy.of_log(vault.ledger.verifier)).head.size
    told = [Statement.parse(one) for one in vault.ledger.entries(0, size)]
    found = [one for one in told if one is not None and one.kind == "publication"]
    assert len({one.facts["version"] for one in found}) == len(found), "a version was published twice"
    return {one.facts["version"]: one.document for one in found}


class Pushers:
    """The helper process, and what its pushers were told."""

    def __init__(self, vault: Path, package: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(PUSHERS), str(vault), str(package)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.acknowledged: dict[int, str] = {}

    def run(self, packages: list[Path], seconds: float) -> None:
        """Start a pusher and kill it after a while."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(*packages, file=self._process.stdin, flush=True)
        for line in self._process.stdout:
            word, _, rest = line.rstrip("\n").partition(" ")
            if word == "pid":
                time.sleep(seconds)
                os.kill(int(rest), signal.SIGKILL)
            elif word == "gone":
                return
            else:
                assert self.acknowledged.setdefault(int(word), rest) == rest
        raise AssertionError("the pushers' process has ended")

    def close(self) -> None:
        self._process.communicate()


def kill_and_check(where: Path, tmp_path: Path, times: int, seed: int) -> None:
    packages = [
        make_package(tmp_path / f"p{one}", seed=one, size=size) for one, size in enumerate((40, 3_000_000))
    ]
    pushers = Pushers(where, packages[0])
    chance = random.Random(seed)
    try:
        for turn in range(times):
            pushers.run(packages, chance.uniform(0.0, 0.5))
            with open_vault(where) as vault:
                told = published(vault)
                seen = {one.number: one.digest for one in visible(vault)}
                assert seen.items() <= told.items(), "seen, and not in the ledger"
                assert pushers.acknowledged.items() <= seen.items(), "acknowledged, and not seen"
                settle(vault)
                seen = {one.number: one.digest for one in visible(vault)}
                assert seen == published(vault)
                assert sorted(seen) == list(range(1, len(seen) + 1)), "a gap"
                if turn % 4 == 3 or turn == times - 1:
                    for number in list(seen)[-2:]:
                        pull(vault, f"digits@{number}", tmp_path / f"out-{turn}-{number}")
    finally:
        pushers.close()
    assert len(pushers.acknowledged) > times / 2, "nothing was pushed before the kills"
    with open_vault(where) as vault:
        collect(vault, older_than_s=-60)
        stored = {one.name for one in (where / "artifacts").glob("??/*")}
        with vault.database.read() as connection:
            needed = set(connection.execute(text("SELECT sha256 FROM vault_files")).scalars())
        assert stored == {vault.keys.blob_name(one) for one in needed}, (
            "leftovers, or something went that is needed"
        )


def test_a_dozen_kills(tmp_path: Path) -> None:
    create_vault(tmp_path / "vault").close()
    kill_and_check(tmp_path / "vault", tmp_path, times=12, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["sqlite", "postgres"])
def test_a_hundred_kills(tmp_path: Path, where: str, request: pytest.FixtureRequest) -> None:
    database = None
    if where == "postgres":
        database = request.getfixturevalue("postgres").database(f"kills_{os.getpid()}")
    create_vault(tmp_path / "vault", database=database).close()
    kill_and_check(tmp_path / "vault", tmp_path, times=100, seed=2)


class Stop(Exception):
    """Stands for the moment at which a machine goes off."""


def test_parts_that_a_kill_left_are_collected_once(vault: Vault, package: Path, tmp_path: Path) -> None:
    push(vault, package, "digits")
    kept = set((vault.folder / "artifacts").glob("??/*"))
    parts = [vault.folder / "artifacts" / one / f".{one * 32}.abcdefgh.part" for one in ("00", "ff")]
    for part in parts:
        part.parent.mkdir(exist_ok=True)
        part.write_bytes(b"half a blob")
    assert collect(vault).removed == 0, "a push may still be writing them"
    assert collect(vault, older_than_s=-60).removed == len(parts)
    assert set((vault.folder / "artifacts").glob("??/*")) == kept
    pull(vault, "digits", tmp_path / "out")


STEPS = ["hauberk.vault.pushing._added", "hauberk.vault.pushing.note", "hauberk.vault.pushing.settle"]


@pytest.mark.parametrize("step", STEPS)
def test_stopped_between_two_steps(
    any_vault: Vault, package: Path, tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_arguments: object, **_settings: object) -> None:
        raise Stop

    monkeypatch.setattr(step, stop)
    with pytest.raises(Stop):
        push(any_vault, package, "digits")
    monkeypatch.undo()
    assert visible(any_vault) == []
    with pytest.raises(DataError, match="no model 'digits'"):
        pull(any_vault, "digits", tmp_path / "out")
    again = push(any_vault, package, "digits")
    assert again.version.number == 1
    assert again.fresh == (step != STEPS[-1]), "what stopped before its entry is the same version still"
    assert published(any_vault) == {1: again.version.digest}
    pull(any_vault, "digits", tmp_path / "out")


def test_a_ledger_that_is_away_is_told_later(vault: Vault, package: Path, tmp_path: Path) -> None:
    push(vault, package, "digits")
    key = vault.folder / "ledger" / "key"
    hidden = key.read_bytes()
    key.unlink()
    with open_vault(vault.folder) as other:
        with pytest.raises(HauberkError, match="is kept, but the ledger does not take it"):
            push(other, make_package(tmp_path / "second", seed=1), "digits")
        assert [one.number for one in visible(other)] == [1], "not published, not seen"
        with pytest.raises(HauberkError, match="is kept"):
            revoke(other, "digits@1", "bad")
        assert visible(other)[0].revoked is not None, "a revocation does not wait"
    key.write_bytes(hidden)
    key.chmod(0o600)
    with open_vault(vault.folder) as other:
        assert collect(other).told == 2
        assert [one.number for one in visible(other)] == [1, 2]


def test_a_full_disk_leaves_nothing_behind(
    vault: Vault, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(vault, package, "digits")
    big = make_package(tmp_path / "big", seed=1, size=9_000_000)
    wrote = os.pwrite
    room = 5_000_000

    def full(descriptor: int, data: memoryview, at: int) -> int:
        if at > room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return wrote(descriptor, data, at)

    before = sorted(vault.folder.rglob("*"))
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(EnvironmentFailure, match="No space left"):
        push(vault, big, "digits")
    left = [one for one in sorted(vault.folder.rglob("*")) if one not in before and one.is_file()]
    assert [one for one in left if one.name.startswith(".")] == []
    monkeypatch.undo()
    assert push(vault, big, "digits").version.number == 2
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(EnvironmentFailure, match="No space left"):
        pull(vault, "digits@2", tmp_path / "out" / "here")
    assert list((tmp_path / "out").iterdir()) == []


def test_two_pushes_of_one_name_at_once_end_well(any_vault: Vault, tmp_path: Path) -> None:
    packages = [make_package(tmp_path / f"p{one}", seed=one) for one in range(4)]
    told: list[int] = []

    def act(mine: list[Path]) -> None:
        with open_vault(any_vault.folder) as own:
            told.extend(push(own, one, "digits").version.number for one in mine)

    threads = [threading.Thread(target=act, args=(packages[half::2] * 2,)) for half in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(told) == list(range(1, 9))
    assert published(any_vault).keys() == set(told)
    seen = visible(any_vault)
    assert [one.number for one in seen] == sorted(told)
    for one in seen[:2]:
        pull(any_vault, str(one), tmp_path / "out" / str(one.number))


def test_what_was_collected_meanwhile_is_stored_again(
    vault: Vault, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hauberk.vault import registry

    lock = registry.lock

    def late(connection: object) -> None:
        for one in (vault.folder / "artifacts").glob("??/*"):
            one.unlink()
        lock(connection)  # type: ignore[arg-type]

    monkeypatch.setattr(registry, "lock", late)
    push(vault, package, "digits")
    monkeypatch.undo()
    pull(vault, "digits", tmp_path / "out")


def test_a_lost_database_server_is_said_and_recovers(postgres: Server, package: Path, tmp_path: Path) -> None:
    url = postgres.database(f"lost_{os.getpid()}")
    with create_vault(tmp_path / "vault", database=url) as vault:
        push(vault, package, "digits")
        postgres.stop(how="immediate")
        try:
            for act in (
                lambda: push(vault, package, "digits"),
                lambda: pull(vault, "digits", tmp_path / "out"),
                lambda: promote(vault, "digits@1", "production"),
            ):
                with pytest.raises(EnvironmentFailure, match="does not answer") as caught:
                    act()
                assert "\n" not in str(caught.value)
        finally:
            postgres.start()
        assert pull(vault, "digits", tmp_path / "out").version.number == 1
        assert promote(vault, "digits@1", "production").done
