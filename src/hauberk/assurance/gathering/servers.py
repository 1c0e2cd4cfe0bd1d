"""A running server, asked as any caller could ask it, and by who has a key for its metrics.

Nothing of the server's own code is used. Each look is one small request: none reaches a model, and the one that
must be refused for its size announces a body and sends none.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import re
import socket
import ssl
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hauberk.assurance.finding import Subject
from hauberk.assurance.target import ServingFacts
from hauberk.assurance.text import Text, same
from hauberk.core.canonical import digest
from hauberk.core.errors import ConfigError, DataError

_WAIT_S = 10.0
_MOST_BYTES = 16 << 20
_HUGE = 1 << 40  # bytes that nobody sends; a server with a limit says so at once
_SAMPLE = re.compile(r"^(\w+)(\{[^}]*\})? ([0-9.eE+-]+)", re.MULTILINE)
_ALERTS, _READY, _GUARD = "hauberk_guard_alerts_total", "hauberk_ready", b"hauberk_guard_alerts"
_READINESS = {
    True: same(""),
    False: Text("it is not ready: it answered {status}", "尚未就绪：返回状态码 {status}"),
}
_JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Answer:
    """What came back: status and body; headers in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Asking:
    """Asks one server.

    Args:
        url: ``http://`` or ``https://`` with a host.
        ca: certificates of authorities; None for the machine's own.
        certificate: certificate and key of this caller, for servers that ask for one.

    Raises:
        ConfigError: no such URL.
        DataError: a certificate that cannot be read.
    """

    def __init__(self, url: str, ca: Path | None, certificate: tuple[Path, Path] | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.password is not None:
            raise ConfigError(f"{url!r} is no address of a server", hint="such as https://models.example:8443")
        self.url, self.host, self.tls = url.rstrip("/"), parts.hostname, parts.scheme == "https"
        self.port = parts.port or (443 if self.tls else 80)
        self.base = parts.path.rstrip("/")
        self._context = None if not self.tls else _context(ca, certificate)

    def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """One request on a connection of its own; raises ``OSError`` where nothing comes back."""
        connection: http.client.HTTPConnection
        if self._context is None:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=_WAIT_S)
        else:
            connection = http.client.HTTPSConnection(
                self.host, self.port, timeout=_WAIT_S, context=self._context
            )
        try:
            connection.request(method, self.base + path, body=body, headers=dict(headers or {}))
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, answer.read(_MOST_BYTES), found)
        except http.client.HTTPException as error:
            raise OSError(f"what answers speaks no HTTP: {error!r}") from error
        finally:
            connection.close()

    def handshake(self) -> tuple[str | None, datetime | None]:
        """The protocol that is agreed, and when the certificate ends."""
        if self._context is None:
            return None, None
        with (
            socket.create_connection((self.host, self.port), _WAIT_S) as plain,
            self._context.wrap_socket(plain, server_hostname=self.host) as wrapped,
        ):
            ends: Any = (wrapped.getpeercert() or {}).get("notAfter")
            until = None if ends is None else datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC)
            return wrapped.version(), until

    def takes_old_tls(self) -> bool | None:
        """Whether it agrees to TLS 1.1 or 1.0; None where this machine's OpenSSL cannot even ask."""
        if not self.tls:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = ssl.TLSVersion.TLSv1
                context.maximum_version = ssl.TLSVersion.TLSv1_1
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
        except (ssl.SSLError, ValueError):
            return None
        try:
            with (
                socket.create_connection((self.host, self.port), _WAIT_S) as plain,
                context.wrap_socket(plain, server_hostname=self.host),
            ):
                return True
        except OSError:
            return False


