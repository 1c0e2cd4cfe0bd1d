"""Makes the vectors of docs/spec/sealed-model.md: ``python tests/protection/seal/make_vectors.py``.

Everything comes from fixed seeds but the hybrid stanza, whose shares the library draws itself: that vector's
header is another each time, its body the same.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import packages

from hauberk.crypto import age
from hauberk.protection.seal import seal

FOLDER = Path(__file__).parent / "vectors"
OTHER = age.parse_identity("AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0")


def recipes() -> dict[str, tuple[list[Any], list[str], int]]:
    """Recipients, what opens it, and the segment length."""
    one, other, hybrid = (key.written() for key in (packages.IDENTITY, OTHER, packages.HYBRID))
    return {
        "x25519": ([packages.IDENTITY.recipient], [one], 96),
        "two-readers": ([packages.IDENTITY.recipient, OTHER.recipient], [one, other], 1 << 20),
        "passphrase": ([packages.phrase()], ["correct horse battery staple"], 128),
        "hybrid": ([packages.HYBRID.recipient], [hybrid], 64),
    }


def make(name: str, package: Path, out: Path) -> None:
    recipients, _keys, segment = recipes()[name]
    seal(package, out, recipients, segment_bytes=segment, threads=1, random=packages.drawn(name.encode()))


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    listed = []
    with tempfile.TemporaryDirectory() as folder:
        package = packages.write_package(Path(folder) / "package")
        held = {name: hashlib.sha256(data).hexdigest() for name, data in packages.contents(package).items()}
        for name, (recipients, keys, segment) in recipes().items():
            path = FOLDER / f"{name}.sealed"
            path.unlink(missing_ok=True)
            make(name, package, path)
            prints = [age.fingerprint(one).hex() for one in recipients if one.kind != "scrypt"]
            listed.append(
                {
                    "file": path.name,
                    "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                    "opens_with": keys,
                    "segment_bytes": segment,
                    "recipients": prints,
                    "files_sha256": held,
                }
            )
    (FOLDER / "vectors.json").write_text(json.dumps(listed, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
