"""The engine: restic, through its command line.

A repository holds snapshots; what several have in common is stored once. All of it is encrypted under a key
that a password opens (scrypt, AES-256 in counter mode, Poly1305), and every file but one is named by its
SHA-256. The password lies in a file of its owner alone and is never an argument.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hauberk.core.errors import (
    ConfigError,
    DataError,
    EnvironmentFailure,
    HauberkError,
    IntegrityError,
    NoIdentityMatched,
)
from hauberk.core.files import read_bytes, write_atomic
from hauberk.vault.backup.addresses import Address
from hauberk.vault.backup.hashing import check_names
from hauberk.vault.backup.programs import Ended, run
from hauberk.vault.backup.retention import Retention

TAG = "hauberk-backup"
_PASSWORD_BYTES = 32
_ID_DIGITS = 8
_LOCKED = ("already locked", "unable to create lock")
_ENVIRONMENT = (  # what restic's lines say, what it means, and what to do
    ("no space left", "the disk is full", "free some space; what was complete before is kept"),
    ("disk quota exceeded", "the quota is used up", "free some space; what was complete before is kept"),
    ("permission denied", "it may not be read or written", "use it as a user who may, or name another place"),
    ("read-only file system", "it may not be written", "name another place"),
    ("connection refused", "nobody answers there", "try again when it is back"),
    ("no route to host", "nobody answers there", "try again when it is back"),
    ("no such host", "there is no such host", "check the address"),
    ("unable to start the sftp session", "SFTP gives no session", "try: sftp USER@HOST"),
    ("i/o timeout", "nobody answers in time", "try again when it is back"),
    ("access denied", "the store refuses these credentials", "check AWS_ACCESS_KEY_ID and the bucket's policy"),
    ("the access key id", "the store refuses these credentials", "check AWS_ACCESS_KEY_ID"),
    ("signature does not match", "the store refuses these credentials", "check AWS_SECRET_ACCESS_KEY"),
    (
        "no credentials found",
        "there are no credentials for it",
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    ),
    ("bucket does not exist", "there is no such bucket", "make it first"),
)
_ABSENT = ("is there a repository", "repository does not exist", "unable to open config file")
_CHATTER = ("ignoring error for", "fatal: there were", "fatal: repository contains errors", "using temporary")


@dataclass(frozen=True)
class Snapshot:
    """One backup in a repository.

    Args:
        id: 8 hexadecimal digits.
        time: RFC 3339, of the machine that made it.
        vault: which vault it is of (restic's host).
    """

    id: str
    time: str
    vault: str


@dataclass(frozen=True)
class Stored:
    """What one backup came to.

    Args:
        snapshot: its id.
        size_bytes: of all files in it.
        added_bytes: of what was new, before compression.
        files_new: files that no earlier snapshot had at their place.
    """

    snapshot: str
    size_bytes: int
    added_bytes: int
    files_new: int


class Repository:
    """A repository at one place.

    Args:
        address: where.
        password_file: mode 600; its first line is the password.

    Raises:
        ConfigError: others may read the password.
        DataError: no such file, or nothing in it.
    """

    def __init__(self, address: Address, password_file: Path) -> None:
        _check_password_file(password_file)
        self.address, self._password = address, password_file.absolute()

    def create(self) -> None:
        """Make an empty repository.

        Raises:
            ConfigError: there is one already.
        """
        done = self._run(["init"])
        if done.code:
            text = " ".join(done.said).lower()
            if "already exists" in text or "already initialized" in text:
                raise ConfigError(f"{self.address.written} holds a repository already", hint="leave out --init")
            raise self._failed(done, "use")

    def store(self, folder: Path, vault: str) -> Stored:
        """Take in all that lies in a folder, as one snapshot: it is there whole, or not at all.

        A file of the same name, size, time and inode as in the last snapshot of this folder is not read again.

        Raises:
            EnvironmentFailure: disk full, no network, or a file that could not be read; there is no snapshot
            then.
        """
        done = self._command(
            ["backup", "--json", "--quiet", "--host", vault, "--tag", TAG, "--ignore-ctime", "."], folder=folder
        )
        found = done.last_object("summary")
        if done.code == 3 and "snapshot_id" in found:  # it lacks what could not be read
            self._command(["forget", found["snapshot_id"]])
        if done.code or "snapshot_id" not in found:
            raise self._failed(done, "write to")
        return Stored(
            str(found["snapshot_id"])[:_ID_DIGITS],
            int(found["total_bytes_processed"]),
            int(found["data_added"]),
            int(found["files_new"]),
        )

    def snapshots(self, vault: str | None = None) -> list[Snapshot]:
        """Backups, oldest first; those of one vault, or of all.

        Raises:
            DataError: no repository.
            NoIdentityMatched: the password does not open it.
            IntegrityError: it is damaged.
        """
        which = ["--host", vault] if vault else []
        done = self._command(["snapshots", "--json", "--no-lock", "--tag", TAG, *which])
        if done.code:
            raise self._failed(done, "read")
        found = [Snapshot(one["short_id"], one["time"], one["hostname"]) for one in json.loads(done.out) or []]
        return sorted(found, key=lambda one: one.time)

    def restore(self, snapshot: str, folder: Path) -> None:
        """Put a snapshot's files into a folder, and read them again to compare each with what was stored.

        This machine's cache is not used: what is restored comes out of the repository. Nothing is written
        there, so that a full or read-only one will do.

        Raises:
            IntegrityError: something in it is damaged or lost.
            EnvironmentFailure: no space, no network.
        """
        self._check_structure("--no-lock")
        done = self._command(["restore", snapshot, "--target", folder, "--verify", "--no-cache", "--no-lock"])
        if done.code:
            raise self._failed(done, "restore from", damaged=True)

    def check(self) -> None:
        """Read every byte of the repository, and compare it with the digest that it must have.

        Raises:
            IntegrityError: something is damaged or lost.

        Limits: a snapshot that somebody removed whole is not missed; compare their number and times with what
        you expect. At a place that is no folder, restic reads all but the unauthenticated notes in key files
        (who made them, when), which nothing depends on.
        """
        if self.address.folder is not None:
            check_names(self.address.folder, self.address.written)
        self._check_structure()
        done = self._command(["check", "--read-data"])
        if done.code:
            raise self._failed(done, "check", damaged=True)

    def forget(self, retention: Retention, vault: str) -> int:
        """Remove the snapshots of a vault that the retention does not keep, and what only they needed.

        Returns:
            How many were removed.
        """
        done = self._command(
            [
                "forget",
                "--json",
                "--tag",
                TAG,
                "--host",
                vault,
                "--group-by",
                "host",
                "--prune",
                *retention.options,
            ]
        )
        if done.code:
            raise self._failed(done, "prune")
        line = next((one for one in done.out.splitlines() if one.startswith("[")), "[]")
        return sum(len(group["remove"] or []) for group in json.loads(line))

    def _check_structure(self, *options: str) -> None:
        """Whether all is there that snapshots need; reading a file that is lost would be tried for a quarter of
        an hour."""
        done = self._command(["check", *options])
        if done.code:
            raise self._failed(done, "check", damaged=True)

    def _command(self, arguments: Sequence[object], folder: Path | None = None) -> Ended:
        """Run, and once more where only the lock of a process that is no more stood in the way."""
        done = self._run(arguments, folder)
        if done.code and any(one in " ".join(done.said).lower() for one in _LOCKED):
            self._run(["unlock"])  # removes those alone whose process is gone
            done = self._run(arguments, folder)
        return done

    def _run(self, arguments: Sequence[object], folder: Path | None = None) -> Ended:
        own: list[object] = ["--repo", self.address.restic, "--password-file", self._password]
        if self.address.folder is not None and "--no-cache" not in arguments:
            own.append("--no-cache")  # a folder is as near as a cache would be
        return run("restic", [*own, *arguments], package="restic", folder=folder)

    def _failed(self, done: Ended, action: str, *, damaged: bool = False) -> HauberkError:
        """What restic's lines mean."""
        where, text = self.address.written, " ".join(done.said).lower()
        if "wrong password" in text or done.code == 12:
            return NoIdentityMatched(
                f"the password does not open {where}, or the repository's key file is damaged",
                hint="name the right --password-file",
            )
        for said, meaning, hint in _ENVIRONMENT:
            if said in text:
                return EnvironmentFailure(f"could not {action} {where}: {meaning}", hint=hint)
        if any(one in text for one in _LOCKED):
            return EnvironmentFailure(
                f"could not {action} {where}: another backup or check is working on it", hint="try again later"
            )
        if any(one in text for one in _ABSENT) or done.code == 10:
            return DataError(
                f"{where} holds no backup", hint="the first time: hauberk backup --init makes the repository"
            )
        reason = _reason(done)
        if damaged or _is_damage(text):
            return IntegrityError(
                f"the backup in {where} is damaged: {reason}",
                hint="restore from another copy; hauberk backup check says whether all of it is affected",
            )
        return EnvironmentFailure(f"could not {action} {where}: {reason}")


def new_password(path: Path) -> None:
    """Write a password of 32 random bytes, mode 600.

    Raises:
        ConfigError: something is there; a password is never replaced, since all that it opens would be lost.
    """
    if path.exists():
        raise ConfigError(f"{path} exists already", hint="a password that opens a backup is not replaced")
    write_atomic(path, f"{secrets.token_urlsafe(_PASSWORD_BYTES)}\n".encode(), mode=0o600)


def _check_password_file(path: Path) -> None:
    if not path.exists():
        raise DataError(f"no password file at {path}", hint="the first time: hauberk backup --init makes one")
    lines = read_bytes(path, what="password file").splitlines()
    if not lines or not lines[0].strip():
        raise DataError(f"{path} holds no password in its first line")
    mode = os.stat(path).st_mode & 0o777
    if mode & 0o077:
        raise ConfigError(f"{path}: others may read this password (mode {mode:o})", hint=f"chmod 600 {path}")


def _is_damage(text: str) -> bool:
    marks = (
        "ciphertext verification failed",
        "invalid data",
        "does not match",
        "is damaged",
        "not found in index",
    )
    return any(one in text for one in marks)


def _reason(done: Ended) -> str:
    """The line that says most."""
    telling = [one for one in done.said if not one.lower().startswith(_CHATTER)]
    line = next(iter(telling or done.said), f"restic ended with {done.code}")
    return line.removeprefix("Fatal: ")
