"""Our server beside LitServe, Ray Serve and bare FastAPI, in one run.

    pip install litserve==0.2.19 "ray[serve]==2.60.0"
    python benchmarks/serving.py                       # three rounds; nothing else should run
    python benchmarks/serving.py --rounds 1 --seconds 3 --out results/serving-small.json

Unit: how often the bare network answers one image on one core, taken anew beside every server. Every server has
core 0 for all of its processes; 32 connections call it from core 1, each with one image after the other. Before
the clock starts, every server's answer is compared with the network's own.

``full`` serves a vault: every connection is a caller with a key of his own and images of his own, each decision
is on disk before its answer leaves, the guard looks at every image, everything is counted. The images are
MNIST's (``HAUBERK_DATA`` names a folder that has it). ``off`` is the same
application without any of that, asked about the same images.

The goals: ``full`` at least 0.5 of the unit (then 0.6) and 0.8 of ``off`` (then 0.95), p99 at most 3 times p50,
and faster than the peers, who do nothing of the kind.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from pages import put

HERE = Path(__file__).parent
SERVER_CORE, CALLER_CORE = 0, 1
CONNECTIONS = 32
START_S = 90.0
IMAGES = 32_768  # so that no connection comes round soon to one of its own again
GOALS = {"share": 0.5, "of_off": 0.8, "tail": 3.0}
OURS = ("full", "open", "off")

UNIT = """
import sys, time, torch, hauberk
torch.set_num_threads(1)
model = hauberk.load(sys.argv[1])
image = torch.rand(1, *model.input_shape)
with torch.inference_mode():
    for _ in range(200):
        model(image)
    count, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < float(sys.argv[2]):
        model(image)
        count += 1
    print(count / (time.perf_counter() - begin))
"""


def make_package(folder: Path) -> tuple[Path, np.ndarray, np.ndarray]:
    """The tutorial's network with random weights, an image, and what the network says of it."""
    import torch

    import hauberk
    from hauberk.models import Classifier
    from hauberk.models.architectures import build

    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = build("cnn", (1, 28, 28), 10, {})
    model = Classifier(module, input_shape=(1, 28, 28), labels=10, architecture={"name": "cnn", "args": {}})
    hauberk.save(model, folder / "net")
    image = np.random.default_rng(0).random((1, 1, 28, 28), dtype=np.float32)
    with torch.inference_mode():
        truth = model.eval()(torch.from_numpy(image)).softmax(1).numpy()
    return folder / "net", image, truth


def make_house(folder: Path, package: Path) -> None:
    """A vault with the package in production, and a key for every connection, in the file ``keys``."""
    from hauberk.access import granting, identities, key_store, open_access
    from hauberk.vault import create_vault, open_vault, promote, push

    create_vault(folder / "house").close()
    with open_vault(folder / "house") as vault:
        access = open_access(vault)
        push(vault, package, "net")
        promote(vault, "net@1", "production")
        keys = []
        for number in range(CONNECTIONS):
            identities.add(access.database, f"ward-{number}", "service")
            granting.grant(access.database, "predictor", f"ward-{number}", "net")
            keys.append(key_store.new(access.database, f"ward-{number}").text)
        identities.add(access.database, "server", "service")
        granting.grant(access.database, "predictor", "server")
        (folder / "server.key").write_text(key_store.new(access.database, "server").text)
    (folder / "server.key").chmod(0o600)
    (folder / "keys").write_text("\n".join(keys))


def make_images(folder: Path) -> None:
    """What honest callers send: digits, each of them once."""
    import hauberk

    digits = hauberk.datasets.load("mnist").images[:IMAGES]
    np.save(folder / "images.npy", digits.numpy().reshape(IMAGES, -1))


