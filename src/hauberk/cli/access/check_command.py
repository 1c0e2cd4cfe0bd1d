from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common
from hauberk.cli.access.options import explained, question_options


@click.command("check", epilog="Example: hauberk access check ada model.promote face@production")
@question_options
@common.json_option
def command(
    name: str,
    action: str,
    model: str,
    key: str | None,
    vault: Path,
    as_name: str | None,
    api_key_file: Path | None,
    as_json: bool,
) -> int:
    """Say whether NAME may do ACTION to MODEL, or MODEL@VERSION. Exit code 0: yes; 1: no.

    MODEL is left out for what is done to no model, such as audit.read.
    """
    found = explained("check", name, action, model, key, vault, as_name, api_key_file)
    allowed, why = found.verdict.allowed, list(found.verdict.why)
    if as_json:
        common.print_json({"allowed": allowed, "why": why})
    else:
        click.echo(f"{'yes' if allowed else 'no'}: {'; '.join(why)}")
    return 0 if allowed else 1
