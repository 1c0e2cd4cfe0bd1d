"""The tables of a ledger, the same in SQLite and PostgreSQL.

ledger_log            one row: the version of these tables, the public key, the size and the newest checkpoint
ledger_entries        the entries, with the first 8 bytes of each leaf hash to find an entry again
ledger_tiles          the tree's hashes, 256 to a row; only the rows at the right edge ever change
ledger_subjects       which entries speak of which model, by the first 8 bytes of a hash of its digest
ledger_openings       salts and facts behind salted digests: not part of the log, and may be erased
ledger_heads          earlier checkpoints that witnesses cosigned
ledger_cosignatures   their cosignatures, one for each witness and checkpoint
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, SmallInteger, Table, Text

VERSION = 1

metadata = MetaData()

log = Table(
    "ledger_log",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("verifier", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("head", LargeBinary, nullable=False),
    Column("signed_ms", BigInteger, nullable=False),  # POSIX milliseconds; never falls
)

entries = Table(
    "ledger_entries",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("fingerprint", BigInteger, nullable=False, index=True),
    Column("data", LargeBinary, nullable=False),
)

tiles = Table(
    "ledger_tiles",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)

subjects = Table(
    "ledger_subjects",
    metadata,
    Column("subject", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

openings = Table(
    "ledger_openings",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("salt", LargeBinary, nullable=False),
    Column("fact", Text, nullable=False),  # JSON
    Column("identity", LargeBinary, index=True),  # what the entry says with its facts; null once one is erased
)

heads = Table(
    "ledger_heads",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("head", LargeBinary, nullable=False),
)

cosignatures = Table(
    "ledger_cosignatures",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("key_id", LargeBinary, primary_key=True),
    Column("signature", LargeBinary, nullable=False),
)
