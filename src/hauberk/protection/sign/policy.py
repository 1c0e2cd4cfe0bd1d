"""Loading only what was signed: the rule that a server or a pipeline puts in front of every model."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hauberk.core.canonical import parse_json
from hauberk.core.clock import Clock, now
from hauberk.core.errors import ConfigError, IntegrityError, PolicyViolation
from hauberk.core.files import read_bytes
from hauberk.core.manifest import MANIFEST
from hauberk.protection.sign.trust import Trust
from hauberk.protection.sign.verifying import Verification, verify

if TYPE_CHECKING:
    import torch

    from hauberk.models import Classifier

SUFFIX = ".sig"


@dataclass(frozen=True)
class SignedOnly:
    """The policy that a package is loaded only with a signature of somebody who is trusted.

    Args:
        trusted: one of these must have signed; tried in order.

    Limits:
        Code that a package names (a factory) is not in the package, and so not signed; it needs its own
        permission (``hauberk.models.factories``).
    """

    trusted: tuple[Trust, ...]

    def __post_init__(self) -> None:
        if not self.trusted:
            raise ConfigError("SignedOnly needs at least one trusted signer")

    def verify(
        self, package: str | Path, signature: str | Path | None = None, *, clock: Clock = now
    ) -> Verification:
        """The verification by whoever signed.

        Args:
            signature: None for the file beside the package, ``<package>.sig``.

        Raises:
            PolicyViolation: there is no signature.
            IntegrityError: nobody who is trusted signed this package as it is.
        """
        root = Path(package)
        place = Path(signature) if signature is not None else beside(root)
        if not place.is_file():
            raise PolicyViolation(
                f"{root} is not signed (no signature at {place}), and the policy demands it",
                hint=f"hauberk sign {root} --key PRIVATE.pem --out {place}",
            )
        refused: IntegrityError | None = None
        for trust in self.trusted:
            try:
                found = verify(root, place, trust, clock=clock)
            except IntegrityError as error:
                refused = refused or error
                continue
            found.require()
            return found
        assert refused is not None
        raise refused

    def load(
        self,
        package: str | Path,
        signature: str | Path | None = None,
        *,
        device: str | torch.device = "cpu",
        clock: Clock = now,
    ) -> Classifier:
        """The classifier of a signed package; raises as ``verify`` and ``hauberk.load``.

        What was loaded is compared with what was signed once more: a package that is exchanged between the two
        looks is refused.
        """
        from hauberk.models.package import load

        root = Path(package)
        found = self.verify(root, signature, clock=clock)
        classifier = load(root, device=device)
        data = read_bytes(root / MANIFEST, what="manifest")
        same = hashlib.sha256(data).hexdigest() == found.digests.get(MANIFEST)
        if not same or classifier.digest != parse_json(data, where=str(root / MANIFEST))["model"]:
            raise IntegrityError(f"{root} changed after its signature was verified")
        return classifier


def beside(package: Path) -> Path:
    """Where a package's signature is looked for: next to it, under its name with ``.sig``."""
    full = package.resolve()
    return full.with_name(full.name + SUFFIX)


def load_signed(
    package: str | Path,
    *,
    signed_by: Trust,
    signature: str | Path | None = None,
    device: str | torch.device = "cpu",
) -> Classifier:
    """``SignedOnly((signed_by,)).load(package, signature)``: one package, one signer."""
    return SignedOnly((signed_by,)).load(package, signature, device=device)
