"""What becomes of a file: each action's law, the same by whomever, nothing where not all was treated."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk.compute import Processes
from hauberk.core.errors import ConfigError, DataError, HauberkError, NoIdentityMatched
from hauberk.core.evidence import Evidence
from hauberk.crypto import age
from hauberk.privacy.text.deidentify import deidentify
from hauberk.privacy.text.files import Reading
from hauberk.privacy.text.policy import Keys, Policy
from hauberk.privacy.text.recording import deidentified_evidence
from hauberk.privacy.text.reidentify import reidentify
from hauberk.privacy.text.tokens import OpenTokens, TokenTable

KEYS = Keys(bytes(range(32)))
VALUES = ("11010519491231002X", "13812345678", "6222021001116245702", "zhang.wei@mail.cn", "张伟")
LINE = "患者张伟，身份证号11010519491231002X，手机13812345678，卡号6222021001116245702，zhang.wei@mail.cn。"
LINES = st.lists(
    st.sampled_from(
        [LINE, "", "没有内容的一行", "电话：13900001111", "Call Jane Roe, SSN 123-45-6789.", "[NAME] 在"]
    ),
    max_size=6,
)


def policy(settings: Any, **more: Any) -> Policy:
    return Policy.of({"default": settings, **more})


def treated(tmp_path: Path, text: str | bytes, by: Policy, name: str = "a.txt", **more: Any) -> bytes:
    source, out = tmp_path / f"in-{name}", tmp_path / f"out-{name}"
    source.write_bytes(text if isinstance(text, bytes) else text.encode())
    deidentify(source, out, by, keys=KEYS, overwrite=True, **more)
    return out.read_bytes()


@pytest.mark.parametrize(
    "settings",
    [
        "tag",
        "delete",
        "mask",
        {"action": "pseudonym"},
        {"action": "pseudonym", "form": "alike"},
        "random",
    ],
    ids=str,
)
def test_nothing_of_a_value_is_left(tmp_path: Path, settings: Any) -> None:
    out = treated(tmp_path, f"{LINE}\n", policy(settings)).decode()
    for value in VALUES:
        assert value not in out
    assert out.startswith("患者")
    assert out.endswith("。\n")


@settings(max_examples=25, deadline=None)
@given(lines=LINES, end=st.sampled_from(["\n", "\r\n"]), last=st.booleans())
def test_lines_keep_number_and_ends(lines: list[str], end: str, last: bool, tmp_path_factory: Any) -> None:
    text = end.join(lines) + (end if last else "")
    out = treated(tmp_path_factory.mktemp("lines"), text, policy("tag")).decode()
    assert out.count("\n") == text.count("\n")
    assert out.count("\r") == text.count("\r")


@settings(max_examples=25, deadline=None)
@given(lines=LINES, action=st.sampled_from(["tag", "pseudonym"]))
def test_a_second_time_changes_nothing(lines: list[str], action: str, tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.mktemp("again")
    once = treated(folder, "\n".join(lines), policy(action))
    assert treated(folder, once, policy(action)) == once


def test_tags_are_what_is_done_without_a_policy(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(LINE)
    done = deidentify(tmp_path / "a.txt", tmp_path / "b.txt")
    assert (tmp_path / "b.txt").read_text() == "患者[NAME]，身份证号[ID]，手机[MOBILE]，卡号[CARD]，[EMAIL]。"
    assert {row["type"]: row["count"] for row in done.tally.rows()} == dict.fromkeys(
        ("NAME", "ID", "MOBILE", "CARD", "EMAIL"), 1
    )


@pytest.mark.parametrize(
    ("kind", "settings", "value", "made"),
    [
        ("MOBILE", {"action": "mask", "first": 3, "last": 4}, "13812345678", "138****5678"),
        ("NAME", {"action": "mask", "first": 1}, "张伟", "张*"),
        ("NAME", {"action": "mask", "first": 2, "last": 1}, "张伟", "**"),
        ("BIRTH_DATE", {"action": "generalise"}, "1990-05-02", "1990-05"),
        ("BIRTH_DATE", {"action": "generalise", "to": "decade"}, "1990年5月2日", "1990s"),
        ("BIRTH_DATE", {"action": "generalise", "to": "band"}, "1990-05-02", "30-39"),
        ("BIRTH_DATE", {"action": "generalise", "to": "band", "width": 5}, "1990-05-01", "40-44"),
        ("BIRTH_DATE", {"action": "generalise"}, "unknown", "[BIRTH_DATE]"),
        ("AGE", {"action": "generalise"}, "37", "30-39"),
        ("ID", {"action": "generalise"}, "11010519491231002X", "北京市"),
        ("ID", {"action": "generalise", "to": "month"}, "11010519491231002X", "1949-12"),
        ("ADDRESS", {"action": "generalise"}, "浙江省杭州市西湖区文一路1号", "浙江省杭州市"),
        ("ADDRESS", {"action": "generalise", "to": "region"}, "浙江省杭州市西湖区文一路1号", "浙江省"),
        ("ADDRESS", {"action": "generalise", "to": "region"}, "1 Main Street", "[ADDRESS]"),
        ("IP", {"action": "generalise"}, "192.168.7.9", "192.168.7.0/24"),
        ("CARD", "keep", "6222021001116245702", "6222021001116245702"),
        ("NAME", "delete", "张伟", ""),
    ],
)
def test_actions_do_what_they_say(tmp_path: Path, kind: str, settings: Any, value: str, made: str) -> None:
    by = Policy.of({"types": {kind: settings}, "columns": {"it": kind}})
    clock = lambda: datetime(2030, 5, 1, tzinfo=UTC)  # noqa: E731
    out = treated(tmp_path, f"it,n\n{value},1\n", by, "a.csv", clock=clock).decode()
    assert out == f"it,n\n{made},1\n"


def test_columns_are_kept_dropped_or_taken_whole(tmp_path: Path) -> None:
    by = Policy.of({"columns": {"who": "NAME", "note": "keep", "inner": "drop"}})
    text = 'who,note,inner,free\n"Zed, the third",13812345678,x,13812345678\n'
    assert treated(tmp_path, text, by, "a.csv").decode() == 'who,note,free\n"[NAME]",13812345678,[MOBILE]\n'
    line = {"who": "Zed", "note": 13812345678, "inner": {"inner": 1}, "free": 13812345678}
    by = Policy.of({"columns": {"who": "NAME", "note": "keep", "inner.inner": "drop"}})
    out = json.loads(treated(tmp_path, json.dumps(line), by, "a.jsonl"))
    assert out == {"who": "[NAME]", "note": 13812345678, "inner": {"inner": None}, "free": "[MOBILE]"}


def test_a_value_that_is_known_from_its_column_is_found_in_the_rest_of_the_row(tmp_path: Path) -> None:
    out = treated(tmp_path, "姓名,备注\n欧阳若兮,见了欧阳若兮两次\n", policy("tag"), "a.csv").decode()
    assert out == "姓名,备注\n[NAME],见了[NAME]两次\n"


def test_headers_tell_about_people_too(tmp_path: Path) -> None:
    out = treated(tmp_path, "13812345678,x\n1,2\n", policy("tag"), "a.csv").decode()
    assert out == "[MOBILE],x\n1,2\n"
    assert treated(tmp_path, '{"13812345678": 1}', policy("tag"), "a.jsonl") == b'{"[MOBILE]": 1}'
    with pytest.raises(DataError, match="two keys of one object"):
        treated(tmp_path, '{"13812345678": 1, "13900001111": 2}', policy("tag"), "a.jsonl")


def test_one_person_has_one_pseudonym_in_all_files_and_forms(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("手机：138 1234 5678\n")
    (folder / "b.csv").write_text("手机号\n13812345678\n")
    (folder / "c.jsonl").write_text('{"phone": 13812345678}\n')
    (folder / "d.txt").write_bytes("手机：13812345678\n".encode("gb18030"))
    deidentify(folder, tmp_path / "out", policy({"action": "pseudonym", "form": "alike"}), keys=KEYS)
    found = [re.sub(rb"[^0-9]", b"", path.read_bytes()) for path in sorted((tmp_path / "out").iterdir())]
    assert len(set(found)) == 1
    assert len(found) == 4
    assert isinstance(json.loads((tmp_path / "out" / "c.jsonl").read_text())["phone"], int)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_encodings_and_ends_stay(tmp_path: Path, encoding: str) -> None:
    text = f"{LINE}\r\n无\r\n"
    out = treated(tmp_path, text.encode(encoding), policy("tag"))
    assert out.decode(encoding) == "患者[NAME]，身份证号[ID]，手机[MOBILE]，卡号[CARD]，[EMAIL]。\r\n无\r\n"
    assert out.startswith(b"\xef\xbb\xbf") == (encoding == "utf-8-sig")


def test_names_of_files_are_treated(tmp_path: Path) -> None:
    folder = tmp_path / "in" / "客户张伟的资料"
    folder.mkdir(parents=True)
    for name in ("13812345678.txt", "13900001111.txt", "empty.csv"):
        (folder / name).touch()
    done = deidentify(tmp_path / "in", tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert names == ["[MOBILE]-2.txt", "[MOBILE].txt", "empty.csv"]
    assert "张伟" not in json.dumps(deidentified_evidence(done).to_json(), ensure_ascii=False)


def test_keys_that_are_people_do_not_get_into_the_record(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"张伟": {"phone": "13812345678", "note": "13900001111"}}))
    done = deidentify(tmp_path / "a.json", tmp_path / "b.json")
    assert json.loads((tmp_path / "b.json").read_text()) == {
        "[NAME]": {"phone": "[MOBILE]", "note": "[MOBILE]"}
    }
    record = deidentified_evidence(done)
    assert "张伟" not in json.dumps(record.to_json(), ensure_ascii=False)
    assert record.result["columns"] == [{"column": "phone", "rule": "MOBILE", "cells": 1}]


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    lines = [f"第{number}条：{LINE} 手机1381234{number % 10000:04d}" for number in range(3000)]
    (folder / "a.txt").write_text("\n".join(lines))
    with open(folder / "b.csv", "w", newline="") as file:
        csv.writer(file).writerows(
            [["姓名", "电话", "备注"]] + [["张伟", f"1391234{n:04d}", LINE] for n in range(2000)]
        )
    (folder / "c.jsonl").write_text("".join(json.dumps({"n": n, "t": LINE}) + "\n" for n in range(1000)))
    return folder


def test_the_output_does_not_depend_on_the_workers(tmp_path: Path, mixed: Path) -> None:
    by = Policy.of(
        {"default": {"action": "pseudonym", "form": "alike"}, "types": {"CARD": "random", "ID": "tag"}}
    )
    one = deidentify(mixed, tmp_path / "one", by, keys=KEYS)
    two = deidentify(mixed, tmp_path / "two", by, keys=KEYS, workers=Processes(2))
    assert [each.after for each in one.files] == [each.after for each in two.files]
    first, second = (deidentified_evidence(each) for each in (one, two))
    assert first.result == second.result
    assert first.result["leak"]["looked"] > 0
    assert Evidence.from_json(json.loads(json.dumps(first.to_json()))) == first
    text = json.dumps(first.to_json(), ensure_ascii=False)
    assert not any(value in text for value in VALUES)


REVERSIBLE = {"action": "pseudonym", "reversible": True}


def there_and_back(tmp_path: Path, source: Path) -> tuple[Path, Path]:
    identity = age.generate("x25519")
    there, back = tmp_path / f"there{source.suffix}", tmp_path / f"back{source.suffix}"
    with TokenTable(tmp_path / "tokens", [identity.recipient]) as table:
        deidentify(source, there, policy(REVERSIBLE), keys=KEYS, tokens=table)
    with OpenTokens(tmp_path / "tokens", [identity]) as known:
        done = reidentify(there, back, known)
    assert done.unknown == 0
    return there, back


@settings(max_examples=20, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["张伟", "张 伟", 'Roe, "J"', "Jane ROE", ""]), st.sampled_from([LINE, "x\ny", ""])
        ),
        min_size=1,
        max_size=5,
    ),
    encoding=st.sampled_from(["utf-8", "gb18030", "utf-8-sig"]),
)
def test_what_is_reversible_comes_back_to_the_byte(
    rows: list[tuple[str, str]], encoding: str, tmp_path_factory: Any
) -> None:
    tmp_path = tmp_path_factory.mktemp("back")
    folder = tmp_path / "in"
    folder.mkdir()
    with open(folder / "a.csv", "w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows([["姓名", "备注"], *rows])
    (folder / "b.txt").write_bytes("\n".join(note for _name, note in rows).encode(encoding))
    there, back = there_and_back(tmp_path, folder)
    for name in ("a.csv", "b.txt"):
        assert (back / name).read_bytes() == (folder / name).read_bytes()
    assert not any(value in (there / "b.txt").read_text("gb18030", errors="replace") for value in VALUES)


def test_json_comes_back_in_value_numbers_included(tmp_path: Path) -> None:
    document = {"姓名": "张伟", "phone": 13812345678, "text": LINE, "again": "13812345678", "n": [1, None]}
    (tmp_path / "a.jsonl").write_text(json.dumps(document) + "\n")
    there, back = there_and_back(tmp_path, tmp_path / "a.jsonl")
    assert json.loads(back.read_text()) == document
    assert isinstance(json.loads(there.read_text())["phone"], str)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"default": "shred"}, "unknown action 'shred'"),
        ({"default": {"action": "mask", "frist": 1}}, "did you mean 'first'"),
        ({"default": {"action": "mask", "first": -1}}, "first must be a whole number"),
        ({"default": {"action": "mask", "letter": "x"}}, "letter is one character"),
        ({"default": "generalise"}, "cannot be generalised"),
        ({"types": {"NAME": "generalise"}}, "NAME cannot be generalised"),
        ({"types": {"NAMES": "tag"}}, "did you mean 'NAME'"),
        ({"types": {"ID": {"action": "generalise", "to": "street"}}}, "unknown level"),
        ({"default": {"action": "pseudonym", "form": "alike", "reversible": True}}, "only the form 'tag'"),
        ({"columns": {"a": "NAMES"}}, "column 'a'"),
        ({"detect": {"least_score": 2}}, "least_score"),
        ({"detect": {"words": {"X Y": ["a"]}}}, "a type is a word"),
        ({"detects": {}}, "did you mean 'detect'"),
        ({"columns": {"a": 1}}, "is text"),
        ({"types": []}, "is a table"),
    ],
)
def test_policies_that_cannot_be_are_refused(document: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Policy.of(document)


def test_own_words_and_patterns_have_types_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "projects.txt").write_text("蓝鲸计划\n\n")
    (tmp_path / "policy.toml").write_text(
        '[types.STAFF]\naction = "mask"\nlast = 2\n[detect.patterns]\nSTAFF = "GH[0-9]{6}"\n'
        '[detect.words]\nPROJECT = "projects.txt"\n'
    )
    by = Policy.load(tmp_path / "policy.toml")
    assert Policy.of(by.to_json()) == by
    assert treated(tmp_path, "GH123456参加了蓝鲸计划\n", by).decode() == "******56参加了[PROJECT]\n"


CALLS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no key": (lambda at: deidentify(at, at.with_name("o"), policy("pseudonym")), "takes a key"),
    "no table": (lambda at: deidentify(at, at.with_name("o"), policy(REVERSIBLE), keys=KEYS), "takes a table"),
    "no input": (lambda at: deidentify(at.with_name("n"), at.with_name("o")), "no file or folder"),
    "onto itself": (lambda at: deidentify(at, at, overwrite=True), "lies in it or holds it"),
    "column": (
        lambda at: deidentify(at, at.with_name("o"), Policy.of({"columns": {"phon": "MOBILE"}})),
        "unknown column 'phon'",
    ),
    "encoding": (lambda at: deidentify(at, at.with_name("o"), reading=Reading(encoding="big5")), "encoding is"),
}


@pytest.mark.parametrize("call", CALLS)
def test_calls_that_cannot_be_leave_nothing(tmp_path: Path, call: str) -> None:
    source = tmp_path / "a.csv"
    source.write_text("phone\n13812345678\n")
    make, says = CALLS[call]
    with pytest.raises(HauberkError, match=says):
        make(source)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_folder_with_one_bad_file_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text(LINE)
    (folder / "b.txt").write_bytes(b"\0\1\2")
    with pytest.raises(DataError, match="byte 0 is NUL"):
        deidentify(folder, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    deidentify(folder, tmp_path / "out", skip=("b.*",))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.txt"]


def test_a_lost_or_wrong_key_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(LINE)
    there_and_back(tmp_path, tmp_path / "a.txt")
    with pytest.raises(NoIdentityMatched, match="none of the given keys"):
        OpenTokens(tmp_path / "tokens", [age.generate("x25519")])
    assert KEYS.secret.hex() not in (tmp_path / "tokens").read_bytes().decode("latin-1")
    for value in VALUES:
        assert value.encode() not in (tmp_path / "tokens").read_bytes()


@pytest.mark.slow
def test_memory_is_flat_and_a_killed_run_leaves_no_output(tmp_path: Path) -> None:
    source, out = tmp_path / "big.csv", tmp_path / "out.csv"
    with open(source, "w", newline="") as file:
        file.write("n,phone,words,bulk\n")
        block = "".join(f"{n},1381234{n:04d},some words,{'x' * 3900}\n" for n in range(1000))
        for _ in range(52):
            file.write(block)
    (tmp_path / "small.csv").write_text("n,phone,words,bulk\n" + block * 2)
    assert source.stat().st_size > 200_000_000
    program = (
        "import sys\nfrom hauberk.privacy.text.deidentify import deidentify\n"
        "from hauberk.privacy.text.policy import Policy\n"
        "deidentify(sys.argv[1], sys.argv[2], Policy.of({'columns': {'bulk': 'keep'}}))\n"
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])\n"
    )
    start = [sys.executable, "-c", program, str(source), str(out)]
    with subprocess.Popen(start, env=os.environ.copy()) as running:
        while not list(tmp_path.glob(".out.csv.*.part")) and running.poll() is None:
            time.sleep(0.05)
        running.kill()
    assert not out.exists()
    peaks = []
    for path, treated in ((tmp_path / "small.csv", tmp_path / "s.csv"), (source, out)):
        run = [*start[:3], str(path), str(treated)]
        done = subprocess.run(run, check=True, capture_output=True, text=True)
        peaks.append(int(done.stdout))
    assert peaks[1] - peaks[0] < 60_000  # KiB, for 25 times as much
    with open(out) as file:
        assert next(file) == "n,phone,words,bulk\n"
        assert all("[MOBILE]" in line and "1381234" not in line for line in file)
