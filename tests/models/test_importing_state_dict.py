"""Bare weights with a factory, and the pickles that must never run."""

from __future__ import annotations

import collections
import os
import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

from hauberk.core.errors import (
    ConfigError,
    DataError,
    DependencyMissing,
    IntegrityError,
    UnknownName,
    UnsupportedModel,
)
from hauberk.models import architectures, factories, load, save
from hauberk.models.importing import archive, import_model

SHAPE = (1, 10, 10)


def network(hidden: int = 7, soft: bool = False) -> nn.Module:
    """What the tests' factory builds."""
    layers = [nn.Flatten(), nn.Linear(100, hidden), nn.ReLU(), nn.Linear(hidden, 4)]
    return nn.Sequential(*layers, *([nn.Softmax(1)] if soft else []))


@pytest.fixture
def factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module on the path, as a user has it."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "their_networks.py").write_text(
        "from torch import nn\n"
        "def network(hidden=7, soft=False):\n"
        "    layers = [nn.Flatten(), nn.Linear(100, hidden), nn.ReLU(), nn.Linear(hidden, 4)]\n"
        "    return nn.Sequential(*layers, *([nn.Softmax(1)] if soft else []))\n"
        "def nothing():\n"
        "    return 3\n"
    )
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("HAUBERK_CONFIG", str(tmp_path / "config"))
    monkeypatch.delitem(sys.modules, "their_networks", raising=False)
    return "their_networks:network"


def test_safetensors_and_torch_files(factory: str, tmp_path: Path) -> None:
    module = network().eval()
    safetensors.torch.save_file(module.state_dict(), tmp_path / "a.safetensors")
    torch.save(module.state_dict(), tmp_path / "a.pt")
    torch.save({"state_dict": module.state_dict(), "epoch": 3}, tmp_path / "b.pth")
    wrapped = {f"module.{name}": one for name, one in module.state_dict().items()}
    torch.save({"model": wrapped}, tmp_path / "c.pt")
    x = torch.rand(3, *SHAPE)
    for name in ("a.safetensors", "a.pt", "b.pth", "c.pt"):
        imported = import_model(tmp_path / name, factory=factory, args={"hidden": 7}, input_shape=SHAPE)
        assert torch.equal(imported.classifier(x), module(x))
        assert not imported.classifier.training
        assert imported.evidence.parameters["factory"] == factory
        assert imported.evidence.parameters["args"] == {"hidden": 7}
        assert imported.evidence.result["largest_difference"] is None
    save(imported.classifier, tmp_path / "package")
    assert torch.equal(load(tmp_path / "package")(x), module(x))


def test_naming_a_factory_is_permission_once_it_worked(factory: str, tmp_path: Path) -> None:
    torch.save(network(9).state_dict(), tmp_path / "a.pt")
    with pytest.raises(UnsupportedModel, match="wrong shape"):
        import_model(tmp_path / "a.pt", factory=factory, input_shape=SHAPE)
    assert factory not in factories.trusted()
    import_model(tmp_path / "a.pt", factory=factory, args={"hidden": 9}, input_shape=SHAPE)
    assert factory in factories.trusted()


