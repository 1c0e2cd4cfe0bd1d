"""Bearer tokens with keys made here: what is good, and every known way to forge one.

The good tokens are put together with PyJWT; the forged ones by hand, since a library refuses to make most of
them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from access_stores import Hands
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from hauberk.access.jwks import KeySet
from hauberk.access.tokens import TokenVerifier
from hauberk.core.errors import ConfigError, IntegrityError

ISSUER, AUDIENCE = "https://login.example.com", "hauberk"
RSA = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwk(key: Any, kid: str, **more: str) -> dict[str, Any]:
    kinds = {rsa.RSAPrivateKey: "RSA", ec.EllipticCurvePrivateKey: "EC", ed25519.Ed25519PrivateKey: "OKP"}
    kind = next(word for one, word in kinds.items() if isinstance(key, one))
    algorithms = {
        "RSA": jwt.algorithms.RSAAlgorithm,
        "EC": jwt.algorithms.ECAlgorithm,
        "OKP": jwt.algorithms.OKPAlgorithm,
    }
    return {**json.loads(algorithms[kind].to_jwk(key.public_key())), "kid": kid, **more}


JWKS = json.dumps(
    {
        "keys": [
            jwk(RSA, "rsa"),
            jwk(RSA, "rsa-only-ps", alg="PS256"),
            jwk(P256, "ec"),
            jwk(ED, "ed"),
            jwk(OTHER, "encryption", use="enc"),
            {"kty": "oct", "kid": "shared", "k": b64(b"everybody knows this secret here")},
        ]
    }
).encode()


@pytest.fixture
def verifier(clock: Hands) -> TokenVerifier:
    keys = KeySet("https://login.example.com/keys", fetch=lambda _: JWKS, clock=clock)
    return TokenVerifier(ISSUER, AUDIENCE, keys, clock=clock)


def claims(clock: Hands, **changed: Any) -> dict[str, Any]:
    present = int(clock().timestamp())
    found = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "8f3a",
        "iat": present,
        "nbf": present,
        "exp": present + 600,
    }
    return {name: value for name, value in (found | changed).items() if value is not None}


def signed(said: dict[str, Any], key: Any = RSA, algorithm: str = "RS256", **header: Any) -> str:
    return jwt.encode(said, key, algorithm=algorithm, headers={"kid": "rsa", **header})


def by_hand(header: dict[str, Any], said: dict[str, Any] | bytes, sign: Callable[[bytes], bytes]) -> str:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    text = f"{b64(json.dumps(header).encode())}.{b64(body)}"
    return f"{text}.{b64(sign(text.encode()))}"


def rs256(data: bytes) -> bytes:
    return RSA.sign(data, padding.PKCS1v15(), SHA256())


PUBLIC_PEM = RSA.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"),
    [
        (RSA, "RS256", "rsa"),
        (RSA, "PS512", "rsa"),
        (RSA, "PS256", "rsa-only-ps"),
        (P256, "ES256", "ec"),
        (ED, "EdDSA", "ed"),
    ],
)
def test_a_good_token_names_its_subject(
    verifier: TokenVerifier, clock: Hands, key: Any, algorithm: str, kid: str
) -> None:
    found = verifier.verify(signed(claims(clock), key, algorithm, kid=kid))
    assert (found.issuer, found.subject) == (ISSUER, "8f3a")
    assert verifier.verify(signed(claims(clock, aud=["other", AUDIENCE]), key, algorithm, kid=kid))
    assert verifier.verify(signed(claims(clock, iat=None, nbf=None), key, algorithm, kid=kid, typ="at+jwt"))


def forged(clock: Hands) -> dict[str, str]:
    """Every forgery by its name."""
    good, said = signed(claims(clock)), claims(clock)
    head, body, signature = good.split(".")
    present = int(clock().timestamp())
    header = {"alg": "RS256", "kid": "rsa", "typ": "JWT"}

    def hs256(key: bytes) -> Callable[[bytes], bytes]:
        return lambda data: hmac.new(key, data, hashlib.sha256).digest()

    return {
        "none": by_hand({**header, "alg": "none"}, said, lambda _: b""),
        "None": by_hand({**header, "alg": "NoNe"}, said, lambda _: b""),
        "no algorithm": by_hand({"kid": "rsa"}, said, rs256),
        "algorithm is a list": by_hand({**header, "alg": ["RS256"]}, said, rs256),
        "public key as a secret": by_hand({**header, "alg": "HS256"}, said, hs256(PUBLIC_PEM)),
        "jwk as a secret": by_hand(
            {**header, "alg": "HS256"}, said, hs256(json.dumps(jwk(RSA, "rsa")).encode())
        ),
        "a shared secret from the set": by_hand(
            {"alg": "HS256", "kid": "shared"}, said, hs256(b"everybody knows this secret here")
        ),
        "an empty secret": by_hand({"alg": "HS256", "kid": "nobody"}, said, hs256(b"")),
        "another RSA algorithm than the key's": signed(said, kid="rsa-only-ps"),
        "an elliptic algorithm with an RSA key": signed(said, P256, "ES256", kid="rsa"),
        "somebody else's key": signed(said, OTHER),
        "a key for encryption": signed(said, OTHER, kid="encryption"),
        "the token brings its key": by_hand(
            {**header, "jwk": jwk(OTHER, "rsa")},
            said,
            lambda data: OTHER.sign(data, padding.PKCS1v15(), SHA256()),
        ),
        "the token says where its key is": by_hand(
            {**header, "jku": "https://evil.example/keys", "kid": "theirs"},
            said,
            lambda data: OTHER.sign(data, padding.PKCS1v15(), SHA256()),
        ),
        "an unknown key": signed(said, kid="unknown"),
        "no name of a key among several": by_hand({"alg": "RS256"}, said, rs256),
        "a number for a name": by_hand({**header, "kid": 7}, said, rs256),
        "a path for a name": by_hand({**header, "kid": "../../dev/null"}, said, hs256(b"")),
        "a critical header": by_hand({**header, "crit": ["exp"], "exp": 1}, said, rs256),
        "an unencoded body": by_hand({**header, "b64": False}, said, rs256),
        "another kind": by_hand({**header, "typ": "logout+jwt"}, said, rs256),
        "no signature": f"{head}.{body}.",
        "a changed signature": f"{head}.{body}.{'A' * len(signature)}",
        "another body": f"{head}.{b64(json.dumps({**said, 'sub': 'admin'}).encode())}.{signature}",
        "two parts": f"{head}.{body}",
        "five parts": f"{good}.x.y",
        "nothing": "",
        "text": "hello",
        "not ASCII": "é.é.é",
        "too long": good + "A" * 20_000,
        "body is no object": by_hand(header, b"[1]", rs256),
        "body is no JSON": by_hand(header, b"{", rs256),
        "another issuer": signed(claims(clock, iss="https://evil.example")),
        "an issuer that begins alike": signed(claims(clock, iss=ISSUER + ".evil.example")),
        "a list of issuers": by_hand(header, claims(clock, iss=[ISSUER]), rs256),
        "no issuer": signed(claims(clock, iss=None)),
        "another audience": signed(claims(clock, aud="other")),
        "no audience": signed(claims(clock, aud=None)),
        "an empty audience": signed(claims(clock, aud=[])),
        "no subject": signed(claims(clock, sub=None)),
        "an empty subject": signed(claims(clock, sub="")),
        "a number as subject": by_hand(header, claims(clock, sub=7), rs256),
        "half a character as subject": by_hand(header, claims(clock, sub="\ud800"), rs256),
        "a line break in the subject": by_hand(header, claims(clock, sub="a\nb"), rs256),
        "no end": signed(claims(clock, exp=None)),
        "over": signed(claims(clock, exp=present - 61)),
        "an end that is true": by_hand(header, claims(clock, exp=True), rs256),
        "an end that is a text": by_hand(header, claims(clock, exp="9999999999"), rs256),
        "an end that never comes": by_hand(
            header, json.dumps(claims(clock, exp=1)).replace('"exp": 1', '"exp": Infinity').encode(), rs256
        ),
        "not yet": signed(claims(clock, nbf=present + 120)),
        "made in the future": signed(claims(clock, iat=present + 120)),
    }


def test_every_forgery_is_refused_in_the_same_words(verifier: TokenVerifier, clock: Hands) -> None:
    said = set()
    passed = []
    for name, token in forged(clock).items():
        try:
            verifier.verify(token)
            passed.append(name)
        except IntegrityError as error:
            said.add(str(error))
    assert passed == []
    assert said == {"the token is not valid"}


def test_the_known_attacks_are_attacks(clock: Hands) -> None:
    """The forged signature is right for a verifier that believes the token's algorithm."""
    token = forged(clock)["public key as a secret"]
    text, _, signature = token.rpartition(".")
    expected = b64(hmac.new(PUBLIC_PEM, text.encode(), hashlib.sha256).digest())
    assert signature == expected


@pytest.mark.parametrize(
    ("late_s", "good"), [(0, True), (599, True), (659, True), (660, False), (100_000, False)]
)
def test_clocks_may_differ_by_a_minute(verifier: TokenVerifier, clock: Hands, late_s: int, good: bool) -> None:
    token = signed(claims(clock))
    clock.move(seconds=late_s)
    if good:
        assert verifier.verify(token)
    else:
        with pytest.raises(IntegrityError):
            verifier.verify(token)
    clock.move(seconds=-late_s - 60)
    assert verifier.verify(token)
    clock.move(seconds=-1)
    with pytest.raises(IntegrityError):
        verifier.verify(token)


def test_a_verifier_for_anybody_is_refused(clock: Hands) -> None:
    keys = KeySet("https://login.example.com/keys", fetch=lambda _: JWKS, clock=clock)
    for issuer, audience, leeway in (
        ("", AUDIENCE, 60),
        (ISSUER, "", 60),
        (ISSUER, AUDIENCE, 301),
        (ISSUER, AUDIENCE, -1),
    ):
        with pytest.raises(ConfigError):
            TokenVerifier(issuer, audience, keys, leeway_s=leeway)
