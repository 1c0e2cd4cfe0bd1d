"""What a model must pass before it is served: the scan, the signature policy, its own digests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hauberk.core.canonical import file_digest
from hauberk.core.errors import IntegrityError, PolicyViolation
from hauberk.protection.scan import refuse, scan
from hauberk.protection.sign import SignedOnly

if TYPE_CHECKING:
    from hauberk.crypto.age import Identity
    from hauberk.models import Classifier


@dataclass(frozen=True)
class Checks:
    """How models are let in.

    Args:
        signed: who must have signed a package; None asks for no signature.
        identities: the keys with which sealed files are opened, in memory.
    """

    signed: SignedOnly | None = None
    identities: Sequence[Identity] = field(default=(), repr=False)

    def package(self, path: Path, digest: str) -> Classifier:
        """The classifier of a package, if it is the one that ``digest`` names.

        Raises:
            IntegrityError: the scan found something, the signature does not hold, or the package changed.
            PolicyViolation: it is not signed, and must be.
            DataError, AccessDenied, UnsupportedModel: as ``hauberk.load``.

        Cost: four passes over the files.
        """
        from hauberk.models.package import load, read

        refuse(scan(path))
        package = read(path)
        if package.digest != digest:
            raise IntegrityError(f"{path} changed while it was looked at")
        classifier = load(path) if self.signed is None else self.signed.load(path)
        if classifier.digest != package.model_digest:
            raise IntegrityError(f"{path} changed while it was loaded")
        return classifier

    def sealed(self, path: Path, digest: str) -> Classifier:
        """The classifier of a sealed file, opened in memory.

        Raises:
            PolicyViolation: models must be signed; a sealed file by itself does not say who made it.
            NoIdentityMatched, IntegrityError: as ``open_model``.
        """
        from hauberk.protection.seal import open_model

        if self.signed is not None:
            raise PolicyViolation(
                f"{path} is sealed and shows nobody's signature, and the policy demands one",
                hint="push package and signature into a vault and serve from there",
            )
        if file_digest(path) != digest:
            raise IntegrityError(f"{path} changed while it was looked at")
        return open_model(path, self.identities)
