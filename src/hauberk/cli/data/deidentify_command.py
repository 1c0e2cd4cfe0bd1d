from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hauberk.cli import common, keys
from hauberk.cli.callers import caller_options
from hauberk.cli.data.reading import reading_of, reading_options, table_name_option
from hauberk.cli.vault.options import opened

if TYPE_CHECKING:
    from hauberk.core.evidence import Evidence

_PATH: Any = click.Path(path_type=Path)


@click.command(
    "deidentify",
    epilog="Example: hauberk data deidentify customers.csv --out clean.csv --policy policy.toml --key my.key",
)
@click.argument("source", metavar="IN", type=_PATH)
@click.option("--out", required=True, metavar="OUT", type=_PATH, help="The treated file or folder.")
@click.option(
    "--policy",
    "policy_file",
    default=None,
    metavar="FILE",
    type=_PATH,
    help="What is done with each type, in TOML [default: a tag for all].",
)
@click.option("--key", "key_file", default=None, metavar="FILE", type=_PATH, help="The key of pseudonyms.")
@click.option("--new-key", is_flag=True, help="Make the key first, readable by this user only.")
@click.option(
    "--tokens",
    "table",
    default=None,
    metavar="FILE",
    type=_PATH,
    help="The table for what is reversible; made or added to.",
)
@click.option(
    "--recipient",
    "recipients",
    multiple=True,
    metavar="KEY.pub",
    type=_PATH,
    help="Who may turn it back; repeatable.",
)
@click.option(
    "--vault",
    "where",
    default=None,
    metavar="DIR",
    type=_PATH,
    help="Let this vault turn it back, for whom it grants that.",
)
@table_name_option
@caller_options
@click.option("--skip", multiple=True, metavar="GLOB", help="Leave out files of a folder; repeatable.")
@click.option(
    "--workers",
    default="1",
    show_default=True,
    metavar="W",
    help="1 (this process), 4 (processes), ray: see docs/scale-out.md.",
)
@reading_options
@click.option("--force", is_flag=True, help="Replace what is at --out.")
@keys.record_option
@common.json_option  # fmt: skip
def command(
    source: Path,
    out: Path,
    policy_file: Path | None,
    key_file: Path | None,
    new_key: bool,
    table: Path | None,
    recipients: tuple[Path, ...],
    where: Path | None,
    name: str | None,
    as_name: str | None,
    api_key_file: Path | None,
    skip: tuple[str, ...],
    workers: str,
    force: bool,
    evidence: Path | None,
    as_json: bool,
    **reading: Any,
) -> None:
    """Treat what tells about people in text, CSV, JSON and Parquet, in a file or a folder, by a policy.

    Without a policy everything that is found becomes a tag such as [NAME]. The output appears whole or not
    at all. What is not found stays: read the record, which estimates how much that is.
    """
    from hauberk.compute import workers as workers_of
    from hauberk.core.errors import ConfigError
    from hauberk.core.files import refuse_overwrite
    from hauberk.privacy.text.deidentify import deidentify
    from hauberk.privacy.text.files import files_of
    from hauberk.privacy.text.policy import Keys, Policy
    from hauberk.privacy.text.recording import deidentified_evidence
    from hauberk.privacy.text.tokens import TokenTable

    if new_key and key_file is None:
        raise ConfigError("--new-key makes the key at --key FILE, which is not given")
    if (table is None) != (not recipients and where is None):
        raise ConfigError("--tokens goes with --recipient or --vault: a table, and who may read it")
    if where is None and (name or as_name or api_key_file):
        raise ConfigError("--table, --as and --api-key-file belong to --vault DIR")
    read, work = reading_of(**reading), workers_of(workers)
    policy = Policy() if policy_file is None else Policy.load(policy_file)
    refuse_overwrite(out, force=force)
    files_of(source, skip)
    readers = keys.recipients_of(recipients)
    if where is not None and table is not None:
        from hauberk.vault.tokens import table_reader

        with opened(where, as_name, api_key_file) as vault:
            readers.append(table_reader(vault, name or table.name))
    secret = None if key_file is None else Keys.new(key_file) if new_key else Keys.load(key_file)
    began = time.monotonic()
    with nullcontext() if table is None else TokenTable(table, readers) as tokens:
        done = deidentify(
            source,
            out,
            policy,
            keys=secret,
            tokens=tokens,
            reading=read,
            skip=skip,
            workers=work,
            overwrite=force,
            progress=common.Bars(),
        )
    record = deidentified_evidence(done, duration_s=time.monotonic() - began)
    common.keep(record, common.evidence_folder(out, evidence), out)
    if as_json:
        common.print_json(record.to_json())
    else:
        click.echo(_text(out, record))


def _text(out: Path, record: Evidence) -> str:
    result, leak = record.result, record.result["leak"]
    size = sum(one["size_bytes"] for one in result["files"])
    lines = [
        f"{out}: {_number(result['findings'], 'finding')} treated in {_number(result['records'], 'record')} "
        f"of {_number(len(result['files']), 'file')}, {size / 1e6:.2f} MB"
    ]
    for one in result["counts"]:
        lines.append(
            f"  {one['type']:<12} {one['action']:<10} {one['count']:>9,}  sure {one['mean_score']:.2f}, "
            f"at least {one['least_score']:.2f}"
        )
    lines += [
        f"  column {one['column']!r}: all {_number(one['cells'], 'cell')} "
        + ({"keep": "kept", "drop": "dropped"}.get(one["rule"]) or f"taken for {one['rule']}")
        for one in result["columns"]
    ]
    if leak["looked"]:
        low, high = leak["left_interval"]
        lines.append(
            f"left, as a second detector sees it: in {leak['left']} of {_number(leak['looked'], 'record')} "
            f"looked at, {common.percent(leak['left_share'])} [{low:.1%}, {high:.1%}]"
        )
    if result["tokens"] is not None:
        lines.append(f"{result['tokens']} reversible values are new in the table")
    return "\n".join(lines)


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
