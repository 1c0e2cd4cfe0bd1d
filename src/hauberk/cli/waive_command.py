from __future__ import annotations

from pathlib import Path

import click

from hauberk.cli import common

_PATH = click.Path(path_type=Path)


@click.command(
    "waive",
    epilog="Example: hauberk waive robustness.corruptions --subject sha256:… --reason 'indoor cameras only' "
    "--days 30 --key alice.key --out alice.waiver",
)
@click.argument("rule", metavar="RULE")
@click.option(
    "--subject", default=None, metavar="sha256:…", help="Digest of what it is about, as the audit shows it."
)
@click.option("--audit", "verdict", type=_PATH, default=None, metavar="AUDIT.json",
              help="Take the subject from this verdict, where one finding of the rule is open.")  # fmt: skip
@click.option("--reason", required=True, metavar="TEXT", help="Why the risk is taken; everybody sees it.")
@click.option(
    "--days", type=click.IntRange(1, 3660), default=30, show_default=True, metavar="N", help="How long."
)
@click.option("--key", required=True, type=_PATH, metavar="FILE", help="Of whoever takes the risk.")
@click.option("--new-key", "name", default=None, metavar="NAME",
              help="Make the key first, under this name; the policy trusts KEY.pub.")  # fmt: skip
@click.option("--out", required=True, type=_PATH, metavar="FILE", help="The waiver to write.")
@click.option("--force", is_flag=True, help="Replace an earlier one at --out.")
@common.json_option
def command(
    rule: str,
    subject: str | None,
    verdict: Path | None,
    reason: str,
    days: int,
    key: Path,
    name: str | None,
    out: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Take a risk on yourself: sign that a finding is known and accepted, for one thing and for a time.

    The finding is shown as waived, with name, reason and end. It dies with the next version of the model.
    """
    from hauberk.assurance.catalogue import CATALOGUE
    from hauberk.assurance.waiver import make_waiver, write_waiver
    from hauberk.core.errors import ConfigError, DataError, check_known
    from hauberk.core.files import refuse_overwrite
    from hauberk.crypto.notes import Ed25519Signer, generate, read_signers, write_signers

    check_known([rule], [one.id for one in CATALOGUE], what="rule", where="hauberk waive")
    if (subject is None) == (verdict is None):
        raise ConfigError("say what it is about with one of --subject and --audit")
    refuse_overwrite(out, force=force)
    made = make_waiver(rule, subject or _subject(verdict, rule), reason, days=days)
    if name is not None:
        write_signers(key, [generate(name)], use="signs waivers as {name} (Ed25519)")
    elif not key.is_file():
        raise DataError(f"no key of a person at {key}", hint="--new-key NAME makes it, under your name")
    hint = "--key is the file that --new-key NAME made; another --key with --new-key NAME makes one"
    found = read_signers(key, of="a person who signs waivers", hint=hint)
    signers = [one for one in found if isinstance(one, Ed25519Signer)]
    if not signers:
        raise DataError(f"{key} holds no Ed25519 key, with which waivers are signed", hint=hint)
    write_waiver(out, made, signers[0])
    if as_json:
        common.print_json({"waiver": str(out), "by": signers[0].name, **vars(made)})
    else:
        click.echo(f"{out}: {rule} waived until {made.until} by {signers[0].name}")
    if name is not None:
        common.say(f'trust it in the policy: [trust] waivers = ["{signers[0].verifier}"]')


def _subject(path: Path | None, rule: str) -> str:
    """The digest that the one open finding of a rule is about."""
    from hauberk.assurance.verdict import Verdict
    from hauberk.core.errors import DataError
    from hauberk.core.evidence import Evidence

    assert path is not None
    verdict = Verdict.from_evidence(Evidence.load(path), where=str(path))
    found = {one.subject.digest for one in verdict.findings if one.rule == rule and one.open}
    if not found:
        others = sorted({one.rule for one in verdict.findings if one.open})
        raise DataError(
            f"{path} has no open finding of {rule}; open: {', '.join(others) or 'none'}",
            hint="there is nothing to waive, or the verdict is an older one",
        )
    if len(found) != 1 or None in found:
        raise DataError(
            f"{path} has {len(found)} subjects with an open finding of {rule}", hint="--subject sha256:…"
        )
    return str(found.pop())
