"""hauberk data seal and open by transcript, and training from a sealed file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import save_file

import hauberk
from hauberk.cli.app import run
from hauberk.core.evidence import load_folder
from hauberk.datasets import Dataset

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    def made(*arguments: object) -> tuple[int, str, str]:
        code = run([str(one) for one in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return made


@pytest.fixture
def keys(call: Call, tmp_path: Path) -> Path:
    for name in ("me", "ann"):
        assert call("keygen", "--out", tmp_path / name)[0] == 0
    return tmp_path / "me"


def test_a_folder_and_back(call: Call, keys: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("1,2\n")
    sealed = tmp_path / "data.sealed"
    code, out, _err = call("data", "seal", tmp_path / "in", "--recipient", f"{keys}.pub", "--out", sealed)
    assert (code, out.splitlines()[0].startswith(f"{sealed}: 1 files")) == (0, True)
    code, out, _err = call("data", "open", sealed, "--identity", keys, "--json")
    assert json.loads(out) == {
        "file": str(sealed), "verified": True, "folder": True, "files": 1, "size_bytes": 4, "out": None,
    }  # fmt: skip
    code, out, _err = call("data", "open", sealed, "--identity", keys, "--out", tmp_path / "out")
    assert (code, (tmp_path / "out" / "a.csv").read_text()) == (0, "1,2\n")
    code, _out, err = call("data", "open", sealed, "--identity", tmp_path / "ann")
    assert (code, err.startswith("error: ")) == (1, True)
    code, _out, err = call("data", "open", sealed, "--identity", keys, "--out", tmp_path / "out")
    assert (code, "exists already" in err) == (2, True)
    assert [one.kind for one in load_folder(tmp_path / "evidence")] == ["sealing"]


def test_parquet_by_role(call: Call, keys: Path, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table, sealed = tmp_path / "table.parquet", tmp_path / "sealed.parquet"
    parquet.write_table(pa.table({"age": [1, 2], "diagnosis": ["a", "b"]}), table)
    seal = ("data", "seal", table, "--parquet", "--recipient", f"{keys}.pub", "--out", sealed)
    code, _out, err = call(*seal, "--columns", "analyst=age")
    assert (code, "diagnosis" in err, sealed.exists()) == (2, True, False)
    roles = (
        "--columns",
        "analyst=age",
        "--columns",
        "doctor=diagnosis",
        "--reader",
        f"analyst={tmp_path}/ann.pub",
    )
    code, out, _err = call(*seal, *roles, "--json")
    assert (code, list(json.loads(out)["roles"])) == (0, ["analyst", "doctor"])
    code, out, _err = call("data", "open", sealed, "--identity", tmp_path / "ann", "--json")
    assert (json.loads(out)["columns"], json.loads(out)["withheld"]) == (["age"], ["diagnosis"])
    code, _out, _err = call("data", "open", sealed, "--identity", keys, "--out", tmp_path / "plain.parquet")
    assert parquet.read_table(tmp_path / "plain.parquet").equals(parquet.read_table(table))
    for wrong in (("--columns", "x"), ("--columns", "a=age", "--columns", "a=age"), ("--reader", "x=y")):
        assert call(*seal, "--force", *wrong)[0] == 2


def test_training_reads_a_sealed_file(
    call: Call, keys: Path, tmp_path: Path, digits: Dataset, digits_train: Dataset
) -> None:
    """The same model as from the data themselves, and no plain copy beside it."""
    (tmp_path / "in").mkdir()
    for split, data in (("train", digits_train.head(300)), ("test", digits.head(100))):
        tensors = {"images": data.images.contiguous(), "labels": data.labels.contiguous()}
        names = {"classes": json.dumps(data.classes)}
        save_file(tensors, tmp_path / "in" / f"{split}.safetensors", metadata=names)
    sealed, out = tmp_path / "digits.sealed", tmp_path / "model"
    assert call("data", "seal", tmp_path / "in", "--recipient", f"{keys}.pub", "--out", sealed)[0] == 0
    for file in (tmp_path / "in").iterdir():
        file.unlink()
    before = {path.name for path in tmp_path.iterdir()}
    train = ("train", "--data", sealed, "--arch", "cnn", "--epochs", 1, "--out", out)
    code, said, err = call(*train, "--identity", keys)
    assert code == 0, err
    assert "100 test images" in said
    assert {path.name for path in tmp_path.iterdir()} - before == {"model"}
    model = hauberk.load(out)
    assert model.evidence[-1].inputs["dataset"]["digest"] == digits_train.head(300).digest
    code, _said, err = call(*train, "--identity", tmp_path / "ann", "--force")
    assert (code, "none of the given keys" in err) == (1, True)
    assert call(*train, "--force")[0] == 2  # no data set of that name


def test_sealing_starts_without_torch(keys: Path, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"x")
    words = ["data", "seal", f"{tmp_path}/in", "--recipient", f"{keys}.pub", "--out", f"{tmp_path}/file"]
    code = (
        f"import sys; from hauberk.cli.app import run; run({words!r}); "
        "print([name for name in ('torch', 'pyarrow', 'opendp') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ))
    assert said.stdout.splitlines()[-1] == "[]", said.stderr
