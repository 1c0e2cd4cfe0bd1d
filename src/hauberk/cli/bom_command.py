from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common

_PATH = click.Path(path_type=Path)


@click.command("bom", epilog="Example: hauberk bom runs/quickstart/hardened --out bom.json")
@common.package_argument
@click.option("--out", required=True, type=_PATH, metavar="FILE", help="The inventory to write.")
@click.option("--lock", type=_PATH, default=None, metavar="FILE",
              help="Libraries of a lock file [default: those that Hauberk needs here].")  # fmt: skip
@click.option("--licence", default=None, metavar="SPDX", help="Of the model, such as Apache-2.0.")
@click.option("--specification", type=click.Choice(["1.6", "1.7"]), default="1.6", show_default=True,
              help="Of CycloneDX.")  # fmt: skip
@common.force_option
@common.evidence_option
@common.json_option
def command(
    package: Path,
    out: Path,
    lock: Path | None,
    licence: str | None,
    specification: str,
    force: bool,
    evidence: Path | None,
    as_json: bool,
) -> None:
    """Write what a model is made of: data, base models, libraries, hashes, licences and figures.

    A CycloneDX ML-BOM. Figures are those of evidence that counts for this very model.
    """
    import json

    from hauberk.assurance.gathering.packages import gather_model
    from hauberk.assurance.inventory import locked, make_bom, needed
    from hauberk.assurance.trust import Trust
    from hauberk.core.clock import now
    from hauberk.core.files import refuse_overwrite, write_atomic

    refuse_overwrite(out, force=force)
    at = now()
    model = gather_model(package, Trust(), at=at, evidence=evidence)
    libraries = needed() if lock is None else locked(lock)
    text = make_bom(model, libraries, at=at, licence=licence, specification=specification)  # type: ignore[arg-type]
    write_atomic(out, text.encode())
    for one in model.refused:
        common.say(f"left out: {one.file}: {one.why.en}")
    document = json.loads(text)
    kinds = [one["type"] for one in document["components"]]
    counts = {"data": kinds.count("data"), "libraries": kinds.count("library")}
    card = document["metadata"]["component"]["modelCard"]
    counts["figures"] = len(card.get("quantitativeAnalysis", {}).get("performanceMetrics", ()))
    if as_json:
        facts = {"bom": str(out), "serial_number": document["serialNumber"], "model": model.subject.digest}
        common.print_json(facts | {"specification": specification, **counts})
    else:
        told = ", ".join(f"{count} {what}" for what, count in counts.items())
        click.echo(f"{out}: CycloneDX {specification}, {told}")
