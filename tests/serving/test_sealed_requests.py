"""Sealed requests through a server: what a proxy sees, what it can change, and what it can send again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from model_servers import Server, question, served

import hauberk
from hauberk.core.errors import DataError, EnvironmentFailure, IntegrityError
from hauberk.crypto import envelope
from hauberk.crypto.age.hybrid import HybridIdentity
from hauberk.crypto.secret import Secret
from hauberk.serving.sealed_client import SealedClient
from hauberk.serving.sealing import MEDIA_TYPE, WHERE, Sealing, context, fingerprint, packed, unpacked

IDENTITY = HybridIdentity(Secret(bytes(range(32))))
KEY = IDENTITY.recipient
IMAGES = np.random.default_rng(0).random((3, 1, 4, 4), dtype=np.float32)
INFER = "/v2/models/net/infer"
TYPE = {"content-type": MEDIA_TYPE.decode()}


@pytest.fixture(scope="module")
def sealed_server(nets: tuple[Path, Path]) -> Iterator[Server]:
    limits = {"body_bytes": 1 << 16, "rows": 16}
    with served({"net": nets[0]}, limits=limits, sealing=Sealing(IDENTITY)) as server:
        yield server


@pytest.fixture
def client(sealed_server: Server) -> SealedClient:
    return SealedClient(f"http://127.0.0.1:{sealed_server.port}", fingerprint(KEY))


def sealed(body: bytes, length: int | None = None, model: str = "net", version: str | None = None) -> Any:
    return envelope.seal(packed(body, length), KEY, context(model, version))


def test_the_answer_is_the_networks(client: SealedClient, nets: tuple[Path, Path]) -> None:
    with torch.inference_mode():
        expected = hauberk.load(nets[0])(torch.from_numpy(IMAGES)).softmax(1).numpy()
    found = client.infer("net", IMAGES, outputs=("label", "probabilities"))
    assert np.allclose(found["probabilities"], expected, atol=1e-6)
    assert np.array_equal(found["label"], expected.argmax(1))
    with pytest.raises(DataError, match="404"):
        client.infer("other", IMAGES)
    with pytest.raises(DataError, match="image 0 has values"):
        client.infer("net", IMAGES + 2)


def test_numbers_in_json_come_back_as_json(sealed_server: Server) -> None:
    body, reply = sealed(question(IMAGES, id="mine"))
    status, headers, answer = sealed_server.ask("POST", INFER, body, TYPE)
    assert (status, headers["content-type"]) == (200, MEDIA_TYPE.decode())
    assert "inference-header-content-length" not in headers
    text, length = unpacked(reply.open(answer))
    assert length is None
    assert json.loads(text) == sealed_server.infer("net", IMAGES, id="mine")[1]


def test_on_the_way_nothing_of_question_answer_or_problem_is_read(sealed_server: Server) -> None:
    body, reply = sealed(question(IMAGES, id="my secret id"))
    _status, _headers, answer = sealed_server.ask("POST", INFER, body, TYPE)
    wrong, other = sealed(question(np.full((1, 1, 4, 4), 7.5), id="my secret id"))
    status, headers, problem = sealed_server.ask("POST", INFER, wrong, TYPE)
    assert (status, headers["content-type"]) == (400, MEDIA_TYPE.decode())
    for seen in (body, answer, wrong, problem):
        assert b"my secret id" not in seen
        assert b"inputs" not in seen
        assert b"image" not in seen
    assert json.loads(unpacked(other.open(problem))[0])["type"] == "urn:hauberk:problem:out-of-bounds"
    assert json.loads(unpacked(reply.open(answer))[0])["id"] == "my secret id"


def test_every_flipped_byte_is_one_problem(sealed_server: Server) -> None:
    body, _reply = sealed(question(IMAGES[:1]))
    told = set()
    for place in [*range(0, len(body), 23), len(body) - 1]:
        changed = bytearray(body)
        changed[place] ^= 1 << place % 8
        status, headers, answer = sealed_server.ask("POST", INFER, bytes(changed), TYPE)
        assert (status, headers["content-type"]) == (400, "application/problem+json")
        told.add(answer)
    for size in (0, 1, 1120, len(body) - 1):
        told.add(sealed_server.ask("POST", INFER, body[:size], TYPE)[2])
    assert len(told) == 1
    assert json.loads(told.pop())["type"] == "urn:hauberk:problem:sealed"


def test_it_is_bound_to_model_and_version(sealed_server: Server) -> None:
    version = json.loads(sealed_server.ask("GET", "/v2/models/net")[2])["versions"][0]
    body, _reply = sealed(question(IMAGES))
    assert sealed_server.ask("POST", INFER, body, TYPE)[0] == 200
    assert sealed_server.ask("POST", f"/v2/models/net/versions/{version}/infer", body, TYPE)[0] == 400
    body, _reply = sealed(question(IMAGES), version=version)
    assert sealed_server.ask("POST", f"/v2/models/net/versions/{version}/infer", body, TYPE)[0] == 200
    assert sealed_server.ask("POST", INFER, body, TYPE)[0] == 400
    assert sealed_server.ask("POST", INFER, sealed(question(IMAGES), model="other")[0], TYPE)[0] == 400


def test_what_is_sent_again_tells_the_sender_nothing(sealed_server: Server) -> None:
    body, reply = sealed(question(IMAGES))
    answers = [sealed_server.ask("POST", INFER, body, TYPE)[2] for _ in range(2)]
    assert answers[0] != answers[1]
    assert reply.open(answers[0]) == reply.open(answers[1])


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (b"", "sealed"),
        (b"\xff\xff\xff", "sealed"),
        (b"\xff\xff\xff\xff", "json"),
        (b"\xff\xff\xff\xff{}", "inputs"),
        (b"\x00\x00\x00\x09{}", "header-length"),
        (b"\xff\xff\xff\xff" + b"[" * 20_000, "json"),
    ],
)
def test_what_is_sealed_is_believed_no_more(sealed_server: Server, message: bytes, kind: str) -> None:
    body, reply = envelope.seal(message, KEY, context("net", None))
    status, _headers, answer = sealed_server.ask("POST", INFER, body, TYPE)
    assert status == 400
    assert json.loads(unpacked(reply.open(answer))[0])["type"] == f"urn:hauberk:problem:{kind}"


def test_limits_hold_for_envelopes(sealed_server: Server) -> None:
    body, _reply = sealed(b" " * (1 << 17))
    assert sealed_server.ask("POST", INFER, body, TYPE)[0] == 413


def test_the_key_is_told_to_everybody_and_believed_by_its_fingerprint(
    client: SealedClient, sealed_server: Server
) -> None:
    status, _headers, body = sealed_server.ask("GET", WHERE)
    told = json.loads(body)
    assert status == 200
    assert told == {"key": str(KEY), "fingerprint": fingerprint(KEY), "media_type": MEDIA_TYPE.decode()}
    assert client.key == KEY
    other = SealedClient(client.url, fingerprint(HybridIdentity(Secret(bytes(32))).recipient))
    with pytest.raises(IntegrityError, match="another sealing key"):
        other.infer("net", IMAGES)


def test_a_server_without_a_key(server: Server) -> None:
    assert server.ask("GET", WHERE)[0] == 404
    body, _reply = sealed(question(IMAGES))
    assert server.ask("POST", INFER, body, TYPE)[0] in (400, 413)
    with pytest.raises(EnvironmentFailure):
        SealedClient("http://127.0.0.1:9", fingerprint(KEY)).infer("net", IMAGES)


def test_an_answer_that_is_not_sealed_is_not_believed(
    client: SealedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.key == KEY
    forged = json.dumps({"outputs": []}).encode()
    monkeypatch.setattr(SealedClient, "_exchange", lambda *_given: (200, False, forged))
    with pytest.raises(EnvironmentFailure, match="answers with 200"):
        client.infer("net", IMAGES)
    monkeypatch.setattr(SealedClient, "_exchange", lambda *_given: (200, True, bytes(100)))
    with pytest.raises(IntegrityError, match="does not open"):
        client.infer("net", IMAGES)
