"""Encrypted Parquet: a table whose columns are read by role, in the format that Parquet has for it.

The encryption is Parquet's own (modular encryption, AES-GCM, footer encrypted) as pyarrow does it. What is
added is who gets the keys: each role has a key of its own, and that key stands in the file as an age file for
the role's readers. So plain pyarrow reads it, with a few lines that call any age tool
(docs/encrypted-data.md).
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hauberk.core.errors import (
    ConfigError,
    DataError,
    DependencyMissing,
    HauberkError,
    IntegrityError,
    NoIdentityMatched,
    check_known,
)
from hauberk.core.files import file_aside, refuse_overwrite
from hauberk.crypto import age
from hauberk.crypto.age import header as age_header
from hauberk.crypto.age.passphrase import KIND as PASSPHRASE
from hauberk.crypto.age.payload import NONCE_BYTES, TAG_BYTES, Payload
from hauberk.crypto.age.wrapping import check_recipients
from hauberk.crypto.secret import Secret

FOOTER = "footer"  # the key that opens the list of columns: every role has it
KEY_BITS = 128  # age's level
_ROLE = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


@dataclass(frozen=True)
class Role:
    """Who reads which columns.

    Args:
        columns: by name; of a nested column the outermost.
        readers: whoever may read them.

    Raises:
        ConfigError: a name that cannot be one, no columns, or readers that do not belong together.
    """

    name: str
    columns: tuple[str, ...]
    readers: tuple[age.Recipient, ...]

    def __post_init__(self) -> None:
        if not _ROLE.fullmatch(self.name) or self.name == FOOTER:
            raise ConfigError(f"a role is named by small letters, digits and '-', got '{self.name}'")
        if not self.columns:
            raise ConfigError(f"role {self.name} has no columns")
        if any(one.kind == PASSPHRASE for one in self.readers):
            raise ConfigError("columns are read by keys, not by a passphrase", hint="--recipient KEY.pub")


def seal_table(
    path: str | Path, out: str | Path, roles: Sequence[Role], *, mixed: bool = False, overwrite: bool = False
) -> None:
    """Encrypt every column of a Parquet file for the readers of its role.

    Args:
        mixed: allow hybrid and X25519 readers in one role, which is then no safer than X25519.
        overwrite: replace a file at ``out``.

    Raises:
        ConfigError: a column in no role or in two, or that is not there; readers that do not belong together.
        DataError: no Parquet file, or one with names that the encryption cannot take.
        DependencyMissing: pyarrow is not installed.

    Cost: one pass; memory for one row group.

    Limits: without a key the file tells its size, the number of columns, row groups and readers. Who reads one
    role also learns names and types of all columns and the number of rows. An older version of the file
    in its place is not noticed.
    """
    pa, pq, pe = arrow()
    refuse_overwrite(out, force=overwrite)
    with _plain_errors(pa, Path(path)), pq.ParquetFile(path) as table:
        _check_cover(table.schema_arrow.names, roles)
        everybody = {age.fingerprint(one): one for role in roles for one in role.readers}
        for role in roles:
            check_recipients(role.readers, mixed=mixed)
        check_recipients([*everybody.values()], mixed=mixed)
        readers = {role.name: role.readers for role in roles} | {FOOTER: tuple(everybody.values())}
        leaves = _leaves(pa, pq, table.schema_arrow)
        configuration = pe.EncryptionConfiguration(
            footer_key=FOOTER,
            column_keys={role.name: [leaf for one in role.columns for leaf in leaves[one]] for role in roles},
            double_wrapping=True,
            internal_key_material=True,
            data_key_length_bits=KEY_BITS,
        )
        factory = _factory(pe, wrap=lambda key, name: wrapped(key, readers[name]))
        with file_aside(out) as descriptor, os.fdopen(descriptor, "wb", closefd=False) as file:
            keys = factory.file_encryption_properties(pe.KmsConnectionConfig(), configuration)
            with pq.ParquetWriter(file, table.schema_arrow, encryption_properties=keys) as writer:
                for group in range(table.num_row_groups):
                    writer.write_table(table.read_row_group(group))


class SealedTable:
    """An encrypted Parquet file, of which those columns can be read that the identities open.

    Args:
        path: from ``seal_table``.

    Attributes:
        columns: that can be read, in the table's order.
        withheld: that cannot.
        file: pyarrow's ``ParquetFile``; read it within ``distrusted``.

    Raises:
        DataError: no such file, or one that is not encrypted Parquet.
        NoIdentityMatched: it is sealed for others.
        IntegrityError: it was changed.
        DependencyMissing: pyarrow is not installed.
    """

    def __init__(self, path: str | Path, identities: Sequence[age.Identity]) -> None:
        _pa, pq, pe = arrow()
        self.path = Path(path)
        if not is_encrypted(self.path):
            raise DataError(f"{path} is not an encrypted Parquet file")
        self._refused: list[HauberkError] = []
        self._keys: dict[str, bytes] = {}
        self._factory = _factory(pe, unwrap=lambda text: self._unwrap(text, identities))
        with self.distrusted():
            keys = self._factory.file_decryption_properties(
                pe.KmsConnectionConfig(), pe.DecryptionConfiguration()
            )
            self.file = pq.ParquetFile(self.path, decryption_properties=keys)
        names = list(self.file.schema_arrow.names)
        self.columns = [one for one in names if self._readable(one)]
        self.withheld = [one for one in names if one not in self.columns]

    def batches(self) -> Iterator[Any]:
        """The columns that can be read, one row group after the other, as pyarrow tables."""
        with self.distrusted():
            for group in range(self.file.num_row_groups):
                yield self.file.read_row_group(group, columns=self.columns)

    @contextmanager
    def distrusted(self) -> Iterator[None]:
        """What pyarrow refuses is an ``IntegrityError``, or what the keys were refused with."""
        self._refused.clear()
        try:
            yield
        except Exception as error:
            if self._refused:  # pyarrow may or may not hand on what the keys were refused with
                raise self._refused[0] from error
            if isinstance(error, HauberkError):
                raise
            first = (str(error).splitlines() or ["?"])[0]
            raise IntegrityError(f"{self.path}: it was changed, or cut short ({first})") from error

    def _readable(self, column: str) -> bool:
        if self.file.num_row_groups == 0:
            return True
        try:
            with self.distrusted():
                next(self.file.iter_batches(batch_size=1, row_groups=[0], columns=[column]), None)
        except NoIdentityMatched:
            return False
        return True

    def _unwrap(self, text: str, identities: Sequence[age.Identity]) -> bytes:
        if text not in self._keys:
            try:
                self._keys[text] = unwrapped(text, identities)
            except HauberkError as error:
                self._refused.append(type(error)(f"{self.path}: {error}", hint=error.hint))
                raise
        return self._keys[text]

    def close(self) -> None:
        self.file.close()

    def __enter__(self) -> SealedTable:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_table(
    path: str | Path, identities: Sequence[age.Identity], out: str | Path, *, overwrite: bool = False
) -> tuple[list[str], list[str]]:
    """Write the columns that can be read as plain Parquet.

    Returns:
        Their names, and the names of those that were withheld.

    Raises:
        ConfigError: ``out`` exists.
        DataError, NoIdentityMatched, IntegrityError, DependencyMissing: as ``SealedTable``.
    """
    pa, pq, _pe = arrow()
    refuse_overwrite(out, force=overwrite)
    with SealedTable(path, identities) as table:
        if not table.columns:
            raise NoIdentityMatched(f"{path}: none of the given keys opens a column of it")
        schema = [table.file.schema_arrow.field(one) for one in table.columns]
        with (
            file_aside(out) as descriptor,
            os.fdopen(descriptor, "wb", closefd=False) as file,
            pq.ParquetWriter(file, pa.schema(schema)) as writer,
        ):
            for one in table.batches():
                writer.write_table(one)
        return table.columns, table.withheld


def check_table(path: str | Path, identities: Sequence[age.Identity]) -> tuple[list[str], list[str]]:
    """Decrypt all columns that can be read and keep nothing; returns and raises as ``open_table``."""
    with SealedTable(path, identities) as table:
        for _one in table.batches():
            pass
        return table.columns, table.withheld


def is_encrypted(path: Path) -> bool:
    """Whether a file begins as encrypted Parquet does."""
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"PARE"
    except OSError:
        return False


def column_names(path: str | Path) -> list[str]:
    """The columns of a plain Parquet file."""
    pa, pq, _pe = arrow()
    with _plain_errors(pa, Path(path)), pq.ParquetFile(path) as table:
        return list(table.schema_arrow.names)


def wrapped(key: bytes, readers: Sequence[age.Recipient]) -> str:
    """A key as an age file for its readers, in base 64."""
    nonce = os.urandom(NONCE_BYTES)
    with age.new_file_key() as file_key:
        head = age_header.write(age.wrap(file_key, readers), file_key)
        body = bytearray(len(key) + TAG_BYTES)
        Payload(file_key, nonce).seal(0, memoryview(key), memoryview(body), last=True)
    return base64.b64encode(head + nonce + body).decode()


def unwrapped(text: str, identities: Sequence[age.Identity]) -> bytes:
    """The key again; raises as ``age.unwrap``."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise IntegrityError("a key in it is not base 64") from None
    header = age_header.parse(data)
    nonce, body = data[header.size :][:NONCE_BYTES], memoryview(data)[header.size + NONCE_BYTES :]
    if len(body) <= TAG_BYTES:
        raise IntegrityError("a key in it was cut short")
    with age.unwrap(header, identities) as file_key, Secret(len(body) - TAG_BYTES) as key:
        Payload(file_key, nonce).open(0, body, memoryview(key), last=True)
        return bytes(key)


