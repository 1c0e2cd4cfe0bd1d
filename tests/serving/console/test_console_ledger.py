"""The ledger as the console shows it: heads, witnesses and proofs that hold outside of it too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update
from stocked import stock

from hauberk.core.errors import ConfigError
from hauberk.crypto.notes import Note, generate
from hauberk.ledger.checkpoint import peek
from hauberk.ledger.policy import Policy
from hauberk.ledger.proof import Proof
from hauberk.ledger.store import schema
from hauberk.serving.console import ledger as page
from hauberk.vault import Vault, create_vault


@pytest.fixture
def vault(nets: tuple[Path, Path], tmp_path: Path) -> Iterator[Vault]:
    with create_vault(tmp_path / "vault") as made:
        stock(made, nets, tmp_path)
        yield made


def test_the_newest_entries_come_first_and_older_pages_follow(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = page.ledger(vault)
    assert [(one.number, one.kind, one.name, one.version) for one in view.entries] == [
        (4, "deployment", "digits", 1),
        (3, "revocation", "flowers", 1),
        (2, "publication", "flowers", 1),
        (1, "publication", "digits", 2),
        (0, "publication", "digits", 1),
    ]
    assert (view.before, view.after, view.problem, view.waiting) == (None, None, None, 0)
    monkeypatch.setattr(page, "PAGE", 2)
    newest = page.ledger(vault)
    assert [one.number for one in newest.entries] == [4, 3]
    older = page.ledger(vault, newest.before)
    assert [one.number for one in older.entries] == [2, 1]
    assert (older.before, older.after) == (1, 5)
    assert [one.number for one in page.ledger(vault, -7).entries] == []


def test_proofs_and_heads_convince_whoever_has_the_key_alone(vault: Vault) -> None:
    policy = Policy.of_log(vault.ledger.verifier)
    head = policy.check(vault.ledger.head())
    view = page.ledger(vault)
    assert (view.size, view.root) == (head.size, head.root.hex())
    for number in range(head.size):
        proof = Proof.parse(page.proof_file(vault.ledger, number))
        assert proof.verify(vault.ledger.entry(number), policy) == head
    with pytest.raises(ConfigError):
        page.proof_file(vault.ledger, head.size)


@pytest.mark.parametrize("kind", ["cosignature-ed25519", "cosignature-ml-dsa-44"])
def test_a_witness_is_named_with_the_head_that_it_cosigned(vault: Vault, kind: str) -> None:
    assert page.ledger(vault).witnesses == ()
    note = Note.parse(vault.ledger.head())
    witness = generate("witness.example", kind)
    vault.ledger.add_cosignatures(bytes(note), [witness.sign(note.text)])
    (seen,) = page.ledger(vault).witnesses
    assert (seen.name, seen.size, seen.newest) == ("witness.example", peek(note).size, True)
    assert seen.at_s is not None
    assert abs(seen.at_s - vault.now_ms() / 1000) < 60


def test_a_changed_entry_is_found_when_all_is_read_again(vault: Vault) -> None:
    assert page.verify(vault) == page.Verified(None, 5, 1)
    table = schema.entries
    with vault.ledger._database.write() as connection:
        connection.execute(update(table).where(table.c.number == 1).values(data=b"something else"))
    found = page.verify(vault)
    assert found.problem is not None
    assert "entry 1" in found.problem