def gather_server(
    url: str,
    *,
    api_key: str | None = None,
    ca: Path | None = None,
    certificate: tuple[Path, Path] | None = None,
) -> ServingFacts:
    """Ask a server everything that a rule wants to know.

    Args:
        api_key: of somebody who may see models and read metrics (the role ``auditor``), for guard and alerts.

    Raises:
        ConfigError, DataError: an address or certificate that cannot be used. A server that does not answer
            raises nothing: ``answers`` is False.
    """
    asking = Asking(url, ca, certificate)
    subject = Subject("deployment", asking.url, digest({"url": asking.url}))
    loopback = _is_loopback(asking.host)
    try:
        tls, until = asking.handshake()
        ready = asking.ask("GET", "/v2/health/ready")
        models = _models(asking, api_key)
        metrics = asking.ask("GET", "/metrics", headers=_bearer(api_key))
        figures = _figures(metrics.body.decode("utf-8", "replace")) if metrics.status == 200 else None
        # a counter without a sample yet is still named there, so a guard that never rang is seen
        guard = None if figures is None else _GUARD in metrics.body
        return ServingFacts(
            subject=subject,
            url=asking.url,
            answers=ready.status == 200,
            why=_READINESS[ready.status == 200].format(status=ready.status),
            tls=tls,
            certificate_until=until,
            old_tls=asking.takes_old_tls(),
            open_predictions=_open_predictions(asking, models),
            loopback=loopback,
            models=models,
            guard=guard,
            refuses_huge=_refuses_huge(asking, models, api_key),
            alerts=None if figures is None or not guard else int(sum(figures.get(_ALERTS, []))),
        )
    except OSError as error:
        why = same(str(error) or type(error).__name__)
        return ServingFacts(subject=subject, url=asking.url, answers=False, why=why, loopback=loopback)


def _context(ca: Path | None, certificate: tuple[Path, Path] | None) -> ssl.SSLContext:
    files = [one for one in (ca, *(certificate or ())) if one is not None]
    for one in files:
        if not one.is_file():
            raise DataError(f"no certificate or key at {one}")
    try:
        context = ssl.create_default_context(cafile=None if ca is None else str(ca))
        if certificate is not None:
            context.load_cert_chain(*map(str, certificate))
    except (OSError, ssl.SSLError) as error:
        named = ", ".join(str(one) for one in files) or "this machine's certificates"
        raise DataError(f"{named} cannot be used as certificate or key: {error}") from error
    return context


def _bearer(key: str | None) -> dict[str, str]:
    return {} if key is None else {"authorization": f"Bearer {key}"}


def _models(asking: Asking, key: str | None) -> tuple[str, ...]:
    """Names of what is served, as far as this caller is told."""
    answer = asking.ask("GET", "/v2/models", headers=_bearer(key))
    try:
        listed = json.loads(answer.body) if answer.status == 200 else []
        return tuple(str(one["name"]) for one in listed)
    except (ValueError, TypeError, KeyError):
        return ()


def _open_predictions(asking: Asking, models: tuple[str, ...]) -> bool | None:
    """Whether somebody without a key comes as far as his question being looked at.

    The question is empty, so that a server that lets him in says 400 and asks no network.
    """
    name = models[0] if models else "hauberk-audit"
    answer = asking.ask("POST", f"/v2/models/{name}/infer", body=b"{}", headers=_JSON)
    if answer.status in (401, 403):
        return False
    return True if answer.status in (200, 400, 404, 422) else None


def _refuses_huge(asking: Asking, models: tuple[str, ...], key: str | None) -> bool | None:
    """Whether a body of a terabyte is refused when it is announced; None where no model could be asked."""
    if not models:
        return None
    headers = {**_bearer(key), **_JSON, "content-length": str(_HUGE)}
    try:
        answer = asking.ask("POST", f"/v2/models/{models[0]}/infer", headers=headers)
    except TimeoutError:
        return False  # it waits for all of it
    except OSError:
        return True  # it hung up
    return True if answer.status == 413 else None if answer.status in (401, 403) else False


def _figures(text: str) -> dict[str, list[float]] | None:
    found: dict[str, list[float]] = {}
    for name, _labels, value in _SAMPLE.findall(text):
        found.setdefault(name, []).append(float(value))
    return found if _READY in found else None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
