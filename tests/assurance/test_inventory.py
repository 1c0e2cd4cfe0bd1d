"""The inventory against CycloneDX's schema, an independent reading of it, and the files that it names."""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import UTC, datetime, timedelta
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from hauberk.assurance.gathering.packages import gather_model
from hauberk.assurance.inventory import SPECIFICATIONS, Library, locked, make_bom, needed
from hauberk.assurance.inventory.bom import check
from hauberk.assurance.target import Model
from hauberk.assurance.trust import Trust
from hauberk.core.canonical import digest
from hauberk.core.errors import ConfigError, DataError, IntegrityError
from hauberk.core.evidence import Evidence

THREAT = {"norm": "linf", "eps": 0.2, "targeted": False, "knowledge": "white-box", "queries": None}


def evaluation(model: str, robust: float, **more: Any) -> Evidence:
    low, high = max(0.0, robust - 0.05), robust + 0.05
    result = {
        "samples": 200, "clean_accuracy": 0.98, "clean_interval": [0.95, 0.99],
        "robust_accuracy": robust, "robust_interval": [low, high], "attacks": [], "verdicts": [], "gallery": [],
        "flags": [{"code": "one-attack", "message": "only one attack was tried", "tried": []}],
    }  # fmt: skip
    return Evidence(
        kind="evaluation",
        subject={"name": "plain", "digest": model},
        inputs={"dataset": {"name": "digits/test", "samples": 200, "digest": digest("test")}},
        parameters={"threat": THREAT},
        result=result,
        seed=0,
        **more,
    )


@pytest.fixture
def package(plain_package: Path, tmp_path: Path) -> Path:
    return shutil.copytree(plain_package, tmp_path / "plain")


@pytest.fixture
def model(package: Path) -> Model:
    born = json.loads((package / "model.json").read_text())["model"]
    evaluation(born, 0.4, created="2030-01-01T00:00:00Z").save(package.parent / "evidence")
    return gathered(package)


def gathered(package: Path, at: datetime = datetime(2030, 6, 1, tzinfo=UTC)) -> Model:
    return gather_model(package, Trust(), at=at)


AT = datetime(2030, 6, 1, 12, 30, tzinfo=UTC)
LIBRARIES = [Library("numpy", "2.4.6", "BSD-3-Clause"), Library("torch", "2.13.0+cpu", needs=("numpy",))]


