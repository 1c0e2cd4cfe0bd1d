"""A server's life: what it lets in, how it changes its models, how it stops."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_servers import Server, question, served

from hauberk.core.errors import (
    ConfigError,
    DataError,
    EnvironmentFailure,
    IntegrityError,
    NoIdentityMatched,
    PolicyViolation,
)
from hauberk.crypto import age
from hauberk.protection.seal import seal
from hauberk.protection.sign import KeySigner, PublicKey, SignedOnly, sign
from hauberk.serving.address import Address
from hauberk.serving.admitting import Checks
from hauberk.serving.folders import FolderSource, places_of

IMAGES = np.full((1, 1, 4, 4), 0.5, np.float32)


def link(place: Path, target: Path) -> None:
    """Move a link in one step."""
    aside = place.with_name(place.name + ".new")
    aside.symlink_to(target)
    os.replace(aside, place)


def eventually(true: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.perf_counter() + seconds
    while not true():
        assert time.perf_counter() < end
        time.sleep(0.02)


def version(server: Server) -> str:
    return server.infer("net", IMAGES)[1].get("model_version", "")


@contextmanager
def callers(server: Server, count: int = 4) -> Iterator[list[tuple[int, str]]]:
    """Threads that ask all the time, each on a connection of its own; what they were told."""
    import http.client

    told: list[tuple[int, str]] = []
    going = True

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        body = question(IMAGES)
        while going:
            connection.request("POST", "/v2/models/net/infer", body)
            answer = connection.getresponse()
            told.append((answer.status, json.loads(answer.read()).get("model_version", "")))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(count)]
    for one in threads:
        one.start()
    try:
        yield told
    finally:
        going = False
        for one in threads:
            one.join()


def test_versions_switch_under_load_without_a_dropped_request(nets: tuple[Path, Path], tmp_path: Path) -> None:
    place = tmp_path / "net"
    place.symlink_to(nets[0])
    with served({"net": place}) as server, callers(server) as told:
        first = version(server)
        link(place, nets[1])
        server.renew()
        eventually(lambda: version(server) != first)
        second = version(server)
        time.sleep(0.1)
    assert {status for status, _version in told} == {200}
    assert {one for _status, one in told} == {first, second}
    assert {one for _status, one in told[-4:]} == {second}


def test_a_revoked_model_stops_at_once_and_stays_so(nets: tuple[Path, Path], tmp_path: Path) -> None:
    from shutil import copytree

    place = copytree(nets[0], tmp_path / "net")
    note = tmp_path / "net.revoked"
    with served({"net": place}) as server, callers(server) as told:
        note.write_text("it answers wrongly\n")
        server.renew()
        eventually(lambda: server.infer("net", IMAGES)[0] == 410)
        stopped = len(told)
        status, problem = server.infer("net", IMAGES)
        assert status == 410
        assert problem["detail"].endswith("was revoked: it answers wrongly")
        time.sleep(0.1)
        note.unlink()
        server.renew()
        time.sleep(0.2)
        assert server.infer("net", IMAGES)[0] == 410
    assert {status for status, _version in told[stopped + 4 :]} == {410}
    note.write_text("it answers wrongly\n")
    with pytest.raises(PolicyViolation, match="every model is revoked"), served({"net": place}):
        pass


def test_a_model_that_must_not_be_served_leaves_the_one_before(
    nets: tuple[Path, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from shutil import copytree

    bad = copytree(nets[1], tmp_path / "bad")
    (bad / "weights.safetensors").write_bytes(b"\0" * 100)
    pickled = copytree(nets[1], tmp_path / "pickled")
    (pickled / "extra.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    place = tmp_path / "net"
    place.symlink_to(nets[0])
    caplog.set_level(logging.INFO, "hauberk.serving")
    with served({"net": place}) as server:
        first = version(server)
        for wrong in (bad, pickled, tmp_path / "nowhere"):
            caplog.clear()
            link(place, wrong)
            for _again in range(2):
                server.renew()
                time.sleep(0.3)
            eventually(lambda: any(one.msg == "model-refused" for one in caplog.records))
            assert sum(one.msg == "model-refused" for one in caplog.records) == 1  # said once
            assert version(server) == first
        link(place, nets[1])
        server.renew()
        eventually(lambda: version(server) != first)
    for wrong in (bad, pickled):
        with pytest.raises(IntegrityError), served({"net": wrong}):
            pass
    with pytest.raises(DataError), served({"net": tmp_path / "nowhere"}):
        pass


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A private key and its public one."""
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric import ec

    folder = tmp_path_factory.mktemp("keys")
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
    public = key.public_key().public_bytes(forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo)
    (folder / "private.pem").write_bytes(private)
    (folder / "public.pem").write_bytes(public)
    return folder / "private.pem", folder / "public.pem"


