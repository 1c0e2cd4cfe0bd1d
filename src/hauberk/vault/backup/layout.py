"""What a snapshot holds. Maker and judge share this page and nothing else.

    backup.json        this manifest: the SHA-256 of every file below but those of artifacts
    vault.toml         as it was
    keys.age           vault.key and ledger/key in a tar, an age file for the backup's recipients
    vault.sqlite       the database, or vault.dump (pg_dump's custom form)
    ledger/            ledger.sqlite or ledger.dump, and what else lies beside a ledger, without its key
    artifacts/         as they lie in the vault: encrypted, under names that mean nothing without its key
    …                  files of the vault's folder that its policy names, at their places

Artifacts are not listed: the database says which there must be, and what they must hold when they are opened.
Everything can be put back by hand: ``restic restore``, ``age --decrypt … | tar x``, ``pg_restore``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from hauberk.core.canonical import parse_json
from hauberk.core.errors import DataError, IntegrityError
from hauberk.core.files import read_bytes

FORMAT = "hauberk-backup/1"
MANIFEST = "backup.json"
KEYS = "keys.age"
SQLITE = "vault.sqlite"
DUMP = "vault.dump"
LEDGER = "ledger"
LEDGER_SQLITE = f"{LEDGER}/ledger.sqlite"
LEDGER_DUMP = f"{LEDGER}/ledger.dump"
LEDGER_KEY = f"{LEDGER}/key"
ARTIFACTS = "artifacts"


@dataclass(frozen=True)
class Manifest:
    """What was put into a snapshot.

    Args:
        vault: which vault; 12 hexadecimal digits that its key gives.
        created: RFC 3339.
        hauberk: the version that made it.
        tables: version of the database's tables.
        files: SHA-256 in hexadecimal digits by path, all but the artifacts.
    """

    vault: str
    created: str
    hauberk: str
    tables: str
    files: Mapping[str, str]

    def to_bytes(self) -> bytes:
        return json.dumps({"format": FORMAT, **vars(self)}, indent=1, sort_keys=True).encode()

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read the manifest of a restored snapshot.

        Raises:
            DataError: there is none, or one of another format.
            IntegrityError: it is not what a backup writes.
        """
        where = str(folder / MANIFEST)
        document: Any = parse_json(read_bytes(folder / MANIFEST, what="manifest of a backup"), where=where)
        found = document.get("format") if isinstance(document, dict) else None
        if found != FORMAT:
            raise DataError(
                f"the backup's format is {found!r}, this Hauberk reads '{FORMAT}'",
                hint="use the version of Hauberk that made it",
            )
        del document["format"]
        files = document.get("files")
        plain = {name: value for name, value in document.items() if name != "files"}
        if (
            document.keys() != set(cls.__dataclass_fields__)
            or not all(isinstance(one, str) for one in plain.values())
            or not isinstance(files, dict)
            or not all(isinstance(digest, str) and _inside(path) for path, digest in files.items())
        ):
            raise IntegrityError(f"{where} is not what a backup writes")
        return cls(**document)


def _inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts
