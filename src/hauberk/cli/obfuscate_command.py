from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from hauberk.cli import common


@click.command(
    "obfuscate",
    epilog="Example: hauberk obfuscate models/hard --key obfuscation.key --new-key --out models/shipped",
)
@common.package_argument
@click.option("--key", "key_file", required=True, metavar="FILE", type=click.Path(path_type=Path),
              help="The obfuscation key.")  # fmt: skip
@click.option("--new-key", is_flag=True, help="Make the key first, readable by this user only.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The package to write.")
@click.option("--reverse", "backwards", is_flag=True, help="Give the original back.")
@click.option("--dummies", type=int, default=0, show_default=True, metavar="N",
              help="Pairs of dummy neurons in each group that can take them; they cost time.")  # fmt: skip
@click.option("--keep-architecture", is_flag=True,
              help="Keep names and batch norm: the package still says what network it is.")  # fmt: skip
@click.option("--no-rescale", is_flag=True, help="Only permute.")
@click.option("--no-history", is_flag=True, help="Leave the evidence of the model's birth out of the package.")
@common.force_option
@common.evidence_option
@common.json_option
def command(
    package: Path,
    key_file: Path,
    new_key: bool,
    out: Path,
    backwards: bool,
    dummies: int,
    keep_architecture: bool,
    no_rescale: bool,
    no_history: bool,
    force: bool,
    evidence: Path | None,
    as_json: bool,
) -> None:
    """Permute, rescale, fold and rename a model's weights with a key; its answers stay the same.

    Raises the effort to reuse, compare and edit the weights. It hides nothing that the network does: who has
    the file can run, attack, distil and fine-tune it (docs/obfuscation.md).
    """
    from hauberk.core.errors import ConfigError
    from hauberk.core.files import refuse_overwrite
    from hauberk.models import load, save
    from hauberk.protection.obfuscate import Key, Obfuscation, obfuscate, reverse

    changes = dummies or keep_architecture or no_rescale or no_history
    if backwards and (new_key or changes):
        raise ConfigError(
            "--reverse undoes what was done; it goes with --key, --out, --force and --evidence only"
        )
    settings = Obfuscation(
        rescale=not no_rescale,
        keep_architecture=keep_architecture,
        dummies=dummies,
        keep_history=not no_history,
    )
    refuse_overwrite(out, force=force)
    model = load(package)
    key = Key.new(key_file) if new_key else Key.load(key_file)
    if backwards:
        made = reverse(model, key, name=out.name)
    else:
        hidden = obfuscate(model, key, settings, name=out.name)
        made = hidden.classifier
        for name, reason in hidden.left_alone.items():
            common.say(f"left alone: {name} ({reason})")
        for name, count in hidden.evidence.result["unknown_operations"].items():
            common.say(f"not understood: {name} ({count} times); what it touches stays in place")
    save(made, out, overwrite=force)
    record = made.evidence[-1]
    common.keep(record, common.evidence_folder(package, evidence), out)
    if as_json:
        common.print_json(record.to_json())
    elif backwards:
        click.echo(f"{out}: " + ("the original, to the last bit" if record.result["exact"] else _CHANGED))
    else:
        click.echo(_text(out, record.result))


_CHANGED = "in the original's order; the weights were changed after they were obfuscated"


def _text(out: Path, result: Mapping[str, Any]) -> str:
    return "\n".join(
        (
            f"{out}: {result['permuted_share']:.1%} of {result['weights']} weights permuted, "
            f"{result['rescaled_share']:.1%} rescaled, {result['folded_norms']} batch norms folded, "
            f"{result['dummy_neurons']} dummy neurons",
            f"largest difference of outputs: {result['largest_difference']:.1e} of the largest, "
            f"on {result['probes']} random images",
        )
    )
