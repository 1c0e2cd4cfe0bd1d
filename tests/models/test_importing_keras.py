"""Keras files: real ones, made with Keras, against Keras' own answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hauberk.core.errors import ConfigError, DataError, DependencyMissing, IntegrityError, UnsupportedModel
from hauberk.models import load, save
from hauberk.models.importing import import_model, keras_model

if os.environ.get("HAUBERK_CI"):
    import h5py
else:
    h5py = pytest.importorskip("h5py")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:keras", "ignore::UserWarning:keras")


@pytest.fixture(scope="module")
def keras() -> Any:
    try:
        found = keras_model._keras()  # the backend must be chosen before the first import
    except DependencyMissing:
        if os.environ.get("HAUBERK_CI"):
            raise
        pytest.skip("Keras is not installed")
    found.utils.set_random_seed(0)
    return found


def shake(model: Any) -> None:
    """Running statistics as after a training."""
    generator = np.random.default_rng(0)
    for weight in model.weights:
        if any(name in weight.path for name in ("moving", "gamma", "beta", "bias")):
            weight.assign(generator.uniform(0.3, 1.3, weight.shape))


def saved(model: Any, path: Path) -> Path:
    shake(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path)
    return path


def tutorial(keras: Any) -> Any:
    """The network of the classic tutorial."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )


def answers(keras: Any, model: Any, images: torch.Tensor) -> torch.Tensor:
    turned = images.permute(0, 2, 3, 1) if images.ndim == 4 else images
    with torch.no_grad():
        return torch.from_numpy(keras.ops.convert_to_numpy(model(turned.numpy(), training=False)))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_the_tutorial_network_comes_in_without_its_softmax(keras: Any, tmp_path: Path, suffix: str) -> None:
    model = tutorial(keras)
    model.compile("adam", "sparse_categorical_crossentropy")
    path = saved(model, tmp_path / f"model{suffix}")
    imported = import_model(path)
    classifier, x = imported.classifier, torch.rand(6, 1, 28, 28)
    assert classifier.input_shape == (1, 28, 28)
    assert classifier.labels == tuple("0123456789")
    assert classifier.outputs == "logits"
    assert not classifier.training
    torch.testing.assert_close(classifier(x).softmax(1), answers(keras, model, x), atol=1e-6, rtol=0)
    ops = [node["op"] for node in classifier.architecture["args"]["nodes"]]
    assert "permute" not in ops
    assert "softmax" not in ops


def test_the_evidence_says_how_close(keras: Any, tmp_path: Path) -> None:
    path = saved(tutorial(keras), tmp_path / "model.keras")
    imported = import_model(path, labels=[f"digit {number}" for number in range(10)])
    evidence = imported.evidence
    assert evidence.kind == "import"
    assert evidence.parameters["format"] == "keras"
    assert evidence.parameters["file_digest"].startswith("sha256:")
    assert set(evidence.parameters) == {"format", "file", "file_digest", "factory", "args"}
    assert 0 <= evidence.result["largest_difference"] < 1e-4
    assert evidence.result["probes"] == 8
    assert evidence.subject["digest"] == imported.classifier.digest
    assert imported.classifier.evidence == (evidence,)
    assert imported.classifier.labels[3] == "digit 3"


def test_a_package_loads_without_keras(keras: Any, tmp_path: Path) -> None:
    classifier = import_model(saved(tutorial(keras), tmp_path / "model.keras")).classifier
    save(classifier, tmp_path / "package")
    x = torch.rand(2, 1, 28, 28)
    script = (
        "import sys, torch\n"
        "sys.modules.update(dict.fromkeys(['keras', 'h5py', 'tensorflow', 'onnx']))\n"
        "from hauberk.models import load\n"
        "model = load(sys.argv[1])\n"
        "torch.save(model(torch.load(sys.argv[2], weights_only=True)), sys.argv[3])\n"
    )
    torch.save(x, tmp_path / "x.pt")
    command = [
        sys.executable,
        "-c",
        script,
        str(tmp_path / "package"),
        *(str(tmp_path / n) for n in ("x.pt", "y.pt")),
    ]
    subprocess.run(command, check=True)
    assert torch.equal(torch.load(tmp_path / "y.pt", weights_only=True), classifier(x))
    assert load(tmp_path / "package").digest == classifier.digest


