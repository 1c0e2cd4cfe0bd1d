"""Into MLflow: a run with figures and evidence, a model, and a version in the registry where one is wanted."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hauberk.core.evidence import Evidence
from hauberk.integrations.mlflow.loading import asking
from hauberk.integrations.mlflow.numbers import metrics

LOADER = "hauberk.integrations.mlflow.flavour"
MODEL_TAG, PACKAGE_TAG = "hauberk.model", "hauberk.package"
_BATCH = 1000  # what MLflow takes in one call


@dataclass(frozen=True)
class Pushed:
    """What MLflow holds now.

    Args:
        model_uri: of the logged model, ``models:/m-…``.
        version: in the registry, or None where none was asked for.
        evidence: digests of what the run tells of.
    """

    run_id: str
    model_uri: str
    version: str | None
    evidence: tuple[str, ...]


def push(
    package: str | Path,
    *,
    experiment: str = "hauberk",
    register: str | None = None,
    evidence: str | Path | None = None,
) -> Pushed:
    """Log a package and its evidence, in the run under way or in one of its own.

    Args:
        experiment: for a run of its own; made where there is none.
        register: name of the registered model that gets a new version.
        evidence: folder of later evidence [default: ``evidence`` beside the package]; what tells of this model
            is taken.

    Raises:
        DataError, IntegrityError: no package, or one that was changed.
        DataError, EnvironmentFailure: MLflow does not know the name, or does not answer.
    """
    from hauberk.models import load
    from hauberk.vault.content import opened_content

    classifier = load(package)  # all of it verified, before anything is sent
    with opened_content(Path(package), None, Path(evidence) if evidence else None) as content:
        documents, digest, model = content.evidence, content.digest, content.subject
    tags = {MODEL_TAG: model, PACKAGE_TAG: digest}
    with asking(f"store {package}") as mlflow:
        client = mlflow.MlflowClient()
        running = mlflow.active_run()
        name = Path(package).resolve().name
        with nullcontext(running) if running else mlflow.start_run(
            experiment_id=_experiment(client, experiment), run_name=name
        ) as run:  # fmt: skip
            run_id = str(run.info.run_id)
            log_evidence(documents, run_id)
            for key, value in tags.items():
                client.set_tag(run_id, key, value)
            info = mlflow.pyfunc.log_model(
                name="model",
                loader_module=LOADER,
                data_path=str(Path(package).resolve()),
                signature=_signature(mlflow, classifier),
                pip_requirements=["hauberk[mlflow]"],
            )
        version = None
        if register is not None:
            version = str(mlflow.register_model(info.model_uri, register, tags=tags).version)
    return Pushed(run_id, str(info.model_uri), version, tuple(one.digest for one in documents))


def log_evidence(documents: Iterable[Evidence], run_id: str) -> None:
    """Documents as artifacts under ``hauberk/``, their figures as metrics, their digests as tags.

    Raises:
        DataError, EnvironmentFailure: no such run, or MLflow does not answer.
    """
    with asking(f"log to run {run_id}") as mlflow:
        client = mlflow.MlflowClient()
        for one in documents:
            name = f"{one.kind}-{one.digest[7:19]}"
            client.log_text(
                run_id, json.dumps(one.to_json(), indent=1, ensure_ascii=False), f"hauberk/{name}.json"
            )
            client.set_tag(run_id, f"hauberk.evidence.{name}", one.digest)
            rows = _rows(mlflow, one)
            for start in range(0, len(rows), _BATCH):
                client.log_batch(run_id, metrics=rows[start : start + _BATCH])


def _rows(mlflow: Any, one: Evidence) -> list[Any]:
    at_ms = int(time.time() * 1000)
    return [mlflow.entities.Metric(name, value, at_ms, step) for name, value, step in metrics(one)]


def _experiment(client: Any, name: str) -> str:
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found is not None else client.create_experiment(name))


def _signature(mlflow: Any, classifier: Any) -> Any:
    """Images in, probabilities out, so that MLflow itself refuses other shapes."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    single = np.dtype(np.float32)
    columns = classifier.num_classes + int(classifier.rejects)
    return ModelSignature(
        inputs=Schema([TensorSpec(single, (-1, *classifier.input_shape))]),
        outputs=Schema([TensorSpec(single, (-1, columns))]),
    )
