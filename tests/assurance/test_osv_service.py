"""OSV's service, played by a server of the test: pages, details, and every way in which it can fail."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from made_advisories import advisory

from hauberk.assurance.environment import look
from hauberk.assurance.environment.machine import Interpreter
from hauberk.assurance.environment.online import ask
from hauberk.assurance.environment.packages import named
from hauberk.core.errors import ConfigError, DataError, EnvironmentFailure

PACKAGES = [
    named("torch", "2.5.1+cpu", "installed"),
    named("numpy", "2.4.6", "installed"),
    named("own", "", "x"),
]
ADVISORIES = {
    "GHSA-1": advisory("GHSA-1"),
    "GHSA-2": advisory("GHSA-2"),
    "GHSA-3": advisory("GHSA-3", withdrawn="2026-01-01T00:00:00Z"),
}


class Service(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.asked: list[Any] = []
        self.answer: Any = None  # in place of the right one

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answers(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body)
        results: list[dict[str, Any]] = []
        for one in body["queries"]:
            if one["package"]["name"] != "torch":
                results.append({})
            elif one.get("page_token") == "more":
                results.append({"vulns": [{"id": "GHSA-2"}, {"id": "GHSA-3"}]})
            else:
                results.append({"vulns": [{"id": "GHSA-1"}], "next_page_token": "more"})
        self._give(self.server.answer or (200, {"results": results}))

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self._give((200, ADVISORIES[self.path.rsplit("/", 1)[1]]))

    def _give(self, answer: tuple[int, Any]) -> None:
        data = answer[1] if isinstance(answer[1], bytes) else json.dumps(answer[1]).encode()
        self.send_response(answer[0])
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_all_pages_and_no_withdrawn_advisory(service: Service) -> None:
    found = ask(PACKAGES, service=service.url)
    assert {name: [one.id for one in said] for name, said in found.items()} == {"torch": ["GHSA-1", "GHSA-2"]}


def test_it_is_told_names_and_public_versions_and_nothing_else(service: Service) -> None:
    ask(PACKAGES, service=service.url)
    assert service.asked[0] == {
        "queries": [
            {"package": {"ecosystem": "PyPI", "name": "torch"}, "version": "2.5.1"},
            {"package": {"ecosystem": "PyPI", "name": "numpy"}, "version": "2.4.6"},
        ]
    }


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        ((500, b"oops"), EnvironmentFailure, "answered 500"),
        ((200, b"<html>"), DataError, "not valid JSON"),
        ((200, []), DataError, "something else than an object"),
        ((200, {"results": []}), DataError, "one result for each"),
        ((200, {"vulns": []}), DataError, "one result for each"),
        ((200, {"results": ["x", "y"]}), DataError, "one result for each"),
        ((200, {"results": [{"vulns": [{"name": "?"}]}, {}]}), DataError, "one result for each"),
        ((200, {"results": [{"vulns": [], "next_page_token": "t"}] * 2}), DataError, "without end"),
    ],
)
def test_a_wrong_answer_is_no_all_clear(
    answer: tuple[int, Any], kind: type[Exception], message: str, service: Service
) -> None:
    service.answer = answer
    with pytest.raises(kind, match=message):
        ask(PACKAGES, service=service.url)
    facts = look(
        None,
        now=datetime.now(UTC),
        ask_online=True,
        service=service.url,
        own=PACKAGES,
        interpreter=Interpreter(path=()),
    )
    assert facts.known.failed is not None
    assert message in facts.known.failed.en
    assert facts.flaws == ()


def test_no_network(service: Service) -> None:
    gone = service.url
    service.server_close()
    with pytest.raises(EnvironmentFailure, match="no answer from") as refused:
        ask(PACKAGES, service=gone, timeout_s=2)
    assert "--osv" in str(refused.value.hint)


@pytest.mark.parametrize(
    "where", ["http://osv.example", "ftp://127.0.0.1", "osv.example", "file:///etc/passwd"]
)
def test_nobody_is_asked_in_the_clear(where: str) -> None:
    with pytest.raises(ConfigError, match="over https"):
        ask(PACKAGES, service=where)
