"""Options of the commands that read texts and tables: what the files do not say of themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from hauberk.privacy.text.files import Reading

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--format", "file_format", default=None, metavar="NAME",
                 help="text, csv, jsonl, json or parquet [default: by the file's name]."),
    click.option("--encoding", default=None, metavar="NAME", help="utf-8 or gb18030 [default: found out]."),
    click.option("--delimiter", default=None, metavar="CHAR", help="Of CSV [default: found out]."),
    click.option("--no-header", is_flag=True, help="The first row of CSV is data; columns are 1, 2, …"),
    click.option("--ragged", is_flag=True, help="Take CSV rows that are too long or too short."),
    click.option("--longest-line", type=int, default=None, metavar="N",
                 help="Characters of a line, row or document at most [default: 16 Mi]."),
)  # fmt: skip

_TABLE_OPTIONS = (
    click.option("--encoding", default=None, metavar="NAME",
                 help="Of CSV [default: utf-8 or gb18030, found out]."),
    click.option("--delimiter", default=None, metavar="CHAR",
                 help="Of CSV [default: found in its first line]."),
    click.option("--force", is_flag=True, help="Replace an earlier file at --out."),
)  # fmt: skip

table_name_option = click.option(
    "--table", "name", default=None, metavar="NAME", help="The table's name there [default: FILE's]."
)


def reading_options(command: _Command) -> _Command:
    """``--format``, ``--encoding``, ``--delimiter``, ``--no-header``, ``--ragged`` and ``--longest-line``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def table_options(command: _Command) -> _Command:
    """``--encoding``, ``--delimiter`` and ``--force``, of a table that is made from a table."""
    for option in reversed(_TABLE_OPTIONS):
        command = option(command)
    return command


def reading_of(
    file_format: str | None,
    encoding: str | None,
    delimiter: str | None,
    no_header: bool,
    ragged: bool,
    longest_line: int | None,
) -> Reading:
    """What the options say."""
    from hauberk.privacy.text.files import LONGEST_LINE, Reading

    return Reading(
        format=file_format,
        encoding=encoding,
        delimiter="\t" if delimiter in ("tab", "\\t") else delimiter,
        header=not no_header,
        ragged=ragged,
        longest_line=LONGEST_LINE if longest_line is None else longest_line,
    )
