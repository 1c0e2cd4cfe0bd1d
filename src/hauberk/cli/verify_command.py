from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hauberk.cli import common

if TYPE_CHECKING:
    from hauberk.protection.sign import Trust, Verification

_PATH = click.Path(path_type=Path)
_DIFFERS = 1


@click.command(
    "verify",
    epilog="Example: hauberk verify models/mine --signature models/mine.sig --public-key public.pem",
)
@common.package_argument
@click.option("--signature", type=_PATH, default=None, metavar="SIG", help="As hauberk sign wrote it.")
@click.option(
    "--public-key", type=_PATH, default=None, metavar="PUBLIC.pem", help="Of whoever must have signed."
)
@click.option("--ca", type=_PATH, multiple=True, metavar="CERT.pem",
              help="The authority that certifies signers; repeatable.")  # fmt: skip
@click.option("--identity", default=None, metavar="WHO", help="Who must have signed through Sigstore.")
@click.option("--issuer", default=None, metavar="URL", help="The provider that vouches for --identity.")
@click.option("--trust-config", type=_PATH, default=None, metavar="FILE", help="A Sigstore of one's own.")
@click.option("--evidence", type=_PATH, multiple=True, metavar="DIR",
              help="Of a document: where those that it rests on may lie too; repeatable.")  # fmt: skip
@common.json_option
def command(
    package: Path,
    signature: Path | None,
    public_key: Path | None,
    ca: tuple[Path, ...],
    identity: str | None,
    issuer: str | None,
    trust_config: Path | None,
    evidence: tuple[Path, ...],
    as_json: bool,
) -> int:
    """Is this package what somebody I trust has signed? Lists every file that is changed, missing or added.

    Of a document (evidence, the verdict of an audit) in place of a package: is it whole, does its answer follow
    from its own findings, and which documents that it rests on are here?

    Exit code 0: yes; 1: no, or the signature does not hold.
    """
    from hauberk.core.errors import ConfigError
    from hauberk.protection.sign import verify

    given = (signature, public_key, identity, issuer, trust_config, *ca)
    if package.is_file() and not any(given):
        return _document_holds(package, evidence, as_json)
    if evidence:
        raise ConfigError("--evidence belongs to a document, which is verified without a signature")
    if signature is None:
        raise ConfigError(
            "say which signature with --signature", hint="a document needs none: hauberk verify FILE"
        )
    if sum((public_key is not None, bool(ca), identity is not None)) != 1:
        raise ConfigError("say whose signature is believed with one of --public-key, --ca and --identity")
    if (identity is None) != (issuer is None) or (trust_config is not None and identity is None):
        raise ConfigError("--identity and --issuer go together, and --trust-config with them")
    found = verify(package, signature, _trust(public_key, ca, identity, issuer, trust_config))
    if as_json:
        common.print_json(_document(found))
    else:
        click.echo(_text(found))
    return 0 if found.ok else _DIFFERS


def _document_holds(path: Path, folders: tuple[Path, ...], as_json: bool) -> int:
    from hauberk.assurance.checking import check_document

    found = check_document(path, folders)
    if as_json:
        common.print_json(found.to_json())
        return 0
    kind, created = found.evidence.kind, found.evidence.created
    lines = [f"{path}: {kind} of {created}, as it was written", f"digest {found.evidence.digest}"]
    if found.verdict is not None:
        lines.append("the verdict follows from its findings: " + ("yes" if found.verdict.passed else "no"))
    lines += [f"rests on {digest}: {place}" for digest, place in found.found.items()]
    lines += [f"rests on {digest}, which is not here" for digest in found.missing]
    click.echo("\n".join(lines))
    return 0


def _trust(
    public_key: Path | None,
    ca: tuple[Path, ...],
    identity: str | None,
    issuer: str | None,
    trust_config: Path | None,
) -> Trust:
    from hauberk.protection.sign import Authority, Identity, PublicKey

    if public_key is not None:
        return PublicKey(public_key)
    return Identity(identity, issuer or "", trust_config) if identity is not None else Authority(ca)


def _document(found: Verification) -> dict[str, object]:
    return {
        "package": str(found.package),
        "ok": found.ok,
        "signer": found.signer,
        "files": found.files,
        "changed": list(found.changed),
        "missing": list(found.missing),
        "added": list(found.added),
    }


def _text(found: Verification) -> str:
    lines = [f"signed by {found.signer}"]
    for what in ("changed", "missing", "added"):
        lines += [f"{what:<8} {name!r}" for name in getattr(found, what)]
    verdict = f"all {found.files} files as signed" if found.ok else "not what was signed"
    return "\n".join([*lines, f"{found.package}: {verdict}"])
