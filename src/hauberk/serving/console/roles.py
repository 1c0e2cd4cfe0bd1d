"""Roles: the built-in ones and those of the user's own."""

from __future__ import annotations

from dataclasses import dataclass

from hauberk.access import granting
from hauberk.access.roles import BUILT_IN
from hauberk.access.words import ACTIONS, Rule
from hauberk.core.errors import ConfigError
from hauberk.serving.console.pages import Act, Asked, Done, Form, Page
from hauberk.serving.console.viewer import Viewer


@dataclass(frozen=True)
class Role:
    """Args:
    holders: who was granted it, by name.
    """

    name: str
    rules: tuple[Rule, ...]
    built_in: bool
    holders: tuple[str, ...]


@dataclass(frozen=True)
class Roles:
    """Those of the user's own first."""

    roles: tuple[Role, ...]
    manages: bool
    actions: tuple[str, ...] = ACTIONS


def _view(viewer: Viewer, _asked: Asked) -> Roles:
    database = viewer.vault.database
    grants = granting.all_grants(database)
    found = [
        Role(
            name,
            rules,
            name in BUILT_IN,
            tuple(dict.fromkeys(one.identity for one in grants if one.what == name and one.effect == "allow")),
        )
        for name, rules in granting.all_roles(database).items()
    ]
    return Roles(tuple(sorted(found, key=lambda one: one.built_in)), viewer.may("access.manage"))


def _set(viewer: Viewer, _asked: Asked, form: Form) -> Done:
    granting.set_role(viewer.vault.database, form["name"], rules(form["rules"]))
    return Done("role_set")


def rules(text: str) -> list[Rule]:
    """``allow ACTION:PATTERN`` or ``deny ACTION:PATTERN``, one a line.

    Raises:
        ConfigError: a line says something else.
    """
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        effect, _, rest = line.partition(" ")
        if effect not in ("allow", "deny") or not rest:
            raise ConfigError(
                f"{line[:80]!r} is no rule", hint="allow ACTION:PATTERN, or deny ACTION:PATTERN, one a line"
            )
        found.append(Rule.parse(effect, rest.strip()))  # type: ignore[arg-type]  # one of the two
    return found


PAGE = Page(
    name="roles",
    path="/access/roles",
    view=_view,
    action="access.view",
    under="access",
    detail=lambda _asked: "list roles",
    acts={"set": Act(_set, "access.manage", lambda _asked, form: f"set role {form['name']}")},
)
