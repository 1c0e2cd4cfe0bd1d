"""``hauberk data anonymize`` and ``aggregate``: what is said, what is left, and that nothing half-done is."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hauberk.cli.app import run
from hauberk.core.evidence import Evidence, load_folder

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = run(["data", *(str(one) for one in arguments)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def patients(tmp_path: Path) -> Path:
    random = np.random.default_rng(2)
    path = tmp_path / "patients.csv"
    choices = [["f", "m"], ["10011", "10012", "20001"], ["flu", "gout", "none"]]
    columns = [random.choice(one, 300).tolist() for one in choices]
    rows = [(f"name {n}", 20 + n % 50, *cells) for n, cells in enumerate(zip(*columns, strict=True))]
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([("name", "age", "sex", "zip", "illness"), *rows])
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


OPTIONS = (
    "--quasi",
    "age",
    "--quasi",
    "sex",
    "--quasi",
    "zip",
    "--sensitive",
    "illness",
    "--hierarchy",
    "zip=prefix",
)


def test_a_release_and_its_evidence(command: Call, patients: Path, tmp_path: Path) -> None:
    out = tmp_path / "open.csv"
    code, said, news = command(
        "anonymize", patients, "--out", out, *OPTIONS, "--k", 5, "--l", 2, "--t", 0.4, "--target", "illness"
    )
    assert code == 0, news
    assert "left out, since no option names them: name" in news
    rows = rows_of(out)
    assert list(rows[0]) == ["age", "sex", "zip", "illness"]
    groups: dict[tuple[str, ...], set[str]] = {}
    sizes: dict[tuple[str, ...], int] = {}
    for row in rows:
        cells = (row["age"], row["sex"], row["zip"])
        groups.setdefault(cells, set()).add(row["illness"])
        sizes[cells] = sizes.get(cells, 0) + 1
    assert min(sizes.values()) >= 5
    assert min(map(len, groups.values())) >= 2
    (record,) = load_folder(tmp_path / "evidence")
    assert record.kind == "anonymization"
    assert record.result["after"]["k"] == min(sizes.values())
    assert record.parameters["left_out"] == ["name"]
    assert Evidence.from_json(json.loads(json.dumps(record.to_json()))) == record
    assert "name 1" not in json.dumps(record.to_json())
    for word in ("prosecutor", "journalist", "marketer", "GCP", "a model of 'illness'"):
        assert word in said


def test_configuration_and_json(command: Call, patients: Path, tmp_path: Path) -> None:
    (tmp_path / "sex.csv").write_text("f;*\nm;*\n")
    config = tmp_path / "plan.toml"
    config.write_text(
        'quasi = ["age", "sex"]\nsensitive = ["illness"]\nk = 4\noutput = "sets"\n'
        '[hierarchies]\nsex = "sex.csv"\n'
    )
    out = tmp_path / "open.csv"
    code, said, news = command("anonymize", patients, "--out", out, "--config", config, "--json")
    assert code == 0, news
    assert json.loads(said)["after"]["k"] >= 4
    code, _, news = command("anonymize", patients, "--out", tmp_path / "x.csv", "--config", config, "--k", 3)
    assert (code, news) == (2, "error: 'k' is given twice: as an option and with --config\n")
    config.write_text("quasis = []")
    code, _, news = command("anonymize", patients, "--out", tmp_path / "x.csv", "--config", config)
    assert code == 2
    assert "did you mean 'quasi'" in news


def test_gb18030_in_and_out(command: Call, tmp_path: Path) -> None:
    source, out = tmp_path / "人.csv", tmp_path / "开.csv"
    source.write_bytes("年龄;城市\n31;北京\n34;北京\n38;上海\n33;上海\n".encode("gb18030"))
    options = ("--quasi", "年龄", "--keep", "城市", "--force")
    for more in (("--encoding", "gb18030"), ()):
        code, _, news = command("anonymize", source, "--out", out, *options, *more)
        assert code == 0, news
        assert out.read_bytes().decode("gb18030").splitlines()[0] == "年龄;城市"
    code, _, news = command("anonymize", source, "--out", out, *options, "--encoding", "utf-8")
    assert (code, "is not utf-8" in news) == (2, True)
    code, _, news = command("aggregate", source, "--out", out, "--by", "城市", "--min-count", 2, "--force")
    assert code == 0, news
    assert "城市" in out.read_bytes().decode("gb18030")


def test_a_byte_order_mark_stays_and_stands_once(command: Call, tmp_path: Path) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_bytes("\ufeff年龄,城市\n31,北京\n34,北京\n".encode())
    code, _, news = command("anonymize", source, "--out", out, "--quasi", "年龄", "--keep", "城市")
    assert code == 0, news
    text = out.read_bytes().decode()
    assert (text[0], text.count("\ufeff"), text.splitlines()[0][1:]) == ("\ufeff", 1, "年龄,城市")


def test_broken_bytes_are_named_and_nothing_is_written(command: Call, tmp_path: Path) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_bytes("年龄,城市\n31,北京\n34,北".encode() + b"\xff\n")
    code, _, news = command("anonymize", source, "--out", out, "--quasi", "年龄")
    assert (code, "line 3: not valid UTF-8" in news, out.exists()) == (2, True, False)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--quasi", "agee"), 2, "did you mean 'age'"),
        (("--quasi", "age", "--k", 301), 2, "k = 301 is larger than patients.csv, which has 300 rows"),
        (("--quasi", "age", "--k", 0), 2, "k must be a whole number"),
        (("--quasi", "age", "--sensitive", "illness", "--l", 4), 1, "nothing satisfies the models"),
        (("--quasi", "age", "--hierarchy", "age=nowhere.csv"), 2, "no hierarchy at nowhere.csv"),
        (("--quasi", "age", "--hierarchy", "age"), 2, "--hierarchy takes COL=FILE"),
        (("--quasi", "age", "--hierarchy", "age=flat", "--hierarchy", "age=flat"), 2, "two hierarchies"),
        (("--quasi", "age", "--delta-presence", "0.2"), 2, "LOW:HIGH"),
        (("--quasi", "age", "--delta-presence", "0:1"), 2, "presence needs a population"),
        (("--quasi", "age", "--target", "zip"), 2, "the target 'zip' must be a published column"),
        ((), 2, "at least one quasi-identifier"),
    ],
)
def test_refusals_leave_nothing(
    command: Call, patients: Path, tmp_path: Path, arguments: tuple[object, ...], code: int, said: str
) -> None:
    out = tmp_path / "results" / "open.csv"
    found, printed, news = command("anonymize", patients, "--out", out, *arguments)
    assert (found, printed) == (code, "")
    assert said in news
    assert "Traceback" not in news
    assert not out.parent.exists()


def test_files_are_not_replaced_by_accident(command: Call, patients: Path) -> None:
    before = patients.read_bytes()
    code, _, news = command("anonymize", patients, "--out", patients, "--quasi", "age")
    assert code == 2
    assert "exists already" in news
    assert command("anonymize", patients, "--out", patients, "--quasi", "age", "--force")[0] == 2
    assert command("aggregate", patients, "--out", patients, "--by", "sex", "--force")[0] == 2
    assert patients.read_bytes() == before


def test_a_grouped_table(command: Call, patients: Path, tmp_path: Path) -> None:
    out = tmp_path / "counts.csv"
    code, said, news = command(
        "aggregate",
        patients,
        "--by",
        "zip",
        "--by",
        "illness",
        "--sum",
        "age",
        "--dominance",
        "1:0.5",
        "--out",
        out,
    )
    assert code == 0, news
    rows = rows_of(out)
    assert len(rows) == 16
    assert rows[-1]["count"] == "300"
    assert "cells are hidden" in said
    code, _, news = command("aggregate", patients, "--by", "town", "--out", tmp_path / "x.csv")
    assert code == 2
    assert "unknown column 'town'" in news
    assert (
        command("aggregate", patients, "--by", "zip", "--dominance", "1", "--out", tmp_path / "x.csv")[0] == 2
    )
    assert not (tmp_path / "x.csv").exists()