def test_built_in_networks_need_only_their_name(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = architectures.build("cnn", SHAPE, 4, {"hidden": 8}).eval()
    torch.save(module.state_dict(), tmp_path / "a.pt")
    imported = import_model(tmp_path / "a.pt", factory="cnn", args={"hidden": 8}, input_shape=SHAPE)
    x = torch.rand(3, *SHAPE)
    assert torch.equal(imported.classifier(x), module(x))
    assert imported.classifier.architecture == {"name": "cnn", "args": {"hidden": 8}}
    save(imported.classifier, tmp_path / "package")
    assert load(tmp_path / "package").digest == imported.classifier.digest
    with pytest.raises(UnknownName):
        import_model(tmp_path / "a.pt", factory="cmm", input_shape=SHAPE)


def test_probabilities_are_noticed(factory: str, tmp_path: Path) -> None:
    module = network(soft=True).eval()
    torch.save(module.state_dict(), tmp_path / "a.pt")
    settings: dict[str, Any] = {"factory": factory, "args": {"soft": True}, "input_shape": SHAPE}
    classifier = import_model(tmp_path / "a.pt", **settings).classifier
    assert classifier.outputs == "probabilities"
    x = torch.rand(3, *SHAPE)
    torch.testing.assert_close(classifier(x).exp(), module(x))
    with pytest.raises(UnsupportedModel, match="probabilities"):
        import_model(tmp_path / "a.pt", **settings, outputs="logits")


def test_what_is_missing_is_said(factory: str, tmp_path: Path) -> None:
    weights = network().state_dict()
    torch.save(weights, tmp_path / "a.pt")
    with pytest.raises(ConfigError, match="without a network"):
        import_model(tmp_path / "a.pt", input_shape=SHAPE)
    with pytest.raises(ConfigError, match="what images look like"):
        import_model(tmp_path / "a.pt", factory=factory)
    with pytest.raises(ConfigError, match="labels"):
        import_model(tmp_path / "a.pt", factory=factory, input_shape=SHAPE, labels=3)
    with pytest.raises(UnsupportedModel, match="does not take images"):
        import_model(tmp_path / "a.pt", factory=factory, input_shape=(1, 3, 3))
    with pytest.raises(DependencyMissing):
        import_model(tmp_path / "a.pt", factory="no_such_module:network", input_shape=SHAPE)
    with pytest.raises(ConfigError, match="has no 'other'"):
        import_model(tmp_path / "a.pt", factory="their_networks:other", input_shape=SHAPE)
    with pytest.raises(UnsupportedModel, match="int"):
        import_model(tmp_path / "a.pt", factory="their_networks:nothing", input_shape=SHAPE)
    renamed = {name.replace("3.", "head."): one for name, one in weights.items()}
    torch.save(renamed, tmp_path / "b.pt")
    with pytest.raises(UnsupportedModel, match=r"missing: 3\.weight, 3\.bias; unexpected: head\.weight"):
        import_model(tmp_path / "b.pt", factory=factory, input_shape=SHAPE)
    torch.save([1, 2, 3], tmp_path / "c.pt")
    with pytest.raises(DataError, match="no state dict"):
        import_model(tmp_path / "c.pt", factory=factory, input_shape=SHAPE)


class Bomb:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_runs_code_is_refused(factory: str, tmp_path: Path, protocol: int) -> None:
    mark = tmp_path / "ran"
    torch.save({"w": torch.ones(1), "x": Bomb(mark)}, tmp_path / "bad.pt", pickle_protocol=protocol)
    with pytest.raises(IntegrityError, match="would run code") as caught:
        import_model(tmp_path / "bad.pt", factory=factory, input_shape=SHAPE)
    assert any("system" in name for name in caught.value.facts["names"])
    assert not mark.exists()
    (tmp_path / "bare.pt").write_bytes(pickle.dumps(Bomb(mark), protocol))
    with pytest.raises(DataError, match="bare pickle"):
        import_model(tmp_path / "bare.pt", factory=factory, input_shape=SHAPE)
    assert not mark.exists()


def test_whole_modules_are_refused_with_the_way_out(factory: str, tmp_path: Path) -> None:
    torch.save(network(), tmp_path / "whole.pt")
    with pytest.raises(IntegrityError, match=r"torch\.nn\.modules\.container\.Sequential") as caught:
        import_model(tmp_path / "whole.pt", factory=factory, input_shape=SHAPE)
    assert "state_dict" in str(caught.value.hint)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_torchscript_is_refused(factory: str, tmp_path: Path) -> None:
    torch.jit.save(torch.jit.trace(network().eval(), torch.rand(1, *SHAPE)), str(tmp_path / "script.pt"))
    with pytest.raises(UnsupportedModel, match="TorchScript"):
        import_model(tmp_path / "script.pt", factory=factory, input_shape=SHAPE)


def test_the_list_of_globals_sees_through_tricks() -> None:
    assert archive.pickle_globals(pickle.dumps(collections.OrderedDict(), 2), "p") == [
        "collections.OrderedDict"
    ]
    assert archive.pickle_globals(pickle.dumps(os.system, 4), "p") == [f"{os.system.__module__}.system"]
    assert archive.pickle_globals(pickle.dumps(os.system, 0), "p") == [f"{os.system.__module__}.system"]
    # names fetched from the memo, or joined while running, are not guessed
    hidden = b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94h\x00h\x01\x93."
    assert archive.pickle_globals(hidden, "p") == ["?"]
    with pytest.raises(DataError):
        archive.pickle_globals(b"\x80\x04\x8c\xffshort", "p")


def test_archives_that_unpack_out_of_proportion_are_refused(factory: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", b"\0" * (8 << 20))
    with pytest.raises(IntegrityError, match="200 times"):
        import_model(tmp_path / "bomb.pt", factory=factory, input_shape=SHAPE)
    with zipfile.ZipFile(tmp_path / "twice.pt", "w") as file:
        file.writestr("archive/data.pkl", b"a")
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("archive/data.pkl", b"b")
    with pytest.raises(IntegrityError, match="two entries"):
        import_model(tmp_path / "twice.pt", factory=factory, input_shape=SHAPE)


def test_files_of_no_kind(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no model file"):
        import_model(tmp_path / "nowhere.pt")
    with pytest.raises(DataError, match="folder"):
        import_model(tmp_path)
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(DataError, match=r"Keras.*ONNX.*safetensors"):
        import_model(tmp_path / "a.txt")
    with zipfile.ZipFile(tmp_path / "b.pt", "w") as file:
        file.writestr("readme.txt", "hello")
    with pytest.raises(DataError, match="of no kind"):
        import_model(tmp_path / "b.pt")
    (tmp_path / "c.pt").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(DataError, match="whole archive"):
        import_model(tmp_path / "c.pt")


def test_content_counts_not_the_name(factory: str, tmp_path: Path) -> None:
    module = network().eval()
    safetensors.torch.save_file(module.state_dict(), tmp_path / "weights.bin")
    x = torch.rand(2, *SHAPE)
    imported = import_model(tmp_path / "weights.bin", factory=factory, input_shape=SHAPE)
    assert torch.equal(imported.classifier(x), module(x))


def test_damaged_weights(factory: str, tmp_path: Path) -> None:
    module = network()
    torch.save(module.state_dict(), tmp_path / "a.pt")
    safetensors.torch.save_file(module.state_dict(), tmp_path / "a.safetensors")
    for name in ("a.pt", "a.safetensors"):
        data = (tmp_path / name).read_bytes()
        (tmp_path / f"cut-{name}").write_bytes(data[: len(data) - 200])
        with pytest.raises(DataError):
            import_model(tmp_path / f"cut-{name}", factory=factory, input_shape=SHAPE)
