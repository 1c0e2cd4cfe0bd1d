"""The evidence that sealing leaves: which model became which file, and who can open it. No secret is in it."""

from __future__ import annotations

from hauberk.core.canonical import file_digest
from hauberk.core.evidence import Evidence
from hauberk.protection.seal.rewrapping import Rewrapped
from hauberk.protection.seal.sealing import Sealed


def sealed_evidence(sealed: Sealed, *, duration_s: float = 0.0) -> Evidence:
    """Of a sealing; its parent is the newest evidence in the package.

    Cost: one pass over the sealed file, for its digest.
    """
    return Evidence(
        kind="sealing",
        subject={"name": sealed.path.name, "digest": sealed.model},
        inputs={"package": {"digest": sealed.package}},
        parameters={
            "step": "seal",
            "recipients": [one.to_json() for one in sealed.readers],
            "segment_bytes": sealed.segment_bytes,
        },
        result={
            "file_digest": file_digest(sealed.path),
            "size_bytes": sealed.size_bytes,
            "tensors": sealed.tensors,
            "files": sealed.files,
        },
        parents=(sealed.last_evidence,) if sealed.last_evidence else (),
        duration_s=duration_s,
    )


def rewrapped_evidence(rewrapped: Rewrapped, before: str, *, duration_s: float = 0.0) -> Evidence:
    """Of a change of recipients; ``before`` is the digest of the file as it was."""
    return Evidence(
        kind="sealing",
        subject={"name": rewrapped.path.name, "digest": rewrapped.model},
        inputs={"package": {"digest": rewrapped.package}, "sealed": {"digest": before}},
        parameters={
            "step": "reseal" if rewrapped.new_key else "rewrap",
            "recipients": [one.to_json() for one in rewrapped.readers],
        },
        result={"file_digest": file_digest(rewrapped.path), "size_bytes": rewrapped.size_bytes},
        parents=(rewrapped.last_evidence,) if rewrapped.last_evidence else (),
        duration_s=duration_s,
    )
