"""Model packages: bit for bit the same after a round trip, and never wrong in silence after damage."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hauberk.core.canonical import digest
from hauberk.core.errors import (
    ConfigError,
    DataError,
    EnvironmentFailure,
    HauberkError,
    IntegrityError,
    UnknownName,
    UnsupportedModel,
)
from hauberk.core.evidence import Evidence
from hauberk.models import Classifier, load, read, save
from hauberk.models.architectures import build

NETWORKS: list[tuple[str, tuple[int, ...], dict[str, Any]]] = [
    ("cnn", (1, 8, 8), {"channels": [2, 3], "hidden": 4}),
    ("mlp", (2, 3), {"hidden": [5]}),
    ("preact-resnet18", (1, 4, 4), {}),
    ("wide-resnet", (3, 8, 8), {"depth": 10, "width": 1, "dropout": 0.2}),
]
SMALL = NETWORKS[1]


def classifier(
    name: str, shape: tuple[int, ...], args: dict[str, Any], *, seed: int = 0, **settings: Any
) -> Classifier:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = build(name, shape, 3, args)
        for one in module.modules():  # a batch norm that has seen something
            if isinstance(one, nn.BatchNorm2d):
                one.running_mean.normal_()
                one.running_var.uniform_(0.5, 2)
    made = {"input_shape": shape, "labels": ["猫", "dog", "fox"], **settings}
    return Classifier(module, architecture={"name": name, "args": args}, **made).eval()


def small(seed: int = 0, **settings: Any) -> Classifier:
    return classifier(*SMALL, seed=seed, **settings)


def with_evidence() -> Classifier:
    first = Evidence(kind="training", subject={"name": "a"}, created="2026-01-01T00:00:00Z")
    second = Evidence(kind="hardening", subject={"name": "b"}, parents=[first.digest])
    return small(normalization=([0.1307, 1 / 3], [0.3081, 2 / 7]), evidence=[first, second])


def images(made: Classifier, count: int = 4) -> Tensor:
    return torch.rand(count, *made.input_shape, generator=torch.Generator().manual_seed(0))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def rewrite(path: Path, change: Callable[[dict[str, Any]], Any], *, seal: bool = True) -> None:
    """Change the manifest; with ``seal`` its digest is made right again, as somebody with intent would."""
    manifest = json.loads((path / "model.json").read_text())
    change(manifest)
    if seal:
        manifest["digest"] = digest({key: value for key, value in manifest.items() if key != "digest"})
    (path / "model.json").write_text(json.dumps(manifest))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save(with_evidence(), tmp_path / "model")
    return tmp_path / "model"


class TestRoundTrip:
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
    @pytest.mark.parametrize("normalization", [None, ([0.1307], [0.3081])])
    @pytest.mark.parametrize(("name", "shape", "args"), NETWORKS)
    def test_logits_are_equal_to_the_last_bit(
        self,
        tmp_path: Path,
        name: str,
        shape: tuple[int, ...],
        args: dict[str, Any],
        normalization: Any,
        dtype: torch.dtype,
    ) -> None:
        if name == "preact-resnet18" and (dtype != torch.float32 or normalization):
            return  # the large one once; its parts are the wide one's
        made = classifier(name, shape, args, normalization=normalization).to(dtype)
        package = save(made, tmp_path / "model")
        again = load(tmp_path / "model")
        assert again.dtype == dtype
        assert torch.equal(again(images(made)), made(images(made)))
        assert again.digest == made.digest == package.model_digest
        assert not any(one.training for one in again.modules())

    def test_a_network_of_several_dtypes_keeps_each(self, tmp_path: Path) -> None:
        made = classifier(*NETWORKS[3])
        made.module.half()
        for one in made.module.modules():
            if isinstance(one, nn.BatchNorm2d):
                one.float()  # as mixed-precision training leaves it
        save(made, tmp_path / "model")
        again = load(tmp_path / "model")
        assert again.digest == made.digest
        kinds = {name: one.dtype for name, one in made.module.state_dict().items()}
        assert {name: one.dtype for name, one in again.module.state_dict().items()} == kinds
        assert len(set(kinds.values())) == 3  # half, float, and the batch norm's counter

    def test_the_contract_and_the_evidence_travel(self, tmp_path: Path) -> None:
        made = with_evidence()
        made.bounds = type(made.bounds)((0.0, -1.0), (1.0, 2.0))
        save(made, tmp_path / "model")
        again = load(tmp_path / "model")
        for name in ("labels", "bounds", "input_shape", "outputs", "architecture"):
            assert getattr(again, name) == getattr(made, name)
        assert [one.digest for one in again.evidence] == [one.digest for one in made.evidence]
        assert torch.equal(again(images(made)), made(images(made)))

    def test_reading_gives_the_facts_without_building(self, saved: Path) -> None:
        package = read(str(saved))
        assert package.path == saved
        assert package.manifest["provenance"] == [one.digest for one in package.evidence]
        assert package.model_digest == with_evidence().digest
        assert package.digest.startswith("sha256:")

    def test_saving_what_was_loaded_gives_the_same_files(self, saved: Path, tmp_path: Path) -> None:
        save(load(saved), tmp_path / "again")
        assert contents(tmp_path / "again") == contents(saved)

    def test_saving_changes_nothing_in_the_classifier(self, tmp_path: Path) -> None:
        made = small().train()
        before = made.digest
        save(made, tmp_path / "model")
        assert made.training
        assert made.digest == before
        assert all(one.requires_grad for one in made.parameters())

    def test_no_file_is_a_pickle(self, saved: Path) -> None:
        assert set(contents(saved)) == {
            "model.json",
            "weights.safetensors",
            "evidence/00-training.json",
            "evidence/01-hardening.json",
        }
        for data in contents(saved).values():
            assert not data.startswith((b"\x80", b"PK"))


FILES = ["model.json", "weights.safetensors", "evidence/00-training.json", "evidence/01-hardening.json"]


class TestDamage:
    @pytest.mark.parametrize("name", FILES)
    def test_a_flipped_bit_is_refused_or_changes_nothing(self, saved: Path, name: str) -> None:
        target = saved / name
        whole = target.read_bytes()
        expected = load(saved)
        facts, logits = expected.contract(), expected(images(expected))
        draw = random.Random(0)
        harmless = 0
        for position in draw.sample(range(len(whole)), min(len(whole), 150)):
            flipped = whole[position] ^ (1 << draw.randrange(8))
            target.write_bytes(whole[:position] + bytes([flipped]) + whole[position + 1 :])
            try:
                found = load(saved)
            except (IntegrityError, DataError):
                continue
            harmless += 1  # white space between the manifest's keys, for example
            assert name == "model.json"
            assert found.contract() == facts
            assert torch.equal(found(images(found)), logits)
        assert harmless < 15

    @pytest.mark.parametrize("name", FILES)
    @pytest.mark.parametrize("share", [0, 0.3, 0.99])
    def test_a_truncated_file_is_refused(self, saved: Path, name: str, share: float) -> None:
        whole = (saved / name).read_bytes()
        (saved / name).write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(IntegrityError):
            load(saved)

    @pytest.mark.parametrize("name", FILES[1:])
    @pytest.mark.parametrize("extra", [b"\0", b"\n"])
    def test_a_longer_file_is_refused(self, saved: Path, name: str, extra: bytes) -> None:
        with open(saved / name, "ab") as file:
            file.write(extra)
        with pytest.raises(IntegrityError, match="truncated or changed"):
            load(saved)

    @pytest.mark.parametrize("name", FILES[1:])
    def test_a_missing_file_is_refused_and_named(self, saved: Path, name: str) -> None:
        (saved / name).unlink()
        with pytest.raises(IntegrityError, match=name):
            read(saved)

    def test_weights_of_another_model_are_refused(self, saved: Path, tmp_path: Path) -> None:
        save(small(seed=1), tmp_path / "other")
        shutil.copy(tmp_path / "other" / "weights.safetensors", saved)
        with pytest.raises(IntegrityError):
            load(saved)

    @pytest.mark.parametrize("key", ["bounds", "shape", "normalization"])
    def test_an_edited_contract_is_refused(self, saved: Path, key: str) -> None:
        rewrite(saved, lambda manifest: manifest["input"].update({key: None}), seal=False)
        with pytest.raises(IntegrityError, match="digest does not match"):
            load(saved)

    def test_a_changed_key_is_damage_and_not_a_typing_error(self, saved: Path) -> None:
        rewrite(saved, lambda manifest: manifest.update(lables=manifest.pop("labels")), seal=False)
        with pytest.raises(IntegrityError):
            load(saved)

    def test_files_beside_the_package_change_nothing(self, saved: Path) -> None:
        (saved / "notes.txt").write_text("mine")
        (saved / "evidence" / "99-evaluation.json").write_text("{}")
        assert len(load(saved).evidence) == 2


class TestManifest:
    @pytest.mark.parametrize(
        "outside", ["../secret", "/etc/hostname", "evidence/../../secret", "weights.safetensors/../../secret"]
    )
    def test_a_file_outside_the_package_is_refused(self, saved: Path, outside: str) -> None:
        (saved.parent / "secret").write_bytes(b"x")
        facts = {"sha256": "0" * 64, "size_bytes": 1}
        rewrite(saved, lambda manifest: manifest["files"].update({outside: facts}))
        with pytest.raises(IntegrityError, match="outside itself"):
            read(saved)

    @pytest.mark.parametrize(
        ("change", "near"),
        [
            (lambda manifest: manifest.update(label=[]), "labels"),
            (lambda manifest: manifest["input"].update(bound=[0, 1]), "bounds"),
            (lambda manifest: manifest["architecture"].update(arg={}), "args"),
        ],
    )
    def test_an_unknown_key_names_the_nearest(self, saved: Path, change: Any, near: str) -> None:
        rewrite(saved, change)
        with pytest.raises(UnknownName, match=f"did you mean '{near}'"):
            read(saved)

    def test_an_unknown_architecture_or_argument_names_the_nearest(self, saved: Path) -> None:
        rewrite(saved, lambda manifest: manifest["architecture"].update(args={"hiden": [5]}))
        with pytest.raises(UnknownName, match="did you mean 'hidden'"):
            load(saved)
        rewrite(saved, lambda manifest: manifest["architecture"].update(name="mpl"))
        with pytest.raises(UnknownName, match="did you mean 'mlp'"):
            load(saved)

    @pytest.mark.parametrize(
        "key", ["architecture", "input", "outputs", "labels", "model", "provenance", "files"]
    )
    def test_a_lacking_key_is_named(self, saved: Path, key: str) -> None:
        rewrite(saved, lambda manifest: manifest.pop(key))
        with pytest.raises(DataError, match=f"lacks '{key}'"):
            read(saved)

    @pytest.mark.parametrize("version", ["hauberk-model/2", "", None, 1, ["hauberk-model/1"]])
    def test_another_format_is_refused(self, saved: Path, version: Any) -> None:
        rewrite(saved, lambda manifest: manifest.update(format=version))
        with pytest.raises(DataError, match="this version reads 'hauberk-model/1'"):
            read(saved)

    @pytest.mark.parametrize("text", ["[]", "1", "null", '"model"'])
    def test_a_manifest_that_is_no_object_is_refused(self, saved: Path, text: str) -> None:
        (saved / "model.json").write_text(text)
        with pytest.raises(DataError):
            read(saved)

    @pytest.mark.parametrize(
        "change",
        [
            lambda manifest: manifest["input"].pop("shape"),
            lambda manifest: manifest["input"].pop("bounds"),
            lambda manifest: manifest["input"].update(shape=3),
            lambda manifest: manifest["input"].update(shape=["a", "b"]),
            lambda manifest: manifest["input"].update(bounds=[1, 0]),
            lambda manifest: manifest["input"].update(normalization=[0.1, 0.3]),
            lambda manifest: manifest["input"].update(normalization={"mean": [0.1]}),
            lambda manifest: manifest.update(input=[]),
            lambda manifest: manifest.update(architecture="mlp"),
            lambda manifest: manifest["architecture"].pop("name"),
            lambda manifest: manifest["architecture"].update(args=[1]),
            lambda manifest: manifest["architecture"].update(args={"hidden": "x"}),
            lambda manifest: manifest["architecture"].update(factory=5),
            lambda manifest: manifest.update(labels=5),
            lambda manifest: manifest.update(labels=["a"]),
            lambda manifest: manifest.update(outputs="scores"),
            lambda manifest: manifest.update(files=[]),
            lambda manifest: manifest.update(files={"weights.safetensors": None}),
            lambda manifest: manifest.update(files={"weights.safetensors": {}}),
            lambda manifest: manifest["files"].pop("weights.safetensors"),
            lambda manifest: manifest["files"].update({"a\0b": {"sha256": "", "size_bytes": 0}}),
            lambda manifest: manifest["files"].update({"": {"sha256": "", "size_bytes": 0}}),
        ],
    )
    def test_nonsense_with_a_right_digest_is_refused_with_one_of_our_errors(
        self, saved: Path, change: Any
    ) -> None:
        rewrite(saved, change)
        with pytest.raises(HauberkError):
            load(saved)

    def test_weights_that_do_not_fit_are_refused(self, saved: Path) -> None:
        rewrite(saved, lambda manifest: manifest["architecture"].update(args={"hidden": [6]}))
        with pytest.raises(UnsupportedModel, match="do not fit") as caught:
            load(saved)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("where", ["none", "file", "folder"])
    def test_what_is_no_package_is_refused(self, tmp_path: Path, where: str) -> None:
        (tmp_path / "file").write_text("x")
        (tmp_path / "folder").mkdir()
        with pytest.raises(DataError, match="model package"):
            load(tmp_path / where)


class TestSaving:
    def test_nothing_is_replaced_by_accident(self, saved: Path) -> None:
        before = contents(saved)
        with pytest.raises(ConfigError, match="exists already") as caught:
            save(small(seed=1), saved)
        assert "overwrite=True" in str(caught.value.hint)
        assert contents(saved) == before

    def test_overwrite_replaces_the_whole_package(self, saved: Path) -> None:
        (saved / "leftover").write_text("x")
        other = small(seed=1)
        save(other, saved, overwrite=True)
        assert set(contents(saved)) == {"model.json", "weights.safetensors"}
        assert load(saved).digest == other.digest
        assert [one.name for one in saved.parent.iterdir() if one.name.startswith(".")] == []

    @pytest.mark.parametrize("kind", ["file", "folder"])
    def test_overwrite_replaces_nothing_but_packages(self, tmp_path: Path, kind: str) -> None:
        target = tmp_path / "mine"
        if kind == "file":
            target.write_text("precious")
        else:
            target.mkdir()
            (target / "thesis").write_text("precious")
        with pytest.raises(ConfigError, match="not a model package"):
            save(small(), target, overwrite=True)
        assert "precious" in (target if kind == "file" else target / "thesis").read_text()

    @pytest.mark.parametrize("call", ["fsync", "chmod", "replace"])
    @pytest.mark.parametrize("number", [0, 1])
    @pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
    def test_an_interrupted_save_leaves_the_old_package(
        self, saved: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, error: BaseException
    ) -> None:
        if call == "chmod" and number == 1:
            return  # there is one
        before = contents(saved.parent)
        real, calls = getattr(os, call), iter(range(1000))

        def failing(*args: Any, **kwargs: Any) -> Any:
            if next(calls) == number:
                raise error
            return real(*args, **kwargs)

        with monkeypatch.context() as broken:
            broken.setattr(os, call, failing)
            with pytest.raises((EnvironmentFailure, KeyboardInterrupt)):
                save(small(seed=1), saved, overwrite=True)
        assert contents(saved.parent) == before
        assert load(saved).digest == with_evidence().digest

    def test_a_classifier_without_a_plan_is_refused_with_the_way_out(self, tmp_path: Path) -> None:
        made = Classifier(nn.Linear(2, 2), input_shape=(2,), labels=2)
        with pytest.raises(UnsupportedModel, match="cannot be saved") as caught:
            save(made, tmp_path / "model")
        assert "architecture=" in str(caught.value.hint)
        assert list(tmp_path.iterdir()) == []

    def test_a_bare_module_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"takes a hauberk\.Classifier"):
            save(nn.Linear(2, 2), tmp_path / "model")
