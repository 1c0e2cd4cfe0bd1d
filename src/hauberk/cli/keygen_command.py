from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common


@click.command("keygen", epilog="Example: hauberk keygen --out keys/me")
@click.option("--out", required=True, metavar="KEY", type=click.Path(path_type=Path),
              help="The secret key; the public one goes to KEY.pub.")  # fmt: skip
@click.option("--kind", default="hybrid", show_default=True, metavar="KIND",
              help="hybrid (ML-KEM-768 with X25519), or x25519.")  # fmt: skip
@common.json_option
def command(out: Path, kind: str, as_json: bool) -> None:
    """Make a key for opening sealed models. age's tools can use it too.

    KEY is for its owner alone (mode 600); give KEY.pub to whoever seals for you. A lost KEY cannot be had back.
    """
    from hauberk.crypto import age

    identity = age.generate(kind)
    secret, public = age.write_key(out, identity)
    print_ = age.fingerprint(identity.recipient).hex()
    identity.wipe()
    if as_json:
        common.print_json(
            {"identity": str(secret), "recipient": str(public), "kind": kind, "fingerprint": print_}
        )
    else:
        click.echo(f"{secret}: secret key, for you alone")
        click.echo(f"{public}: public key, sha256:{print_[:16]}…")
