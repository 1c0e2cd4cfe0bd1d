from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hauberk.cli import common, keys

if TYPE_CHECKING:
    from hauberk.crypto.age import Recipient

_path = click.Path(path_type=Path)


@click.command(
    "seal", epilog="Example: hauberk data seal photos labels.csv --recipient keys/me.pub --out data.sealed"
)
@click.argument("sources", metavar="IN...", nargs=-1, required=True, type=_path)
@click.option("--recipient", "recipients", multiple=True, metavar="KEY.pub", type=_path,
              help="Who may open it; repeatable.")  # fmt: skip
@keys.passphrase_options
@click.option("--out", required=True, metavar="FILE", type=_path, help="The sealed file.")
@click.option("--parquet", is_flag=True, help="Encrypt a Parquet file in Parquet's own way.")
@click.option(
    "--columns", multiple=True, metavar="ROLE=A,B", help="With --parquet: a role's columns; repeatable."
)
@click.option("--reader", "role_readers", multiple=True, metavar="ROLE=KEY.pub",
              help="With --columns: who reads this role alone; repeatable.")  # fmt: skip
@keys.mixed_option
@click.option("--force", is_flag=True, help="Replace an earlier file at --out.")
@keys.record_option
@common.json_option
def command(
    sources: tuple[Path, ...],
    recipients: tuple[Path, ...],
    passphrase: bool,
    passphrase_file: Path | None,
    out: Path,
    parquet: bool,
    columns: tuple[str, ...],
    role_readers: tuple[str, ...],
    mixed: bool,
    force: bool,
    evidence: Path | None,
    as_json: bool,
) -> None:
    """Encrypt files and folders for their recipients, as one standard age file.

    One file is sealed as it is, a folder or several sources as a tar archive. With --parquet the columns of
    one Parquet file are encrypted by role; every column needs a role. Nothing is deleted.
    """
    from hauberk.core.errors import ConfigError
    from hauberk.privacy.stored import seal
    from hauberk.privacy.stored.recording import sealed_evidence

    if parquet or columns or role_readers:
        if len(sources) != 1 or passphrase or passphrase_file:
            raise ConfigError("--parquet takes one Parquet file and keys, no passphrase")
        _seal_table(sources[0], out, recipients, columns, role_readers, mixed, force, evidence, as_json)
        return
    readers = keys.recipients_of(recipients, passphrase, passphrase_file)
    began = time.monotonic()
    sealed = seal(sources, out, readers, mixed=mixed, overwrite=force)
    record = sealed_evidence(sealed, duration_s=time.monotonic() - began)
    common.keep(record, common.evidence_folder(out, evidence), out)
    if as_json:
        common.print_json(
            {
                "file": str(out),
                "file_digest": record.subject["digest"],
                "size_bytes": sealed.size_bytes,
                "files": sealed.files,
                "folder": sealed.folder,
                "recipients": [one.to_json() for one in sealed.readers],
            }
        )
        return
    click.echo(f"{out}: {sealed.files} files, {sealed.size_bytes / 1e6:.2f} MB")
    for one in sealed.readers:
        click.echo(f"  for {keys.describe(one)}")


def _seal_table(
    source: Path,
    out: Path,
    recipients: tuple[Path, ...],
    columns: tuple[str, ...],
    role_readers: tuple[str, ...],
    mixed: bool,
    force: bool,
    evidence: Path | None,
    as_json: bool,
) -> None:
    from hauberk.crypto.age import Reader
    from hauberk.privacy.stored import parquet
    from hauberk.privacy.stored.recording import parquet_evidence

    everybody = keys.recipients_of(recipients)
    own = {role: tuple(text.split(",")) for role, text in _pairs(columns, "--columns ROLE=A,B")}
    readers: dict[str, list[Recipient]] = {}
    for name, path in _pairs(role_readers, "--reader ROLE=KEY.pub"):
        readers.setdefault(name, []).extend(keys.recipients_of([Path(path)]))
    began = time.monotonic()
    named = own or {"all": tuple(parquet.column_names(source))}
    roles = parquet.roles_from(named, readers, everybody)
    parquet.seal_table(source, out, roles, mixed=mixed, overwrite=force)
    people = {role.name: [Reader.of(one) for one in role.readers] for role in roles}
    counts = {role.name: len(role.columns) for role in roles}
    record = parquet_evidence(out, people, counts, duration_s=time.monotonic() - began)
    common.keep(record, common.evidence_folder(out, evidence), out)
    if as_json:
        listed = {
            role.name: {
                "columns": list(role.columns),
                "recipients": [one.to_json() for one in people[role.name]],
            }
            for role in roles
        }
        common.print_json({"file": str(out), "file_digest": record.subject["digest"], "roles": listed})
        return
    for group in roles:
        click.echo(f"{out}: {group.name} reads {', '.join(group.columns)}")
        for one in people[group.name]:
            click.echo(f"  for {keys.describe(one)}")


def _pairs(texts: tuple[str, ...], form: str) -> list[tuple[str, str]]:
    from hauberk.core.errors import ConfigError

    pairs = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals or not value:
            raise ConfigError(f"{form} is what it takes, got '{text}'")
        pairs.append((name, value))
    names = [name for name, _ in pairs]
    if form.startswith("--columns") and len(set(names)) != len(names):
        raise ConfigError("a role's columns are given twice")
    return pairs
