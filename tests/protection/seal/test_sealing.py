"""Sealing and opening: what goes in comes out to the last bit, for the named and nobody else."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import packages
import pytest
import torch

import hauberk
from hauberk.core.errors import ConfigError, DataError, IntegrityError, NoIdentityMatched, UnsupportedModel
from hauberk.core.evidence import Evidence
from hauberk.crypto import age
from hauberk.models import Classifier
from hauberk.protection import seal as room
from hauberk.protection.seal import (
    check,
    extract,
    inspect,
    open_model,
    open_tensor,
    open_tensors,
    reseal,
    rewrap,
    seal,
)
from hauberk.protection.seal.container import SealedFile
from hauberk.protection.seal.inspecting import look_inside
from hauberk.protection.seal.recording import rewrapped_evidence, sealed_evidence

ME = age.generate()
ANN = age.generate()
WIDE = {"depth": 10, "width": 1}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return packages.write_package(tmp_path / "package")


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """Small, with everything that a package can hold: evidence, normalisation, a batch norm's counter."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = hauberk.models.architectures.build("wide-resnet", (1, 8, 8), 3, WIDE)
    first = Evidence(kind="training", subject={"name": "a"}, created="2026-01-01T00:00:00Z")
    second = Evidence(kind="hardening", subject={"name": "b"}, parents=[first.digest])
    return Classifier(
        module, input_shape=(1, 8, 8), labels=["猫", "dog", "fox"], normalization=([0.1], [0.3]),
        architecture={"name": "wide-resnet", "args": WIDE}, evidence=[first, second],
    ).eval()  # fmt: skip