def test_only_what_is_signed(nets: tuple[Path, Path], signing: tuple[Path, Path], tmp_path: Path) -> None:
    from shutil import copytree

    package = copytree(nets[0], tmp_path / "net")
    checks = Checks(signed=SignedOnly((PublicKey(signing[1]),)))
    with pytest.raises(PolicyViolation, match="not signed"), served({"net": package}, checks=checks):
        pass
    sign(package, KeySigner(signing[0]), tmp_path / "net.sig")
    with served({"net": package}, checks=checks) as server:
        assert server.infer("net", IMAGES)[0] == 200
    (package / "added.json").write_text("{}")
    with pytest.raises(IntegrityError), served({"net": package}, checks=checks):
        pass


def test_sealed_models_are_opened_in_memory(nets: tuple[Path, Path], tmp_path: Path) -> None:
    mine, other = age.generate(), age.generate()
    file = tmp_path / "net.sealed"
    seal(nets[0], file, [mine.recipient])
    before = sorted(tmp_path.iterdir())
    with served({"net": nets[0]}) as plain, served({"net": file}, checks=Checks(identities=(mine,))) as server:
        expected, found = plain.infer("net", IMAGES)[1], server.infer("net", IMAGES)[1]
        assert found["outputs"] == expected["outputs"]
        assert sorted(tmp_path.iterdir()) == before
    with pytest.raises(NoIdentityMatched), served({"net": file}, checks=Checks(identities=(other,))):
        pass


def test_requests_under_way_are_answered_while_the_server_stops(nets: tuple[Path, Path]) -> None:
    with served({"net": nets[0]}, limits={"delay_ms": 500, "drain_s": 0.3}) as server:
        told: list[tuple[int, dict[str, Any]]] = []
        thread = threading.Thread(target=lambda: told.append(server.infer("net", IMAGES)))
        thread.start()
        time.sleep(0.1)
        server.loop.call_soon_threadsafe(server.stop_event.set)
        time.sleep(0.05)
        assert server.ask("GET", "/v2/health/ready")[0] == 503  # balancers look here first
        assert server.ask("GET", "/v2/health/live")[0] == 200
        thread.join()
        assert told[0][0] == 200
        server.stop()
        with pytest.raises(ConnectionRefusedError):
            server.ask("GET", "/v2/health/live")


def test_a_full_queue_and_a_late_answer(nets: tuple[Path, Path]) -> None:
    with served({"net": nets[0]}, limits={"delay_ms": 400, "queue_rows": 2, "timeout_s": 0.2}) as server:
        found: list[tuple[int, dict[str, str]]] = []
        threads = [
            threading.Thread(
                target=lambda: found.append(server.ask("POST", "/v2/models/net/infer", question(IMAGES))[:2])
            )
            for _ in range(3)
        ]
        for one in threads:
            one.start()
            time.sleep(0.03)
        for one in threads:
            one.join()
    assert sorted(status for status, _headers in found) == [429, 504, 504]
    headers = next(headers for status, headers in found if status == 429)
    assert int(headers["retry-after"]) >= 1


def test_without_tls_only_this_machine() -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):
        with pytest.raises(ConfigError, match="without TLS"):
            Address(host=host)
        Address(host=host, plain_network=True)
    for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost"):
        Address(host=host)


def test_a_port_that_is_taken() -> None:
    with Address(port=0).bind() as held:
        held.listen()
        with pytest.raises(EnvironmentFailure, match="in use"):
            Address(port=held.getsockname()[1]).bind()


@pytest.mark.parametrize("texts", [(), ("net",), ("=x",), ("net=",), ("a=x", "a=y"), ("a/b=x",), ("..=x",)])
def test_names_and_places_that_make_no_sense(texts: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError):
        FolderSource(places_of(texts), Checks())
