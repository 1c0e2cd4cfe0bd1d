"""Where what a finding is about lies, as the URI that SARIF's readers look for in a checkout.

A path below the working folder is written relative to it, as code hosts expect of paths in their repositories;
any other is an absolute ``file:`` URI, and a server is its own address.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from hauberk.assurance.finding import Finding, Subject
from hauberk.assurance.target import Target

_URI = ":/?#[]@!$&'()*+,;=%"  # what has a meaning in an address that somebody wrote


@dataclass(frozen=True)
class Places:
    """URIs of one target.

    Args:
        whole: of the target.
        parts: of what lies within it, by subject.
        files: of the lock files, by their path.
    """

    whole: str
    parts: dict[tuple[str, str], str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def of(self, one: Finding) -> str:
        """Of a finding; of one about nothing that has a place of its own, the target's."""
        named = self.parts.get((one.subject.kind, one.subject.name))
        if named is None:
            # a flawed package stands in the lock file that asks for it, as far as one does
            sources = one.figures.get("sources", ())
            named = next((self.files[source] for source in sources if source in self.files), None)
        return named or self.whole


def places_of(target: Target, *, base: Path | None = None) -> Places:
    """The places of a target's parts.

    Args:
        base: the folder that paths are told from [default: the working folder].
    """
    base = Path.cwd() if base is None else base
    if target.kind == "deployment":
        return Places(quote(target.place, safe=_URI))
    parts = {}
    for model in target.models:
        if not model.vault_version:  # what lies in a vault has no path of its own
            parts[_key(model.subject)] = uri_of(model.place, base)
    found = target.environment
    locks = () if found is None else found.locks
    files = {one: uri_of(one, base) for one in locks}
    parts |= {("environment", one): uri for one, uri in files.items()}
    if found is not None and found.files is not None:
        exposed = (one.file for one in found.files.exposed)
        parts |= {("environment", one): uri_of(os.path.join(target.place, one), base) for one in exposed}
    return Places(uri_of(target.place, base), parts, files)


def uri_of(path: str | Path, base: Path) -> str:
    """A path as a URI reference (RFC 3986): relative where it lies below ``base``, else ``file:``."""
    # not resolved: a link in a checkout is known to its host by its own name
    whole = Path(os.path.normpath(base / path))
    if not whole.is_relative_to(base) and whole.resolve().is_relative_to(base.resolve()):
        whole, base = whole.resolve(), base.resolve()
    if not whole.is_relative_to(base):
        return whole.as_uri()
    return quote(os.fsencode(whole.relative_to(base).as_posix()))


def _key(subject: Subject) -> tuple[str, str]:
    return subject.kind, subject.name
