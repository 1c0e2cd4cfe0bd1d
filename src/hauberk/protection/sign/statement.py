"""What signer and verifier agree on: a signature's form, and what stands where in a package.

A signature is a Sigstore bundle around an in-toto statement that lists every file with its digest, as the
``model-signing`` library writes it. The provenance of a package stands in one of these files.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hauberk.core.canonical import parse_json
from hauberk.core.errors import DataError, IntegrityError
from hauberk.core.files import machine_errors

PROVENANCE = "provenance.json"
PREDICATE = "https://model_signing/signature/v1.0"
LARGEST = 64 << 20  # bytes of a signature: some hundred thousand files

_MEDIA = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD = "application/vnd.in-toto+json"


def list_files(folder: Path) -> dict[str, Path]:
    """Every file of a package by its name in it, sorted.

    Raises:
        DataError: not a folder.
        IntegrityError: a link, or something that is no file; what it leads to could change unnoticed.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a model package (a folder)")
    found: dict[str, Path] = {}
    with machine_errors("read", folder):
        for place in sorted(folder.rglob("*")):
            name = place.relative_to(folder).as_posix()
            mode = place.lstat().st_mode
            if stat.S_ISLNK(mode):
                raise IntegrityError(
                    f"{folder} holds a link, '{name}' to '{os.readlink(place)}', which no signature can cover",
                    hint="put the file itself there",
                )
            if stat.S_ISREG(mode):
                found[name] = place
            elif not stat.S_ISDIR(mode):
                raise IntegrityError(f"{folder} holds '{name}', which is neither a file nor a folder")
    return found


def digests(files: Mapping[str, Path]) -> dict[str, str]:
    """SHA-256 of each file, in hex."""
    found = {}
    for name, place in files.items():
        with machine_errors("read", place), open(place, "rb") as file:
            found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


@dataclass(frozen=True)
class Listed:
    """The statement in a signature; it means nothing before the signature was verified.

    Args:
        method: how files were hashed: ``files`` or ``shards`` (large files in pieces).
        algorithm: ``sha256``, ``blake2`` or ``blake3``.
        shard_size: bytes of a piece; None for whole files.
        resources: digests in hex by name.
        root: one digest over all of these.
    """

    method: str
    algorithm: str
    shard_size: int | None
    resources: Mapping[str, str]
    root: str


def read_bundle(data: bytes, where: str) -> dict[str, Any]:
    """A signature's bundle, checked down to its last key: nothing in it may go unnoticed.

    Raises:
        IntegrityError: not such a bundle, or one with more in it than was signed.
    """
    try:
        bundle = parse_json(data, where=where)
        if not isinstance(bundle, dict):
            raise DataError("not an object")
        _keys(bundle, {"mediaType", "verificationMaterial", "dsseEnvelope"}, "the bundle")
        if bundle["mediaType"] != _MEDIA:
            raise DataError(f"its kind is {str(bundle['mediaType'])[:80]!r}")
        _check_envelope(bundle["dsseEnvelope"])
        _check_material(bundle["verificationMaterial"])
    except DataError as error:
        raise IntegrityError(f"{where} is no signature of a model: {error}") from error
    return bundle


def method_of(bundle: Mapping[str, Any]) -> str:
    """``key``, ``certificate`` or ``sigstore``."""
    material = bundle["verificationMaterial"]
    if material.get("tlogEntries"):
        return "sigstore"
    return "key" if "publicKey" in material else "certificate"


def read_statement(bundle: Mapping[str, Any], where: str) -> Listed:
    """What a bundle says of the files.

    Raises:
        IntegrityError: not such a statement, or names that would leave the package.
    """
    try:
        statement = parse_json(_decoded(bundle["dsseEnvelope"]["payload"], "the payload"), where=where)
        if statement["predicateType"] != PREDICATE:
            raise DataError(f"it states {str(statement['predicateType'])[:80]!r}")
        (subject,) = statement["subject"]
        predicate = statement["predicate"]
        serialization = predicate["serialization"]
        resources: dict[str, str] = {}
        for one in predicate["resources"]:
            name, digest = one["name"], one["digest"]
            if not isinstance(name, str) or not isinstance(digest, str) or name in resources:
                raise DataError(f"the file {str(name)[:80]!r} is listed wrongly or twice")
            if name.startswith("/") or ".." in name.split("/") or "\\" in name or "\0" in name:
                raise DataError(f"the file {name[:80]!r} would lie outside of the package")
            resources[name] = digest
        shard = serialization.get("shard_size")
        return Listed(
            method=str(serialization["method"]),
            algorithm=str(serialization["hash_type"]),
            shard_size=int(shard) if shard is not None else None,
            resources=resources,
            root=str(subject["digest"]["sha256"]),
        )
    except (DataError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise IntegrityError(f"{where} is no signature of a model: {_said(error)}") from error


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, DataError) else f"its statement is malformed ({error!r})"


def _keys(value: Any, wanted: set[str], what: str, optional: frozenset[str] = frozenset()) -> None:
    if not isinstance(value, dict) or not wanted <= value.keys() <= wanted | optional:
        raise DataError(f"{what} has other keys than {', '.join(sorted(wanted))}")


def _decoded(text: Any, what: str) -> bytes:
    """Base64 in its one canonical form."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise DataError(f"{what} is not base64") from error
    if base64.b64encode(data).decode() != text:
        raise DataError(f"{what} is not canonical base64")
    return data


def _check_envelope(envelope: Any) -> None:
    _keys(envelope, {"payload", "payloadType", "signatures"}, "the envelope")
    if envelope["payloadType"] != _PAYLOAD:
        raise DataError(f"its payload is {str(envelope['payloadType'])[:80]!r}")
    _decoded(envelope["payload"], "the payload")
    signatures = envelope["signatures"]
    if not isinstance(signatures, list) or len(signatures) != 1:
        raise DataError("it has more or fewer signatures than one")
    _keys(signatures[0], {"sig"}, "the signature", frozenset({"keyid"}))
    if signatures[0].get("keyid", ""):
        raise DataError("it names a key in a place that is not checked")
    _decoded(signatures[0]["sig"], "the signature")


def _check_material(material: Any) -> None:
    """Of Sigstore's material the rest is checked by Sigstore's own verifier."""
    if not isinstance(material, dict):
        raise DataError("it does not say how to verify it")
    if material.get("tlogEntries"):
        return
    kinds = {"publicKey", "x509CertificateChain"} & material.keys()
    if len(kinds) != 1:
        raise DataError("it does not say how to verify it")
    (kind,) = kinds
    _keys(material, {kind}, "the material", frozenset({"tlogEntries"}))
    if material.get("tlogEntries", []) != []:
        raise DataError("its log entries are no list")
    if kind == "publicKey":
        _keys(material[kind], {"hint"}, "the public key")
        return
    _keys(material[kind], {"certificates"}, "the chain")
    certificates = material[kind]["certificates"]
    if not isinstance(certificates, list) or not certificates:
        raise DataError("its chain holds no certificate")
    for one in certificates:
        _keys(one, {"rawBytes"}, "a certificate")
        _decoded(one["rawBytes"], "a certificate")
    if len({one["rawBytes"] for one in certificates}) < len(certificates):
        raise DataError("a certificate stands in it twice")


def certificates_of(bundle: Mapping[str, Any]) -> list[bytes]:
    """The chain's certificates in DER, the signer's first."""
    chain = bundle["verificationMaterial"]["x509CertificateChain"]["certificates"]
    return [base64.b64decode(one["rawBytes"]) for one in chain]
