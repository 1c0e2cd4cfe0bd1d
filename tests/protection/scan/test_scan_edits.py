"""Files of every kind, edited at random: each scan ends, with findings or without, and never with an error."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
from pathlib import Path

import pytest
from scan_files import TENSORS, good_pickle, safetensors_file, torch_like, written, zipped

from hauberk.protection.scan import scan


def _files(folder: Path) -> dict[str, bytes]:
    numpy = pytest.importorskip("numpy")
    onnx = pytest.importorskip("onnx")
    h5py = pytest.importorskip("h5py")
    joblib = pytest.importorskip("joblib")
    array = io.BytesIO()
    numpy.save(array, numpy.ones((2, 3)))
    packed = io.BytesIO()
    joblib.dump([numpy.ones(4), "text"], packed)
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        entry = tarfile.TarInfo("folder/" + "long" * 40)
        entry.size = 20
        archive.addfile(entry, io.BytesIO(bytes(20)))
    ends = [onnx.helper.make_tensor_value_info(name, 1, [1]) for name in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:])
    config = {"module": "keras", "class_name": "Sequential", "config": {"layers": []}}
    with h5py.File(folder / "made.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.create_group("g").create_dataset("w", data=numpy.ones(3))
    return {
        "a.npy": array.getvalue(),
        "a.joblib": packed.getvalue(),
        "a.tar": tar.getvalue()[:2048],
        "a.onnx": onnx.helper.make_model(graph).SerializeToString(),
        "a.keras": zipped({"config.json": json.dumps(config).encode(), "metadata.json": b"{}"}),
        "a.h5": (folder / "made.h5").read_bytes(),
        "a.safetensors": safetensors_file(TENSORS, bytes(16)),
        "a.pkl.gz": gzip.compress(good_pickle()),
        "a.pt": zipped(torch_like(good_pickle())),
        "a.json": json.dumps(config).encode(),
    }


def test_random_edits_end_in_a_scan(tmp_path: Path) -> None:
    rng = random.Random(7)
    for name, data in _files(tmp_path).items():
        for _ in range(60):
            changed = bytearray(data)
            for _ in range(rng.randint(1, 4)):
                start = rng.randrange(len(changed))
                if rng.random() < 0.2:
                    del changed[start : start + rng.randint(1, 40)]
                elif rng.random() < 0.3:
                    changed[start : start + 4] = rng.choice((b"\xff" * 4, b"\x00" * 4, b"\xff\xff\xff\x7f"))
                else:
                    changed[start] = rng.randrange(256)
                if not changed:
                    changed = bytearray(b"x")
            found = scan(written(tmp_path / name, bytes(changed)), libraries=False)
            assert not found.unread, (name, found.unread)
