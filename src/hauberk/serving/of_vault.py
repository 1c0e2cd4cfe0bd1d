"""Everything that a server of a vault consists of.

Before a version is served: the server itself must be allowed to use it; the ledger proves that it was
published as it is, that nobody revoked it and that the alias was moved to it; the policy's evidence and
signature hold; the scan finds nothing; every byte has its digest. Then the ledger is told that it is served.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from hauberk.access import open_access
from hauberk.serving.console.opening import console_of
from hauberk.serving.deploying import Deployments
from hauberk.serving.recognising import Recogniser
from hauberk.serving.running import Service
from hauberk.serving.sealing import Sealing, sealing_key
from hauberk.serving.used_tokens import UsedTokens
from hauberk.serving.vault_door import VaultDoor
from hauberk.serving.vault_guard import guarded
from hauberk.serving.vault_source import IN_USE, VaultSource
from hauberk.vault import load, registry
from hauberk.vault.checking import check_promoted
from hauberk.vault.listing import known
from hauberk.vault.names import Reference

if TYPE_CHECKING:
    from hauberk.access.tokens import TokenVerifier
    from hauberk.crypto.age import Identity
    from hauberk.models import Classifier
    from hauberk.serving.guard.policy import GuardPolicy
    from hauberk.serving.offers import Offer
    from hauberk.vault import Vault
    from hauberk.vault.backup.restic import Repository


@dataclass(frozen=True)
class Callers:
    """By what callers are known besides API keys and certificates.

    Args:
        issuers: whose tokens are believed.
        single_use: a token is good once.
    """

    issuers: Sequence[TokenVerifier] = field(default=())
    single_use: bool = False


def service_of(
    vault: Vault,
    names: Sequence[str],
    readers: Sequence[Identity],
    *,
    policy: GuardPolicy | None,
    callers: Callers,
    backups: Repository | None = None,
    **more: Any,
) -> Service:
    """A service on a vault, which stays open as long as it runs.

    Args:
        vault: with the gate of who serves.
        names: as ``VaultSource`` takes them.
        readers: identities that open sealed versions.
        policy: of the guard; None for a server without one.
        backups: where the vault's are, for the console.
        more: further parts of the ``Service``.
    """
    access = open_access(vault)
    used = UsedTokens(vault.database) if callers.single_use else None
    recogniser = Recogniser(access, callers.issuers, used)
    deployments = Deployments(vault, socket.gethostname())
    if policy is not None:
        more["watch"] = partial(guarded, vault, access, policy)
    return Service(
        source=VaultSource(names, partial(known, vault), partial(admitted, vault, readers)),
        door=lambda _metrics: VaultDoor(access, in_use=IN_USE, recogniser=recogniser),
        served=partial(_served, deployments),
        sealing=Sealing(sealing_key(vault)),
        console=console_of(vault, access, more["address"], backups),
        **more,
    )


def admitted(
    vault: Vault, readers: Sequence[Identity], model: str, number: int, alias: str | None
) -> Classifier:
    """The classifier of a version that may be served.

    Args:
        alias: by which it was found, whose move the ledger must prove; None where its number was asked for.

    Raises:
        AccessDenied: who serves may not.
        PolicyViolation: it was revoked, or the policy does not let it out.
        IntegrityError: the scan found something, or anything is not what the ledger says.
    """
    if alias is not None:
        with vault.database.read() as connection:
            version = registry.find(connection, Reference(model, number=number))
        check_promoted(vault, version, alias)
    return load(vault, f"{model}@{number}", readers, action="model.predict", scanned=True)


def _served(deployments: Deployments, offer: Offer, _engine: object) -> None:
    deployments.begun(offer.name, int(offer.version))
