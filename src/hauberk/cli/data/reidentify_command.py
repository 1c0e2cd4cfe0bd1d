from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hauberk.cli import common, keys
from hauberk.cli.callers import caller_options
from hauberk.cli.data.reading import reading_of, reading_options, table_name_option
from hauberk.cli.vault.options import opened

_PATH: Any = click.Path(path_type=Path)
_DONE, _SOME_LEFT = 0, 1


@click.command(
    "reidentify",
    epilog="Example: hauberk data reidentify clean.csv --out again.csv --tokens tokens.db --identity keys/me",
)
@click.argument("source", metavar="IN", type=_PATH)
@click.option("--out", required=True, metavar="OUT", type=_PATH, help="The file or folder with the values.")
@click.option(
    "--tokens", "table", required=True, metavar="FILE", type=_PATH, help="The table that deidentify kept."
)
@keys.identity_options
@click.option(
    "--vault",
    "where",
    default=None,
    metavar="DIR",
    type=_PATH,
    help="Open the table with this vault's key, where it lets you.",
)
@table_name_option
@caller_options
@click.option("--skip", multiple=True, metavar="GLOB", help="Leave out files of a folder; repeatable.")
@reading_options
@click.option("--force", is_flag=True, help="Replace what is at --out.")
@common.json_option  # fmt: skip
def command(
    source: Path,
    out: Path,
    table: Path,
    identities: tuple[Path, ...],
    passphrase: bool,
    passphrase_file: Path | None,
    where: Path | None,
    name: str | None,
    as_name: str | None,
    api_key_file: Path | None,
    skip: tuple[str, ...],
    force: bool,
    as_json: bool,
    **reading: Any,
) -> int:
    """Turn reversible pseudonyms back into what they stand for, with a key for which the table was made.

    With --vault the key is the vault's: whoever is granted data.reidentify on the table needs none, and the
    trail says that he did it.

    Exit code 0: all came back; 1: the output is written, and some are not in the table.
    """
    from hauberk.core.errors import ConfigError
    from hauberk.privacy.text.reidentify import reidentify
    from hauberk.privacy.text.tokens import OpenTokens

    how: dict[str, Any] = {
        "reading": reading_of(**reading),
        "skip": skip,
        "overwrite": force,
        "progress": common.Bars(),
    }
    if where is None:
        if name or as_name or api_key_file:
            raise ConfigError("--table, --as and --api-key-file belong to --vault DIR")
        readers = keys.identities_of(identities, passphrase, passphrase_file)
        with OpenTokens(table, readers) as tokens:
            done = reidentify(source, out, tokens, **how)
    else:
        from hauberk.vault.tokens import reidentify_from

        if identities or passphrase or passphrase_file:
            raise ConfigError("the table is opened with the vault's key or with yours: --vault or --identity")
        with opened(where, as_name, api_key_file) as vault:
            done = reidentify_from(vault, source, out, table, name=name, **how)
    if as_json:
        files = [{"name": one.name, "digest": one.after} for one in done.files]
        common.print_json({"out": str(out), "restored": done.restored, "unknown": done.unknown, "files": files})
    else:
        click.echo(f"{out}: {done.restored:,} pseudonyms are values again, no longer protected")
        if done.unknown:
            click.echo(f"{done.unknown:,} are not in this table, or not for these keys, and stay")
    return _SOME_LEFT if done.unknown else _DONE
