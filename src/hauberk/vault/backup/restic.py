"""The engine: restic, through its command line.

A repository holds snapshots; what several have in common is stored once. All of it is encrypted under a key
that a password opens (scrypt, AES-256 in counter mode, Poly1305), and every file but one is named by its
SHA-256. The password lies in a file of its owner alone and is never an argument.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hauberk.core.errors import ConfigError
from hauberk.vault.backup.addresses import Address
from hauberk.vault.backup.hashing import check_names
from hauberk.vault.backup.password import check_password_file
from hauberk.vault.backup.programs import Ended, run
from hauberk.vault.backup.restic_said import failure, locked
from hauberk.vault.backup.retention import Retention

TAG = "hauberk-backup"
_ID_DIGITS = 8


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
        check_password_file(password_file)
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
            raise failure(done, "use", self.address.written)

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
            raise failure(done, "write to", self.address.written)
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
            raise failure(done, "read", self.address.written)
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
            raise failure(done, "restore from", self.address.written, damaged=True)

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
            raise failure(done, "check", self.address.written, damaged=True)

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
            raise failure(done, "prune", self.address.written)
        line = next((one for one in done.out.splitlines() if one.startswith("[")), "[]")
        return sum(len(group["remove"] or []) for group in json.loads(line))

    def _check_structure(self, *options: str) -> None:
        """Whether all is there that snapshots need; reading a file that is lost would be tried for a quarter of
        an hour."""
        done = self._command(["check", *options])
        if done.code:
            raise failure(done, "check", self.address.written, damaged=True)

    def _command(self, arguments: Sequence[object], folder: Path | None = None) -> Ended:
        """Run, and once more where only the lock of a process that is no more stood in the way."""
        done = self._run(arguments, folder)
        if locked(done):
            self._run(["unlock"])  # removes those alone whose process is gone
            done = self._run(arguments, folder)
        return done

    def _run(self, arguments: Sequence[object], folder: Path | None = None) -> Ended:
        own: list[object] = ["--repo", self.address.restic, "--password-file", self._password]
        if self.address.folder is not None and "--no-cache" not in arguments:
            own.append("--no-cache")  # a folder is as near as a cache would be
        return run("restic", [*own, *arguments], package="restic", folder=folder)