@pytest.fixture(scope="module")
def network(classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("network") / "package"
    hauberk.save(classifier, path)
    return path


@pytest.fixture(scope="module")
def sealed_network(network: Path) -> Path:
    path = network.with_name("network.sealed")
    seal(network, path, [ME.recipient], segment_bytes=1 << 16)
    return path


@pytest.mark.parametrize(("segment_bytes", "threads"), [(64, 1), (100, 3), (1 << 20, 2)])
def test_a_package_comes_back_to_the_last_byte(
    package: Path, tmp_path: Path, segment_bytes: int, threads: int
) -> None:
    sealed = seal(package, tmp_path / "file", [ME.recipient], segment_bytes=segment_bytes, threads=threads)
    assert sealed.size_bytes == (tmp_path / "file").stat().st_size
    opened = extract(tmp_path / "file", [ME], tmp_path / "out", threads=threads)
    assert packages.contents(tmp_path / "out") == packages.contents(package)
    assert (opened.model, opened.package) == (sealed.model, sealed.package)
    assert opened.tensors == sealed.tensors == len(packages.TENSORS)


def test_nothing_of_the_model_shows(package: Path, tmp_path: Path) -> None:
    seal(package, tmp_path / "file", [ME.recipient])
    data = (tmp_path / "file").read_bytes()
    for word in (b"weight", b"scalar", b"F32", b"model", b"notes", b"more than one segment", bytes(range(8))):
        assert word not in data.replace(b"hauberk-sealed/1", b"")


def test_tensors_are_those_of_the_file(package: Path, tmp_path: Path) -> None:
    seal(package, tmp_path / "file", [ME.recipient], segment_bytes=80)
    tensors = open_tensors(tmp_path / "file", [ME], threads=3)
    assert [*tensors] == ["empty", "scalar", "half", "bits", "whole", "weight"]
    assert tensors["empty"].shape == (0, 3)
    assert tensors["scalar"].item() == 2.5
    assert tensors["bits"].tolist() == [True, False, True]
    assert tensors["whole"].tolist() == [-1, 1 << 40]
    assert tensors["weight"].tolist() == [*range(40)]
    assert tensors["half"].dtype == torch.bfloat16
    for name, tensor in tensors.items():
        assert torch.equal(open_tensor(tmp_path / "file", name, [ME]), tensor)
    with pytest.raises(DataError, match="no tensor 'wieght'"):
        open_tensor(tmp_path / "file", "wieght", [ME])


def test_a_classifier_is_the_one_that_was_sealed(
    classifier: Classifier, network: Path, sealed_network: Path
) -> None:
    opened, loaded = open_model(sealed_network, [ME]), hauberk.load(network)
    assert opened.digest == loaded.digest == classifier.digest
    assert opened.evidence == classifier.evidence
    assert not opened.training
    x = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(opened(x), loaded(x))
    assert all(one.requires_grad for one in opened.parameters())


def test_half_precision_and_parts(tmp_path: Path, plain: Classifier) -> None:
    half = hauberk.load(hauberk.save(plain, tmp_path / "one").path).to(torch.bfloat16)
    hauberk.save(half, tmp_path / "half")
    seal(tmp_path / "half", tmp_path / "file", [ME.recipient])
    opened = open_model(tmp_path / "file", [ME])
    assert opened.dtype == torch.bfloat16
    assert opened.digest == half.digest


def test_opening_writes_nothing(sealed_network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither through Python's own files nor through the system's."""
    honest_open, honest_os_open = io.open, os.open

    def python_open(file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
        assert not set(mode) & set("wax+"), file
        return honest_open(file, mode, *rest, **more)

    def os_open(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        assert not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT), path
        return honest_os_open(path, flags, *rest, **more)

    monkeypatch.setattr("builtins.open", python_open)
    monkeypatch.setattr(os, "open", os_open)
    check(sealed_network, [ME])
    open_model(sealed_network, [ME])
    open_tensor(sealed_network, next(iter(open_tensors(sealed_network, [ME]))), [ME])


def test_one_tensor_reads_its_own_message_only(
    sealed_network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = open_tensors(sealed_network, [ME])
    read = 0
    honest = SealedFile.fill

    def counted(self: SealedFile, at: int, out: memoryview) -> None:
        nonlocal read
        read += len(out) if at else 0  # the header's first look is as long as a header may be
        honest(self, at, out)

    monkeypatch.setattr(SealedFile, "fill", counted)
    name = next(name for name, tensor in tensors.items() if tensor.numel() == 3)
    assert torch.equal(open_tensor(sealed_network, name, [ME]), tensors[name])
    assert read < 20_000 < sealed_network.stat().st_size / 10
    monkeypatch.undo()
    spoilt = tmp_path / "spoilt"  # the end of another tensor
    data = bytearray(sealed_network.read_bytes())
    data[-1] ^= 1
    spoilt.write_bytes(data)
    last = [*tensors][-1]
    assert last != name
    assert torch.equal(open_tensor(spoilt, name, [ME]), tensors[name])
    for attempt in (
        lambda: open_tensor(spoilt, last, [ME]),
        lambda: open_tensors(spoilt, [ME]),
        lambda: open_model(spoilt, [ME]),
    ):
        with pytest.raises(IntegrityError, match="does not verify"):
            attempt()


def test_weights_that_are_not_the_manifests_are_not_a_model(tmp_path: Path) -> None:
    """Sealed by somebody who left the check out: every tag verifies, the model is still another."""
    package = packages.write_package(tmp_path / "package")
    data = bytearray((package / "weights.safetensors").read_bytes())
    data[-1] ^= 1
    (package / "weights.safetensors").write_bytes(data)
    seal(package, tmp_path / "file", [ME.recipient], check_digests=False)
    assert len(open_tensors(tmp_path / "file", [ME])) == len(packages.TENSORS)
    for attempt in (
        lambda: check(tmp_path / "file", [ME]),
        lambda: extract(tmp_path / "file", [ME], tmp_path / "out"),
    ):
        with pytest.raises(IntegrityError, match="SHA-256 differs"):
            attempt()
    assert not (tmp_path / "out").exists()


def test_rewrapping_leaves_the_body(package: Path, tmp_path: Path) -> None:
    path = tmp_path / "file"
    seal(package, path, [ME.recipient])
    body = path.read_bytes()[inspect(path).header_bytes :]
    with pytest.raises(NoIdentityMatched):
        check(path, [ANN])
    added = rewrap(path, [ME], add=[ANN.recipient])
    assert [one.fingerprint for one in added.readers] == [
        age.fingerprint(one.recipient).hex() for one in (ME, ANN)
    ]
    assert check(path, [ANN]) == check(path, [ME])
    with_both = path.read_bytes()
    rewrap(path, [ANN], remove=[ME.recipient])
    assert path.read_bytes()[inspect(path).header_bytes :] == body == with_both[-len(body) :]
    with pytest.raises(NoIdentityMatched):
        check(path, [ME])
    assert look_inside(path, [ANN])[1].fingerprints == (age.fingerprint(ANN.recipient).hex(),)
    old = tmp_path / "old"
    old.write_bytes(with_both)
    check(old, [ME])  # nothing is taken back


def test_a_new_key_is_a_new_file(package: Path, tmp_path: Path) -> None:
    """Who kept the old header cannot read the new body with it."""
    path = tmp_path / "file"
    seal(package, path, [ME.recipient, ANN.recipient], segment_bytes=90)
    before = path.read_bytes()
    start = inspect(path).header_bytes
    done = reseal(path, [ME], [ME.recipient])
    assert done.new_key
    extract(path, [ME], tmp_path / "out")
    assert packages.contents(tmp_path / "out") == packages.contents(package)
    after = path.read_bytes()
    path.write_bytes(before[:start] + after[inspect(path).header_bytes :])
    with pytest.raises(IntegrityError):
        check(path, [ANN])


def test_who_cannot_be_added_or_removed(package: Path, tmp_path: Path) -> None:
    path = tmp_path / "file"
    curve = age.generate("x25519")
    seal(package, path, [ME.recipient])
    before = path.read_bytes()
    for settings, match in (
        ({}, "nothing to do"),
        ({"add": [ME.recipient]}, "can open the file already"),
        ({"remove": [ANN.recipient]}, "not among the recipients"),
        ({"remove": [ME.recipient]}, "nobody could open"),
        ({"add": [curve.recipient]}, "quantum"),
        ({"add": [packages.phrase()]}, "alone"),
    ):
        with pytest.raises(ConfigError, match=match):
            rewrap(path, [ME], **settings)  # type: ignore[arg-type]
    assert path.read_bytes() == before
    rewrap(path, [ME], add=[curve.recipient], mixed=True)
    assert not inspect(path).post_quantum
    check(path, [curve])


def test_a_passphrase(package: Path, tmp_path: Path) -> None:
    path = tmp_path / "file"
    sealed = seal(package, path, [packages.phrase()])
    assert sealed.readers[0].fingerprint is None
    check(path, [packages.phrase()])
    assert inspect(path).kinds == ("scrypt",)
    with pytest.raises(ConfigError, match="does not say"):
        rewrap(path, [packages.phrase()], remove=[ME.recipient])
    reseal(path, [packages.phrase()], [ME.recipient])
    check(path, [ME])


def test_settings_and_places(package: Path, tmp_path: Path) -> None:
    path = tmp_path / "file"
    for settings, match in (
        ({"segment_bytes": 63}, "segment_bytes"),
        ({"segment_bytes": 1 << 25}, "segment_bytes"),
        ({"threads": 0}, "threads"),
    ):
        with pytest.raises(ConfigError, match=match):
            seal(package, path, [ME.recipient], **settings)
    with pytest.raises(ConfigError, match="nobody"):
        seal(package, path, [])
    with pytest.raises(DataError, match="not a model package"):
        seal(tmp_path / "none", path, [ME.recipient])
    seal(package, path, [ME.recipient])
    with pytest.raises(DataError, match="not a model package") as caught:
        hauberk.load(path)
    assert "hauberk open" in str(caught.value.hint)
    with pytest.raises(ConfigError, match="exists already"):
        seal(package, path, [ME.recipient])
    with pytest.raises(ConfigError, match="exists already"):
        extract(path, [ME], path, overwrite=True)
    extract(path, [ME], tmp_path / "out")
    extract(path, [ME], tmp_path / "out", overwrite=True)
    with pytest.raises(AttributeError, match="no attribute 'sael'"):
        room.sael  # noqa: B018


def test_weights_that_do_not_fit(tmp_path: Path, sealed_network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hauberk.protection.seal import models

    honest = models.build

    def other(*arguments: Any) -> Classifier:
        made = honest(*arguments)
        made.module = torch.nn.Linear(7, 3)
        return made

    monkeypatch.setattr(models, "build", other)
    with pytest.raises(UnsupportedModel, match="do not fit"):
        open_model(sealed_network, [ME])


def test_evidence_names_what_was_before_and_no_secret(
    network: Path, tmp_path: Path, classifier: Classifier
) -> None:
    path = tmp_path / "file"
    record = sealed_evidence(seal(network, path, [ME.recipient]))
    assert record.kind == "sealing"
    assert record.parents == (classifier.evidence[-1].digest,)
    assert record.subject["digest"] == classifier.digest
    assert record.result["file_digest"] == hauberk.core.canonical.file_digest(path)
    assert record.parameters["recipients"][0]["fingerprint"] == age.fingerprint(ME.recipient).hex()
    again = rewrapped_evidence(rewrap(path, [ME], add=[ANN.recipient]), record.result["file_digest"])
    assert again.inputs["sealed"] == {"digest": record.result["file_digest"]}
    assert again.parents == record.parents
    for one in (record, again):
        text = str(one.to_json())
        assert "AGE-SECRET" not in text
        assert ME.secret.hex() not in text
        assert Evidence.from_json(one.to_json()) == one
