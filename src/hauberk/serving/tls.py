"""TLS 1.3, with the server's certificate and, where callers must show one, the authority of theirs."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from hauberk.core.errors import ConfigError, DataError


@dataclass(frozen=True, kw_only=True)
class Tls:
    """What connections are encrypted with.

    Args:
        certificate: PEM, the server's own first, then the chain.
        key: PEM, not encrypted, for its owner alone.
        client_ca: PEM; with it every caller must show a certificate of this authority (mutual TLS).
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def context(self) -> ssl.SSLContext:
        """A fresh context, which reads the files again.

        Raises:
            DataError: a file that is missing, or does not fit the others.
            ConfigError: others than its owner may read the key.
        """
        for file in (self.certificate, self.key, *([self.client_ca] if self.client_ca else ())):
            if not file.is_file():
                raise DataError(f"no file at {file}", path=str(file))
        mode = self.key.stat().st_mode & 0o777
        if mode & 0o077:
            raise ConfigError(
                f"{self.key}: others may read the server's key (mode {mode:o})", hint=f"chmod 600 {self.key}"
            )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        try:
            context.load_cert_chain(self.certificate, self.key)
        except ssl.SSLError as error:
            raise DataError(
                f"{self.certificate} and {self.key} are not a certificate and its key ({error.reason})"
            ) from error
        if self.client_ca is not None:
            try:
                context.load_verify_locations(self.client_ca)
            except ssl.SSLError as error:
                raise DataError(f"{self.client_ca} holds no certificates ({error.reason})") from error
            context.verify_mode = ssl.CERT_REQUIRED
        return context
