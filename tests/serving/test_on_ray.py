"""Our application behind Ray Serve's proxy, on a Ray of this machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

SCRIPT = """
import json, sys, urllib.request
import ray
from ray import serve
from hauberk.serving.on_ray import application

package, port = sys.argv[1], int(sys.argv[2])
ray.init(num_cpus=2, include_dashboard=False, logging_level="error", log_to_driver=False)
try:
    serve.start(http_options={"host": "127.0.0.1", "port": port}, logging_config={"log_level": "ERROR"})
except TimeoutError:  # Ray waits a minute for its proxy; on a busy machine it comes later
    pass
serve.run(application({"net": package}, replicas=2, ray_actor_options={"num_cpus": 0.5}), route_prefix="/")
url = f"http://127.0.0.1:{port}/v2/models/net"
asked = {"inputs": [{"name": "input", "shape": [1, 1, 4, 4], "datatype": "FP32", "data": [0.5] * 16}]}
with urllib.request.urlopen(f"{url}/infer", json.dumps(asked).encode(), timeout=60) as answer:
    print(answer.read().decode())
serve.shutdown()
ray.shutdown()
"""


@pytest.mark.slow
def test_replicas_answer_as_the_network_does(
    absent: Callable[[str, str], None], nets: tuple[Path, Path], tmp_path: Path
) -> None:
    if find_spec("ray") is None or find_spec("ray.serve") is None or find_spec("fastapi") is None:
        absent("Ray Serve", "pip install 'ray[serve]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(nets[0]), str(port)],
        capture_output=True, text=True, timeout=240,
        env={
            **os.environ, "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1",
            "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",  # on a busy machine
        },
    )  # fmt: skip
    assert said.returncode == 0, said.stderr[-2000:]
    import numpy as np
    import torch

    import hauberk

    with torch.inference_mode():
        expected = hauberk.load(nets[0])(torch.full((1, 1, 4, 4), 0.5)).softmax(1).numpy()
    line = next(
        one for one in said.stdout.splitlines() if one.startswith('{"model_name"')
    )  # Ray prints there too
    found = json.loads(line)["outputs"][0]["data"]
    assert np.allclose(found, expected.ravel(), atol=1e-6)
