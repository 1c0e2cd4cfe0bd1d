"""One target, whatever it is, read once: a package, a vault, a running server, or a repository."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hauberk.assurance.finding import Subject
from hauberk.assurance.gathering import budgets, packages, repositories
from hauberk.assurance.gathering.counting import Document, about_no_model, read_folder
from hauberk.assurance.gathering.ledgers import Ledger
from hauberk.assurance.target import Model, Target, TargetKind
from hauberk.assurance.trust import Trust
from hauberk.core.canonical import digest
from hauberk.core.errors import ConfigError, DataError
from hauberk.core.manifest import MANIFEST

if TYPE_CHECKING:
    from hauberk.vault import Vault

_AGE = b"age-encryption.org/v1\n"
VAULT = "vault.toml"


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where else facts come from.

    Args:
        evidence: its folder [default: ``evidence`` beside a package; all such folders of a repository].
        ledger: a folder or URL in which documents must be proven.
        vault: an open vault with the gate of whoever asks: the target, or what a deployment serves from.
        api_key: for a server, of somebody who may read its metrics.
        ca, certificate: for a server with certificates of its own.
        osv: a copy of OSV's advisories; ``online`` asks the service instead.
        environment: whether this machine's packages and settings are looked at.
        schedules: folders in which files of ``hauberk backup schedule`` may lie.
    """

    evidence: Path | None = None
    ledger: str | None = None
    vault: Vault | None = None
    api_key: str | None = field(default=None, repr=False)
    ca: Path | None = None
    certificate: tuple[Path, Path] | None = None
    osv: Path | None = None
    online: bool = False
    environment: bool = True
    schedules: tuple[Path, ...] = ()


def kind_of(place: str | Path) -> TargetKind:
    """What a target is.

    Raises:
        DataError: nothing that can be audited.
    """
    text, path = str(place), Path(place)
    if not text.strip():  # would be the working folder, which nobody named
        raise ConfigError(
            "TARGET is empty", hint="a package, a vault, a repository, or http(s)://…; '.' is this folder"
        )
    if text.startswith(("http://", "https://")):
        return "deployment"
    if (path / VAULT).is_file():
        return "vault"
    if (path / MANIFEST).is_file():
        return "package"
    if path.is_dir():
        return "repository"
    if path.is_file():
        with open(path, "rb") as file:
            sealed = file.read(len(_AGE)) == _AGE
        hint = "audit the package before it is sealed, or the vault that holds it" if sealed else None
        raise DataError(f"{path} is a file; a folder, a vault or a server's address is audited", hint=hint)
    raise DataError(f"there is nothing at {place}", hint="a package, a vault, a repository, or http(s)://…")


def gather(place: str | Path, trust: Trust, sources: Sources, *, at: datetime) -> Target:
    """Everything that rules may look at.

    Raises:
        DataError, ConfigError, AccessDenied: it is none, or may not be looked at.
    """
    kind = kind_of(place)
    target = _GATHERERS[kind](str(place), trust, sources, at)
    if kind == "deployment" or not sources.environment:  # this machine is not the server's
        return target
    from hauberk.assurance.environment import look

    found = look(Path(place), now=at, osv=sources.osv, ask_online=sources.online, secrets=kind != "vault")
    return replace(target, environment=found)


def fingerprint(place: str | Path, sources: Sources) -> dict[str, Any]:
    """What must not change while a target is looked at, by name."""
    kind = kind_of(place)
    if kind == "package":
        return dict(packages.files_of(Path(place), sources.evidence))
    if kind == "repository":
        return dict(repositories.files_of(Path(place)))
    if sources.vault is None:
        return {}
    from hauberk.assurance.gathering.vaults import state_of

    return state_of(sources.vault)


