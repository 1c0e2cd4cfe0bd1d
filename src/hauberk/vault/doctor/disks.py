"""Where a folder lies: on what kind of file system, encrypted or not, with how much room.

Encryption is seen where this machine does it: dm-crypt (LUKS) anywhere below the file system, or a file system
that encrypts itself. A disk that encrypts, or a host below this machine, cannot be seen from here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hauberk.core.files import machine_errors
from hauberk.vault.doctor.finding import Finding

NETWORK = ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse.s3fs", "fuse.rclone")
_ENCRYPTING = ("ecryptfs", "fuse.gocryptfs", "fuse.encfs", "fuse.cryfs")
_MEMORY = ("tmpfs", "ramfs")
_LEAST_BYTES = 256 << 20
_LEAST_SHARE = 0.1
_WHY_ENCRYPTED = "the key file and the database's names lie there in the clear; who gets the disk reads them"
_WHY_ROOM = "a full disk stops pushes, the audit trail, and with it every access"
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Machine:
    """Where the kernel tells of itself; a test has its own."""

    proc: Path = Path("/proc")
    sys: Path = Path("/sys")


@dataclass(frozen=True)
class Mount:
    """One line of the kernel's table.

    Args:
        device: ``MAJOR:MINOR``.
        folder: where it is mounted.
        kind: of file system.
        source: what is mounted, often a device's path.
    """

    device: str
    folder: Path
    kind: str
    source: str


def mount_of(path: Path, machine: Machine) -> Mount:
    """The mount that a path lies on: the last one of those whose folder holds it most closely."""
    lines = (machine.proc / "self" / "mountinfo").read_text().splitlines()
    resolved = path.resolve()
    found = [one for one in map(_mount, lines) if resolved.is_relative_to(one.folder)]
    return max(reversed(found), key=lambda one: len(one.folder.parts))


def look(folder: Path, machine: Machine) -> Iterator[Finding]:
    """All about the file system of a folder."""
    mount = mount_of(folder, machine)
    yield _encryption(folder, mount, machine)
    if mount.kind in _MEMORY:
        yield Finding(
            "fail", "file-system", str(folder), f"{mount.kind}: it lies in memory",
            "what is acknowledged must outlive the machine", "choose a folder on a disk",
        )  # fmt: skip
    elif mount.kind in NETWORK:
        found, todo = f"{mount.kind}: it lies on another machine", "use a local disk, PostgreSQL or a store"
        why = "fsync and locks are only as good as that machine's"
        yield Finding("warn", "file-system", str(folder), found, why, todo)
    else:
        yield Finding("ok", "file-system", str(folder), mount.kind, "fsync and locks are the kernel's own")
    yield _room(folder)


def swap(machine: Machine) -> Finding:
    """Whether memory that is written to disk is encrypted there."""
    why = "keys are in memory while they are used, and memory may be written there"
    lines = (machine.proc / "swaps").read_text().splitlines()[1:]
    for line in lines:
        source = line.split()[0]
        if "zram" in source or _is_crypt(_device_of(source), machine):
            continue
        return Finding(
            "warn", "swap", source, "no encryption is seen", why,
            "encrypt it (crypttab with a random key), or swapoff",
        )  # fmt: skip
    return Finding("ok", "swap", "swap", "encrypted" if lines else "none", why)


def _encryption(folder: Path, mount: Mount, machine: Machine) -> Finding:
    name, place = "disk-encryption", str(folder)
    device = mount.device if not mount.device.startswith("0:") else _device_of(mount.source)
    if mount.kind in _ENCRYPTING:
        return Finding("ok", name, place, f"{mount.kind} encrypts it", _WHY_ENCRYPTED)
    if _is_crypt(device, machine):
        return Finding("ok", name, place, f"{mount.source} lies on dm-crypt", _WHY_ENCRYPTED)
    return Finding(
        "warn", name, place, f"no encryption is seen under {mount.kind} on {mount.source}", _WHY_ENCRYPTED,
        "put it on LUKS (cryptsetup luksFormat), or make sure that the disk or the host encrypts",
    )  # fmt: skip


def _is_crypt(device: str | None, machine: Machine) -> bool:
    """Whether a device or every device that it is made of is dm-crypt."""
    if device is None:
        return False
    folder = machine.sys / "dev" / "block" / device
    uuid = folder / "dm" / "uuid"
    if uuid.exists() and uuid.read_text().startswith("CRYPT-"):
        return True
    below = list((folder / "slaves").iterdir()) if (folder / "slaves").is_dir() else []
    return bool(below) and all(_is_crypt((one / "dev").read_text().strip(), machine) for one in below)


def _device_of(source: str) -> str | None:
    try:
        facts = os.stat(source)
    except OSError:
        return None
    return f"{os.major(facts.st_rdev)}:{os.minor(facts.st_rdev)}" if facts.st_rdev else None


def _room(folder: Path) -> Finding:
    with machine_errors("look into", folder):
        facts = os.statvfs(folder)
    free, total = facts.f_bavail * facts.f_frsize, max(1, facts.f_blocks * facts.f_frsize)
    found, todo = f"{free / 1e9:.1f} GB of {total / 1e9:.1f} GB are free", "free some, or move to a larger disk"
    if free < _LEAST_BYTES:
        return Finding("fail", "free-space", str(folder), found, _WHY_ROOM, todo)
    if free < _LEAST_SHARE * total:
        return Finding("warn", "free-space", str(folder), found, _WHY_ROOM, todo)
    return Finding("ok", "free-space", str(folder), found, _WHY_ROOM)


def _mount(line: str) -> Mount:
    """A line of mountinfo: fixed fields, optional ones, a dash, and three more."""
    first, _, last = line.partition(" - ")
    fields, (kind, source, *_) = first.split(), last.split()
    folder = _OCTAL.sub(lambda found: chr(int(found[1], 8)), fields[4])
    return Mount(fields[2], Path(folder), kind, source)
