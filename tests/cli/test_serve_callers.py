"""Callers of a vault's server by certificate and by token, and requests that are sealed to it."""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
from pathlib import Path

import jwt
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from served_vaults import ask, house_with
from test_serve_command import certificates, command
from transcripts import Call

from hauberk.core.errors import AccessDenied
from hauberk.serving.sealed_client import SealedClient

__all__ = ["certificates"]  # a fixture

ISSUER = "https://login.example.com"
KEY = ec.generate_private_key(ec.SECP256R1())


def token(subject: str, **more: object) -> str:
    claims = {"iss": ISSUER, "aud": "hauberk", "sub": subject, "exp": int(time.time()) + 300, **more}
    return jwt.encode(claims, KEY, algorithm="ES256", headers={"kid": "one"})


def test_certificates_tokens_and_envelopes(
    hauberk_command: Call, tmp_path: Path, plain_package: Path, certificates: dict[str, Path]
) -> None:
    house = house_with(hauberk_command, tmp_path, plain_package)
    keyed = house.caller("keyed")
    scorer = house.caller("scorer", "predictor")
    house.done("access", "user", "link", "scorer", "certificate", "subject:CN=caller")
    house.done("access", "user", "link", "scorer", ISSUER, "8f3a")
    jwks = {"keys": [{**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key())), "kid": "one"}]}
    (tmp_path / "jwks.json").write_text(json.dumps(jwks))
    context = ssl.create_default_context(cafile=certificates["authority"])
    context.load_cert_chain(certificates["caller"], certificates["caller-key"])
    words = (
        *house.owner, "--models", "digits", "--tls", certificates["server"], certificates["server-key"],
        "--mtls", certificates["authority"], "--tokens", ISSUER, "hauberk", tmp_path / "jwks.json",
        "--single-use-tokens", "--cors", "https://app.example.com",
    )  # fmt: skip
    with command(tmp_path, *words) as (_process, url):
        assert ask(url, context=context)[0] == 200  # the certificate's identity
        assert ask(url, keyed, context=context)[0] == 403  # what is shown decides, not the certificate
        assert ask(url, "hbk_nothing", context=context)[0] == 401
        once = token("8f3a", jti="a")
        assert [ask(url, once, context=context)[0] for _ in range(2)] == [200, 401]
        assert ask(url, token("8f3a"), context=context)[0] == 401
        with pytest.raises((urllib.error.URLError, ConnectionError, ssl.SSLError)):
            ask(url, scorer, context=ssl.create_default_context(cafile=certificates["authority"]))

        fingerprint = house.done("vault", "sealing-key").strip()
        client = SealedClient(url, fingerprint, scorer, tls=context)
        answer = client.infer("digits", np.zeros((2, 1, 8, 8), np.float32))
        assert answer["label"].tolist() == [ask(url, scorer, context=context)[1]["outputs"][1]["data"][0]] * 2
        with pytest.raises(AccessDenied, match="401"):
            SealedClient(url, fingerprint, "hbk_wrong", tls=context).infer("digits", np.zeros((1, 1, 8, 8)))
    lines = json.loads(house.done("access", "log", "--action", "model.predict", "--json"))["lines"]
    assert {(one["who"], one["how"].split()[0]) for one in lines} == {
        ("owner", "the"), ("scorer", "certificate"), ("keyed", "key"), ("scorer", "token"), ("scorer", "key"),
    }  # fmt: skip
    assert once not in (tmp_path / "log").read_text()
    history = json.loads(house.done("vault", "show", "digits", "--json"))["events"]
    assert [one["what"] for one in history] == ["publication", "deployment", "deployment"]
    assert history[-1]["detail"].startswith("served by ")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--models", "net=x", "--tokens", ISSUER, "hauberk", "keys.json"), "belong to a vault"),
        (("--models", "net=x", "--single-use-tokens"), "goes with --tokens"),
        (("--models", "net=x", "--cors", "*"), "is no web origin"),
    ],
)
def test_options_that_make_no_sense(hauberk_command: Call, words: tuple[str, ...], says: str) -> None:
    said = hauberk_command("serve", *words)
    assert said.code == 2
    assert says in said.err


def test_issuers_that_make_no_sense(hauberk_command: Call, tmp_path: Path, plain_package: Path) -> None:
    house = house_with(hauberk_command, tmp_path, plain_package)
    keys = tmp_path / "keys.json"
    keys.write_text("{}")
    for tokens, says in (
        (("--tokens", ISSUER, "hauberk", "http://keys.example.com/"), "keys are fetched by https"),
        (("--tokens", ISSUER, "", keys), "say the issuer and the audience"),
        (("--tokens", ISSUER, "a", keys) * 2, "names an issuer twice"),
        (("--tokens", ISSUER, "a", tmp_path / "none.json"), "no file at"),
    ):
        said = hauberk_command("serve", *house.owner, "--port", 0, "--models", "digits", *tokens)
        assert (said.code, says in said.err) == (2, True), said.err
