from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common

_PATH = click.Path(path_type=Path)


@click.command("append", epilog="Example: hauberk ledger append evidence/*.json models/hard.sig --ledger log")
@click.argument("files", nargs=-1, required=True, metavar="FILE.json...", type=_PATH)
@click.option(
    "--ledger", required=True, metavar="DIR|URL", help="A folder, or postgresql://USER@HOST/DATABASE."
)
@click.option("--key", type=_PATH, default=None, metavar="FILE", envvar="HAUBERK_LEDGER_KEY",
              help="The log's secret key [default: DIR/key].")  # fmt: skip
@click.option("--private", is_flag=True,
              help="Salt what names a model in all evidence, not just in sealing and trace.")  # fmt: skip
@common.json_option
def command(files: tuple[Path, ...], ledger: str, key: Path | None, private: bool, as_json: bool) -> None:
    """Log documents and print their entry numbers: all of them or, when something fails, none.

    Evidence, signatures, watermark commitments and sealed models become statements with their digests.
    Any other JSON document is logged as it is, for everybody to read. What was logged before keeps its number.
    """
    from hauberk.ledger.documents import file_entry
    from hauberk.ledger.opening import open_log

    entries = [file_entry(one, private=private) for one in files]
    with open_log(ledger, key=key) as log:
        numbers = log.append(entries)
    if as_json:
        pairs = zip(files, numbers, strict=True)
        common.print_json({"entries": [{"file": str(file), "entry": number} for file, number in pairs]})
        return
    for file, number in zip(files, numbers, strict=True):
        click.echo(f"{number}  {file}")
