"""Whose signature is believed: the holder of a public key, whoever an authority certifies, or an identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from hauberk.core.clock import Clock
from hauberk.core.errors import ConfigError, IntegrityError
from hauberk.protection.sign import library
from hauberk.protection.sign.statement import certificates_of


class Trust(Protocol):
    """Anything that can configure the library to verify."""

    @property
    def method(self) -> str: ...

    def configure(self) -> Any:
        """A ``model_signing.verifying.Config``."""

    def check(self, bundle: Mapping[str, Any], clock: Clock) -> str:
        """What the library does not look at; returns the signer in words."""


@dataclass(frozen=True)
class PublicKey:
    """The holder of one private key.

    Args:
        path: the public key in PEM.
    """

    path: str | Path
    method = "key"

    def configure(self) -> Any:
        path = library.present(self.path, "public key")
        config = library.part("verifying").Config()
        with library.wrong_call(f"the public key {path}"):
            return config.use_elliptic_key_verifier(public_key=path)

    def check(self, bundle: Mapping[str, Any], clock: Clock) -> str:
        hint = bundle["verificationMaterial"]["publicKey"].get("hint")
        return f"the key sha256:{hint}" if hint else f"the key in {self.path}"


@dataclass(frozen=True)
class Authority:
    """Whoever holds a certificate of these authorities that is valid now.

    Args:
        certificates: the authorities' own, in PEM.

    Limits:
        Everybody whom the authority certifies for signing is believed: give one that certifies your signers
        only. Revocation is not asked for; a certificate that has expired is refused, since nothing proves that
        the signature is older than that.
    """

    certificates: tuple[str | Path, ...]
    method = "certificate"

    def __post_init__(self) -> None:
        if not self.certificates:
            # the library would take every authority of the web, and so everybody with a web site
            raise ConfigError("name the authority whose certificates are believed", hint="--ca CA.pem")

    def configure(self) -> Any:
        paths = [library.present(one, "authority's certificate") for one in self.certificates]
        config = library.part("verifying").Config()
        with library.wrong_call(f"the authority {', '.join(map(str, paths))}"):
            return config.use_certificate_verifier(certificate_chain=paths)

    def check(self, bundle: Mapping[str, Any], clock: Clock) -> str:
        """Valid now: the library asks only whether the chain was when the certificate was issued."""
        from cryptography import x509

        present = clock().astimezone(UTC)
        try:
            chain = [x509.load_der_x509_certificate(one) for one in certificates_of(bundle)]
            subject = chain[0].subject.rfc4514_string()
            for one in chain:
                _check_dates(one.not_valid_before_utc, one.not_valid_after_utc, present)
                _check_issued(one, [*chain, *self._own()])
        except ValueError as error:
            raise IntegrityError(f"the signer's certificate cannot be read: {str(error)[:120]}") from error
        return f"{subject}, certified by {chain[0].issuer.rfc4514_string()}"

    def _own(self) -> list[Any]:
        from cryptography import x509

        return [
            one
            for path in self.certificates
            for one in x509.load_pem_x509_certificates(Path(path).read_bytes())
        ]


def _check_issued(certificate: Any, issuers: list[Any]) -> None:
    """No certificate is carried along that nobody looked at: each was issued by one of these."""
    from cryptography.exceptions import InvalidSignature

    for issuer in issuers:
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return
    raise IntegrityError(
        f"the certificate of {certificate.subject.rfc4514_string()} was issued by nobody who is known here"
    )


def _check_dates(begin: datetime, end: datetime, present: datetime) -> None:
    if present > end:
        raise IntegrityError(f"the signer's certificate expired on {end:%Y-%m-%d}")
    if present < begin:
        raise IntegrityError(f"the signer's certificate is not valid before {begin:%Y-%m-%d}")


@dataclass(frozen=True)
class Identity:
    """Somebody for whom an OpenID provider vouched when he signed at Sigstore.

    Args:
        identity: an address or a workflow's URI.
        issuer: the provider.
        trust_config: of a Sigstore of one's own; None for the public one.
    """

    identity: str
    issuer: str
    trust_config: str | Path | None = None
    method = "sigstore"

    def configure(self) -> Any:
        config = library.part("verifying").Config()
        with library.wrong_call("the identity"):
            return config.use_sigstore_verifier(
                identity=self.identity,
                oidc_issuer=self.issuer,
                trust_config=None
                if not self.trust_config
                else library.present(self.trust_config, "trust configuration"),
            )

    def check(self, bundle: Mapping[str, Any], clock: Clock) -> str:
        return f"{self.identity}, for whom {self.issuer} vouched"
