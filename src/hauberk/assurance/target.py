"""What was gathered of a target, as plain facts: rules read these and nothing else.

A fact that could not be had is None or says why; no rule takes that for good. Everything here was read before
any rule ran, and the target's digest is taken again afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from hauberk.assurance.finding import Subject
from hauberk.assurance.text import Text, same
from hauberk.assurance.trust import Trust
from hauberk.core.evidence import Evidence

if TYPE_CHECKING:
    from hauberk.assurance.environment import Environment

TargetKind = Literal["package", "vault", "deployment", "repository"]
KINDS: tuple[TargetKind, ...] = ("package", "vault", "deployment", "repository")


@dataclass(frozen=True)
class Refused:
    """A document that does not count.

    Args:
        file: its name, relative to the target where it lies there.
        digest: of the document as it names itself, or None where it cannot be read.
        reason: ``edited``, ``malformed``, ``older``, ``future``, ``foreign``.
        why: the same in a sentence.
    """

    file: str
    digest: str | None
    reason: Literal["edited", "malformed", "older", "future", "foreign"]
    why: Text

    def to_json(self) -> dict[str, Any]:
        return {"file": self.file, "digest": self.digest, "reason": self.reason, "why": self.why.to_json()}


@dataclass(frozen=True, kw_only=True)
class Signed:
    """A package's signature.

    Args:
        state: ``holds``: by somebody the policy trusts, over these very files. ``broken``: it does not hold, or
            the files are others. ``unknown signer``: nobody is trusted, or not he who signed. ``absent``.
        signer: in words; ``why``: what is wrong with it.
        digest: of the signature's file.
    """

    state: Literal["holds", "broken", "unknown signer", "absent"]
    signer: Text = field(default_factory=lambda: same(""))
    digest: str | None = None
    why: Text = field(default_factory=lambda: same(""))


@dataclass(frozen=True, kw_only=True)
class Logged:
    """What a ledger proves of a model's documents.

    Args:
        where: the ledger; ``head`` its verified size.
        proofs: by digest of the document: ``holds``, ``fails``, ``not logged``.
        why: why there are no proofs (no ledger, or one that is not believed); None where there are.
    """

    where: str = ""
    head: int = 0
    proofs: Mapping[str, str] = field(default_factory=dict)
    why: Text | None = None


@dataclass(frozen=True, kw_only=True)
class Sealing:
    """A sealed file of a model.

    Args:
        digest: of the file.
        kinds: of its recipients; ``post_quantum``: whether all of them are hybrid.
        known: whether evidence binds the file to this very model; nobody sees that without a key.
    """

    file: str
    digest: str
    kinds: tuple[str, ...]
    post_quantum: bool
    known: bool


@dataclass(frozen=True, kw_only=True)
class Scanned:
    """What ``hauberk scan`` says of a package's files now."""

    clean: bool
    counts: Mapping[str, int]
    worst: str = ""
    digest: str | None = None


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model of the target.

    Args:
        subject: kind ``model``; the digest is that of weights, architecture and input contract, computed here.
        place: how a command names it: a path, or ``NAME@NUMBER`` of a vault.
        package: the package's digest; None of a sealed file.
        manifest: the package's.
        born: evidence within the package: how the model came to be. Oldest first.
        evidence: all that counts, that in ``born`` included: whole, of this model, and not older than it.
        related: whole documents in which this model went in and something else came out: copies, surrogates.
        commitments: digests of commitments of watermarks that name this model or one it was made of.
        vault_version: number and aliases where it lies in a vault.
        papers: the folder of its later evidence, as a command names it.
        broken: why the package itself cannot be believed; "" where it can.
    """

    subject: Subject
    place: str
    package: str | None = None
    manifest: Mapping[str, Any] = field(default_factory=dict)
    born: tuple[Evidence, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    related: tuple[Evidence, ...] = ()
    refused: tuple[Refused, ...] = ()
    signed: Signed = field(default_factory=lambda: Signed(state="absent"))
    logged: Logged = field(default_factory=Logged)
    scanned: Scanned | None = None
    sealed: tuple[Sealing, ...] = ()
    commitments: tuple[str, ...] = ()
    vault_version: Sequence[str] = ()
    papers: str = "evidence"
    broken: str = ""

    def of(self, *kinds: str) -> tuple[Evidence, ...]:
        """Evidence that counts, of these kinds, the newest first."""
        return tuple(one for one in reversed(self.evidence) if one.kind in kinds)

    @property
    def range(self) -> float:
        """Width of the valid inputs, by which radii of different models are compared."""
        low, high = self.manifest.get("input", {}).get("bounds", (0.0, 1.0))
        return float(high) - float(low)


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """A key of the vault that is neither revoked nor over."""

    id: str
    identity: str
    created: datetime
    expires: datetime | None
    last_used: datetime | None
    scopes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Somebody who may enter the vault.

    Args:
        entries: by which means: ``password``, ``key``, ``link``.
        factor: whether a second factor is set.
        grants: ``(effect, role or action, pattern)``.
    """

    name: str
    kind: str
    disabled: bool
    entries: tuple[str, ...]
    factor: bool
    grants: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, kw_only=True)
