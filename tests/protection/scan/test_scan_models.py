"""Keras, ONNX, safetensors, NumPy, torch programs, folders: what each can hide, and how the result is told."""

from __future__ import annotations

import json
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest
import safetensors
from scan_files import (
    TENSORS,
    Bomb,
    good_pickle,
    rules,
    rules_of,
    safetensors_file,
    torch_like,
    written,
    zipped,
)

from hauberk.core.errors import ConfigError, DataError, IntegrityError, UnknownName
from hauberk.protection.scan import RULES, Finding, Limits, refuse, scan, to_sarif

DENSE = {"module": "keras.layers", "class_name": "Dense", "config": {"name": "d"}, "registered_name": None}


def keras_file(*layers: Any, **more: Any) -> bytes:
    config = {"module": "keras", "class_name": "Sequential", "config": {"layers": [DENSE, *layers]}, **more}
    return zipped({"config.json": json.dumps(config).encode(), "metadata.json": b"{}"})


LAYERS = {
    "Lambda": ({"class_name": "Lambda", "config": {"name": "l"}}, "keras/lambda"),
    "code": ({"class_name": "__lambda__", "config": {"value": "4wEA"}}, "keras/lambda"),
    "nested": ({"class_name": "Bidirectional", "config": {"layer": {"class_name": "Lambda", "config": {}}}},
               "keras/lambda"),
    "saved model": ({"class_name": "TFSMLayer", "config": {"name": "x"}}, "keras/lambda"),
    "custom": ({"module": "mine.layers", "class_name": "Mine", "config": {}}, "keras/custom-object"),
    "registered": ({"class_name": "Mine", "config": {}, "registered_name": "pkg>Mine"}, "keras/custom-object"),
    "download": ({"module": "keras.utils", "class_name": "function", "config": "get_file"}, "keras/function"),
    "os": ({"module": "os", "class_name": "function", "config": "system"}, "keras/function"),
    "class of another room": ({"module": "keras.saving", "class_name": "KerasFileEditor", "config": {}},
                              "keras/function"),
    "vocabulary": ({"module": "keras.layers", "class_name": "StringLookup",
                    "config": {"vocabulary": "/etc/passwd"}}, "keras/file"),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_keras_layers_that_carry_code(name: str, tmp_path: Path) -> None:
    layer, rule = LAYERS[name]
    assert rules_of(written(tmp_path / "a.keras", keras_file(layer))) == {rule}
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": [layer]}})
    assert rules_of(tmp_path / "a.h5") == {rule}


def test_a_loss_of_ones_own_is_only_a_name(tmp_path: Path) -> None:
    loss = {"module": "builtins", "class_name": "function", "config": "mine", "registered_name": "function"}
    assert rules_of(written(tmp_path / "a.keras", keras_file(compile_config={"loss": loss}))) == set()
    assert rules_of(written(tmp_path / "a.keras", keras_file(loss))) == {"keras/custom-object"}


def test_hdf5_that_points_elsewhere(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["w"] = h5py.ExternalLink("/etc/passwd", "/x")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_group("g").create_dataset("w", (4,), "u1", external=[("/etc/passwd", 0, 4)])
    with h5py.File(tmp_path / "c.h5", "w") as file:
        layout = h5py.VirtualLayout((4,), "f4")
        layout[:] = h5py.VirtualSource("/elsewhere.h5", "w", shape=(4,))
        file.create_virtual_dataset("w", layout)
    for name in "abc":
        assert rules_of(tmp_path / f"{name}.h5") == {"hdf5/link"}
    nested = zipped(
        {"config.json": b"{}", "metadata.json": b"{}", "model.weights.h5": (tmp_path / "a.h5").read_bytes()}
    )
    assert rules_of(written(tmp_path / "a.keras", nested)) == {"hdf5/link"}


def _onnx(**changes: Any) -> bytes:
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    weight = helper.make_tensor("w", 1, [1], [1.0])
    if "location" in changes:
        weight = onnx.TensorProto(name="w", data_type=1, dims=[1], data_location=1)
        weight.external_data.add(key="location", value=changes["location"])
    ends = [helper.make_tensor_value_info(name, 1, [1]) for name in "xy"]
    node = helper.make_node("Add", ["x", "w"], ["y"], domain=changes.get("domain", ""))
    if changes.get("nested"):
        inner = helper.make_graph([node], "inner", [], [ends[1]], [weight])
        node = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
    constant = [] if changes.get("nested") else [weight]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], constant)
    data: bytes = helper.make_model(graph).SerializeToString()
    return data