def _check_cover(names: Sequence[str], roles: Sequence[Role]) -> None:
    if len(set(names)) != len(names):
        raise DataError("the table has two columns of the same name")
    if any(set(name) & set(",;:") for name in names):
        raise DataError("a column with ',', ';' or ':' in its name: Parquet's encryption cannot name it")
    given = [column for role in roles for column in role.columns]
    check_known(given, names, what="column", where="the roles")
    if len({role.name for role in roles}) != len(roles):
        raise ConfigError("a role is named twice")
    twice = sorted({one for one in given if given.count(one) > 1})
    if twice:
        raise ConfigError(f"column '{twice[0]}' is in two roles")
    bare = [one for one in names if one not in given]
    if bare:
        raise ConfigError(
            f"{len(bare)} columns in no role would stay readable for everybody: {', '.join(bare[:10])}",
            hint="give every column a role, also what needs no secrecy",
        )


def _leaves(pa: Any, pq: Any, schema: Any) -> dict[str, list[str]]:
    """The leaves of each column as the file that is written will name them."""
    sink = pa.BufferOutputStream()
    pq.write_table(schema.empty_table(), sink)
    with pq.ParquetFile(pa.BufferReader(sink.getvalue())) as file:
        paths = [file.schema.column(place).path for place in range(len(file.schema))]
    found: dict[str, list[str]] = {name: [] for name in schema.names}
    for path in paths:
        # a name may hold a dot itself: the longest column that fits is the one
        owner = max((name for name in found if path == name or path.startswith(f"{name}.")), key=len)
        found[owner].append(path)
    return found


