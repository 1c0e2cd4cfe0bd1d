from __future__ import annotations

from contextlib import closing

import click

from hauberk.cli import common


@click.command("export", epilog="Example: hauberk ledger export --ledger log --tiles public")
@click.option("--ledger", required=True, metavar="DIR|URL", help="The ledger, or where it is published.")
@click.option(
    "--tiles", required=True, metavar="OUT", help="A folder, or a URL that fsspec knows, such as s3://…"
)
@common.json_option
def command(ledger: str, tiles: str, as_json: bool) -> None:
    """Publish the log as static files, or what is new of it: tiles, entries, and the checkpoint last.

    Any file server can hand them out, and every command that reads takes their folder or address as --ledger.
    """
    from hauberk.ledger.opening import open_ledger
    from hauberk.ledger.published import export

    with closing(open_ledger(ledger)) as log:
        done = export(log, tiles)
    if as_json:
        common.print_json({"tiles": tiles, "size": done.size, "before": done.before, "files": done.files})
    else:
        click.echo(
            f"{tiles}: {done.size} entries, {done.size - done.before} of them new, in {done.files} new files"
        )
