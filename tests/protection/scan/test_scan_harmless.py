"""What honest people save must pass: a scanner that cries at every file is switched off."""

from __future__ import annotations

import collections
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from scan_files import rules_of
from torch import nn

from hauberk.protection.scan import scan


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 36, 4)
    ).eval()


def test_torch_files(network: nn.Module, tmp_path: Path) -> None:
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.rand(2, 1, 8, 8)).sum().backward()
    optimizer.step()
    checkpoint = {
        "model": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 3,
        "kinds": [torch.ones(2, dtype=one) for one in (torch.bfloat16, torch.float16, torch.int8, torch.bool)],
        "parameter": nn.Parameter(torch.ones(3)),
        "device": torch.device("cpu"),
        "size": torch.Size([1, 2]),
        "ordered": collections.OrderedDict(a=1),
        "names": {"a", "b"},
    }
    torch.save(network.state_dict(), tmp_path / "a.pt")
    torch.save(network.state_dict(), tmp_path / "b.pt", _use_new_zipfile_serialization=False)
    torch.save(checkpoint, tmp_path / "c.pth")
    found = scan(tmp_path)
    assert found.clean, found.findings
    assert [one.kind for one in found.files] == ["torch", "torch-legacy", "torch"]
    torch.save(network, tmp_path / "whole.pt")  # a whole pickled module is no list of tensors
    assert "pickle/unlisted-import" in rules_of(tmp_path / "whole.pt")


def test_arrays(tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    arrays = {"a": np.ones((20, 3)), "b": np.arange(4), "c": np.array(["text"]), "d": np.float32(1)}
    mixed = np.array([(1, 2.0)], dtype=[("x", "i4"), ("y", "f8", (2,))])
    np.save(tmp_path / "a.npy", mixed)
    np.save(tmp_path / "b.npy", np.array([1, "a", None], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "c.npz", **arrays)
    np.savez_compressed(tmp_path / "d.npz", a=np.random.default_rng(0).random((50, 50)))
    joblib.dump(arrays, tmp_path / "e.joblib")
    joblib.dump(arrays, tmp_path / "f.joblib", compress=3)
    for protocol in range(6):
        (tmp_path / f"g{protocol}.pkl").write_bytes(pickle.dumps(arrays, protocol))
    found = scan(tmp_path)
    assert found.clean, found.findings
    assert len(found.files) == 12


def test_safetensors_and_onnx(network: nn.Module, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    safetensors.torch.save_file(network.state_dict(), tmp_path / "a.safetensors", metadata={"format": "pt"})
    ends = [onnx.helper.make_tensor_value_info(name, 1, [None, 3]) for name in "xy"]
    weight = onnx.numpy_helper.from_array(np.eye(3, dtype="f4"), "w")
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", ends[:1], ends[1:], [weight]))
    onnx.save(model, tmp_path / "a.onnx")
    (tmp_path / "outside").mkdir()
    onnx.save(model, tmp_path / "outside" / "b.onnx", save_as_external_data=True, location="b.data",
              size_threshold=0)  # fmt: skip
    found = scan(tmp_path)
    assert found.clean, found.findings
    (tmp_path / "outside" / "b.onnx").unlink()
    assert [one.rule for one in scan(tmp_path).findings] == ["unknown/kind"]  # numbers that nobody names


@pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec:FutureWarning")
def test_exported_programs(network: nn.Module, tmp_path: Path) -> None:
    batch = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(network, (torch.rand(2, 1, 8, 8),), dynamic_shapes=batch)
    torch.export.save(program, tmp_path / "a.pt2")
    found = scan(tmp_path)
    assert found.clean, found.findings
    assert found.files[0].kind == "program"


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras with numpy 2
@pytest.mark.filterwarnings("ignore::UserWarning:keras")
def test_keras_files(tmp_path: Path) -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(2, 3, activation="relu", kernel_regularizer=keras.regularizers.L2(0.1)),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    model.save(tmp_path / "a.keras")
    model.save(tmp_path / "b.h5")
    found = scan(tmp_path)
    assert found.clean, found.findings
    assert [one.kind for one in found.files] == ["keras", "keras-h5"]


def test_our_own_packages(plain_package: Path) -> None:
    found = scan(plain_package)
    assert found.clean, found.findings
    assert {one.kind for one in found.files} == {"safetensors", "model-manifest", "json"}
