from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hauberk.cli import callers, common

if TYPE_CHECKING:
    from hauberk.assurance import Policy, Verdict
    from hauberk.assurance.gathering.gather import Sources
    from hauberk.assurance.gathering.telling import Told
    from hauberk.assurance.target import Target
    from hauberk.vault import Vault

_PATH = click.Path(path_type=Path)
_FILES = {"json": "audit.json", "sarif": "audit.sarif", "junit": "audit.junit.xml", "html": "audit.html"}
_KINDS = {"package": "package", "vault": "vault", "deployment": "server", "repository": "repository"}
_FAILED = 1


@click.command(
    "audit", epilog="Example: hauberk audit models/mine --policy policy.toml --format html,sarif --out audit"
)
@click.argument("target", metavar="TARGET")
@click.option("--policy", "policies", type=_PATH, multiple=True, metavar="FILE",
              help="What must hold, TOML; the later over the earlier [default: profile standard].")  # fmt: skip
@click.option("--profile", type=click.Choice(["low", "standard", "high"]), default=None,
              help="What is at stake, in place of the policy's own word.")  # fmt: skip
@click.option("--format", "formats", default=None, metavar="LIST",
              help="Files to write: html,json,sarif,junit, or some of them.")  # fmt: skip
@click.option("--out", type=_PATH, default=Path("audit"), show_default=True, metavar="DIR",
              help="The folder for them.")  # fmt: skip
@click.option("--bom", type=_PATH, default=None, metavar="FILE",
              help="Of a package: also write its inventory, a CycloneDX ML-BOM.")  # fmt: skip
@click.option(
    "--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="English or Chinese."
)
@click.option("--all", "everything", is_flag=True, help="Also print what passed and what does not apply.")
@common.evidence_option
@click.option("--ledger", default=None, metavar="LEDGER", help="Where documents must be proven.")
@click.option("--waiver", "waivers", type=_PATH, multiple=True, metavar="FILE",
              help="As hauberk waive wrote it; repeatable.")  # fmt: skip
@click.option("--osv", type=_PATH, default=None, metavar="FILE", help="A copy of OSV's advisories for PyPI.")
@click.option("--online", is_flag=True, help="Ask OSV's service about packages instead.")
@click.option("--run", "run_missing", is_flag=True, help="Measure robustness where nobody did; needs --data.")
@click.option("--data", default=None, metavar="NAME", help="For --run: digits, mnist, fashion or cifar10-jpeg.")
@click.option("--samples", type=click.IntRange(1), default=None, metavar="N",
              help="For --run: the first N test images [default: what the policy asks for].")  # fmt: skip
@common.seed_option
@common.device_option
@click.option("--vault", "vault_folder", type=_PATH, default=None, metavar="DIR",
              help="Of a server: the vault that it serves from.")  # fmt: skip
@callers.caller_options
@click.option(
    "--ca", type=_PATH, default=None, metavar="CERT.pem", help="Of a server: whose certificate is believed."
)
@click.option(
    "--cert", type=(_PATH, _PATH), default=None, metavar="CERT KEY", help="Of this caller, for --mtls."
)
@click.option("--schedule", "schedules", type=_PATH, multiple=True, metavar="DIR",
              help="Where files of hauberk backup schedule lie; repeatable.")  # fmt: skip
@click.option("--against", type=_PATH, default=None, metavar="AUDIT.json",
              help="An earlier verdict, or another model's, for comparison in the report.")  # fmt: skip