@pytest.mark.parametrize("nested", [False, True])
def test_onnx_weights_and_operations_from_elsewhere(nested: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    assert rules_of(written(path, _onnx(nested=nested))) == set()
    assert rules_of(written(path, _onnx(nested=nested, location="weights.bin"))) == set()
    for place in ("/etc/passwd", "../secret", "a/../../b", "C:\\x", "..\\x", ""):
        assert rules_of(written(path, _onnx(nested=nested, location=place))) == {"onnx/external-path"}, place
    assert rules_of(written(path, _onnx(nested=nested, domain="evil"))) == {"onnx/custom-operation"}
    data = _onnx(nested=nested)
    assert rules_of(written(path, data[:-3])) == {"onnx/malformed"}


LIES: dict[str, tuple[Any, int]] = {
    "overlap": ({**TENSORS, "b": {**TENSORS["b"], "data_offsets": [4, 12]}}, 12),
    "hole": ({**TENSORS, "b": {**TENSORS["b"], "data_offsets": [12, 20]}}, 20),
    "out of range": (TENSORS, 12),
    "bytes after": (TENSORS, 20),
    "another shape": ({"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}, 8),
    "negative": ({"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}}, 8),
    "too large": ({"a": {"dtype": "F32", "shape": [1 << 62, 8], "data_offsets": [0, 8]}}, 8),
    "backwards": ({"a": {"dtype": "F32", "shape": [0], "data_offsets": [8, 0]}}, 8),
    "unknown type": ({"a": {"dtype": "OBJ", "shape": [2], "data_offsets": [0, 8]}}, 8),
    "no shape": ({"a": {"dtype": "F32", "data_offsets": [0, 8]}}, 8),
    "numbers as metadata": ({"__metadata__": {"a": 1}, **TENSORS}, 16),
    "not JSON": (b"{" * 50, 0),
    "a key twice": (b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
                    b'"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', 8),
}  # fmt: skip


def _library_opens(path: Path) -> bool:
    try:
        with safetensors.safe_open(path, "np") as file:
            list(file.keys())
    except (safetensors.SafetensorError, ValueError):
        return False
    return True


@pytest.mark.parametrize("name", LIES)
def test_safetensors_headers_that_lie(name: str, tmp_path: Path) -> None:
    """The library refuses most of them too; what it opens and we do not is a key that stands twice."""
    header, length = LIES[name]
    path = written(tmp_path / "a.safetensors", safetensors_file(header, bytes(length)))
    assert rules_of(path) & {"safetensors/header", "safetensors/layout"}
    if name != "a key twice":
        assert not _library_opens(path)


def test_whatever_the_safetensors_library_refuses_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    good = safetensors_file(TENSORS, bytes(16))
    assert rules_of(written(path, good)) == set()
    assert _library_opens(path)
    for place in range(len(good) - 16):
        changed = bytearray(good)
        changed[place] ^= 1 << (place % 8)
        if not _library_opens(written(path, bytes(changed))):
            assert rules_of(path), place


def test_a_header_without_measure(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", 40 << 20) + b"{")
        file.truncate((40 << 20) + 8)
    assert "safetensors/header" in rules_of(path, libraries=False)


def test_numpy_files(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    objects = numpy.array([Bomb(tmp_path / "canary"), 1], dtype=object)
    numpy.save(tmp_path / "a.npy", objects, allow_pickle=True)
    assert "pickle/dangerous-import" in rules_of(tmp_path / "a.npy")
    numpy.savez(tmp_path / "b.npz", a=numpy.ones(3), b=objects)
    assert "pickle/dangerous-import" in rules_of(tmp_path / "b.npz")
    numpy.save(tmp_path / "c.npy", numpy.ones(5))
    data = (tmp_path / "c.npy").read_bytes()
    assert rules_of(written(tmp_path / "c.npy", data[:-1])) == {"numpy/malformed"}
    assert rules_of(written(tmp_path / "c.npy", data + b"x")) == {"numpy/malformed"}
    wrong = data.replace(b"(5,)", b"(-5,)")
    assert rules_of(written(tmp_path / "c.npy", wrong)) == {"numpy/malformed"}
    assert not (tmp_path / "canary").exists()


def test_joblib_arrays_are_passed_over_and_what_follows_is_seen(tmp_path: Path) -> None:
    """Numbers in the middle of the pickle look like instructions; a bomb stands behind them."""
    joblib = pytest.importorskip("joblib")
    numpy = pytest.importorskip("numpy")
    noise = numpy.frombuffer(b"cos\nsystem\n." * 50, "u1")
    joblib.dump([noise, numpy.ones((3, 4), order="F"), {"a": 1}], tmp_path / "a.joblib")
    assert rules_of(tmp_path / "a.joblib") == set()
    joblib.dump([noise, Bomb(tmp_path / "canary")], tmp_path / "a.joblib")
    assert "pickle/dangerous-import" in rules_of(tmp_path / "a.joblib")
    joblib.dump([numpy.array([Bomb(tmp_path / "canary")], dtype=object)], tmp_path / "a.joblib", compress=3)
    assert "pickle/dangerous-import" in rules_of(tmp_path / "a.joblib")
    assert not (tmp_path / "canary").exists()


def _program(change: Any = None, **entries: bytes) -> bytes:
    node = {
        "target": "torch.ops.aten.relu.default",
        "inputs": [{"name": "self", "arg": {"as_tensor": {"name": "x"}}}],
        "outputs": [{"as_tensor": {"name": "relu"}}],
        "metadata": {"stack_trace": 'File "/home/x.py", line 1, in forward\n    x = __import__("os")'},
    }
    sizes = [{"as_expr": {"expr_str": "2*s0 + 1", "hint": {"as_int": 3}}}, {"as_int": 4}]
    graph = {"nodes": [node], "tensor_values": {"x": {"sizes": sizes}}}
    document = {"schema_version": {"major": 8}, "graph_module": {"graph": graph}}
    if change:
        change(node, sizes)
    files = {"p/archive_format": b"pt2", "p/models/model.json": json.dumps(document).encode(), **entries}
    return zipped(files)


def test_exported_programs(tmp_path: Path) -> None:
    path = tmp_path / "a.pt2"
    assert rules_of(written(path, _program())) == set()
    bad: list[tuple[Any, str]] = [
        (lambda node, sizes: node.update(target="torch.hub.load"), "torch/operation"),
        (lambda node, sizes: node.update(target="torch.ops.aten.relu.os.system"), "torch/operation"),
        (lambda node, sizes: node.update(target="_operator.methodcaller"), "torch/operation"),
        (lambda node, sizes: node["outputs"][0]["as_tensor"].update(name="x\nimport os"), "torch/name"),
        (lambda node, sizes: sizes[0]["as_expr"].update(expr_str="__import__('os').system('x')"),
         "torch/expression"),
        (lambda node, sizes: sizes[0]["as_expr"].update(expr_str="exec(1)"), "torch/expression"),
    ]  # fmt: skip
    for change, rule in bad:
        assert rules_of(written(path, _program(change))) == {rule}
    canary = tmp_path / "canary"
    samples = zipped(torch_like(pickle.dumps(Bomb(canary), 2)))
    name = "p/data/sample_inputs/model.pt"
    assert "pickle/dangerous-import" in rules_of(written(path, _program(**{name: samples})))
    assert rules_of(written(path, _program(**{name: zipped(torch_like(good_pickle()))}))) == set()
    library = {"p/data/aotinductor/model/a.so": b"\x7fELF" + bytes(60)}
    assert rules_of(written(path, _program(**library))) == {"torch/compiled-code", "code/executable"}
    assert not canary.exists()


def test_torchscript_is_named(tmp_path: Path) -> None:
    entries = {**torch_like(good_pickle()), "archive/code/__torch__.py": b"op_version_set = 1\n"}
    assert "torch/script" in rules_of(written(tmp_path / "a.pt", zipped(entries)))


def test_folders(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    written(folder / "sub" / "a.pkl", good_pickle())
    written(folder / "README.md", b"# config\ncos and sin\n")
    (folder / "inside").symlink_to("sub/a.pkl")
    found = scan(folder)
    assert found.clean
    assert [(one.path, one.kind) for one in found.files] == [("README.md", "text"), ("sub/a.pkl", "pickle")]
    (folder / "out").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe")  # opening it would wait for ever
    written(folder / "modeling.py", b"import os\n")
    written(folder / "lib", b"\x7fELF\x02\x01\x01")
    written(folder / "blob", bytes(range(128, 256)))
    written(folder / "model.json", b'{"format": "hauberk-model/1", "architecture": {"factory": "os:system"}}')
    assert rules_of(folder) == {
        "folder/link", "folder/special", "code/source", "code/executable", "unknown/kind", "package/factory",
    }  # fmt: skip


def test_the_worst_comes_first_and_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "a.bin", good_pickle() + bytes(3))
    written(tmp_path / "b.bin", pickle.dumps(Bomb(tmp_path / "canary")))
    found = scan(tmp_path)
    assert [one.severity for one in found.findings] == ["high", "low"]
    assert found.counts == {"high": 1, "medium": 0, "low": 1}
    with pytest.raises(IntegrityError, match=r"pickle/dangerous-import.*posix\.system.*and 1 more") as caught:
        refuse(found)
    assert len(caught.value.facts["findings"]) == 2  # type: ignore[arg-type]
    refuse(scan(written(tmp_path / "c.bin", good_pickle())))


def test_misuse(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to scan"):
        scan(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="depth must be a whole number"):
        Limits(depth=0)
    with pytest.raises(UnknownName, match="pickle/malformed"):
        Finding(rule="pickle/malfromed", path="a", where="", message="x")
    assert all(rule.id == name and rule.gains and rule.remedy for name, rule in RULES.items())


def test_names_from_the_file_do_not_steer_a_terminal(tmp_path: Path) -> None:
    found = scan(written(tmp_path / "a.pkl", b"cos\x1b[2J\nsy\rstem\n."), libraries=False)
    (one,) = found.findings
    assert one.message == r"names os\x1b[2J.sy\rstem"
    assert one.line.isprintable()


def test_sarif(tmp_path: Path) -> None:
    """What the standard asks of a run: rules by index, levels of its own, places as URIs."""
    path = written(tmp_path / "a model.bin", pickle.dumps(Bomb(tmp_path / "canary")))
    document = json.loads(json.dumps(to_sarif(scan(tmp_path))))
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    listed = run["tool"]["driver"]["rules"]
    assert [one["id"] for one in listed] == list(RULES)
    assert {one["defaultConfiguration"]["level"] for one in listed} == {"error", "warning", "note"}
    (result,) = run["results"]
    assert listed[result["ruleIndex"]]["id"] == result["ruleId"] == "pickle/dangerous-import"
    assert result["level"] == "error"
    assert "posix.system" in result["message"]["text"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri.endswith("/a%20model.bin")
    assert run["invocations"][0]["executionSuccessful"] is True
    assert len(run["artifacts"][0]["hashes"]["sha-256"]) == 64
    assert to_sarif(scan(path))["runs"][0]["results"][0]["partialFingerprints"]
    assert rules(scan(path)) == {"pickle/dangerous-import"}
