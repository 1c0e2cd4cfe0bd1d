"""The evidence that sealing data leaves: which file, and who can open it. No secret and no name is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hauberk.core.canonical import file_digest
from hauberk.core.evidence import Evidence
from hauberk.crypto.age import Reader
from hauberk.privacy.stored.sealing import SealedData


def sealed_evidence(sealed: SealedData, *, duration_s: float = 0.0) -> Evidence:
    """Of a sealing. It names the sealed file and not what is in it: a digest of the data would let anybody who
    guesses the data know that he is right.

    Cost: one pass over the sealed file, for its digest.
    """
    return Evidence(
        kind="sealing",
        subject={"name": sealed.path.name, "digest": file_digest(sealed.path)},
        parameters={"step": "seal-data", "recipients": [one.to_json() for one in sealed.readers]},
        result={"size_bytes": sealed.size_bytes, "files": sealed.files, "folder": sealed.folder},
        duration_s=duration_s,
    )


def parquet_evidence(
    path: Path, roles: Mapping[str, Sequence[Reader]], columns: Mapping[str, int], *, duration_s: float = 0.0
) -> Evidence:
    """Of an encrypted Parquet file: who reads which role, and how many columns each role has."""
    return Evidence(
        kind="sealing",
        subject={"name": path.name, "digest": file_digest(path)},
        parameters={
            "step": "seal-parquet",
            "roles": {
                role: {"columns": columns[role], "recipients": [one.to_json() for one in roles[role]]}
                for role in roles
            },
        },
        result={"size_bytes": path.stat().st_size},
        duration_s=duration_s,
    )
