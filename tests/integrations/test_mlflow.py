"""What goes into MLflow comes back the same; what was changed there does not. Against MLflow's own server."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow_server import MLflowServer

import hauberk
from hauberk.cli.app import run
from hauberk.core.errors import ConfigError, DataError, EnvironmentFailure, IntegrityError
from hauberk.core.evidence import Evidence
from hauberk.datasets import Dataset
from hauberk.integrations.mlflow import log_evidence, pull, push
from hauberk.integrations.mlflow.numbers import metrics
from hauberk.models import Classifier, read

pytestmark = pytest.mark.xdist_group("mlflow")  # one server for all of them


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MLflowServer | str]:
    try:
        started = MLflowServer(tmp_path_factory.mktemp("mlflow"))
    except RuntimeError as error:
        yield str(error)
        return
    yield started
    started.stop()


@pytest.fixture
def mlflow(server: MLflowServer | str, absent: Any) -> Iterator[Any]:
    """The client, talking to the server."""
    if isinstance(server, str):
        absent(f"MLflow's server ({server})", "pip install 'hauberk[mlflow]' flask flask-cors")
        raise AssertionError
    from hauberk.integrations.mlflow.loading import loaded

    client = loaded()
    before = client.get_tracking_uri()
    client.set_tracking_uri(server.url)
    yield client
    client.set_tracking_uri(before)


@pytest.fixture(scope="module")
def measured(plain_package: Path, digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package with an evaluation beside it, and evidence of another model that must stay out."""
    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(plain_package, folder / "plain")
    few = digits.head(16)
    model = hauberk.load(plain_package)
    for eps in (0.05, 0.2):
        one = hauberk.evaluate(model, few.images, few.labels, hauberk.Linf(eps), name="plain", dataset=few)
        one.evidence.save(folder / "evidence")
    foreign = Evidence(kind="scan", subject={"name": "other", "digest": "sha256:" + "0" * 64})
    foreign.save(folder / "evidence")
    return folder / "plain"


def test_a_package_makes_the_round_trip(mlflow: Any, measured: Path, tmp_path: Path) -> None:
    pushed = push(measured, register="round-trip")
    assert pushed.version == "1"
    back = pull("models:/round-trip/1", tmp_path / "back")
    assert back.digest == read(measured).digest
    before = {one.relative_to(measured): one.read_bytes() for one in measured.rglob("*") if one.is_file()}
    after = {one.relative_to(back.path): one.read_bytes() for one in back.path.rglob("*") if one.is_file()}
    assert after == before
    client = mlflow.MlflowClient()
    client.set_registered_model_alias("round-trip", "production", "1")
    assert pull("models:/round-trip@production", tmp_path / "alias").digest == back.digest
    assert pull(f"{pushed.model_uri}", tmp_path / "logged").digest == back.digest


def test_figures_are_the_evidences(mlflow: Any, measured: Path) -> None:
    pushed = push(measured, experiment="figures")
    documents = [Evidence.load(one) for one in (measured.parent / "evidence").glob("evaluation-*.json")]
    assert {one.digest for one in documents} < set(pushed.evidence)
    assert not any("0" * 64 in digest for digest in pushed.evidence)
    kept = mlflow.MlflowClient().get_run(pushed.run_id).data
    for one in documents:
        eps, result = one.parameters["threat"]["eps"], one.result
        prefix = f"evaluation.linf-{eps:g}"
        assert kept.metrics[f"{prefix}.robust_accuracy"] == result["robust_accuracy"]
        assert kept.metrics[f"{prefix}.robust_interval.low"] == result["robust_interval"][0]
        assert one.digest in kept.tags.values()
        text = mlflow.artifacts.load_text(f"runs:/{pushed.run_id}/hauberk/evaluation-{one.digest[7:19]}.json")
        assert Evidence.from_json(json.loads(text)) == one
    born = read(measured).evidence[0]
    losses = mlflow.MlflowClient().get_metric_history(pushed.run_id, "training.epoch.loss")
    assert [(one.step, one.value) for one in losses] == [
        (row["epoch"], row["loss"]) for row in born.result["history"]
    ]


def test_mlflow_answers_as_the_classifier(
    mlflow: Any, measured: Path, plain: Classifier, digits: Dataset
) -> None:
    push(measured, register="answers")
    served = mlflow.pyfunc.load_model("models:/answers/1")
    images = digits.images[:9]
    found = served.predict(images.numpy())
    np.testing.assert_allclose(found, plain(images).softmax(1).detach().numpy(), atol=1e-6)
    with pytest.raises(mlflow.exceptions.MlflowException, match="shape"):
        served.predict(np.zeros((2, 3, 5, 5), np.float32))
    with pytest.raises(DataError, match="leaves the valid bounds"):
        served.predict(np.full((1, 1, 8, 8), 7, np.float32))


def test_the_run_under_way_is_used(mlflow: Any, measured: Path) -> None:
    mlflow.set_experiment("under-way")
    with mlflow.start_run() as under_way:
        assert push(measured).run_id == under_way.info.run_id


