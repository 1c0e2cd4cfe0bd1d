"""Who signs: a key, a key with certificates, a key in a PKCS#11 token, or an identity at Sigstore."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hauberk.core.errors import ConfigError
from hauberk.protection.sign import library


class Signer(Protocol):
    """Anything that can configure the library to sign."""

    @property
    def method(self) -> str: ...

    def configure(self) -> Any:
        """A ``model_signing.signing.Config`` that is ready to sign."""

    def finish(self, bundle: dict[str, Any]) -> dict[str, Any]:
        """The bundle with the certificates that the library got wrong or left out; they are not signed."""


class _Whole:
    """The library's bundle stays as it is."""

    def finish(self, bundle: dict[str, Any]) -> dict[str, Any]:
        return bundle


@dataclass(frozen=True)
class KeySigner(_Whole):
    """A private key in PEM, on P-256, P-384 or P-521.

    Args:
        password: of an encrypted key.

    Limits:
        The key is read by the library and stays in this process's memory until it is collected.
    """

    private_key: str | Path
    password: bytes | None = field(default=None, repr=False)
    method = "key"

    def configure(self) -> Any:
        path = library.present(self.private_key, "private key")
        config = library.part("signing").Config()
        with library.wrong_call(f"the private key {path}"):
            # it says that the password is text and hands it on to where bytes are wanted
            return config.use_elliptic_key_signer(private_key=path, password=self.password)


@dataclass(frozen=True)
class CertificateSigner:
    """A private key with the certificate of its public one.

    Args:
        chain: certificates between it and the authority, the nearest first.
    """

    private_key: str | Path
    certificate: str | Path
    chain: tuple[str | Path, ...] = ()
    method = "certificate"

    def configure(self) -> Any:
        key = library.present(self.private_key, "private key")
        certificate = library.present(self.certificate, "certificate")
        chain = [library.present(one, "certificate") for one in self.chain]
        config = library.part("signing").Config()
        with library.wrong_call(f"the private key {key} with the certificate {certificate}"):
            if not chain:
                # the library cannot read a chain of none; the signer's own certificate adds nothing
                chain = [certificate]
            return config.use_certificate_signer(
                private_key=key, signing_certificate=certificate, certificate_chain=chain
            )

    def finish(self, bundle: dict[str, Any]) -> dict[str, Any]:
        """Without the second copy of a certificate that has no chain."""
        chain = bundle["verificationMaterial"]["x509CertificateChain"]
        chain["certificates"] = [
            {"rawBytes": raw} for raw in dict.fromkeys(one["rawBytes"] for one in chain["certificates"])
        ]
        return bundle


@dataclass(frozen=True)
class Pkcs11Signer:
    """A key that never leaves its token.

    Args:
        uri: ``pkcs11:token=…;object=…?module-name=…``; a PIN stands in a file it names (``pin-source``).
        modules: folders with further PKCS#11 modules.
        certificate: of the key; None signs with the bare key.
    """

    uri: str
    modules: tuple[str, ...] = ()
    certificate: str | Path | None = None
    chain: tuple[str | Path, ...] = ()
    method = "pkcs11"

    def __post_init__(self) -> None:
        if not self.uri.startswith("pkcs11:"):
            raise ConfigError(f"a PKCS#11 URI starts with 'pkcs11:', got '{self.uri[:20]}'")

    def configure(self) -> Any:
        config = library.part("signing").Config()
        with library.wrong_call("the PKCS#11 token"):
            return config.use_pkcs11_signer(pkcs11_uri=self.uri, module_paths=self.modules)

    def finish(self, bundle: dict[str, Any]) -> dict[str, Any]:
        """With the certificates, which the library cannot write for a token's key (as of 1.1.1)."""
        if self.certificate is None:
            return bundle
        certificates = [_certificate(one) for one in (self.certificate, *self.chain)]
        public = certificates[0].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        material = bundle["verificationMaterial"]
        if hashlib.sha256(public).hexdigest() != material.pop("publicKey")["hint"]:
            raise ConfigError(f"the certificate {self.certificate} is not that of the token's key")
        raws = (base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in certificates)
        material["x509CertificateChain"] = {"certificates": [{"rawBytes": raw} for raw in raws]}
        return bundle


def _certificate(path: str | Path) -> x509.Certificate:
    data = library.present(path, "certificate").read_bytes()
    with library.wrong_call(f"the certificate {path}"):
        return x509.load_pem_x509_certificate(data)


@dataclass(frozen=True)
class SigstoreSigner(_Whole):
    """An identity that an OpenID provider vouches for; the signature is kept in a public log.

    Args:
        identity_token: of the provider; None uses the machine's own identity where it has one.
        trust_config: of a Sigstore of one's own; None for the public one.

    Limits:
        Needs the network. The identity becomes public for good.
    """

    identity_token: str | None = field(default=None, repr=False)
    trust_config: str | Path | None = None
    method = "sigstore"

    def configure(self) -> Any:
        config = library.part("signing").Config()
        with library.wrong_call("the identity"):
            return config.use_sigstore_signer(
                identity_token=self.identity_token,
                use_ambient_credentials=self.identity_token is None,
                trust_config=None
                if not self.trust_config
                else library.present(self.trust_config, "trust configuration"),
            )
