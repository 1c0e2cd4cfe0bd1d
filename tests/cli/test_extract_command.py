"""``hauberk extract`` by transcript."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transcripts import Call

import hauberk
from hauberk.core.evidence import Evidence
from hauberk.models import read

QUICK = ("--arch", "mlp", "--set", "args={hidden=[32]}", "--epochs", "6", "--samples", "60")


def test_help_fits_a_screen(hauberk_command: Call) -> None:
    code, out, _ = hauberk_command("extract", "--help")
    assert code == 0
    assert len(out.splitlines()) <= 45
    assert "Example: hauberk extract" in out


def test_a_stolen_package_names_its_victim(hauberk_command: Call, plain_package: Path, tmp_path: Path) -> None:
    out = tmp_path / "stolen"
    code, text, err = hauberk_command(
        "extract", plain_package, "--data", "digits", "--queries", 160, "--labels", "--out", out, *QUICK
    )
    assert code == 0, err
    assert "queries  agrees with the victim" in text
    assert "    160  " in text
    assert "fool the victim" in text
    victim, stolen = read(plain_package), read(out)
    (born,) = stolen.evidence
    assert born.parameters["victim"] == {"name": "plain", "digest": victim.model_digest}
    assert born.parameters["knowledge"] == "labels"
    assert hauberk.load(out).architecture == {"name": "mlp", "args": {"hidden": [32]}}
    assert len(born.result["history"]) == 6  # as many epochs as were asked for
    (kept,) = (tmp_path / "evidence").glob("extraction-stolen-*.json")
    document = Evidence.load(kept)
    assert document.subject["digest"] == stolen.model_digest
    assert document.parents == (born.digest, victim.evidence[-1].digest)


def test_json_seed_pool_and_method(hauberk_command: Call, plain_package: Path, tmp_path: Path) -> None:
    documents = []
    for number in range(2):
        code, text, err = hauberk_command(
            "extract", plain_package, "--data", "digits", "--pool", "digits", "--method", "jacobian",
            "--queries", 40, "--scores", "--set", "seeds=20", "--set", "batch_size=16", "--norm", "l2",
            "--eps", 0.5, "--seed", 9, "--json", "--out", tmp_path / f"stolen-{number}", *QUICK,
        )  # fmt: skip
        assert code == 0, err
        documents.append(json.loads(text))
    first, second = documents
    assert first["points"] == second["points"]
    assert first["model"] == second["model"]
    assert [one["queries"] for one in first["points"]] == [20, 40]
    assert "seeds=20" in first["recipe"]
    assert "batch_size=16" in first["recipe"]
    assert 0 <= first["transfer"]["share"] <= 1


MISUSE: list[tuple[str, list[str]]] = [
    ("did you mean 'knockoff'", ["--method", "knockof"]),
    ("unknown setting 'seeds' in method knockoff", ["--set", "seeds=3"]),
    ("the pool has 1442 images", ["--queries", "2000"]),
    ("queries must be", ["--queries", "0"]),
    ("did you mean 'digits'", ["--pool", "digit"]),
    ("needs --eps", ["--norm", "l2"]),
    ("did you mean 'mlp'", ["--arch", "mpl"]),
    ("'epochs' is given twice", ["--epochs", "3", "--set", "epochs=3"]),
    ("'architecture' is given twice", ["--arch", "mlp", "--set", "architecture=cnn"]),
    ("did you mean 'random'", ["--set", "choice=randm"]),
    ("the victim's own package", ["--out", "PLAIN", "--force"]),
    ("exists already", ["--out", "PLAIN"]),
]


@pytest.mark.parametrize(("message", "arguments"), MISUSE, ids=lambda one: str(one)[:40])
def test_misuse(
    message: str, arguments: list[str], hauberk_command: Call, plain_package: Path, tmp_path: Path
) -> None:
    given = [str(plain_package) if one == "PLAIN" else one for one in arguments]
    if "--out" not in given:
        given += ["--out", str(tmp_path / "out")]
    if "--queries" not in given:
        given += ["--queries", "50"]
    code, out, err = hauberk_command("extract", plain_package, "--data", "digits", *given)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()
