"""Whether a version is one that an advisory means, and which one is not any more.

Source: OSV schema, "Evaluation": a version is affected if it is listed, or if the last event at or before it in
a range begins the range. Versions are ordered by PEP 440.

Builds are compared without their local part: ``2.6.0+cpu`` is ``2.6.0`` for an advisory, else "last affected:
2.6.0" would not mean the builds that most people have. Where an event itself has a local part
(``1.0+patched.2``), it counts.
"""

from __future__ import annotations

from packaging.version import InvalidVersion, Version

from hauberk.assurance.environment.advisories import Affected, Range

_ORDER = ("fixed", "introduced", "last_affected", "limit")
_BEFORE_ALL = "0"  # the schema's word for "earlier than every version", dev releases too


def is_affected(version: Version, affected: Affected) -> bool:
    """Whether this version is meant.

    What cannot be read as a version of PEP 440 among the events makes the range count for every version: an
    advisory that cannot be read is not taken for an all-clear.
    """
    return _listed(version, affected.versions) or any(_inside(version, one) for one in affected.ranges)


def fixes(version: Version, affected: Affected) -> list[Version]:
    """Versions after this one that an advisory calls fixed, and does not mean by another range."""
    named = [_version(text) for one in affected.ranges for kind, text in one.events if kind == "fixed"]
    return sorted(one for one in named if one is not None and one > version and not is_affected(one, affected))


def _listed(version: Version, versions: tuple[str, ...]) -> bool:
    for text in versions:
        one = _version(text)
        if one is not None and _as(version, one) == one:
            return True
    return False


def _inside(version: Version, span: Range) -> bool:
    events = [(kind, text, _version(text)) for kind, text in span.events]
    if any(one is None and text != "*" for _, text, one in events):
        return True
    if not _before_limits(version, events):
        return False
    inside = False
    for kind, text, one in sorted(events, key=_place):
        if one is None or kind == "limit":
            continue
        own = _as(version, one)
        if kind == "introduced" and (text == _BEFORE_ALL or own >= one):
            inside = True
        elif (kind == "fixed" and own >= one) or (kind == "last_affected" and own > one):
            inside = False
    return inside


def _before_limits(version: Version, events: list[tuple[str, str, Version | None]]) -> bool:
    limits = [one for kind, _, one in events if kind == "limit"]
    return not limits or any(one is None or _as(version, one) < one for one in limits)


def _place(event: tuple[str, str, Version | None]) -> tuple[bool, Version, int]:
    """By version; at one version: fixed there and introduced again, introduced there and last there."""
    kind, text, version = event
    return text != _BEFORE_ALL, version or Version("0"), _ORDER.index(kind)


def _as(version: Version, other: Version) -> Version:
    return version if other.local else Version(version.public)


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None