def test_a_functional_network_with_branches(keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    start = layers.Input((20, 21, 3))
    x = layers.Rescaling(2.0, offset=-1.0)(start)
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization()(x))
    y = layers.SeparableConv2D(8, 3, padding="same", activation="elu")(y)
    x = layers.Add()([x, y])
    gate = layers.Conv2D(8, 1, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = layers.Concatenate()([layers.Multiply()([x, gate]), x])
    x = layers.SpatialDropout2D(0.1)(layers.GaussianNoise(0.1)(x))
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2)(x)
    x = layers.UpSampling2D(2)(layers.ZeroPadding2D(((1, 0), (0, 2)))(x))
    x = layers.Flatten()(layers.MaxPooling2D(3, strides=2, padding="same")(x))
    x = layers.BatchNormalization()(x)
    model = keras.Model(start, layers.Softmax()(layers.Dense(5)(x)))
    imported = import_model(saved(model, tmp_path / "model.keras"))
    images = torch.rand(4, 3, 20, 21)
    ours = imported.classifier(images).softmax(1)
    torch.testing.assert_close(ours, answers(keras, model, images), atol=1e-5, rtol=0)
    assert any("noise" in one for one in imported.evidence.result["conversions"])


LAYERS: dict[str, Any] = {
    "dilated": lambda made: [made.Conv2D(8, 3, dilation_rate=2, padding="same")],
    "grouped": lambda made: [made.Conv2D(8, 3, groups=2)],
    "stride 3": lambda made: [made.Conv2D(8, 5, strides=3, padding="same")],
    "average": lambda made: [made.AveragePooling2D(2), made.AveragePooling2D(3, strides=1, padding="same")],
    "global max": lambda made: [made.GlobalMaxPooling2D()],
    "turned": lambda made: [made.Permute((3, 1, 2)), made.Conv2D(3, 2), made.Reshape((-1, 3))],
    "activations": lambda made: [
        *(made.Activation(one) for one in ("leaky_relu", "selu", "gelu", "hard_sigmoid", "tanh", "swish")),
        made.LeakyReLU(0.1),
        made.ReLU(6.0),
        made.ELU(0.3),
        made.Softmax(),
    ],
    "layer as activation": lambda made: [made.Conv2D(4, 1, activation=made.LeakyReLU(0.3))],
    "flat norm": lambda made: [made.Flatten(), made.BatchNormalization(scale=False), made.Dense(4)],
    "channels first": lambda made: [
        made.Conv2D(8, 3, data_format="channels_first"),
        made.BatchNormalization(axis=1),
        made.MaxPooling2D(data_format="channels_first"),
        made.Flatten(data_format="channels_first"),
    ],
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(keras: Any, tmp_path: Path, name: str) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((9, 10, 4)), *LAYERS[name](layers), layers.Flatten(), layers.Dense(3)]
    )
    shape = (9, 10, 4) if name == "channels first" else (4, 9, 10)
    imported = import_model(saved(model, tmp_path / "model.keras"))
    assert imported.classifier.input_shape == shape
    assert imported.evidence.result["largest_difference"] < 1e-4


