"""Whose word counts in an audit: signers of packages, logs, and the people who may excuse a finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hauberk.core.canonical import file_digest
from hauberk.core.errors import ConfigError, DataError
from hauberk.core.files import machine_errors
from hauberk.crypto.notes import parse_verifier, read_verifiers


@dataclass(frozen=True)
class KeyFile:
    """A key or certificate in PEM, named by its bytes so that an exchanged file is another policy."""

    path: Path
    digest: str

    @classmethod
    def of(cls, path: Path) -> KeyFile:
        """Raises ``DataError``: no such file."""
        if not path.is_file():
            raise DataError(f"no key or certificate at {path}, which the policy trusts")
        with machine_errors("read", path):
            return cls(path, file_digest(path))


@dataclass(frozen=True, kw_only=True)
class Trust:
    """Everybody who is believed.

    Args:
        signers: public keys in PEM; with ``authorities`` (certificates) those whose signature counts.
        logs: verifiers of ledgers, ``NAME+ID+KEY``.
        waivers: verifiers of the people whose waivers count.
    """

    signers: tuple[KeyFile, ...] = ()
    authorities: tuple[KeyFile, ...] = ()
    logs: tuple[str, ...] = ()
    waivers: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Digests and public keys; no paths, which differ from machine to machine."""
        return {
            "signers": sorted(one.digest for one in self.signers),
            "authorities": sorted(one.digest for one in self.authorities),
            "logs": sorted(self.logs),
            "waivers": sorted(self.waivers),
        }


LISTS = ("signers", "authorities", "logs", "waivers")


def read_trust(lists: dict[str, Sequence[tuple[Path, str]]]) -> Trust:
    """Trust from a policy's texts.

    Args:
        lists: by name; each text with the folder that its path is relative to.

    Raises:
        DataError: a key that cannot be read.
    """
    files = {
        name: tuple(KeyFile.of(folder / text) for folder, text in lists.get(name, ()))
        for name in ("signers", "authorities")
    }
    keys = {
        name: tuple(key for folder, text in lists.get(name, ()) for key in _verifiers(folder, text))
        for name in ("logs", "waivers")
    }
    return Trust(**files, **keys)  # type: ignore[arg-type]


def _verifiers(folder: Path, text: str) -> tuple[str, ...]:
    """A key as it is written, or those of a ``.pub`` file."""
    if text.count("+") >= 2 and not (folder / text).is_file():
        return (str(parse_verifier(text)),)
    return tuple(str(one) for one in read_verifiers(folder / text))


def check_lists(value: Any, where: str) -> dict[str, tuple[str, ...]]:
    """The table ``[trust]`` of a policy.

    Raises:
        ConfigError: a list of something else than texts.
    """
    for name, texts in value.items():
        if not isinstance(texts, list) or not all(isinstance(one, str) and one for one in texts):
            raise ConfigError(f"{where}: {name} must be a list of texts, got {texts!r}")
    return {name: tuple(texts) for name, texts in value.items()}
