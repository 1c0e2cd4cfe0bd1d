"""Reading and writing: nothing changes that is not treated, every place is where the file has it, bad files end
in one clear line."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk.core.errors import ConfigError, DataError
from hauberk.privacy.text.files import Reading, files_of, open_source

TEXT = st.text(alphabet='ab",;\n张三 \t12', max_size=8)
ENCODINGS = ("utf-8", "utf-8-sig", "gb18030")
LETTERS = 'aZ"\\/\n张😀\x7f'
NAMES = st.text("kq张", min_size=1, max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(alphabet=LETTERS, max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


def texts(path: Path, reading: Reading | None = None) -> list[list[str]]:
    source = open_source(path, reading)
    return [[cell.text for cell in record.cells] for chunk in source.chunks() for record in chunk.records()]


def untouched(path: Path, reading: Reading | None = None) -> bytes:
    """What is written when nothing is treated."""
    source = open_source(path, reading)
    out = [
        chunk.layout.rewrite(one.raw, one.cells, [cell.text for cell in one.cells])
        for chunk in source.chunks()
        for one in chunk.records()
    ]
    return "".join(out).encode(source.file.codec)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_text_comes_back_to_the_byte(tmp_path: Path, encoding: str, end: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(f"第一行的内容{end}{end}第三行, end{end}尾".encode(encoding))
    assert untouched(path) == path.read_bytes()
    assert texts(path) == [["第一行的内容"], [""], ["第三行, end"], ["尾"]]


@given(rows=st.lists(st.lists(TEXT, min_size=2, max_size=2), min_size=1, max_size=5), crlf=st.booleans())
def test_csv_is_read_as_the_standard_library_reads_it(
    rows: list[list[str]], crlf: bool, tmp_path_factory: Any
) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\r\n" if crlf else "\n").writerows(rows)
    reading = Reading(delimiter=",", header=False)
    assert texts(path, reading) == rows
    assert untouched(path, reading) == path.read_bytes()


@given(rows=st.lists(st.lists(TEXT, min_size=2, max_size=2), min_size=1, max_size=4), new=TEXT)
def test_treated_csv_is_valid_csv(rows: list[list[str]], new: str, tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    source = open_source(path, Reading(delimiter=",", header=False))
    out = "".join(
        chunk.layout.rewrite(one.raw, one.cells, [one.cells[0].text, new])
        for chunk in source.chunks()
        for one in chunk.records()
    )
    assert list(csv.reader(io.StringIO(out, newline=""))) == [[row[0], new] for row in rows]


@given(rows=st.lists(st.lists(st.text('ab",\n张', max_size=6), min_size=3, max_size=3), min_size=1, max_size=4))
def test_places_in_csv_are_where_the_file_has_them(rows: list[list[str]], tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    lines = path.read_text().split("\n")
    for chunk in open_source(path, Reading(delimiter=",", header=False)).chunks():
        for record in chunk.records():
            for cell in record.cells:
                for at, letter in enumerate(cell.text):
                    if letter not in '"\n':
                        place = cell.place(at, at + 1)
                        assert lines[place.line - 1][place.start : place.end] == letter


@given(document=JSON, ascii_only=st.booleans(), indent=st.sampled_from([None, 1]))
def test_places_in_json_are_where_the_file_has_them(
    document: Any, ascii_only: bool, indent: int | None, tmp_path_factory: Any
) -> None:
    path = tmp_path_factory.mktemp("json") / "a.json"
    path.write_text(json.dumps(document, ensure_ascii=ascii_only, indent=indent))
    assert untouched(path) == path.read_bytes()
    lines = path.read_text().split("\n")
    for chunk in open_source(path).chunks():
        for record in chunk.records():
            for cell in record.cells:
                for at, letter in enumerate(cell.text):
                    place = cell.place(at, at + 1)
                    written = lines[place.line - 1][place.start : place.end]
                    assert written == letter if cell.number else json.loads(f'"{written}"') == letter


@given(documents=st.lists(JSON, min_size=1, max_size=4))
def test_treated_json_is_the_same_json_with_other_strings(documents: list[Any], tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("json") / "a.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in documents))
    (chunk,) = open_source(path).chunks()
    for record, document in zip(chunk.records(), documents, strict=True):
        new = [cell.text if cell.number or cell.key else f'<"{cell.text}' for cell in record.cells]
        assert json.loads(chunk.layout.rewrite(record.raw, record.cells, new)) == _prefixed(document)


def _prefixed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _prefixed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_prefixed(one) for one in value]
    return f'<"{value}' if isinstance(value, str) else value


def test_columns_of_json_are_paths_of_keys(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": {"b": ["x", {"c": 1}]}, "d": "y"}\n')
    (chunk,) = open_source(path).chunks()
    values = [(cell.text, cell.column) for cell in chunk.records()[0].cells if not cell.key]
    assert values == [("x", "a.b"), ("1", "a.b.c"), ("y", "d")]


@settings(max_examples=40)
@given(text=st.text(alphabet="的一是不了人我在有他这中大来上国abc 123，。\n", min_size=20, max_size=200))
def test_chinese_in_gb18030_is_recognised(text: str, tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("gb") / "a.txt"
    path.write_bytes(f"中文内容{text}".encode("gb18030"))
    assert open_source(path).file.encoding == "gb18030"
    assert untouched(path) == path.read_bytes()


def test_utf8_that_is_cut_is_not_taken_for_gb18030(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("患者张伟的手机号码\n".encode() * 50 + "联系人李娜".encode()[:-1])
    with pytest.raises(DataError, match="line 51: not valid UTF-8"):
        open_source(path)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.txt", b"a\0b", "byte 1 is NUL"),
        ("a.txt", "abc".encode("utf-16"), "is in UTF-16"),
        ("a.txt", b"ok\nbad \xff\xff\xff", "line 2: not valid UTF-8"),
        ("a.csv", b"a,b\n1,2\n1,2,3\n", "line 3: 3 fields, the first row has 2"),
        ("a.csv", b"a,b\n1\n", "line 2: 1 fields"),
        ("a.csv", b"a,b,a\n1,2,3\n", "2 columns are named 'a'"),
        ("a.csv", b'a,b\n1,"2\n3,4\n', "line 2: a quoted field is never closed"),
        ("a.jsonl", b'{"a": 1}\n{"a": }\n', "line 2 is not JSON"),
        ("a.jsonl", b"[" * 100_000, "line 1 is not JSON"),
    ],
)
def test_bad_files_end_in_one_clear_line(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(DataError, match=says) as caught:
        texts(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl", "a.json"])
def test_empty_files_have_no_cells(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert texts(tmp_path / name) == []


def test_ragged_rows_are_taken_when_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n1\n1,2,3\n")
    (chunk,) = open_source(path, Reading(ragged=True)).chunks()
    assert [[cell.column for cell in one.cells] for one in chunk.records()[1:]] == [["a"], ["a", "b", None]]


def test_a_line_that_never_ends_is_refused_before_memory_is(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with open(path, "wb") as file:
        file.write(b"short\n")
        for _ in range(64):
            file.write(b"x" * (1 << 20))
    with pytest.raises(DataError, match=r"line 2: the line has more than 1,000 characters"):
        texts(path, Reading(longest_line=1000))
    path = tmp_path / "a.csv"
    path.write_text('a\n"' + "x\n" * 1000)
    with pytest.raises(DataError, match="line 2: the row, or a quote that is never closed,"):
        texts(path, Reading(longest_line=1000))


def test_a_line_at_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 10 + b"\r\n" + b"y" * 10)
    assert texts(path, Reading(longest_line=10)) == [["x" * 10], ["y" * 10]]
    with pytest.raises(DataError):
        texts(path, Reading(longest_line=9))


def test_folders_are_listed_in_one_order_and_links_refused(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("b/z.txt", "a.txt", "c.png"):
        (tmp_path / name).touch()
    assert [str(inner) for _path, inner in files_of(tmp_path, ("*.png",))] == ["a.txt", "b/z.txt"]
    (tmp_path / "link.txt").symlink_to("/etc/hostname")
    with pytest.raises(DataError, match=r"link.txt is neither file nor folder"):
        files_of(tmp_path)
    with pytest.raises(DataError, match="no file or folder"):
        files_of(tmp_path / "none")


@pytest.mark.parametrize(
    "bad", [{"format": "xml"}, {"longest_line": 0}, {"encoding": "latin-1"}, {"delimiter": "x"}]
)
def test_readings_that_cannot_be_are_refused(tmp_path: Path, bad: dict[str, Any]) -> None:
    (tmp_path / "a.csv").write_text("a,b\n")
    with pytest.raises(ConfigError):
        Reading(**bad).open(tmp_path / "a.csv")