def test_nothing_is_pickled(mlflow: Any, measured: Path, tmp_path: Path) -> None:
    pushed = push(measured)
    place = Path(mlflow.artifacts.download_artifacts(pushed.model_uri, dst_path=str(tmp_path)))
    assert {one.suffix for one in place.rglob("*") if one.is_file()} <= {
        "", ".json", ".safetensors", ".txt", ".yaml"
    }  # fmt: skip


def _artifact(server: MLflowServer | str, name: str, model_uri: str) -> Path:
    assert isinstance(server, MLflowServer)
    (found,) = [one for one in server._log.parent.rglob(name) if model_uri.rpartition("/")[2] in one.parts]
    return found


def test_changed_weights_are_refused(
    mlflow: Any, server: MLflowServer | str, measured: Path, tmp_path: Path
) -> None:
    pushed = push(measured, register="changed")
    weights = _artifact(server, "weights.safetensors", pushed.model_uri)
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(IntegrityError, match="changed"):
        pull("models:/changed/1", tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_another_whole_package_is_refused(
    mlflow: Any, server: MLflowServer | str, measured: Path, hardened_package: Path, tmp_path: Path
) -> None:
    pushed = push(measured, register="swapped")
    place = _artifact(server, "model.json", pushed.model_uri).parent
    shutil.rmtree(place)
    shutil.copytree(hardened_package, place)
    with pytest.raises(IntegrityError, match="another package than the one that was registered"):
        pull("models:/swapped/1", tmp_path / "back")


def test_what_is_not_there(mlflow: Any, measured: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no-such-model"):
        pull("models:/no-such-model/1", tmp_path / "back")
    with pytest.raises(ConfigError, match="exists already"):
        pull("models:/no-such-model/1", measured)
    with pytest.raises(DataError, match="could not log"):
        log_evidence(read(measured).evidence, "0" * 32)


def test_an_onnx_model_of_somebody_else(mlflow: Any, tmp_path: Path, hauberk_run: Any) -> None:
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["x"], ["flat"]),
            helper.make_node("Gemm", ["flat", "w"], ["y"], transB=1),
        ],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 2, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(weights, "w")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(made, tmp_path / "net.onnx")
    with mlflow.start_run() as theirs:
        mlflow.log_artifact(str(tmp_path / "net.onnx"), "model")
    said = hauberk_run("import", f"runs:/{theirs.info.run_id}/model", "--out", tmp_path / "in")
    assert said == 0
    model = hauberk.load(tmp_path / "in")
    assert model.input_shape == (1, 2, 2)
    with pytest.raises(DataError, match="no package"):
        pull(f"runs:/{theirs.info.run_id}/model", tmp_path / "pulled")


@pytest.fixture
def hauberk_run(server: MLflowServer | str, monkeypatch: pytest.MonkeyPatch) -> Any:
    assert isinstance(server, MLflowServer)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    return lambda *words: run([str(one) for one in words])


def test_the_verbs(
    mlflow: Any, hauberk_run: Any, measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hauberk_run("export", measured, "--format", "mlflow", "--register", "verbs", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["registered"] == "models:/verbs/1"
    assert hauberk_run("import", said["registered"], "--out", tmp_path / "back", "--json") == 0
    assert json.loads(capsys.readouterr().out)["digest"] == read(measured).digest
    assert hauberk_run("import", said["registered"], "--out", tmp_path / "other", "--labels", "a,b") == 2
    assert "leave out --labels" in capsys.readouterr().err
    assert hauberk_run("export", measured, "--format", "mlflow", "--out", tmp_path / "x") == 2
    assert hauberk_run("import", "models:/absent/7", "--out", tmp_path / "none") == 2
    assert "error: MLflow could not fetch" in capsys.readouterr().err


def test_no_server(measured: Path) -> None:
    from hauberk.integrations.mlflow.loading import loaded

    client = loaded()
    before = client.get_tracking_uri()
    client.set_tracking_uri("http://127.0.0.1:9")  # discard: nobody listens
    try:
        with pytest.raises(EnvironmentFailure, match="could not store") as caught:
            push(measured)
    finally:
        client.set_tracking_uri(before)
    assert "127.0.0.1:9" in str(caught.value.hint)


def test_metrics_are_flat_and_finite() -> None:
    one = Evidence(
        kind="evaluation",
        subject={"name": "m", "digest": "sha256:0"},
        parameters={"threat": {"norm": "l2", "eps": 0.5}},
        result={"a": 1, "yes": True, "b_interval": [0.1, 0.2], "in": {"deep": 2.5}, "text": "x", "list": [1]},
    )
    found = {name: value for name, value, _ in metrics(one)}
    prefix = "evaluation.l2-0.5"
    assert found == {
        f"{prefix}.a": 1.0, f"{prefix}.b_interval.low": 0.1, f"{prefix}.b_interval.high": 0.2,
        f"{prefix}.in.deep": 2.5,
    }  # fmt: skip
    assert all(map(math.isfinite, found.values()))


def test_passwords_of_databases_are_not_shown() -> None:
    from hauberk.integrations.mlflow.loading import _without_password

    assert _without_password("postgresql://me:secret@db/mlflow") == "postgresql://db/mlflow"


def test_nothing_of_mlflow_is_loaded_before_it_is_asked_for() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "import hauberk.integrations.mlflow, sys; print('mlflow' in sys.modules)"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert said.stdout.strip() == "False", said.stderr
