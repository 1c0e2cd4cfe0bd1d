"""Parquet: rows, types and nested texts, with pyarrow as the judge."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from hauberk.compute import Processes
from hauberk.core.errors import DataError
from hauberk.crypto import age
from hauberk.privacy.text.deidentify import Deidentified, deidentify
from hauberk.privacy.text.policy import Keys, Policy
from hauberk.privacy.text.reidentify import reidentify
from hauberk.privacy.text.tokens import OpenTokens, TokenTable

KEYS = Keys(bytes(32))


@pytest.fixture
def pa(absent: Callable[[str, str], None]) -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        absent("pyarrow", "pip install 'hauberk[parquet]'")
    return pyarrow


def written(pa: Any, path: Path, rows: int = 3, **columns: Any) -> Path:
    table = pa.table(
        {
            "n": pa.array(range(rows), pa.int32()),
            "姓名": pa.array(["张伟"] * rows).dictionary_encode(),
            "note": pa.array([f"手机13812345678，第{n}条" if n % 3 else None for n in range(rows)]),
            "born": pa.array([date(1990, 5, 2)] * rows),
            "ok": pa.array([True] * rows),
            **columns,
        }
    )
    pa.parquet.write_table(table, path, row_group_size=1000)
    return path


def run(path: Path, out: Path, document: dict[str, Any] | None = None, **more: Any) -> Deidentified:
    return deidentify(path, out, Policy.of(document or {}), keys=KEYS, overwrite=True, **more)


def test_texts_are_treated_and_types_stay(pa: Any, tmp_path: Path) -> None:
    path = written(pa, tmp_path / "a.parquet")
    nested = [{"who": "电话13900001111", "tags": ["a", "13812345678"]}, None, {"who": None, "tags": []}]
    path = written(pa, path, nested=pa.array(nested))
    done = run(path, tmp_path / "b.parquet", {"columns": {"born": "keep"}})
    before, after = (pa.parquet.read_table(one) for one in (path, tmp_path / "b.parquet"))
    assert after.schema.names == before.schema.names
    for name in ("n", "born", "ok", "nested", "note"):
        assert after.schema.field(name).type == before.schema.field(name).type
    assert after["姓名"].to_pylist() == ["[NAME]"] * 3
    assert after["note"].to_pylist() == [None, "手机[MOBILE]，第1条", "手机[MOBILE]，第2条"]
    assert after["nested"].to_pylist() == [
        {"who": "电话[MOBILE]", "tags": ["a", "[MOBILE]"]}, None, {"who": None, "tags": []},
    ]  # fmt: skip
    for name in ("n", "born", "ok"):
        assert after[name].equals(before[name])
    assert {one.place.line for one in done.tally.samples["MOBILE"]} <= {1, 2, 3}


def test_dates_of_birth_are_known_by_their_column_and_become_text(pa: Any, tmp_path: Path) -> None:
    path = written(pa, tmp_path / "a.parquet")
    born = pa.parquet.read_table(path).rename_columns(["n", "name", "note", "birthday", "ok"])
    pa.parquet.write_table(born, path)
    run(path, tmp_path / "b.parquet", {"types": {"BIRTH_DATE": "generalise"}})
    assert pa.parquet.read_table(tmp_path / "b.parquet")["birthday"].to_pylist() == ["1990-05"] * 3


def test_numbers_that_tell_must_be_named_or_stay_numbers(pa: Any, tmp_path: Path) -> None:
    path = written(pa, tmp_path / "a.parquet", tel_=pa.array([13812345678, 13900001111, None]))
    with pytest.raises(DataError, match="column 'tel_' holds numbers that tell about people") as caught:
        run(path, tmp_path / "b.parquet")
    assert '"tel_" = "MOBILE"' in str(caught.value.hint)
    assert not (tmp_path / "b.parquet").exists()
    run(path, tmp_path / "b.parquet", {"columns": {"tel_": "MOBILE"}})
    assert pa.parquet.read_table(tmp_path / "b.parquet")["tel_"].to_pylist() == ["[MOBILE]", "[MOBILE]", None]
    run(path, tmp_path / "b.parquet", {"types": {"MOBILE": {"action": "pseudonym", "form": "alike"}}})
    table = pa.parquet.read_table(tmp_path / "b.parquet")
    assert table.schema.field("tel_").type == pa.int64()
    assert not {13812345678, 13900001111} & set(table["tel_"].to_pylist())


def test_columns_of_bytes_must_be_named(pa: Any, tmp_path: Path) -> None:
    path = written(pa, tmp_path / "a.parquet", blob=pa.array([b"x", b"y", b"z"]))
    with pytest.raises(DataError, match="column 'blob' holds bytes"):
        run(path, tmp_path / "b.parquet")
    run(path, tmp_path / "b.parquet", {"columns": {"blob": "drop"}})
    assert "blob" not in pa.parquet.read_schema(tmp_path / "b.parquet").names


def test_metadata_is_not_carried_over(pa: Any, tmp_path: Path) -> None:
    path = written(pa, tmp_path / "a.parquet")
    table = pa.parquet.read_table(path).replace_schema_metadata({"who": "张伟 13812345678"})
    pa.parquet.write_table(table, path)
    run(path, tmp_path / "b.parquet")
    assert b"13812345678" not in (tmp_path / "b.parquet").read_bytes()
    assert "张伟".encode() not in (tmp_path / "b.parquet").read_bytes()


def test_reversible_texts_come_back(pa: Any, tmp_path: Path) -> None:
    path, identity = written(pa, tmp_path / "a.parquet"), age.generate("x25519")
    with TokenTable(tmp_path / "tokens", [identity.recipient]) as table:
        run(
            path, tmp_path / "b.parquet", {"default": {"action": "pseudonym", "reversible": True}}, tokens=table
        )
    with OpenTokens(tmp_path / "tokens", [identity]) as known:
        reidentify(tmp_path / "b.parquet", tmp_path / "c.parquet", known)
    before, after = (pa.parquet.read_table(tmp_path / f"{one}.parquet") for one in "ac")
    assert after["note"].equals(before["note"])
    assert after["姓名"].to_pylist() == before["姓名"].to_pylist()


def test_many_batches_are_the_same_for_any_workers(pa: Any, tmp_path: Path) -> None:
    path = written(pa, tmp_path / "a.parquet", rows=40_000)
    one = run(path, tmp_path / "b.parquet")
    two = run(path, tmp_path / "c.parquet", workers=Processes(2))
    assert (tmp_path / "b.parquet").read_bytes() == (tmp_path / "c.parquet").read_bytes()
    assert one.files[0].after == two.files[0].after
    assert one.tally.records == 40_000
    assert pa.parquet.read_table(tmp_path / "b.parquet").num_rows == 40_000


def test_empty_and_broken_files(pa: Any, tmp_path: Path) -> None:
    path = written(pa, tmp_path / "a.parquet", rows=0)
    run(path, tmp_path / "b.parquet")
    assert pa.parquet.read_table(tmp_path / "b.parquet").num_rows == 0
    (tmp_path / "bad.parquet").write_bytes(json.dumps({}).encode())
    with pytest.raises(DataError, match="is not a Parquet file"):
        run(tmp_path / "bad.parquet", tmp_path / "c.parquet")
    twice = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["x", "x"])
    pa.parquet.write_table(twice, tmp_path / "twice.parquet")
    with pytest.raises(DataError, match="2 columns are named 'x'"):
        run(tmp_path / "twice.parquet", tmp_path / "c.parquet")