def parsed(model: Model, **options: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(make_bom(model, LIBRARIES, at=AT, **options))
    return document


@pytest.mark.parametrize("specification", SPECIFICATIONS)
def test_another_validator_finds_it_valid_too(specification: str, model: Model) -> None:
    folder = resources.files("cyclonedx.schema._res")

    def schema(name: str) -> Any:
        return json.loads((folder / name).read_text("utf-8"))

    parts = {
        f"http://cyclonedx.org/schema/{name}": schema(name)
        for name in ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")
    }
    parts["http://cyclonedx.org/schema/cryptography-defs.SNAPSHOT.schema.json"] = schema(
        "cryptography-defs.SNAPSHOT.schema.json"
    )
    registry = jsonschema_rs.Registry(list(parts.items()))
    validator = jsonschema_rs.Draft7Validator(
        schema(f"bom-{specification}.SNAPSHOT.schema.json"), registry=registry
    )
    document = parsed(model, specification=specification, licence="Apache-2.0 OR MIT")
    assert [str(one) for one in validator.iter_errors(document)] == []
    assert document["specVersion"] == specification
    document["metadata"]["component"]["modelCard"]["surprise"] = 1
    assert list(validator.iter_errors(document)) != []


def test_hashes_are_those_of_the_files(model: Model, package: Path) -> None:
    files = parsed(model)["metadata"]["component"]["components"]
    assert {one["name"] for one in files} >= {"weights.safetensors", "evidence/00-training.json"}
    for one in files:
        assert one["hashes"][0]["content"] == hashlib.sha256((package / one["name"]).read_bytes()).hexdigest()


def test_data_of_all_evidence_with_what_it_was_for(model: Model) -> None:
    document = parsed(model)
    data = {one["bom-ref"]: one for one in document["components"] if one["type"] == "data"}
    training = next(one for one in model.born if one.kind == "training").inputs["dataset"]
    assert "training" in data[f"data:{training['digest']}"]["description"]
    assert data[f"data:{digest('test')}"]["description"] == "200 samples, for evaluation"
    card = document["metadata"]["component"]["modelCard"]["modelParameters"]
    assert {one["ref"] for one in card["datasets"]} == set(data)
    assert card["modelArchitecture"] == "cnn"


def test_figures_are_those_of_the_evaluation(model: Model) -> None:
    card = parsed(model)["metadata"]["component"]["modelCard"]
    found = {one["type"]: one for one in card["quantitativeAnalysis"]["performanceMetrics"]}
    worst = found["accuracy in the worst case"]
    assert (worst["value"], worst["confidenceInterval"]) == (
        "0.4",
        {"lowerBound": "0.35", "upperBound": "0.45"},
    )
    assert "L∞ radius 0.2" in worst["slice"]
    assert next(one.digest for one in model.evidence if one.kind == "evaluation") in worst["slice"]
    assert any("only one attack was tried" in one for one in card["considerations"]["technicalLimitations"])


def test_evidence_that_does_not_count_is_not_in_it(model: Model, package: Path) -> None:
    folder = package.parent / "evidence"
    evaluation(digest("another"), 0.77, created="2030-02-01T00:00:00Z").save(folder, "foreign")
    evaluation(model.subject.digest or "", 0.88, created="2001-01-01T00:00:00Z").save(folder, "older")
    edited = json.loads(next(folder.glob("evaluation-*.json")).read_text())
    edited["result"]["robust_accuracy"] = 0.42
    (folder / "edited.json").write_text(json.dumps(edited))
    text = make_bom(gathered(package), LIBRARIES, at=AT)
    assert [figure for figure in ("0.4", "0.77", "0.88", "0.42") if f'"value": "{figure}"' in text] == ["0.4"]
    assert text.count("accuracy in the worst case") == 1


def test_a_package_without_later_evidence_has_a_card_without_figures(package: Path) -> None:
    card = parsed(gathered(package))["metadata"]["component"]["modelCard"]
    assert "quantitativeAnalysis" not in card


def test_base_models_come_from_provenance(tmp_path: Path, digits: Any, plain_package: Path) -> None:
    import hauberk

    classifier = hauberk.load(plain_package)
    step = Evidence(
        kind="hardening",
        subject={"name": "next", "digest": classifier.digest},
        inputs={"model": {"name": "plain", "digest": digest("base")}},
        parents=(classifier.evidence[-1].digest,),
        created="2029-01-01T00:00:00Z",
    )
    brought = Evidence(
        kind="import",
        subject={"name": "next", "digest": classifier.digest},
        parameters={"format": "onnx", "file": "net.onnx", "file_digest": f"sha256:{'c' * 64}"},
        result={"largest_difference": 0.0, "probes": 1, "conversions": []},
        created="2028-01-01T00:00:00Z",
    )
    classifier.evidence = (*classifier.evidence, brought, step)
    package = hauberk.save(classifier, tmp_path / "next").path
    component = parsed(gathered(package))["metadata"]["component"]
    bases = {one["name"]: one for one in component["pedigree"]["ancestors"]}
    assert bases.keys() == {"plain", "net.onnx"}
    assert bases["net.onnx"]["hashes"] == [{"alg": "SHA-256", "content": "c" * 64}]


def test_the_same_facts_give_the_same_bytes_and_others_another_number(model: Model) -> None:
    assert make_bom(model, LIBRARIES, at=AT) == make_bom(model, LIBRARIES, at=AT)
    numbers = {
        parsed(model)["serialNumber"],
        parsed(model, licence="MIT")["serialNumber"],
        json.loads(make_bom(model, LIBRARIES, at=AT + timedelta(seconds=1)))["serialNumber"],
        json.loads(make_bom(model, LIBRARIES[:1], at=AT))["serialNumber"],
    }
    assert len(numbers) == 4


def test_libraries_that_hauberk_needs_are_those_that_are_installed() -> None:
    found = {one.name: one for one in needed()}
    for name in ("hauberk", "torch", "numpy", "sympy"):  # sympy is needed by torch
        assert found[name].version == metadata.version(name)
        assert found[name].licence
    assert "pytest" not in found
    assert "numpy" in found["hauberk"].needs
    record = metadata.distribution("numpy").read_text("RECORD") or ""
    assert found["numpy"].record == hashlib.sha256(record.encode()).hexdigest()


def test_who_needs_whom_is_in_the_document(model: Model) -> None:
    needs = {one["ref"]: one.get("dependsOn", []) for one in parsed(model)["dependencies"]}
    assert needs["pkg:pypi/torch@2.13.0%2Bcpu"] == ["pkg:pypi/numpy@2.4.6"]
    assert "pkg:pypi/torch@2.13.0%2Bcpu" in needs[f"model:{model.subject.digest}"]
    assert "pkg:pypi/numpy@2.4.6" not in needs[f"model:{model.subject.digest}"]


def test_libraries_of_a_lock_file_with_its_hashes(tmp_path: Path, model: Model) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text(
        f"numpy==1.0 --hash=sha256:{'a' * 64} --hash=sha256:{'b' * 64}\nnot-installed-anywhere==3\nrich\n"
    )
    found = locked(lock)
    assert [(one.name, one.version) for one in found] == [("not-installed-anywhere", "3"), ("numpy", "1.0")]
    assert found[1].record == ""  # another version is installed: its files are others
    document = json.loads(make_bom(model, found, at=AT))
    numpy = next(one for one in document["components"] if one["name"] == "numpy")
    assert {one["hashes"][0]["content"] for one in numpy["externalReferences"]} == {"a" * 64, "b" * 64}


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("MIT", {"license": {"id": "MIT"}}),
        ("Apache-2.0 OR MIT", {"expression": "Apache-2.0 OR MIT"}),
        ("our own words", {"license": {"name": "our own words"}}),
    ],
)
def test_licences(said: str, written: dict[str, Any], model: Model) -> None:
    assert parsed(model, licence=said)["metadata"]["component"]["licenses"] == [written]


def test_a_package_that_cannot_be_believed_has_no_inventory(package: Path) -> None:
    weights = package / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    with pytest.raises(IntegrityError):
        make_bom(gathered(package), LIBRARIES, at=AT)


def test_an_unknown_specification(model: Model) -> None:
    with pytest.raises(ConfigError, match=r"1\.6, 1\.7"):
        make_bom(model, LIBRARIES, at=AT, specification="1.3")  # type: ignore[arg-type]


@pytest.mark.parametrize("damage", ["twice", "dangling", "schema"])
def test_the_check_finds_what_is_wrong(damage: str, model: Model) -> None:
    document = parsed(model)
    if damage == "twice":
        document["components"][0]["bom-ref"] = document["components"][1]["bom-ref"]
    elif damage == "dangling":
        document["metadata"]["component"]["modelCard"]["modelParameters"]["datasets"][0]["ref"] = "data:none"
    else:
        document["metadata"]["component"]["type"] = "model"
    with pytest.raises(DataError, match="inventory"):
        check(json.dumps(document), "1.6")
