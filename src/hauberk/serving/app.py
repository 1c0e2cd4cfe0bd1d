"""The server as an ASGI application: routes, and the life of a request.

    headers → door (who, may he) → body → network, beside it the door's record → watch → answer

Nothing leaves before the door's decision is on disk. Whatever goes wrong is answered with one problem document.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from importlib import metadata as packages
from typing import Any
from urllib.parse import unquote

import numpy as np

from hauberk.serving import protocol
from hauberk.serving.bodies import Gone, Receive, read_body
from hauberk.serving.cors import Cors
from hauberk.serving.door import Admission, Ask, Door, Headers
from hauberk.serving.limits import Limits
from hauberk.serving.metrics import Metrics
from hauberk.serving.offers import NAME
from hauberk.serving.openapi import document as openapi
from hauberk.serving.pacing import Pace
from hauberk.serving.problems import CONTENT_TYPE, Problem, bad_request
from hauberk.serving.protocol import Answer, Question
from hauberk.serving.rack import Entry, Rack
from hauberk.serving.sealing import Sealed, Sealing, is_sealed
from hauberk.serving.tracing import Traces
from hauberk.serving.watch import Treatment, Watch

Send = Callable[[dict[str, Any]], Awaitable[None]]
Scope = dict[str, Any]
Pages = Callable[[Any, Any, Any], Awaitable[None]]

_JSON = b"application/json"
_BINARY = b"application/octet-stream"
_HEADERS: Headers = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_HEADER_LENGTH = b"inference-header-content-length"
_ID = b"x-request-id"
_CONSOLE = "/console/"


class App:
    """Answers the Open Inference Protocol, and metrics.

    Args:
        rack: the models.
        door: who may come in.
        watch: who looks at what callers do.
        tls: whether connections are encrypted, for the header that tells browsers to insist on it.
        traces: told of every answer; None where nothing is traced.
        console: answers all below ``/console``; None where there is none.
        cors: which web origins may read answers; None for none.
        sealing: opens requests that are sealed to this server; None where it has no key.
    """

    def __init__(
        self,
        rack: Rack,
        door: Door,
        watch: Watch,
        limits: Limits,
        metrics: Metrics,
        *,
        tls: bool = False,
        traces: Traces | None = None,
        console: Pages | None = None,
        cors: Cors | None = None,
        sealing: Sealing | None = None,
    ) -> None:
        self._sealing = sealing
        self._traces, self._console, self._cors = traces, console, cors
        self._rack, self._door, self._watch = rack, door, watch
        self._limits, self._metrics = limits, metrics
        extra = [(b"strict-transport-security", b"max-age=31536000")] if tls else []
        self._headers = [*_HEADERS, *extra]
        self._version = packages.version("hauberk")
        self._requests = _request_names()
        self._pace = Pace(limits.caller_rows_per_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        if self._console is not None and (scope["path"] + "/").startswith(_CONSOLE):
            await self._console(scope, receive, send)
            return
        begin = time.perf_counter()
        request = next(self._requests)
        route, status = "other", 500
        try:
            route, work = self._route(scope, request)
            status, headers, body = await work(receive)
        except Problem as problem:
            status, headers, body = _told(problem)
        except (Gone, asyncio.CancelledError):  # a connection that is lost cancels what it asked for
            self._metrics.gone()
            return
        except Exception as error:  # noqa: BLE001 (the caller learns nothing of it, the log does)
            self._metrics.failed(request, error)
            status, headers, body = _told(
                Problem(500, "failed", "something went wrong here; the request's id is in the server's log")
            )
        taken = time.perf_counter() - begin
        self._metrics.answered(route, status, taken)
        if self._traces is not None:
            end = time.time_ns()
            start = end - int(taken * 1e9)
            self._traces.answered(scope["method"], route, status, request, scope["headers"], start, end)
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    *headers,
                    (b"content-length", b"%d" % len(body)),
                    (_ID, request.encode()),
                    *self._headers,
                    *(() if self._cors is None else self._cors.headers(scope)),
                ],
            }
        )
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _route(self, scope: Scope, request: str) -> tuple[str, _Work]:
        """What a path asks for, by a word for the metrics."""
        asked = None if self._cors is None else self._cors.preflight(scope)
        if asked is not None:
            return "preflight", _Empty(asked)
        path = _segments(scope)
        read = ("GET", "HEAD")
        match path:
            case ["v2", "health", "live"]:
                return _only(scope, read, "health", _Plain({"live": True}))
            case ["v2", "health", "ready"]:
                return _only(scope, read, "health", self._ready)
            case ["v2"]:
                return _only(scope, read, "server", self._server)
            case ["openapi.json"]:
                return _only(scope, read, "openapi", self._openapi)
            case [".well-known", "hauberk-sealing-key"]:
                return _only(scope, read, "sealing", self._sealing_key)
            case ["metrics"]:
                return _only(scope, read, "metrics", _Asking(self, scope, request, "metrics.read").metrics)
            case ["v2", "models"]:
                return _only(scope, read, "models", _Asking(self, scope, request, "model.view").names)
            case ["v2", "models", name, *rest]:
                return self._model(scope, request, name, rest)
        raise Problem(404, "no-such-path", "nothing is served at this path")

    def _model(self, scope: Scope, request: str, name: str, rest: list[str]) -> tuple[str, _Work]:
        version = None
        if rest[:1] == ["versions"] and len(rest) >= 2:
            version, rest = rest[1], rest[2:]
        if not NAME.fullmatch(name) or (version is not None and not NAME.fullmatch(version)):
            raise Problem(404, "no-such-model", "no model has such a name")
        asking = _Asking(self, scope, request, "model.predict", name, version)
        match rest:
            case ["infer"]:
                return _only(scope, ("POST",), "infer", asking.infer)
            case ["ready"]:
                return _only(scope, ("GET", "HEAD"), "model", asking.ready)
            case []:
                return _only(scope, ("GET", "HEAD"), "model", asking.describe)
        raise Problem(404, "no-such-path", "nothing is served at this path")

    async def _ready(self, receive: Receive) -> _Response:
        if not self._rack.ready:
            raise Problem(503, "not-ready", "not all models are loaded, or the server is stopping")
        return _json({"ready": True})

    async def _server(self, receive: Receive) -> _Response:
        return _json({"name": "hauberk", "version": self._version, "extensions": ["binary_tensor_data"]})

    async def _sealing_key(self, receive: Receive) -> _Response:
        if self._sealing is None:
            raise Problem(404, "no-sealing-key", "this server has no key to which requests could be sealed")
        return _json(self._sealing.document)

    async def _openapi(self, receive: Receive) -> _Response:
        return _json(openapi(self._version))


_Response = tuple[int, list[tuple[bytes, bytes]], bytes]
_Work = Callable[[Receive], Awaitable[_Response]]


class _Empty:
    """Headers alone."""

    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
        self._headers = headers

    async def __call__(self, receive: Receive) -> _Response:
        return 200, self._headers, b""


class _Plain:
    """The same document for everybody."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    async def __call__(self, receive: Receive) -> _Response:
        return _json(self._document)


