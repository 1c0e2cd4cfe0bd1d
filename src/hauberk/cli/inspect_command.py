from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hauberk.cli import common, keys


@click.command("inspect", epilog="Example: hauberk inspect hard.sealed")
@keys.sealed_argument
@keys.identity_options
@common.json_option
def command(
    file: Path,
    identities: tuple[Path, ...],
    passphrase: bool,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Show what a sealed model tells without a key; with one, also who can open it and what is in it.

    Without a key nothing of it can be verified, except that the file has the length it claims.
    """
    from hauberk.crypto.age import Reader
    from hauberk.protection.seal import inspect
    from hauberk.protection.seal.inspecting import look_inside

    inside = None
    if identities or passphrase or passphrase_file:
        outside, inside = look_inside(file, keys.identities_of(identities, passphrase, passphrase_file))
    else:
        outside = inspect(file)
    prints = inside.fingerprints if inside and inside.fingerprints else [None] * len(outside.kinds)
    readers = [Reader(kind, one) for kind, one in zip(outside.kinds, prints, strict=True)]
    if as_json:
        document: dict[str, Any] = {
            "file": str(file),
            "size_bytes": outside.size_bytes,
            "header_bytes": outside.header_bytes,
            "index_bytes": outside.index_bytes,
            "segment_bytes": outside.segment_bytes,
            "post_quantum": outside.post_quantum,
            "recipients": [one.to_json() for one in readers],
        }
        if inside:
            document["files"] = [{"name": name, "size_bytes": size} for name, size in inside.files]
            document["tensors"] = [
                {"name": one.name, "dtype": one.dtype, "shape": list(one.shape)} for one in inside.tensors
            ]
        common.print_json(document)
        return
    click.echo(f"file:         {file}, {outside.size_bytes / 1e6:.2f} MB")
    click.echo(f"header:       {outside.header_bytes} bytes, {len(readers)} recipients")
    for one in readers:
        click.echo(f"recipient:    {keys.describe(one)}")
    click.echo(f"post-quantum: {'yes' if outside.post_quantum else 'no'}")
    click.echo(f"body:         index of {outside.index_bytes} bytes, segments of {outside.segment_bytes}")
    if inside is None:
        click.echo("the rest needs a key: --identity KEY")
        return
    for name, size in inside.files:
        click.echo(f"holds:        {name}, {size} bytes")
    for tensor in inside.tensors:
        click.echo(f"tensor:       {tensor.name} {tensor.dtype} {'x'.join(map(str, tensor.shape)) or 'scalar'}")
