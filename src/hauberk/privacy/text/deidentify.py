"""De-identification: a file or folder in, the same without what tells about people out, and a record of it.

deidentify("customers.csv", "clean.csv")                                  # everything found becomes a tag
deidentify("in/", "out/", Policy.load("policy.toml"), keys=Keys.load("key"))
reidentify("clean.csv", "again.csv", "tokens.db", identities)             # what is reversible, back
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hauberk.compute import Here, Workers
from hauberk.core.clock import Clock, now
from hauberk.core.errors import ConfigError, UnknownName, check_known
from hauberk.core.progress import SILENT, Progress
from hauberk.privacy.text.files import Reading, files_of
from hauberk.privacy.text.policy import Keys, Policy
from hauberk.privacy.text.tokens import TokenTable
from hauberk.privacy.text.treat.run import Run, TreatedFile
from hauberk.privacy.text.treat.tally import Tally, total
from hauberk.privacy.text.treat.work import shared_of, treatment_of

LOOKED_BYTES = 4 << 20
"""About so much of the input is shown to the second detector: enough for a narrow interval, and little work."""


@dataclass(frozen=True)
class Deidentified:
    """What was done; nothing in it tells about people.

    Args:
        files: in the order of their names.
        tally: of all files together.
        columns: of all tables.
        key: the name of the key, or None.
        rate: the share of records that the second detector looked at.
        tokens: how many reversible values are new in the table, or None where there is no table.
    """

    source: Path
    out: Path
    policy: Policy
    files: tuple[TreatedFile, ...]
    tally: Tally = field(repr=False)
    columns: tuple[str, ...]
    key: str | None
    rate: float
    tokens: int | None


def deidentify(
    source: str | Path,
    out: str | Path,
    policy: Policy | None = None,
    *,
    keys: Keys | None = None,
    tokens: TokenTable | None = None,
    reading: Reading | None = None,
    skip: Sequence[str] = (),
    workers: Workers | None = None,
    overwrite: bool = False,
    looked_bytes: int = LOOKED_BYTES,
    clock: Clock = now,
    progress: Progress = SILENT,
) -> Deidentified:
    """Treat a file, or all files of a folder, by a policy; the output appears whole or not at all.

    Args:
        policy: None for tags in the place of everything that is found.
        keys: for pseudonyms; random values without a key are never drawn again.
        tokens: where reversible pseudonyms are kept; it is committed before the output appears.
        reading: how files are read, where they do not say it themselves.
        skip: patterns of files in a folder that are left out.
        workers: who does the work; the output is the same to the byte, whoever they are. They get the key.
        looked_bytes: of the input that the second detector looks at.
        clock: for ages.

    Raises:
        ConfigError: a key or table that the policy needs or does not, or a column that no table has.
        DataError: a file that cannot be read or treated as what it is.
        EnvironmentFailure: the disk is full or not writable; nothing is left behind.

    Cost: two passes over each file, one of them only for its encoding and digest; memory for some dozen pieces
        of 256 K characters and for the longest line.

    Limits: what is not found stays. What stays can tell who somebody is: a rare illness, a place, a day. The
        estimate of what is left comes from a second detector, which misses things too. A file that is changed
        while it is read may be treated in part as it was.
    """
    source, out, policy = Path(source), Path(out), policy or Policy()
    reading = reading or Reading()
    keys = _checked(policy, keys, tokens)
    rate = min(1.0, looked_bytes / max(1, sum(one.stat().st_size for one, _inner in files_of(source, skip))))
    shared = shared_of(policy, keys, clock().date(), rate)
    run: Run

    def take(tally: Tally) -> None:
        if tokens is not None:
            tokens.add(tally.tokens)

    def finish() -> None:
        _check_columns(policy, run.columns)
        if tokens is not None:
            tokens.commit()

    run = Run(
        source,
        out,
        reading,
        workers or Here(),
        treatment_of(shared),
        shared,
        skip=skip,
        overwrite=overwrite,
        take=take,
        finish=finish,
        progress=progress,
    )
    files = run.carry_out()
    return Deidentified(
        source=source,
        out=out,
        policy=policy,
        files=tuple(files),
        tally=total([one.tally for one in files]),
        columns=tuple(sorted(run.columns)),
        key=None if keys is None or not policy.makes_pseudonyms else keys.name,
        rate=rate,
        tokens=None if tokens is None else tokens.added,
    )


def _checked(policy: Policy, keys: Keys | None, tokens: TokenTable | None) -> Keys | None:
    """The keys that the policy needs."""
    if policy.makes_pseudonyms and keys is None:
        raise ConfigError(
            "this policy makes pseudonyms, which takes a key",
            hint="--key FILE, with --new-key to make it first",
        )
    if policy.makes_tokens and tokens is None:
        raise ConfigError(
            "this policy makes reversible pseudonyms, which takes a table to keep them in",
            hint="--tokens FILE --recipient KEY.pub",
        )
    if tokens is not None and not policy.makes_tokens:
        raise ConfigError(
            "a table of tokens was given, and nothing in this policy is reversible",
            hint='action = "pseudonym", reversible = true',
        )
    if policy.draws and keys is None:
        return Keys(os.urandom(32))
    return keys if policy.draws or policy.makes_pseudonyms else None


def _check_columns(policy: Policy, columns: set[str]) -> None:
    """A column that is misspelt in the policy would stay as it is."""
    try:
        check_known(policy.columns, columns, what="column", where="[columns] of the policy")
    except UnknownName as error:
        raise ConfigError(f"{error}; nothing was written") from None


__all__ = ["LOOKED_BYTES", "Deidentified", "deidentify"]
