from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hauberk.cli import common

if TYPE_CHECKING:
    from hauberk.protection.sign import Signer

_PATH = click.Path(path_type=Path)


@click.command("sign", epilog="Example: hauberk sign models/mine --key private.pem --out models/mine.sig")
@common.package_argument
@click.option("--key", type=_PATH, default=None, metavar="PRIVATE.pem",
              help="An elliptic-curve key: P-256, P-384 or P-521.")  # fmt: skip
@click.option("--password-file", type=_PATH, default=None, metavar="FILE", help="Of an encrypted key.")
@click.option("--certificate", type=_PATH, default=None, metavar="CERT.pem", help="Of the key.")
@click.option("--chain", type=_PATH, multiple=True, metavar="CERT.pem",
              help="Between the certificate and its authority; repeatable.")  # fmt: skip
@click.option("--pkcs11-uri", default=None, metavar="URI", help="A key that stays in its token.")
@click.option("--pkcs11-module", multiple=True, metavar="DIR", help="Where PKCS#11 modules lie; repeatable.")
@click.option("--sigstore", is_flag=True, help="Sign as an identity, through Sigstore (network).")
@click.option("--identity-token-file", type=_PATH, default=None, metavar="FILE", help="For --sigstore.")
@click.option("--trust-config", type=_PATH, default=None, metavar="FILE", help="A Sigstore of one's own.")
@click.option("--out", required=True, type=_PATH, metavar="SIG", help="The signature to write.")
@click.option("--force", is_flag=True, help="Replace an earlier signature at --out.")
@common.evidence_option
@common.json_option
def command(
    package: Path,
    key: Path | None,
    password_file: Path | None,
    certificate: Path | None,
    chain: tuple[Path, ...],
    pkcs11_uri: str | None,
    pkcs11_module: tuple[str, ...],
    sigstore: bool,
    identity_token_file: Path | None,
    trust_config: Path | None,
    out: Path,
    force: bool,
    evidence: Path | None,
    as_json: bool,
) -> None:
    """Sign every file of a package, with a statement of where it comes from (provenance.json) among them.

    The signature is an OpenSSF Model Signing bundle: model_signing verify accepts it too.
    """
    from hauberk.core.errors import ConfigError
    from hauberk.protection.sign import sign

    if sum((key is not None, pkcs11_uri is not None, sigstore)) != 1:
        raise ConfigError("say who signs with one of --key, --pkcs11-uri and --sigstore")
    for given, needs, what in (
        (password_file or False, key and not certificate, "--password-file goes with --key alone"),
        (certificate or chain, key or pkcs11_uri, "--certificate and --chain go with --key or --pkcs11-uri"),
        (chain, certificate, "--chain goes with --certificate"),
        (pkcs11_module, pkcs11_uri, "--pkcs11-module goes with --pkcs11-uri"),
        (identity_token_file or trust_config, sigstore, "identity and trust options go with --sigstore"),
    ):
        if given and not needs:
            raise ConfigError(what)
    signer = _signer(
        key, password_file, certificate, chain, pkcs11_uri, pkcs11_module, identity_token_file, trust_config
    )
    signed = sign(package, signer, out, overwrite=force)
    common.keep(signed.evidence, common.evidence_folder(package, evidence), package)
    if as_json:
        common.print_json(
            {
                "signature": str(signed.signature),
                "files": signed.files,
                **{key: signed.evidence.result[key] for key in ("signed", "provenance")},
                "evidence": signed.evidence.digest,
            }
        )
    else:
        click.echo(f"{signed.signature}: {signed.files} files of {package} signed")


def _signer(
    key: Path | None,
    password_file: Path | None,
    certificate: Path | None,
    chain: tuple[Path, ...],
    uri: str | None,
    modules: tuple[str, ...],
    token_file: Path | None,
    trust_config: Path | None,
) -> Signer:
    from hauberk.protection.sign import CertificateSigner, KeySigner, Pkcs11Signer, SigstoreSigner

    if uri is not None:
        return Pkcs11Signer(uri, modules, certificate, chain)
    if key is None:
        token = _secret(token_file, "identity token")
        return SigstoreSigner(token.decode() if token else None, trust_config)
    if certificate is not None:
        return CertificateSigner(key, certificate, chain)
    return KeySigner(key, _secret(password_file, "password"))


def _secret(path: Path | None, what: str) -> bytes | None:
    from hauberk.core.files import read_bytes

    return read_bytes(path, what=what).rstrip(b"\r\n") if path is not None else None