def _package(place: str, trust: Trust, sources: Sources, at: datetime) -> Target:
    path = Path(place)
    folder = sources.evidence or path.resolve().parent / "evidence"
    documents, refused = about_no_model(_without_models(read_folder(folder)), at)
    with Ledger(sources.ledger, trust.logs) as ledger:
        model = packages.gather_model(path, trust, at=at, evidence=folder, ledger=ledger)
    return Target(
        kind="package",
        subject=Subject("package", path.resolve().name, _digest(packages.files_of(path, sources.evidence))),
        place=place,
        at=at,
        trust=trust,
        models=(model,),
        documents=documents,
        refused=refused,
    )


def _without_models(documents: list[Document]) -> list[Document]:
    """What could not be read is told once, with the model."""
    return [one for one in documents if one.refused is None]


def _repository(place: str, trust: Trust, sources: Sources, at: datetime) -> Target:
    folder = Path(place)
    found = repositories.packages_in(folder)
    folders = repositories.evidence_folders(folder, found)
    everything = [one for each in folders for one in read_folder(each, below=folder)]
    with Ledger(sources.ledger, trust.logs) as ledger:
        models = tuple(_inside(one, folder, trust, sources, ledger, at) for one in found)
    told = {one.file.rpartition("/")[2] for model in models for one in model.refused}
    documents, refused = about_no_model(everything, at)
    return Target(
        kind="repository",
        subject=Subject("repository", folder.resolve().name, _digest(repositories.files_of(folder))),
        place=place,
        at=at,
        trust=trust,
        models=models,
        documents=documents,
        refused=tuple(one for one in refused if one.file.rpartition("/")[2] not in told),
        budgets=budgets.beside_data(folder),
        data=repositories.gather_data(folder, found),
    )


def _inside(path: Path, folder: Path, trust: Trust, sources: Sources, ledger: Ledger, at: datetime) -> Model:
    model = packages.gather_model(path, trust, at=at, evidence=sources.evidence, ledger=ledger)
    name = path.relative_to(folder).as_posix()
    return replace(model, subject=replace(model.subject, name=name if name != "." else model.subject.name))


def _vault(place: str, trust: Trust, sources: Sources, at: datetime) -> Target:
    from hauberk.assurance.gathering.vaults import gather_vault, gather_version, in_use, state_of

    vault = sources.vault
    if vault is None:
        raise ConfigError(f"{place} is a vault and was not opened: sources need it")
    folder = vault.folder.resolve()
    folders = [sources.evidence] if sources.evidence else [folder / "evidence", folder.parent / "evidence"]
    everything = [one for each in folders for one in read_folder(each)]
    documents, refused = about_no_model(everything, at)
    schedules = sources.schedules or (folder.parent / "units", Path("/etc/systemd/system"), Path("/etc/cron.d"))
    facts = gather_vault(vault, at=at, documents=documents, schedules=schedules)
    return Target(
        kind="vault",
        subject=Subject("vault", facts.subject.name, _digest(state_of(vault))),
        place=place,
        at=at,
        trust=trust,
        models=tuple(gather_version(vault, str(one), trust, at=at) for one in in_use(vault)),
        documents=documents,
        refused=refused,
        vault=facts,
        budgets=budgets.of_vault(vault),
    )


def _deployment(place: str, trust: Trust, sources: Sources, at: datetime) -> Target:
    from hauberk.assurance.gathering.servers import gather_server

    serving = gather_server(place, api_key=sources.api_key, ca=sources.ca, certificate=sources.certificate)
    target = Target(
        kind="deployment", subject=serving.subject, place=place, at=at, trust=trust, serving=serving
    )
    if sources.vault is None:
        return target
    behind = _vault(str(sources.vault.folder), trust, sources, at)
    return replace(
        target,
        models=behind.models,
        documents=behind.documents,
        refused=behind.refused,
        vault=behind.vault,
        budgets=behind.budgets,
    )


_GATHERERS: Mapping[TargetKind, Callable[[str, Trust, Sources, datetime], Target]] = {
    "package": _package,
    "repository": _repository,
    "vault": _vault,
    "deployment": _deployment,
}


def _digest(files: Mapping[str, Any]) -> str:
    return digest(dict(files))
