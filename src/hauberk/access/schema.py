"""The tables of access, in the vault's database.

access_state        one row: the epoch, which every change of who may do what raises; the newest line
access_identities   people and services
access_links        under which names other authorities know them: token subjects, names in certificates
access_keys         API keys: a digest, scopes, and how long they are good
access_passwords    Argon2id texts, encrypted
access_factors      secrets of second factors, encrypted, and the last time step that was used
access_recovery     digests of recovery codes
access_roles        roles of the user's own; the built-in ones stand in the code
access_rules        what such a role permits or forbids
access_grants       roles and actions that identities were granted or denied
access_failures     failed attempts to enter, by identity and by address
access_sessions     who is signed in to the console, by a digest of the cookie
access_trail        the lines of the audit trail
access_batches      which lines the ledger covers

Times are POSIX milliseconds.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, LargeBinary, SmallInteger, Table, Text

from hauberk.vault.schema import metadata

state = Table(
    "access_state",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),  # of the trail's newest line; 0 before the first
    Column("hash", LargeBinary, nullable=False),  # after that line; empty before the first
    Column("first", BigInteger, nullable=False),  # number of the oldest line that was kept
    Column("before", LargeBinary, nullable=False),  # the hash before that line; empty where it is line 1
)

identities = Table(
    "access_identities",
    metadata,
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # person, service
    Column("disabled", Boolean, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)

links = Table(
    "access_links",
    metadata,
    Column("authority", Text, primary_key=True),  # an issuer's URL, or "certificate"
    Column("subject", Text, primary_key=True),
    Column("identity", ForeignKey(identities.c.name), nullable=False, index=True),
)

keys = Table(
    "access_keys",
    metadata,
    Column("id", Text, primary_key=True),  # the part of the key that is no secret
    Column("identity", ForeignKey(identities.c.name), nullable=False, index=True),
    Column("digest", LargeBinary, nullable=False),
    Column("scopes", Text, nullable=False),  # one ACTION:PATTERN a line; empty for all that its owner may
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    Column("successor", Text),  # the key that replaced it
)

passwords = Table(
    "access_passwords",
    metadata,
    Column("identity", ForeignKey(identities.c.name), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

factors = Table(
    "access_factors",
    metadata,
    Column("identity", ForeignKey(identities.c.name), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("last_step", BigInteger, nullable=False),
)

recovery = Table(
    "access_recovery",
    metadata,
    Column("identity", ForeignKey(identities.c.name), primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
)

roles = Table(
    "access_roles",
    metadata,
    Column("name", Text, primary_key=True),
)

rules = Table(
    "access_rules",
    metadata,
    Column("role", ForeignKey(roles.c.name), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("effect", Text, nullable=False),  # allow, deny
    Column("action", Text, nullable=False),
    Column("pattern", Text, nullable=False),
)

grants = Table(
    "access_grants",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("identity", ForeignKey(identities.c.name), nullable=False, index=True),
    Column("effect", Text, nullable=False),
    Column("what", Text, nullable=False),  # a role, or an action
    Column("pattern", Text, nullable=False),
    sqlite_autoincrement=True,  # a removed grant's number, which the trail names, is not given again
)

failures = Table(
    "access_failures",
    metadata,
    Column("whom", Text, primary_key=True),  # a digest of "identity NAME" or "address ADDRESS"
    Column("failed", Integer, nullable=False),
    Column("last_ms", BigInteger, nullable=False, index=True),
    Column("until_ms", BigInteger, nullable=False),
)

sessions = Table(
    "access_sessions",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("identity", ForeignKey(identities.c.name), nullable=False, index=True),
    Column("how", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
)

trail = Table(
    "access_trail",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("time_ms", BigInteger, nullable=False, index=True),
    Column("request", Text, nullable=False),
    Column("who", Text, nullable=False, index=True),
    Column("how", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("model", Text, nullable=False, index=True),
    Column("version", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("allowed", Boolean, nullable=False),
    Column("why", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

batches = Table(
    "access_batches",
    metadata,
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
    Column("time_ms", BigInteger, nullable=False),  # when it was put in the ledger
    Column("entry", BigInteger, nullable=False),
)