class _Asking:
    """One request for something that not everybody may have."""

    __slots__ = ("_action", "_app", "_model", "_request", "_scope", "_sealed", "_version")

    def __init__(
        self,
        app: App,
        scope: Scope,
        request: str,
        action: str,
        model: str | None = None,
        version: str | None = None,
    ) -> None:
        self._app, self._scope, self._request = app, scope, request
        self._action, self._model, self._version = action, model, version
        self._sealed: Sealed | None = None

    async def infer(self, receive: Receive) -> _Response:
        sealing = self._app._sealing
        if sealing is None or not is_sealed(self._scope["headers"]):
            return await self._infer(receive)
        self._sealed = sealing.request(self._model or "", self._version)
        return await self._sealed.answered(self._infer(receive))

    async def _infer(self, receive: Receive) -> _Response:
        app = self._app
        admission = await self._admit("model.predict")
        try:
            entry, question, answer, treatment = await self._answered(admission, receive)
        except Problem:
            await _recorded(admission)  # a refusal, too, says something
            raise
        await _recorded(admission)
        app._metrics.predicted(entry.name, entry.version, len(question.rows))
        text, head = protocol.encode(
            entry.name, entry.version, question, _treated(answer, treatment), decimals=treatment.decimals
        )
        if head is None:
            return 200, [(b"content-type", _JSON)], text
        return 200, [(b"content-type", _BINARY), (_HEADER_LENGTH, b"%d" % head)], text

    async def _answered(
        self, admission: Admission, receive: Receive
    ) -> tuple[Entry, Question, Answer, Treatment]:
        """What the network says, as far as this caller may hear it."""
        app = self._app
        app._watch.check(admission.caller)
        app._pace.check(admission.caller)
        entry = app._rack.find(self._model or "", self._version)
        headers = self._scope["headers"]
        body, length = await read_body(receive, headers, app._limits), _header_length(headers)
        if self._sealed is not None:
            body, length = self._sealed.open(body)
        question = protocol.parse(body, length, entry.engine.input_shape, app._limits.rows)
        app._pace.spend(admission.caller, len(question.rows))
        answer = await entry.batcher.ask(question.rows)
        treatment = app._watch.look(admission.caller, entry, question.rows, answer)
        entry.check()
        if treatment.delay_s:
            await asyncio.sleep(treatment.delay_s)
        return entry, question, answer, treatment

    async def ready(self, receive: Receive) -> _Response:
        await _recorded(await self._admit("model.view"))
        self._app._rack.find(self._model or "", self._version)
        return _json({"name": self._model, "ready": True})

    async def describe(self, receive: Receive) -> _Response:
        await _recorded(await self._admit("model.view"))
        entry = self._app._rack.find(self._model or "", self._version)
        versions = sorted(self._app._rack.models()[entry.name])
        return _json(
            protocol.metadata(entry.name, versions, entry.engine.input_shape, len(entry.engine.labels))
        )

    async def names(self, receive: Receive) -> _Response:
        await _recorded(await self._admit(self._action))
        rack = self._app._rack
        return _json(
            [
                {"name": name, "versions": sorted(versions), "current": rack.current(name)}
                for name, versions in sorted(rack.models().items())
            ]
        )

    async def metrics(self, receive: Receive) -> _Response:
        await _recorded(await self._admit(self._action))
        kind, text = self._app._metrics.exposition()
        return 200, [(b"content-type", kind.encode())], text

    async def _admit(self, action: str) -> Admission:
        client = self._scope.get("client")
        tls = (self._scope.get("extensions") or {}).get("tls")
        return await self._app._door.admit(
            Ask(
                action,
                self._model,
                self._version,
                self._scope["headers"],
                client[0] if client else "",
                self._request,
                tls["client_cert_chain"][0].encode() if tls else None,
                () if self._model is None else self._app._rack.names(self._model, self._version),
            )
        )


