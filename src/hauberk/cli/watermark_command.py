from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common

_key_option = click.option(
    "--key", "key_file", required=True, type=click.Path(path_type=Path), help="As keygen wrote it, mode 600."
)


@click.group(
    "watermark",
    epilog="Example: hauberk watermark keygen --out owner.key; hauberk watermark embed models/net --data mnist "
    "--key owner.key --out models/marked --commitment marked.json",
)
def command() -> None:
    """Mark a model as yours, and find the mark again."""


@command.command("keygen", epilog="Example: hauberk watermark keygen --out owner.key")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The key to write, mode 600.")
def keygen(out: Path) -> None:
    """Make a key, from which marks are derived. Keep it secret: whoever has it can remove them."""
    from hauberk.protection.watermark import keys

    keys.generate(out)
    click.echo(f"{out}: a new watermark key; who has it can remove its marks, without it they cannot be shown")


@command.command(
    "embed",
    epilog="Example: hauberk watermark embed models/net --data mnist --key owner.key --out models/marked "
    "--commitment marked.json",
)
@common.package_argument
@common.data_option
@click.option("--kind", default="whitebox", show_default=True, metavar="KIND",
              help="whitebox, blackbox or fingerprint (which trains nothing).")  # fmt: skip
@_key_option
@click.option("--samples", type=int, default=None, metavar="N",
              help="Learn from the first N training images [default: all].")  # fmt: skip
@click.option("--epochs", type=int, default=None, metavar="N", help="[default: the kind's own]")
@common.set_option
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The package to write.")
@click.option("--commitment", "commitment_file", required=True, type=click.Path(path_type=Path),
              help="Where the commitment to the key goes.")  # fmt: skip
@click.option("--ledger", default=None, metavar="DIR|URL", help="Log the commitment there right away.")
@click.option("--ledger-key", default=None, metavar="FILE", type=click.Path(path_type=Path),
              envvar="HAUBERK_LEDGER_KEY", help="The log's secret key [default: DIR/key].")  # fmt: skip
