from __future__ import annotations

import time
from pathlib import Path

import click

from hauberk.cli import common, keys


@click.command("seal", epilog="Example: hauberk seal models/hard --recipient keys/me.pub --out hard.sealed")
@common.package_argument
@click.option("--recipient", "recipients", multiple=True, metavar="KEY.pub", type=click.Path(path_type=Path),
              help="Who may open it; repeatable.")  # fmt: skip
@keys.passphrase_options
@click.option("--out", required=True, metavar="FILE", type=click.Path(path_type=Path), help="The sealed file.")
@keys.mixed_option
@click.option("--force", is_flag=True, help="Replace an earlier file at --out.")
@keys.record_option
@common.json_option
def command(
    package: Path,
    recipients: tuple[Path, ...],
    passphrase: bool,
    passphrase_file: Path | None,
    out: Path,
    mixed: bool,
    force: bool,
    evidence: Path | None,
    as_json: bool,
) -> None:
    """Encrypt a model package for its recipients, as one file that opens whole or layer by layer.

    The package stays as it is. Sealing hides; it does not show who sealed: sign the package too.
    """
    from hauberk.protection.seal import seal
    from hauberk.protection.seal.recording import sealed_evidence

    readers = keys.recipients_of(recipients, passphrase, passphrase_file)
    began = time.monotonic()
    sealed = seal(package, out, readers, mixed=mixed, overwrite=force)
    record = sealed_evidence(sealed, duration_s=time.monotonic() - began)
    common.keep(record, common.evidence_folder(out, evidence), out)
    if as_json:
        common.print_json(
            {
                "file": str(out),
                "file_digest": record.result["file_digest"],
                "size_bytes": sealed.size_bytes,
                "model": sealed.model,
                "package": sealed.package,
                "recipients": [one.to_json() for one in sealed.readers],
            }
        )
        return
    click.echo(f"{out}: {sealed.tensors} tensors and {sealed.files} files, {sealed.size_bytes / 1e6:.2f} MB")
    for one in sealed.readers:
        click.echo(f"  for {keys.describe(one)}")
