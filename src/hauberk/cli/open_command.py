from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common, keys


@click.command("open", epilog="Example: hauberk open hard.sealed --identity keys/me --out models/opened")
@keys.sealed_argument
@keys.identity_options
@click.option("--out", default=None, metavar="PKG", type=click.Path(path_type=Path),
              help="Write the package here, no longer protected [default: only check].")  # fmt: skip
@common.force_option
@common.json_option
def command(
    file: Path,
    identities: tuple[Path, ...],
    passphrase: bool,
    passphrase_file: Path | None,
    out: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Check a sealed model with a key and, with --out, turn it into a package again.

    Without --out everything is decrypted and checked in memory and nothing is written. In Python,
    hauberk.protection.seal.open_model loads a sealed file without writing it anywhere.
    """
    from hauberk.protection.seal import check, extract

    readers = keys.identities_of(identities, passphrase, passphrase_file)
    opened = check(file, readers) if out is None else extract(file, readers, out, overwrite=force)
    if as_json:
        common.print_json(
            {
                "file": str(file),
                "verified": True,
                "model": opened.model,
                "digest": opened.package,
                "tensors": opened.tensors,
                "files": opened.files,
                "weights_bytes": opened.weights_bytes,
                "package": str(out) if out else None,
            }
        )
        return
    click.echo(f"{file}: whole and unchanged, {opened.tensors} tensors, model {opened.model}")
    click.echo(f"{out}: the package, no longer protected" if out else "nothing was written (no --out)")