@common.force_option
@common.seed_option
@common.device_option
@common.json_option
def embed(
    package: Path,
    data: str,
    kind: str,
    key_file: Path,
    samples: int | None,
    epochs: int | None,
    settings: tuple[str, ...],
    out: Path,
    commitment_file: Path,
    ledger: str | None,
    ledger_key: Path | None,
    force: bool,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Write a marked copy of a model package, and a commitment to its key.

    Sign the commitment and hand it to somebody before the model leaves the house: without one, a mark
    proves little.

    --set takes settings of the mark (bits=512, patterns=32, lines=256), of its embedding (weight=2,
    shake=0.1) and of its training plan (learning_rate=0.001).
    """
    from dataclasses import replace

    from hauberk import datasets
    from hauberk.core.errors import ConfigError, check_known
    from hauberk.core.files import refuse_overwrite
    from hauberk.ledger.documents import file_entry
    from hauberk.ledger.opening import open_log
    from hauberk.models import load, save
    from hauberk.models.training import TrainingPlan, accuracy
    from hauberk.protection.watermark import keys, marks
    from hauberk.protection.watermark.embedding.embed import embed as make
    from hauberk.protection.watermark.embedding.tuning import PLANS

    check_known([kind], marks.KINDS, what="kind", where="watermark embed")
    refuse_overwrite(out, force=force)
    refuse_overwrite(commitment_file, force=force)
    key = keys.read(key_file)
    if ledger is not None:
        open_log(ledger, key=ledger_key).close()  # before the training, not after it
    given = common.add_options(common.parse_settings(settings), epochs=epochs)
    planned, own = common.split_settings(given, TrainingPlan)
    how = {name: own.pop(name) for name in ("weight", "shake") if name in own}
    mark = marks.make_mark(kind, own)
    if kind not in PLANS and (planned or how):
        raise ConfigError(f"a {kind} trains nothing: {next(iter(planned | how))} does not belong to it")
    plan = replace(PLANS[kind], **planned) if kind in PLANS else None
    model = load(package, device=common.check_device(device))
    learning = datasets.load(data)
    if samples is not None:
        if plan is None:
            raise ConfigError(f"a {kind} trains nothing: --samples does not belong to it")
        learning = learning.head(samples)
    made = make(model, learning, key, mark, plan=plan, **how, seed=seed, name=out.name, progress=common.Bars())
    save(made.classifier, out, overwrite=force)
    made.commitment.save(commitment_file)
    entry = None
    if ledger is not None:
        with open_log(ledger, key=ledger_key) as log:
            (entry,) = log.append([file_entry(commitment_file)])
    test = datasets.load(data, split="test")
    before, after = (accuracy(one, test.images, test.labels) for one in (model, made.classifier))
    if as_json:
        common.print_json(
            {
                "package": str(out),
                "model": made.commitment.model,
                "commitment": made.commitment.digest,
                "entry": entry,
                "test_accuracy": {"before": before, "after": after},
                "evidence": made.classifier.evidence[-1].to_json(),
            }
        )
        return
    click.echo(f"{out}: {kind} mark, {after:.2%} right on {len(test)} test images ({before:.2%} before)")
    if entry is not None:
        common.say(f"{commitment_file} is entry {entry} of {ledger}")
    common.say(f"sign {commitment_file} and hand it to a third party before the model leaves the house")
    wanted = "" if kind == "whitebox" else f" --data {data}"
    common.say(
        f"look for it: hauberk watermark verify {out} --key {key_file} --commitment {commitment_file}{wanted}"
    )


@command.command(
    "verify",
    epilog="Example: hauberk watermark verify suspect --key owner.key --commitment marked.json",
)
@common.package_argument
@_key_option
@click.option("--commitment", "commitment_file", default=None, type=click.Path(path_type=Path),
              help="As embed wrote it; the key must be the one committed to.")  # fmt: skip
@click.option("--kind", default=None, metavar="KIND",
              help="whitebox or blackbox [default: the commitment's, else whitebox].")  # fmt: skip
@click.option(
    "--data", default=None, metavar="NAME", help="What the mark was made with; a white-box mark needs none."
)
@click.option("--answers", default="scores", show_default=True, type=click.Choice(["scores", "labels"]),
              help="What the suspect gives away to a black-box mark's questions.")  # fmt: skip
@click.option(
    "--max-p", default=1e-6, show_default=True, metavar="P", help="Claim the mark up to this p-value."
)
@common.set_option
@common.evidence_option
@common.device_option
@common.json_option
def verify(
    package: Path,
    key_file: Path,
    commitment_file: Path | None,
    kind: str | None,
    data: str | None,
    answers: str,
    max_p: float,
    settings: tuple[str, ...],
    evidence: Path | None,
    device: str,
    as_json: bool,
) -> int:
    """Look for a mark in a package; exit code 1 says that it was not found.

    --set takes the mark's settings (bits=512) where there is no commitment that tells them.
    """
    from hauberk import datasets
    from hauberk.core.errors import ConfigError
    from hauberk.models import load
    from hauberk.protection.watermark import commitment, keys, marks
    from hauberk.protection.watermark.verification.verify import verification_record

    key = keys.read(key_file)
    own = common.parse_settings(settings)
    mark: marks.Mark | commitment.Commitment
    if commitment_file is None:
        mark = marks.make_mark(kind or "whitebox", own)
    else:
        mark = commitment.read(commitment_file, key)
        if own or kind not in (None, mark.mark.kind):
            raise ConfigError(f"{commitment_file} tells kind and settings: leave out --kind and --set")
    suspect = load(package, device=common.check_device(device))
    images = None if data is None else datasets.load(data)
    record = verification_record(
        suspect,
        key,
        mark,
        images,
        answers=answers,  # type: ignore[arg-type]  # click lets nothing else through
        max_p=max_p,
        name=package.resolve().name,
    )
    common.keep(record, common.evidence_folder(package, evidence), package)
    result = record.result
    if as_json:
        common.print_json(record.to_json())
    else:
        verdict = "found" if result["found"] else "not found"
        click.echo(
            f"{package}: {result['kind']} mark {verdict}: {result['matched']} of {result['units']} match "
            f"(p = {result['p_value']:.2g}; {result['needed']} are needed for p <= {max_p:g})"
        )
        if commitment_file is None:
            common.say("without a commitment made before the quarrel this proves little: keys can be tried")
    return 0 if result["found"] else 1
