"""Published inclusion and consistency proofs of transparency-dev/merkle, the right ones and the wrong ones."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hauberk.core.errors import IntegrityError
from hauberk.ledger.checking import verify_consistency, verify_inclusion

VECTORS = Path(os.environ.get("HAUBERK_VECTORS") or Path(__file__).parents[3] / "shared" / "vectors") / "merkle"
INCLUSION = sorted((VECTORS / "inclusion").rglob("*.json"))
CONSISTENCY = sorted((VECTORS / "consistency").rglob("*.json"))


def test_the_vectors_are_here(absent: Callable[[str, str], None]) -> None:
    if not INCLUSION or not CONSISTENCY:
        absent("the vectors of transparency-dev/merkle", "put shared/vectors beside the checkout")
    wrong = [json.loads(path.read_bytes())["wantErr"] for path in INCLUSION + CONSISTENCY]
    assert (wrong.count(False), wrong.count(True)) == (12, 184)


def data(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def holds(check: Callable[[], None]) -> bool:
    try:
        check()
    except IntegrityError:
        return False
    return True


@pytest.mark.parametrize("path", INCLUSION, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_inclusion(path: Path) -> None:
    case = json.loads(path.read_bytes())
    proof = [data(one) for one in case["proof"] or []]
    said = holds(
        lambda: verify_inclusion(
            data(case["leafHash"]), case["leafIdx"], case["treeSize"], proof, data(case["root"])
        )
    )
    assert said is not case["wantErr"], case["desc"]


@pytest.mark.parametrize("path", CONSISTENCY, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_consistency(path: Path) -> None:
    case = json.loads(path.read_bytes())
    proof = [data(one) for one in case["proof"] or []]
    said = holds(
        lambda: verify_consistency(
            case["size1"], data(case["root1"]), case["size2"], data(case["root2"]), proof
        )
    )
    assert said is not case["wantErr"], case["desc"]
