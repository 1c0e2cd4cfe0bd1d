from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hauberk.cli import common

if TYPE_CHECKING:
    from hauberk.protection.scan import Scan

_FOUND, _UNREAD = 1, 3


@click.command("scan", epilog="Example: hauberk scan downloads/ --sarif scan.sarif")
@click.argument("path", metavar="FILE|DIR", type=click.Path(path_type=Path))
@click.option("--sarif", type=click.Path(path_type=Path), default=None, metavar="OUT",
              help="Also write SARIF 2.1.0, for code hosts.")  # fmt: skip
@click.option("--own-only", is_flag=True, help="Leave picklescan and fickling aside.")
@common.json_option
def command(path: Path, sarif: Path | None, own_only: bool, as_json: bool) -> int:
    """Look for what could run code, lie or explode in model files, before anything loads them.

    Nothing is run or unpacked. Exit code 0: clean; 1: findings; 3: something could not be looked at.
    """
    from hauberk.core.files import write_atomic
    from hauberk.protection.scan import scan, to_sarif

    found = scan(path, libraries=not own_only)
    if sarif is not None:
        write_atomic(sarif, json.dumps(to_sarif(found), indent=1, ensure_ascii=False).encode())
    if as_json:
        common.print_json(found.to_json())
    else:
        click.echo(_text(found))
    lacking = [name for name, version in found.scanners.items() if version is None]
    if lacking and not own_only:
        common.say(f"{' and '.join(lacking)} took no part: pip install 'hauberk[scan]'")
    return _FOUND if found.findings else _UNREAD if found.unread else 0


def _text(found: Scan) -> str:
    """The worst first: what it is, what an attacker gains, what to do."""
    from hauberk.protection.scan.job import plain

    lines = []
    for one in found.findings:
        lines += [
            f"{one.severity:<7} {plain(one.path)}: {one.line}  [{one.rule}]",
            f"        an attacker {one.gains}",
            f"        {one.remedy}",
        ]
    lines += [f"unread  {plain(one.path)}: {one.reason}" for one in found.unread]
    kinds: dict[str, int] = {}
    for file in found.files:
        kinds[file.kind] = kinds.get(file.kind, 0) + 1
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    files = f"{len(found.files)} file" + ("s" if len(found.files) != 1 else "")
    verdict = "clean" if found.clean else ", ".join(f"{n} {what}" for what, n in found.counts.items() if n)
    return "\n".join([*lines, f"{files} ({listed or 'nothing'}): {verdict or 'not all could be read'}"])
