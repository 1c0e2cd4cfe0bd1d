"""``hauberk top`` against a server that answers and addresses that do not."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator

import pytest
from transcripts import Call

METRICS = """# TYPE hauberk_ready gauge
hauberk_ready 1
hauberk_connections 3
hauberk_waiting_images{model="net"} 2
hauberk_model_served{model="net",version="9f"} 1
hauberk_requests_total{route="infer",status="200"} 7
"""


@pytest.fixture
def url() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers.get("Authorization") in (None, "Bearer right")
            body = METRICS.encode()
            self.send_response((200 if self.path == "/metrics" else 404) if known else 401)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            return None

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_one_look(hauberk_command: Call, url: str) -> None:
    said = hauberk_command("top", url, "--once", "--every", "0.1")
    assert said.code == 0, said.err
    for part in ("ready", "3 connections", "net 9f", "p99"):
        assert part in said.out
    found = json.loads(hauberk_command("top", f"{url}/", "--every", "0.1", "--json").out)
    assert found["connections"] == 3
    assert found["models"]["net"][1] == 2


def test_what_it_refuses(hauberk_command: Call, url: str, tmp_path) -> None:
    (tmp_path / "key").write_text("wrong\n")
    for arguments, code, says in (
        (("ftp://x",), 2, "begins with http"),
        (("http://127.0.0.1:1",), 3, "does not answer"),
        ((f"{url}/elsewhere",), 3, "answered 404"),
        ((url, "--api-key-file", tmp_path / "key"), 1, "does not show its metrics"),
        ((url, "--api-key-file", tmp_path / "nowhere"), 2, "no file with an API key"),
    ):
        said = hauberk_command("top", *arguments, "--once", "--every", "0.1")
        assert (said.code, says in said.err) == (code, True), said.err
        assert "wrong" not in said.err
