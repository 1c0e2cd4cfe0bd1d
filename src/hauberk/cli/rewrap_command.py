from __future__ import annotations

import time
from pathlib import Path

import click

from hauberk.cli import common, keys


@click.command("rewrap", epilog="Example: hauberk rewrap hard.sealed --identity keys/me --add keys/ann.pub")
@keys.sealed_argument
@keys.identity_options
@click.option("--add", multiple=True, metavar="KEY.pub", type=click.Path(path_type=Path),
              help="Who may open it too; repeatable.")  # fmt: skip
@click.option("--remove", multiple=True, metavar="KEY.pub", type=click.Path(path_type=Path),
              help="Who may no longer; repeatable.")  # fmt: skip
@click.option("--new-key", is_flag=True, help="Encrypt everything anew, for exactly those named with --add.")
@keys.mixed_option
@keys.record_option
@common.json_option
def command(
    file: Path,
    identities: tuple[Path, ...],
    passphrase: bool,
    passphrase_file: Path | None,
    add: tuple[Path, ...],
    remove: tuple[Path, ...],
    new_key: bool,
    mixed: bool,
    evidence: Path | None,
    as_json: bool,
) -> None:
    """Change who can open a sealed model, in place.

    Only the header is written anew. Removing somebody takes nothing back: what was read may have been kept, and
    so may the key of this file. --new-key makes a file that the kept key does not open either.
    """
    from hauberk.core.canonical import file_digest
    from hauberk.core.errors import ConfigError
    from hauberk.core.files import machine_errors
    from hauberk.protection.seal import reseal, rewrap
    from hauberk.protection.seal.recording import rewrapped_evidence

    readers = keys.identities_of(identities, passphrase, passphrase_file)
    added, removed = keys.recipients_of(add), keys.recipients_of(remove)
    if new_key and not added:
        raise ConfigError(
            "--new-key seals anew for exactly those named with --add; nobody is",
            hint="name everybody who is to open it, yourself too",
        )
    if any(one in added for one in removed):
        raise ConfigError("somebody is both added and removed")
    began = time.monotonic()
    with machine_errors("read", file):
        before = file_digest(file) if file.is_file() else ""
    if new_key:
        done = reseal(file, readers, added, mixed=mixed)
    else:
        done = rewrap(file, readers, add=added, remove=removed, mixed=mixed)
    record = rewrapped_evidence(done, before, duration_s=time.monotonic() - began)
    common.keep(record, common.evidence_folder(file, evidence), file)
    if as_json:
        common.print_json(
            {
                "file": str(file),
                "file_digest": record.result["file_digest"],
                "new_key": done.new_key,
                "recipients": [one.to_json() for one in done.readers],
            }
        )
    else:
        click.echo(f"{file}: {'encrypted anew' if new_key else 'new header, same body'}")
        for one in done.readers:
            click.echo(f"  for {keys.describe(one)}")
    if removed or new_key:
        common.say(
            "note: this takes nothing back; what was read before, and copies of the old file, stay readable"
        )
