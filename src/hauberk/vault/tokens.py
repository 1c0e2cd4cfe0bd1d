"""Tables of tokens that the vault can read: who turns pseudonyms back needs its leave, and no key of his own.

A table is sealed for a reader that the vault's key makes from the table's name, so that who may turn back one
table does not open another by calling it the same. The table itself stays a file: it travels with the data that
were treated, and a run holds it for hours, during which the vault's database has to take everybody's decisions.

Limits: whoever may read ``vault.key`` can make every reader. Let others go through something that holds the
vault for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hauberk.core.errors import HauberkError
from hauberk.core.progress import SILENT, Progress
from hauberk.crypto.age.hybrid import HybridIdentity, HybridRecipient
from hauberk.privacy.text.files import Reading
from hauberk.privacy.text.reidentify import Reidentified, reidentify
from hauberk.privacy.text.tokens import OpenTokens
from hauberk.vault.names import check_dataset
from hauberk.vault.place import Vault

REIDENTIFY, MANAGE = "data.reidentify", "data.manage"


def table_reader(vault: Vault, name: str) -> HybridRecipient:
    """For whom a table of this name is sealed, so that the vault can read it.

    Raises:
        AccessDenied: ``data.manage`` is not allowed on it.
        ConfigError: a name that rules could not name.
    """
    vault.gate.check(MANAGE, check_dataset(name), detail="let the vault read a table of tokens")
    identity = _identity(vault, name)
    try:
        return identity.recipient
    finally:
        identity.wipe()


def reidentify_from(
    vault: Vault,
    source: str | Path,
    out: str | Path,
    table: str | Path,
    *,
    name: str | None = None,
    reading: Reading | None = None,
    skip: Sequence[str] = (),
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> Reidentified:
    """Turn tokens back with the vault's leave and key.

    Args:
        name: of the table, by which rules of access name it [default: the file's name].

    Raises:
        AccessDenied: ``data.reidentify`` is not allowed on it; nothing was opened.
        NoIdentityMatched: no run of the table was sealed for this vault under this name.
        HauberkError: as ``reidentify``.
    """
    name = check_dataset(name or Path(table).name)
    detail = f"values of {Path(source).name}"
    vault.gate.check(REIDENTIFY, name, detail=detail)
    identity = _identity(vault, name)
    try:
        with OpenTokens(table, [identity]) as tokens:
            return reidentify(
                source,
                out,
                tokens,
                reading=reading,
                skip=skip,
                overwrite=overwrite,
                progress=progress,
            )
    except HauberkError as error:
        vault.gate.refused(REIDENTIFY, name, f"not done: {type(error).__name__}", detail=detail)
        raise
    finally:
        identity.wipe()


def _identity(vault: Vault, name: str) -> HybridIdentity:
    return HybridIdentity(vault.keys.derive(b"tokens " + name.encode()))
