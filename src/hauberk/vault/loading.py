"""A version into memory: nothing of what is in it touches the disk in the clear."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from hauberk.core.errors import ConfigError
from hauberk.core.manifest import MANIFEST, WEIGHTS
from hauberk.vault.content import PACKAGE, SEALED
from hauberk.vault.place import Vault
from hauberk.vault.pulling import admitted, check_package, writing
from hauberk.vault.registry import File, Version

if TYPE_CHECKING:
    import torch

    from hauberk.crypto import age
    from hauberk.models import Classifier


def load(
    vault: Vault,
    reference: str,
    identities: Iterable[age.Identity] = (),
    *,
    device: str | torch.device = "cpu",
    action: str = "model.pull",
    scanned: bool = False,
) -> Classifier:
    """The classifier of a version, verified as ``pull`` does, in eval mode, on ``device``.

    Args:
        reference: as for ``pull``.
        identities: of those who read, for a version that is sealed.
        action: what the caller must be allowed to do with it, such as ``model.predict``.
        scanned: look for what could run code once more, whatever the policy asked for when it came in. In a
            sealed version, nothing but tensors and JSON is ever read.

    Raises:
        ConfigError: it is sealed and there is no identity.
        NoIdentityMatched: it is sealed for others.
        AccessDenied, DataError, PolicyViolation, IntegrityError: as ``pull``, or the scan found something,
            or it needs a factory that this user has not allowed.
        UnsupportedModel: weights that do not fit the architecture.

    Cost: memory for the package and the network. A sealed file is copied to the temporary folder as it is.
    """
    version, files = admitted(vault, reference, action)
    if version.kind == "sealed":
        return _sealed(vault, version, files, tuple(identities), device)
    return _package(vault, version, files, device, scanned=scanned)


def _package(
    vault: Vault, version: Version, files: list[File], device: str | torch.device, *, scanned: bool
) -> Classifier:
    import safetensors.torch

    from hauberk.models.package import align, build, evidence_of, fill
    from hauberk.protection.scan import refuse, scan_held

    own = [one for one in files if one.path.startswith(PACKAGE)]
    held = {
        one.path.removeprefix(PACKAGE): bytes(vault.artifacts.read(one.sha256, one.size_bytes)) for one in own
    }
    if scanned:
        refuse(scan_held(held, str(version)))
    manifest = check_package(own, held[MANIFEST], str(version)).document
    weights = safetensors.torch.load(held.pop(WEIGHTS))
    classifier = build(manifest, held)
    fill(classifier, weights, str(version))
    align(classifier)
    classifier.evidence = evidence_of(manifest, held, where=str(version))
    return classifier.to(device).eval()


def _sealed(
    vault: Vault,
    version: Version,
    files: list[File],
    identities: tuple[age.Identity, ...],
    device: str | torch.device,
) -> Classifier:
    from hauberk.protection.seal import open_model

    if not identities:
        raise ConfigError(f"{version} is sealed, and there is nothing to open it with", hint="identities=[…]")
    one = next(one for one in files if one.path == SEALED)
    with tempfile.TemporaryDirectory(prefix="hauberk-") as folder:
        place = Path(folder) / SEALED
        with open(place, "wb") as file, writing(file.fileno()) as write:
            vault.artifacts.fetch(one.sha256, one.size_bytes, write)
        return open_model(place, identities, device=device)
