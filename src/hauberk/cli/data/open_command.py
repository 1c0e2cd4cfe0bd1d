from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common, keys


@click.command("open", epilog="Example: hauberk data open data.sealed --identity keys/me --out data")
@keys.sealed_argument
@keys.identity_options
@click.option("--out", default=None, metavar="DIR|FILE", type=click.Path(path_type=Path),
              help="Write it here, no longer protected [default: only check].")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace a file at --out; a folder is never replaced.")
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
    """Check sealed data with a key and, with --out, write the file or folder that was sealed.

    Without --out everything is decrypted and checked in memory and nothing is written. Of encrypted Parquet
    those columns are written that the key opens.
    """
    from hauberk.privacy.stored import check, open_to
    from hauberk.privacy.stored.parquet import check_table, is_encrypted, open_table

    readers = keys.identities_of(identities, passphrase, passphrase_file)
    written = str(out) if out else None
    if is_encrypted(file):
        columns, withheld = (
            check_table(file, readers) if out is None else open_table(file, readers, out, overwrite=force)
        )
        if as_json:
            common.print_json(
                {"file": str(file), "verified": True, "columns": columns, "withheld": withheld, "out": written}
            )
            return
        click.echo(f"{file}: {len(columns)} columns whole and unchanged: {', '.join(columns)}")
        if withheld:
            click.echo(f"withheld, for other keys: {', '.join(withheld)}")
    else:
        opened = check(file, readers) if out is None else open_to(file, readers, out, overwrite=force)
        if as_json:
            common.print_json(
                {
                    "file": str(file),
                    "verified": True,
                    "folder": opened.folder,
                    "files": opened.files,
                    "size_bytes": opened.size_bytes,
                    "out": written,
                }
            )
            return
        click.echo(f"{file}: whole and unchanged, {opened.files} files, {opened.size_bytes / 1e6:.2f} MB")
    click.echo(f"{out}: no longer protected" if out else "nothing was written (no --out)")
