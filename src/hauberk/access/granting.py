"""Roles of the user's own, and what identities were granted or denied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, insert, select

from hauberk.access import schema
from hauberk.access.cedar import Named
from hauberk.access.changes import changing, identity_row
from hauberk.access.roles import BUILT_IN
from hauberk.access.words import ANY, Effect, Rule, check_pattern, check_role, expand
from hauberk.core.database import Database
from hauberk.core.errors import ConfigError, check_known

_GRANTS = select(schema.grants).order_by(schema.grants.c.id)
_RULES = select(schema.rules).order_by(schema.rules.c.role, schema.rules.c.number)
# made once: putting a statement together takes longer than SQLite takes to answer it
_GRANTED = _GRANTS.where(schema.grants.c.identity == bindparam("name"))
_RULES_OF = _RULES.where(schema.rules.c.role.in_(bindparam("names", expanding=True)))


@dataclass(frozen=True)
class Grant:
    """A role or an action that an identity was granted or denied.

    Args:
        what: a role, or an action, of which the one has no full stop and the other has.
        pattern: for which models and versions.
    """

    id: int
    identity: str
    effect: Effect
    what: str
    pattern: str

    def rules(self, own: Sequence[Rule]) -> list[Named]:
        """What it comes to.

        Args:
            own: the rules of its role.

        To deny a role is to deny all that it allows; what it denies itself stays as it is.
        """
        if is_action(self.what):
            return [Named(f"grant {self.id}", Rule(self.effect, self.what, self.pattern))]
        named = [
            Named(f"grant {self.id}: {self.what} {number}", one, self.pattern)
            for number, one in enumerate(own, 1)
        ]
        if self.effect == "allow":
            return named
        return [
            Named(one.name, Rule("deny", one.rule.action, one.rule.pattern), one.within)
            for one in named
            if one.rule.effect == "allow"
        ]


def is_action(what: str) -> bool:
    """Whether a grant speaks of an action; otherwise it is of a role."""
    return "." in what or what == ANY


def set_role(database: Database, name: str, rules: Sequence[Rule]) -> None:
    """Make a role, or replace all rules of one.

    Raises:
        ConfigError: no name for a role, a built-in one, or no rules.
    """
    check_role(name)
    if name in BUILT_IN:
        raise ConfigError(f"'{name}' is built in and stays as it is", hint="make a role of another name")
    if not rules:
        raise ConfigError(f"role '{name}' needs a rule", hint="--allow ACTION or --allow ACTION:PATTERN")
    with changing(database) as connection:
        known = connection.execute(select(schema.roles.c.name).where(schema.roles.c.name == name)).first()
        if known is None:
            connection.execute(insert(schema.roles).values(name=name))
        connection.execute(delete(schema.rules).where(schema.rules.c.role == name))
        rows = [
            {"role": name, "number": number, "effect": one.effect, "action": one.action, "pattern": one.pattern}
            for number, one in enumerate(rules, 1)
        ]
        connection.execute(insert(schema.rules), rows)


def all_roles(database: Database) -> dict[str, tuple[Rule, ...]]:
    """Built-in roles and the user's own, with their rules."""
    with database.read() as connection:
        return {**BUILT_IN, **own_roles(connection)}


def own_roles(connection: Connection, names: Sequence[str] | None = None) -> dict[str, tuple[Rule, ...]]:
    """The user's own roles of these names, or all."""
    rows = connection.execute(_RULES) if names is None else connection.execute(_RULES_OF, {"names": names})
    found: dict[str, tuple[Rule, ...]] = {}
    for one in rows:
        found[one.role] = (*found.get(one.role, ()), Rule(one.effect, one.action, one.pattern))
    return found


def grant(database: Database, what: str, identity: str, pattern: str = ANY, effect: Effect = "allow") -> Grant:
    """Give, or deny, a role or an action to an identity; a grant that is there already is given again.

    Raises:
        ConfigError: no such role, action or identity, or no pattern.
    """
    check_pattern(pattern)
    table = schema.grants
    with changing(database) as connection:
        identity_row(connection, identity)
        if is_action(what):
            expand(what)
        else:
            check_known([what], {**BUILT_IN, **own_roles(connection)}, what="role", where="a grant")
        values = {"identity": identity, "effect": effect, "what": what, "pattern": pattern}
        for one in granted(connection, identity):
            if (one.effect, one.what, one.pattern) == (effect, what, pattern):
                return one
        number = connection.execute(insert(table).values(values).returning(table.c.id)).scalar_one()
    return Grant(number, identity, effect, what, pattern)


def take_back(
    database: Database, what: str, identity: str, pattern: str = ANY, effect: Effect = "allow"
) -> Grant:
    """Undo ``grant`` with the same arguments.

    Raises:
        ConfigError: there is no such identity, or no such grant to it.
    """
    with changing(database) as connection:
        identity_row(connection, identity)
        for one in granted(connection, identity):
            if (one.effect, one.what, one.pattern) == (effect, what, pattern):
                connection.execute(delete(schema.grants).where(schema.grants.c.id == one.id))
                return one
    said = "denied" if effect == "deny" else "granted"
    raise ConfigError(
        f"'{identity}' was not {said} {what} on {pattern}", hint=f"hauberk access user show {identity}"
    )


def all_grants(database: Database) -> list[Grant]:
    """All grants, oldest first."""
    with database.read() as connection:
        return [Grant(**one._mapping) for one in connection.execute(_GRANTS)]


def granted(connection: Connection, identity: str) -> list[Grant]:
    """One identity's grants, oldest first."""
    return [Grant(*one) for one in connection.execute(_GRANTED, {"name": identity})]
