"""The same network behind other servers, without guard, accounts or trail: for ``serving.py``.

    python benchmarks/serving_peers.py litserve PACKAGE PORT

LitServe and Ray Serve batch with what they offer for it; both get the image as bytes, LitServe inside of JSON
as base64, because it parses every body as JSON. ``bare`` is what a tutorial does: FastAPI, one image as a list
of numbers, no batches. ``off`` is Hauberk's own server with metrics that count nothing.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch

BATCH = 64
SHAPE = (1, 28, 28)


def network(package: str) -> Any:
    import hauberk

    torch.set_num_threads(1)
    return hauberk.load(package)


def probabilities(model: Any, rows: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return model(torch.from_numpy(rows)).softmax(1).numpy()


def litserve(package: str, port: int) -> None:
    from litserve import LitServer
    from serving_litserve import Api

    api = Api(package, max_batch_size=BATCH, batch_timeout=0.001)
    LitServer(api, accelerator="cpu").run(
        port=port, host="127.0.0.1", generate_client_file=False, log_level="error"
    )


def ray_serve(package: str, port: int) -> None:
    import time

    import ray
    from ray import serve
    from starlette.requests import Request
    from starlette.responses import Response

    ray.init(num_cpus=2, include_dashboard=False, logging_level="error", log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": port}, logging_config={"log_level": "ERROR"})

    @serve.deployment(max_ongoing_requests=256, ray_actor_options={"num_cpus": 0.5})
    class Net:
        def __init__(self) -> None:
            self.model = network(package)

        @serve.batch(max_batch_size=BATCH, batch_wait_timeout_s=0.0)
        async def predict(self, images: list[bytes]) -> list[bytes]:
            rows = np.stack([np.frombuffer(one, np.float32).reshape(SHAPE) for one in images])
            return [one.tobytes() for one in probabilities(self.model, rows)]

        async def __call__(self, request: Request) -> Response:
            return Response(await self.predict(await request.body()))

    serve.run(Net.bind(), route_prefix="/predict")
    while True:
        time.sleep(1)


def bare(package: str, port: int) -> None:
    import fastapi
    import uvicorn

    app = fastapi.FastAPI()
    model = network(package)

    @app.post("/predict")
    async def predict(document: dict[str, list[float]]) -> dict[str, list[float]]:
        rows = np.array(document["image"], np.float32).reshape(1, *SHAPE)
        return {"probabilities": probabilities(model, rows)[0].tolist()}

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


def off(package: str, port: int) -> None:
    from pathlib import Path

    from hauberk.serving import running
    from hauberk.serving.address import Address
    from hauberk.serving.admitting import Checks
    from hauberk.serving.folders import FolderSource
    from hauberk.serving.metrics import Metrics

    class Uncounted(Metrics):
        def answered(self, *arguments: Any) -> None: ...
        def predicted(self, *arguments: Any) -> None: ...
        def batched(self, *arguments: Any) -> None: ...

    running.Metrics = Uncounted  # type: ignore[misc]
    torch.set_num_threads(1)
    address = Address(port=port)
    service = running.Service(source=FolderSource({"net": Path(package)}, Checks()), address=address)
    running.run(service, address.bind())


if __name__ == "__main__":
    {"litserve": litserve, "ray": ray_serve, "bare": bare, "off": off}[sys.argv[1]](
        sys.argv[2], int(sys.argv[3])
    )
