"""``vault.toml``: where the parts of a vault lie, and what its policy asks for.

    format = "hauberk-vault/1"
    database = "vault.sqlite"               or postgresql://USER@HOST/DATABASE
    artifacts = "artifacts"                 or s3://…, gs://…, sftp://…
    ledger = "ledger"                       or another folder, or postgresql://…
    ledger_key = "ledger/key"               the log's secret key
    ledger_verifier = "NAME+HASH+KEY"       whose heads are believed

    [policy]
    scan = true                             refuse what hauberk scan finds anything in
    signed_by = ["release.pem"]             one of these public keys must have signed
    authorities = ["ca.pem"]                or somebody whom one of these certifies
    evidence = ["training", "evaluation"]   kinds of evidence that a version needs
    approvals = 1                           further people who must agree to a production version

Paths are relative to the vault's folder. Passwords do not stand here: the file is copied and shown.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hauberk.core.errors import ConfigError, DataError, check_known
from hauberk.core.evidence import KINDS
from hauberk.core.files import read_bytes
from hauberk.core.settings import check_settings, require_count

FORMAT = "hauberk-vault/1"
FILE = "vault.toml"
_WHERE = f"{FILE}, [policy]"


@dataclass(frozen=True)
class Policy:
    """What must hold before a version is taken in or handed out.

    Args:
        scan: whether ``hauberk.protection.scan`` must find nothing.
        signed_by: public keys in PEM; with ``authorities`` (certificates in PEM) those whose signature is
            believed. Both empty: no signature is asked for.
        evidence: kinds, each of which a version needs at least once.
        approvals: how many people besides the one who asks must agree before ``production`` moves.

    Raises:
        ConfigError: a setting of the wrong kind.
        UnknownName: no such kind of evidence.
    """

    scan: bool = True
    signed_by: tuple[str, ...] = ()
    authorities: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    approvals: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.scan, bool):
            raise ConfigError(f"{_WHERE}: scan must be true or false, got {self.scan!r}")
        for name in ("signed_by", "authorities", "evidence"):
            value = getattr(self, name)
            if not isinstance(value, list | tuple) or not all(isinstance(one, str) and one for one in value):
                raise ConfigError(f"{_WHERE}: {name} must be a list of texts, got {value!r}")
            object.__setattr__(self, name, tuple(value))
        check_known(self.evidence, KINDS, what="kind of evidence", where=_WHERE)
        require_count("approvals", self.approvals, _WHERE, least=0, most=16)

    @property
    def asks_for_signature(self) -> bool:
        return bool(self.signed_by or self.authorities)


@dataclass(frozen=True)
class Settings:
    """A vault's ``vault.toml``; what its fields mean stands above.

    Raises:
        ConfigError: a place that is no text, or holds a password.
    """

    database: str
    artifacts: str
    ledger: str
    ledger_key: str
    ledger_verifier: str
    policy: Policy = field(default_factory=Policy)

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name == "policy":
                continue
            if not isinstance(value, str) or not value:
                raise ConfigError(f"{FILE}: {one.name} must be a text, got {value!r}")
            refuse_password(value)

    @classmethod
    def load(cls, folder: Path) -> Settings:
        """Read the file in a vault's folder.

        Raises:
            DataError: there is no vault, one of another format, or no TOML.
            ConfigError, UnknownName: a setting that cannot be.
        """
        if not (folder / FILE).is_file():
            raise DataError(f"{folder} is no vault", hint=f"hauberk vault init --vault {folder}")
        where = str(folder / FILE)
        try:
            document = tomllib.loads(read_bytes(folder / FILE, what="vault's settings").decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise DataError(f"{where} is no TOML: {error}") from None
        found = document.pop("format", None)
        if found != FORMAT:
            raise DataError(f"{where}: format is {found!r}, this version reads '{FORMAT}'")
        policy = document.pop("policy", {})
        if not isinstance(policy, dict):
            raise ConfigError(f"{where}: policy must be a table, [policy]")
        check_settings(cls, document, where=where)
        check_settings(Policy, policy, where=_WHERE)
        lacking = [one.name for one in fields(cls) if one.name not in document and one.name != "policy"]
        if lacking:
            raise ConfigError(f"{where} lacks {' and '.join(lacking)}")
        return cls(**document, policy=Policy(**policy))

    def to_toml(self) -> str:
        """The text of the file."""
        own: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
        policy = vars(own.pop("policy"))
        return "\n".join([*_lines({"format": FORMAT, **own}), "", "[policy]", *_lines(policy), ""])


def _lines(values: Mapping[str, Any]) -> list[str]:
    return [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]


def is_url(where: str) -> bool:
    return "://" in where


def refuse_password(where: str) -> None:
    """Raises ``ConfigError`` for a URL that holds a password: it would stand in a file in the clear."""
    if not is_url(where):
        return
    try:
        parts = urlsplit(where)
        secret = parts.password is not None or "password" in parse_qs(parts.query)
    except ValueError:
        raise ConfigError("a URL of the vault cannot be read", hint="postgresql://USER@HOST/DATABASE") from None
    if secret:
        raise ConfigError(
            f"the URL of {parts.hostname} holds a password, which would stand in {FILE} in the clear",
            hint="give it by PGPASSFILE (~/.pgpass) or PGPASSWORD, or as the store's own tools take it",
        )
