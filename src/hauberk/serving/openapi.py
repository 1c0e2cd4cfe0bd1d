"""What the server offers, as an OpenAPI 3.1 document with examples.

Source: OpenAPI Specification 3.1.0; Open Inference Protocol v2, REST.
"""

from __future__ import annotations

from typing import Any

from hauberk.serving.offers import NAME
from hauberk.serving.problems import CONTENT_TYPE, bad_request
from hauberk.serving.protocol import INPUT, INPUT_TYPES, LONGEST_ID, OUTPUT_TYPES, OUTPUTS
from hauberk.serving.sealing import MEDIA_TYPE, WHERE

_TEXT = {"type": "string"}
_SIZES = {"type": "array", "items": {"type": "integer"}}
_NAME = {"type": "string", "pattern": f"^{NAME.pattern}$"}
_QUESTION = {
    "id": "mine",
    "inputs": [{"name": INPUT, "shape": [1, 2], "datatype": "FP32", "data": [0.25, 0.75]}],
    "outputs": [{"name": "probabilities"}, {"name": "label"}],
}
_ANSWER = {
    "model_name": "net",
    "model_version": "3f1c0a5b9d20",
    "id": "mine",
    "outputs": [
        {"name": "probabilities", "datatype": "FP32", "shape": [1, 2], "data": [0.125, 0.875]},
        {"name": "label", "datatype": "INT64", "shape": [1], "data": [1]},
    ],
}


def document(version: str) -> dict[str, Any]:
    """The document, for this version of Hauberk."""
    paths: dict[str, Any] = {
        "/v2": _get("server", "The server's name and version", _ref("Server")),
        "/v2/health/live": _get("live", "Whether the server answers", _object(live=_FLAG), open_to_all=True),
        "/v2/health/ready": _get(
            "ready", "Whether every model is loaded; 503 while the server stops", _object(ready=_FLAG),
            open_to_all=True, other=("503",),
        ),
        "/v2/models": _get("models", "What is served", {"type": "array", "items": _ref("Listed")}),
        "/openapi.json": _get("openapi", "This document", {"type": "object"}, open_to_all=True),
        "/metrics": _metrics(),
        WHERE: _get(
            "sealing_key", "The key to which requests may be sealed", _object(key=_TEXT, fingerprint=_TEXT),
            open_to_all=True,
        ),
    }  # fmt: skip
    for prefix, suffix in (("/v2/models/{model}", ""), ("/v2/models/{model}/versions/{version}", "_version")):
        paths |= _model(prefix, suffix)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hauberk",
            "version": version,
            "summary": "Predictions over the Open Inference Protocol",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "responses": {"Problem": _problem()},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}, "mtls": {"type": "mutualTLS"}},
        },
        "security": [{"bearer": []}, {"mtls": []}, {}],
    }


_FLAG = {"type": "boolean"}


def _model(prefix: str, suffix: str) -> dict[str, Any]:
    names = ["model", "version"] if suffix else ["model"]
    parameters = [{"name": one, "in": "path", "required": True, "schema": _NAME} for one in names]
    paths = {
        prefix: _get(f"describe{suffix}", "Inputs, outputs and versions", _ref("Metadata")),
        f"{prefix}/ready": _get(
            f"model_ready{suffix}", "Whether it is served", _object(name=_TEXT, ready=_FLAG)
        ),
        f"{prefix}/infer": {"post": _infer(suffix)},
    }
    return {path: {"parameters": parameters, **operations} for path, operations in paths.items()}


