"""Encrypted Parquet: read by plain pyarrow and another age tool, by role, and refused where it was changed."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pyrage
import pytest

from hauberk.core.errors import ConfigError, DataError, HauberkError, NoIdentityMatched
from hauberk.crypto import age
from hauberk.privacy.stored.parquet import Role, SealedTable, check_table, open_table, seal_table

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pe = pytest.importorskip("pyarrow.parquet.encryption")

DOCTOR, ANALYST = age.generate("x25519"), age.generate("x25519")
TABLE = pa.table(
    {
        "age": [30, 41, None, 77],
        "region": ["north", "south", "north", "鄂"],
        "visit": [{"code": "X1", "notes": ["a", "b"]}] * 4,
        "a.b": [1.5, 2.5, 3.5, 4.5],
    }
)
ROLES = [
    Role("doctor", ("visit",), (DOCTOR.recipient,)),
    Role("analyst", ("age", "region", "a.b"), (DOCTOR.recipient, ANALYST.recipient)),
]


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    pq.write_table(TABLE, tmp_path / "plain.parquet", row_group_size=2)
    return tmp_path / "plain.parquet"


@pytest.fixture
def sealed(plain: Path) -> Path:
    seal_table(plain, plain.with_name("sealed.parquet"), ROLES)
    return plain.with_name("sealed.parquet")


class OtherTool(pe.KmsClient):
    """What a stranger writes to read our tables: pyarrow and pyrage, nothing of ours."""

    def __init__(self, identity: Any) -> None:
        pe.KmsClient.__init__(self)
        self._identity = identity

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> str:
        raise NotImplementedError

    def unwrap_key(self, wrapped_key: Any, master_key_identifier: str) -> bytes:
        return bytes(pyrage.decrypt(base64.b64decode(wrapped_key), [self._identity]))


def read_with_other_tools(path: Path, identity: str, columns: list[str] | None = None) -> Any:
    key = pyrage.x25519.Identity.from_str(identity)
    factory = pe.CryptoFactory(lambda _configuration: OtherTool(key))
    keys = factory.file_decryption_properties(pe.KmsConnectionConfig(), pe.DecryptionConfiguration())
    with pq.ParquetFile(path, decryption_properties=keys) as file:
        return file.read(columns=columns)


def test_plain_pyarrow_reads_it_with_the_key(sealed: Path) -> None:
    assert read_with_other_tools(sealed, DOCTOR.written()).equals(TABLE)
    own = ["age", "region", "a.b"]
    assert read_with_other_tools(sealed, ANALYST.written(), own).equals(TABLE.select(own))
    with pytest.raises(Exception, match=r"[Nn]o matching keys"):
        read_with_other_tools(sealed, ANALYST.written(), ["visit"])


def test_nothing_of_it_stands_in_the_file(plain: Path, sealed: Path) -> None:
    words = [b"north", b"region", b"visit", b"notes"]
    assert all(word in plain.read_bytes() for word in words)
    assert not any(word in sealed.read_bytes() for word in words)


def test_every_leaf_needs_a_role_key(sealed: Path) -> None:
    """Read with a key for the footer alone, no leaf of any column comes out."""

    class FooterOnly(OtherTool):
        def unwrap_key(self, wrapped_key: Any, master_key_identifier: str) -> bytes:
            if master_key_identifier != "footer":
                raise PermissionError(master_key_identifier)
            return super().unwrap_key(wrapped_key, master_key_identifier)

    identity = pyrage.x25519.Identity.from_str(DOCTOR.written())
    factory = pe.CryptoFactory(lambda _configuration: FooterOnly(identity))
    keys = factory.file_decryption_properties(pe.KmsConnectionConfig(), pe.DecryptionConfiguration())
    with pq.ParquetFile(sealed, decryption_properties=keys) as file:
        leaves = [file.schema.column(place).path for place in range(len(file.schema))]
        assert leaves == ["age", "region", "visit.code", "visit.notes.list.element", "a.b"]
        for leaf in leaves:
            with pytest.raises(PermissionError):
                file.read_row_group(0, columns=[leaf])


def test_a_role_opens_its_own_columns(sealed: Path, tmp_path: Path) -> None:
    columns, withheld = open_table(sealed, [ANALYST], tmp_path / "out.parquet")
    assert (columns, withheld) == (["age", "region", "a.b"], ["visit"])
    assert pq.read_table(tmp_path / "out.parquet").equals(TABLE.select(columns))
    assert open_table(sealed, [DOCTOR], tmp_path / "all.parquet")[1] == []
    assert pq.read_table(tmp_path / "all.parquet").equals(TABLE)
    with pytest.raises(NoIdentityMatched, match="sealed"):
        SealedTable(sealed, [age.generate("x25519")])


def test_a_flipped_byte_is_refused_or_changes_nothing(sealed: Path, tmp_path: Path) -> None:
    """Names and versions of the key service, which mean nothing here, stand outside of all tags."""
    data = sealed.read_bytes()
    spoilt = tmp_path / "spoilt.parquet"
    passed = 0
    body = len(data) - int.from_bytes(data[-8:-4], "little") - 8  # where the footer begins
    for place in range(0, len(data), 13):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        spoilt.write_bytes(changed)
        try:
            with SealedTable(spoilt, [DOCTOR]) as table:
                found = pa.concat_tables(table.batches())
        except HauberkError:
            continue
        assert found.equals(TABLE)
        assert place > body
        passed += 1
    assert passed < 20


@pytest.mark.parametrize("length", [0, 3, 4, 12, 500, -1])
def test_a_cut_file_is_refused(length: int, sealed: Path, tmp_path: Path) -> None:
    (tmp_path / "cut").write_bytes(sealed.read_bytes()[:length])
    with pytest.raises(HauberkError):
        check_table(tmp_path / "cut", [DOCTOR])


def test_an_uncovered_column_is_refused(plain: Path, tmp_path: Path) -> None:
    me = (DOCTOR.recipient,)
    cases: list[tuple[list[Role], str]] = [
        ([Role("all", ("age", "region"), me)], "visit, a.b"),
        ([Role("all", ("age", "region", "visit", "a.b", "agee"), me)], "did you mean 'age'"),
        ([Role("x", ("age", "region"), me), Role("y", ("visit", "a.b", "age"), me)], "two roles"),
        ([Role("x", ("age",), me), Role("x", ("region", "visit", "a.b"), me)], "named twice"),
        ([Role("x", ("age", "region", "visit", "a.b"), ())], "at least one recipient"),
    ]
    for roles, message in cases:
        with pytest.raises(ConfigError, match=message):
            seal_table(plain, tmp_path / "out", roles)
    for name in ("footer", "Doctor", "", "a:b"):
        with pytest.raises(ConfigError, match="role"):
            Role(name, ("age",), me)
    assert not (tmp_path / "out").exists()


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"a,b\n1,2\n")
    with pytest.raises(DataError, match="not a readable Parquet"):
        seal_table(tmp_path / "text", tmp_path / "out", ROLES)
    with pytest.raises(DataError, match="no table"):
        seal_table(tmp_path / "none", tmp_path / "out", ROLES)
    with pytest.raises(DataError, match="not an encrypted"):
        check_table(tmp_path / "text", [DOCTOR])
    pq.write_table(pa.table({"a,b": [1]}), tmp_path / "odd.parquet")
    with pytest.raises(DataError, match="cannot name"):
        seal_table(tmp_path / "odd.parquet", tmp_path / "out", [Role("x", ("a,b",), (DOCTOR.recipient,))])