@common.json_option
def command(
    target: str,
    policies: tuple[Path, ...],
    profile: Any,
    formats: str | None,
    out: Path,
    bom: Path | None,
    lang: Any,
    everything: bool,
    evidence: Path | None,
    ledger: str | None,
    waivers: tuple[Path, ...],
    osv: Path | None,
    online: bool,
    run_missing: bool,
    data: str | None,
    samples: int | None,
    seed: int,
    device: str,
    vault_folder: Path | None,
    as_name: str | None,
    api_key_file: Path | None,
    ca: Path | None,
    cert: tuple[Path, Path] | None,
    schedules: tuple[Path, ...],
    against: Path | None,
    as_json: bool,
) -> None:
    """Yes or no: does a package, a vault, a server (https://…) or a repository meet the policy?

    Reads what is there; with --run also measures robustness where nobody did. What cannot be decided fails, as
    does a target that changes meanwhile. Exit code 0: it meets the policy; 1: it does not.
    """
    from hauberk.assurance import load_policy
    from hauberk.assurance.auditing import examine
    from hauberk.assurance.formats.text import to_text
    from hauberk.assurance.gathering.gather import Sources, kind_of
    from hauberk.assurance.gathering.telling import tell
    from hauberk.core.errors import ConfigError

    chosen = _chosen(formats)
    earlier = None if against is None else _earlier(against)
    for name in chosen:  # an earlier answer must not be taken for this one, however this ends
        (out / _FILES[name]).unlink(missing_ok=True)
    if run_missing != (data is not None) or (samples is not None and not run_missing):
        raise ConfigError("--run, --data NAME and perhaps --samples go together")
    kind = kind_of(target)
    if kind != "deployment" and (vault_folder or ca or cert):
        raise ConfigError("--vault, --ca and --cert belong to a server: TARGET is its address")
    _may_enter(kind, vault_folder, as_name, api_key_file)
    _must_be_there(None if online else osv, ledger)  # of both, examine says that one is enough
    if bom is not None:
        _may_list(kind)
    policy = load_policy(policies, profile=profile)
    with _vault(Path(target) if kind == "vault" else vault_folder, as_name, api_key_file) as vault:
        sources = Sources(
            evidence=evidence, ledger=ledger, vault=vault, ca=ca, certificate=cert, osv=osv, online=online,
            api_key=callers.api_key(api_key_file) if kind == "deployment" else None,
            schedules=schedules,
        )  # fmt: skip
        if run_missing:
            _measure(target, policy, sources, data or "", samples, seed, device)
        verdict, facts = examine(target, policy, sources, waivers=waivers)
        told = tell(target, sources, lang, policy.trust.logs) if "html" in chosen else None
        if kind == "vault" and vault is not None and earlier is None and told is not None:
            earlier = _last_release(vault, facts)
    again = _again(
        target, policy=policies, profile=profile, evidence=evidence, ledger=ledger, waiver=waivers, osv=osv,
        vault=vault_folder, against=against, format=formats, lang=lang,
    )  # fmt: skip
    for place in _write(verdict, facts, chosen, out, lang, told=told, earlier=earlier, again=again):
        common.say(f"written: {place}")
    if bom is not None:
        _inventory(facts, verdict, bom)
    if as_json:
        common.print_json(verdict.to_evidence().to_json())
    else:
        click.echo(to_text(verdict, lang, everything=everything), nl=False)
    if not verdict.passed:
        click.get_current_context().exit(_FAILED)


def _may_enter(kind: str, vault: Path | None, as_name: str | None, api_key_file: Path | None) -> None:
    """Who says who he is where nobody asks would believe that he was asked.

    Raises:
        ConfigError: nothing here asks who calls.
    """
    from hauberk.core.errors import ConfigError

    if as_name is not None and kind != "vault" and vault is None:
        hint = "name its vault with --vault DIR" if kind == "deployment" else "leave it out"
        raise ConfigError(f"--as says who enters a vault, and TARGET is a {_KINDS[kind]}", hint=hint)
    if api_key_file is not None and kind not in ("vault", "deployment"):
        raise ConfigError(
            f"--api-key-file is for a vault or a server, and TARGET is a {_KINDS[kind]}", hint="leave it out"
        )


def _must_be_there(osv: Path | None, ledger: str | None) -> None:
    """A mistyped path is a wrong call; what lies there and cannot be believed is the verdict's matter.

    Raises:
        DataError: nothing lies at a path that an option names. A URL is asked later.
    """
    from hauberk.core.errors import DataError

    if osv is not None and not osv.exists():
        raise DataError(
            f"--osv: there is nothing at {osv}",
            hint="download PyPI/all.zip of OSV where there is a network, and name it; or --online",
        )
    if ledger is not None and "://" not in ledger and not (ledger.strip() and Path(ledger).exists()):
        raise DataError(
            f"--ledger: there is nothing at {ledger or repr(ledger)}",
            hint="the folder that hauberk ledger init made, or the URL of a ledger",
        )


