from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from hauberk.cli import common

_SHOWN = 3
_key_option = click.option(
    "--key", "key_file", required=True, type=click.Path(path_type=Path), metavar="KEY", help="The tracing key."
)
_register_option = click.option(
    "--register", required=True, type=click.Path(path_type=Path), metavar="FILE",
    help="To whom copies were issued; one for each original.",
)  # fmt: skip


@click.group(
    "trace", epilog="Example: hauberk trace issue models/hard --recipient 'Ward 3' --key trace.key --register "
    "issued.json --out copies/ward-3"
)  # fmt: skip
def command() -> None:
    """Give every recipient a copy that can be told apart, and find who leaked one."""


@command.command("keygen", epilog="Example: hauberk trace keygen --out trace.key")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="KEY", help="The file to write.")
def keygen(out: Path) -> None:
    """Make a tracing key: 32 secret bytes, readable by you alone. Without it, no copy can be traced."""
    from hauberk.protection.trace import key

    with key.generate(out) as made:
        click.echo(f"{out}: {key.commitment(made)}")


@command.command(
    "issue",
    epilog="Example: hauberk trace issue models/hard --recipient 'Ward 3' --key trace.key "
    "--register issued.json --out copies/ward-3",
)
@common.package_argument
@click.option("--recipient", required=True, metavar="NAME", help="Who gets it; each name has one copy.")
@_key_option
@_register_option
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The copy to write.")
@click.option(
    "--recipients", type=int, default=None, metavar="N", help="Copies at most, ever [default: 10000]."
)
@click.option("--colluders", type=int, default=None, metavar="C",
              help="How many may put copies together [default: 3].")  # fmt: skip
@click.option("--strength", type=float, default=None, metavar="S",
              help="Size of the mark, in root mean squares of each tensor [default: 0.05].")  # fmt: skip
@common.force_option
@common.json_option
def issue(
    package: Path,
    recipient: str,
    key_file: Path,
    register: Path,
    out: Path,
    recipients: int | None,
    colluders: int | None,
    strength: float | None,
    force: bool,
    as_json: bool,
) -> None:
    """Make a recipient's own copy of PKG.

    The first copy makes the register; its settings hold for all that follow.
    """
    from hauberk.core.files import refuse_overwrite
    from hauberk.models import load
    from hauberk.protection.trace import key
    from hauberk.protection.trace.issuing import issue as issued

    refuse_overwrite(out, force=force)
    with key.read(key_file) as secret:
        written = issued(
            load(package), recipient, key=secret, register=register, out=out, recipients=recipients,
            colluders=colluders, strength=strength, overwrite=force,
        )  # fmt: skip
    told = written.evidence[-1]
    if as_json:
        common.print_json(
            {"package": str(out), "digest": written.digest, "model": written.model_digest, **told.parameters}
        )
        return
    click.echo(f"{out}: copy for '{recipient}', {told.parameters['code']['length']} positions in "
               f"{told.result['weights_marked']} weights")  # fmt: skip


@command.command(
    "accuse",
    epilog="Example: hauberk trace accuse found.safetensors --original models/hard --key trace.key --register "
    "issued.json",
)
@click.argument("leaked", metavar="LEAKED", type=click.Path(path_type=Path))
@click.option("--original", required=True, type=click.Path(path_type=Path), metavar="PKG",
              help="The package that copies were made from.")  # fmt: skip
@_key_option
@_register_option
@click.option("--max-false", type=float, default=None, metavar="P",
              help="Probability that anybody innocent is accused, at most [default: the register's, 1e-6].",
              )  # fmt: skip
@click.option("--evidence", type=click.Path(path_type=Path), default=None, metavar="DIR",
              help="Where the record goes [default: the folder 'evidence' beside the register].",
              )  # fmt: skip
@common.json_option
def accuse(
    leaked: Path,
    original: Path,
    key_file: Path,
    register: Path,
    max_false: float | None,
    evidence: Path | None,
    as_json: bool,
) -> int:
    """Say whose copies went into LEAKED: a package, a .safetensors file or a state dict.

    The exit code is 0 where somebody is accused, 1 where nobody is.
    """
    from hauberk.models import load
    from hauberk.protection.trace import key
    from hauberk.protection.trace.accusing import accusation
    from hauberk.protection.trace.leaks import leaked_weights
    from hauberk.protection.trace.register import Register

    with key.read(key_file) as secret:
        issued = Register.load(register, secret)
        found = accusation(
            leaked_weights(leaked),
            load(original),
            secret,
            issued,
            max_false=max_false,
            name=leaked.resolve().name,
        )
    common.keep(found.evidence, common.evidence_folder(register, evidence), leaked)
    if as_json:
        common.print_json({**found.to_json(), "evidence": found.evidence.digest})
    else:
        click.echo(_text(found.to_json()))
    return 0 if found.accused else 1


def _text(found: Mapping[str, Any]) -> str:
    lines = [
        f"accused: {one['name']}, p < {_power(one['log10_p'])}, score {one['score']:.1f}"
        for one in found["accused"]
    ]
    if not lines:
        lines = ["nobody is accused"]
        lines += [
            f"  nearest: {one['name']}, p < {_power(one['log10_p'])}, score {one['score']:.1f}"
            for one in found["others"][:_SHOWN]
        ]
    lines.append(
        f"{found['recipients']} recipients; threshold p < {_power(found['log10_threshold'])}: "
        f"somebody innocent is accused with probability {found['max_false']:g} at most"
    )
    if found["found"] < 1:
        lines.append(f"{found['found']:.0%} of the marked weights could be compared")
    return "\n".join(lines)


def _power(log10: float) -> str:
    """A tiny probability, also one that no float holds."""
    whole = int(log10 // 1)
    return f"{10 ** (log10 - whole):.1f}e{whole}"
