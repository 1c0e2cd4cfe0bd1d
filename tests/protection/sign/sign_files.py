"""Keys, certificates and signatures for the tests; the signatures from the DSSE specification alone."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def write_keys(folder: Path, name: str, key: Any = None, password: bytes | None = None) -> Any:
    """``<name>.pem`` and ``<name>.pub``; returns the private key."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    sealed = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    (folder / f"{name}.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)
    )
    (folder / f"{name}.pub").write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return key


def write_certificate(
    folder: Path,
    name: str,
    key: Any,
    issuer: str,
    issuer_key: Any,
    *,
    authority: bool = False,
    signs: bool = True,
    begin: datetime = NOW - timedelta(days=10),
    days: int = 30,
) -> None:
    """``<name>.crt``."""
    usage = {
        one: False
        for one in ("content_commitment", "data_encipherment", "key_agreement",
                    "crl_sign", "encipher_only", "decipher_only")
    }  # fmt: skip
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=signs, key_encipherment=not signs, key_cert_sign=authority, **usage
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
        .sign(issuer_key, hashes.SHA256())
    )
    (folder / f"{name}.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))


PAYLOAD_TYPE = "application/vnd.in-toto+json"


def encoded_for_signing(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding, from its specification."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def statement_of(resources: Mapping[str, str]) -> dict[str, Any]:
    root = hashlib.sha256(b"".join(bytes.fromhex(one) for one in resources.values())).hexdigest()
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model", "digest": {"sha256": root}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False},
            "resources": [
                {"name": name, "algorithm": "sha256", "digest": one} for name, one in resources.items()
            ],
        },
    }


def bundle_of(statement: Any, key: Any) -> dict[str, Any]:
    """A signature over any statement, such as our signer would never make."""
    payload = json.dumps(statement).encode()
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signature = key.sign(encoded_for_signing(payload), ec.ECDSA(hashes.SHA256()))
    return {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "publicKey": {"hint": hashlib.sha256(public).hexdigest()},
            "tlogEntries": [],
        },
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(signature).decode()}],
        },
    }
