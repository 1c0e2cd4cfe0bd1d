"""Tar archives: folders of models, and torch files from before 2017."""

from __future__ import annotations

import tarfile

from hauberk.protection.scan.job import Job, Part
from hauberk.protection.scan.paths import leaves_folder
from hauberk.protection.scan.window import Window

_LONGEST = 1 << 24  # bytes that tarfile may ask for at once: long names and the like stand in headers


class _Capped(Window):
    """A window that gives no header by the gigabyte."""

    def read(self, count: int = -1) -> bytes:
        if count > _LONGEST:
            raise tarfile.ReadError(f"a header of {count} bytes")
        return super().read(count)


def look(part: Part, job: Job) -> str:
    """An archive and all that is in it; its kind is ``tar`` or ``torch-tar``."""
    capped = _Capped.over(part.source)
    names: set[str] = set()
    try:
        with tarfile.open(fileobj=capped, mode="r:") as archive:  # type: ignore[call-overload]
            for count, member in enumerate(archive):
                if count >= job.limits.entries:
                    job.find("archive/bomb", part.where, f"more than {job.limits.entries} entries")
                    break
                if member.name in names:
                    where = part.inner(part.source, member.name).where
                    job.find("archive/duplicate", where, "there is another entry of this name")
                names.add(member.name)
                _look_at(member, part, job)
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        job.find("archive/malformed", part.where, f"not a whole archive: {error}")
    if {"sys_info", "pickle", "tensors"} <= names:
        job.find("torch/legacy-tar", part.where, "tensors stand between its pickles in an old form")
        return "torch-tar"
    return "tar"


def _look_at(member: tarfile.TarInfo, part: Part, job: Job) -> None:
    where = part.inner(part.source, member.name).where
    if leaves_folder(member.name):
        job.find("archive/path", where, f"the entry is called {member.name!r}")
    if member.issym() or member.islnk() or member.isdev():
        what = f"a link to {member.linkname!r}" if member.linkname else "a device"
        job.find("archive/link", where, f"the entry is {what}")
        return
    if not member.isfile():
        return
    if member.issparse():
        job.find("archive/bomb", where, f"the entry leaves out zeros and unpacks to {member.size} bytes")
        return
    if member.offset_data + member.size > part.source.size:
        job.find("archive/malformed", where, "the entry is cut short")
    source: Window = part.source.part(member.offset_data, member.size)
    job.inspect(part.inner(source, member.name), job)
