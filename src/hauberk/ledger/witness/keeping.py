"""A witness' folder: ``keys`` with its secret keys, ``keys.pub``, ``heads.sqlite``, and forks that it saw."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hauberk.core.clock import Clock, now
from hauberk.core.errors import ConfigError, check_known
from hauberk.core.files import machine_errors
from hauberk.crypto.notes import Verifier, generate, parse_verifier, read_signers, read_verifiers, write_signers
from hauberk.ledger.witness.heads import Heads
from hauberk.ledger.witness.judging import Witness

KINDS = {"ed25519": "cosignature-ed25519", "ml-dsa-44": "cosignature-ml-dsa-44"}
_KEYS, _HEADS = "keys", "heads.sqlite"


@contextmanager
def open_witness(
    folder: str | Path,
    logs: Iterable[Verifier],
    *,
    name: str | None = None,
    kinds: Sequence[str] = tuple(KINDS),
    clock: Clock = now,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[Witness]:
    """The witness that lives in ``folder``; on the first call its keys are made.

    Args:
        name: what it is called in cosignatures, such as ``witness.example/w1``; asked for when keys are made,
            and afterwards only compared.
        kinds: of the keys to make: ``ed25519``, ``ml-dsa-44`` or both.

    Raises:
        ConfigError: no name for new keys, or another than the keys'.
    """
    folder = Path(folder)
    check_known(kinds, KINDS, what="kind of key", where="open_witness")
    keys = folder / _KEYS
    if not keys.exists():
        if (folder / _HEADS).exists():
            raise ConfigError(
                f"{keys} is gone, and this witness has cosigned before", hint="bring its keys back"
            )
        if name is None:
            raise ConfigError(f"{folder} holds no witness yet, and a new one needs a name",
                              hint="--name witness.example/w1")  # fmt: skip
        write_signers(keys, [generate(name, KINDS[one]) for one in dict.fromkeys(kinds)])
    signers = read_signers(keys)
    if name is not None and any(one.name != name for one in signers):
        raise ConfigError(f"the witness in {folder} is called {signers[0].name}, not {name}")
    with machine_errors("open", folder):
        heads = Heads(folder / _HEADS)
    try:
        yield Witness(signers, logs, heads, evidence=folder, clock=clock, tell=tell)
    finally:
        heads.close()
        for one in signers:
            one.wipe()


def logs_of(named: Iterable[str]) -> list[Verifier]:
    """Public keys of logs, each a vkey or a file of them."""
    found: list[Verifier] = []
    for one in named:
        found += [parse_verifier(one)] if "+" in one and not Path(one).exists() else read_verifiers(one)
    return found
