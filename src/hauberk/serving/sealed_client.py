"""A client for sealed requests: what stands between it and the server reads neither images nor answers."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from hauberk.core.canonical import parse_json
from hauberk.core.errors import AccessDenied, DataError, EnvironmentFailure, HauberkError, IntegrityError
from hauberk.crypto import envelope
from hauberk.crypto.age.hybrid import HybridRecipient
from hauberk.crypto.age.keys import parse_recipient
from hauberk.ledger.web import check_url
from hauberk.serving.protocol import INPUT, OUTPUT_TYPES
from hauberk.serving.sealing import MEDIA_TYPE, WHERE, context, fingerprint, packed, unpacked

_MOST_BYTES = 64 << 20
_DTYPES = {"FP32": "<f4", "INT64": "<i8"}
_OK = 200


@dataclass(frozen=True)
class SealedClient:
    """Asks one server.

    Args:
        url: ``https://HOST`` or ``http://HOST``.
        fingerprint: of the server's sealing key, as ``hauberk vault sealing-key`` prints it: a key that comes
            over the network alone could be a proxy's.
        api_key: who asks; whoever ends TLS on the way can read it.
        tls: for ``https`` [default: the machine's authorities].
    """

    url: str
    fingerprint: str
    api_key: str | None = field(default=None, repr=False)
    timeout_s: float = 30.0
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    @cached_property
    def key(self) -> HybridRecipient:
        """The server's.

        Raises:
            IntegrityError: it is not the one with this fingerprint.
        """
        _status, _sealed, body = self._exchange("GET", WHERE, None)
        document = parse_json(body, where=WHERE)
        text = document.get("key") if isinstance(document, dict) else None
        found = parse_recipient(text) if isinstance(text, str) else None
        if not isinstance(found, HybridRecipient) or fingerprint(found) != self.fingerprint:
            raise IntegrityError("the server shows another sealing key than the one with this fingerprint")
        return found

    def infer(
        self,
        model: str,
        images: npt.NDArray[np.floating[Any]],
        *,
        version: str | None = None,
        outputs: Sequence[str] = ("probabilities", "label"),
    ) -> dict[str, npt.NDArray[Any]]:
        """What the model says of images ``(n, ...)``, by output.

        Raises:
            AccessDenied: the server does not know the caller, or he may not.
            DataError: the server cannot use the question; with its own words.
            IntegrityError: the answer was changed on the way.
            EnvironmentFailure: no answer, or the server cannot now.
        """
        rows = np.ascontiguousarray(images, "<f4")
        tensor = {"name": INPUT, "shape": list(rows.shape), "datatype": "FP32",
                  "parameters": {"binary_data_size": rows.nbytes}}  # fmt: skip
        asked = [{"name": one, "parameters": {"binary_data": True}} for one in outputs]
        head = json.dumps({"inputs": [tensor], "outputs": asked}).encode()
        sealed, reply = envelope.seal(
            packed(head + rows.tobytes(), len(head)), self.key, context(model, version)
        )
        part = f"/versions/{version}" if version else ""
        status, answered, body = self._exchange("POST", f"/v2/models/{model}{part}/infer", sealed)
        text, length = unpacked(reply.open(body)) if answered else (body, None)
        if (
            not answered or status != _OK
        ):  # what is not sealed may be anybody's, and is never taken for an answer
            raise _refused(status, text)
        return _tensors(text, length)

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[int, bool, bytes]:
        """Status, whether the answer is an envelope, and its bytes."""
        parts = urlsplit(check_url(self.url, "the server"))
        host, port = parts.hostname or "", parts.port
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            tls = self.tls or ssl.create_default_context()
            connection = http.client.HTTPSConnection(host, port, timeout=self.timeout_s, context=tls)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=self.timeout_s)
        headers = {} if body is None else {"content-type": MEDIA_TYPE.decode()}
        if self.api_key is not None and body is not None:
            headers["authorization"] = f"Bearer {self.api_key}"
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            data = answer.read(_MOST_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise EnvironmentFailure(f"no answer from {parts.hostname}: {error}") from error
        finally:
            connection.close()
        if len(data) > _MOST_BYTES:
            raise EnvironmentFailure(f"{parts.hostname} answers with more than {_MOST_BYTES} bytes")
        return answer.status, answer.getheader("content-type") == MEDIA_TYPE.decode(), data


def _refused(status: int, body: bytes) -> HauberkError:
    try:
        detail = str(json.loads(body)["detail"])[:300]
    except (ValueError, KeyError, TypeError):
        detail = "no reason given"
    kinds = {401: AccessDenied, 403: AccessDenied, 429: EnvironmentFailure}
    kind = kinds.get(status, EnvironmentFailure if status >= 500 or status == _OK else DataError)
    return kind(f"the server answers with {status}: {detail}")


def _tensors(body: bytes, length: int | None) -> dict[str, npt.NDArray[Any]]:
    found, at = {}, len(body) if length is None else length
    document = parse_json(body[:at], where="the answer")
    for one in document["outputs"]:
        size = one["parameters"]["binary_data_size"]
        kind = np.dtype(_DTYPES[OUTPUT_TYPES[one["name"]]])
        found[one["name"]] = np.frombuffer(body[at : at + size], kind).reshape(one["shape"])
        at += size
    return found