def post(path: str, kind: str, body: bytes, extra: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {kind}\r\n{extra}"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def requests(image: np.ndarray) -> dict[str, bytes]:
    """One whole HTTP request for each contender."""
    tensor = {"name": "input", "shape": list(image.shape), "datatype": "FP32",
              "parameters": {"binary_data_size": image.nbytes}}  # fmt: skip
    asked = [{"name": "probabilities", "parameters": {"binary_data": True}}]
    head = json.dumps({"inputs": [tensor], "outputs": asked}).encode()
    ours = post(
        "/v2/models/net/infer", "application/octet-stream", head + image.tobytes(),
        f"inference-header-content-length: {len(head)}\r\n",
    )  # fmt: skip
    packed = json.dumps({"image": base64.b64encode(image.tobytes()).decode()}).encode()
    listed = json.dumps({"image": [float(f"{one:.7g}") for one in image.ravel()]}).encode()
    return {
        **dict.fromkeys(OURS, ours),
        "litserve": post("/predict", "application/json", packed),
        "ray": post("/predict", "application/octet-stream", image.tobytes()),
        "bare": post("/predict", "application/json", listed),
    }


def answered(name: str, port: int, request: bytes, key: str) -> np.ndarray:
    """The probabilities that a server gives."""
    head, _, body = request.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    headers = dict(one.split(": ", 1) for one in lines if not one.startswith("host"))
    headers |= {"authorization": f"Bearer {key}"} if name == "full" else {}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", line.split()[1], body, headers)
        answer = connection.getresponse()
        data = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{name} answered {answer.status}: {data[:200]!r}")
    if name in OURS:
        data = data[int(answer.headers["Inference-Header-Content-Length"]) :]
    if name in ("litserve", "bare"):
        return np.array(json.loads(data)["probabilities"], np.float32)
    return np.frombuffer(data, np.float32)


@contextmanager
def server(name: str, folder: Path, image_request: bytes, truth: np.ndarray) -> Iterator[int]:
    """A contender that runs on the server's core and gives the right answer."""
    package, key = folder / "net", (folder / "keys").read_text().split()[0]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(HERE / "serving_peers.py"), name, str(package), str(port)]
    if name in ("full", "open"):
        what = ["--models", f"net={package}"]
        if name == "full":
            what = ["--vault", folder / "house", "--models", "net", "--api-key-file", folder / "server.key"]
        command = [sys.executable, "-m", "hauberk", "serve", *map(str, what), "--port", str(port)]
    process = subprocess.Popen(
        command, preexec_fn=partial(os.sched_setaffinity, 0, {SERVER_CORE}),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0"},
    )  # fmt: skip
    try:
        end = time.monotonic() + START_S
        while True:
            try:
                found = answered(name, port, image_request, key)
                break
            except (OSError, RuntimeError, http.client.HTTPException):
                if time.monotonic() > end or process.poll() is not None:
                    raise
                time.sleep(0.5)
        if not np.allclose(found.ravel(), truth.ravel(), atol=1e-6):
            raise RuntimeError(f"{name} computes something else")
        yield port
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def measured(name: str, port: int, folder: Path, seconds: float) -> dict[str, Any]:
    more = ["--images", folder / "images.npy"] if name in OURS else []
    more += ["--keys", folder / "keys"] if name == "full" else []
    said = subprocess.run(
        [sys.executable, str(HERE / "serving_load.py"), str(port), str(folder / f"{name}.request"),
         "--connections", str(CONNECTIONS), "--seconds", str(seconds), *map(str, more)],
        capture_output=True, text=True, check=True, preexec_fn=partial(os.sched_setaffinity, 0, {CALLER_CORE}),
    )  # fmt: skip
    found: dict[str, Any] = json.loads(said.stdout)
    if found["wrong"]:
        raise RuntimeError(f"{name} answered {found['wrong']}")
    return found


def unit(package: Path, seconds: float) -> float:
    said = subprocess.run(
        [sys.executable, "-c", UNIT, str(package), str(seconds)], capture_output=True, text=True, check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, preexec_fn=partial(os.sched_setaffinity, 0, {SERVER_CORE}),
    )  # fmt: skip
    return float(said.stdout)


NAMES = {
    "full": "Hauberk: keys, decisions on disk, guard, metrics",
    "open": "Hauberk, metrics alone",
    "off": "Hauberk, nothing of that",
    "litserve": "LitServe, base64 in JSON, batches",
    "ray": "Ray Serve, bytes, batches",
    "bare": "bare FastAPI, JSON numbers",
}


def table(results: dict[str, Any]) -> str:
    lines = [
        "| server | requests/s | of the bare network | p50 | p99 | p99 / p50 |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, one in results["servers"].items():
        tail = one["p99_s"] / one["p50_s"]
        lines.append(
            f"| {NAMES[name]} | {one['requests_per_s']:,.0f} | {one['share']:.2f} "
            f"| {one['p50_s'] * 1000:.1f} ms | {one['p99_s'] * 1000:.1f} ms | {tail:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--without", action="append", default=[], help="leave a contender out")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "serving.json")
    chosen = parser.parse_args()
    names = [one for one in NAMES if one not in chosen.without]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        package, image, truth = make_package(place)
        make_house(place, package)
        make_images(place)
        sent = requests(image)
        for name in names:
            (place / f"{name}.request").write_bytes(sent[name])
        rounds: list[dict[str, Any]] = []
        for _number in range(chosen.rounds):
            one: dict[str, Any] = {}
            for name in names:
                bare = unit(package, min(2.0, chosen.seconds))  # beside each, since machines are not steady
                with server(name, place, sent[name], truth) as port:
                    one[name] = measured(name, port, place, chosen.seconds) | {"unit_per_s": bare}
                one[name]["share"] = one[name]["requests_per_s"] / bare
                print(name, one[name], file=sys.stderr)
            rounds.append(one)
    servers = {
        name: {key: statistics.median(one[name][key] for one in rounds)
               for key in ("requests_per_s", "share", "p50_s", "p99_s", "unit_per_s")}
        for name in names
    }  # fmt: skip
    if {"full", "off"} <= servers.keys():
        servers["full"]["of_off"] = statistics.median(
            one["full"]["share"] / one["off"]["share"] for one in rounds
        )
    results = {
        "machine": {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "versions": {
            one: metadata.version(one)
            for one in ("torch", "uvicorn", "uvloop", "httptools", "litserve", "ray", "fastapi")
        },
        "connections": CONNECTIONS,
        "goals": GOALS,
        "servers": servers,
        "rounds": rounds,
    }
    chosen.out.write_text(json.dumps(results, indent=1) + "\n")
    text = table(results)
    print(text)
    if chosen.out == HERE / "results" / "serving.json":
        put(HERE.parent / "docs" / "serving.md", "serving", text)


if __name__ == "__main__":
    main()
