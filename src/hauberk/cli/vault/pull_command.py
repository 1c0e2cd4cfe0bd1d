from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.vault.options import PATH, opened, vault_options, version_argument, version_json


@click.command("pull", epilog="Example: hauberk vault pull digits@production --out models/digits --vault vault")
@version_argument
@click.option("--out", required=True, type=PATH, metavar="PKG", help="The package or sealed file to write.")
@click.option("--evidence", type=PATH, default=None, metavar="DIR",
              help="Where later evidence goes [default: the folder 'evidence' beside PKG].")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace what is at --out.")
@vault_options
@common.json_option
def command(
    version: str,
    out: Path,
    evidence: Path | None,
    force: bool,
    where: Path,
    as_name: str | None,
    api_key_file: Path | None,
    as_json: bool,
) -> None:
    """Write a version: NAME@3, NAME@production, NAME@sha256:…, or NAME for the newest that is not revoked.

    Digests, the ledger's proof, the signature where the policy asks for one: all is verified again, and only
    then does anything appear at --out.
    """
    from hauberk.vault import pull

    with opened(where, as_name, api_key_file) as vault:
        pulled = pull(vault, version, out, evidence=evidence, overwrite=force)
    if as_json:
        common.print_json(
            {
                **version_json(pulled.version),
                "path": str(pulled.path),
                "signature": str(pulled.signature) if pulled.signature else None,
                "evidence": [str(one) for one in pulled.evidence],
            }
        )
    else:
        click.echo(f"{out}: {pulled.version}, verified as published in entry {pulled.version.entry}")
