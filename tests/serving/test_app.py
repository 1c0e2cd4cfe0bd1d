"""The server over real sockets, spoken to by Triton's own client and by hand."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_servers import Server, question

import hauberk
from hauberk.serving.openapi import document

IMAGES = np.random.default_rng(0).random((3, 1, 4, 4), dtype=np.float32)


@pytest.fixture
def triton(absent: Callable[[str, str], None], server: Server) -> Any:
    try:
        import tritonclient.http as client
    except ImportError:
        absent("tritonclient", "pip install 'tritonclient[http]'")
    with client.InferenceServerClient(f"127.0.0.1:{server.port}") as found:
        yield found


def truth(package: Path, images: np.ndarray) -> np.ndarray:
    import torch

    with torch.no_grad():
        return hauberk.load(package)(torch.from_numpy(images)).softmax(1).numpy()


def test_tritonclient_finds_server_and_model(triton: Any) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("net")
    assert not triton.is_model_ready("other")
    assert triton.get_server_metadata()["name"] == "hauberk"
    found = triton.get_model_metadata("net")
    assert found["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 1, 4, 4]}]
    assert triton.get_model_metadata("net", found["versions"][0])["versions"] == found["versions"]


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("packing", [None, "gzip", "deflate"])
def test_tritonclient_gets_the_networks_answers(
    triton: Any, nets: tuple[Path, Path], binary: bool, packing: str | None
) -> None:
    import tritonclient.http as client

    tensor = client.InferInput("input", list(IMAGES.shape), "FP32")
    tensor.set_data_from_numpy(IMAGES, binary_data=binary)
    asked = [client.InferRequestedOutput(name, binary_data=binary) for name in ("probabilities", "label")]
    result = triton.infer("net", [tensor], outputs=asked, request_id="7", request_compression_algorithm=packing)
    expected = truth(nets[0], IMAGES)
    assert np.allclose(result.as_numpy("probabilities"), expected, atol=1e-6)
    assert np.array_equal(result.as_numpy("label"), expected.argmax(1))
    assert result.get_response()["id"] == "7"


def test_tritonclient_is_told_what_is_wrong(triton: Any) -> None:
    import tritonclient.http as client
    from tritonclient.utils import InferenceServerException

    tensor = client.InferInput("input", [1, 16], "FP32")
    tensor.set_data_from_numpy(IMAGES[:1].reshape(1, 16))
    with pytest.raises(InferenceServerException, match=r"'shape' must be \[n, 1, 4, 4\]"):
        triton.infer("net", [tensor])
    with pytest.raises(InferenceServerException, match="'other' is not served"):
        triton.get_model_metadata("other")


def test_every_answer_has_the_headers_that_protect_browsers(server: Server) -> None:
    asked = [("GET", "/v2"), ("GET", "/nowhere"), ("POST", "/v2"), ("GET", "/metrics"), ("HEAD", "/v2")]
    for method, path in asked:
        _status, headers, _body = server.ask(method, path)
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in headers
        assert len(headers["x-request-id"]) == 16


def test_no_other_origin_is_let_in(server: Server) -> None:
    origin = {"origin": "https://elsewhere.example", "access-control-request-method": "POST"}
    for method, path in (("OPTIONS", "/v2/models/net/infer"), ("GET", "/v2")):
        status, headers, _body = server.ask(method, path, headers=origin)
        assert not [name for name in headers if name.startswith("access-control")]
        assert status == (405 if method == "OPTIONS" else 200)


def test_head_is_get_without_a_body(server: Server) -> None:
    _status, full, body = server.ask("GET", "/v2")
    status, headers, nothing = server.ask("HEAD", "/v2")
    assert (status, nothing) == (200, b"")
    assert headers["content-length"] == full["content-length"] == str(len(body))


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/", 404, None),
        ("GET", "/v2/", 200, None),
        ("GET", "/v3", 404, None),
        ("GET", "/v2/models/net/versions", 404, None),
        ("GET", "/v2/models/net/versions/7", 404, None),
        ("GET", "/v2/models/net/infer", 405, "POST"),
        ("PUT", "/v2/models/net", 405, "GET, HEAD"),
        ("DELETE", "/metrics", 405, "GET, HEAD"),
        ("TRACE", "/v2", 405, "GET, HEAD"),
        ("GET", "/v2/models/..%2f..%2fetc%2fpasswd", 404, None),
        ("GET", "/v2/models/%2e%2e", 404, None),
        ("GET", "/v2/models/../../etc/passwd", 404, None),
        ("GET", "/v2/models/net%00", 404, None),
        ("GET", "/v2/models/net%0d%0aset-cookie:x", 404, None),
        ("GET", "/v2/models/..%5c..%5cetc", 404, None),
        ("GET", "/v2/models/%c0%ae%c0%ae", 404, None),
        ("GET", "/v2/models/n%65t", 200, None),
        ("GET", "/v2//models/net", 404, None),
        ("GET", "/v2/models/" + "a" * 200, 404, None),
        ("GET", "/v2/models/-net", 404, None),
    ],
)
def test_paths_that_lead_nowhere(
    server: Server, method: str, path: str, status: int, allow: str | None
) -> None:
    found, headers, body = server.ask(method, path)
    assert found == status
    assert headers.get("allow") == allow
    if status >= 400:
        assert headers["content-type"] == "application/problem+json"
        told = json.loads(body)
        assert told["status"] == status
        assert "passwd" not in body.decode()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1.5, -0.1])
def test_values_outside_of_the_models_bounds(server: Server, value: float) -> None:
    images = IMAGES.copy()
    images[1, 0, 2, 2] = value
    body = json.dumps(
        {
            "inputs": [
                {"name": "input", "shape": [3, 1, 4, 4], "datatype": "FP32",
                 "parameters": {"binary_data_size": images.nbytes}}
            ]
        }
    ).encode()  # fmt: skip
    header = {"inference-header-content-length": str(len(body))}
    status, _headers, told = server.ask("POST", "/v2/models/net/infer", body + images.tobytes(), header)
    assert status == 400
    assert json.loads(told)["detail"] == "image 1 has values that are no numbers or outside of [0, 1]"


def test_bodies_that_are_too_large_or_packed_to_explode(server: Server) -> None:
    path = "/v2/models/net/infer"
    bomb = b" " * (50 << 20)
    asked: list[tuple[bytes, dict[str, str], int]] = [
        (b"x" * (1 << 17), {}, 413),
        (gzip.compress(bomb), {"content-encoding": "gzip"}, 413),
        (zlib.compress(bomb), {"content-encoding": "deflate"}, 413),
        (gzip.compress(gzip.compress(bomb)), {"content-encoding": "gzip, gzip"}, 415),
        (b"x", {"content-encoding": "br"}, 415),
        (b"not packed", {"content-encoding": "gzip"}, 400),
        (gzip.compress(b"{}")[:-4], {"content-encoding": "gzip"}, 400),
        (gzip.compress(b"{}") + b"more", {"content-encoding": "gzip"}, 400),
        (question(IMAGES), {"inference-header-content-length": "-1"}, 400),
        (question(IMAGES), {"inference-header-content-length": "9" * 30}, 400),
        (question(np.zeros((17, 1, 4, 4))), {}, 413),
        (b'{"inputs":' * 3000, {}, 400),
        (b"[" * 60000, {}, 400),
        (b'{"inputs": [' + b"1," * 30000 + b"1]}", {}, 400),
    ]
    for body, headers, expected in asked:
        status, _headers, told = server.ask("POST", path, body, headers)
        assert status == expected, (body[:40], headers, told)
        assert json.loads(told)["status"] == expected


def test_a_replayed_id_is_only_a_name(server: Server) -> None:
    first, again = (server.infer("net", IMAGES, id="same") for _ in range(2))
    assert first == again
    assert first[1]["id"] == "same"


def test_the_document_is_openapi(absent: Callable[[str, str], None], server: Server) -> None:
    try:
        from openapi_spec_validator import OpenAPIV31SpecValidator
    except ImportError:
        absent("openapi-spec-validator", "pip install openapi-spec-validator")
    _status, _headers, body = server.ask("GET", "/openapi.json")
    found = json.loads(body)
    OpenAPIV31SpecValidator(found).validate()
    assert found == document(found["info"]["version"])


def test_the_documents_examples_are_true() -> None:
    import jsonschema

    found = document("1")
    infer = found["paths"]["/v2/models/{model}/infer"]["post"]
    for name, content in (
        ("Question", infer["requestBody"]["content"]["application/json"]),
        ("Answer", infer["responses"]["200"]["content"]["application/json"]),
        ("Problem", found["components"]["responses"]["Problem"]["content"]["application/problem+json"]),
    ):
        for example in content["examples"].values():
            schema = {"$ref": f"#/components/schemas/{name}", "components": found["components"]}
            jsonschema.validate(example["value"], schema)


def test_metrics_count_and_name_nobody(server: Server) -> None:
    def images() -> float:
        _status, _headers, body = server.ask("GET", "/metrics")
        lines = [one for one in body.decode().splitlines() if one.startswith("hauberk_images_total{")]
        return sum(float(one.split()[-1]) for one in lines)

    server.infer("net", IMAGES, id="a-name-of-mine")
    before = images()
    server.infer("net", IMAGES, id="a-name-of-mine")
    assert images() == before + 3
    assert b"a-name-of-mine" not in server.ask("GET", "/metrics")[2]
