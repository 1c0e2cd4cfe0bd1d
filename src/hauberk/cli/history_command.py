from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hauberk.cli import common
from hauberk.cli.ledger.options import policy_of, policy_option

if TYPE_CHECKING:
    from hauberk.ledger.history import Step


@click.command("history", epilog="Example: hauberk history models/hard --ledger log")
@common.package_argument
@click.option("--ledger", required=True, metavar="DIR|URL", help="The ledger, or where it is published.")
@policy_option
@click.option("--evidence", type=click.Path(path_type=Path), default=None, metavar="DIR",
              help="Where later evidence lies [default: the folder 'evidence' beside PKG].")  # fmt: skip
@common.json_option
def command(package: Path, ledger: str, policy: Path | None, evidence: Path | None, as_json: bool) -> int:
    """Print a model's whole life, each step with its entry and whether the proof of it holds.

    Told are the evidence in the package and beside it, and what the ledger says of the model besides. Exit
    code 1 says that a proof fails.
    """
    from hauberk.ledger.history import history
    from hauberk.ledger.opening import open_ledger

    with closing(open_ledger(ledger)) as log:
        told = history(package, log, policy_of(log, policy), evidence=evidence)
    head = told.head
    if as_json:
        common.print_json(
            {
                "package": str(package),
                "model": told.model,
                "log": {"origin": head.origin, "size": head.size, "root": head.root.hex()},
                "holds": told.holds,
                "steps": [one.to_json() for one in told.steps],
            }
        )
        return 0 if told.holds else 1
    click.echo(f"{package}: {told.model}")
    click.echo(f"{head.origin}: {head.size} entries, root {head.root.hex()}")
    for step in told.steps:
        click.echo(_line(step))
    counted = [one.proof for one in told.steps]
    fails = f", {counted.count('fails')} FAIL" if not told.holds else ""
    absent = counted.count("not logged")
    click.echo(f"{len(counted)} steps: {counted.count('holds')} proven{fails}, {absent} not in the ledger")
    return 0 if told.holds else 1


def _line(step: Step) -> str:
    from hauberk.ledger.figures import written

    proof = {
        "holds": f"entry {step.entry}, proof holds",
        "fails": f"entry {step.entry}, PROOF FAILS: {step.why}",
        "not logged": f"not in the ledger{f': {step.why}' if step.why else ''}",
    }[step.proof]
    hidden = "" if step.shown else "told by the ledger alone"
    about = ": ".join(one for one in (step.name, written(step.figures), hidden) if one)
    return f"  {step.created or 'no date':20}  {step.kind:14}  {about}\n  {'':20}  {'':14}  {proof}"