def _infer(suffix: str) -> dict[str, Any]:
    length = {
        "description": "With the binary tensor extension: where the JSON part ends.",
        "schema": {"type": "integer", "minimum": 0},
    }
    return {
        "operationId": f"infer{suffix}",
        "summary": "Classify images",
        "parameters": [
            {"name": "Inference-Header-Content-Length", "in": "header", **length},
            {
                "name": "Content-Encoding",
                "in": "header",
                "schema": {"enum": ["identity", "gzip", "deflate"]},
            },
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": _ref("Question"),
                    "examples": {"numbers": {"summary": "One image of two values", "value": _QUESTION}},
                },
                "application/octet-stream": {"schema": {"description": "JSON, then the tensor's bytes"}},
                MEDIA_TYPE.decode(): {"schema": {"description": "Either of these, sealed to the server"}},
            },
        },
        "responses": {
            "200": {
                "description": "What the model says",
                "headers": {"Inference-Header-Content-Length": length},
                "content": {
                    "application/json": {
                        "schema": _ref("Answer"),
                        "examples": {"numbers": {"value": _ANSWER}},
                    },
                    "application/octet-stream": {"schema": {"description": "JSON, then the tensors' bytes"}},
                    MEDIA_TYPE.decode(): {"schema": {"description": "Either of these, sealed to the asker"}},
                },
            },
            **_problems("400", "408", "410", "413", "415", "429", "500", "503", "504"),
        },
    }


def _get(
    name: str, summary: str, schema: dict[str, Any], *, open_to_all: bool = False, other: tuple[str, ...] = ()
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "responses": {
            "200": {"description": "It is so", "content": {"application/json": {"schema": schema}}},
            **_problems("410", *other),
        },
    }
    return {"get": operation | ({"security": [{}]} if open_to_all else {})}


def _metrics() -> dict[str, Any]:
    answer = {"description": "Prometheus text", "content": {"text/plain": {"schema": _TEXT}}}
    return {
        "get": {
            "operationId": "metrics",
            "summary": "Figures about this server",
            "responses": {"200": answer, **_problems()},
        }
    }


def _problems(*statuses: str) -> dict[str, Any]:
    """401 to 405 may come from every path."""
    known = sorted({*statuses, "401", "403", "404", "405", "429"})
    return {status: {"$ref": "#/components/responses/Problem"} for status in known}


def _problem() -> dict[str, Any]:
    example = bad_request("shape", "'shape' must be [n, 1, 28, 28], got [1, 784]").to_json()
    return {
        "description": "What is wrong, in one document (RFC 9457)",
        "content": {
            CONTENT_TYPE.decode(): {"schema": _ref("Problem"), "examples": {"shape": {"value": example}}}
        },
    }


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _schemas() -> dict[str, Any]:
    parameters = {"type": ["object", "null"]}
    tensor = _object(name={"const": INPUT}, shape=_SIZES, datatype={"enum": sorted(INPUT_TYPES)})
    tensor["properties"] |= {"data": {"type": "array"}, "parameters": parameters}
    asked = _object(name={"enum": list(OUTPUTS)})
    asked["properties"]["parameters"] = {
        "type": ["object", "null"],
        "properties": {"binary_data": {"type": "boolean"}},
    }
    output = _object(
        name={"enum": list(OUTPUTS)}, datatype={"enum": sorted(set(OUTPUT_TYPES.values()))}, shape=_SIZES
    )
    output["properties"] |= {
        "data": {"type": "array", "items": {"type": "number"}},
        "parameters": _object(binary_data_size={"type": "integer"}),
    }
    question = _object(inputs={"type": "array", "items": tensor, "minItems": 1, "maxItems": 1})
    question["properties"] |= {
        "id": {"type": ["string", "null"], "maxLength": LONGEST_ID},
        "outputs": {"type": ["array", "null"], "items": asked},
        "parameters": parameters,
    }
    answer = _object(model_name=_TEXT, model_version=_TEXT, outputs={"type": "array", "items": output})
    answer["properties"]["id"] = _TEXT
    described = {"type": "array", "items": _object(name=_TEXT, datatype=_TEXT, shape=_SIZES)}
    problem = _object(
        type={"type": "string", "format": "uri"},
        title=_TEXT,
        status={"type": "integer"},
        detail=_TEXT,
        error={"type": "string", "description": "The detail again, where the protocol's clients look for it"},
    )
    versions = {"type": "array", "items": _TEXT}
    return {
        "Server": _object(name=_TEXT, version=_TEXT, extensions={"type": "array", "items": _TEXT}),
        "Listed": _object(name=_TEXT, versions=versions, current={"type": ["string", "null"]}),
        "Metadata": _object(name=_TEXT, versions=versions, platform=_TEXT, inputs=described, outputs=described),
        "Question": question,
        "Answer": answer,
        "Problem": problem,
    }