class VaultFacts:
    """What a vault's settings, tables and log say.

    Args:
        subject: kind ``vault``.
        policy: of its ``vault.toml``: ``scan``, ``approvals`` and so on.
        trail: ``holds``, or what is wrong with the audit trail.
        trail_logged: share of the trail's lines that the ledger covers; None for an empty trail.
        trail_days: how long ago the oldest line that was kept was written; None for an empty trail.
        drills: evidence of drills of this vault, the newest first.
        keep: what the schedule keeps, as backup's options say it; "" where no schedule is known.
        encrypted: whether all artifacts begin as encrypted ones do; None where they could not be looked at.
        exposed: files of the vault that others on this machine can read, with their modes.
    """

    subject: Subject
    place: str
    policy: Mapping[str, Any]
    identities: tuple[Identity, ...] = ()
    keys: tuple[ApiKey, ...] = ()
    trail: str = "holds"
    trail_logged: float | None = None
    trail_days: float | None = None
    drills: tuple[Evidence, ...] = ()
    keep: str = ""
    encrypted: bool | None = None
    exposed: tuple[Text, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ServingFacts:
    """What a running server tells to whoever asks.

    Args:
        subject: kind ``deployment``; the digest is that of its address.
        answers: whether it could be asked; else ``why``, in words.
        tls: the protocol that was agreed, such as ``TLSv1.3``; None for plain HTTP.
        certificate_until: when its certificate ends.
        old_tls: whether it agrees to TLS below 1.2.
        open_predictions: whether it answers predictions to somebody without a key; None where not known.
        loopback: whether it can be reached from this machine alone.
        models: names of what it serves, as far as it tells.
        guard: whether its guard watches callers; None where not known (its metrics could not be read).
        refuses_huge: whether a body of a terabyte is refused when it is announced; None where not known.
        alerts: of the guard since the server started; None where not known.
    """

    subject: Subject
    url: str
    answers: bool
    why: Text = field(default_factory=lambda: same(""))
    tls: str | None = None
    certificate_until: datetime | None = None
    old_tls: bool | None = None
    open_predictions: bool | None = None
    loopback: bool = False
    models: tuple[str, ...] = ()
    guard: bool | None = None
    refuses_huge: bool | None = None
    alerts: int | None = None


@dataclass(frozen=True, kw_only=True)
class Budget:
    """A data set's privacy budget.

    Args:
        subject: kind ``data``; the digest is that of its public description.
        epsilon: what was given; ``spent`` what questions took of it.
        why: why it cannot be read; "" where it can.
    """

    subject: Subject
    epsilon: float
    delta: float
    spent: float
    evidence: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """A file of learning data found in the target."""

    file: str
    encrypted: bool


@dataclass(frozen=True, kw_only=True)
class Target:
    """Everything that rules may look at.

    Args:
        subject: of the whole; its digest covers every file that was read.
        at: the present, as all ages are counted.
        documents: evidence that counts and is about no model: de-identification, anonymisation, queries.
        refused: evidence that does not count and can be given to no model.
        environment: installed packages, lock files, hardening facts; None where not looked at.
    """

    kind: TargetKind
    subject: Subject
    place: str
    at: datetime
    trust: Trust = field(default_factory=Trust)
    models: tuple[Model, ...] = ()
    documents: tuple[Evidence, ...] = ()
    refused: tuple[Refused, ...] = ()
    vault: VaultFacts | None = None
    serving: ServingFacts | None = None
    budgets: tuple[Budget, ...] = ()
    data: tuple[DataFile, ...] = ()
    environment: Environment | None = None

    def of(self, *kinds: str) -> tuple[Evidence, ...]:
        """Documents about no model that count, of these kinds, the newest first."""
        return tuple(one for one in reversed(self.documents) if one.kind in kinds)
