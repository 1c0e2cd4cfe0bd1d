from __future__ import annotations

import shlex
from pathlib import Path

import click

from hauberk.cli import common


@click.command("info", epilog="Example: hauberk info runs/quickstart/hardened")
@common.package_argument
@common.json_option
def command(package: Path, as_json: bool) -> None:
    """Show what a model package is, after checking it; nothing in it is executed."""
    from hauberk.core.errors import DataError
    from hauberk.core.manifest import MANIFEST
    from hauberk.models import read

    if (package / "config.json").is_file() and not (package / MANIFEST).is_file():
        raise DataError(
            f"{package} is a folder of the transformers library, not a model package",
            hint=f"hauberk import {shlex.quote(str(package))} --out PKG; then hauberk info PKG",
        )
    found = read(package)
    manifest = found.manifest
    sizes = [facts["size_bytes"] for facts in manifest["files"].values()]
    if as_json:
        common.print_json({**manifest, "verified": True})
        return
    architecture = manifest["architecture"]
    shape = "x".join(map(str, manifest["input"]["shape"]))
    lines = {
        "package": f"{package} (verified: all digests match)",
        "digest": manifest["digest"],
        "model": manifest["model"],
        "architecture": f"{architecture.get('name') or architecture.get('factory')}",
        "input": f"{shape} in {manifest['input']['bounds']}",
        "labels": f"{len(manifest['labels'])}: {', '.join(manifest['labels'][:12])}",
        "files": f"{len(sizes)}, {sum(sizes) / 1e6:.2f} MB",
    }
    for key, value in lines.items():
        click.echo(f"{key + ':':14} {value}")
    for one in found.evidence:
        what = one.parameters.get("method") or one.parameters.get("format") or ""
        click.echo(f"{'life:':14} {one.created}  {one.kind} {what}  {one.digest[:19]}…")