def test_a_network_inside_a_network(keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    inner = keras.Sequential([layers.Input((6, 6, 2)), layers.Conv2D(4, 3), layers.ReLU()], name="inside")
    start = layers.Input((6, 6, 2))
    model = keras.Model(start, layers.Dense(3)(layers.Flatten()(inner(start))))
    imported = import_model(saved(model, tmp_path / "model.keras"))
    x = torch.rand(2, 2, 6, 6)
    torch.testing.assert_close(imported.classifier(x), answers(keras, model, x), atol=1e-5, rtol=0)


def test_flat_networks_take_flat_inputs_or_images(keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    model = keras.Sequential([layers.Input((48,)), layers.Dense(12, activation="tanh"), layers.Dense(4)])
    path = saved(model, tmp_path / "flat.keras")
    assert import_model(path).classifier.input_shape == (48,)
    images = torch.rand(3, 3, 4, 4)
    classifier = import_model(path, input_shape=(3, 4, 4)).classifier
    assert classifier.input_shape == (3, 4, 4)
    # Keras users flatten (h, w, c)
    flat = images.permute(0, 2, 3, 1).reshape(3, 48)
    torch.testing.assert_close(classifier(images), answers(keras, model, flat), atol=1e-6, rtol=0)
    with pytest.raises(ConfigError, match="sizes differ"):
        import_model(path, input_shape=(1, 5, 5))


def test_two_dimensional_inputs(keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((8, 7)),
            layers.Reshape((8, 7, 1)),
            layers.Conv2D(4, 3),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    path = saved(model, tmp_path / "model.keras")
    x = torch.rand(2, 8, 7)
    expected = answers(keras, model, x)
    torch.testing.assert_close(import_model(path).classifier(x), expected, atol=1e-6, rtol=0)
    image = import_model(path, input_shape=(1, 8, 7)).classifier
    torch.testing.assert_close(image(x[:, None]), expected, atol=1e-6, rtol=0)


def test_other_endings(keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    one = keras.Sequential([layers.Input((6,)), layers.Dense(1, activation="sigmoid")])
    classifier = import_model(saved(one, tmp_path / "one.keras")).classifier
    x = torch.rand(4, 6)
    torch.testing.assert_close(classifier(x).softmax(1)[:, 1:], answers(keras, one, x), atol=1e-6, rtol=0)
    late = keras.Sequential([layers.Input((6,)), layers.Dense(4), layers.Softmax(), layers.Rescaling(1.0)])
    classifier = import_model(saved(late, tmp_path / "late.keras")).classifier
    assert classifier.outputs == "probabilities"
    torch.testing.assert_close(classifier(x).exp(), answers(keras, late, x), atol=1e-6, rtol=0)


def test_normalisation_and_bounds_belong_to_the_caller(keras: Any, tmp_path: Path) -> None:
    model = tutorial(keras)
    path = saved(model, tmp_path / "model.keras")
    imported = import_model(path, bounds=(0, 255), normalization=([127.5], [127.5]))
    x = torch.rand(3, 1, 28, 28) * 255
    ours = imported.classifier(x).softmax(1)
    torch.testing.assert_close(ours, answers(keras, model, x / 127.5 - 1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("form", ["2.4", "2.2", "2.0"])
def test_an_old_h5_file_of_keras_2(keras: Any, tmp_path: Path, form: str) -> None:
    generator = np.random.default_rng(0)
    kernel, bias = generator.normal(size=(3, 3, 1, 2)).astype("f4"), np.ones(2, "f4")
    dense, offset = generator.normal(size=(8, 3)).astype("f4"), np.zeros(3, "f4")
    start = {"class_name": "GlorotUniform", "config": {"seed": None}}
    zeros = {"class_name": "Zeros", "config": {}}
    plain = {"trainable": True, "dtype": "float32", "use_bias": True, "kernel_initializer": start}
    common = {**plain, "bias_initializer": zeros, "kernel_regularizer": None, "bias_constraint": None}
    conv = {
        **common,
        "name": "conv2d",
        "batch_input_shape": [None, 6, 6, 1],
        "filters": 2,
        "kernel_size": [3, 3],
        "strides": [1, 1],
        "padding": "valid",
        "data_format": "channels_last",
        "dilation_rate": [1, 1],
        "groups": 1,
        "activation": "relu",
    }
    pool = {
        "name": "max_pooling2d",
        "pool_size": [2, 2],
        "padding": "valid",
        "strides": [2, 2],
        "data_format": "channels_last",
    }
    layers = [
        {"class_name": "Conv2D", "config": conv},
        {"class_name": "MaxPooling2D", "config": pool},
        {"class_name": "Flatten", "config": {"name": "flatten", "data_format": "channels_last"}},
        {"class_name": "Dense", "config": {**common, "name": "dense", "units": 3, "activation": "softmax"}},
    ]
    if form == "2.4":
        entry = {"batch_input_shape": [None, 6, 6, 1], "dtype": "float32", "sparse": False, "ragged": False}
        layers = [{"class_name": "InputLayer", "config": {**entry, "name": "conv2d_input"}}, *layers]
    inner: Any = layers if form == "2.0" else {"name": "sequential", "layers": layers}
    config = {"class_name": "Sequential", "config": inner}
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs.update(
            keras_version=f"{form}.0".encode(), backend=b"tensorflow", model_config=json.dumps(config).encode()
        )
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"conv2d", b"max_pooling2d", b"flatten", b"dense"]
        for name, arrays in {"conv2d": (kernel, bias), "dense": (dense, offset)}.items():
            part = group.create_group(name)
            part.attrs["weight_names"] = [f"{name}/kernel:0".encode(), f"{name}/bias:0".encode()]
            for key, array in zip(("kernel:0", "bias:0"), arrays, strict=True):
                part.create_dataset(f"{name}/{key}", data=array)
        for name in ("max_pooling2d", "flatten"):
            group.create_group(name).attrs["weight_names"] = np.array([], "S1")
    classifier = import_model(tmp_path / "old.h5").classifier
    x = torch.rand(2, 1, 6, 6)
    convolved = torch.conv2d(x, torch.from_numpy(kernel).permute(3, 2, 0, 1), torch.from_numpy(bias)).relu()
    flat = torch.max_pool2d(convolved, 2).permute(0, 2, 3, 1).reshape(2, 8)
    torch.testing.assert_close(classifier(x), flat @ torch.from_numpy(dense), atol=1e-5, rtol=0)


def rewritten(path: Path, change: Any) -> Path:
    """A .keras file with another description."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(entries["config.json"])
    change(config)
    entries["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def test_code_in_the_description_is_refused_before_keras_sees_it(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_args: object, **_settings: object) -> None:
        pytest.fail("Keras was asked to load the file")

    monkeypatch.setattr(keras.saving, "load_model", never)
    layers = keras.layers
    lazy = keras.Sequential([layers.Input((4,)), layers.Lambda(lambda x: x * 2), layers.Dense(2)])
    with pytest.raises(IntegrityError, match="Lambda"):
        import_model(saved(lazy, tmp_path / "lambda.keras"))
    with pytest.raises(IntegrityError, match="Lambda"):
        import_model(saved(lazy, tmp_path / "lambda.h5"))
    plain = keras.Sequential([layers.Input((4,)), layers.Dense(2)])

    def gadget(config: Any) -> None:
        config["config"]["layers"][1] |= {"module": "os", "class_name": "Dense"}

    with pytest.raises(UnsupportedModel, match="of os"):
        import_model(rewritten(saved(plain, tmp_path / "os.keras"), gadget))

    def function(config: Any) -> None:
        inner = {"module": "keras.utils", "class_name": "function", "config": "get_file"}
        config["config"]["layers"][1]["config"]["activation"] = inner

    with pytest.raises(IntegrityError):
        import_model(rewritten(saved(plain, tmp_path / "function.keras"), function))


def test_a_layer_without_counterpart_is_named(keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    model = keras.Sequential([layers.Input((6, 4)), layers.LSTM(3, name="memory"), layers.Dense(2)])
    with pytest.raises(UnsupportedModel, match="'memory' is a LSTM") as caught:
        import_model(saved(model, tmp_path / "model.keras"))
    assert "Conv2D" in str(caught.value.hint)
    uneven = keras.Sequential(
        [
            layers.Input((6, 6, 1)),
            layers.AveragePooling2D(3, strides=2, padding="same"),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    with pytest.raises(UnsupportedModel, match="answer differently"):
        import_model(saved(uneven, tmp_path / "uneven.keras"))


def test_a_conversion_that_answers_differently_is_refused(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tutorial(keras), tmp_path / "model.keras")
    monkeypatch.setitem(keras_model.LAYERS, "MaxPooling2D", keras_model._pooling("avg_pool2d"))
    with pytest.raises(UnsupportedModel, match="differ from the original"):
        import_model(path)


def test_files_that_are_no_models(keras: Any, tmp_path: Path) -> None:
    model = tutorial(keras)
    model.save_weights(tmp_path / "some.weights.h5")
    with pytest.raises(DataError, match="weights only"):
        import_model(tmp_path / "some.weights.h5")
    path = saved(model, tmp_path / "model.keras")
    with pytest.raises(ConfigError, match="leave out the factory"):
        import_model(path, factory="a:b")
    with pytest.raises(ConfigError, match="labels"):
        import_model(path, labels=["a", "b"])
    with pytest.raises(ConfigError, match="input_shape"):
        import_model(path, input_shape=(28, 28, 1))
    with h5py.File(tmp_path / "linked.h5", "w") as file:
        file["weights"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(IntegrityError, match="another place"):
        import_model(tmp_path / "linked.h5")
    (tmp_path / "cut.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 50)
    with pytest.raises(DataError, match="damaged"):
        import_model(tmp_path / "cut.h5")


def test_another_backend_is_a_clear_error(keras: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ConfigError, match="'jax' backend"):
        keras_model._keras()


def test_without_keras_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(DependencyMissing) as caught:
        keras_model._keras()
    assert caught.value.hint == "pip install 'hauberk[keras]'"


def test_the_network_can_be_trained_on(keras: Any, tmp_path: Path) -> None:
    classifier = import_model(saved(tutorial(keras), tmp_path / "model.keras")).classifier.train()
    x, y = torch.rand(8, 1, 28, 28), torch.arange(8)
    optimizer = torch.optim.SGD(classifier.parameters(), 0.05)
    losses = []
    for _ in range(5):
        loss = torch.nn.functional.cross_entropy(classifier(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
