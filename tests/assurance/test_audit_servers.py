"""The rules about a server: one that is careful, one that is careless, and one that is not there."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from audit_packages import NOW, ask

from hauberk.assurance.finding import Finding
from hauberk.assurance.gathering.servers import gather_server
from hauberk.assurance.target import ServingFacts, Target
from hauberk.core.errors import ConfigError, DataError

RULES = ("reachable", "tls", "callers", "guard", "limits", "alerts")
METRICS = "# TYPE hauberk_guard_alerts_total counter\nhauberk_ready 1.0\n"


class Stranger(BaseHTTPRequestHandler):
    """Answers as a test wants it."""

    metrics: ClassVar[str] = "hauberk_ready 1.0\n"
    predicts: ClassVar[int] = 400
    huge: ClassVar[int] = 400
    ready: ClassVar[int] = 200

    def log_message(self, *_words: object) -> None:
        pass

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
        self.close_connection = True

    def do_GET(self) -> None:
        known = {
            "/v2/health/ready": (self.ready, "{}"),
            "/v2/models": (200, '[{"name": "net"}]'),
            "/metrics": (200, self.metrics),
        }
        self.answer(*known.get(self.path, (404, "")))

    def do_POST(self) -> None:
        size = int(self.headers["content-length"])
        self.answer(self.huge if size > 1 << 30 else self.predicts, "")


def run(server: HTTPServer) -> Iterator[HTTPServer]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def plain() -> Iterator[tuple[type[Stranger], str]]:
    """Over plain HTTP; the class holds what it answers."""
    kind = type("Own", (Stranger,), {})
    for server in run(HTTPServer(("127.0.0.1", 0), kind)):
        yield kind, f"http://127.0.0.1:{server.server_port}"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that is its own authority, and ``key`` beside it."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", folder / "key", "-out", folder / "crt", "-days", "20", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder / "crt"


@pytest.fixture
def encrypted(certificate: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key"))
    server = HTTPServer(("127.0.0.1", 0), Stranger)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    for _ in run(server):
        yield f"https://localhost:{server.server_port}"


def findings(facts: ServingFacts, at: datetime = NOW, **settings: object) -> dict[str, Finding]:
    target = Target(kind="deployment", subject=facts.subject, place=facts.url, at=at, serving=facts)
    found = {}
    for name in RULES:
        own = {key: value for key, value in settings.items() if name == "tls"}
        (found[name],) = ask(target, f"serving.{name}", **own)
    return found


def states(facts: ServingFacts, at: datetime = NOW, **settings: object) -> dict[str, str]:
    return {name: one.state for name, one in findings(facts, at, **settings).items()}


def test_a_careless_server_fails_in_everything(plain: tuple[type[Stranger], str]) -> None:
    _kind, url = plain
    assert states(gather_server(url), plain_at_home=False) == {
        "reachable": "passed", "tls": "failed", "callers": "failed", "guard": "failed", "limits": "failed",
        "alerts": "not-applicable",
    }  # fmt: skip


def test_a_careful_one_passes(plain: tuple[type[Stranger], str]) -> None:
    kind, url = plain
    kind.metrics, kind.predicts, kind.huge = METRICS, 401, 413
    assert set(states(gather_server(url)).values()) == {"passed"}  # plain HTTP, within one machine
    kind.metrics = METRICS + 'hauberk_guard_alerts_total{finding="evasion",action="block"} 2.0\n'
    assert states(gather_server(url))["alerts"] == "failed"


def test_what_it_does_not_tell_is_unknown(plain: tuple[type[Stranger], str]) -> None:
    kind, url = plain
    kind.metrics, kind.predicts, kind.huge = "other_metric 1\n", 500, 403
    found = states(gather_server(url))
    assert [found[name] for name in ("callers", "guard", "limits", "alerts")] == ["unknown"] * 4


def test_nobody_there(plain: tuple[type[Stranger], str]) -> None:
    kind, url = plain
    kind.ready = 503
    for facts in (gather_server(url), gather_server("http://127.0.0.1:1")):
        found = findings(facts)
        assert found.pop("reachable").state == "unknown"
        assert {one.state for one in found.values()} == {"not-applicable"}


def test_tls_and_the_certificate_s_end(encrypted: str, certificate: Path) -> None:
    facts = gather_server(encrypted, ca=certificate)
    assert (facts.answers, facts.tls, facts.old_tls) == (True, "TLSv1.3", False)
    assert facts.certificate_until is not None
    present = datetime.now(UTC)
    assert timedelta(days=19) < facts.certificate_until - present < timedelta(days=21)
    assert states(facts, present)["tls"] == "passed"
    assert states(facts, present, days=30)["tls"] == "failed"
    assert states(facts, present + timedelta(days=21), days=0)["tls"] == "failed"


def test_a_certificate_that_nobody_vouches_for(encrypted: str) -> None:
    facts = gather_server(encrypted)
    assert not facts.answers
    assert "certificate" in facts.why.en.lower()
    assert findings(facts)["reachable"].fix == (f"hauberk audit {encrypted} --ca CERT.pem",)


@pytest.mark.parametrize("url", ["https://", "ftp://host", "https://user:secret@host", "http:host"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        gather_server(url)
    assert "secret" not in str(caught.value) or url.startswith("https://user")


def test_an_authority_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("words")
    for place in (tmp_path / "ca", tmp_path / "none"):
        with pytest.raises(DataError) as caught:
            gather_server("https://localhost:1", ca=place)
        assert str(place) in str(caught.value)
