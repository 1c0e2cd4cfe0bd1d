"""The tutorial's own file: a Keras model goes the whole way."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from hauberk.cli.app import run
from hauberk.datasets import Dataset


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras with numpy 2
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_keras_file_is_imported_attacked_hardened_and_evaluated(
    suffix: str,
    tmp_path: Path,
    digits: Dataset,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    if not os.environ.get("HAUBERK_CI"):
        pytest.importorskip("keras", reason="Keras is missing; pip install 'hauberk[keras]'")
    import keras

    layers = keras.layers
    network = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(8, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    file = tmp_path / f"mnist_model{suffix}"
    network.save(file)
    truth = np.asarray(keras.ops.convert_to_numpy(network(digits.images[:50].permute(0, 2, 3, 1).numpy())))

    package = str(tmp_path / "mine")
    assert run(["import", str(file), "--out", package]) == 0
    assert "input 1x8x8, 10 classes" in capsys.readouterr().out

    import torch

    import hauberk

    model = hauberk.load(package)
    with torch.no_grad():
        ours = model(digits.images[:50])
    assert np.allclose(ours.softmax(1).numpy(), truth, atol=1e-5)
    assert not np.allclose(ours.sum(1).numpy(), 1)  # logits, not probabilities

    threat = ["--data", "digits", "--norm", "linf", "--eps", "0.1"]
    assert (
        run(
            [
                "harden",
                package,
                *threat,
                "--epochs",
                "8",
                "--set",
                "batch_size=32",
                "--out",
                str(tmp_path / "hard"),
            ]
        )
        == 0
    )
    assert run(["attack", package, *threat, "--samples", "40", "--steps", "5"]) == 0
    capsys.readouterr()
    assert run(["evaluate", str(tmp_path / "hard"), *threat, "--samples", "40", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["clean_accuracy"] > 0.5
