"""One person or service: grants, API keys, password, second factor, sessions; and what changes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

from markupsafe import Markup

from hauberk.access import accounts, granting, identities, key_store
from hauberk.access.granting import Grant
from hauberk.access.identities import Identity
from hauberk.access.key_store import KeyRecord
from hauberk.access.keys import ApiKey, is_id
from hauberk.access.sessions import Session
from hauberk.access.words import ACTIONS, Effect, Rule
from hauberk.core.errors import ConfigError
from hauberk.serving.console import qr
from hauberk.serving.console.pages import Act, Asked, Done, Form, Missing, Page, Shown
from hauberk.serving.console.viewer import Viewer

LIFETIMES_D = (30, 90, 365)
OVERLAPS_H = (0, 1, 24, 168)


@dataclass(frozen=True)
class Key:
    """One API key; its secret is nowhere.

    Args:
        refusal: why it is worth nothing, or None.
    """

    record: KeyRecord
    refusal: str | None


@dataclass(frozen=True)
class Person:
    """Args:
    manages: whether the viewer may change something.
    own: whether he looks at himself.
    """

    identity: Identity
    grants: tuple[Grant, ...]
    keys: tuple[Key, ...]
    sessions: tuple[Session, ...]
    password: bool
    factor: bool
    manages: bool
    own: bool
    roles: tuple[str, ...]
    actions: tuple[str, ...] = ACTIONS
    lifetimes: tuple[int, ...] = LIFETIMES_D
    overlaps: tuple[int, ...] = OVERLAPS_H


@dataclass(frozen=True)
class NewKey:
    """A key that was just made; this view of it is the only one.

    Args:
        before: the key that it follows, and which stays good for a while.
    """

    owner: str
    key: ApiKey = field(repr=False)
    before: str | None = None


@dataclass(frozen=True)
class NewFactor:
    """A second factor that was just made; this view of it is the only one.

    Args:
        code: the address as a QR code.
        secret: the same for whoever types it.
    """

    owner: str
    code: Markup = field(repr=False)
    secret: str = field(repr=False)
    recovery: tuple[str, ...] = field(repr=False)


def _view(viewer: Viewer, asked: Asked) -> Person:
    database, name = viewer.vault.database, asked.path["name"]
    try:
        identity = identities.one(database, name)
    except ConfigError:
        raise Missing from None
    passwords, factors = accounts.having(database)
    keys = key_store.listed(database, name)
    return Person(
        identity,
        tuple(one for one in granting.all_grants(database) if one.identity == name),
        tuple(Key(one, one.refusal(viewer.now_ms)) for one in reversed(keys)),
        tuple(viewer.inside.sessions.of(name)),
        name in passwords,
        name in factors,
        viewer.may("access.manage"),
        viewer.name == name,
        tuple(granting.all_roles(database)),
    )


def _rule(form: Form) -> tuple[str, str, Effect]:
    """What a form grants or denies, on which models, and which of the two."""
    return form["what"], form["pattern"] or "*", "deny" if form["effect"] == "deny" else "allow"


def _grant(viewer: Viewer, asked: Asked, form: Form) -> Done:
    what, pattern, effect = _rule(form)
    granting.grant(viewer.vault.database, what, asked.path["name"], pattern, effect)
    return Done("granted")


def _take_back(viewer: Viewer, asked: Asked, form: Form) -> Done:
    what, pattern, effect = _rule(form)
    granting.take_back(viewer.vault.database, what, asked.path["name"], pattern, effect)
    return Done("taken_back")


def _new_key(viewer: Viewer, asked: Asked, form: Form) -> Shown:
    scopes = [Rule.parse("allow", one) for one in form["scopes"].split()]
    lifetime = timedelta(days=_one_of(form["days"], LIFETIMES_D)) if form["days"] else None
    made = key_store.new(
        viewer.vault.database, asked.path["name"], scopes=scopes, lifetime=lifetime, clock=viewer.vault.clock
    )
    return Shown("new_key", NewKey(asked.path["name"], made))


def _rotate_key(viewer: Viewer, asked: Asked, form: Form) -> Shown:
    _own_key(viewer, asked, form)
    overlap = timedelta(hours=_one_of(form["hours"], OVERLAPS_H))
    made = key_store.rotate(viewer.vault.database, form["key"], overlap=overlap, clock=viewer.vault.clock)
    return Shown("new_key", NewKey(asked.path["name"], made, form["key"]))


def _revoke_key(viewer: Viewer, asked: Asked, form: Form) -> Done:
    _own_key(viewer, asked, form)
    key_store.revoke(viewer.vault.database, form["key"], clock=viewer.vault.clock)
    return Done("key_revoked")


def _own_key(viewer: Viewer, asked: Asked, form: Form) -> None:
    """A page changes the keys of whom it shows."""
    if all(one.id != form["key"] for one in key_store.listed(viewer.vault.database, asked.path["name"])):
        raise ConfigError(f"'{asked.path['name']}' has no such key")


def _one_of(text: str, known: tuple[int, ...]) -> int:
    if text not in map(str, known):
        raise ConfigError("choose one of the spans that are offered")
    return int(text)


def _set_password(viewer: Viewer, asked: Asked, form: Form) -> Done:
    if form.secret("password") != form.secret("again"):
        raise ConfigError("the two passwords differ")
    viewer.inside.access.accounts.set_password(asked.path["name"], form.secret("password"))
    return Done("password_set")


def _set_up_factor(viewer: Viewer, asked: Asked, _form: Form) -> Shown:
    made = viewer.inside.access.accounts.enrol(asked.path["name"])
    secret = parse_qs(urlsplit(made.address).query)["secret"][0]
    return Shown("new_factor", NewFactor(asked.path["name"], qr.drawn(made.address), secret, made.recovery))


def _drop_factor(viewer: Viewer, asked: Asked, _form: Form) -> Done:
    viewer.inside.access.accounts.drop_factor(asked.path["name"])
    return Done("factor_dropped")


def _end_sessions(viewer: Viewer, asked: Asked, _form: Form) -> Done:
    viewer.inside.sessions.end_all(asked.path["name"])
    return Done("sessions_ended")


def _disable(viewer: Viewer, asked: Asked, _form: Form) -> Done:
    identities.set_disabled(viewer.vault.database, asked.path["name"], True)
    return Done("disabled")


def _enable(viewer: Viewer, asked: Asked, _form: Form) -> Done:
    identities.set_disabled(viewer.vault.database, asked.path["name"], False)
    return Done("enabled")


def _id(form: Form) -> str:
    """For the trail: a whole key that is given by mistake must not come into it."""
    return form["key"] if is_id(form["key"]) else "(no id)"


def _granted(word: str, joined: str, asked: Asked, form: Form) -> str:
    what, pattern, effect = _rule(form)
    denied = " (denied)" if effect == "deny" else ""
    return f"{word} {what} {joined} {asked.path['name']} on {pattern}{denied}"


PAGE = Page(
    name="person",
    path="/access/people/{name}",
    view=_view,
    action="access.view",
    under="access",
    detail=lambda asked: f"show {asked.path['name']}",
    acts={
        "grant": Act(_grant, "access.manage", lambda asked, form: _granted("grant", "to", asked, form)),
        "take-back": Act(
            _take_back, "access.manage", lambda asked, form: _granted("take back", "from", asked, form)
        ),
        "new-key": Act(_new_key, "access.manage", lambda asked, _: f"make a key for {asked.path['name']}"),
        "rotate-key": Act(_rotate_key, "access.manage", lambda _, form: f"rotate key {_id(form)}"),
        "revoke-key": Act(_revoke_key, "access.manage", lambda _, form: f"revoke key {_id(form)}"),
        "password": Act(
            _set_password, "access.manage", lambda asked, _: f"set the password of {asked.path['name']}"
        ),
        "factor": Act(
            _set_up_factor,
            "access.manage",
            lambda asked, _: f"set up the second factor of {asked.path['name']}",
        ),
        "drop-factor": Act(
            _drop_factor, "access.manage", lambda asked, _: f"drop the second factor of {asked.path['name']}"
        ),
        "end-sessions": Act(_end_sessions, "access.manage", lambda asked, _: f"sign out {asked.path['name']}"),
        "disable": Act(_disable, "access.manage", lambda asked, _: f"disable {asked.path['name']}"),
        "enable": Act(_enable, "access.manage", lambda asked, _: f"enable {asked.path['name']}"),
    },
)