async def _recorded(admission: Admission) -> None:
    if admission.recorded is not None:
        await admission.recorded


def _treated(answer: Answer, treatment: Treatment) -> Answer:
    """What the caller gets to see."""
    if treatment.label_only:
        only = np.zeros_like(answer.probabilities)
        only[np.arange(len(only)), answer.label] = 1.0
        return Answer(only, answer.label, only)
    if treatment.decimals is not None:
        return Answer(
            answer.probabilities.round(treatment.decimals),
            answer.label,
            answer.logits.round(treatment.decimals),
        )
    return answer


def _segments(scope: Scope) -> list[str]:
    """The parts of a path; one that hides something in its encoding leads nowhere."""
    raw = scope.get("raw_path") or scope["path"].encode()
    text = raw.partition(b"?")[0].decode("latin-1")
    parts = [unquote(one) for one in text.strip("/").split("/")]
    if any("/" in one or "\\" in one or one in ("", ".", "..") or not one.isprintable() for one in parts):
        raise Problem(404, "no-such-path", "nothing is served at this path")
    return parts


def _request_names() -> Iterator[str]:
    """64 random bits each, many drawn at once: asking the system costs more than the rest of a name."""
    while True:
        drawn = os.urandom(8 * 128).hex()
        yield from (drawn[start : start + 16] for start in range(0, len(drawn), 16))


def _only(scope: Scope, methods: Sequence[str], route: str, work: _Work) -> tuple[str, _Work]:
    if scope["method"] not in methods:
        raise Problem(405, "method", f"use {' or '.join(methods)} here", headers={"allow": ", ".join(methods)})
    return route, work


def _header_length(headers: Headers) -> int | None:
    found = None
    for name, value in headers:
        if name == _HEADER_LENGTH:
            if found is not None or not value.isdigit() or len(value) > 10:
                raise bad_request("header-length", "Inference-Header-Content-Length must be one whole number")
            found = int(value)
    return found


def _json(document: Any) -> _Response:
    return 200, [(b"content-type", _JSON)], json.dumps(document, ensure_ascii=False).encode()


def _told(problem: Problem) -> _Response:
    headers = [(name.encode(), value.encode("latin-1")) for name, value in problem.headers.items()]
    return problem.status, [(b"content-type", CONTENT_TYPE), *headers], problem.body()


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
