from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.vault.options import PATH, opened, vault_options, version_json


@click.command("push", epilog="Example: hauberk vault push models/hard digits --vault vault")
@click.argument("path", metavar="PKG|FILE.sealed", type=PATH)
@click.argument("name", metavar="NAME")
@click.option("--signature", type=PATH, default=None, metavar="SIG",
              help="Over the package [default: PKG.sig where there is one].")  # fmt: skip
@click.option("--evidence", type=PATH, default=None, metavar="DIR",
              help="Later evidence, which is kept too [default: 'evidence' beside PKG].")  # fmt: skip
@vault_options
@common.json_option
def command(
    path: Path,
    name: str,
    signature: Path | None,
    evidence: Path | None,
    where: Path,
    as_name: str | None,
    api_key_file: Path | None,
    as_json: bool,
) -> None:
    """Make a package, or a file that hauberk seal wrote, the newest version of a model.

    It is scanned, held against the vault's policy, stored encrypted and published in the ledger. Pushing the
    same again changes nothing. A sealed file stays sealed.
    """
    from hauberk.vault import push

    with opened(where, as_name, api_key_file) as vault:
        pushed = push(vault, path, name, signature=signature, evidence=evidence)
    version = pushed.version
    if as_json:
        common.print_json({**version_json(version), "fresh": pushed.fresh})
    elif pushed.fresh:
        click.echo(f"{version}: {version.size_bytes / 1e6:.2f} MB, published as entry {version.entry}")
    else:
        click.echo(f"{version} holds just this already")