def _factory(
    pe: Any,
    *,
    wrap: Callable[[bytes, str], str] | None = None,
    unwrap: Callable[[str], bytes] | None = None,
) -> Any:
    class Keys(pe.KmsClient):  # type: ignore[misc]  # pyarrow is imported when it is used
        def __init__(self, _configuration: object) -> None:
            pe.KmsClient.__init__(self)

        def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> str:
            assert wrap is not None
            return wrap(key_bytes, master_key_identifier)

        def unwrap_key(self, wrapped_key: str | bytes, _master_key_identifier: str) -> bytes:
            assert unwrap is not None
            return unwrap(wrapped_key.decode() if isinstance(wrapped_key, bytes) else wrapped_key)

    return pe.CryptoFactory(Keys)


def arrow() -> tuple[Any, Any, Any]:
    """pyarrow, its Parquet and its encryption."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
        import pyarrow.parquet.encryption as pe
    except ImportError as error:
        raise DependencyMissing.extra("encrypted Parquet", "parquet") from error
    return pa, pq, pe


@contextmanager
def _plain_errors(pa: Any, path: Path) -> Iterator[None]:
    try:
        yield
    except HauberkError:
        raise
    except FileNotFoundError:
        raise DataError(f"no table at {path}") from None
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        first = (str(error).splitlines() or ["?"])[0]
        raise DataError(f"{path} is not a readable Parquet file ({first})") from error


def roles_from(
    columns: Mapping[str, Sequence[str]],
    readers: Mapping[str, Sequence[age.Recipient]],
    everybody: Sequence[age.Recipient],
) -> list[Role]:
    """Roles from what the command line says.

    Args:
        columns: of each role.
        readers: of each role.
        everybody: those who read all roles.
    """
    check_known(readers, columns, what="role", where="--reader")
    return [Role(name, tuple(own), (*everybody, *readers.get(name, ()))) for name, own in columns.items()]