def _may_list(kind: str) -> None:
    from hauberk.assurance.inventory import ready
    from hauberk.core.errors import ConfigError

    if kind != "package":
        raise ConfigError(
            f"--bom belongs to a package, and TARGET is a {kind}",
            hint="hauberk bom PACKAGE --out FILE lists one",
        )
    ready()


def _inventory(facts: Target, verdict: Verdict, path: Path) -> None:
    """From the very facts that were judged; a package that cannot be believed has none."""
    from hauberk.assurance.inventory import make_bom, needed
    from hauberk.core.files import write_atomic

    (model,) = facts.models
    if model.broken or verdict.changed:
        common.say(f"no inventory: {model.broken or 'the package changed while it was looked at'}")
        return
    common.say(f"written: {write_atomic(path, make_bom(model, needed(), at=facts.at).encode())}")


def _chosen(formats: str | None) -> list[str]:
    from hauberk.core.errors import check_known

    names = [one.strip() for one in (formats or "").split(",") if one.strip()]
    check_known(names, _FILES, what="format", where="--format")
    return list(dict.fromkeys(names))


@contextmanager
def _vault(folder: Path | None, as_name: str | None, api_key_file: Path | None) -> Iterator[Vault | None]:
    """The vault with the gate of whoever calls, where there is one."""
    if folder is None:
        yield None
        return
    from hauberk.cli.vault.options import opened

    with opened(folder, as_name, api_key_file) as vault:
        yield vault


def _measure(
    target: str, policy: Policy, sources: Sources, data: str, samples: int | None, seed: int, device: str
) -> None:
    from dataclasses import replace

    from hauberk.assurance.running import missing, run

    bars = common.Bars()
    wanted = missing(target, policy, replace(sources, environment=False))
    done = run(
        wanted, policy, data, samples=samples, evidence=sources.evidence, seed=seed,
        device=common.check_device(device) if wanted else device, progress=bars,
    )  # fmt: skip
    for one, document, place in done:
        bars.end()
        common.say(f"measured: {one.place}: {document.kind}, {place}")


def _again(target: str, **options: Any) -> str:
    """The line that asks the same again; who asks is not said."""
    words = ["hauberk", "audit", target]
    for name, value in options.items():
        for one in value if isinstance(value, tuple) else () if value is None else (value,):
            words += [f"--{name}", str(one)]
    return shlex.join(words)


def _earlier(path: Path) -> Verdict:
    from hauberk.assurance.verdict import Verdict
    from hauberk.core.evidence import Evidence

    return Verdict.from_evidence(Evidence.load(path), where=str(path))


def _last_release(vault: Vault, facts: Target) -> Verdict | None:
    from hauberk.assurance.gathering.releases import last_release

    found = last_release(vault, facts)
    if found is not None:
        common.say(f"compared with the last release, audited {found.created}")
    return found


def _write(
    verdict: Verdict,
    facts: Target,
    chosen: list[str],
    out: Path,
    lang: Any,
    *,
    told: Told | None,
    earlier: Verdict | None,
    again: str,
) -> Iterator[Path]:
    from hauberk.assurance.formats.html import to_html
    from hauberk.assurance.formats.junit import to_junit
    from hauberk.assurance.formats.places import places_of
    from hauberk.assurance.formats.sarif import to_sarif
    from hauberk.core.files import write_atomic

    for name in chosen:
        if name == "json":
            text = json.dumps(verdict.to_evidence().to_json(), indent=1, ensure_ascii=False).encode()
        elif name == "sarif":
            text = json.dumps(
                to_sarif(verdict, lang, places=places_of(facts)), indent=1, ensure_ascii=False
            ).encode()
        elif name == "junit":
            text = to_junit(verdict, lang)
        else:
            text = to_html(verdict, lang, told=told, earlier=earlier, command=again).encode()
        yield write_atomic(out / _FILES[name], text)
