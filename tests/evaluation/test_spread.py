"""An evaluation spread over workers gives the verdicts of one that was not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hauberk.attacks import APGD, PGD
from hauberk.compute import Processes, Workers
from hauberk.core.errors import ConfigError
from hauberk.datasets import Dataset
from hauberk.evaluation import Evaluation, Stage, evaluate, pieces
from hauberk.models import Classifier
from hauberk.threats import Linf

CASCADE = [Stage(attack=PGD(steps=10)), Stage(attack=APGD(steps=20), share=0.3)]


def spread(
    workers: Workers | None, model: Classifier, digits: Dataset, journal: Path | None = None
) -> Evaluation:
    return evaluate(
        model, digits.images[:100], digits.labels[:100], Linf(0.2), attacks=CASCADE, seed=6,
        workers=workers, journal=journal,
    )  # fmt: skip


def compare(found: Evaluation, alone: Evaluation) -> None:
    # kernels sum in another order on other threads and in other batches: a tie may fall otherwise
    pairs = list(zip(found.verdicts, alone.verdicts, strict=True))
    assert sum(one.status != other.status for one, other in pairs) <= 1
    assert [row.name for row in found.attacks] == [row.name for row in alone.attacks]
    assert found.attacks[0].attacked == alone.attacks[0].attacked


def test_processes(
    hardened: Classifier, digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = spread(None, hardened, digits)
    monkeypatch.setattr(pieces, "_PIECE", 20)
    compare(spread(Processes(2), hardened, digits, tmp_path / "journal"), alone)
    assert not (tmp_path / "journal").exists()


def test_errors_of_workers_arrive_as_they_are(hardened: Classifier, digits: Dataset) -> None:
    with pytest.raises(ConfigError, match="needs 3 classes"):
        evaluate(
            _two_classes(), digits.images[:4].flatten(1)[:, :3], digits.labels[:4] % 2, Linf(0.1),
            attacks=[PGD(objective="dlr")], workers=Processes(2),
        )  # fmt: skip


def _two_classes() -> Classifier:
    from torch import nn

    return Classifier(nn.Linear(3, 2), input_shape=(3,), labels=2).eval()


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
def test_ray(hardened_package: Path, tmp_path: Path) -> None:
    """In processes of their own: a process keeps the token of the first Ray it has seen."""
    if not os.environ.get("HAUBERK_CI"):  # there, nothing may be skipped
        pytest.importorskip("ray", reason="Ray is missing; pip install 'hauberk[ray]'")

    def verdicts(workers: str) -> list[dict[str, object]]:
        said = subprocess.run(
            [
                sys.executable, "-m", "hauberk", "evaluate", str(hardened_package), "--data", "digits",
                "--eps", "0.2", "--samples", "60", "--seed", "6", "--workers", workers, "--json",
                "--evidence", str(tmp_path),
            ],
            capture_output=True, text=True, check=True, timeout=400,
        )  # fmt: skip
        found: list[dict[str, object]] = json.loads(said.stdout)["verdicts"]
        return found

    pairs = list(zip(verdicts("ray"), verdicts("1"), strict=True))
    assert len(pairs) == 60
    assert sum(one["status"] != other["status"] for one, other in pairs) <= 1
