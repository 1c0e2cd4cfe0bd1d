"""The witness over HTTP, and the log's side of the protocol: bounds, and answers that are not believed."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from branches import Branch, numbered
from servers import answering, serving

from hauberk.core.errors import ConfigError, EnvironmentFailure, IntegrityError
from hauberk.crypto.notes import Note, generate, verify
from hauberk.ledger import web
from hauberk.ledger.anchors import evm
from hauberk.ledger.witness import Witness, ask_witness, cosign, open_witness
from hauberk.ledger.witness.protocol import MOST_BYTES, SIZE_KIND
from hauberk.ledger.witness.service import Bounds, listen


@pytest.fixture
def log() -> Branch:
    return Branch(numbered(20))


@pytest.fixture
def witness(log: Branch, tmp_path: Path) -> Iterator[Witness]:
    with open_witness(tmp_path / "w", [log.signer.verifier], name="witness.example/w1") as made:
        yield made


def _post(url: str, body: bytes) -> web.Answer:
    return web.post(f"{url}/add-checkpoint", body, kind="text/plain")


def test_statuses_and_types_over_http(log: Branch, witness: Witness) -> None:
    with serving(witness) as url:
        assert _post(url, log.request(0, 7)).status == 200
        conflict = _post(url, log.request(0, 12))
        assert (conflict.status, conflict.body, conflict.kind) == (409, b"7\n", SIZE_KIND)
        assert _post(url, b"nonsense").status == 400
        assert _post(url, Branch(numbered(2), signer=generate("other.example")).request(0)).status == 404
        assert _post(url, Branch(log.list, signer=generate(log.signer.name)).request(0)).status == 403
        assert _post(url, log.fork(3, b"x", b"y", b"z", b"u", b"v").request(7, 8)).status == 422
        assert web.get(f"{url}/add-checkpoint").status == 405
        assert web.get(f"{url}/").status == 404


def _talk(url: str, sent: bytes, pause_s: float = 0.0, rest: bytes = b"") -> tuple[bytes, float]:
    """Everything that the server says to raw bytes, and how long it let the connection live."""
    began = time.monotonic()
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as raw:
        raw.sendall(sent)
        said = b""
        try:
            for byte in rest:
                time.sleep(pause_s)
                raw.sendall(bytes([byte]))
            while piece := raw.recv(4096):
                said += piece
        except ConnectionError:
            pass
    return said, time.monotonic() - began


_HEAD = b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\n"


def test_a_body_that_is_too_large_is_refused(log: Branch, witness: Witness) -> None:
    with serving(witness) as url:
        said, _ = _talk(url, _HEAD + b"Content-Length: 999999999\r\n\r\n" + bytes(MOST_BYTES + 1))
        assert said.startswith(b"HTTP/1.1 413")
        chunk = b"%x\r\n%s\r\n" % (MOST_BYTES // 4, bytes(MOST_BYTES // 4))
        said, _ = _talk(url, _HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + 5 * chunk)
        assert said.startswith(b"HTTP/1.1 413")
        assert b"connection: close" in said.lower()
        assert _post(url, log.request(0, 7)).status == 200


def test_slow_clients_are_sent_away(log: Branch, witness: Witness) -> None:
    bounds = Bounds(body_s=0.3, connection_s=2.0)
    with serving(witness, bounds) as url:
        said, took = _talk(url, _HEAD + b"Content-Length: 100\r\n\r\nold 0\n")
        assert said.startswith(b"HTTP/1.1 408")
        assert took < 8
        said, took = _talk(url, _HEAD, pause_s=0.2, rest=b"X-Drip: " + 60 * b"a")  # a head that never ends
        assert said == b""
        assert took < 8
        assert _post(url, log.request(0, 7)).status == 200


def test_no_more_connections_than_allowed(log: Branch, witness: Witness) -> None:
    with serving(witness, Bounds(connections=3)) as url, ExitStack() as open_ones:
        port = int(url.rpartition(":")[2])
        for _ in range(3):
            raw = open_ones.enter_context(socket.create_connection(("127.0.0.1", port)))
            raw.sendall(_HEAD)
        deadline = time.monotonic() + 10
        while _post(url, log.request(0, 7)).status != 503:
            assert time.monotonic() < deadline
    assert witness.last(log.signer.name).size in (0, 7)


def test_our_client_asks_twice_and_keeps_what_holds(log: Branch, witness: Witness) -> None:
    with serving(witness) as url:
        log.list, later = log.list[:7], log.list
        first = cosign(log, {url: witness.verifiers})
        assert not first.failed
        log.list = later
        second = cosign(log, {url: witness.verifiers})
    assert not second.failed
    for one, size in ((first, 7), (second, 20)):
        assert one.checkpoint.startswith(log.checkpoint(size))
        assert len(verify(Note.parse(one.checkpoint), witness.verifiers)) == 2


def test_our_client_says_what_a_refusal_means(log: Branch, witness: Witness) -> None:
    with serving(witness) as url:
        keys = witness.verifiers
        assert len(ask_witness(url, log.hashes, log.checkpoint(), keys)) == 2
        forked = log.fork(5, *numbered(15, "forged"))
        for branch in (forked, log.fork(5, *numbered(20, "forged"))):
            with pytest.raises(IntegrityError):
                ask_witness(url, branch.hashes, branch.checkpoint(), keys)
        with pytest.raises(IntegrityError, match="another history"):  # a log brought back from an old copy
            ask_witness(url, log.hashes, log.checkpoint(12), keys)
        stranger = Branch(numbered(2), signer=generate("other.example"))
        with pytest.raises(EnvironmentFailure, match="does not watch"):
            ask_witness(url, stranger.hashes, stranger.checkpoint(), keys)
        thief = Branch(log.list, signer=generate(log.signer.name))
        with pytest.raises(EnvironmentFailure, match="another key"):
            ask_witness(url, thief.hashes, thief.checkpoint(), keys)
        with pytest.raises(IntegrityError, match="keys that are known"):
            ask_witness(url, log.hashes, log.checkpoint(), [generate("w", "cosignature-ed25519").verifier])


def test_one_witness_that_fails_does_not_hinder_the_others(log: Branch, witness: Witness) -> None:
    with serving(witness) as url:
        nobody = "http://127.0.0.1:9"
        done = cosign(log, {nobody: witness.verifiers, url: witness.verifiers})
    assert list(done.failed) == [nobody]
    assert len(done.new) == 2


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ((200, "text/plain", b""), IntegrityError),
        ((200, "text/plain", b"\xff\xfe"), IntegrityError),
        ((200, "text/plain", bytes(web.MOST_BYTES + 1)), EnvironmentFailure),
        ((409, SIZE_KIND, b"minus one\n"), IntegrityError),
        ((409, SIZE_KIND, b"21\n"), IntegrityError),
        ((409, SIZE_KIND, b"0\n"), IntegrityError),
        ((409, "text/html", b"7\n"), EnvironmentFailure),
        ((302, "text/plain", b"http://127.0.0.1:9/"), EnvironmentFailure),
        ((500, "text/plain", b""), EnvironmentFailure),
        ((599, "text/plain", b""), EnvironmentFailure),
    ],
)
def test_answers_that_are_not_believed(
    log: Branch, reply: tuple[int, str, bytes], error: type[Exception]
) -> None:
    key = generate("witness.example", "cosignature-ed25519").verifier
    with answering(lambda path, body: reply) as url, pytest.raises(error):
        ask_witness(url, log.hashes, log.checkpoint(), [key])


def test_a_cosignature_on_something_else_is_refused(log: Branch) -> None:
    key = generate("witness.example", "cosignature-ed25519")
    line = key.sign(Note.parse(log.checkpoint(3)).text).line.encode()
    with answering(lambda path, body: (200, "text/plain", line)) as url, pytest.raises(IntegrityError):
        ask_witness(url, log.hashes, log.checkpoint(), [key.verifier])


def test_a_witness_that_always_knows_another_size_is_left(log: Branch) -> None:
    sizes = iter(range(1, 20))
    with (
        answering(lambda path, body: (409, SIZE_KIND, b"%d\n" % next(sizes))) as url,
        pytest.raises(EnvironmentFailure, match="busy"),
    ):
        ask_witness(url, log.hashes, log.checkpoint(), [generate("w", "cosignature-ed25519").verifier])


def test_a_slow_answer_is_not_waited_for(log: Branch) -> None:
    def slow(path: str, body: bytes) -> tuple[int, str, bytes]:
        time.sleep(1)
        return 200, "text/plain", b""

    with answering(slow) as url, pytest.raises(EnvironmentFailure):
        ask_witness(url, log.hashes, log.checkpoint(), [], timeout_s=0.2)


def test_https_is_asked_only_where_the_certificate_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, absent: Callable[[str, str], None]
) -> None:
    if shutil.which("openssl") is None:
        absent("openssl", "apt-get install openssl")
    made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3 -subj /CN=w -keyout k -out c"
    subprocess.run(
        ["openssl", *made.split(), "-addext", "subjectAltName=IP:127.0.0.1"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "c", tmp_path / "k")
    with answering(lambda path, body: (200, "text/plain", b"here"), context) as url:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "c"))
        web._trusted.cache_clear()
        try:
            assert url.startswith("https://")
            assert web.get(url).body == b"here"
            with pytest.raises(EnvironmentFailure):
                web.get(url.replace("127.0.0.1", "localhost"))
            monkeypatch.delenv("SSL_CERT_FILE")
            web._trusted.cache_clear()
            with pytest.raises(EnvironmentFailure, match=r"(?i)certificate"):
                web.get(url)
        finally:
            web._trusted.cache_clear()


def test_an_answer_byte_by_byte_is_cut() -> None:
    """Neither a head nor a body that drips keeps anybody waiting, although each byte comes in time."""
    before = threading.active_count()
    for sent in (b"HTTP/1.1 200 OK\r\nX: " + 60 * b"x", b"HTTP/1.1 200 OK\r\n\r\n" + 60 * b"x"):
        with socket.create_server(("127.0.0.1", 0)) as server:

            def drip(sent: bytes = sent, server: socket.socket = server) -> None:
                client, _ = server.accept()
                with client, suppress(OSError):
                    for byte in sent:
                        client.sendall(bytes([byte]))
                        time.sleep(0.1)

            thread = threading.Thread(target=drip)
            thread.start()
            began = time.monotonic()
            with pytest.raises(EnvironmentFailure, match="slow"):
                web.get(f"http://127.0.0.1:{server.getsockname()[1]}", timeout_s=0.4)
            assert time.monotonic() - began < 5
            thread.join()
    until = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.01)
    assert threading.active_count() <= before  # nobody stays behind


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1", "x", "70000", "²", "127.0.0.1:x", "127.0.0.1:70000", ":2025"]
)
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(ConfigError):
        listen(address)


def test_an_address_that_is_taken() -> None:
    with listen("127.0.0.1:0") as first, pytest.raises(EnvironmentFailure):
        listen(f"127.0.0.1:{first.getsockname()[1]}")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://w.example",
        "w.example",
        "file:///etc/passwd",
        "https://",
        "http://[::1",
        "http://w:x",
        "http://w:0",
    ],
)
def test_only_http_is_asked(url: str) -> None:
    with pytest.raises(ConfigError):
        web.get(url)


def test_messages_hold_no_password_nor_key() -> None:
    for url in ("http://127.0.0.1:9/v3/SECRET?key=SECRET", "http://user:SECRET@127.0.0.1:9", "htp://SECRET@w"):
        for ask in (lambda url: web.rpc(url, "eth_chainId", []), lambda url: evm.send(url, b"head")):
            with pytest.raises((EnvironmentFailure, ConfigError)) as caught:
                ask(url)
            assert "SECRET" not in f"{caught.value} {caught.value.hint}"


def test_a_disk_that_fails_cosigns_nothing(
    log: Branch, witness: Witness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise EnvironmentFailure("the disk is full")

    monkeypatch.setattr("hauberk.ledger.witness.heads.Turn.keep", full)
    with serving(witness) as url:
        answer = _post(url, log.request(0, 7))
    assert answer.status == 500
    assert b"\xe2\x80\x94" not in answer.body
    monkeypatch.undo()
    assert witness.last(log.signer.name).size == 0
    assert witness.add_checkpoint(log.request(0, 7)).status == 200
