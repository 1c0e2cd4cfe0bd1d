"""Access: everybody whom the vault knows, with what they may do and how they are recognised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hauberk.access import accounts, granting, identities, key_store
from hauberk.access.granting import Grant
from hauberk.access.key_store import KeyRecord
from hauberk.serving.console.pages import Act, Asked, Concern, Done, Form, Page
from hauberk.serving.console.viewer import Viewer

_SOON_MS = 14 * 24 * 3_600_000


@dataclass(frozen=True)
class Known:
    """Somebody, in a list.

    Args:
        password, factor: whether there is one.
        keys: how many of them are good.
    """

    name: str
    kind: str
    disabled: bool
    grants: tuple[Grant, ...]
    password: bool
    factor: bool
    keys: int


@dataclass(frozen=True)
class People:
    """Args:
    manages: whether the viewer may change something.
    """

    people: tuple[Known, ...]
    services: tuple[Known, ...]
    manages: bool


def known(viewer: Viewer) -> tuple[Known, ...]:
    """All identities, by name."""
    database = viewer.vault.database
    passwords, factors = accounts.having(database)
    grants = granting.all_grants(database)
    keys = [one for one in key_store.listed(database) if one.refusal(viewer.now_ms) is None]
    return tuple(
        Known(
            one.name,
            one.kind,
            one.disabled,
            tuple(grant for grant in grants if grant.identity == one.name),
            one.name in passwords,
            one.name in factors,
            sum(key.identity == one.name for key in keys),
        )
        for one in identities.everybody(database)
    )


def _view(viewer: Viewer, _asked: Asked) -> People:
    found = known(viewer)
    people = tuple(one for one in found if one.kind == "person")
    services = tuple(one for one in found if one.kind == "service")
    return People(people, services, viewer.may("access.manage"))


def _add(viewer: Viewer, _asked: Asked, form: Form) -> Done:
    made = identities.add(viewer.vault.database, form["name"], form["kind"])  # type: ignore[arg-type]
    return Done("added", f"/access/people/{made.name}")


def _concerns(viewer: Viewer) -> Sequence[Concern]:
    found = []
    present = viewer.now_ms
    keys = key_store.listed(viewer.vault.database)
    for key in keys:
        if key.refusal(present) is None and key.successor is None and _ends_soon(key, present):
            values = {"key": key.id, "name": key.identity, "count": _days(key, present)}
            found.append(Concern("warn", "access.key_ends", f"/access/people/{key.identity}", values))
    endless = sum(one.refusal(present) is None and one.expires_ms is None for one in keys)
    if endless:
        found.append(Concern("note", "access.endless", "/access/keys", {"count": endless}))
    for one in known(viewer):
        if one.password and not one.factor and not one.disabled:
            found.append(Concern("warn", "access.no_factor", f"/access/people/{one.name}", {"name": one.name}))
    return found


def _ends_soon(key: KeyRecord, present: int) -> bool:
    return key.expires_ms is not None and key.expires_ms - present < _SOON_MS


def _days(key: KeyRecord, present: int) -> int:
    return max(1, round(((key.expires_ms or present) - present) / 86_400_000))


PAGE = Page(
    name="access",
    path="/access",
    view=_view,
    action="access.view",
    acts={"add": Act(_add, "access.manage", lambda _asked, form: f"add {form['kind']} {form['name']}")},
    concerns=_concerns,
)
